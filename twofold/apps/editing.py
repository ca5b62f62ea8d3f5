"""Edits: an observation with one attribute changed and, as far as can be, all else as it was.

An *attribute* is anything with a name and a single value that the data say of an observation: what
is given of it (a label, attributes), or a column of a row itself. There are two ways to change one:

* by `condition`, where the run was trained with the attribute given: the code z is kept and decoded
  again under another condition. The code of a conditional model need not hold what it is told, so
  that z is the rest: the style (Kingma et al. 2014, arXiv:1406.5298; Sohn et al. 2015).
* by `direction`, for any run whose data have the attribute: z moves along a direction learnt from
  the codes of training observations (see `maths/directions.py`). If the attribute is a condition of
  the run, the condition is withheld, so that the code must hold it.

Which of the two does more depends on what the code holds. Where both can be, `choose` tries them on
validation rows and takes the one whose edits a judge sees as meant more often.

What was done is checked by classifiers and regressions of their own, fitted on real training rows:
how many edits they see as meant (*flip*), and how many other attributes have changed (*drift*),
against the same observations decoded without an edit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from twofold.apps.cells import cells
from twofold.core.batch import Given
from twofold.core.errors import UserError, nearest
from twofold.core.game import Decodes, Encodes
from twofold.core.space import Category, Field, Space, together
from twofold.data.sources import Rows, Source
from twofold.maths.directions import Direction, shifts
from twofold.measures.classifier import Classifier, Regressor
from twofold.measures.estimate import generator, mean
from twofold.measures.measure import Figure
from twofold.runs.conditions import condition
from twofold.runs.run import Run, likely
from twofold.runs.training import Material

Way = Literal["condition", "direction"]
How = Literal["auto", "condition", "direction"]
FITTED = 10_000
"""Training observations that directions are learnt from, at most."""
JUDGES = 4000
"""Training observations that a classifier or regression is fitted on, at most."""
TRIED = 256
"""Validation observations that both ways are tried on, at most."""
TIE = 0.05
"""How much less a condition may do and still be taken: it leaves the rest alone by itself."""
ALL = "all"
"""Every other attribute."""


@dataclass(frozen=True)
class Attribute:
    """A named value of an observation.

    Args:
        field: its name and domain. place: its number among the values or conditions.
        told: whether it is given, rather than a column of the observation itself.
    """

    field: Field
    place: int
    told: bool

    @property
    def name(self) -> str:
        return self.field.name

    def of(self, rows: Rows) -> Tensor:
        """Its value in each row, (B,), NaN where not known."""
        return (rows.given if self.told else rows.values)[:, self.place]

    def vector(self, values: Tensor) -> Tensor:
        """Known values (B,) as a (B, W): one-hot, or the number."""
        return self.field.domain.encode(values.unsqueeze(1)) if self.named else values.unsqueeze(1)

    @property
    def named(self) -> bool:
        """Whether it is one of several labels."""
        return isinstance(self.field.domain, Category)

    def unseen(self, x: Tensor, space: Space) -> Tensor:
        """x (B, C, *A) without the attribute's own channels."""
        kept = [part for field, part in space.parts(x) if self.told or field.name != self.name]
        return together(kept, x)


def attributes(run: Run) -> dict[str, Attribute]:
    """The attributes of a run's data, by name."""
    own = run.space.fields if not run.space.axes else ()
    found = [*placed(own, False), *placed(run.given.fields, True)]
    return {one.name: one for one in found}


def placed(fields: Sequence[Field], told: bool) -> list[Attribute]:
    """Fields of one value as attributes."""
    starts = [sum(f.size for f in fields[:i]) for i in range(len(fields))]
    pairs = zip(fields, starts, strict=True)
    return [Attribute(field, start, told) for field, start in pairs if field.size == 1]


@dataclass(frozen=True)
class Edit:
    """One change that is asked for: an attribute, its new value, and the words for it."""

    attribute: Attribute
    target: float
    words: str


def edits(run: Run, to: Mapping[str, Any]) -> list[Edit]:
    """What is asked for, checked."""
    if not to:
        raise UserError("edit needs something to change: --to name=value, such as --to label=3")
    known = attributes(run)
    return [
        Edit(one, condition(run.kind, one.field, to), f"{name}={words}")
        for name, words in to.items()
        for one in [of(known, name)]
    ]


