r"""Normal scores: any column of numbers as a standard normal one, and back.

Let $u_1 < … < u_K$ be the distinct values of the training column and $c_k$ their counts among $n$.
The value $u_k$ holds the interval $[F_{k-1}, F_k]$ of ranks, $F_k = (c_1 + … + c_k)/n$, and its
score is the normal quantile of the middle of it (van der Waerden 1952; ties after Conover 1999):

    s_k = \Phi^{-1}((F_{k-1} + F_k) / 2)

At most 1,000 of the u are kept as *knots*, evenly in rank, the smallest and the largest always. A
value that at least one row in a hundred holds is a *spike* (the zeros of a capital gain): its
inverse is flat over the interval of ranks it holds, so that it comes back as often, and exactly.
From the end of one knot to the beginning of the next the map is linear, both ways. The inverse
never leaves [u_1, u_K]. Forwards, a value that is d standard deviations beyond these bounds scores
log(1 + d) beyond theirs: an outlier still looks like one, and the largest number does not overflow.

Knots have scores that float32 holds exactly: a knot that goes through float32 comes back bit for
bit. A value between two knots comes back to 2⁻²² of the gap between them for a unit of score.

>>> scores = NormalScores.fit([0.0] * 6 + [1.0, 2.0, 3.0, 4.0])
>>> [round(float(s), 2) for s in scores.forward([0.0, 2.5, 4.0])]
[-0.52, 0.84, 1.64]
>>> scores.inverse([-3.0, 0.0, 3.0])
array([0., 0., 4.])
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from twofold.core.space import Real

KNOTS = 1000
SPIKE = 0.01
LARGEST = 1e300  # numbers beyond it overflow in differences; a reader refuses them
INSIDE = 0.98  # of a spike's interval is flat; the rest leads to its neighbours

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NormalScores:
    """The map of one column.

    Args:
        values: the knots, (K,), increasing.
        scores: their normal scores, increasing.
        spikes: (k, low, high) of each knot k whose inverse is flat from low to high.
        spread: the unit of distance beyond the outermost knots: a standard deviation.
    """

    values: tuple[float, ...]
    scores: tuple[float, ...]
    spikes: tuple[tuple[int, float, float], ...] = ()
    spread: float = 1.0

    @classmethod
    def fit(cls, column: ArrayLike, knots: int = KNOTS) -> Self:
        """Learn the map from finite numbers (N,), N ≥ 1."""
        column = np.asarray(column, np.float64)
        values, counts = np.unique(column, return_counts=True)
        ends = counts.cumsum() / len(column)
        share = counts / len(column)
        middle = ends - share / 2
        kept = chosen(middle, share >= SPIKE, knots)
        sharp = np.flatnonzero(share[kept] >= SPIKE)
        half = INSIDE / 2 * share[kept][sharp]
        low, high = (held(quantile(middle[kept][sharp] + side)) for side in (-half, half))
        return cls(
            tuple(values[kept].tolist()),
            tuple(held(quantile(middle[kept])).tolist()),
            tuple(zip(sharp.tolist(), low.tolist(), high.tolist(), strict=True)),
            spread(column),
        )

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest number of the training column."""
        return self.values[0], self.values[-1]

    @property
    def domain(self) -> Real:
        """The set that `forward` maps to."""
        return Real()

    @cached_property
    def ends(self) -> tuple[Array, Array]:
        """Where each knot begins and ends among the scores, (K,) and (K,)."""
        low, high = np.array(self.scores), np.array(self.scores)
        for knot, begin, end in self.spikes:
            low[knot], high[knot] = begin, end
        return low, high

    def forward(self, column: ArrayLike) -> Array:
        """Values to scores, strictly increasing; NaN is kept."""
        column = np.asarray(column, np.float64)
        values, scores = np.array(self.values), np.array(self.scores)
        inside = column.clip(values[0], values[-1])
        right = values.searchsorted(inside).clip(0, len(values) - 1)  # the knot at or above
        left = (right - 1).clip(0)
        low, high = self.ends
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            part = (inside - values[left]) / (values[right] - values[left])
            between = high[left] + part * (low[right] - high[left])
            far = np.log1p((np.abs(column - inside) / self.spread).clip(max=LARGEST))
        at = np.where(inside == values[right], scores[right], between)
        result: Array = at + np.sign(column - inside) * far
        return result

    def inverse(self, scores: ArrayLike) -> Array:
        """Scores to values within the training column's bounds; NaN is kept."""
        low, high = self.ends
        at = np.stack([low, high], 1).ravel()  # (K, 2) to (2 K,)
        result: Array = np.interp(
            np.asarray(scores, np.float64), at, np.repeat(np.array(self.values), 2)
        )
        return result

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `from_dict` is its inverse."""
        return {
            "values": list(self.values),
            "scores": list(self.scores),
            "spikes": [list(spike) for spike in self.spikes],
            "spread": self.spread,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The map from plain data."""
        spikes = tuple((int(k), low, high) for k, low, high in data["spikes"])
        return cls(tuple(data["values"]), tuple(data["scores"]), spikes, data["spread"])


def chosen(middle: Array, spikes: NDArray[np.bool_], knots: int) -> NDArray[np.intp]:
    """Which distinct values become knots: the spikes, the ends, and others evenly in rank."""
    if len(middle) <= knots:
        return np.arange(len(middle))
    sharp = np.flatnonzero(spikes)
    even = np.linspace(middle[0], middle[-1], max(2, knots - len(sharp)))
    return np.union1d(sharp, middle.searchsorted(even).clip(0, len(middle) - 1))


def quantile(ranks: Array) -> Array:
    """The standard normal quantile function, in float64."""
    result: Array = torch.special.ndtri(torch.from_numpy(ranks)).numpy()
    return result


def held(scores: Array) -> Array:
    """The nearest scores that float32 holds."""
    return scores.astype(np.float32).astype(np.float64)


def spread(column: Array) -> float:
    """A standard deviation, or 1 where there is none or it overflows."""
    with np.errstate(all="ignore"):
        deviation = float(column.std())
    return deviation if 0 < deviation < np.inf else 1.0
