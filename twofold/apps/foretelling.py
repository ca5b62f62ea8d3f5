r"""Properties of observations as a head predicts them from the code, with intervals that hold.

Of a model that predicts what is given (`nets/properties.py`), draws $y \sim p(y \mid z)$,
$z \sim q(z \mid x)$, stand for what is believed of each observation: their median m is the
*prediction*, their standard deviation s the *deviation*. A head that has learnt its training data
by heart is too sure of itself, so that the interval is

$$ m \pm q\, s, \qquad q \text{ the } \lceil (n + 1) c \rceil\text{-th smallest of }
   |y_i - m_i| / s_i \text{ of n validation observations}, $$

which holds a share c of new ones whatever the head believes (split conformal prediction: Lei,
G'Sell, Rinaldo, Tibshirani & Wasserman 2018). `check` says what the quantiles of the draws, and
these intervals, held of test observations, which neither training nor q has seen. Everything is
computed in the scale that the model sees, and told in the units of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from twofold.apps.predicting import Asking
from twofold.core.errors import UserError
from twofold.core.game import Encodes, Foretells
from twofold.core.words import plural
from twofold.data.columns import Number
from twofold.data.kinds.molecules import Molecules
from twofold.data.kinds.text import Text
from twofold.data.sources import Source, Subset
from twofold.maths import conformal
from twofold.measures.calibration import ordered
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
    widths: tuple[float, ...]
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

    def lines(self, heads: Sequence[Sequence[object]]) -> Iterator[list[str]]:
        """A row an observation and property, after what says which observation it is."""
        for i, head in enumerate(heads):
            for f, name in enumerate(self.names):
                told = (self.middle, self.deviation, *self.ends)
                yield [*map(str, head), name, *(f"{one[i, f]:.6g}" for one in told)]


@dataclass(frozen=True)
class Written:
    """What was predicted, in a file."""

    path: Path
    rows: int
    found: Foretold

    def __str__(self) -> str:
        head = f"{', '.join(self.found.names)} of {plural(self.rows, 'observation')}"
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
    factors = [found for one in material for found in factors_of(run, one, asking, fields)]
    y, _ = drawn(run, source, asking, fields)
    ends = conformed(y, factors) if factors else central(y, asking.interval)
    said = () if factors else ("the intervals are as drawn: no validation data corrected them",)
    held = [one for data in material if check and factors
            for one in checked(run, data, asking, names, fields, factors)]  # fmt: skip
    middle = in_units(run, fields, y.median(0).values)
    low, high = (in_units(run, fields, y.median(0).values + way * y.std(0)) for way in (-1, 1))
    ends = torch.stack([in_units(run, fields, end) for end in ends])
    return Foretold(names, middle, (high - low) / 2, ends, tuple(held), said)


def factors_of(run: Run, data: Material, asking: Asking, fields: Tensor) -> list[float]:
    """How many deviations hold the wanted share of validation values, a property each.

    None where there are too few of them.
    """
    y, truth = drawn(run, some(data.validation), asking, fields)
    known = ~truth.isnan()
    if len(truth) == 0 or known.sum(0).min() < FEWEST:
        return []
    far = (truth - y.median(0).values).abs() / y.std(0)
    pairs = zip(far.unbind(1), known.unbind(1), strict=True)
    rate = 1 - asking.interval
    return [
        conformal.threshold(one[there], conformal.attainable(rate, int(there.sum())))
        for one, there in pairs
    ]


def conformed(y: Tensor, factors: Sequence[float]) -> Tensor:
    """Median and so many deviations of draws (S, N, F), to each side: (2, N, F)."""
    reach = torch.tensor(factors).to(y) * y.std(0)
    return torch.stack([y.median(0).values - reach, y.median(0).values + reach])


def central(y: Tensor, level: float) -> Tensor:
    """The quantiles of draws (S, N, F) between which a share of them lies: (2, N, F)."""
    return y.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2]).to(y), 0)


def in_units(run: Run, fields: Tensor, y: Tensor) -> Tensor:
    """Numbers as the model sees them (N, F) in the units of the file."""
    kind = run.kind
    columns = kind.conditions if isinstance(kind, Molecules | Text) else ()
    by_field = [column for column in columns for field in column.fields for _ in range(field.size)]
    told = [y[:, f : f + 1].double().numpy() for f in range(len(fields))]
    for f, at in enumerate(fields.tolist()):
        column = by_field[at] if by_field else None
        if isinstance(column, Number):
            told[f] = np.array(column.values(told[f]))[:, None]
    return torch.from_numpy(np.concatenate(told, 1))


def checked(
    run: Run,
    data: Material,
    asking: Asking,
    names: Sequence[str],
    fields: Tensor,
    factors: Sequence[float],
) -> list[Held]:
    """What intervals hold of test observations, a property each that is known of enough."""
    y, truth = drawn(run, some(data.test), asking, fields)
    truth, middle, *both = (
        in_units(run, fields, one)
        for one in (truth, y.median(0).values, *central(y, asking.interval), *conformed(y, factors))
    )
    made = []
    for f, name in enumerate(names):
        known = ~truth[:, f].isnan()
        if known.sum() >= FEWEST:
            real, guess, *ends = (one[known, f] for one in (truth, middle, *both))
            order = float(spearman(real[:, None], guess[:, None]))
            plain, wider = (inside(ends[i], ends[i + 1], real, asking.seed) for i in (0, 2))
            widths = tuple(float((ends[i + 1] - ends[i]).mean()) for i in (0, 2))
            held = Held(name, order, plain, wider, widths, len(real), asking.interval)
            made.append(held)
    return made


def inside(low: Tensor, high: Tensor, truth: Tensor, seed: int) -> Estimate:
    """The share of values (N,) between two ends."""
    return mean(((low <= truth) & (truth <= high)).double(), seed)


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
