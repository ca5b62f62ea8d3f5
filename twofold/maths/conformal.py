r"""From a score to how often what is normal scores as high: conformal p-values.

With scores $s_1 … s_n$ of normal observations that no fit has seen, and a new score $s$,

$$ p(s) = \frac{1 + \#\{i : s_i \ge s\}}{n + 1}. $$

If the new observation is normal too, exchangeable with the n, then $P(p \le \alpha) \le \alpha$ for
every α, whatever the score is: calling *abnormal* what has $p \le \alpha$ raises a false alarm at
most at the rate α (Vovk, Gammerman & Shafer 2005; the correction by 1 is what makes it exact). The
smallest p is 1 / (n + 1): with 58 normal observations no rate below 1/59 can be promised.

The same holds of intervals. Where u ranks a number in what a model predicts of it, the central
interval of level c holds it when $|2u - 1| \le c$. Of n held-out numbers the $\lceil (n+1)
c \rceil$-th smallest $|2u - 1|$ is the level to ask for, so that as large a share is held (split
conformal prediction: Lei, G'Sell, Rinaldo, Tibshirani & Wasserman 2018): `corrected`. Numbers of
one observation are not exchangeable with those of another, and there it holds on average only.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def p_values(scores: Tensor, normal: Tensor) -> Tensor:
    """p of each score (N,) among those of normal observations (n,), in (0, 1]; high is abnormal.

    >>> p_values(torch.tensor([0.0, 2.0, 9.0]), torch.tensor([1.0, 2.0, 3.0]))
    tensor([1.0000, 0.7500, 0.2500], dtype=torch.float64)
    """
    ordered = normal.double().sort().values
    as_high = len(ordered) - torch.searchsorted(ordered, scores.double())
    return (1 + as_high).double() / (len(ordered) + 1)


def attainable(rate: float, n: int) -> float:
    """The rate that n normal observations can promise: the one asked for, or 1 / (n + 1).

    >>> attainable(0.01, 199), attainable(0.01, 49)
    (0.01, 0.02)
    """
    return max(rate, 1 / (n + 1))


def threshold(normal: Tensor, rate: float) -> float:
    """The score above which p is at most `rate`, which must be attainable.

    >>> threshold(torch.arange(1.0, 100.0), 0.05)
    95.0
    """
    ordered = normal.sort(descending=True).values
    above = math.floor(rate * (len(ordered) + 1) + 1e-9) - 1  # normal scores that may be as high
    return float(ordered[min(above, len(ordered) - 1)])


def corrected(u: Tensor, level: float) -> float:
    """The level of the central interval that holds a share `level` of numbers like those of u (n,).

    >>> even = torch.linspace(-1, 1, 101)
    >>> round(corrected(0.5 + even / 2, 0.8), 3)
    0.82
    >>> round(corrected(0.5 + even / 4, 0.8), 3)  # they are too wide: half as much is asked for
    0.41
    """
    ordered = (2 * u.double().flatten() - 1).abs().sort().values
    place = math.ceil(level * (len(ordered) + 1) - 1e-9) - 1
    return float(ordered[min(place, len(ordered) - 1)])
