r"""Prediction: how series go on, by draws of a model that is given the steps before a window.

A run whose data have `data.past` steps draws windows under what came before them, $x \sim p(x \mid
c)$, c the last P steps. Of K such draws after the end of each series come

* the **prediction**: the median of each step and channel;
* the **interval**: their quantiles at $(1 \mp \text{level}) / 2$, step by step.

`check` asks the same at held-out windows, end to end, and says how far it is from what came: the
mean absolute error in standard deviations, the share inside the intervals, and the *continuous
ranked probability score* $\mathbb E|X - x| - \tfrac12 \mathbb E|X - X'|$ of draws X, X' (Gneiting &
Raftery 2007), which is the absolute error of a point and rewards an honest spread. Beside it the
last step, repeated, and ridge regression of all steps to come on all that are given, which learn
from the same training windows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.game import Samples
from twofold.core.words import plural
from twofold.data.doctor import fitting
from twofold.data.kind import Where
from twofold.data.kinds.series import Channel, Ends, Series
from twofold.data.sources import Source
from twofold.measures.estimate import Estimate, mean
from twofold.runs.run import Run
from twofold.runs.training import material_of
from twofold.train.chance import seed_all

CHECKED = 200
"""Held-out windows that a check looks at, at most."""
LEARNT = 5000
"""Training windows that the regression learns from, at most."""
ALPHAS = tuple(np.logspace(-2, 4, 13))


@dataclass(frozen=True)
class Asking:
    """How series are gone on with.

    Args:
        draws: K, of each series. interval: the share of them between low and high. seed: of them.
    """

    draws: int = 100
    interval: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise UserError(f"--draws {self.draws} makes no interval; give 2 or more")
        if not 0 < self.interval < 1:
            raise UserError(f"--interval {self.interval} is no share; say 0.9 for nine in ten")


@dataclass(frozen=True)
class Check:
    """Held-out windows predicted from what came before them, in standard deviations of a channel.

    Args:
        errors: the mean absolute error by what predicts, ours first.
        score: our continuous ranked probability score.
        inside: the share of steps inside our intervals of `level`.
        windows: how many there were.
    """

    errors: Mapping[str, Estimate]
    score: Estimate
    inside: Estimate
    level: float
    windows: int

    def lines(self) -> Iterator[str]:
        """The check in sentences."""
        yield f"checked at {self.windows:,} held-out windows, in standard deviations of a channel:"
        for name, error in self.errors.items():
            yield f"  {name:<28} error {error.value:.3f} ({error.low:.3f} … {error.high:.3f})"
        yield f"  our ranked probability score is {self.score.value:.3f}"
        held = f"{self.inside.low:.0%} … {self.inside.high:.0%}"
        yield f"  {self.inside.value:.1%} ({held}) lie in our {self.level:.0%} intervals"


@dataclass(frozen=True)
class Predicted:
    """What `predict` did: the file, how many series went on by how many steps, and the check."""

    path: Path
    series: int
    steps: int
    checks: tuple[Check, ...] = ()

    def __str__(self) -> str:
        head = f"{self.series:,} series went on by {plural(self.steps, 'step')}"
        checks = [line for check in self.checks for line in check.lines()]
        return "\n".join([head, *checks, str(self.path)])


def predict(run: Run, where: Where, asking: Asking, check: bool, out: Path) -> Predicted:
    """Go on with series and write how; see `verbs.predict`."""
    kind = onward(run)
    if out.exists():
        raise UserError(f"{out} is already there; name another --out")
    ends = kind.ends(fitting(where, kind).where)
    found = quantiles(drawn(run, ends.given, asking), asking.interval)
    judged = (checked(run, asking),) if check else ()
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("x", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header(kind), *table(kind, ends, found)])
    return Predicted(out, len(ends.names), kind.length, judged)


def onward(run: Run) -> Series:
    """The codec of a run that is given the steps before a window.

    Raises:
        UserError: it is not.
    """
    kind = run.kind
    if not isinstance(kind, Series):
        raise UserError(
            f"predict needs a run that reads what is given off its code, and {run.path} does not; "
            "fit one with data.given naming numbers and model.properties=predicted"
        )
    if not kind.past:
        raise UserError(
            f"predict needs a run on series that was given the steps before a window, and "
            f"{run.path} was not; fit one with --set data.past=48"
        )
    return kind


def drawn(run: Run, given: Tensor, asking: Asking) -> Tensor:
    """K draws after each of N pasts (N, G), in the units of the file: (K, N, C, T)."""
    model = run.role(Samples, "predict")
    seed_all(torch.device("cpu"), asking.seed)
    with torch.inference_mode():
        c = run.known(given).repeat(asking.draws).c  # (N K, G)
        x = torch.cat([model.sample(Given(part)) for part in c.split(run.chunk)])
        return run.space.decode(x).unflatten(0, (-1, asking.draws)).transpose(0, 1)


def quantiles(draws: Tensor, interval: float) -> Tensor:
    """Low end, median and high end of draws (K, N, C, T): (3, N, C, T)."""
    ends = torch.tensor([(1 - interval) / 2, 0.5, (1 + interval) / 2])
    return draws.nanquantile(ends, 0)


# What is written.


def header(kind: Series) -> list[str]:
    """Of the table: the series, its time, and three columns a channel."""
    numbers = [
        n for one in kind.channels for n in (one.name, f"{one.name} low", f"{one.name} high")
    ]
    return [kind.how.series or "series", kind.clock(), *numbers]


def table(kind: Series, ends: Ends, found: Tensor) -> Iterator[list[str]]:
    """A row a series and step, from low, median and high (3, N, C, T)."""
    for at, (name, time) in enumerate(zip(ends.names, ends.times, strict=True)):
        columns = [
            said(found[which, at, i], channel)
            for i, channel in enumerate(kind.channels)
            for which in (1, 0, 2)
        ]
        for moment, *row in zip(time.texts(kind.length), *columns, strict=True):
            yield [name or str(at + 1), moment, *row]


def said(values: Tensor, channel: Channel) -> list[str]:
    """Numbers (T,) as texts, with the decimals of the file; missing is empty."""
    return ["" if v != v else channel.text(float(str(v))) for v in values.numpy()]


# How wrong it is.


def checked(run: Run, asking: Asking) -> Check:
    """The run's held-out windows, predicted from what came before each."""
    kind, data = onward(run), material_of(run, "")
    rows = apart(data.test, kind)
    scale = torch.tensor([one.std for one in kind.channels])[:, None]
    truth = data.test.read(rows).values / scale  # (N, C, T)
    given = data.test.read(rows).given
    draws = drawn(run, given, asking) / scale
    low, middle, high = quantiles(draws, asking.interval)
    past = run.known(given).c
    ways = {
        "ours, the median of draws": middle,
        "the last step, repeated": last(kind, given)[:, :, None].expand_as(truth) / scale,
        "ridge regression": regressed(run, data.train, past) / scale,
    }
    inside = ((low <= truth) & (truth <= high)).double()
    inside[truth.isnan()] = torch.nan
    return Check(
        {name: over((way - truth).abs(), asking.seed) for name, way in ways.items()},
        over(ranked(draws, truth), asking.seed),
        over(inside, asking.seed),
        asking.interval,
        len(rows),
    )


