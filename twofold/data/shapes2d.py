r"""Shapes whose factors are known: a square, an ellipse or a heart, drawn to the dSprites recipe.

Every combination of the factors occurs once, in this order, the last changing fastest (Matthey et
al. 2017, *dSprites*):

| factor | values |
|---|---|
| shape | square, ellipse, heart |
| scale | 6, from 0.5 to 1 |
| orientation | 40, from 0 to 2π, both included: the last picture is the first again |
| x, y | 32 each, from 0 to 1: the centre moves by one pixel of 64 |

so 737,280 pictures of 64 × 64 with two levels; on request a colour comes before the shape. A pixel
is on when its centre p lies inside the shape, that is when

$$ (u, v) = \frac{1}{s} R(-\theta)(p - c), \qquad
|u|, |v| \le 8.6 \;\;\text{or}\;\; \frac{u^2}{13.7^2} + \frac{v^2}{6.9^2} \le 1 \;\;\text{or}\;\;
(a^2 + b^2 - 1)^3 \le a^2 b^3, \;\; (a, b) = (u, v) / 9.04, $$

with centre c, scale s and rotation R by the orientation θ, in units of a canvas of 64 whatever the
size of the picture; the three areas are nearly equal. The square comes back after a quarter turn
and the ellipse after half a turn, as in dSprites: for them the orientation can be inferred only up
to that. The pictures are not those of the dSprites file pixel by pixel; its factors are the same.

>>> everything = Grid.of()
>>> len(everything), everything.space.size
(737280, 5)
>>> one = draw(everything.indices(torch.tensor([0])), size=16)[0, 0]
>>> print("\n".join("".join("·#"[i] for i in row) for row in one[2:7, 2:7].tolist()))
·····
·##··
·##··
·····
·····
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twofold.core.errors import UserError, nearest
from twofold.core.space import Bounded, Category, Domain, Field, Space
from twofold.data.block import damaged

CANVAS = 64
SQUARE = 8.6
ELLIPSE = (13.7, 6.9)
HEART = 9.04
FIRST_CENTRE = 16.5

FACTORS = ("colour", "shape", "scale", "orientation", "x", "y")
SHAPES = ("square", "ellipse", "heart")
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "white": (1, 1, 1),
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "yellow": (1, 1, 0),
    "cyan": (0, 1, 1),
    "magenta": (1, 0, 1),
}
ENDS: Mapping[str, tuple[float, float]] = {
    "scale": (0.5, 1.0),
    "orientation": (0.0, 2 * math.pi),
    "x": (0.0, 1.0),
    "y": (0.0, 1.0),
}
COUNTS: Mapping[str, int] = {
    "colour": len(COLOURS), "shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32,
}  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """Which values of each factor occur, by index, in the order of `FACTORS`; each row is one
    combination of them."""

    kept: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls,
        every: int | Mapping[str, int] = 1,
        shapes: Sequence[str] = SHAPES,
        colours: Sequence[str] = ("white",),
    ) -> Self:
        """The grid of every k-th value of the factors that are numbers.

        Args:
            every: k, or one k a factor by name.
            shapes, colours: the names of those that occur.

        Raises:
            UserError: a name that is not known, or a k below 1.

        >>> len(Grid.of(every=4)), len(Grid.of(every={"orientation": 40}, shapes=["heart"]))
        (3840, 6144)
        """
        steps = dict.fromkeys(ENDS, every) if isinstance(every, int) else dict(every)
        chosen = {
            "colour": places(colours, COLOURS, "colours"),
            "shape": places(shapes, SHAPES, "shapes"),
        }
        for name, step in steps.items():
            if name not in ENDS:
                raise UserError(f"data.every.{name} is not a factor here; {nearest(name, ENDS)}")
            if step < 1:
                raise UserError(f"data.every = {step} should be 1 or more: every k-th value")
        for name in ENDS:
            chosen[name] = tuple(range(0, COUNTS[name], steps.get(name, 1)))
        return cls(tuple(chosen[name] for name in FACTORS))

    def __len__(self) -> int:
        return math.prod(self.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values of each factor occur."""
        return tuple(map(len, self.kept))

    @property
    def coloured(self) -> bool:
        """Whether anything but white occurs."""
        return any(self.kept[0])

    @property
    def space(self) -> Space:
        """The factors as fields; one that has a single value is none."""
        pairs = zip(FACTORS, self.kept, strict=True)
        return Space(tuple(Field(name, domain(name, kept)) for name, kept in pairs if kept[1:]))

    def indices(self, rows: Tensor) -> Tensor:
        """The index of every factor's value for rows (B,): (B, 6), among all that there are."""
        at = torch.unravel_index(rows, self.shape)
        return torch.stack([torch.tensor(k)[i] for k, i in zip(self.kept, at, strict=True)], 1)

    def values(self, rows: Tensor) -> Tensor:
        """The factors of rows (B,) as values of `space`, (B, K)."""
        at = torch.unravel_index(rows, self.shape)
        columns = [
            scale_of(field.domain, i)
            for field, i in zip(
                self.space.fields,
                [i for i, kept in zip(at, self.kept, strict=True) if kept[1:]],
                strict=True,
            )
        ]
        return torch.stack(columns, 1) if columns else torch.zeros(len(rows), 0)


