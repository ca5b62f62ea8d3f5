r"""Directions learnt for any decoder, kept with its run to be moved along.

* from `labels` (InterFaceGAN, Shen et al. 2020, arXiv:1907.10786): codes with an attribute and
  codes without it are parted by a hyperplane, and the direction is its normal. The codes are those
  of training observations where there is an encoder; else draws, labelled as a judge sees them that
  was fitted on real training rows. The hyperplane is that of a logistic regression in which both
  sides weigh the same. Its accuracy is measured on codes that it was not fitted on.
* from `weights` (SeFa) and `activations` (GANSpace), with no label: see `maths/axes.py`. Early
  features are what the second layer of the decoder is handed.

What a step of `STEP` deviations along each does is measured on codes held out: how often judges see
the attribute that it is named after (*reached*), and what they see change of every other (*leak*).

In z an attribute that is also a condition is withheld from encoder and decoder, so that the code
must hold it; w holds what is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from twofold.apps.editing import FITTED, Attribute, Judge, attributes, codes, known, of, some
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Encodes, Styles
from twofold.core.space import Category
from twofold.data.sources import Rows
from twofold.maths.axes import Axes, ganspace, sefa
from twofold.maths.latents import chosen_layers, layered
from twofold.measures.estimate import mean, resampled
from twofold.measures.measure import Figure
from twofold.nets.wiring import early, entering
from twofold.runs.codes import Codes, decoded, space_of
from twofold.runs.learnt import HowLearnt, Learnt, pushed
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.train.chance import seed_all

SpaceName = Literal["z", "w"]
DRAWN = 4000
"""Draws that directions are learnt from."""
HELD = 0.25
"""The share of draws that a hyperplane is not fitted on."""
STEP = 2.0
"""Deviations that a code moves by when it is measured what a direction does."""
TRIED = 256
"""Codes that this is measured on, at most."""
AT_ONCE = 256
HELD_BACK = 20.0
"""N C of the logistic regression, on codes of mean variance 1; chosen on digits, 2 networks."""
PREFIX: Mapping[HowLearnt, str] = {"weights": "sefa", "activations": "ganspace"}


@dataclass(frozen=True)
class Search:
    """What is looked for.

    Args:
        how: from what. space: of which codes. k: how many, where nothing is labelled.
        layers: of a style-based model, in words; empty for all.
        names: attributes to learn; empty for all. seed: of draws and fits.
    """

    how: HowLearnt
    space: SpaceName
    k: int = 5
    layers: str = ""
    names: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Bench:
    """A run whose directions are learnt, and what they are measured with.

    Args:
        run: the run. data: its data, one or none where it is gone. search: what is looked for.
    """

    run: Run
    data: Sequence[Material]
    search: Search

    @cached_property
    def attributes(self) -> list[Attribute]:
        """What is labelled, and known of enough training observations to be learnt."""
        return [*attributes(self.run).values()] if self.data else []

    @cached_property
    def layers(self) -> tuple[int, ...]:
        """The layers that are asked for, all of them being none."""
        if not self.search.layers:
            return ()
        if not (isinstance(self.run.model, Styles) and self.search.space == "w"):
            raise UserError("--layers chooses among those of a style-based model, with --space w")
        return chosen_layers(self.search.layers, self.run.model.layer_sizes)

    @cached_property
    def judges(self) -> dict[str, Judge]:
        """Who sees each attribute in an observation."""
        material = self.data[0]
        held = material.validation if len(material.validation) else material.train
        seed = self.search.seed
        return {
            one.name: Judge.of(self.run, one, material.train, held, seed) for one in self.attributes
        }

    @cached_property
    def drawn(self) -> Codes:
        """Fresh codes; of nothing given, where the model has learnt to do without."""
        run, seed = self.run, self.search.seed
        seed_all(torch.device("cpu"), seed)
        given = run.usual(DRAWN, seed)
        if self.search.space == "z" and run.plan.training.null > 0:
            given = torch.full_like(given, math.nan)
        with torch.no_grad():
            code = space_of(run, self.search.space).draw(run.known(given))
        return Codes(self.search.space, code, given)


@dataclass(frozen=True)
class Side:
    """Codes, and the rows that they stand for: real ones, or what draws decode to."""

    codes: Codes
    rows: Rows


def discover(run: Run, data: Sequence[Material], search: Search) -> list[Learnt]:
    """Learn directions of a run's codes.

    Args:
        run: the run. data: its data, one or none. search: what is looked for.

    Raises:
        UserError: there is nothing to learn them from.
    """
    decoder = run.role(Decodes, "directions")
    if search.space == "w" and not isinstance(decoder, Styles):
        raise UserError("only a style-based model has a w; use --space z")
    bench = Bench(run, data, search)
    return WAYS[search.how](bench)


# From labels.


def from_labels(bench: Bench) -> list[Learnt]:
    """A hyperplane for each value of each attribute."""
    wanted = asked(bench)
    fit, held = sides(bench, wanted)
    made = [one for attribute in wanted for one in of_attribute(bench, attribute, fit, held)]
    if not made:
        raise UserError("no attribute has two values that can be told apart; give other data")
    return made


def asked(bench: Bench) -> list[Attribute]:
    """The attributes to learn."""
    if not bench.data:
        raise UserError("directions from labels need the run's data; say where it is with --data")
    every = attributes(bench.run)
    if not every:
        raise UserError(
            "directions from labels need labels, attributes or columns, and this data has none; "
            "try --how weights or --how activations"
        )
    return [of(every, name) for name in bench.search.names] or [*every.values()]


def left_out(run: Run, search: Search, found: Sequence[Learnt]) -> list[str]:
    """What no direction was learnt for, in words."""
    every = attributes(run) if search.how == "labels" else {}
    wanted = [every[name] for name in search.names] or [*every.values()]
    names = [name for one in wanted for name, _ in questions(one, 0.0)]
    absent = sorted({*names} - {one.name for one in found})
    why = "fewer than two rows with it, or without it, to fit or to measure on"
    return [f"no direction for {', '.join(absent)}: {why}"] if absent else []


def sides(bench: Bench, wanted: Sequence[Attribute]) -> tuple[Side, Side]:
    """The codes to fit on, and those to measure on."""
    if isinstance(bench.run.model, Encodes) and bench.search.space == "z":
        return encoded(bench, wanted)
    return judged(bench, wanted)


def encoded(bench: Bench, wanted: Sequence[Attribute]) -> tuple[Side, Side]:
    """Codes of training and of held-out observations."""
    material, seed = bench.data[0], bench.search.seed
    held = material.test if len(material.test) else material.validation
    if not len(held):
        raise UserError("directions are measured on held-out rows, and this run holds out none")
    blind = any(one.told for one in wanted)
    fit, other = (
        Side(codes_of(bench.run, rows, blind), rows)
        for rows in (some(material.train, FITTED, seed), some(held, FITTED, seed))
    )
    return fit, other


def codes_of(run: Run, rows: Rows, blind: bool) -> Codes:
    """The mean codes of rows, with what is given of them or without."""
    given = torch.full_like(rows.given, math.nan) if blind else rows.given
    with torch.no_grad():
        return Codes("z", codes(run, rows, run.known(given)), given)


def judged(bench: Bench, wanted: Sequence[Attribute]) -> tuple[Side, Side]:
    """Draws, labelled as judges of real training rows see them."""
    rows = decoded(bench.run, bench.drawn)
    given = torch.full_like(rows.given, math.nan)
    for one in wanted:
        if one.told:  # a column of the row itself is there to be read
            given[:, one.place] = bench.judges[one.name](rows).to(given)
    cut = round((1 - HELD) * DRAWN)
    fit, held = (
        Side(bench.drawn[part], Rows(rows.values[part], given[part]))
        for part in (slice(cut), slice(cut, DRAWN))
    )
    return fit, held


def of_attribute(bench: Bench, one: Attribute, fit: Side, held: Side) -> Iterator[Learnt]:
    """A direction for each value; of two values one, of a number one, upwards."""
    middle = median(one, fit) if not one.named else 0.0
    blind = bench.search.space == "z" and one.told
    for name, has in questions(one, middle):
        for normal, accuracy in hyperplane(one, has, fit, held, bench.search.seed):
            learnt = named(bench, name, normal, held.codes, blind)
            pair = steps(bench, learnt, held.codes)
            found = [
                replace(accuracy, name=f"accuracy {name}"),
                reached(bench, learnt, one, has, pair),
                *leaks(bench, learnt, pair, one.name),
            ]
            yield replace(learnt, figures=tuple(found))


def median(one: Attribute, side: Side) -> float:
    """The middle value of a number."""
    return float(one.of(known(side.rows, one)).median())


Has = Callable[[Tensor], Tensor]
"""Whether values (B,) are on the side that a direction points to, (B,) of bool."""


def questions(one: Attribute, middle: float) -> Iterator[tuple[str, Has]]:
    """What can be asked of an attribute: each of its labels, or whether a number is large."""
    if not isinstance(one.field.domain, Category):
        yield one.name, lambda values: values > middle
        return
    labels = one.field.domain.labels
    first = 1 if len(labels) == 2 else 0  # of two, one is the other's opposite
    for k, label in list(enumerate(labels))[first:]:
        yield f"{one.name}={label}", lambda values, k=k: values == k  # type: ignore[misc]


def hyperplane(
    one: Attribute, has: Has, fit: Side, held: Side, seed: int
) -> list[tuple[Tensor, Figure]]:
    """The unit normal (D,) that parts codes, and its accuracy on held-out ones; none of one side.

    The accuracy is balanced: the mean of that on either side, so that 0.5 is chance.
    """
    from sklearn.linear_model import LogisticRegression

    (z, y), (z_held, y_held) = (parted(side, one, has) for side in (fit, held))
    if min(*counts(y), *counts(y_held)) < 2:
        return []
    spread = z.var(0).mean().sqrt().clamp(min=1e-12)
    model = LogisticRegression(C=HELD_BACK / len(z), class_weight="balanced", max_iter=2000)
    model.fit((z / spread).numpy(), y.numpy())
    normal = torch.as_tensor(model.coef_[0]).to(z)
    right = torch.as_tensor(model.predict((z_held / spread).numpy())) == y_held
    terms = torch.stack([right & y_held, y_held, right & ~y_held, ~y_held], 1)  # (N, 4)
    figure = Figure(
        "accuracy", *resampled(terms, balanced, seed), len(terms), "higher",
        baseline=0.5, baseline_name="chance", seed=seed, split="held out",
        note="of the hyperplane, balanced over its two sides",
    )  # fmt: skip
    return [(torch.nn.functional.normalize(normal, dim=0), figure)]


def balanced(means: Tensor) -> Tensor:
    """The mean of two accuracies, from shares: right with, with, right without, without; (4,)."""
    return (means[0::2] / means[1::2].clamp(min=1e-12)).mean()


def parted(side: Side, one: Attribute, has: Has) -> tuple[Tensor, Tensor]:
    """Codes whose attribute is known, and whether they have it."""
    values = one.of(side.rows)
    there = ~values.isnan()
    return side.codes.code[there], has(values[there])


def counts(y: Tensor) -> tuple[int, int]:
    """How many have it, and how many do not."""
    return int(y.sum()), int((~y).sum())


# Without labels.


def from_weights(bench: Bench) -> list[Learnt]:
    """The steps that change most what the first layers put out."""
    run, drawn = bench.run, bench.drawn[:TRIED]
    place, given = space_of(run, bench.search.space), run.known(drawn.given)
    code = every_layer(bench, drawn.code) if drawn.space == "w" else drawn.code
    maps = entering(run.model, lambda c: place.decode(c, given[: len(c)]).mean, code)
    if not maps:
        raise UserError(
            "no linear layer of this decoder is handed the code itself; try --how activations"
        )
    A = torch.cat([by_layer(A, bench.layers) for A in maps])
    return unlabelled(bench, sefa(A, bench.search.k), "eigenvalue", "share of the trace of AᵀA")


def every_layer(bench: Bench, w: Tensor) -> Tensor:
    """Codes whose styles differ from layer to layer, by which it is seen where each enters."""
    model = bench.run.model
    assert isinstance(model, Styles)
    plus = layered(model, w)
    return torch.stack([plus[:, i].roll(i, 0) for i in range(plus.shape[1])], 1)


def by_layer(A: Tensor, layers: tuple[int, ...]) -> Tensor:
    """A map (O, D); of one (O, L, D) of styles, what it does with those of some layers."""
    if A.dim() == 2:
        return A
    return (A[:, list(layers)] if layers else A).flatten(0, 1)  # (O · L, D)


def from_activations(bench: Bench) -> list[Learnt]:
    """The principal axes of styles, or of early features."""
    code = bench.drawn.code
    y, what = (code, "the styles") if bench.drawn.space == "w" else (features(bench), "features")
    axes = ganspace(y, code, min(bench.search.k, y.shape[1], code.shape[1]))
    return unlabelled(bench, axes, "variance", f"share of the variance of {what}")


def features(bench: Bench) -> Tensor:
    """Early features of draws, (N, F)."""
    run, drawn = bench.run, bench.drawn
    place = space_of(run, drawn.space)

    def part(codes: Codes) -> Tensor:
        return early(run.model, lambda c: place.decode(c, run.known(codes.given)).mean, codes.code)

    return torch.cat([part(drawn[at]) for at in torch.arange(len(drawn)).split(AT_ONCE)])


def unlabelled(bench: Bench, axes: Axes, what: str, note: str) -> list[Learnt]:
    """Directions numbered by how much they do."""
    where = f"@{bench.search.layers}" if bench.search.layers else ""
    prefix, made = PREFIX[bench.search.how], []
    for i, (row, share) in enumerate(zip(axes.rows, axes.shares.tolist(), strict=True), 1):
        learnt = named(bench, f"{prefix}-{i}{where}", row, bench.drawn, False)
        carries = Figure(
            f"{what} {learnt.name}", share, math.nan, math.nan, len(bench.drawn), "neither",
            seed=bench.search.seed, split="draws", note=note,
        )  # fmt: skip
        found = leaks(bench, learnt, steps(bench, learnt, bench.drawn), "")
        made.append(replace(learnt, figures=(carries, *found)))
    return made


def named(bench: Bench, name: str, vector: Tensor, codes: Codes, blind: bool) -> Learnt:
    """A direction as it is kept, measured in the deviation of codes along it."""
    scale = float((codes.code @ vector).std())
    search = bench.search
    return Learnt(
        name, search.how, search.space, vector, scale, bench.run.sha256, bench.layers, blind
    )


# What a direction does.


def steps(bench: Bench, learnt: Learnt, codes: Codes) -> tuple[Rows, Rows]:
    """Some codes decoded as they are, and a step further."""
    here = codes[:TRIED]
    return decoded(bench.run, here), decoded(bench.run, pushed(bench.run, here, learnt, STEP))


def reached(
    bench: Bench, learnt: Learnt, one: Attribute, has: Has, pair: tuple[Rows, Rows]
) -> Figure:
    """How often what is meant is seen after the step, beside before it."""
    before, after = (has(seen(bench, one, rows)).double() for rows in pair)
    return Figure(
        f"reached {learnt.name}", *mean(after, bench.search.seed), len(after), "higher",
        floor=bench.judges[one.name].skill, baseline=float(before.mean()),
        baseline_name="without the step", seed=bench.search.seed, split="held out",
        note=f"share in which a judge sees it {STEP:g} deviations on; floor: how well it sees",
    )  # fmt: skip


def leaks(bench: Bench, learnt: Learnt, pair: tuple[Rows, Rows], but: str) -> list[Figure]:
    """How much every attribute but one moves."""
    return [leak(bench, learnt, one, pair) for one in bench.attributes if one.name != but]


def leak(bench: Bench, learnt: Learnt, one: Attribute, pair: tuple[Rows, Rows]) -> Figure:
    """How much an attribute moves."""
    before, after = (seen(bench, one, rows) for rows in pair)
    spread = bench.judges[one.name].spread
    gap = (after != before).double() if one.named else (after - before).abs().double() / spread
    note = "share of rows that change" if one.named else "standard deviations that it moves"
    return Figure(
        f"leak {learnt.name} > {one.name}", *mean(gap.nan_to_num(), bench.search.seed), len(gap),
        "lower", seed=bench.search.seed, split="held out", note=f"{note}, {STEP:g} deviations on",
    )  # fmt: skip


def seen(bench: Bench, one: Attribute, rows: Rows) -> Tensor:
    """An attribute of decoded rows: a column is there to be read, the rest is judged."""
    return bench.judges[one.name](rows) if one.told else one.of(rows)


WAYS: Mapping[HowLearnt, Callable[[Bench], list[Learnt]]] = {
    "labels": from_labels,
    "weights": from_weights,
    "activations": from_activations,
}
