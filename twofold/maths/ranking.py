r"""How well a score tells abnormal from normal, at every threshold at once.

`auroc` is the chance that an abnormal observation scores higher than a normal one, ties counting
half (Mann & Whitney 1947); ½ is no better than chance, whatever the shares. `average_precision` is
the mean, over the abnormal observations, of the share that is abnormal among all that score at
least as high; its chance level is the share of abnormal ones.

Both take the scores of abnormal (P,) and of normal observations (N,), so that a bootstrap draws
each of the two again on its own.
"""

from __future__ import annotations

import torch
from torch import Tensor


def auroc(abnormal: Tensor, normal: Tensor) -> Tensor:
    """The area under the curve of true against false alarms.

    >>> auroc(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0]))
    tensor(0.8750, dtype=torch.float64)
    """
    below, not_above = counts(abnormal, normal)
    return (below + not_above).double().mean() / (2 * len(normal))


def average_precision(abnormal: Tensor, normal: Tensor) -> Tensor:
    """The area under the curve of precision against recall, as a sum of steps.

    >>> average_precision(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0]))
    tensor(0.8333, dtype=torch.float64)
    """
    false = len(normal) - counts(abnormal, normal)[0]  # normal ones that score as high
    true = len(abnormal) - counts(abnormal, abnormal)[0]
    return (true.double() / (true + false)).mean()


def counts(scores: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """For each score, how many others are below it, and how many not above it."""
    ordered, scores = others.double().sort().values, scores.double()
    at = (torch.searchsorted(ordered, scores, right=right) for right in (False, True))
    below, not_above = at
    return below, not_above
