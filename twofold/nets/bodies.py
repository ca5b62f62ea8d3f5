r"""Bodies: networks built from a Space, for any size.

An `Architecture` is a part, chosen in a recipe; it builds two bodies. The one *down* maps an
observation x (B, C, *A), with what is given, to numbers (B, out): the trunk of an encoder or a
critic. The one *up* maps a code z (B, D), with what is given, to channels (B, out, *A): the trunk
of a decoder or a generator. Where the code is a grid of places, each with numbers of its own, they
are `down_grid` and `up_grid`. `Dense` flattens, and `Fourier` sees waves of x beside it; `Conv`
halves each axis that is longer than four until none is, and comes back through exactly those sizes,
so that 28 × 28, 64 × 78 and 1 × 140 all work; where there are many places it starts from patches,
as a convolution over every pixel of a large picture costs more than it tells. `Suited` takes the
one that fits the layout. A network of the user's own is one more Architecture, in a file of theirs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, pairwise

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
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
    Modulate,
    Noise,
    Residual,
    Resize,
    Unpatch,
    normalised,
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

    def lift(self, by: Tensor) -> None:
        """Add numbers (out, *A) to all that comes out, once; a body of the user's own need not."""


class Architecture(Part, ABC):
    """How bodies are built."""

    @abstractmethod
    def down(self, space: Space, given: Space, out: int) -> Body:
        """A body from x (B, C, *A) to (B, out)."""

    @abstractmethod
    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        """A body from z (B, latent) to (B, out, *axes)."""

    def coarse(self, axes: tuple[int, ...], most: int) -> tuple[int, ...]:
        """The grid of a code over some axes: they are halved until it has at most so many places.

        >>> [Suited().coarse(axes, 64) for axes in ((28, 28), (8, 8), (96, 128), (140,))]
        [(7, 7), (4, 4), (4, 6), (35,)]
        """
        return first_within(halvings(axes), most)

    def down_grid(self, space: Space, given: Space, out: int, places: tuple[int, ...]) -> Body:
        """A body from x (B, C, *A) to `out` numbers a place, (B, out, *places)."""
        return Unfolded(self.down(space, given, out * math.prod(places)), (out, *places))

    def up_grid(
        self, latent: int, places: tuple[int, ...], given: Space, out: int, axes: tuple[int, ...]
    ) -> Body:
        """A body from z (B, latent, *places) to (B, out, *axes)."""
        return Folded(self.up(latent * math.prod(places), given, out, axes))


@dataclass(frozen=True)
class Dense(Architecture):
    r"""Layers of `width` units, `depth` of them hidden.

    $$ h_0 = (x, c), \qquad h_{i+1} = \operatorname{act}(W_i h_i + b_i) + \sigma \varepsilon_i,
     \qquad \text{out} = W h_{\text{depth}} + b $$

    Args:
        width: units of a hidden layer. depth: hidden layers. activation: act.
        noise: σ, of standard normal noise on each hidden layer, in training alone.

    Source: Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors;
    noise, Poole, Sohl-Dickstein & Ganguli 2014, arXiv:1406.1831.
    """

    width: int = 256
    depth: int = 2
    activation: Activation = "leaky-relu"
    noise: NonNegativeFloat = 0.0

    def down(self, space: Space, given: Space, out: int) -> Body:
        return DenseDown(space, self.layers(space.numel + given.width, out))

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        return DenseUp((out, *axes), self.layers(latent + given.width, out * math.prod(axes)))

    def layers(self, inputs: int, outputs: int) -> nn.Sequential:
        widths = [inputs, *[self.width] * self.depth]
        hidden = [
            layer
            for a, b in pairwise(widths)
            for layer in (nn.Linear(a, b), ACTIVATIONS[self.activation](), *self.noises())
        ]
        return nn.Sequential(*hidden, nn.Linear(widths[-1], outputs))

    def noises(self) -> list[nn.Module]:
        return [Noise(self.noise)] if self.noise else []


@dataclass(frozen=True)
class Fourier(Architecture):
    r"""Dense layers that see beside x its random Fourier features, for what is fine in few numbers.

    $$ h_0 = \big(x, \cos 2\pi B x, \sin 2\pi B x\big), \qquad B_{ij} \sim \mathcal N(0, s^2) $$

    A dense network learns the coarse first, and detail that is small beside the whole only late
    or never; waves of about 1 / s units of x bring it near. On the way up it is the dense network.

    Args:
        dense: the layers. features: rows of B. scale: s, in waves a unit of x.

    Source: Tancik et al. 2020, Fourier Features Let Networks Learn High Frequency Functions in Low
    Dimensional Domains, arXiv:2006.10739.
    """

    dense: Dense = Dense()
    features: PositiveInt = 32
    scale: PositiveFloat = 1.0

    def down(self, space: Space, given: Space, out: int) -> Body:
        waves = Waves(space.numel, self.features, self.scale)
        return FourierDown(space, waves, self.dense.layers(waves.width + given.width, out))

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        return self.dense.up(latent, given, out, axes)


