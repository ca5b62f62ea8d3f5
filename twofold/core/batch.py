"""Observations on their way to a game: `Batch`, and what is known beforehand: `Given`.

`Given` holds one row of condition a row of observations, encoded by a Space of its own in which
every field may be missing: the *null condition* is the row of zeros, presence included, and
*unconditional is a Given of width 0*. So no model asks whether it is conditional.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from twofold.core.space import Space


@dataclass(frozen=True)
class Given:
    """What is known of B observations: `c`, of shape (B, C), with C ≥ 0."""

    c: Tensor

    @classmethod
    def none(cls, rows: int, space: Space, device: torch.device | str = "cpu") -> Given:
        """Nothing known: the null condition, `rows` times.

        >>> Given.none(2, Space()).c.shape
        torch.Size([2, 0])
        """
        return cls(torch.zeros(rows, space.width, device=device))

    def __len__(self) -> int:
        return len(self.c)

    def __getitem__(self, rows: slice | Tensor) -> Given:
        return Given(self.c[rows])

    def repeat(self, times: int) -> Given:
        """Every row `times` times, one after the other: (B, C) to (B · times, C)."""
        return Given(self.c.repeat_interleave(times, 0))

    def to(self, device: torch.device | str) -> Given:
        return Given(self.c.to(device))


def repeated(x: Tensor, times: int) -> Tensor:
    """Every row of x (B, …) `times` times, one after the other: (B · times, …).

    They lie in memory as they lay: a sentence, one-hot over thousands of words and laid out place
    by place, is read four times faster so.

    >>> repeated(torch.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    return x[torch.arange(len(x), device=x.device).repeat_interleave(times)]


@dataclass(frozen=True)
class Batch:
    """B observations `x` (B, C, *A), what is given of them, and their row numbers in the data.

    Args:
        others: where each x is a noisy copy of a scene, another copy of the same, (B, C, *A).
        counts: where some rows are shown more often than the data have them, what each counts for
            in a mean over the data, (B,).
    """

    x: Tensor
    given: Given
    rows: Tensor
    others: tuple[Tensor, ...] = ()
    counts: tuple[Tensor, ...] = ()

    @property
    def seen(self) -> Tensor:
        """What an encoder may see of x: another copy where there is one, else x itself."""
        return self.others[0] if self.others else self.x

    @property
    def weight(self) -> Tensor:
        """What each row counts for, (B,), 1 on average: 1 where rows come as the data have them."""
        return self.counts[0] if self.counts else self.x.new_ones(len(self))

    @classmethod
    def of(cls, x: Tensor, given: Given | None = None) -> Batch:
        """A batch from x alone, its rows numbered from 0."""
        given = Given(x.new_zeros(len(x), 0)) if given is None else given
        return cls(x, given, torch.arange(len(x)))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice) -> Self:
        others = tuple(other[rows] for other in self.others)
        counts = tuple(count[rows] for count in self.counts)
        return type(self)(self.x[rows], self.given[rows], self.rows[rows], others, counts)

    def parts(self, number: int) -> list[Self]:
        """Cut into `number` parts whose sizes differ by one at most, none empty.

        >>> [len(part) for part in Batch.of(torch.zeros(5, 1)).parts(2)]
        [3, 2]
        """
        if number == 1:
            return [self]
        sizes = [len(self) // number + (i < len(self) % number) for i in range(number)]
        starts = [sum(sizes[:i]) for i in range(number)]
        return [self[s : s + n] for s, n in zip(starts, sizes, strict=True)]
