r"""Scales: one observation at several sizes.

The sizes of a grid go from a coarse one to the full one, each axis longer than four twice as long
at the next, or as near to that as its length allows. `Resize` fills the next size by repeating the
values of the smaller; `Shrink` goes back by the mean over the places that one value would fill. So

$$ \text{Shrink}(\text{Resize}(x)) = x $$

exactly, for any size: what is enlarged and shrunk again is not blurred, and a network that paints
small pictures can be judged at the full size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.core.errors import UserError
from twofold.nets.blocks import CONVOLUTIONS, Resize
from twofold.nets.bodies import halvings

Axes = tuple[int, ...]
SMOOTH = {1: "linear", 2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True)
class Widths(Part):
    r"""Channels at each size: `width` at the full one, twice as many at each halving, in bounds.

    $$ c_i = w \min(2^i, g) $$

    Args:
        width: w.
        growth: g, at most so many times the width.

    Source: Karras et al. 2018, arXiv:1710.10196, Table 2, where 16 channels grow to 512.

    >>> [Widths(16, 4)(halving) for halving in range(4)]
    [16, 32, 64, 64]
    """

    width: PositiveInt = 16
    growth: PositiveInt = 8

    def __call__(self, halving: int) -> int:
        return self.width * min(2**halving, self.growth)


class Shrink(nn.Module):
    """The mean over the places that each value of the smaller size would fill.

    >>> Shrink((5,), (3,))(torch.tensor([[[1.0, 3.0, 4.0, 6.0, 7.0]]]))
    tensor([[[2., 5., 7.]]])
    """

    def __init__(self, large: Axes, small: Axes) -> None:
        super().__init__()
        self.moved = [i for i, (a, b) in enumerate(zip(large, small, strict=True)) if a != b]
        for i in self.moved:
            self.register_buffer(f"mean{i}", means(large[i], small[i]), persistent=False)

    def forward(self, h: Tensor) -> Tensor:
        for i in self.moved:
            h = (h.transpose(2 + i, -1) @ getattr(self, f"mean{i}")).transpose(2 + i, -1)
        return h


def means(large: int, small: int) -> Tensor:
    """A matrix (large, small) whose columns take the mean over the places of one cell."""
    line = torch.arange(small, dtype=torch.get_default_dtype()).reshape(1, 1, -1)
    cell = Resize((large,))(line).flatten()  # which value fills each place
    inside = (cell.unsqueeze(1) == torch.arange(small)).to(line)
    return inside / inside.sum(0)


class Scales(nn.Module):
    """The sizes of a grid, from coarse to full, and the ways between them.

    Args:
        axes: the full size. coarsest: no axis of the first size is longer, if halving can do it.

    >>> Scales((28, 28)).sizes
    [(4, 4), (7, 7), (14, 14), (28, 28)]
    """

    def __init__(self, axes: Axes, coarsest: int = 4) -> None:
        super().__init__()
        down = halvings(axes)
        last = next((i for i, size in enumerate(down) if max(size) <= coarsest), len(down) - 1)
        self.sizes = down[: last + 1][::-1]
        pairs = list(pairwise(self.sizes))
        self.resizes = nn.ModuleList(Resize(large) for _, large in pairs)
        self.shrinks = nn.ModuleList(Shrink(large, small) for small, large in pairs)

    def __len__(self) -> int:
        return len(self.sizes)

    def places(self, scale: int) -> int:
        return math.prod(self.sizes[scale])

    def halving(self, scale: int) -> int:
        """How often the full size is halved at a scale."""
        return len(self) - 1 - scale

    def enlarge(self, h: Tensor, scale: int) -> Tensor:
        """From a scale to the full size."""
        for resize in self.resizes[scale:]:
            h = resize(h)
        return h

    def reduce(self, h: Tensor, scale: int) -> Tensor:
        """From the full size to a scale."""
        for shrink in reversed(self.shrinks[scale:]):
            h = shrink(h)
        return h


def enlarged(h: Tensor, size: Axes) -> Tensor:
    """h (B, C, *A) at another size, linear between its values."""
    return F.interpolate(h, size=size, mode=SMOOTH[len(size)], align_corners=False)


def check_grid(axes: Axes, family: str) -> None:
    """Refuse data that are not laid out along axes.

    >>> check_grid((), "progressive")
    Traceback (most recent call last):
    ...
    twofold.core.errors.UserError: progressive paints grids of 1 to 3 axes, and this data has 0; ...
    """
    if len(axes) not in CONVOLUTIONS:
        raise UserError(
            f"{family} paints grids of 1 to 3 axes, and this data has {len(axes)}; "
            "choose the model gan, which takes every layout"
        )
