r"""Modes: a column of numbers as a mixture of normal distributions, and the mode of each value.

Mode-specific normalisation (Xu et al. 2019, arXiv:1907.00503, section 4.2): a variational mixture
of at most M normals is fitted to a column (scikit-learn's, with a Dirichlet process as the prior of
the weights), which leaves unused modes without weight; a value is then shown as the mode it is of
and its place in it (`core/space.py`, `Modal`).

Beyond the paper, a *spike*, one value that at least three rows in a hundred hold (the zeros of a
capital gain, the forty hours of a week), is a mode of its own without width: it comes back exactly.
The mixture is fitted to all other rows, at most 10,000 of them.

Between file and Space stands $v = (u - a) / b$, with a the mean and b the standard deviation of the
column u. The inverse never leaves the bounds of the training column; a value comes back to about
2⁻²² of b, so that a column whose values span many orders of magnitude is better told by its ranks
(`scores.py`).

>>> modes = Modes.fit([0.0] * 6 + [1.0, 2.0, 3.0, 4.0])
>>> modes.inverse(modes.forward([0.0, 2.5, 9.0]))
array([0. , 2.5, 4. ])
>>> modes.domain.stds[0]
0.0
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twofold.core.space import Modal
from twofold.data.scores import held, spread

MODES = 10  # at most, beside the spikes
SPIKE = 0.03
LEAST = 0.005  # weight of a mode that is kept
FITTED = 10_000  # rows that a mixture is fitted to
NARROW = 1e-4  # of a mode, at least: in standard deviations of the column
FLAT = 1e-3  # prior of the concentration of weights: the smaller, the fewer modes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Modes:
    """The mixture of one column.

    Args:
        means, stds, weights: of each mode, (K,), in units of `scale` from `shift`; σ of 0 is a
            spike.
        shift, scale: a and b.
        low, high: the bounds of the training column.
        spikes: the numbers u that the modes without width hold, which come first.
    """

    means: tuple[float, ...]
    stds: tuple[float, ...]
    weights: tuple[float, ...]
    shift: float
    scale: float
    low: float
    high: float
    spikes: tuple[float, ...] = ()

    @classmethod
    def fit(cls, column: ArrayLike, modes: int = MODES) -> Self:
        """Learn the mixture from finite numbers (N,), N ≥ 1."""
        column = np.asarray(column, np.float64)
        with np.errstate(all="ignore"):
            middle = float(column.mean())
        shift = middle if np.isfinite(middle) else 0.0
        scale = spread(column)
        v = held((column - shift) / scale)
        values, first, counts = np.unique(v, return_index=True, return_counts=True)
        often = counts >= max(2, SPIKE * len(v))
        rest = v[np.isin(v, values[often], invert=True)]
        means, stds, weights = mixture(rest, modes)
        share = len(rest) / len(v)
        return cls(
            (*values[often].tolist(), *means.tolist()),
            (*np.zeros(often.sum()).tolist(), *stds.tolist()),
            (*(counts[often] / len(v)).tolist(), *(max(share, LEAST) * weights).tolist()),
            shift,
            scale,
            float(column.min()),
            float(column.max()),
            tuple(column[first[often]].tolist()),
        )

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest number of the training column."""
        return self.low, self.high

    @property
    def domain(self) -> Modal:
        """The set that `forward` maps to."""
        return Modal(self.means, self.stds, self.weights)

    def forward(self, column: ArrayLike) -> Array:
        """Numbers u to v; NaN is kept."""
        result: Array = (np.asarray(column, np.float64) - self.shift) / self.scale
        return result

    def inverse(self, values: ArrayLike) -> Array:
        """The values v to numbers within the training column's bounds; NaN is kept."""
        values = np.asarray(values, np.float64)
        back = values * self.scale + self.shift
        for mean, spike in zip(self.means, self.spikes, strict=False):
            back[held(values) == mean] = spike
        result: Array = back.clip(self.low, self.high)
        return result


def mixture(v: Array, modes: int) -> tuple[Array, Array, Array]:
    """Means, deviations and weights (K,) of the normals that v (N,) is a mixture of.

    One mode, wide enough, where there are too few values to tell; where there are none, it stands
    for values that the training column does not have.
    """
    if len(v) < 2 or np.ptp(v) < NARROW:
        middle = v.mean() if len(v) else 0.0
        return held(np.array([middle])), np.ones(1), np.ones(1)
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    some = v if len(v) <= FITTED else np.random.default_rng(0).choice(v, FITTED, replace=False)
    made = BayesianGaussianMixture(
        n_components=min(modes, len(np.unique(some))),
        covariance_type="diag",  # of one number that is all of it, and faster
        weight_concentration_prior=FLAT,
        reg_covar=NARROW**2,
        max_iter=100,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        made.fit(some[:, None])
    kept = made.weights_ >= LEAST
    means, stds = made.means_[kept, 0], np.sqrt(made.covariances_[kept, 0])
    return held(means), stds, made.weights_[kept] / made.weights_[kept].sum()
