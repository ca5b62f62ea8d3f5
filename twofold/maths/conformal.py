r"""From a score to how often what is normal scores as high: conformal p-values.

With scores $s_1 … s_n$ of normal observations that no fit has seen, and a new score $s$,

$$ p(s) = \frac{1 + \#\{i : s_i \ge s\}}{n + 1}. $$

If the new observation is normal too, exchangeable with the n, then $P(p \le \alpha) \le \alpha$ for
every α, whatever the score is: calling *abnormal* what has $p \le \alpha$ raises a false alarm at
most at the rate α (Vovk, Gammerman & Shafer 2005; the correction by 1 is what makes it exact). The
smallest p is 1 / (n + 1): with 58 normal observations no rate below 1/59 can be promised.
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
