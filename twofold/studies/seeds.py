r"""Figures of several seeds as one, with the interval that says how much seeds differ.

With n seeds the mean has the 95 % interval $\bar v \pm t_{0.975, n-1}\, s / \sqrt n$ (Student's t).
Two settings trained with the same seeds are compared pair by pair, on the differences: what a seed
does to both then cancels. The interval of a figure that cannot be anything, as a share cannot, ends
where it must. A bar on a difference is a bar on the *lower end* of its interval, so
that chance alone does not carry it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from twofold.measures.estimate import AMOUNTS, ANY, CORRELATIONS, SHARES, Estimate, Possible
from twofold.studies.study import Row

Better = Literal["higher", "lower"]
__all__ = [
    "AMOUNTS", "ANY", "CORRELATIONS", "SHARES", "Better", "Possible", "exact", "finding", "gain",
    "least", "most", "over_seeds",
]  # fmt: skip


def over_seeds(values: Sequence[float], possible: Possible = ANY) -> Estimate:
    """The mean of a figure over seeds, with its 95 % interval; of one seed, no interval.

    >>> over_seeds([1.0, 1.0, 1.0])
    Estimate(value=1.0, low=1.0, high=1.0)
    """
    from scipy.stats import t

    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(mean, math.nan, math.nan)
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    half = float(t.ppf(0.975, n - 1)) * sd / math.sqrt(n)
    return possible.cut(Estimate(mean, mean - half, mean + half))


def least(estimate: Estimate) -> float:
    """The lower end of an interval; the estimate itself where there is none."""
    return estimate.value if math.isnan(estimate.low) else estimate.low


def most(estimate: Estimate) -> float:
    """The upper end of an interval; the estimate itself where there is none."""
    return estimate.value if math.isnan(estimate.high) else estimate.high


def finding(
    measure: str, values: Sequence[float], split: str, better: Better, possible: Possible = ANY
) -> Row:
    """What the seeds found."""
    found = over_seeds(values, possible)
    return Row(measure, "finding", *found, len(values), split, better)


def gain(measure: str, values: Sequence[float], split: str) -> Row:
    """A bar: differences, a seed each, are above zero with the lower end of their interval."""
    found = over_seeds(values)
    name = f"{measure}: lower end of the gain"
    return Row(name, "bar", least(found), found.low, found.high, len(values), split, "higher", 0.0)


def exact(measure: str, errors: Sequence[float], target: float, split: str = "train") -> Row:
    """A bar on the worst of several errors, a seed each; low and high are their range."""
    worst = max(errors)
    return Row(measure, "bar", worst, min(errors), worst, len(errors), split, "lower", target)
