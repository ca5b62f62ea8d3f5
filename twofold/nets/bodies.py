r"""Bodies: networks built from a Space, for any size.

An `Architecture` is a part, chosen in a recipe; it builds two bodies. The one *down* maps an
observation x (B, C, *A), with what is given, to numbers (B, out): the trunk of an encoder or a
critic. The one *up* maps a code z (B, D), with what is given, to channels (B, out, *A): the trunk
of a decoder or a generator. `Dense` flattens; `Conv` halves each axis that is longer than four
until none is, and comes back through exactly those sizes, so that 28 × 28, 64 × 78 and 1 × 140 all
work; where there are many places it starts from patches, as a convolution over every pixel of a
large picture costs more than it tells. `Suited` takes the one that fits the layout. A network of
the user's own is one more Architecture, in a file of theirs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import count, pairwise

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.core.errors import UserError
from twofold.core.space import Bounded, Space
from twofold.nets.blocks import (
    ACTIVATIONS,
    CONVOLUTIONS,
    Activation,
    Add,
    Attention,
    Residual,
    Resize,
    Unpatch,
)


class Body(nn.Module, ABC):
    """A network from (h, c) to numbers; its arithmetic may be of lower precision inside."""

    precision = torch.float32

    @abstractmethod
    def run(self, h: Tensor, c: Tensor) -> Tensor:
        """The network, h with what is given c (B, G)."""

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        if self.precision == torch.float32:
            return self.run(h, c)
        with torch.autocast(h.device.type, self.precision):
            out = self.run(h, c)
        return out.float()


class Architecture(Part, ABC):
    """How bodies are built."""

    @abstractmethod
    def down(self, space: Space, given: Space, out: int) -> Body:
        """A body from x (B, C, *A) to (B, out)."""

    @abstractmethod
    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        """A body from z (B, latent) to (B, out, *axes)."""


@dataclass(frozen=True)
class Dense(Architecture):
    """Layers of `width` units, `depth` of them hidden."""

    width: int = 256
    depth: int = 2
    activation: Activation = "leaky-relu"

    def down(self, space: Space, given: Space, out: int) -> Body:
        return DenseDown(space, self.layers(space.numel + given.width, out))

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        return DenseUp((out, *axes), self.layers(latent + given.width, out * math.prod(axes)))

    def layers(self, inputs: int, outputs: int) -> nn.Sequential:
        widths = [inputs, *[self.width] * self.depth]
        hidden = [
            layer
            for a, b in pairwise(widths)
            for layer in (nn.Linear(a, b), ACTIVATIONS[self.activation]())
        ]
        return nn.Sequential(*hidden, nn.Linear(widths[-1], outputs))


@dataclass(frozen=True)
class Conv(Architecture):
    """Residual convolutions over one, two or three axes.

    Args:
        width: channels at full size; they double at each halving, up to `growth` times.
        blocks: residual blocks at each size.
        attention: self-attention where no axis is longer than this; 0 for none.
        places: the most to convolve over; of a larger grid each place is a patch of p values a
            side, the least p that keeps within.
    """

    width: int = 32
    blocks: int = 1
    growth: int = 4
    attention: int = 0
    activation: Activation = "leaky-relu"
    places: PositiveInt = 1600

    def down(self, space: Space, given: Space, out: int) -> Body:
        check_axes(space.axes)
        return ConvDown(self, space, given.width, out)

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        check_axes(axes)
        return ConvUp(self, latent, given.width, out, axes)

    def channels(self, level: int) -> int:
        return self.width * min(2**level, self.growth)

    def patch(self, axes: tuple[int, ...]) -> int:
        """p: how many values a side become one place.

        >>> [Conv().patch(axes) for axes in ((28, 28), (64, 64), (128, 96), (140,))]
        [1, 2, 3, 1]
        """
        return next(p for p in count(1) if math.prod(patched(axes, p)) <= self.places)

    def stage(self, axes: tuple[int, ...], level: int, given: int) -> Stage:
        return Stage(self, axes, self.channels(level), given)


@dataclass(frozen=True)
class Suited(Architecture):
    """`dense` for vectors, `conv` for what has axes."""

    dense: Dense = Dense()
    conv: Conv = Conv()

    def down(self, space: Space, given: Space, out: int) -> Body:
        return self.pick(space.axes).down(space, given, out)

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        return self.pick(axes).up(latent, given, out, axes)

    def pick(self, axes: tuple[int, ...]) -> Architecture:
        return self.conv if axes else self.dense


class DenseDown(Body):
    """Flatten, join what is given, and go through the layers."""

    def __init__(self, space: Space, layers: nn.Sequential) -> None:
        super().__init__()
        self.centre = Centre(space)
        self.layers = layers

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        return self.layers(join(self.centre(h).flatten(1), c))


class DenseUp(Body):
    """Join what is given, go through the layers, and unfold."""

    def __init__(self, shape: tuple[int, ...], layers: nn.Sequential) -> None:
        super().__init__()
        self.shape = shape
        self.layers = layers

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        return self.layers(join(h, c)).unflatten(1, self.shape)


class Stage(nn.Module):
    """The blocks at one size: residual ones, then attention where the axes are short enough."""

    def __init__(self, arch: Conv, axes: tuple[int, ...], channels: int, given: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Residual(len(axes), channels, given, arch.activation) for _ in range(arch.blocks)
        )
        near = max(axes) <= arch.attention
        self.attention = nn.ModuleList([Attention(channels)] if near else [])

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        for block in self.blocks:
            h = block(h, c)
        for attention in self.attention:
            h = attention(h)
        return h


class ConvDown(Body):
    """Convolve, halve, …, flatten, and read out."""

    def __init__(self, arch: Conv, space: Space, given: int, out: int) -> None:
        super().__init__()
        p = arch.patch(space.axes)
        sizes = halvings(patched(space.axes, p))
        conv = CONVOLUTIONS[len(space.axes)]
        self.centre = Centre(space)
        self.stem = conv(space.width, arch.channels(0), 2 * p + 1, stride=p, padding=p)
        self.given = Add(given, arch.channels(0))
        self.stages = nn.ModuleList(arch.stage(a, i, given) for i, a in enumerate(sizes))
        self.shrinks = nn.ModuleList(
            conv(arch.channels(i), arch.channels(i + 1), 3, stride=strides(a, b), padding=1)  # type: ignore[arg-type]
            for i, (a, b) in enumerate(pairwise(sizes))
        )
        self.act = ACTIVATIONS[arch.activation]()
        self.read = nn.Linear(arch.channels(len(sizes) - 1) * math.prod(sizes[-1]), out)

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        h = self.given(self.stem(self.centre(h)), c)
        for stage, shrink in zip(self.stages, self.shrinks, strict=False):
            h = shrink(stage(h, c))
        return self.read(self.act(self.stages[-1](h, c).flatten(1)))


class ConvUp(Body):
    """Unfold the code at the smallest size, then enlarge and convolve up to the full one."""

    def __init__(
        self, arch: Conv, latent: int, given: int, out: int, axes: tuple[int, ...]
    ) -> None:
        super().__init__()
        p = arch.patch(axes)
        sizes = halvings(patched(axes, p))
        levels = range(len(sizes) - 1, -1, -1)
        conv = CONVOLUTIONS[len(axes)]
        self.start = (arch.channels(levels[0]), *sizes[-1])
        self.unfold = nn.Linear(latent + given, math.prod(self.start))
        self.stages = nn.ModuleList(arch.stage(sizes[i], i, given) for i in levels)
        self.grows = nn.ModuleList(
            nn.Sequential(
                Resize(sizes[i - 1]), conv(arch.channels(i), arch.channels(i - 1), 3, padding=1)
            )
            for i in levels[:-1]
        )
        self.act = ACTIVATIONS[arch.activation]()
        self.paint = conv(arch.channels(0), out * p ** len(axes), 3, padding=1)
        self.unpatch = Unpatch(p, axes)

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        h = self.unfold(join(h, c)).unflatten(1, self.start)
        for stage, grow in zip(self.stages, self.grows, strict=False):
            h = grow(stage(h, c))
        return self.unpatch(self.paint(self.act(self.stages[-1](h, c))))


class Centre(nn.Module):
    """Put numbers in [0, 1] into [-1, 1]; leave the rest."""

    scale: Tensor
    shift: Tensor

    def __init__(self, space: Space) -> None:
        super().__init__()
        bounded = [isinstance(f.domain, Bounded) for f in space.fields for _ in range(f.width)]
        on = torch.tensor(bounded, dtype=torch.get_default_dtype())
        on = on.reshape(-1, *[1] * len(space.axes))
        self.register_buffer("scale", 1 + on, persistent=False)
        self.register_buffer("shift", -on, persistent=False)
        self.idle, self.alike = not any(bounded), all(bounded)

    def forward(self, x: Tensor) -> Tensor:
        if self.idle:
            return x
        return 2 * x - 1 if self.alike else torch.addcmul(self.shift, x, self.scale)


def join(h: Tensor, c: Tensor) -> Tensor:
    """h with what is given beside it."""
    return torch.cat([h, c.to(h.dtype)], 1) if c.shape[1] else h


def patched(axes: tuple[int, ...], p: int) -> tuple[int, ...]:
    """The places of axes in patches of p a side, the last one part full."""
    return tuple(-(-a // p) for a in axes)


def halvings(axes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The sizes on the way down: each axis longer than four is halved, rounding up.

    >>> halvings((28, 28)), halvings((3, 10))
    ([(28, 28), (14, 14), (7, 7), (4, 4)], [(3, 10), (3, 5), (3, 3)])
    """
    sizes = [axes]
    while max(sizes[-1]) > 4:
        sizes.append(tuple(-(-a // 2) if a > 4 else a for a in sizes[-1]))
    return sizes


def strides(large: tuple[int, ...], small: tuple[int, ...]) -> tuple[int, ...]:
    """The stride of each axis between two sizes."""
    return tuple(1 if a == b else 2 for a, b in zip(large, small, strict=True))


def check_axes(axes: tuple[int, ...]) -> None:
    """Refuse what a convolution cannot take."""
    if len(axes) not in CONVOLUTIONS:
        raise UserError(
            f"the conv architecture needs 1 to 3 axes, and this data has {len(axes)}; use dense"
        )