def of(known: Mapping[str, Attribute], name: str) -> Attribute:
    """An attribute by name."""
    if name not in known:
        if not known:
            raise UserError("edit needs labels, attributes or columns, and this data has none")
        raise UserError(f"{name!r} is not an attribute of this data; {nearest(name, known)}")
    return known[name]


@dataclass(frozen=True)
class Edited:
    """Observations decoded as they were, `before`, and with what was asked for, `after`."""

    seen: Rows
    before: Rows
    after: Rows
    how: Way

    def __getitem__(self, rows: Tensor) -> Edited:
        seen, before, after = (
            Rows(side.values[rows], side.given[rows])
            for side in (self.seen, self.before, self.after)
        )
        return Edited(seen, before, after, self.how)


def edit(
    run: Run,
    seen: Rows,
    wanted: Sequence[Edit],
    train: Callable[[], Source],
    how: Way = "direction",
    strength: float = 1.0,
    keep: Sequence[str] = (),
) -> Edited:
    """Change attributes of observations.

    Args:
        run: the run. seen: the observations. wanted: what to change.
        train: the run's training data, if it is needed.
        how: by `condition` or by `direction`.
        strength: 1 goes as far as observations of the new value lie; less is a part of the way.
        keep: attributes to hold still, or `all` others; for a direction.
    """
    encoder, decoder = run.role(Encodes, "edit"), run.role(Decodes, "edit")
    told = how == "condition"
    if told and not taught(run, wanted):
        raise UserError("this run was not trained with that condition; use --how direction")
    if told and keep:
        raise UserError("--keep holds attributes still along a direction; add --how direction")
    with torch.no_grad():
        given = run.known(seen.given) if told else withheld(run, seen.given, wanted)
        z = encoder.encode(run.space.encode(seen.values), given).mean
        before = likely(run.space, decoder.decode(z, given))
        if told:
            other = Given(given.c.lerp(run.known(changed(seen.given, wanted)).c, strength))
            after = likely(run.space, decoder.decode(z, other))
        else:
            shift = strength * along(run, seen, wanted, train(), keep)
            after = likely(run.space, decoder.decode(z + shift, given))
    was = Rows(run.space.decode(before), seen.given)
    known = changed(seen.given, [one for one in wanted if one.attribute.told])
    now = Rows(run.space.decode(after), known)
    return Edited(seen, was, now, how)


def taught(run: Run, wanted: Sequence[Edit]) -> bool:
    """Whether the model was ever told all of these attributes as conditions."""
    return run.plan.training.null < 1 and all(one.attribute.told for one in wanted)


@dataclass(frozen=True)
class Choice:
    """A way to edit, and why it was chosen, where there was a choice."""

    how: Way
    why: tuple[str, ...] = ()


def choose(
    run: Run,
    wanted: Sequence[Edit],
    data: Callable[[], Material],
    strength: float,
    keep: Sequence[str],
    seed: int,
) -> Choice:
    """The way that does more, where both can be.

    By condition alone, where the model never did without it; along a direction alone, where it was
    never told, or something is to be kept.
    """
    if keep or not taught(run, wanted):
        return Choice("direction")
    if run.plan.training.null <= 0:
        return Choice("condition")
    material = data()
    ways: tuple[Way, Way] = ("condition", "direction")
    done = {how: effect(run, wanted, material, how, strength, seed) for how in ways}
    told, moved = done.values()
    how: Way = "condition" if told >= moved - TIE else "direction"
    shares = f"{told:.2f} of validation edits are seen as meant by the condition, {moved:.2f} along"
    return Choice(how, (f"edited by the {how}: {shares} the direction",))


def effect(
    run: Run, wanted: Sequence[Edit], data: Material, how: Way, strength: float, seed: int
) -> float:
    """The share of validation edits that judges see as meant, of those that change something.

    Of a number it is how near the change comes to the whole way.
    """
    held = data.validation if len(data.validation) else data.train
    rows = some(held, TRIED, seed)
    made = edit(run, rows, wanted, lambda: data.train, how, strength)
    shares = []
    for one in wanted:
        judge = Judge.of(run, one.attribute, data.train, held, seed)
        other = one.attribute.of(rows) != one.target
        share = flip(judge, one, made[other], seed).value
        shares.append(share if one.attribute.named else max(0.0, 1 - abs(1 - share)))
    return sum(shares) / len(shares)


