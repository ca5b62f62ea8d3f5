r"""Imputation: gaps in data are filled by what the model says of them, given what is there.

Every missing value of the data, and every value that is declared missing, is completed by
`maths/missing.py`: weighted draws where the encoder knows gaps, chains where it does not, equal
draws of a model that fills by itself. From the K draws of a row come

* the **fill**: $E[x_m \mid x_o]$ of a number, the most probable category;
* the **interval**: quantiles of draws of $p(x_m \mid x_o)$, at $(1 \mp \text{level}) / 2$;
* **multiple imputation**: M completed copies of the data, each gap a draw of $p(x_m \mid x_o)$
  (sampling importance resampling), so that what is estimated from them can carry the uncertainty
  of the gaps (Rubin 1987).

An interval of the model may hold less or more than it promises. A *corrected* one asks for another
level: the one whose intervals hold the share of validation values, hidden in the places where these
data have gaps (`maths/conformal.py`).

What was observed is written back as it was, bit for bit. `check` hides known values, fills them and
says how wrong that is, column by column, and how unlike the truth the filled values are spread,
beside simple ways to fill; with a `target`, also how well that column is told from rows that were
completed without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.errors import UserError, nearest
from twofold.core.game import Fills
from twofold.core.space import Category, Modal, Space, Token
from twofold.core.words import plural
from twofold.data import places
from twofold.data.doctor import fitting
from twofold.data.kind import Where
from twofold.data.sources import Memory, Rows, Source, fingerprints, whole
from twofold.maths import importance
from twofold.maths.conformal import corrected
from twofold.maths.missing import Completions, Incomplete, completer, incompletable
from twofold.measures.calibration import Predicted
from twofold.measures.estimate import Estimate, chunks, steady
from twofold.measures.imputing import (
    NOTHING,
    Errors,
    errors,
    names,
    simple_fills,
    usefulness,
)
from twofold.measures.reconstruction import Tally, pooled
from twofold.runs.measuring import evidence_of_code
from twofold.runs.run import CHUNK, Run
from twofold.runs.training import material_of
from twofold.train.chance import generator, seed_all

HIDDEN = 0.1
"""The share of known values that a check hides."""
WHOLE = "nothing hidden"
"""What rows are called of which a check hid nothing."""
LEARNT = 5000
"""Training rows that the simple ways to fill learn from, at most."""
CORRECTING = 256
"""Validation rows that a level is corrected by, at most."""


@dataclass(frozen=True)
class Filling:
    """How gaps are filled.

    Args:
        samples: K, weighted draws or chains a row.
        rounds: of each chain, where the encoder knows no gaps.
        interval: the share of draws between low and high; 0 for no intervals.
        draws: M, completed copies; 0 for none.
        telling: which values are missing tells of the others (not missing at random).
        seed: of all chance.
        corrected: ask for the level that holds this share of validation values.
    """

    samples: int = 100
    rounds: int = 20
    interval: float = 0.0
    draws: int = 0
    telling: bool = False
    seed: int = 0
    corrected: bool = False

    def __post_init__(self) -> None:
        if self.corrected and not self.interval:
            raise UserError("--corrected corrects intervals; say how wide, as in --interval 0.9")
        if not 0 <= self.interval < 1:
            raise UserError(f"--interval {self.interval} is no share; say 0.9 for nine in ten")
        if self.samples < 1 or self.rounds < 1 or self.draws < 0:
            raise UserError("--samples and --rounds must be at least 1, and --draws not negative")


@dataclass(frozen=True)
class Filled:
    """Values (N, F, *A) without a gap: the fill, the ends of its interval, and copies of draws.

    `effective` has, for each row with a gap, how many equal draws its K were worth.
    """

    fill: Tensor
    low: Tensor
    high: Tensor
    draws: tuple[Tensor, ...]
    effective: Tensor

    def parts(self, filling: Filling) -> dict[str, Tensor]:
        """What is written, by the name of its folder."""
        ends = {"low": self.low, "high": self.high} if filling.interval else {}
        copies = {f"draw-{i}": draw for i, draw in enumerate(self.draws, 1)}
        return {"": self.fill, **ends, **copies}


@dataclass(frozen=True)
class Check:
    """Known values that were hidden and filled again.

    Args:
        ways: ours, a single draw of ours, then the simple ones; last, with a target, the truth.
        inside: the share of hidden numbers inside our interval of `level`.
        rows: observations that were looked at, none of which was trained on.
        target: the column that is told from completed rows, if one is.
    """

    ways: tuple[Errors, ...]
    level: float
    inside: Estimate
    rows: int
    target: str = ""


@dataclass(frozen=True)
class Imputed:
    """What `impute` did.

    Args:
        paths: what was written, the fill first.
        rows, gaps: observations, and values that were filled, `by_field`.
        chains: whether gaps were filled by chains, as the encoder does not know them.
        alone: whether the model fills gaps by itself, its draws being equal.
        left: cells that were not filled, by column, where there are any.
        said: what was passed over or guessed of the data.
        effective: of the weighted draws of a row, the median over rows with gaps.
        level: of the intervals that were written: the share asked for, or the corrected one.
        checks: how wrong it is, where that was asked; one or none.
    """

    paths: tuple[Path, ...]
    rows: int
    gaps: int
    by_field: dict[str, int]
    chains: bool
    filling: Filling
    effective: float
    level: float
    checks: tuple[Check, ...] = ()
    alone: bool = False
    left: Mapping[str, int] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    def __str__(self) -> str:
        found = {name: count for name, count in self.by_field.items() if count}
        listed = ", ".join(f"{name} {count:,}" for name, count in list(found.items())[:12])
        more = f" and {len(found) - 12} more" if len(found) > 12 else ""
        rows = plural(self.rows, "observation", "were")
        head = f"{plural(self.gaps, 'value')} of {rows} filled: {listed}{more}"
        lines = [
            head,
            f"by {self.manner()}",
            *self.passed_over(),
            *self.said,
            *self.mended(),
            *(line for check in self.checks for line in words(check)),
        ]
        return "\n".join([*lines, *map(str, self.paths[:8]), *self.others()])

    def manner(self) -> str:
        """How gaps were filled, in words."""
        samples = self.filling.samples
        if self.alone:
            return f"{samples} equal draws a row"
        if self.chains:
            return f"chains of {self.filling.rounds} rounds, {samples} a row"
        worth = f"worth {self.effective:.0f} equal ones (median)"
        return f"{samples} weighted draws a row, {worth}"

    def passed_over(self) -> list[str]:
        """What was not filled: columns that are not modelled, steps that are in no window."""
        counts = ", ".join(f"{name} {count:,}" for name, count in self.left.items())
        why = "columns that the run does not model, or stretches shorter than a window"
        return [f"not filled: {counts} ({why})"] * bool(self.left)

    def mended(self) -> list[str]:
        """What a correction has changed."""
        text = (
            f"intervals that hold {self.filling.interval:.0%} of validation values hidden in the "
            f"same places are the model's {self.level:.1%} intervals"
        )
        return [text] * self.filling.corrected

    def others(self) -> list[str]:
        """How many files are not named."""
        return [f"and {len(self.paths) - 8:,} more files beside them"] * (len(self.paths) > 8)


def words(check: Check) -> Iterator[str]:
    """A check in sentences."""
    yield f"checked by hiding known values of {check.rows:,} rows that were not trained on:"
    for way in check.ways:
        yield f"  {way.way:<28} {'; '.join(costs(way, check.target))}"
    if check.ways[0].numbers:
        yield f"  {check.inside.value:.1%} of the numbers lie in our {check.level:.0%} intervals"
    yield from columns_in_words(check)


def costs(way: Errors, target: str) -> list[str]:
    """What a way to fill costs, and what its rows are good for."""
    numbers = f"error {way.rmse.value:.3f} ({way.rmse.low:.3f} … {way.rmse.high:.3f}) standard "
    numbers += f"deviations over {way.numbers:,} numbers"
    labels = f"{way.wrong.value:.1%} of {way.categories:,} categories wrong"
    use = f"{target} told at {way.use.value:.3f} ({way.use.low:.3f} … {way.use.high:.3f})"
    told = not math.isnan(way.use.value)
    return [numbers] * (way.numbers > 0) + [labels] * (way.categories > 0) + [use] * told


LISTED = 12


def columns_in_words(check: Check) -> Iterator[str]:
    """Our errors column by column, each beside the best of the simple ways."""
    ours, drawn, *simple = (way for way in check.ways if way.columns)
    worst = sorted(range(len(ours.columns)), key=lambda i: -ours.columns[i].error)[:LISTED]
    more = f" (the worst {LISTED} of {len(ours.columns)})" * (len(ours.columns) > LISTED)
    yield f"by column{more}: error, beside the best simple way's; distance W1 of a draw, of its"
    for i in sorted(worst):
        best = min(simple, key=lambda way: way.columns[i].error)
        us, them, w1 = ours.columns[i], best.columns[i], drawn.columns[i].w1
        errors = f"{us.error:.3f}, {them.error:.3f} ({best.way})"
        yield f"  {us.name:<28} {errors}; {w1:.3f}, {them.w1:.3f}"


def impute(
    run: Run,
    where: Where,
    fields: Sequence[str],
    mask: str | Path,
    filling: Filling,
    check: bool,
    target: str,
    out: Path,
) -> Imputed:
    """Fill the gaps of data and write them completed; see `verbs.impute`."""
    if reason := incompletable(run.model, run.space, run.given):
        raise UserError(f"impute cannot use {run.path}: {reason}; see twofold models")
    kind = run.kind.gappy()
    place = fitting(where, kind).where
    source = kind.open(place)
    rows = opened(source)
    gaps = rows.values.isnan()
    gaps = gaps | asked(run.space, fields, gaps) | masked(run.space, mask, gaps)
    if not gaps.any() and not check:
        raise UserError("nothing is missing in this data; name what to fill by --fields or --mask")
    if target and not check:
        raise UserError("--target is told from the rows of a check; add --check, or leave it out")
    unused(out)
    judged = (checked(run, rows, filling, target),) if check else ()
    level = level_of(run, gaps, filling)
    asked_for = replace(filling, interval=level)
    holed = Rows(rows.values.masked_fill(gaps, torch.nan), rows.given)
    found = filled(run, holed, asked_for, gaps & ~rows.values.isnan())
    gaps = gaps & source.first()  # a step that is in two windows is filled once
    paths = [
        path
        for name, values in found.parts(filling).items()
        for path in kind.complete(place, Rows(values, rows.given), gaps, out / name)
    ]
    return Imputed(
        tuple(paths),
        len(rows),
        int(gaps.sum()),
        dict(zip(names(run.space), gaps.transpose(0, 1).flatten(1).sum(1).tolist(), strict=True)),
        any_silent(run.space, gaps) and not isinstance(run.model, Fills),
        filling,
        float(found.effective.median()) if len(found.effective) else float("nan"),
        level,
        judged,
        isinstance(run.model, Fills),
        kind.left(place, listed(fields)),
        tuple(found.text for found in kind.passed(place)),
    )


def opened(source: Source) -> Rows:
    """Every row, as numbers that can be missing."""
    rows = whole(source)
    return Rows(rows.values.to(torch.get_default_dtype()), rows.given)


def unused(out: Path) -> None:
    """A folder that results may go to: new, or empty."""
    if places.folder(out) and any(out.iterdir()):
        raise UserError(f"{out} is not empty; choose another --out")


def labelled(space: Space) -> Tensor:
    """Which values are categories, (F,): they have no interval, and keep their fill."""
    return torch.tensor(
        [isinstance(f.domain, Category | Token) for f in space.fields for _ in range(f.size)]
    )


def any_silent(space: Space, gaps: Tensor) -> bool:
    """Whether some gap is in a field that has no presence channel."""
    silent = torch.tensor([not field.missing for field in space.fields for _ in range(field.size)])
    return bool(gaps[:, silent].any())


# Which values are gaps.


def listed(fields: Sequence[str]) -> list[str]:
    """The names among texts that may each have several, after commas."""
    return [name.strip() for text in fields for name in text.split(",") if name.strip()]


def asked(space: Space, fields: Sequence[str], like: Tensor) -> Tensor:
    """The values of the fields named, as a mask (N, F, *A)."""
    wanted = listed(fields)
    known = [field.name for field in space.fields]
    for name in wanted:
        if name not in known:
            raise UserError(f"--fields {name}: there is no such field; {nearest(name, known)}")
    if wanted and set(wanted) == set(known):
        raise UserError("--fields names every field; leave something to fill them from")
    chosen = [field.name in wanted for field in space.fields for _ in range(field.size)]
    return torch.tensor(chosen).reshape(1, -1, *[1] * (like.dim() - 2)).expand_as(like)


def masked(space: Space, mask: str | Path, like: Tensor) -> Tensor:
    """The values that a mask file covers, (N, F, *A): an image, white is missing, or an array."""
    if not str(mask):
        return torch.zeros_like(like)
    path = Path(mask)
    if not path.is_file():
        raise UserError(f"--mask {path} is not there; give an image or a .npy file")
    cover = torch.from_numpy(array_of(path) if path.suffix == ".npy" else picture_of(path, space))
    try:
        return cover.broadcast_to(like.shape)
    except RuntimeError:
        raise UserError(
            f"--mask {path} has the shape {tuple(cover.shape)}, which does not fit observations "
            f"of {tuple(like.shape[1:])}"
        ) from None


def array_of(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    try:
        return np.load(path, allow_pickle=False) != 0
    except ValueError as error:
        raise UserError(
            f"--mask {path} cannot be read ({error}); save an array of 0 and 1"
        ) from None


def picture_of(path: Path, space: Space) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Where a picture, brought to the size of the observations, is bright."""
    if len(space.axes) != 2:
        raise UserError(
            "--mask takes a picture for images only; name --fields, or give a .npy file"
        )
    try:
        picture = Image.open(path).convert("L")
    except OSError:
        raise UserError(f"--mask {path} is no picture that can be read; save it as PNG") from None
    height, width = space.axes
    small = picture.resize((width, height), Image.Resampling.NEAREST)
    return np.array(small) > 127