def places(
    names: Sequence[str], known: Sequence[str] | Mapping[str, Any], what: str
) -> tuple[int, ...]:
    """Where names stand among those known, in the order of the latter."""
    for name in names:
        if name not in known:
            raise UserError(f"data.{what} has no {name!r}; {nearest(name, known)}")
    if not names:
        raise UserError(f"data.{what} names nothing; leave it out to have all")
    return tuple(i for i, name in enumerate(known) if name in names)


def domain(factor: str, kept: tuple[int, ...]) -> Domain:
    """What the values of one factor are."""
    if factor not in ENDS:
        names = tuple(COLOURS) if factor == "colour" else SHAPES
        return Category(tuple(names[i] for i in kept))
    low, high = (number(factor, i) for i in (kept[0], kept[-1]))
    return Bounded(low, high, len(kept))


def number(factor: str, index: int) -> float:
    """The value of a factor that is a number."""
    low, high = ENDS[factor]
    return low + (high - low) * index / (COUNTS[factor] - 1)


def scale_of(of: Domain, step: Tensor) -> Tensor:
    """The values of steps 0, 1, 2, … of a domain."""
    if not isinstance(of, Bounded):
        return step.float()
    return of.low + step * ((of.high - of.low) / (of.levels - 1))


# Drawing.

Inside = Callable[[Tensor, Tensor], Tensor]


def in_square(u: Tensor, v: Tensor) -> Tensor:
    return (u.abs() <= SQUARE) & (v.abs() <= SQUARE)


def in_ellipse(u: Tensor, v: Tensor) -> Tensor:
    return (u / ELLIPSE[0]).square() + (v / ELLIPSE[1]).square() <= 1


def in_heart(u: Tensor, v: Tensor) -> Tensor:
    a, b = u.square() / HEART**2, v / HEART
    return (a + b.square() - 1) ** 3 <= a * b**3


INSIDE: Mapping[str, Inside] = {"square": in_square, "ellipse": in_ellipse, "heart": in_heart}


def draw(indices: Tensor, size: int = CANVAS) -> Tensor:
    """Pictures of factors by index (B, 6): (B, 1, size, size), uint8, 0 or 1; white."""
    _, shape, scale, orientation, x, y = indices.T
    step = 1 / (COUNTS["scale"] - 1)
    s = 0.5 + 0.5 * scale.double() * step
    theta = 2 * math.pi * orientation.double() / (COUNTS["orientation"] - 1)
    return drawn(shape, s, theta, FIRST_CENTRE + x.double(), FIRST_CENTRE + y.double(), size)