def apart(source: Source, kind: Series) -> Tensor:
    """Rows of windows that do not overlap, evenly over a source."""
    if not len(source):
        raise UserError("--check needs held-out windows, and data.split left none for the test")
    rows = torch.arange(0, len(source), -(-kind.length // kind.stride))
    return rows[torch.linspace(0, len(rows) - 1, min(CHECKED, len(rows))).long()]


def over(values: Tensor, seed: int) -> Estimate:
    """The mean over windows of what is known of each, (N, C, T)."""
    each = values.flatten(1).double().nanmean(1)
    return mean(each[~each.isnan()], seed)


def ranked(draws: Tensor, truth: Tensor) -> Tensor:
    """E|X − x| − ½ E|X − X'| of draws (K, N, C, T), for each of (N, C, T).

    Pairs are all of them: with X sorted, Σ|X − X'| = 2 Σ (2k − K − 1) X_k.

    >>> ranked(torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1), torch.zeros(1, 1, 1)).item()
    0.5
    """
    k = len(draws)
    rank = (2 * torch.arange(1, k + 1) - k - 1).reshape(-1, 1, 1, 1)
    spread = (rank * draws.sort(0).values).sum(0) / k**2
    return (draws - truth).abs().mean(0) - spread


def last(kind: Series, given: Tensor) -> Tensor:
    """The last known step of each channel, (N, C); its mean where none is known."""
    past = given[:, -kind.past * len(kind.channels) :].unflatten(1, (-1, kind.past))  # (N, C, P)
    at = torch.arange(kind.past).expand_as(past).masked_fill(past.isnan(), -1).amax(2, keepdim=True)
    found = past.gather(2, at.clamp(min=0)).squeeze(2)
    return torch.where(at.squeeze(2) < 0, torch.tensor([c.mean for c in kind.channels]), found)


def regressed(run: Run, train: Source, past: Tensor) -> Tensor:
    """All steps to come, (N, C, T), by ridge regression on what is given, c (N, G)."""
    from sklearn.linear_model import RidgeCV

    rows = train.read(torch.linspace(0, len(train) - 1, min(LEARNT, len(train))).long())
    x = rows.values
    known = ~x.flatten(1).isnan().any(1)
    ridge = RidgeCV(ALPHAS).fit(run.known(rows.given).c[known].numpy(), x[known].flatten(1).numpy())
    found = torch.from_numpy(np.asarray(ridge.predict(past.numpy()), np.float32))
    return found.reshape(len(past), *x.shape[1:])