# Filling.


def filled(run: Run, rows: Rows, filling: Filling, kept: Tensor | bool = False) -> Filled:
    """Every gap (NaN) of the rows filled by a run; see `completed`."""
    return completed(run.model, run.space, rows.values, run.known(rows.given), filling, kept)


def completed(
    model: object,
    space: Space,
    values: Tensor,
    given: Given,
    filling: Filling,
    kept: Tensor | bool = False,
) -> Filled:
    """Every gap (NaN) of values (N, F, *A) filled; rows without one stay as they are.

    Args:
        kept: gaps (N, F, *A) that did not go missing by themselves: they were hidden on purpose.
    """
    seed_all(torch.device("cpu"), filling.seed)
    fill = completer(model, filling.samples, filling.rounds, filling.telling)
    gaps = values.isnan()
    kept = torch.as_tensor(kept).expand(gaps.shape)
    parts = {name: values.clone() for name in ("fill", "low", "high")}
    copies = [values.clone() for _ in range(filling.draws)]
    effective = []
    holed = gaps.flatten(1).any(1).nonzero()[:, 0]
    with torch.inference_mode():
        for some in holed.split(max(1, CHUNK // (filling.samples * max(1, space.numel)))):
            found = fill(Incomplete.of(space, values[some], kept[some]), given[some])
            effective.append(found.effective)
            news = {"fill": expected(space, found), **ends(space, found, filling.interval)}
            for name, told in news.items():
                put(parts[name], some, told, gaps)
            for copy in copies:
                put(copy, some, space.decode(found.sample()), gaps)
    for end in ("low", "high"):
        parts[end][:, labelled(space)] = parts["fill"][:, labelled(space)]
    worth = torch.cat(effective) if effective else torch.zeros(0)
    return Filled(parts["fill"], parts["low"], parts["high"], tuple(copies), worth)


def expected(space: Space, found: Completions) -> Tensor:
    """The fill, (B, F, *A): the most probable category; of a number told by its mode, E[v | x_o].

    The mean of its channels over draws would put together places in different modes.
    """
    values = space.decode(found.mean)
    modal = [isinstance(f.domain, Modal) for f in space.fields for _ in range(f.size)]
    if not any(modal):
        return values
    means = found.means()  # (K, B, C, *A)
    every = space.decode(means.flatten(0, 1)).unflatten(0, means.shape[:2])
    averaged = importance.average(found.log_w, every)
    return torch.where(torch.tensor(modal), averaged, values)


def ends(space: Space, found: Completions, interval: float) -> dict[str, Tensor]:
    """Values at both ends of the interval, (B, F, *A) each."""
    if not interval:
        return {}
    draws = found.draws()  # (K, B, C, *A)
    tails = {"low": (1 - interval) / 2, "high": (1 + interval) / 2}
    values = space.decode(draws.flatten(0, 1)).unflatten(0, draws.shape[:2])
    return {name: importance.quantile(found.log_w, values, tail) for name, tail in tails.items()}


def level_of(run: Run, gaps: Tensor, filling: Filling) -> float:
    """The level of the intervals: as asked for, or corrected for gaps (N, F, *A) like these."""
    holed = gaps[gaps.flatten(1).any(1)]
    if not filling.corrected or not len(holed):
        return filling.interval
    return corrected(hidden_ranks(run, holed, filling), filling.interval)


def hidden_ranks(run: Run, holed: Tensor, filling: Filling) -> Tensor:
    """Ranks (n,) of validation numbers, hidden where some of these rows have gaps."""
    validation = material_of(run, "").validation
    evidence = evidence_of_code(run, validation, CORRECTING, filling.seed)
    number, found = ~labelled(run.space).reshape(1, -1, *[1] * (holed.dim() - 2)), []
    size = max(1, CHUNK // (filling.samples * max(1, run.space.numel)))
    with steady(run.model, filling.seed):
        for batch in chunks(run.model, evidence.real, size):
            mask = holed[torch.randint(len(holed), (len(batch),))]
            made = Predicted.of(evidence, batch, mask, filling.samples, filling.rounds)
            found.append(made.rank()[made.hidden & number])
    if not any(map(len, found)):
        raise UserError(
            "--corrected needs validation rows in which numbers are known that are missing here; "
            "train with data.split.validation above 0, or leave --corrected out"
        )
    return torch.cat(found)


def put(values: Tensor, rows: Tensor, new: Tensor, gaps: Tensor) -> None:
    """Put new values into the gaps of some rows, in place."""
    values[rows] = torch.where(gaps[rows], new.to(values), values[rows])


# Checking.


def checked(run: Run, rows: Rows, filling: Filling, target: str = "") -> Check:
    """Hide known values, fill them, and compare, beside simple ways to fill.

    The column named as the target is hidden altogether, and told from what was filled without it.
    """
    material = material_of(run, "")
    rows, aim = unseen(rows, material.train), aimed(run.space, target)
    truth = rows.values
    chance = torch.rand(truth.shape, generator=generator(filling.seed, 11))
    judged = ~truth.isnan() & (chance < HIDDEN)
    judged[:, aim] = False
    hidden = truth.masked_fill(judged, torch.nan)
    hidden[:, aim] = torch.nan
    level = filling.interval or 0.9
    asking = replace(filling, interval=level, draws=1)
    asking = replace(asking, interval=level_of(run, judged, asking))
    ours = filled(run, Rows(hidden, rows.given), asking, ~truth.isnan())
    train = whole(material.train, LEARNT).values.to(truth)
    ways = {"ours": ours.fill, "ours, a draw": ours.draws[0]}
    ways |= simple_fills(run.space, train, hidden)
    compared = [
        errors(way, run.space, truth, guess, judged, train, filling.seed)
        for way, guess in ways.items()
    ]
    for at in aim:
        ways[WHOLE] = torch.where(truth.isnan(), ours.fill, truth)
        compared.append(Errors(WHOLE, NOTHING, NOTHING, 0, 0))
        uses = [usefulness(run.space, at, truth[:, at], x, filling.seed) for x in ways.values()]
        compared = [replace(one, use=use) for one, use in zip(compared, uses, strict=True)]
    within = inside(run.space, truth, ours, judged, filling.seed)
    return Check(tuple(compared), level, within, len(truth), target)


def aimed(space: Space, target: str) -> list[int]:
    """Where the column is that is named as a target: one place, or none."""
    if target and target not in names(space):
        raise UserError(f"--target {target}: there is no such column; "
                        f"{nearest(target, names(space))}")  # fmt: skip
    if target and space.axes:
        raise UserError("--target names a column of a table, and this is none; leave it out")
    return [names(space).index(target)] if target else []


def unseen(rows: Rows, train: Source) -> Rows:
    """The rows that the model was not trained on: those that equal none of its training rows."""
    seen, ours = set(fingerprints(train)), fingerprints(Memory(rows.values, rows.given))
    new = [at for at, row in enumerate(ours) if row not in seen]
    if not new:
        raise UserError("every row of this data was trained on; --check needs rows that were not")
    return Rows(rows.values[new], rows.given[new])


def inside(space: Space, truth: Tensor, ours: Filled, judged: Tensor, seed: int) -> Estimate:
    """The share of judged numbers that lie in their interval."""
    judged = judged & ~labelled(space).reshape(1, -1, *[1] * (truth.dim() - 2))
    within = (ours.low <= truth) & (truth <= ours.high)
    if not judged.any():
        return NOTHING
    return pooled([Tally.of(within.double(), judged)], seed)
