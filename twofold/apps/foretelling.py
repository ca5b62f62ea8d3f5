r"""Properties of observations as a head predicts them from the code, with intervals that hold.

Of a model that predicts what is given (`nets/properties.py`), draws $y \sim p(y \mid z)$,
$z \sim q(z \mid x)$, stand for what is believed of each observation: their median is the
*prediction*, their standard deviation the *deviation*, their quantiles an *interval*. A head that
has learnt for long is too sure of itself, one that has learnt little too unsure, so that the level
which is asked of the draws is the one that held the wanted share of validation observations
(`maths/conformal.py`), a level a property. `check` says what both kinds of intervals held of test
observations, which neither training nor that level has seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from twofold.apps.predicting import Asking
from twofold.core.errors import UserError
from twofold.core.game import Encodes, Foretells
from twofold.data.sources import Source, Subset
from twofold.maths import conformal
from twofold.measures.calibration import ordered, rank
from twofold.measures.estimate import Estimate, mean
from twofold.measures.properties import names_of, spearman
from twofold.nets.properties import present
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.train.chance import seed_all

LOOKED = 2000
"""Held-out observations by which intervals are corrected and checked, at most."""
FEWEST = 20
COLUMNS = ("property", "predicted", "deviation", "low", "high")


@dataclass(frozen=True)
class Held:
    """What intervals held of test observations.

    Args:
        name: of the property. order: the rank correlation of prediction and truth.
        plain, corrected: the shares inside. widths: how wide both are, on average.
    """

    name: str
    order: float
    plain: Estimate
    corrected: Estimate
    widths: tuple[float, float]
    n: int
    level: float

    def __str__(self) -> str:
        shares = (f"{one.value:.1%} ({one.low:.0%} … {one.high:.0%})"
                  for one in (self.plain, self.corrected))  # fmt: skip
        plain, corrected = (
            f"{share}, width {width:.3g}" for share, width in zip(shares, self.widths, strict=True)
        )
        return (
            f"{self.name}: rank correlation {self.order:.3f}; of {self.n:,} test observations, "
            f"{self.level:.0%} intervals hold {plain} as drawn and {corrected} corrected"
        )


@dataclass(frozen=True)
class Foretold:
    """Properties of N observations.

    Args:
        names: of the F properties. middle, deviation: (N, F). ends: of the intervals, (2, N, F).
        held: what they held of test observations. said: sentences that its reader should know.
    """

    names: tuple[str, ...]
    middle: Tensor
    deviation: Tensor
    ends: Tensor
    held: tuple[Held, ...] = ()
    said: tuple[str, ...] = ()

    def lines(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """A row an observation and property."""
        for i, text in enumerate(texts):
            for f, name in enumerate(self.names):
                told = (self.middle, self.deviation, *self.ends)
                yield [text, name, *(f"{one[i, f]:.6g}" for one in told)]


@dataclass(frozen=True)
class Written:
    """What was predicted, in a file."""

    path: Path
    rows: int
    found: Foretold

    def __str__(self) -> str:
        head = f"{', '.join(self.found.names)} of {self.rows:,} observations"
        return "\n".join([head, *map(str, self.found.held), *self.found.said, str(self.path)])


def foretells(run: Run) -> bool:
    """Whether a run predicts numbers from its code."""
    model = run.model
    return isinstance(model, Foretells) and bool(ordered(model.foretold).any())


def foretell(
    run: Run, source: Source, asking: Asking, material: Sequence[Material], check: bool
) -> Foretold:
    """Predict the numbers of observations.

    Args:
        material: the run's own data, if it is where it was: validation corrects, test checks.
    """
    if check and not material:
        raise UserError("--check needs the run's own data, which is not where it was")
    fields = ordered(run.given).nonzero().squeeze(1)
    names = tuple(names_of(run.given, fields.tolist()))
    levels = [found for one in material for found in level_of(run, one, asking, fields)]
    said = () if levels else ("the intervals are as drawn: no validation data corrected them",)
    levels = levels or [asking.interval] * len(names)
    y, _ = drawn(run, source, asking, fields)
    held = [one for data in material if check
            for one in checked(run, data, asking, names, fields, levels)]  # fmt: skip
    return Foretold(names, y.median(0).values, y.std(0), ends(y, levels), tuple(held), said)


def level_of(run: Run, data: Material, asking: Asking, fields: Tensor) -> list[float]:
    """The level to ask for, a property each, so that as many validation values are held as asked.

    None where there are too few of them.
    """
    y, truth = drawn(run, some(data.validation), asking, fields)
    known = ~truth.isnan()
    if len(truth) == 0 or known.sum(0).min() < FEWEST:
        return []
    u = rank(truth, y, y.new_zeros(y.shape[:2]))  # (N, F)
    pairs = zip(u.unbind(1), known.unbind(1), strict=True)
    return [conformal.corrected(one[there], asking.interval) for one, there in pairs]


def ends(y: Tensor, levels: Sequence[float]) -> Tensor:
    """The ends of central intervals of draws (S, N, F), at a level a property: (2, N, F)."""
    quantiles = (torch.tensor([(1 - one) / 2, (1 + one) / 2]).to(y) for one in levels)
    return torch.stack([y[:, :, f].quantile(q, 0) for f, q in enumerate(quantiles)], 2)


def checked(
    run: Run,
    data: Material,
    asking: Asking,
    names: Sequence[str],
    fields: Tensor,
    levels: Sequence[float],
) -> list[Held]:
    """What intervals hold of test observations, a property each that is known of enough."""
    y, truth = drawn(run, some(data.test), asking, fields)
    both = [ends(y, [asking.interval] * len(names)), ends(y, levels)]
    made = []
    for f, name in enumerate(names):
        known = ~truth[:, f].isnan()
        if known.sum() >= FEWEST:
            middle, real = y[:, known, f].median(0).values, truth[known, f]
            order = float(spearman(real[:, None], middle[:, None]))
            found = [inside(one[:, known, f], real, asking.seed) for one in both]
            (plain, wide), (corrected, wider) = found
            made.append(Held(name, order, plain, corrected, (wide, wider), len(real),
                             asking.interval))  # fmt: skip
    return made


def inside(between: Tensor, truth: Tensor, seed: int) -> tuple[Estimate, float]:
    """The share of values (N,) between two ends (2, N), and how far these are apart on average."""
    low, high = between
    held = (low <= truth) & (truth <= high)
    return mean(held.double(), seed), float((high - low).mean())


def drawn(run: Run, source: Source, asking: Asking, fields: Tensor) -> tuple[Tensor, Tensor]:
    """Draws of the numbers of some observations, (S, N, F), and what they are, (N, F)."""
    model, shown = run.role(Encodes, "predict"), present(run.given)
    assert isinstance(model, Foretells)
    seed_all(torch.device("cpu"), asking.seed)
    parts = []
    with torch.inference_mode():
        for batch in run.batches(source):
            q = model.encode(batch.x, batch.given)
            each = [shown.decode(model.foretell(q.sample()).sample()) for _ in range(asking.draws)]
            parts.append(torch.stack(each)[:, :, fields])
        return torch.cat(parts, 1).clone(), source.labels()[:, fields]


def some(source: Source) -> Source:
    """As many held-out observations as are looked at."""
    return Subset(source, torch.arange(min(LOOKED, len(source))))
