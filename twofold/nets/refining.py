r"""Networks that add detail: a coarse observation enlarged, with noise, to what it lacks.

A `Refiner` stays at one size, as the convolutional networks of Denton et al. 2015
(arXiv:1506.05751) do: residual blocks over the places of the enlarged observation $l$, beside which
a plane of noise stands as one more channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.core.space import Space
from twofold.nets.blocks import ACTIVATIONS, CONVOLUTIONS, Activation, Add, Residual
from twofold.nets.bodies import Body, Centre


@dataclass(frozen=True)
class Refiner(Part):
    r"""Residual blocks at one size, from a coarse observation enlarged to what it lacks.

    $$ \tilde h = G(z, l) $$

    Args:
        width: channels.
        blocks: how many.
        activation: between convolutions.

    Source: Denton et al. 2015, arXiv:1506.05751, with residual blocks for their plain layers.
    """

    width: PositiveInt = 32
    blocks: PositiveInt = 2
    activation: Activation = "leaky-relu"

    def build(self, space: Space, given: Space) -> RefinerNet:
        return RefinerNet(self, space, given)


class RefinerNet(Body):
    """h̃ = G(z, l): l (B, C, *A), after it a channel of noise, to a residual (B, C, *A)."""

    def __init__(self, part: Refiner, space: Space, given: Space) -> None:
        super().__init__()
        axes = len(space.axes)
        conv = CONVOLUTIONS[axes]
        self.centre = Centre(space)
        self.stem = conv(space.width + 1, part.width, 3, padding=1)
        self.given = Add(given.width, part.width)
        self.blocks = nn.ModuleList(
            Residual(axes, part.width, given.width, part.activation) for _ in range(part.blocks)
        )
        self.act = ACTIVATIONS[part.activation]()
        self.paint = conv(part.width, space.width, 3, padding=1)

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        low, z = h[:, :-1], h[:, -1:]
        h = self.given(self.stem(torch.cat([self.centre(low), z], 1)), c)
        for block in self.blocks:
            h = block(h, c)
        return self.paint(self.act(h))
