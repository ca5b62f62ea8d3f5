r"""Neighbours: the observations of a run's data whose codes are nearest to those of others.

The distance of two observations is that of the means of their codes, $\lVert \mathbb E\, q(z|x) -
\mathbb E\, q(z|x') \rVert$, and an observation is no neighbour of itself. Of molecules the
similarity of fingerprints stands beside it, since what is near in a latent need not look alike;
and the mean similarity of the neighbours lies somewhere between that of as many drawn at random and
that of the most similar ones that there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.apps.cells import cells
from twofold.apps.objectives import bits
from twofold.core.errors import UserError
from twofold.data.doctor import fitting
from twofold.data.kind import Where
from twofold.data.kinds.tables import Tables
from twofold.data.kinds.text import Text
from twofold.data.sources import Rows, Source, whole
from twofold.maths.descriptors import tanimoto
from twofold.runs.other import Other
from twofold.runs.run import Run


@dataclass(frozen=True)
class Neighbours:
    """The k nearest of each of N observations.

    Args:
        at: their places among the others, (N, k), the nearest first. distance: of their codes.
    """

    at: Tensor
    distance: Tensor


@dataclass(frozen=True)
class Likeness:
    """How similar molecules are to their neighbours.

    Args:
        each: (N, k). usual: the mean of k at random. most: the mean of the k most similar.
    """

    each: Tensor
    usual: float
    most: float

    def __str__(self) -> str:
        return (
            f"mean similarity (Tanimoto) of neighbours {self.each.mean():.2f}; of as many at "
            f"random {self.usual:.2f}, of the most similar that there are {self.most:.2f}"
        )


def neighbours(run: Run, asked: Source, others: Source, k: int) -> Neighbours:
    """The nearest of others by code.

    Raises:
        UserError: there are not as many, or the model has no encoder.
    """
    if not 0 < k < len(others):
        raise UserError(f"-k {k}: there are {len(others):,} observations that may be near")
    here, there = (torch.from_numpy(run.encode(side)) for side in (asked, others))
    far = torch.cdist(here, there)
    close = far.topk(min(len(others), 2 * k + 1), largest=False).indices
    distance = far.gather(1, close).masked_fill(same(asked, others, close), torch.inf)
    kept = distance.topk(k, largest=False)
    return Neighbours(close.gather(1, kept.indices), kept.values)


def same(asked: Source, others: Source, at: Tensor) -> Tensor:
    """Which of the observations at places (N, M) are the very ones they are near to, (N, M)."""
    values = whole(asked).values.flatten(1)
    near = others.read(at.flatten()).values.flatten(1).unflatten(0, at.shape)  # (N, M, numel)
    return (near == values.unsqueeze(1)).all(2)


def alike(made: Neighbours, asked: Sequence[str], others: Sequence[str], seed: int) -> Likeness:
    """How similar molecules are to their neighbours, to some at random, and to the most similar."""
    every = tanimoto(bits(asked), bits(others))  # (N, M)
    itself = torch.tensor([[one == other for other in others] for one in asked])
    every = every.masked_fill(itself, 0.0)
    k = made.at.shape[1]
    chance = torch.randint(
        len(others), made.at.shape, generator=torch.Generator().manual_seed(seed)
    )
    usual, most = every.gather(1, chance), every.topk(k).values
    return Likeness(every.gather(1, made.at), float(usual.mean()), float(most.mean()))


def called(run: Run, where: Where, n: int) -> list[str]:
    """What the first n observations of some data are called; their numbers without names."""
    return Other.of(run, where).names(n)[:n]


def contents(run: Run, where: Where, places: Tensor, rows: Rows) -> Mapping[str, Sequence[str]]:
    """What stands in some rows, by column: sentences as the user wrote them, or cells.

    Args:
        run: the run. where: the data, or observations that were written out. places: the numbers
            of the rows there. rows: their values.
    """
    kind, at = run.kind, places.tolist()
    if isinstance(kind, Tables) and not isinstance(where, Source):
        return kind.cells(fitting(where, kind).where, at)
    if not isinstance(kind, Text):
        return cells(run, rows)
    if isinstance(where, Source):
        return {kind.column: kind.sentences(rows)}
    every = kind.lines(fitting(where, kind).where).sentences
    return {kind.column: [every[place] for place in at]}


def side_by_side(
    lines: Sequence[Sequence[str]],
    of: Mapping[str, Sequence[str]],
    near: Mapping[str, Sequence[str]],
) -> list[dict[str, str]]:
    """A row a neighbour by column, with what stands in each observation and in its neighbour.

    Args:
        lines: as `lines` gives them. of: by column, of each observation. near: of each line.
    """
    each = len(lines) // max(1, *map(len, of.values()), 1)
    beside = {f"of {name}": [t for t in texts for _ in range(each)] for name, texts in of.items()}
    beside |= {f"near {name}": list(texts) for name, texts in near.items()}
    return [
        dict(zip(COLUMNS, line, strict=True)) | {name: texts[i] for name, texts in beside.items()}
        for i, line in enumerate(lines)
    ]


def shown(row: Mapping[str, str]) -> tuple[str, str, str, str]:
    """A neighbour for people: of what, which in rank, what it is, and how far."""
    of, near = (
        ", ".join(text for name, text in row.items() if name.startswith(f"{side} "))
        for side in ("of", "near")
    )
    return of or row["of"], row["rank"], near or row["name"], row["distance"]


def lines(
    made: Neighbours,
    asked: Sequence[str],
    others: Sequence[str],
    rows: Sequence[int],
    beside: Tensor,
) -> Iterator[list[str]]:
    """A row a neighbour: of which observation, its rank, row, name, distance, and what is beside.

    Args:
        rows: the number of each of the others in its file. beside: more numbers, (N, k, C).
    """
    for i, near in enumerate(made.at.tolist()):
        for rank, at in enumerate(near):
            more = [f"{one:.3f}" for one in beside[i, rank].tolist()]
            far = f"{made.distance[i, rank]:.4g}"
            yield [asked[i], str(rank + 1), str(rows[at]), others[at], far, *more]


COLUMNS = ("of", "rank", "row", "name", "distance")
