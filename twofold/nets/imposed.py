r"""Distributions that codes are made to follow: p(z) fixed beforehand, of which draws are enough.

A critic of codes compares draws, so any distribution will do that can be drawn from (Makhzani et
al. 2016, arXiv:1511.05644): `Gaussian` is N(0, I); `Ring` a mixture of Gaussians around a circle in
the first two dimensions, each stretched outwards, and N(0, 1) in the others; `SwissRoll` a spiral.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from twofold.core.build import Part, kebab
from twofold.core.errors import UserError
from twofold.core.game import Distribution
from twofold.maths.distributions import Implicit, Normal


class Imposed(Part, ABC):
    """A fixed distribution of codes."""

    least: int = 1
    """Dimensions that it needs."""

    @abstractmethod
    def __call__(self, rows: int, latent: int, like: Tensor) -> Distribution:
        """p(z), `rows` times, (rows, latent), with the type and device of `like`."""

    def check(self, latent: int) -> None:
        """Refuse codes of too few dimensions."""
        if latent < self.least:
            raise UserError(
                f"model.prior = {kebab(type(self).__name__)} lies in {self.least} dimensions, and "
                f"model.latent is {latent}; raise it"
            )


@dataclass(frozen=True)
class Gaussian(Imposed):
    """N(0, I)."""

    def __call__(self, rows: int, latent: int, like: Tensor) -> Normal:
        return Normal.standard(rows, latent, like)


@dataclass(frozen=True)
class Ring(Imposed):
    """`components` Gaussians around a circle: the first two dimensions of the code.

    Args:
        radius: of their centres. along, across: standard deviations outwards and sideways.
    """

    components: PositiveInt = 10
    radius: PositiveFloat = 3.0
    along: PositiveFloat = 0.7
    across: PositiveFloat = 0.2
    least = 2

    def __call__(self, rows: int, latent: int, like: Tensor) -> Implicit:
        return Implicit(self.image, like.new_zeros(rows, latent + 1))

    def image(self, noise: Tensor) -> Tensor:
        """Noise (B, D + 1), whose last number picks the component, to codes (B, D)."""
        share = torch.special.ndtr(noise[:, -1])
        which = (share * self.components).floor().clamp(max=self.components - 1)
        angle = 2 * math.pi * which / self.components
        out, side = self.radius + self.along * noise[:, 0], self.across * noise[:, 1]
        cos, sin = angle.cos(), angle.sin()
        plane = torch.stack([out * cos - side * sin, out * sin + side * cos], 1)
        return torch.cat([plane, noise[:, 2:-1]], 1)


@dataclass(frozen=True)
class SwissRoll(Imposed):
    """A spiral of `turns` turns around the origin, `radius` at its end, with a little `noise`."""

    turns: PositiveFloat = 1.5
    radius: PositiveFloat = 3.0
    noise: PositiveFloat = 0.05
    least = 2

    def __call__(self, rows: int, latent: int, like: Tensor) -> Implicit:
        return Implicit(self.image, like.new_zeros(rows, latent + 1))

    def image(self, noise: Tensor) -> Tensor:
        """Noise (B, D + 1), whose last number is the place along the spiral, to codes (B, D)."""
        along = torch.special.ndtr(noise[:, -1]).sqrt().unsqueeze(1)  # as dense everywhere
        angle = 2 * math.pi * self.turns * along
        plane = self.radius * along * torch.cat([angle.cos(), angle.sin()], 1)
        return torch.cat([plane + self.noise * noise[:, :2], noise[:, 2:-1]], 1)
