"""Factors: what is known of observations and was never given to the model.

Whether a code keeps apart what varies apart can only be said where that is known: a table of the
factors of each observation, which the data keeps beside what a model is given (see `Source.factors`
and `data.given`). A factor is one of finitely many values: a category, a number of few steps, or a
number of many, cut into parts of equal frequency. Codes are means of q(z | x), never draws from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.game import Decodes, Encodes
from twofold.core.space import Category, Space
from twofold.measures.estimate import chunks, device_of, generator, steady

CUT = 20
"""The most parts that a number is cut into."""
STEPS = 64
"""The most values of a number that are taken as they are."""
COLLAPSED = 0.05
"""A dimension whose mean varies by less than this share of the prior's variance is collapsed."""
ROWS = 256


@dataclass(frozen=True)
class Factors:
    """The factors of n observations.

    Args:
        names: of the factors.
        index: (n, K), which of its values each factor has; −1 where it is not known.
        ordered: whether a factor is a number.
    """

    names: tuple[str, ...] = ()
    index: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.int64))
    ordered: tuple[bool, ...] = ()

    @classmethod
    def of(cls, space: Space, values: Tensor) -> Self:
        """The factors from their space and values (n, K), NaN where not known; those that vary.

        >>> from twofold.core.space import Field, Real
        >>> Factors.of(Space((Field("size", Real()),)), torch.tensor([[0.5], [2.0], [0.5]])).index
        tensor([[0],
                [1],
                [0]])
        """
        columns = [indexed(column) for column in values.T.contiguous()]
        varied = [i for i, column in enumerate(columns) if len(column) and column.max() > 0]
        empty = torch.zeros(len(values), 0, dtype=torch.int64)
        return cls(
            tuple(space.fields[i].name for i in varied),
            torch.cat([empty, *(columns[i][:, None] for i in varied)], 1),
            tuple(not isinstance(space.fields[i].domain, Category) for i in varied),
        )

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: slice | Tensor) -> Self:
        return type(self)(self.names, self.index[rows], self.ordered)


def indexed(values: Tensor) -> Tensor:
    """Which value each of (n,) is, or which part of equal frequency; −1 where it is missing."""
    seen = values[~values.isnan()]
    steps = seen.unique()
    if len(steps) <= min(STEPS, max(len(seen) // 2, 2)):
        return torch.where(values.isnan(), -1, torch.searchsorted(steps, values.nan_to_num()))
    parts = max(2, min(CUT, len(seen) // 10))
    edges = torch.quantile(seen, torch.arange(1, parts).to(seen) / parts)
    return torch.where(values.isnan(), -1, torch.searchsorted(edges, values, right=True))


@dataclass(frozen=True)
class Seen:
    """Codes beside factors.

    Args:
        code: means of q(z | x), (n, D), float64. index: of the factors, (n, K).
        ordered: whether each factor is a number. live: which dimensions are not collapsed, (D,).
    """

    code: Tensor
    index: Tensor
    ordered: tuple[bool, ...]
    live: Tensor

    @property
    def alive(self) -> Seen:
        """The live dimensions alone."""
        return replace(self, code=self.code[:, self.live], live=self.live[self.live])

    def taken(self, rows: Tensor) -> Seen:
        """Some of the rows."""
        return replace(self, code=self.code[rows], index=self.index[rows])

    def shuffled(self, seed: int) -> Seen:
        """The codes in another order of the rows: they say nothing of the factors any more."""
        rows = torch.randperm(len(self.code), generator=generator(seed + 1))
        return replace(self, code=self.code[rows])


def unassessed(model: object, real: Batch, factors: Factors, least: int = 1) -> str:
    """Why nothing can be said of disentanglement; empty where it can.

    Args:
        model: which has to encode. real: observations. factors: what is known of them.
        least: how many factors are needed.
    """
    if not isinstance(model, Encodes):
        return "the model has no encoder" if model != () else "there is no model"
    if not factors.names:
        return (
            "disentanglement not assessed: no factor is known of these observations beyond what "
            "the model is given"
        )
    if len(factors.names) < least:
        return f"disentanglement not assessed: {factors.names[0]} is the only factor known"
    whole = (factors.index >= 0).all(1)
    few = min(int(whole.sum()), len(real)) < 20
    return "disentanglement not assessed: it needs 20 rows of known factors" if few else ""


def look(model: object, real: Batch, factors: Factors, n: int, seed: int) -> Seen:
    """The codes and factors of at most n of the rows whose factors are all known."""
    assert isinstance(model, Encodes)
    batch, index = known(real, factors, n, seed)
    code = means(model, batch, seed)
    live = code.var(0) >= COLLAPSED * prior_variance(model, batch.given, seed)
    return Seen(code, index, factors.ordered, live)


def known(real: Batch, factors: Factors, n: int, seed: int) -> tuple[Batch, Tensor]:
    """At most n rows at random whose factors are all known, and those factors (n, K)."""
    whole = (factors.index >= 0).all(1).nonzero()[:, 0]
    rows = whole[torch.randperm(len(whole), generator=generator(seed))[:n]]
    return Batch(real.x[rows], real.given[rows], real.rows[rows]), factors.index[rows]


def means(model: Encodes, batch: Batch, seed: int) -> Tensor:
    """The means of q(z | x), (n, D), in float64."""
    with steady(model, seed):
        parts = [model.encode(part.x, part.given).mean for part in chunks(model, batch, ROWS)]
    return torch.cat(parts).double().cpu()


def prior_variance(model: object, given: Given, seed: int) -> Tensor:
    """Of each dimension of a draw from the prior, (D,) or (); 1 where there is no prior."""
    if not isinstance(model, Decodes):
        return torch.ones((), dtype=torch.float64)
    known = Given(given.c[torch.arange(1000) % len(given)]).to(device_of(model))
    with steady(model, seed):
        return model.prior(known).sample().double().var(0).cpu()


def by_value(label: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Draws rows that share the label (n,) of others.

    The function returned takes rows (M,) and numbers in [0, 1) (M, L): which of the rows of the
    same label to take, (M, L).
    """
    order = label.argsort(stable=True)
    count = torch.bincount(label)
    start = count.cumsum(0) - count

    def draw(rows: Tensor, unit: Tensor) -> Tensor:
        value = label[rows][:, None]  # (M, 1)
        return order[start[value] + (unit * count[value]).long()]

    return draw
