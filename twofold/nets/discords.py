r"""Discords: the stretch of a series that is least like any stretch of normal ones.

A series (C, T) is cut into overlapping stretches of a third of its length, an eighth of a stretch
apart. Those of normal series are a *memory*; each stretch w of a new series has the distance

$$ s(w) = \min_{m \in M} \|w - m\|_2 , $$

and the largest of them is the score; where w differs from its m says which steps are odd. One
stretch is enough: an abnormal beat is abnormal somewhere, and a distance of whole beats, as the
nearest neighbour has it, drowns that in what is usual everywhere else. Where series are taken alike
(beats around their peak), a stretch is compared with the same one of others, and with those just
before and after, for no beat keeps time exactly; where they are not (windows of a monitor), with
all, thinned to a coreset as patches of pictures are (`nets/patches.py`).

Source: Keogh, Lin & Fu 2005, HOT SAX: Efficiently Finding the Most Unusual Time Series
Subsequence, ICDM; nearest neighbours of every stretch, Yeh et al. 2016, Matrix Profile I, ICDM.
Theirs are stretches of one long series, each scaled by itself; here normal series are known, and
the scale says something.
"""

from __future__ import annotations

import torch
from torch import Tensor

from twofold.nets.patches import CORESET, PLACED, coreset, near

SHARE, APART = 3, 8
"""A stretch is the third part of a series, and the next begins an eighth of a stretch later."""
NUMBERS = 1 << 23
"""Numbers that a memory is made of, at most: of long series with many channels, fewer are kept."""


def length(T: int) -> int:
    """The steps of a stretch."""
    return max(1, T // SHARE)


def starts(T: int) -> list[int]:
    """Where stretches begin; the last ends with the series.

    >>> starts(24)
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
    >>> starts(140)[:3], starts(140)[-2:]
    ([0, 5, 10], [90, 94])
    """
    L = length(T)
    return sorted({*range(0, T - L + 1, max(1, L // APART)), T - L})


def stretches(x: Tensor) -> Tensor:
    """The stretches of series x (B, C, T), (B, P, C · L)."""
    T = x.shape[-1]
    every = x.unfold(2, length(T), 1)[:, :, starts(T)]  # (B, C, P, L)
    return every.transpose(1, 2).flatten(2)


def bank(x: Tensor, aligned: bool) -> Tensor:
    """The memory of series x (N, C, T): (P, M, C · L); P is 1 where all stretches are one.

    It is kept in half precision.

    >>> bank(torch.rand(3, 2, 24), True).shape, bank(torch.rand(3, 2, 24), False).shape
    (torch.Size([17, 9, 16]), torch.Size([1, 51, 16]))
    """
    each = len(starts(x.shape[-1])) * x.shape[1] * length(x.shape[-1])
    most = max(1, min(PLACED, NUMBERS // each))
    seen = stretches(x[:: -(-len(x) // most)])  # (N, P, F)
    if not aligned:
        return coreset(seen.flatten(0, 1), CORESET)[None].half()
    before = torch.cat([seen[:, :1], seen[:, :-1]], 1)
    after = torch.cat([seen[:, 1:], seen[:, -1:]], 1)
    return torch.cat([before, seen, after]).transpose(0, 1).half()  # (P, 3 N, F)


def distances(x: Tensor, memory: Tensor) -> Tensor:
    """s(w) of each stretch of series x (B, C, T), (B, P)."""
    seen = stretches(x).transpose(1, 2).unsqueeze(3)  # (B, F, P, 1)
    return near(seen, memory)[:, :, 0]


def unlike(x: Tensor, memory: Tensor) -> Tensor:
    """(w − m)² at every step of series x (B, C, T), m being nearest to the stretch w, (B, C, T).

    The mean over the stretches that hold a step.
    """
    B, C, T = x.shape
    seen = stretches(x)
    off = (seen - nearest(seen, memory)).square().unflatten(2, (C, -1))  # (B, P, C, L)
    steps = torch.tensor(starts(T))[:, None] + torch.arange(length(T))  # (P, L)
    total = torch.zeros(B, C, T).index_add(2, steps.flatten(), off.transpose(1, 2).flatten(2))
    return total / torch.bincount(steps.flatten())


def nearest(seen: Tensor, memory: Tensor) -> Tensor:
    """The nearest stretch to each of (B, P, F) in a memory (P, M, F), or one of all places."""
    memory = memory.to(seen.dtype)
    every = memory.expand(seen.shape[1], -1, -1)
    rows = zip(seen.unbind(1), every, strict=True)
    return torch.stack([m[torch.cdist(w, m).argmin(1)] for w, m in rows], 1)
