r"""What becomes of what is given: it is told to a model, or predicted from its code.

A column that is given with each observation can be *known* beforehand: every network is told it,
and the code need not hold it. Or it is a property y to be *predicted*: no network is told it, and a
*head* reads it from the code, so that the code of a VAE is one of both,

$$ p(x, y, z) = p(z)\, p(x \mid z)\, p(y \mid z)^\gamma, \qquad
 \log p(y \mid z) = \sum_j m_j \log p(y_j \mid z), $$

m_j saying whether y_j is known of an observation. A number is Gaussian around what a small network
makes of z, its deviation learnt; a label is categorical. The encoder sees x alone, and codes of
observations that are alike in y come to lie together (Gómez-Bombarelli et al. 2018, Automatic
Chemical Design Using a Data-Driven Continuous Representation of Molecules, arXiv:1610.02415), where
y is to be raised by a gradient.

Notation: z (B, D), what is given c (B, G), y (B, F).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.core.errors import UserError
from twofold.core.game import Distribution
from twofold.core.space import Space, paste
from twofold.maths.likelihoods import Gaussian, Observation, ObservationSpec
from twofold.nets.bodies import Dense
from twofold.nets.decoders import Decoder

TRIES = 64
"""Draws of p(z) that one given y is chosen from."""


class Head(nn.Module, ABC):
    """What a model does with what is given."""

    predicts: bool

    @abstractmethod
    def tell(self, c: Tensor) -> Tensor:
        """Of what is given, what the other networks are told; in the null condition, nothing."""

    @abstractmethod
    def forward(self, z: Tensor) -> Observation:
        """p(y | z)."""

    @abstractmethod
    def gain(self, z: Tensor, c: Tensor) -> Tensor:
        """γ log p(y | z) of what is known of each row, (B,)."""

    @abstractmethod
    def draw(self, prior: Callable[[Tensor], Distribution], c: Tensor) -> Tensor:
        """Codes given c (B, G), drawn through p(z), (B, D)."""


class Properties(Part, ABC):
    """How a model takes what is given."""

    @abstractmethod
    def build(self, latent: int, given: Space) -> Head:
        """The head of codes of `latent` dimensions."""


@dataclass(frozen=True)
class Known(Properties):
    r"""Each is known beforehand: encoder, decoder and prior are told it.

    $$ p(x, z \mid c) = p(z \mid c)\, p(x \mid z, c) $$

    Source: Sohn, Lee & Yan 2015, Learning Structured Output Representation using Deep Conditional
    Generative Models.
    """

    def build(self, latent: int, given: Space) -> Head:
        return NoHead()


@dataclass(frozen=True)
class Predicted(Properties):
    r"""Each is predicted from the code: no other network is told it.

    $$ \gamma \sum_j m_j \log p(y_j \mid z), \qquad
     p(y_j \mid z) = \mathcal N\big(y_j;\, f_j(z), \sigma_j^2\big) $$

    Args:
        weight: γ. width, depth: of the network f.
        scale: of σ: `predicted` from the code, or `shared` by all.

    Source: Gómez-Bombarelli et al. 2018, arXiv:1610.02415.
    """

    weight: PositiveFloat = 1.0
    width: PositiveInt = 64
    depth: NonNegativeInt = 1
    scale: Literal["predicted", "shared"] = "predicted"

    def build(self, latent: int, given: Space) -> Head:
        if not given.fields:
            raise UserError("no property is given to predict; name columns by data.given")
        return DenseHead(self, latent, given)


class NoHead(Head):
    """Nothing is predicted."""

    predicts = False

    def tell(self, c: Tensor) -> Tensor:
        return c

    def forward(self, z: Tensor) -> Observation:
        return Observation(())

    def gain(self, z: Tensor, c: Tensor) -> Tensor:
        return z.new_zeros(len(z))

    def draw(self, prior: Callable[[Tensor], Distribution], c: Tensor) -> Tensor:
        return prior(c).sample()


class DenseHead(Head):
    """p(y | z) by a dense network."""

    predicts = True

    def __init__(self, part: Predicted, latent: int, given: Space) -> None:
        super().__init__()
        self.given, self.weight = given, part.weight
        spec = ObservationSpec(present(given), scaled(given, part.scale))
        self.net = Decoder(Dense(part.width, part.depth), latent, Space(), spec)

    def tell(self, c: Tensor) -> Tensor:
        return torch.zeros_like(c)

    def forward(self, z: Tensor) -> Observation:
        return self.net(z, z[:, :0])

    def gain(self, z: Tensor, c: Tensor) -> Tensor:
        y, m = parted(self.given, c)
        return self.weight * self(z).log_prob_of(y, m)

    def draw(self, prior: Callable[[Tensor], Distribution], c: Tensor) -> Tensor:
        """z ~ p(z | y) ∝ p(z) p(y | z)^γ, by resampling among draws of p(z) (Rubin 1987)."""
        every = c.repeat_interleave(TRIES, 0)
        z = prior(every).sample()  # (B · TRIES, D)
        w = self.gain(z, every).unflatten(0, (-1, TRIES)).softmax(1)
        return z.unflatten(0, (-1, TRIES))[torch.arange(len(c)), w.multinomial(1).squeeze(1)]


def present(given: Space) -> Space:
    """What is given, none of it missing."""
    return Space(tuple(replace(field, missing=False) for field in given.fields))


def scaled(given: Space, scale: Literal["predicted", "shared"]) -> tuple[Gaussian, ...]:
    """The likelihood of numbers, where there are any."""
    wanted = Gaussian(scale)
    return (wanted,) if any(wanted.suits(field, ()) for field in given.fields) else ()


def parted(given: Space, c: Tensor) -> tuple[Tensor, Tensor]:
    """What is given, c (B, G), as values y (B, C) and which of them are there, (B, F).

    >>> from twofold.core.space import Field, Real
    >>> activity = Space((Field("activity", Real(), missing=True),))
    >>> parted(activity, torch.tensor([[1.5, 1.0], [0.0, 0.0]]))
    (tensor([[1.5000],
            [0.0000]]), tensor([[ True],
            [False]]))
    """
    pieces = [field.split(part) for field, part in given.parts(c)]
    sizes = [field.size for field in given.fields]
    there = [
        c.new_ones(len(c), size) if m is None else m
        for (_, m), size in zip(pieces, sizes, strict=True)
    ]
    return paste([y for y, _ in pieces]), paste(there) > 0.5
