"""Where observations come from, one batch of rows at a time.

A `Source` answers two questions: how many rows there are, and what the rows numbered so are, as
values (B, F, *A) with what is given of them (B, G). `Memory` holds everything in one tensor and
indexes it; `Streamed` reads each row when it is asked for, and `Made` makes many at once, so that
their memory does not depend on the number of rows. All are pure functions of the row numbers: what
a run sees depends on its seed and its step alone, never on the machine's speed.

>>> source = Memory(torch.arange(6.0).reshape(3, 2), torch.zeros(3, 0))
>>> source.read(torch.tensor([2, 0])).values
tensor([[4., 5.],
        [0., 1.]])
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """Rows as values: `values` (B, F, *A) and `given` (B, G), NaN where not known."""

    values: Tensor
    given: Tensor

    def __len__(self) -> int:
        return len(self.values)


class Source(ABC):
    """Rows that can be read by number, in any order."""

    official: Mapping[str, Tensor] = MappingProxyType({})
    """Row numbers of the publisher's own split: `train`, `validation`, `test`; empty if none."""

    @abstractmethod
    def __len__(self) -> int:
        """How many rows there are."""

    @abstractmethod
    def read(self, rows: Tensor) -> Rows:
        """The rows numbered `rows` (B,), in that order."""

    @abstractmethod
    def labels(self) -> Tensor:
        """All of what is given, (N, G): small enough to hold, and needed to balance classes."""

    def factors(self) -> Tensor:
        """What is known of the rows and given to no model, (N, K): only measures see it."""
        return torch.zeros(len(self), 0)

    def groups(self) -> Tensor:
        """A number for each row, (N,): a split never parts rows of one number.

        Every row has its own, unless rows share content, as overlapping windows of a series do.
        """
        return torch.arange(len(self))

    def scenes(self) -> Tensor:
        """A number for each row, (N,): rows of one number are noisy copies of one scene."""
        return torch.arange(len(self))

    def pieces(self) -> Tensor:
        """Of which observation each row is a piece, and where in it, (N, 1 + axes).

        Where rows are whole, (N, 1): their numbers.
        """
        return torch.arange(len(self))[:, None]

    def stretches(self) -> Tensor:
        """Of which series each row is a window, its first step, and the step after, (N, 3).

        Where rows are whole, each is a series of its own.
        """
        rows = torch.arange(len(self))
        return torch.stack([rows, rows, rows + 1], 1)

    def first(self) -> Tensor:
        """Which values no row before has, in a shape that fits (N, F, *A): all, but of windows."""
        return torch.ones(1, dtype=torch.bool)


@dataclass(frozen=True)
class Memory(Source):
    """Every row in one tensor, `values` (N, F, *A), with `given` (N, G)."""

    values: Tensor
    given: Tensor
    official: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def read(self, rows: Tensor) -> Rows:
        return Rows(self.values.index_select(0, rows), self.given.index_select(0, rows))

    def labels(self) -> Tensor:
        return self.given


@dataclass(frozen=True)
class Streamed(Source):
    """Rows read one by one: `one(row)` gives the values (F, *A) of a row; threads share them."""

    one: Callable[[int], Tensor]
    given: Tensor
    threads: int = 4
    official: Mapping[str, Tensor] = field(default_factory=dict)
    pool: ThreadPoolExecutor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pool", ThreadPoolExecutor(self.threads))

    def __len__(self) -> int:
        return len(self.given)

    def read(self, rows: Tensor) -> Rows:
        values = torch.stack(list(self.pool.map(self.one, rows.tolist())))
        return Rows(values, self.given.index_select(0, rows))

    def labels(self) -> Tensor:
        return self.given


@dataclass(frozen=True)
class Made(Source):
    """Rows made when they are asked for, many at a time: `many(rows)` gives values (B, F, *A)."""

    many: Callable[[Tensor], Tensor]
    given: Tensor

    def __len__(self) -> int:
        return len(self.given)

    def read(self, rows: Tensor) -> Rows:
        return Rows(self.many(rows), self.given.index_select(0, rows))

    def labels(self) -> Tensor:
        return self.given


