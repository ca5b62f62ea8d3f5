"""Few labels: a source that tells what is given of some rows, and of the others nothing.

Which rows those are is a function of the seed: as evenly over the labels as may be, and at random
within each. So the same training data serves to ask what a label more is worth.

>>> from twofold.data.sources import Memory
>>> rows = Memory(torch.zeros(6, 1), torch.tensor([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]]))
>>> sorted(few(rows, 2, seed=0).labels().flatten().nan_to_num(-1).tolist())
[-1.0, -1.0, -1.0, -1.0, 0.0, 1.0]
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.data.sources import Rows, Source


@dataclass(frozen=True)
class Told(Source):
    """Rows of another source; what is given is known of those that are `told` (N,) alone."""

    source: Source
    told: Tensor

    def __len__(self) -> int:
        return len(self.source)

    def read(self, rows: Tensor) -> Rows:
        found = self.source.read(rows)
        return Rows(found.values, self.withheld(found.given, self.told[rows]))

    def labels(self) -> Tensor:
        return self.withheld(self.source.labels(), self.told)

    def factors(self) -> Tensor:
        return self.source.factors()

    def groups(self) -> Tensor:
        return self.source.groups()

    def scenes(self) -> Tensor:
        return self.source.scenes()

    def withheld(self, given: Tensor, told: Tensor) -> Tensor:
        return given.masked_fill(~told.unsqueeze(1), torch.nan)


def few(source: Source, count: int, seed: int) -> Source:
    """The source with the labels of `count` rows, and no others; 0 is all of them.

    Raises:
        UserError: fewer rows have any.
    """
    return Told(source, chosen(source.labels(), count, seed)) if count else source


def chosen(labels: Tensor, count: int, seed: int) -> Tensor:
    """Which rows (N,) of labels (N, G) are told: `count` of them, of each label as many."""
    known = ~labels.isnan().all(1) if labels.shape[1] else torch.zeros(len(labels)).bool()
    if count > known.sum():
        raise UserError(
            f"train.labels = {count}, and {int(known.sum()):,} training rows have a label; ask for "
            "fewer, or leave it at 0 for all of them"
        )
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    order = order[known[order]]
    _, sort = labels[order].nan_to_num(-1).unique(dim=0, return_inverse=True)
    turn = torch.zeros(len(order), dtype=torch.long)
    for label in sort.unique():
        turn[sort == label] = torch.arange(int((sort == label).sum()))
    told = torch.zeros(len(labels), dtype=torch.bool)
    told[order[turn.argsort(stable=True)[:count]]] = True
    return told
