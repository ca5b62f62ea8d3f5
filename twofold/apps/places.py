r"""Places: numbers of an observation's values, told by value and place.

Whatever says *where* an observation is abnormal is a number for each of its values, (B, F, *A), NaN
where a value is missing. Here channels become values, and a map becomes the mean over its fields
and over `SIDE` near places a side: a single odd pixel is noise, nine of them together are not.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.core.space import Space

SIDE = 3


def absent(space: Space, x: Tensor) -> Tensor:
    """Which values of x are missing, (B, F, *A)."""
    return space.decode(x).isnan()


def by_value(space: Space, each: Tensor) -> Tensor:
    """Numbers of channels (B, C, *A) as means over those of each value, (B, F, *A)."""
    values = ((field, field.split(part)[0]) for field, part in space.parts(each))
    return torch.cat([v.unflatten(1, (field.size, -1)).mean(2) for field, v in values], 1)


def smooth(where: Tensor) -> Tensor:
    """A map (N, F, *A) as the mean over its fields and over near places, (N, *A).

    A place of which nothing is known is never marked: it is -inf.

    >>> smooth(torch.tensor([[[0.0, 0.0, 3.0, 0.0, torch.nan]]])).tolist()
    [[0.0, 1.0, 1.0, 1.5, -inf]]
    """
    mean = where.nanmean(1)  # (N, *A)
    pools = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
    axes = mean.dim() - 1
    if not axes:
        return mean.nan_to_num()[:, None]
    known = ~mean.isnan()
    total, count = (
        pools[axes](each[:, None], SIDE, 1, SIDE // 2, count_include_pad=False)[:, 0]
        for each in (mean.nan_to_num(), known.to(mean.dtype))
    )
    return torch.where(known, total / count, -torch.inf)