def withheld(run: Run, given: Tensor, wanted: Sequence[Edit]) -> Given:
    """What the model is told when a code is edited: nothing, where it would tell the attribute."""
    if any(one.attribute.told for one in wanted):
        return Given.none(len(given), run.given)
    return run.known(given)


def changed(given: Tensor, wanted: Sequence[Edit]) -> Tensor:
    """Conditions (B, G) with what is asked for."""
    other = given.clone()
    for one in wanted:
        other[:, one.attribute.place] = one.target
    return other


def along(
    run: Run, seen: Rows, wanted: Sequence[Edit], train: Source, keep: Sequence[str]
) -> Tensor:
    """How far each code moves, (B, D)."""
    rows = some(train, FITTED, 0)
    given = withheld(run, rows.given, wanted)
    z = codes(run, rows, given)
    kept = [fitted(z, other, rows) for other in keeping(run, wanted, keep)]
    return sum(
        (shifts(d, step(d, one, seen), kept) for one in wanted
         for d in [fitted(z, one.attribute, rows)]),
        z.new_zeros(len(seen), z.shape[1]),
    )  # fmt: skip


def some(source: Source, n: int, seed: int) -> Rows:
    """At most n rows of a source, at random."""
    return source.read(torch.randperm(len(source), generator=generator(seed))[:n])


def codes(run: Run, rows: Rows, given: Given) -> Tensor:
    """The mean codes of rows, (N, D)."""
    encoder = run.role(Encodes, "edit")
    parts = [
        encoder.encode(run.space.encode(rows.values[at]), given[at]).mean
        for at in torch.arange(len(rows)).split(run.chunk)
    ]
    return torch.cat(parts)


def fitted(z: Tensor, attribute: Attribute, rows: Rows) -> Direction:
    """The direction of an attribute, from rows where it is known."""
    values = attribute.of(rows)
    known = ~values.isnan()
    if known.sum() < 2:
        raise UserError(f"{attribute.name} is known of fewer than two training observations")
    return Direction.of(z[known], attribute.vector(values[known]).to(z))


def step(direction: Direction, one: Edit, seen: Rows) -> Tensor:
    """a' − a of each observation, (B, W); from the other values' mean where a is not known."""
    values, usual = one.attribute.of(seen), direction.usual
    target = one.attribute.vector(torch.full_like(values, one.target)).to(usual)
    rest = usual * (1 - target) if one.attribute.named else usual.expand(len(values), -1)
    rest = rest / rest.sum(1, keepdim=True).clamp(min=1e-12) if one.attribute.named else rest
    start = one.attribute.vector(values.nan_to_num()).to(usual)
    if one.attribute.named and not (usual * target[:1]).any():
        raise UserError(f"no training observation has {one.words}; choose another value")
    return target - torch.where(values.isnan().unsqueeze(1), rest, start)


def keeping(run: Run, wanted: Sequence[Edit], keep: Sequence[str]) -> list[Attribute]:
    """The attributes to hold still."""
    known, moving = attributes(run), {one.attribute.name for one in wanted}
    names = known if ALL in keep else keep
    return [of(known, name) for name in names if name not in moving]


