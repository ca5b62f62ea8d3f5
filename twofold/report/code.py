r"""The section of the code: whether it is used, what each dimension does, and what to change.

A dimension is told by two things. How much it has to do with what is known of the observations,
their labels and columns, is the first canonical correlation of its mean with each (as in
`report/tables.py`). What it does to the decoder is seen by moving it alone, two standard
deviations of the codes down and up from the mean code, everything else held:

$$ \hat x_\pm = E[x \mid \bar z \pm 2 s_d e_d]. $$
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.space import Category, Space, Token
from twofold.data.sources import Rows
from twofold.measures.latent import ACTIVE, Codes, infer
from twofold.measures.monitor import Reading, read, readable
from twofold.report.charts import Curve, Labels, Mark, legend, lines
from twofold.report.page import NOTHING, Html, Section, figure, join, listed, table, tag
from twofold.report.scale import short
from twofold.report.seen import Seen
from twofold.report.shots import COARSE, strips
from twofold.report.style import COLOURS
from twofold.report.tables import basis, leading
from twofold.runs.run import likely
from twofold.train.record import Tick

TOP = 8
"""Dimensions that are looked at one by one."""
STEPS = 9
"""Places on the way from two deviations below to two above."""
SPREAD = 2.0
COLUMNS = 200
"""Columns that a dimension is compared with, at most."""
TELLING = 0.3
"""A correlation below is not worth a word."""
MOST = 0.8
"""The share of the cost that the leading dimensions are said to hold."""
SATURATED = 1.0
"""Nats below log n from which an estimate of the information is a lower bound only."""


@dataclass(frozen=True)
class Looked:
    """The codes of held-out observations.

    Args:
        batch: the observations. codes: their posteriors. reading: the same in short.
    """

    batch: Batch
    codes: Codes
    reading: Reading

    @property
    def exact(self) -> bool:
        """Whether the KL has a part for each dimension."""
        return self.codes.kl.shape[1] == self.codes.mean.shape[1]

    @property
    def weight(self) -> Tensor:
        """What dimensions are ordered by: their KL, or else how much their mean varies, (D,)."""
        return self.codes.kl.mean(0) if self.exact else self.codes.mean.var(0)

    @property
    def order(self) -> list[int]:
        """The dimensions, the most informative first."""
        return [int(d) for d in self.weight.argsort(descending=True)]

    @property
    def spread(self) -> Tensor:
        """The standard deviation of the codes, (D,)."""
        return (self.codes.mean.var(0) + self.codes.sigma.square().mean(0)).sqrt()


def used(seen: Seen) -> list[Section]:
    """Whether the code is used, what each of its leading dimensions does, and what to change."""
    run = seen.run
    x = run.space.encode(seen.real.values)
    batch = Batch.of(x, run.known(seen.real.given))
    if not readable(run.model, batch):
        return []
    with torch.random.fork_rng(devices=()):
        looked = Looked(
            batch, infer(run.model, batch, seen.seed), read(run.model, batch, seen.seed)
        )
    told = [*in_words(looked), *story(seen), *advice(seen, looked)]
    body = [listed(told), over_time(seen, looked)]
    body += [doings(seen, looked), moves(seen, looked)] if looked.reading.active_units else []
    return [Section("What the code does", join(body))]


# In words.


def in_words(looked: Looked) -> Iterator[str]:
    """Whether the code is used, and how its cost is shared out."""
    reading, n = looked.reading, len(looked.batch)
    D = looked.codes.mean.shape[1]
    if not reading.used:
        yield (
            f"The latent is not used: {reading.active_units} of {D} dimensions depend on the "
            "observation, and the decoder draws from what all observations have in common."
        )
        return
    limit = math.log(n)
    known = reading.mutual_information
    least = "at least " if known > limit - SATURATED else ""
    yield (
        f"The latent is used: {reading.active_units} of {D} dimensions depend on the observation. "
        f"The code costs {short(sum(reading.kl_by_dimension))} nats and tells {least}"
        f"{short(known)} of them about which of {n:,} observations it came from."
    )
    if looked.exact and D > 1:
        shares = looked.weight.sort(descending=True).values.cumsum(0) / looked.weight.sum()
        few = int((shares < MOST).sum()) + 1
        yield f"{few} of the dimensions hold {MOST:.0%} of the cost."


def story(seen: Seen) -> list[str]:
    """What training said of the code."""
    return [f"While it trained: {text}." for text in seen.said if text.startswith("the latent is")]


def advice(seen: Seen, looked: Looked) -> Iterator[str]:
    """What to change, where something should be."""
    reading, D = looked.reading, looked.codes.mean.shape[1]
    rate = seen.run.recipe["model"].get("divergence", {})
    beta = rate.get("beta", 1.0) if isinstance(rate, dict) else 1.0
    idle = D - reading.active_units
    if not reading.used or (isinstance(beta, int | float) and beta > 1 and idle > D / 2):
        yield f"To change: {squeezed(beta)}."
    elif idle > D / 2:
        yield (
            f"To change: nothing needs to. {idle} dimensions stay at the prior (their posterior's "
            f"deviation is about 1) and cost nothing; model.latent = {reading.active_units} would "
            "do as well."
        )
    elif not idle and looked.exact and float(looked.weight.min()) > 1:
        yield (
            "To change: every dimension is in full use; where reconstructions lack detail, give "
            "model.latent more."
        )


def squeezed(beta: object) -> str:
    """What to do about a code that is pressed to the prior."""
    if isinstance(beta, int | float) and beta > 1:
        return f"lower model.divergence.beta, which is {beta:g}, or train with --rescue"
    return (
        "train with --rescue, set model.divergence.free_bits to 0.25, let its beta rise "
        '({name = "cyclic"}), or make the decoder smaller'
    )


# Over training.


def over_time(seen: Seen, looked: Looked) -> Html:
    """KL by dimension at every evaluation; the leading ones in colour."""
    ticks = [tick for tick in seen.ticks if len(tick.get("kl_by_dimension", [])) > 1]
    if not ticks:
        return NOTHING
    first = looked.order[: COLOURS - 1]
    others = [d for d in range(len(ticks[-1]["kl_by_dimension"])) if d not in first]
    curves = [*(curve(ticks, d, COLOURS - 1, faint=True) for d in others)]
    curves += [curve(ticks, d, i) for i, d in enumerate(first)]
    session = seen.session
    turned = zip(session.get("rescued", []), session.get("against", []), strict=False)
    marks = [Mark(step, "rescued") for step, trouble in turned if trouble == "unused"]
    chart = lines(curves, Labels("KL by dimension, held-out", "step", "nats"), marks, "never")
    names = [(f"z{d + 1}", i) for i, d in enumerate(first)]
    names += [("the others", COLOURS - 1)] if others else []
    text = "What each dimension of the code costs, in nats, at every evaluation."
    return figure(tag("div", legend(names), chart, class_="map"), text)


def curve(ticks: Sequence[Tick], d: int, colour: int, faint: bool = False) -> Curve:
    """One dimension's KL against the step."""
    steps = [float(tick["step"]) for tick in ticks]
    return Curve(f"z{d + 1}", steps, [tick["kl_by_dimension"][d] for tick in ticks], colour, faint)


