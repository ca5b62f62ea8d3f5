r"""How a code is inferred where only draws of q(z | x) are asked for, never its density.

An adversarial autoencoder compares draws, so its encoder is free of what a VAE needs (Makhzani et
al. 2016, arXiv:1511.05644, §2.1): `Point` is a function of x; `Stochastic` a Gaussian, or another
form of `posteriors`, whose noise is its own; `Universal` a function of x and of noise η ~ N(0, I),
so that q(z | x) can be any distribution.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.core.space import Field, Real, Space
from twofold.maths.distributions import Dirac, Implicit, Posterior
from twofold.nets.bodies import Architecture, join
from twofold.nets.encoders import Encoder
from twofold.nets.posteriors import Diagonal, Form

Drawn = Dirac | Posterior | Implicit
"""A distribution of codes whose draws carry gradient, with or without a density."""


class Inference(Part, ABC):
    """How q(z | x, given) is drawn from."""

    @abstractmethod
    def build(
        self, architecture: Architecture, space: Space, given: Space, latent: int
    ) -> nn.Module:
        """The network from x (B, C, *A) and c (B, G) to q(z | x) over codes (B, latent)."""


@dataclass(frozen=True)
class Point(Inference):
    r"""A function of x: all chance comes from the data.

    $$ z = f(x) $$

    Source: Makhzani et al. 2016, arXiv:1511.05644, §2.1.
    """

    def build(
        self, architecture: Architecture, space: Space, given: Space, latent: int
    ) -> PointNet:
        return PointNet(architecture, space, given, latent)


@dataclass(frozen=True)
class Stochastic(Inference):
    r"""A form of posterior, a Gaussian where nothing is said.

    $$ z \sim \mathcal N\big(\mu(x), \operatorname{diag} \sigma^2(x)\big) $$

    Args:
        form: of q(z | x).

    Source: Makhzani et al. 2016, arXiv:1511.05644, §2.1.
    """

    form: Form = Diagonal()

    def build(self, architecture: Architecture, space: Space, given: Space, latent: int) -> Encoder:
        return Encoder(architecture, space, given, latent, self.form)


@dataclass(frozen=True)
class Universal(Inference):
    r"""A function of x and of noise, which can draw any distribution.

    $$ z = f(x, \eta), \qquad \eta \sim \mathcal N(0, I) $$

    Args:
        noise: dimensions of η.

    Source: Makhzani et al. 2016, arXiv:1511.05644, §2.1.
    """

    noise: PositiveInt = 16

    def build(
        self, architecture: Architecture, space: Space, given: Space, latent: int
    ) -> UniversalNet:
        return UniversalNet(architecture, space, given, latent, self.noise)


class PointNet(nn.Module):
    def __init__(self, architecture: Architecture, space: Space, given: Space, latent: int) -> None:
        super().__init__()
        self.body = architecture.down(space, given, latent)

    def forward(self, x: Tensor, c: Tensor) -> Dirac:
        return Dirac(self.body(x, c))


class UniversalNet(nn.Module):
    def __init__(
        self, architecture: Architecture, space: Space, given: Space, latent: int, noise: int
    ) -> None:
        super().__init__()
        self.noise = noise
        beside = Space((*given.fields, Field("noise", Real(), noise)))
        self.body = architecture.down(space, beside, latent)

    def forward(self, x: Tensor, c: Tensor) -> Implicit:
        like = c.new_zeros(len(x), self.noise)
        return Implicit(lambda eta: self.body(x, join(c, eta)), like)
