"""Windows of long recordings, without copying them.

A recording of L steps and C channels gives windows of T steps, one every `stride`. Windows that
overlap share steps, so a split that scattered them would test on what it trained on. Recordings are
therefore cut into *blocks* before windowing: no window crosses from one block to the next, and the
windows of one block are one *group* that a split keeps together. Twenty blocks in all, each at
least four windows long, cost at most 19 (T − 1) windows. Where the steps before a window are given,
they are in its block too.

Data that are not to be divided have windows `throughout`: recordings are not cut, no steps are
passed over between windows, and where some are left after the last window, one more ends with the
recording.

>>> windows = Windows.of([torch.arange(8.0).reshape(8, 1)], torch.zeros(8, 0), length=3, stride=2)
>>> windows.read(torch.tensor([1])).values
tensor([[[2., 3., 4.]]])
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from twofold.data.sources import Rows, Source

BLOCKS = 20
WHOLE = 4  # windows, end to end, that a block has room for


@dataclass(frozen=True)
class Windows(Source):
    """Windows of `length` steps of one long tensor.

    Args:
        steps: all recordings end to end, (L, C).
        given: what is given of each step, (L, G); a window has what its first step has.
        starts: the first step of each window, (N,).
        block: the block of each window, (N,).
        length: steps of a window, T.
        past: steps before it, P, that are given of it too.
        series: which each window is of, (N,).
    """

    steps: Tensor
    given: Tensor
    starts: Tensor
    block: Tensor
    length: int
    past: int
    series: Tensor

    @classmethod
    def of(
        cls, recordings: Sequence[Tensor], given: Tensor, length: int, stride: int, past: int = 0
    ) -> Self:
        """Windows of recordings (L_i, C), whose steps have `given` (ΣL_i, G), end to end."""
        cuts = list(blocks([len(recording) for recording in recordings], past + length))
        starts = [torch.arange(begin + past, end - length + 1, stride) for begin, end in cuts]
        start, block = numbered(starts)
        series = recording([len(one) for one in recordings], start)
        return cls(torch.cat(list(recordings)), given, start, block, length, past, series)

    @classmethod
    def throughout(
        cls, recordings: Sequence[Tensor], given: Tensor, length: int, stride: int, past: int = 0
    ) -> Self:
        """Windows of whole recordings, which hold every step of those that are long enough.

        >>> steps = torch.zeros(10, 1)
        >>> Windows.throughout([steps], torch.zeros(10, 0), length=4, stride=4).starts
        tensor([0, 4, 6])
        """
        lengths = [len(recording) for recording in recordings]
        ends = torch.tensor(lengths).cumsum(0).tolist()
        starts = [
            up_to(end - long + past, end - length, min(stride, length))
            for end, long in zip(ends, lengths, strict=True)
            if long >= past + length
        ]
        start, block = numbered(starts)
        series = recording(lengths, start)
        return cls(torch.cat(list(recordings)), given, start, block, length, past, series)

    def __len__(self) -> int:
        return len(self.starts)

    def read(self, rows: Tensor) -> Rows:
        starts = self.starts.index_select(0, rows)
        steps = starts[:, None] + torch.arange(self.length)  # (B, T)
        before = behind(self.steps, starts, self.past)
        given = torch.cat([self.given[starts], before], 1)
        return Rows(self.steps[steps].movedim(2, 1), given)  # (B, T, C) to (B, C, T)

    def labels(self) -> Tensor:
        return self.given[self.starts]

    def groups(self) -> Tensor:
        return self.block

    def stretches(self) -> Tensor:
        return torch.stack([self.series, self.starts, self.starts + self.length], 1)

    def first(self) -> Tensor:
        """Which steps no window before has, (N, 1, T)."""
        steps = self.starts[:, None] + torch.arange(self.length)
        before = (self.starts + self.length).cummax(0).values.roll(1)
        before[0] = 0
        return (steps >= before[:, None])[:, None]

    def outside(self) -> Tensor:
        """Which steps are in no window, (L,)."""
        found = torch.ones(len(self.steps), dtype=torch.bool)
        found[self.starts[:, None] + torch.arange(self.length)] = False
        return found

    def recording(self, lengths: Sequence[int]) -> Tensor:
        """Which recording each window is of, (N,), where they have these lengths."""
        return recording(lengths, self.starts)


def recording(lengths: Sequence[int], starts: Tensor) -> Tensor:
    """Which recording of these lengths each start is in."""
    return torch.searchsorted(torch.tensor(lengths).cumsum(0), starts, right=True)


def numbered(starts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The starts of all blocks in one, and the block of each."""
    block = [torch.full_like(start, i) for i, start in enumerate(starts)]
    return torch.cat(list(starts)), torch.cat(block)


def up_to(first: int, last: int, stride: int) -> Tensor:
    """Starts from the first to the last, `stride` apart but for the last two.

    >>> up_to(0, 6, 4), up_to(0, 8, 4)
    (tensor([0, 4, 6]), tensor([0, 4, 8]))
    """
    starts = torch.arange(first, last + 1, stride)
    over = starts.new_tensor([last] * (int(starts[-1]) < last))
    return torch.cat([starts, over])


def behind(steps: Tensor, starts: Tensor, past: int) -> Tensor:
    """The steps before each start (B,), channel by channel: (L, C) to (B, C P).

    >>> behind(torch.arange(8).reshape(4, 2), torch.tensor([3]), 2)
    tensor([[2, 4, 3, 5]])
    """
    rows = starts[:, None] + torch.arange(-past, 0)  # (B, P)
    return steps[rows].movedim(2, 1).flatten(1)  # (B, P, C) to (B, C P)


def blocks(lengths: Sequence[int], window: int) -> Iterator[tuple[int, int]]:
    """Begin and end of every block of recordings that lie end to end; too short ones have none.

    >>> list(blocks([100, 3, 10], 5))[:2], len(list(blocks([100, 3, 10], 5)))
    ([(0, 20), (20, 40)], 6)
    """
    usable = sum(length >= window for length in lengths)
    wanted = -(-BLOCKS // max(1, usable))  # of each recording, rounded up
    offset = 0
    for length in lengths:
        number = max(1, min(wanted, length // (WHOLE * window)))
        edges = [offset + length * i // number for i in range(number + 1)]
        yield from ((a, b) for a, b in pairwise(edges) if b - a >= window)
        offset += length
