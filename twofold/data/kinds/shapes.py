"""Shapes: pictures whose factors are known, for measures of what a code keeps apart.

`shapes2d` has 737,280 pictures to the recipe of dSprites (see `data/shapes2d.py`), drawn when they
are asked for, so that the whole set costs no memory. A model is given nothing of them unless
`data.given` names it: the factors (shape, scale, orientation, x, y, and colour where colours are
asked for) are kept beside the pictures, and only measures see them. The published file is used in
place of our own drawings where it lies in `$TWOFOLD_DATA/dsprites`, at its size and unless
`data.pictures` says otherwise; a run remembers which it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self, final

import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Bounded, Field, Space
from twofold.core.words import plural
from twofold.data import shapes2d
from twofold.data.kind import Finding, Kind, Told, Where, told
from twofold.data.kinds.arrays import Arrays, Streams
from twofold.data.shapes2d import CANVAS, SHAPES, Grid, Shelf
from twofold.data.sources import Made, Memory, Rows, Source, known

KEEP = 1 << 28
"""Bytes of pictures that are kept in memory; more are drawn when they are asked for."""

Pictures = Literal["drawn", "official"]
WHICH: Mapping[Pictures, str] = {"drawn": "drawn here", "official": "of the published file"}


@final
@dataclass(frozen=True)
class Shapes(Kind):
    """The codec of a grid of shapes.

    Args:
        grid: which values of each factor occur.
        size: pixels a side.
        given: what a model is given; the other factors are kept for measures.
        pictures: whose.
        stream: as asked of `inspect`.
    """

    grid: Grid
    size: int
    given: Space
    pictures: Pictures = "drawn"
    stream: Streams = "auto"

    name = "shapes"
    example = Space((Field("pixel", Bounded(0, 1, 2)),), (16, 16))

    @property
    def space(self) -> Space:  # type: ignore[override]
        channels = 3 if self.grid.coloured else 1
        return Space((Field("pixel", Bounded(0, 1, 2), channels),), (self.size, self.size))

    @property
    def factors(self) -> Space:  # type: ignore[override]
        given = [field.name for field in self.given.fields]
        return Space(tuple(f for f in self.grid.space.fields if f.name not in given))

    @property
    def arrays(self) -> Arrays:
        """The pictures as a plain array, which is what files of them are."""
        return Arrays(self.space, Space(), "|u1", "last" if self.grid.coloured else "only")

    @classmethod
    def accepts(cls, where: Where) -> bool:
        """The named set alone."""
        return isinstance(where, Shelf)

    @classmethod
    def reads(cls, where: Where) -> bool:
        return isinstance(where, Shelf) or Arrays.reads(where)

    @classmethod
    def inspect(
        cls,
        where: Where,
        *,
        size: int = CANVAS,
        every: int | dict[str, int] = 1,
        shapes: tuple[str, ...] = SHAPES,
        colours: tuple[str, ...] = ("white",),
        given: Told = (),
        pictures: Literal["auto", "drawn", "official"] = "auto",
        stream: Streams = "auto",
    ) -> tuple[Self, list[Finding]]:
        """Choose the grid.

        Args:
            where: the named set.
            size: pixels a side.
            every: keep every k-th scale, orientation, x and y; or k by name, {orientation = 2}.
            shapes: those that occur.
            colours: those that occur, of white, red, green, blue, yellow, cyan and magenta.
            given: factors that a model is given, by name; the others only measures see.
            pictures: `drawn` here or the `official` ones; `auto` takes those where they are.
            stream: draw when asked; `auto` does so above 256 MB.
        """
        if not 1 <= size <= 1024:
            raise UserError(f"data.size = {size} is not within 1 … 1024; change it")
        grid = Grid.of(every, shapes, colours)
        fits = size == CANVAS and bool(where.official)
        chosen: Pictures = "official" if fits and pictures != "drawn" else "drawn"
        if pictures == "official" and not fits:
            raise UserError(
                f"the official pictures need {shapes2d.FILE} in $TWOFOLD_DATA/dsprites and "
                f"data.size = {CANVAS}; set data.pictures = drawn"
            )
        kind = cls(grid, size, told(grid.space, given)[0], chosen, stream)
        counts = ", ".join(f"{f.name} ({steps(f)})" for f in kind.factors.fields)
        about = f"{plural(len(grid), 'picture')} of {size} × {size}, {WHICH[chosen]}"
        note = "a square looks the same after a quarter turn, an ellipse after half a turn"
        return kind, [
            Finding("note", about),
            Finding("note", f"factors that no model is given: {counts or 'none'}"),
            *([Finding("note", note)] if len(grid.kept[3]) > 1 else []),
        ]

    def open(self, where: Where) -> Source:
        if not isinstance(where, Shelf):
            return self.arrays.open(where)
        every = torch.arange(len(self.grid))
        values = self.grid.values(every)
        named = [field.name for field in self.grid.space.fields]
        given, factors = (
            values[:, [named.index(field.name) for field in space.fields]]
            for space in (self.given, self.factors)
        )
        many = self.maker(where)
        small = len(every) * math.prod(self.space.shape) <= KEEP
        if {"auto": small, "always": False, "never": True}[self.stream]:
            parts = [many(rows) for rows in every.split(4096)]
            return known(Memory(torch.cat(parts), given), factors)
        return known(Made(many, given), factors)

    def maker(self, shelf: Shelf) -> Maker:
        """What makes the pictures of rows."""
        if self.pictures == "drawn":
            return Maker(self.grid, partial(shapes2d.draw, size=self.size))
        if not shelf.official:
            raise UserError(
                f"the run was trained on the published pictures; put {shapes2d.FILE} into "
                "$TWOFOLD_DATA/dsprites"
            )
        return Maker(self.grid, shapes2d.published(shelf.official[0]))

    def native(self, rows: Rows) -> Any:
        """The pictures as an array (N, H, W), or (N, H, W, 3) with colours."""
        return self.arrays.native(rows)

    def write(self, rows: Rows, out: Path, across: int = 0) -> list[Path]:
        """`grid.png` and `samples.npy`."""
        return self.arrays.write(rows, out, across)

    def draw(self, rows: Rows) -> Tensor:
        return self.arrays.draw(rows)

    def to_dict(self) -> dict[str, Any]:
        return {
            "grid": [list(kept) for kept in self.grid.kept],
            "size": self.size,
            "given": self.given.to_dict(),
            "pictures": self.pictures,
            "stream": self.stream,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        grid = Grid(tuple(tuple(kept) for kept in data["grid"]))
        return cls(**{**data, "grid": grid, "given": Space.from_dict(data["given"])})


@dataclass(frozen=True)
class Maker:
    """Makes the pictures of rows of a grid, from white ones of factors by index."""

    grid: Grid
    white: Callable[[Tensor], Tensor]

    def __call__(self, rows: Tensor) -> Tensor:
        indices = self.grid.indices(rows)
        white = self.white(indices)
        return shapes2d.coloured(white, indices[:, 0]) if self.grid.coloured else white


def steps(field: Field) -> int:
    """How many values a factor has."""
    domain = field.domain
    return domain.levels if isinstance(domain, Bounded) else domain.width