@dataclass(frozen=True)
class Conv(Architecture):
    r"""Residual convolutions over one, two or three axes.

    $$ h \leftarrow h + W_2 * \operatorname{act}\big(W_1 * \operatorname{act}(h + V c)\big)
     \quad \text{at each size, then} \quad h \leftarrow W_3 * h \;\text{ at half the size} $$

    Args:
        width: channels at full size; they double at each halving, up to `growth` times.
        blocks: residual blocks at each size; with none, strided convolutions follow each other
            with the activation between them (Radford et al. 2016, DCGAN, arXiv:1511.06434).
        growth: what the channels are multiplied by at most.
        attention: self-attention where no axis is longer than this; 0 for none.
        activation: act.
        places: the most to convolve over; of a larger grid each place is a patch of p values a
            side, the least p that keeps within.
        modulated: what is given scales the channels of each block as well as shifting them.
        skip: on the way up the code enters each block beside what is given (skip-z).
        groups: channels are normalised in so many groups before each act; 0 for not at all. It
            stands for batch normalisation, which a batch cut into parts cannot have.

    Source: He et al. 2016, Identity mappings in deep residual networks, arXiv:1603.05027;
    attention, Zhang et al. 2019, arXiv:1805.08318; skip, Brock et al. 2019, arXiv:1809.11096;
    groups, Wu & He 2018, arXiv:1803.08494.
    """

    width: int = 32
    blocks: NonNegativeInt = 1
    growth: int = 4
    attention: int = 0
    activation: Activation = "leaky-relu"
    places: PositiveInt = 1600
    modulated: bool = False
    skip: bool = False
    groups: NonNegativeInt = 0

    def down(self, space: Space, given: Space, out: int) -> Body:
        check_axes(space.axes)
        sizes = self.sizes(space.axes)
        end = math.prod(sizes[-1])
        return ConvDown(
            self, space, given.width, sizes, lambda channels: Whole(channels * end, out)
        )

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        check_axes(axes)
        sizes = self.sizes(axes)
        return ConvUp(
            self,
            given.width,
            axes,
            sizes,
            lambda channels: Unfold(latent + given.width, (channels, *sizes[-1])),
            out,
            latent * self.skip,
        )

    def coarse(self, axes: tuple[int, ...], most: int) -> tuple[int, ...]:
        check_axes(axes)
        return first_within(self.sizes(axes), most)

    def down_grid(self, space: Space, given: Space, out: int, places: tuple[int, ...]) -> Body:
        check_axes(space.axes)
        sizes = self.sizes(space.axes)
        if places not in sizes:
            return super().down_grid(space, given, out, places)
        way = sizes[: sizes.index(places) + 1]
        end = CONVOLUTIONS[len(places)]
        return ConvDown(self, space, given.width, way, lambda channels: end(channels, out, 1))

    def up_grid(
        self, latent: int, places: tuple[int, ...], given: Space, out: int, axes: tuple[int, ...]
    ) -> Body:
        check_axes(axes)
        sizes = self.sizes(axes)
        if places not in sizes:
            return super().up_grid(latent, places, given, out, axes)
        way = sizes[: sizes.index(places) + 1]
        return ConvUp(
            self,
            given.width,
            axes,
            way,
            lambda channels: EachPlace(len(places), latent, given.width, channels),
            out,
        )

    def channels(self, level: int) -> int:
        return self.width * min(2**level, self.growth)

    def patch(self, axes: tuple[int, ...]) -> int:
        """p: how many values a side become one place.

        >>> [Conv().patch(axes) for axes in ((28, 28), (64, 64), (128, 96), (140,))]
        [1, 2, 3, 1]
        """
        return next(p for p in count(1) if math.prod(patched(axes, p)) <= self.places)

    def sizes(self, axes: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The sizes on the way down.

        >>> Conv().sizes((64, 64))
        [(32, 32), (16, 16), (8, 8), (4, 4)]
        """
        return halvings(patched(axes, self.patch(axes)))

    def act(self) -> nn.Module:
        return ACTIVATIONS[self.activation]()

    def stage(self, axes: tuple[int, ...], level: int, given: int) -> Stage:
        return Stage(self, axes, self.channels(level), given)

    def last(self, level: int) -> nn.Module:
        """The act that follows residual stages, of which the last ends in a sum; else nothing."""
        if not self.blocks:
            return nn.Identity()
        return nn.Sequential(normalised(self.channels(level), self.groups), self.act())


@dataclass(frozen=True)
class Suited(Architecture):
    r"""`dense` for vectors, `conv` for what has axes.

    $$ \begin{cases} \text{dense} & \text{no axes} \\ \text{conv} & \text{axes} \end{cases} $$

    Args:
        dense: for vectors. conv: for series, images and video.

    Source: ours.
    """

    dense: Dense = Dense()
    conv: Conv = Conv()

    def down(self, space: Space, given: Space, out: int) -> Body:
        return self.pick(space.axes).down(space, given, out)

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        return self.pick(axes).up(latent, given, out, axes)

    def coarse(self, axes: tuple[int, ...], most: int) -> tuple[int, ...]:
        return self.pick(axes).coarse(axes, most)

    def down_grid(self, space: Space, given: Space, out: int, places: tuple[int, ...]) -> Body:
        return self.pick(space.axes).down_grid(space, given, out, places)

    def up_grid(
        self, latent: int, places: tuple[int, ...], given: Space, out: int, axes: tuple[int, ...]
    ) -> Body:
        return self.pick(axes).up_grid(latent, places, given, out, axes)

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


class Waves(nn.Module):
    """x (B, n) beside cos 2πBx and sin 2πBx, (B, width); B is drawn once and does not learn."""

    B: Tensor

    def __init__(self, inputs: int, features: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("B", scale * torch.randn(features, inputs))
        self.width = inputs + 2 * features

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # an angle needs its digits
            angle = 2 * math.pi * x.to(self.B) @ self.B.T
        return torch.cat([x, angle.cos(), angle.sin()], 1)


class FourierDown(Body):
    """Flatten, show the waves, join what is given, and go through the layers."""

    def __init__(self, space: Space, waves: Waves, layers: nn.Sequential) -> None:
        super().__init__()
        self.centre = Centre(space)
        self.waves = waves
        self.layers = layers

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        return self.layers(join(self.waves(self.centre(h).flatten(1)), c))


class DenseUp(Body):
    """Join what is given, go through the layers, and unfold."""

    def __init__(self, shape: tuple[int, ...], layers: nn.Sequential) -> None:
        super().__init__()
        self.shape = shape
        self.layers = layers

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        return self.layers(join(h, c)).unflatten(1, self.shape)

    @torch.no_grad()
    def lift(self, by: Tensor) -> None:
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        last.bias.add_(by.flatten())


class Stage(nn.Module):
    """The blocks at one size: residual ones, then attention where the axes are short enough."""

    def __init__(self, arch: Conv, axes: tuple[int, ...], channels: int, given: int) -> None:
        super().__init__()
        tell = Modulate if arch.modulated else Add
        self.blocks = nn.ModuleList(
            Residual(len(axes), channels, given, arch.activation, tell, arch.groups)
            for _ in range(arch.blocks)
        )
        norm = normalised(channels, 0 if arch.blocks else arch.groups)
        self.after = nn.Identity() if arch.blocks else nn.Sequential(norm, arch.act())
        near = max(axes) <= arch.attention
        self.attention = nn.ModuleList([Attention(channels)] if near else [])

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        for block in self.blocks:
            h = block(h, c)
        h = self.after(h)
        for attention in self.attention:
            h = attention(h)
        return h


class ConvDown(Body):
    """Convolve, halve, …, down to the last of the sizes, and read out.

    `read` makes the layer that does so, from the channels that reach it.
    """

    def __init__(
        self,
        arch: Conv,
        space: Space,
        given: int,
        sizes: list[tuple[int, ...]],
        read: Callable[[int], nn.Module],
    ) -> None:
        super().__init__()
        conv, p = CONVOLUTIONS[len(space.axes)], arch.patch(space.axes)
        self.centre = Centre(space)
        self.stem = conv(space.width, arch.channels(0), 2 * p + 1, stride=p, padding=p)
        self.given = Add(given, arch.channels(0))
        self.stages = nn.ModuleList(arch.stage(a, i, given) for i, a in enumerate(sizes))
        self.shrinks = nn.ModuleList(
            conv(arch.channels(i), arch.channels(i + 1), 3, stride=strides(a, b), padding=1)  # type: ignore[arg-type]
            for i, (a, b) in enumerate(pairwise(sizes))
        )
        self.act = arch.last(len(sizes) - 1)
        self.read = read(arch.channels(len(sizes) - 1))

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        return self.read(self.act(self.levels(h, c)[-1]))

    def levels(self, h: Tensor, c: Tensor) -> list[Tensor]:
        """What is made of x at each size, from the full one down."""
        found = [self.stages[0](self.given(self.stem(self.centre(h)), c), c)]
        for stage, shrink in zip(self.stages[1:], self.shrinks, strict=True):
            found.append(stage(shrink(found[-1]), c))
        return found


class ConvUp(Body):
    """Lay the code out at the last of the sizes, then enlarge and convolve up to the first.

    `unfold` makes the layer that lays it out, from the channels that it should have. Where any are
    `skipped`, so many numbers of the code enter each block too.
    """

    ground: Tensor

    def __init__(
        self,
        arch: Conv,
        given: int,
        axes: tuple[int, ...],
        sizes: list[tuple[int, ...]],
        unfold: Callable[[int], nn.Module],
        out: int,
        skipped: int = 0,
    ) -> None:
        super().__init__()
        self.skips = skipped > 0
        levels = range(len(sizes) - 1, -1, -1)
        conv, p = CONVOLUTIONS[len(axes)], arch.patch(axes)
        self.unfold = unfold(arch.channels(levels[0]))
        self.stages = nn.ModuleList(arch.stage(sizes[i], i, given + skipped) for i in levels)
        self.grows = nn.ModuleList(
            nn.Sequential(
                Resize(sizes[i - 1]), conv(arch.channels(i), arch.channels(i - 1), 3, padding=1)
            )
            for i in levels[:-1]
        )
        self.act = arch.last(0)
        self.paint = conv(arch.channels(0), out * p ** len(axes), 3, padding=1)
        self.unpatch = Unpatch(p, axes)
        self.register_buffer("ground", torch.zeros(out, *axes))

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        z, h = h, self.unfold(h, c)
        c = join(z, c) if self.skips else c
        for stage, grow in zip(self.stages, self.grows, strict=False):
            h = grow(stage(h, c))
        return self.unpatch(self.paint(self.act(self.stages[-1](h, c)))) + self.ground

    def lift(self, by: Tensor) -> None:
        """The paint is the same everywhere; what differs from place to place is a ground below."""
        self.ground.add_(by)


class Whole(nn.Linear):
    """All places of h (B, C, *A) together to (B, out)."""

    def forward(self, h: Tensor) -> Tensor:
        return super().forward(h.flatten(1))


class Unfold(nn.Linear):
    """A code (B, D), with what is given, to every place of a grid of the given shape (C, *A)."""

    def __init__(self, inputs: int, shape: tuple[int, ...]) -> None:
        super().__init__(inputs, math.prod(shape))
        self.shape = shape

    def forward(self, h: Tensor, c: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(join(h, c)).unflatten(1, self.shape)


class EachPlace(nn.Module):
    """A code at each place (B, D, *A), with what is given, to channels there."""

    def __init__(self, axes: int, latent: int, given: int, channels: int) -> None:
        super().__init__()
        self.conv = CONVOLUTIONS[axes](latent, channels, 1)
        self.given = Add(given, channels)

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        return self.given(self.conv(h), c)


class Unfolded(Body):
    """A body that ends in a vector, whose numbers are given a shape."""

    def __init__(self, body: Body, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.body, self.shape = body, shape

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        return self.body(h, c).unflatten(1, self.shape)


class Folded(Body):
    """A body that starts from a vector, to which a grid is flattened."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        return self.body(h.flatten(1), c)

    def lift(self, by: Tensor) -> None:
        self.body.lift(by)


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


def first_within(sizes: list[tuple[int, ...]], most: int) -> tuple[int, ...]:
    """The first size, after the full one, of at most so many places; the last if none is.

    >>> first_within(halvings((28, 28)), 64), first_within(halvings((3, 3)), 4)
    ((7, 7), (3, 3))
    """
    smaller = sizes[1:] or sizes
    return next((size for size in smaller if math.prod(size) <= most), smaller[-1])


def strides(large: tuple[int, ...], small: tuple[int, ...]) -> tuple[int, ...]:
    """The stride of each axis between two sizes."""
    return tuple(1 if a == b else 2 for a, b in zip(large, small, strict=True))


def check_axes(axes: tuple[int, ...]) -> None:
    """Refuse what a convolution cannot take."""
    if len(axes) not in CONVOLUTIONS:
        raise UserError(
            f"the conv architecture needs 1 to 3 axes, and this data has {len(axes)}; use dense"
        )