# Dimension by dimension.


def doings(seen: Seen, looked: Looked) -> Html:
    """A table of the leading dimensions: their cost, and what each has to do with."""
    kl, codes = looked.codes.kl.mean(0), looked.codes
    known = [*columns_of(seen.run.given, looked.batch.given.c)]
    known += [*columns_of(seen.run.space, looked.batch.x)] if seen.is_vector else []
    bases = [(name, basis(channels.double().cpu())) for name, channels in known[:COLUMNS]]
    head = ["", "KL, nats", "Deviation of q", "Has to do with", "Moving it"]
    rows = [
        [
            f"z{d + 1}",
            short(float(kl[d])) if looked.exact else "–",
            short(float(codes.sigma[:, d].mean())),
            kin(codes.mean[:, d : d + 1], bases),
            effect(seen, looked, d),
        ]
        for d in leading_ones(looked)
    ]
    if not seen.is_vector:
        head, rows = head[:4], [row[:4] for row in rows]
    caption = (
        f"The {len(rows)} most informative dimensions. A deviation of 1 is the prior's. What a "
        "dimension has to do with is by canonical correlation, from 0 to 1."
    )
    return table(caption, head, rows, "rows")


def leading_ones(looked: Looked) -> list[int]:
    """The dimensions that are looked at: the first of those that are active."""
    active = looked.codes.mean.var(0) > ACTIVE
    return [d for d in looked.order if active[d]][:TOP]


