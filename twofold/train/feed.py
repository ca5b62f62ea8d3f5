"""In what order observations are shown.

Each epoch is a permutation of the rows, a pure function of (seed, epoch); a batch that reaches past
the end of one takes its rest from the next, so that every batch has the same size. Balanced
feeding draws rows with weights inverse to how often their label occurs. Where few rows have one, a
share of each batch may be drawn from those; then a batch says what each row counts for in a mean
over the data (its importance weight: the share of such rows in the data over that in batches).
Where rows are noisy copies of scenes, each comes with another copy of the same scene, drawn anew
every time that it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.space import Space
from twofold.data.sources import Memory, Source
from twofold.train.chance import generator, seed_all

ENCODED_IN_MEMORY = 512 << 20  # bytes of x that are worth keeping

Augment = Callable[[Tensor], Tensor]


class Feed:
    """Batches of a source by position.

    Args:
        source: the training rows.
        space, given: how to encode them.
        batch: rows a batch.
        seed: of the order.
        device: where batches go.
        augment: changes to the values of each batch.
        balance: show every label equally often, or as the logarithm of its count.
        null: the share of rows whose condition is withheld (Ho & Salimans 2022, arXiv:2207.12598).
        labelled: the share of a batch, on average, that has a label; 0 for as they come.

    Raises:
        UserError: there are no rows, no labels to balance, or a scene without a second copy.
    """

    def __init__(
        self,
        source: Source,
        space: Space,
        given: Space,
        batch: int,
        seed: int,
        device: torch.device,
        augment: tuple[Augment, ...] = (),
        balance: bool | Literal["log"] = False,
        null: float = 0.0,
        labelled: float = 0.0,
    ) -> None:
        if not len(source):
            raise UserError("there are no rows to train on; check data.path and data.split")
        self.source, self.space, self.given = source, space, given
        self.batch, self.seed, self.device = batch, seed, device
        self.augment, self.null = augment, null
        weights = (
            balanced(source.labels(), balance == "log") if balance else torch.ones(len(source))
        )
        whole = [Pool(1.0, weights)] if balance else []
        self.pools = shared(weights, source.labels(), labelled) if labelled else whole
        self.counts = tuple([counted(self.pools).to(device)] if labelled else [])
        self.partners = partners(source)
        self.epochs: dict[int, Tensor] = {}
        self.encoded = self.keep()

    def keep(self) -> tuple[Batch, ...]:
        """Everything encoded and on the device, when it fits and does not change."""
        small = 4 * len(self.source) * self.space.numel <= ENCODED_IN_MEMORY
        if not small or self.augment or not isinstance(self.source, Memory):
            return ()
        rows = torch.arange(len(self.source))
        return (self.encode(rows),)

    def __call__(self, shown: int, part: slice) -> Batch:
        """The rows in `part` of the batch that starts after `shown` observations."""
        rows = self.rows(shown)
        batch = self.fetch(rows[part], shown, part)
        for partner in self.partners:
            others = partner(rows, generator(self.seed, shown, 4))[part]
            batch = replace(batch, others=(self.fetch(others, shown, part).x,))
        for counts in self.counts:
            counted = counts.index_select(0, batch.rows.to(self.device)).to(batch.x.dtype)
            batch = replace(batch, counts=(counted,))
        return self.withhold(batch, shown, part, len(rows)) if self.given.width else batch

    def fetch(self, rows: Tensor, shown: int, part: slice) -> Batch:
        """Rows from memory, or read, changed and encoded."""
        for everything in self.encoded:
            at = rows.to(self.device)
            given = Given(everything.given.c.index_select(0, at))
            return Batch(everything.x.index_select(0, at), given, rows)
        seed_all(self.device, self.seed, shown, part.start, 2)
        return self.encode(rows)

    def withhold(self, batch: Batch, shown: int, part: slice, rows: int) -> Batch:
        """Give some rows the null condition; which ones does not depend on the parts."""
        kept = torch.rand(rows, generator=generator(self.seed, shown, 3))[part] >= self.null
        c = batch.given.c * kept.to(batch.given.c).unsqueeze(1)
        return replace(batch, given=Given(c))

    def encode(self, rows: Tensor) -> Batch:
        read = self.source.read(rows)
        values = read.values.to(self.device)
        for change in self.augment:
            values = change(values)
        given = self.given.encode(read.given.to(self.device))
        return Batch(self.space.encode(values), Given(given), rows)

    def rows(self, shown: int) -> Tensor:
        """The row numbers of a batch."""
        if self.pools:
            return drawn(self.pools, self.batch, generator(self.seed, shown, 1))
        n = len(self.source)
        first, start = divmod(shown, n)
        last = (shown + self.batch - 1) // n
        orders = [self.order(epoch) for epoch in range(first, last + 1)]
        line = orders[0] if len(orders) == 1 else torch.cat(orders)
        return line[start : start + self.batch]

    def order(self, epoch: int) -> Tensor:
        """The permutation of an epoch; the last few are kept."""
        if epoch not in self.epochs:
            for old in [e for e in self.epochs if e < epoch - 1]:
                del self.epochs[old]
            self.epochs[epoch] = torch.randperm(
                len(self.source), generator=generator(self.seed, epoch)
            )
        return self.epochs[epoch]


@dataclass(frozen=True)
class Partner:
    """Another row of the same scene, any of them as likely.

    Args:
        order: the rows, scene by scene. place: of each row in it.
        start, count: of each row's scene in it.

    >>> partner = Partner.of(torch.tensor([5, 8, 5, 8]))
    >>> partner(torch.tensor([0, 3]), torch.Generator())
    tensor([2, 1])
    """

    order: Tensor
    place: Tensor
    start: Tensor
    count: Tensor

    @classmethod
    def of(cls, scenes: Tensor) -> Self:
        """From the number of each row's scene, (N,)."""
        _, which, counts = scenes.unique(return_inverse=True, return_counts=True)
        order = which.argsort(stable=True)
        return cls(order, order.argsort(), (counts.cumsum(0) - counts)[which], counts[which])

    def __call__(self, rows: Tensor, chance: torch.Generator) -> Tensor:
        """A partner for each row, (B,)."""
        start, count = self.start[rows], self.count[rows]
        ahead = 1 + (torch.rand(len(rows), generator=chance) * (count - 1)).long()
        return self.order[start + (self.place[rows] - start + ahead) % count]