def drawn(
    shape: Tensor, s: Tensor, theta: Tensor, x: Tensor, y: Tensor, size: int = CANVAS
) -> Tensor:
    """Pictures of any factors (B,): shapes by index, the centre in units of the canvas."""
    p = (torch.arange(size, dtype=torch.float64) + 0.5) * (CANVAS / size)
    right = (p - x[:, None])[:, None, :]  # (B, 1, W)
    up = (y[:, None] - p)[:, :, None]  # (B, H, 1): a picture's rows go down
    cos, sin = (turn[:, None, None] for turn in (theta.cos() / s, theta.sin() / s))
    u, v = cos * right + sin * up, cos * up - sin * right  # (B, H, W)
    out = torch.zeros(len(shape), 1, size, size, dtype=torch.uint8)
    for index, name in enumerate(SHAPES):
        rows = (shape == index).nonzero()[:, 0]
        out[rows, 0] = INSIDE[name](u[rows], v[rows]).byte()
    return out


def coloured(white: Tensor, colour: Tensor) -> Tensor:
    """White pictures (B, 1, H, W) in colours by index (B,): (B, 3, H, W)."""
    red_green_blue = torch.tensor(list(COLOURS.values()), dtype=torch.uint8)
    return white * red_green_blue[colour][:, :, None, None]


# The published file.


@dataclass(frozen=True)
class Shelf:
    """Where shapes are: `official` are the places of the published file, none where it is not."""

    official: tuple[Path, ...] = ()


FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"


@dataclass(frozen=True)
class Packed:
    """Pictures of two levels, eight pixels a byte: all of dSprites in 377 MB.

    Args:
        bits: (N, size² / 8), in the order of the grid.
        size: pixels a side.
        counts: how many values shape, scale, orientation, x and y have.
    """

    bits: NDArray[np.uint8]
    size: int
    counts: tuple[int, ...]

    def __call__(self, indices: Tensor) -> Tensor:
        """The pictures of factors by index (B, 6), of which the colour is not asked."""
        rows = np.ravel_multi_index(tuple(indices[:, 1:].T.numpy()), self.counts)
        flat = np.unpackbits(self.bits[rows], axis=1)
        return torch.from_numpy(flat).reshape(len(rows), 1, self.size, self.size)


def published(path: Path, counts: tuple[int, ...] = (3, 6, 40, 32, 32)) -> Packed:
    """The pictures of the official `.npz`; its pickled metadata is never touched.

    Raises:
        UserError: it is damaged, or its rows are not the grid.
    """
    with damaged(path), zipfile.ZipFile(path) as archive:
        classes = array_of(archive, "latents_classes.npy")
        bits, size = packed(archive, "imgs.npy")
    rows = math.prod(counts)
    grid = np.stack(np.unravel_index(np.arange(rows), (1, *counts)), 1)
    if classes.shape != grid.shape or (classes != grid).any() or len(bits) != rows:
        raise UserError(f"{path} is not dSprites: its rows are not the grid; get it again")
    return Packed(bits, size, counts)


def array_of(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """One array of a `.npz`, never a pickled one."""
    with archive.open(name) as file:
        found: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return found


def packed(archive: zipfile.ZipFile, name: str) -> tuple[NDArray[np.uint8], int]:
    """Pictures (N, S, S) of a `.npz`, packed while they are read, and S."""
    with archive.open(name) as file:
        np.lib.format.read_magic(file)
        (rows, size, _), _, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype != np.uint8:
            raise ValueError(f"pictures of {dtype}")
        out = np.zeros((rows, size * size // 8), np.uint8)
        step = max(1, (1 << 24) // (size * size))
        for start in range(0, rows, step):
            count = min(step, rows - start)
            part = np.frombuffer(file.read(count * size * size), np.uint8)
            out[start : start + count] = np.packbits(part.reshape(count, -1), axis=1)
    return out, size