def columns_of(space: Space, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Each value of a Space by name, with its channels (B, w)."""
    for field, part in space.parts(x):
        channels = field.split(part)[0].unflatten(1, (field.size, field.domain.width))
        for i, one in enumerate(channels.unbind(1)):
            yield (f"{field.name} {i + 1}" if field.size > 1 else field.name), one


def kin(z: Tensor, known: Sequence[tuple[str, Tensor]]) -> str:
    """What a dimension (B, 1) has most to do with."""
    own = basis(z.double())
    found = [(leading(own, other), name, chance(other)) for name, other in known if other.shape[1]]
    best = sorted(found, reverse=True)[:2]
    told = [f"{name} ({rho:.2f})" for rho, name, by_chance in best if rho > TELLING + by_chance]
    return ", ".join(told) or ("nothing that is known" if known else "–")


def chance(other: Tensor) -> float:
    """The correlation that n independent rows have with r columns (n, r) by chance, about."""
    return min(1.0, math.sqrt(other.shape[1] / max(len(other) - 1, 1)))


def ways(seen: Seen, looked: Looked, d: int, steps: int) -> Rows:
    """One dimension from two deviations below the mean code to two above, decoded."""
    run = seen.run
    t = torch.linspace(-SPREAD, SPREAD, steps, dtype=torch.float64)
    z = looked.codes.mean.mean(0).repeat(steps, 1)
    z[:, d] += t * looked.spread[d]
    given = Given.none(steps, run.given)
    with torch.inference_mode():
        decoder = run.model
        x = likely(run.space, decoder.decode(z.to(looked.batch.x), given))  # type: ignore[operator]
        return Rows(run.space.decode(x), torch.full((steps, run.given.size), math.nan))


def effect(seen: Seen, looked: Looked, d: int) -> str:
    """What moving a dimension does to the row that is decoded: the value that changes most."""
    if not seen.is_vector:
        return ""
    low, high = ways(seen, looked, d, 2).values.double()
    names = [name for name, _ in columns_of(seen.run.space, looked.batch.x)]
    domains = [f.domain for f in seen.run.space.fields for _ in range(f.size)]
    scale = seen.real.values.double().nan_to_num().std(0).clamp(min=1e-9)
    change = torch.tensor(
        [
            float(a != b) if isinstance(domain, Category | Token) else abs(float((b - a) / s))
            for a, b, s, domain in zip(low, high, scale, domains, strict=True)
        ]
    ).nan_to_num()
    most = int(change.argmax())
    domain = domains[most]
    ends = [
        domain.labels[int(end[most])]
        if isinstance(domain, Category | Token)
        else short(float(end[most]))
        for end in (low, high)
    ]
    return f"{names[most]} from {ends[0]} to {ends[1]}" if change[most] > 0 else "changes nothing"


def moves(seen: Seen, looked: Looked) -> Html:
    """What is decoded while one dimension moves, a row each."""
    run = seen.run
    if not (seen.is_picture or seen.is_series):
        return NOTHING
    rows = [
        (f"z{d + 1}", run.kind.draw(ways(seen, looked, d, STEPS))) for d in leading_ones(looked)
    ]
    coarse = seen.is_picture and max(run.space.axes) <= COARSE
    text = (
        f"Each dimension alone, from {SPREAD:g} deviations below the mean code to {SPREAD:g} "
        "above, with nothing given: what changes along a row is what the dimension does."
    )
    return figure(strips(rows, coarse), text)
