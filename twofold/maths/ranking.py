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


def roc(abnormal: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    """The shares of false and of true alarms above each threshold, from none to all.

    >>> [t.tolist() for t in roc(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0]))]
    [[0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0]]
    """
    lines = torch.cat([abnormal, normal]).double().unique().flip(0)
    lines = torch.cat([lines.new_full((1,), torch.inf), lines])
    true, false = (reaching(group, lines) for group in (abnormal, normal))
    return false, true


def precision_recall(abnormal: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    """Recall and precision above each threshold, the highest first.

    >>> [t.tolist() for t in precision_recall(torch.tensor([2.0, 3.0]), torch.tensor([1.0, 2.0]))]
    [[0.5, 1.0, 1.0], [1.0, 0.6666666666666666, 0.5]]
    """
    false, true = (share[1:] for share in roc(abnormal, normal))
    found, alarms = true * len(abnormal), false * len(normal)
    return true, found / (found + alarms)


def reaching(scores: Tensor, lines: Tensor) -> Tensor:
    """The share of scores that are at least as high as each line."""
    ordered = scores.double().sort().values
    return 1 - torch.searchsorted(ordered, lines).double() / len(ordered)


def region_overlap(where: Tensor, masks: Tensor, most: float = 0.3) -> float:
    """AUPRO: how much of each abnormal region a map covers, on average, at few false alarms.

    Each connected region counts alike, however large; the curve of their mean coverage against the
    share of normal pixels that are marked is integrated up to `most`, and divided by it (Bergmann
    et al. 2021, The MVTec anomaly detection dataset, §5).

    Args:
        where: maps (N, H, W), high where abnormal, NaN where there is no pixel.
        masks: what is abnormal, (N, H, W).

    >>> masks = torch.zeros(1, 4, 4, dtype=torch.bool)
    >>> masks[0, :2, :2] = True
    >>> region_overlap(masks.float(), masks), round(region_overlap(-masks.float(), masks), 3)
    (1.0, 0.0)
    """
    from scipy.ndimage import label

    regions, normal = [], where[~masks & ~where.isnan()].double().sort().values
    for one, mask in zip(where.double(), masks, strict=True):
        found = torch.from_numpy(label(mask.numpy())[0])
        regions += [one[found == i] for i in range(1, int(found.max()) + 1)]
    grid = torch.linspace(0, most, 301, dtype=torch.float64)
    place = (len(normal) - (grid * len(normal)).floor().long() - 1).clamp(min=0)
    lines = normal[place]  # what only so many normal pixels exceed
    covered = torch.stack(
        [1 - torch.searchsorted(r.sort().values, lines, right=True).double() / len(r)
         for r in regions]
    ).mean(0)  # fmt: skip
    return float(torch.trapezoid(covered, grid) / most)