def partners(source: Source) -> tuple[Partner, ...]:
    """How copies are paired; nothing where no rows share a scene."""
    made = Partner.of(source.scenes())
    if not len(made.count) or made.count.max() == 1:
        return ()
    if alone := int((made.count == 1).sum()):
        raise UserError(
            f"{alone} scenes have a single noisy copy, and one copy is scored on another; give "
            "each scene two, or take those out"
        )
    return (made,)


def balanced(labels: Tensor, log: bool = False) -> Tensor:
    """A weight a row, inverse to how often its label occurs; (N, G) to (N,).

    With `log`, a label of n rows is shown as often as log(1 + n) says. Rows of which nothing is
    known are a label of their own.

    >>> balanced(torch.tensor([[0.0], [0.0], [1.0]]))
    tensor([0.5000, 0.5000, 1.0000])
    """
    if not labels.shape[1]:
        raise UserError("train.balance needs labels, and this data has none; leave it out")
    _, inverse, counts = labels.nan_to_num(-1).unique(
        dim=0, return_inverse=True, return_counts=True
    )
    shown = counts.double().log1p().float() if log else torch.ones_like(counts)
    return (shown / counts)[inverse]


@dataclass(frozen=True)
class Pool:
    """Rows that make up a share of each batch, each drawn by its weight (N,)."""

    share: float
    weights: Tensor


def shared(weights: Tensor, labels: Tensor, share: float) -> list[Pool]:
    """Rows of which something is known, which are to be drawn with this share, and the rest.

    >>> pools = shared(torch.ones(3), torch.tensor([[0.0], [torch.nan], [torch.nan]]), 0.5)
    >>> [(pool.share, pool.weights.tolist()) for pool in pools]
    [(0.5, [1.0, 0.0, 0.0]), (0.5, [0.0, 1.0, 1.0])]
    """
    known = ~labels.isnan().all(1) if labels.shape[1] else torch.zeros(len(labels)).bool()
    if known.all() or not known.any():
        some = ", or tell only some of them, as by train.labels = 100" if known.all() else ""
        raise UserError(
            f"train.labelled = {share} needs rows with a label and rows without, and "
            f"{int(known.sum()):,} of {len(known):,} training rows have one; leave it at 0{some}"
        )
    return [Pool(share, weights * known), Pool(1 - share, weights * ~known)]


def drawn(pools: Sequence[Pool], batch: int, chance: torch.Generator) -> Tensor:
    """The rows of a batch in random order, of each pool its share, rounded up or down at random."""
    ends = torch.tensor([pool.share for pool in pools], dtype=torch.float64).cumsum(0) * batch
    edges = (ends + torch.rand(1, generator=chance)).floor().long().clamp(max=batch)
    edges[-1] = batch
    sizes = edges.diff(prepend=edges.new_zeros(1)).tolist()
    rows = [
        torch.multinomial(pool.weights, size, replacement=True, generator=chance)
        for pool, size in zip(pools, sizes, strict=True)
        if size
    ]
    return torch.cat(rows)[torch.randperm(batch, generator=chance)]


def counted(pools: Sequence[Pool]) -> Tensor:
    """What each row counts for, (N,): a pool's share of the rows over its share of batches.

    >>> counted(shared(torch.ones(4), torch.tensor([[0.0], *[[torch.nan]] * 3]), 0.5)).tolist()
    [0.5, 1.5, 1.5, 1.5]
    """
    there = torch.stack([(pool.weights > 0).float() for pool in pools])  # (P, N)
    shares = torch.tensor([[pool.share] for pool in pools]).clamp(min=1e-12)
    return (there * there.mean(1, keepdim=True) / shares).sum(0)
