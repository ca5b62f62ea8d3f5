r"""A generator and a critic that grow.

All stages are there from the start (Karras et al. 2018, arXiv:1710.10196, Fig. 1 and 2). At stage s
the generator goes up to the s-th size only, and a layer of that size *paints* channels; the critic
*reads* them at that size and goes down from there. While a stage fades in, with α from 0 to 1,

$$ x_s = (1 - \alpha) \, \text{up}\big(\text{paint}_{s-1}(h_{s-1})\big)
   + \alpha \, \text{paint}_s(h_s) , $$

and alike in the critic on the way down. Whatever the stage, pictures come and go at the full size,
as blocks of one value: up and down are exact inverses (`scales`), so the networks are those of the
paper, and a slope means the same at every stage. A layer that sleeps is not run, and has no
gradient.

Layers are equalised; the generator's features are brought to unit size at each place after each
rectifier (*pixel norm*, §4.2).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.core.space import Space
from twofold.maths.growth import Grown
from twofold.nets.blocks import Condition
from twofold.nets.bodies import Body, Centre, join
from twofold.nets.company import Company
from twofold.nets.critics import Judge
from twofold.nets.equalised import EqualConv, EqualLinear, unit
from twofold.nets.scales import Scales, Widths

HE = math.sqrt(2)
"""The gain before a rectifier."""


class Normed(nn.Module):
    """A leaky rectifier, and unit size at each place."""

    def forward(self, h: Tensor) -> Tensor:
        return unit(F.leaky_relu(h, 0.2))


class Start(Body):
    """A code of unit size, with what is given, to features of the coarsest size."""

    def __init__(self, latent: int, given: int, channels: int, size: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = (channels, *size)
        self.unfold = EqualLinear(latent + given, math.prod(self.shape), HE)
        self.rest = nn.Sequential(
            Normed(), EqualConv(len(size), channels, channels, 3, HE), Normed()
        )

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        return self.rest(self.unfold(join(unit(h), c)).unflatten(1, self.shape))


class Block(Body):
    """Layers that take features alone."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        return self.layers(h)


class GrowingGenerator(nn.Module):
    """z (B, D), with what is given, to raw channels (B, out, *A) as a stage paints them.

    >>> net = GrowingGenerator(Scales((9,)), 4, Space(), Widths(4, 2), 2)
    >>> coarse = net(torch.randn(1, 4), torch.zeros(1, 0), Grown(0, 1.0))
    >>> [len(row.unique()) for row in coarse[0]]  # of nine places in two channels
    [3, 3]
    """

    def __init__(self, scales: Scales, latent: int, given: Space, widths: Widths, out: int) -> None:
        super().__init__()
        self.scales, axes = scales, len(scales.sizes[0])
        channels = [widths(scales.halving(i)) for i in range(len(scales))]
        first = Start(latent, given.width, channels[0], scales.sizes[0])
        later = [
            Block(
                scales.resizes[i],
                EqualConv(axes, a, b, 3, HE),
                Normed(),
                EqualConv(axes, b, b, 3, HE),
                Normed(),
            )
            for i, (a, b) in enumerate(pairwise(channels))
        ]
        self.blocks = nn.ModuleList([first, *later])
        self.paints = nn.ModuleList(EqualConv(axes, a, out, 1) for a in channels)

    def forward(self, z: Tensor, c: Tensor, grown: Grown) -> Tensor:
        stage, alpha = grown.stage, grown.fade
        features = [self.blocks[0](z, c)]
        for block in self.blocks[1 : stage + 1]:
            features.append(block(features[-1], c))
        x = self.paints[stage](features[-1])
        if alpha < 1:
            smaller = self.paints[stage - 1](features[-2])
            x = torch.lerp(self.scales.resizes[stage - 1](smaller), x, alpha)
        return self.scales.enlarge(x, stage)


class GrowingCritic(Judge):
    """D(x, given), (B,), as a stage sees x (B, C, *A).

    Args:
        features: the width of φ, which meets what is given by projection.
        company: what each row sees of the others.
    """

    def __init__(
        self,
        scales: Scales,
        space: Space,
        given: Space,
        widths: Widths,
        features: int,
        company: Company,
    ) -> None:
        super().__init__()
        self.scales, axes = scales, len(scales.sizes[0])
        channels = [widths(scales.halving(i)) for i in range(len(scales))]
        self.centre = Centre(space)
        self.reads = nn.ModuleList(
            Block(EqualConv(axes, space.width, a, 1, HE), nn.LeakyReLU(0.2)) for a in channels
        )
        self.blocks = nn.ModuleList(
            Block(
                EqualConv(axes, b, b, 3, HE),
                nn.LeakyReLU(0.2),
                EqualConv(axes, b, a, 3, HE),
                nn.LeakyReLU(0.2),
                scales.shrinks[i],
            )
            for i, (a, b) in enumerate(pairwise(channels))
        )
        self.end = Block(
            EqualConv(axes, channels[0], channels[0], 3, HE),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            EqualLinear(channels[0] * scales.places(0), features, HE),
            nn.LeakyReLU(0.2),
        )
        self.company = company.build(features)
        self.read = EqualLinear(features, 1)
        self.condition = Condition(given.width, features)

    def forward(self, x: Tensor, c: Tensor, grown: Grown) -> Tensor:
        stage, alpha = grown.stage, grown.fade
        x = self.scales.reduce(self.centre(x), stage)
        h = self.reads[stage](x, c)
        if stage > 0:
            h = self.blocks[stage - 1](h, c)
        if alpha < 1:
            smaller = self.reads[stage - 1](self.scales.shrinks[stage - 1](x), c)
            h = torch.lerp(smaller, h, alpha)
        for block in reversed(self.blocks[: max(stage - 1, 0)]):
            h = block(h, c)
        phi = self.company(self.end(h, c))
        logit: Tensor = self.read(phi).squeeze(1)
        return logit + (phi * self.condition(c)).sum(1) if c.shape[1] else logit
