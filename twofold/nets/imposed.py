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
    r"""The standard normal.

    $$ p(z) = \mathcal N(z;\, 0, I) $$

    Source: Makhzani et al. 2016, arXiv:1511.05644.
    """

    def __call__(self, rows: int, latent: int, like: Tensor) -> Normal:
        return Normal.standard(rows, latent, like)


@dataclass(frozen=True)
class Ring(Imposed):
    r"""Gaussians around a circle, each stretched outwards, in the first two dimensions of the code.

    $$ p(z_{1,2}) = \frac1K \sum_{k<K} \mathcal N\big(z_{1,2};\, R_k (r, 0)^\top,\,
     R_k \operatorname{diag}(a^2, b^2)\, R_k^\top\big), \qquad
     R_k \text{ the turn by } 2 \pi k / K $$

    Args:
        components: K. radius: r, of their centres. along, across: standard deviations a, outwards,
            and b, sideways.

    Source: Makhzani et al. 2016, arXiv:1511.05644, Fig. 2, 4.
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
    r"""A spiral around the origin, in the first two dimensions of the code.

    $$ z_{1,2} = r \sqrt u\, \big(\cos 2 \pi n \sqrt u,\ \sin 2 \pi n \sqrt u\big)
     + \sigma \varepsilon, \qquad u \text{ uniform in } [0, 1] $$

    Args:
        turns: n. radius: r, at its end. noise: σ.

    Source: Makhzani et al. 2016, arXiv:1511.05644, Fig. 4.
    """

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