@dataclass(frozen=True)
class Known(Source):
    """Another source, with the factors of its rows, `table` (N, K)."""

    source: Source
    table: Tensor

    @property
    def official(self) -> Mapping[str, Tensor]:  # type: ignore[override]
        return self.source.official

    def __len__(self) -> int:
        return len(self.source)

    def read(self, rows: Tensor) -> Rows:
        return self.source.read(rows)

    def labels(self) -> Tensor:
        return self.source.labels()

    def factors(self) -> Tensor:
        return self.table

    def groups(self) -> Tensor:
        return self.source.groups()

    def scenes(self) -> Tensor:
        return self.source.scenes()

    def pieces(self) -> Tensor:
        return self.source.pieces()

    def stretches(self) -> Tensor:
        return self.source.stretches()


@dataclass(frozen=True)
class Copies(Source):
    """Another source, some of whose rows are copies of one scene, by `scene` (N,)."""

    source: Source
    scene: Tensor

    @property
    def official(self) -> Mapping[str, Tensor]:  # type: ignore[override]
        return self.source.official

    def __len__(self) -> int:
        return len(self.source)

    def read(self, rows: Tensor) -> Rows:
        return self.source.read(rows)

    def labels(self) -> Tensor:
        return self.source.labels()

    def factors(self) -> Tensor:
        return self.source.factors()

    def groups(self) -> Tensor:
        return self.scene

    def scenes(self) -> Tensor:
        return self.scene

    def pieces(self) -> Tensor:
        return self.source.pieces()

    def stretches(self) -> Tensor:
        return self.source.stretches()


@dataclass(frozen=True)
class Together(Source):
    """Another source, some of whose rows belong together, by `group` (N,): those of one patient."""

    source: Source
    group: Tensor

    @property
    def official(self) -> Mapping[str, Tensor]:  # type: ignore[override]
        return self.source.official

    def __len__(self) -> int:
        return len(self.source)

    def read(self, rows: Tensor) -> Rows:
        return self.source.read(rows)

    def labels(self) -> Tensor:
        return self.source.labels()

    def factors(self) -> Tensor:
        return self.source.factors()

    def groups(self) -> Tensor:
        return self.group

    def scenes(self) -> Tensor:
        return self.source.scenes()

    def pieces(self) -> Tensor:
        return self.source.pieces()

    def stretches(self) -> Tensor:
        return self.source.stretches()


@dataclass(frozen=True)
class Subset(Source):
    """Some rows of another source, renumbered from 0."""

    source: Source
    rows: Tensor
    official: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, rows: Tensor) -> Rows:
        return self.source.read(self.rows.index_select(0, rows))

    def labels(self) -> Tensor:
        return self.source.labels().index_select(0, self.rows)

    def factors(self) -> Tensor:
        return self.source.factors().index_select(0, self.rows)

    def groups(self) -> Tensor:
        return self.source.groups().index_select(0, self.rows)

    def scenes(self) -> Tensor:
        return self.source.scenes().index_select(0, self.rows)

    def pieces(self) -> Tensor:
        return self.source.pieces().index_select(0, self.rows)

    def stretches(self) -> Tensor:
        return self.source.stretches().index_select(0, self.rows)


def whole(source: Source, limit: int = 0) -> Rows:
    """Every row, or the first `limit`."""
    return source.read(torch.arange(min(limit, len(source)) if limit else len(source)))


def fingerprints(source: Source, step: int = 1024) -> Iterator[bytes]:
    """A short hash of the values of every row: equal where the rows are.

    >>> one, two = fingerprints(Memory(torch.ones(2, 3), torch.zeros(2, 0)))
    >>> one == two
    True
    """
    for rows in torch.arange(len(source)).split(step):
        for values in source.read(rows).values.float():
            yield blake2b(values.contiguous().numpy().data, digest_size=12).digest()


def known(source: Source, factors: Tensor) -> Source:
    """A source with its factors (N, K); itself where there are none."""
    return Known(source, factors) if factors.shape[1] else source