def listed(
    run: Run, sides: Mapping[str, Rows], names: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Rows without axes as a table: each observation as it was, and as what was made of it.

    Args:
        run: the run. sides: the same observations, by what they are. names: what the user calls
            each; their numbers where they have no names.
    """
    own = {side: cells(run, rows) for side, rows in sides.items()}
    columns = next(iter(own.values()))
    count = max(map(len, columns.values()), default=0)
    lines = [
        [*(names[i : i + 1] or [str(i + 1)]), side, *(texts[i] for texts in found.values())]
        for i in range(count)
        for side, found in own.items()
    ]
    return ["row", "what", *columns], lines


# What others see of it.


@dataclass(frozen=True)
class Judge:
    """What sees an attribute in an observation: fitted on real training rows.

    Args:
        skill: how well it sees it in held-out real ones: the share that is right, or R².
    """

    attribute: Attribute
    sees: Callable[[Tensor], Tensor]
    space: Space
    spread: float
    skill: float

    @classmethod
    def of(cls, run: Run, attribute: Attribute, train: Source, held: Source, seed: int) -> Judge:
        """Fitted on some training rows in which the attribute is known."""
        rows, others = known(some(train, JUDGES, seed), attribute), some(held, JUDGES, seed)
        values = attribute.of(rows)
        fit = Classifier.fit if attribute.named else Regressor.fit
        if len(values.unique()) < 2:
            raise UserError(f"{attribute.name} has one value in the training data; leave it out")
        sees = fit(attribute.unseen(run.space.encode(rows.values), run.space), values, seed)
        judge = cls(attribute, sees, run.space, float(values.std()), math.nan)
        skill = judge.right(known(others, attribute))
        return Judge(attribute, sees, run.space, judge.spread, skill)

    def __call__(self, rows: Rows) -> Tensor:
        """The attribute of each row, as it is seen, (B,)."""
        x = self.space.encode(rows.values).nan_to_num()
        return self.sees(self.attribute.unseen(x, self.space)).to(rows.values.dtype)

    def right(self, rows: Rows) -> float:
        """How well it sees the attribute of real rows."""
        if len(rows) < 2:
            return math.nan
        seen, true = self(rows), self.attribute.of(rows)
        if self.attribute.named:
            return float((seen == true).double().mean())
        return float(1 - (seen - true).square().mean() / true.var().clamp(min=1e-12))


def known(rows: Rows, attribute: Attribute) -> Rows:
    """The rows in which an attribute is known."""
    there = ~attribute.of(rows).isnan()
    return Rows(rows.values[there], rows.given[there])


def checked(
    run: Run, made: Edited, wanted: Sequence[Edit], data: Material, seed: int
) -> list[Figure]:
    """How far classifiers see the edit, and what else they see changed."""
    train, held = data.train, data.test if len(data.test) else data.validation
    moving = {one.attribute.name for one in wanted}
    others = [one for name, one in attributes(run).items() if name not in moving]
    found = [
        flip(Judge.of(run, one.attribute, train, held, seed), one, made, seed) for one in wanted
    ]
    return found + [drift(run, one, made, train, held, seed) for one in others]


def flip(judge: Judge, one: Edit, made: Edited, seed: int) -> Figure:
    """The share of edits that are seen as meant; of a number, the share of the way."""
    before, after = judge(made.before), judge(made.after)
    if judge.attribute.named:
        terms, unedited = ((r == one.target).double() for r in (after, before))
        note = "share of edits that a classifier sees as meant"
    else:
        way = one.target - made_of(judge, made)
        far = way.abs() > 0.1 * judge.spread
        terms, unedited = ((after - before) / way)[far].double(), torch.zeros(1)
        note = "share of the way to the number that a regression sees"
    return Figure(
        f"flip {one.words}", *mean(terms, seed), len(terms), "higher",
        floor=judge.skill, baseline=float(unedited.mean()), baseline_name="without the edit",
        seed=seed, split="given", note=f"{note}; floor: on held-out real ones, how well it sees",
    )  # fmt: skip


def made_of(judge: Judge, made: Edited) -> Tensor:
    """The attribute of each row before the edit: what is known, else what is seen."""
    true = judge.attribute.of(made.seen)
    return torch.where(true.isnan(), judge(made.before), true)


def drift(
    run: Run, other: Attribute, made: Edited, train: Source, held: Source, seed: int
) -> Figure:
    """How much another attribute changes: the share of rows, or standard deviations of a number."""
    # A column of the row itself is there to be read; what is only told needs one who sees it.
    sees = Judge.of(run, other, train, held, seed) if other.told else other.of
    before, after = sees(made.before), sees(made.after)
    spread = known(some(train, JUDGES, seed), other)
    gap = (after != before) if other.named else (after - before).abs() / other.of(spread).std()
    return Figure(
        f"drift {other.name}", *mean(gap.double().nan_to_num(), seed), len(gap), "lower",
        seed=seed, split="given",
        note="share of rows that change" if other.named else "standard deviations it moves",
    )  # fmt: skip
