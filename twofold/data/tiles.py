r"""Large pictures by tiles: each is cut into squares that overlap, and is put together again.

A defect of a few pixels is lost in a picture that is reduced to what a network takes. Cut at full
size, it fills a good part of a tile. A row is a tile; the tiles of one picture are one *group* that
a split never parts, and one *whole* that is scored as one.

Tiles of side t begin at even distances of at most (1 − o) t, o the share that overlaps, the last
flush with the edge, so that every pixel is in one and all tiles are full. Put together, a pixel is
the mean over its tiles, weighted by how far within them it lies: near an edge a network sees half
of what is around it.

>>> edges(100, 64, 0.25), edges(64, 64, 0.25)
([0, 36], [0])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from twofold.data.sources import Rows, Source

MARGIN = 1.0
"""The weight of a pixel at the edge of its tile; it grows by one with each pixel inwards."""


@dataclass(frozen=True)
class Tiles(Source):
    """Tiles of pictures of any size.

    Args:
        picture: one of them by number, (C, H, W).
        at: the picture of each tile and where in it the tile begins, (N, 3): number, top, left.
        known: what is given of each picture, (P, G).
        side: t.
        official: tile numbers of the publisher's own split.
    """

    picture: Callable[[int], Tensor]
    at: Tensor
    known: Tensor
    side: int
    official: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        picture: Callable[[int], Tensor],
        sizes: Sequence[tuple[int, int]],
        known: Tensor,
        side: int,
        overlap: float,
        parts: dict[str, Tensor],
    ) -> Tiles:
        """All tiles of pictures of these (height, width); `parts` are picture numbers."""
        at = torch.tensor([
            (number, top, left)
            for number, (height, width) in enumerate(sizes)
            for top in edges(height, side, overlap)
            for left in edges(width, side, overlap)
        ])  # fmt: skip
        official = {
            part: torch.isin(at[:, 0], rows).nonzero()[:, 0] for part, rows in parts.items()
        }
        return cls(picture, at, known, side, official)

    def __len__(self) -> int:
        return len(self.at)

    def read(self, rows: Tensor) -> Rows:
        at, t = self.at.index_select(0, rows), self.side
        pictures = {number: self.picture(number) for number in at[:, 0].unique().tolist()}
        tiles = [pictures[n][:, top : top + t, left : left + t] for n, top, left in at.tolist()]
        return Rows(torch.stack(tiles), self.known[at[:, 0]])

    def labels(self) -> Tensor:
        return self.known[self.at[:, 0]]

    def groups(self) -> Tensor:
        return self.at[:, 0]

    def pieces(self) -> Tensor:
        return self.at


def edges(length: int, side: int, overlap: float) -> list[int]:
    """Where tiles begin along an axis, which is at least as long as one."""
    steps = math.ceil((length - side) / max(1.0, side * (1 - overlap)))
    return [round(i * (length - side) / steps) for i in range(steps + 1)] if steps else [0]


@dataclass(frozen=True)
class Wholes:
    """Rows of a source as the observations that they are pieces of.

    Args:
        pieces: (N, 1 + axes): the number of each row's whole, and where in it the row begins.
    """

    pieces: Tensor

    @cached_property
    def numbered(self) -> tuple[Tensor, Tensor]:
        """The numbers of the wholes, (P,), and of each row which of these it is of, (N,)."""
        numbers, of = self.pieces[:, 0].unique(return_inverse=True)
        return numbers, of

    def __len__(self) -> int:
        return len(self.numbered[0])

    @property
    def cut(self) -> bool:
        """Whether rows are pieces at all."""
        return self.pieces.shape[1] > 1

    def first(self) -> Tensor:
        """The first row of each whole, (P,)."""
        of = self.numbered[1]
        rows = torch.arange(len(of))
        return torch.full((len(self),), len(of)).scatter_reduce(0, of, rows, "amin")

    def rows(self, some: Tensor) -> Tensor:
        """The rows of some wholes, by their places among them."""
        return torch.isin(self.numbered[1], some).nonzero()[:, 0]

    def highest(self, scores: Tensor) -> Tensor:
        """The highest score of each whole's rows, (N,) to (P,)."""
        start = torch.full((len(self),), -math.inf, dtype=scores.dtype)
        return start.scatter_reduce(0, self.numbered[1], scores, "amax")

    def stitched(self, maps: Iterable[Tensor]) -> Tensor:
        """Maps of the rows (N, F, t, t) put together, (P, F, H, W), NaN beyond a whole's edges."""
        of, begin = self.numbered[1].tolist(), self.pieces[:, 1:].tolist()
        total, weight = torch.zeros(0), torch.zeros(0)
        for row, one in enumerate(maps):
            if not row:
                t = one.shape[-1]
                size = [len(self), len(one), *(self.pieces[:, 1:].amax(0) + t).tolist()]
                total, weight = torch.zeros(size), torch.zeros(len(self), 1, *size[2:])
                inward = within(t)
            top, left = begin[row]
            here = (of[row], slice(None), slice(top, top + t), slice(left, left + t))
            total[here] += inward * one
            weight[here] += inward
        return total / weight  # 0 / 0 is NaN: no piece is there


def within(side: int) -> Tensor:
    """The weight of each pixel of a tile: how far it is from the nearest edge, (t, t).

    >>> within(3).tolist()
    [[1.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 1.0]]
    """
    line = torch.minimum(torch.arange(side), torch.arange(side).flip(0)) + MARGIN
    return torch.minimum(line[:, None], line[None, :])
