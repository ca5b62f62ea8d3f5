r"""A critic of pairs: an observation x and a code z, with what is given, to a logit.

Both enter by networks of their own and meet: with φ(x) from the body and ψ(z) from a dense layer,

$$ D(x, z, c) = w^\top h + (V c)^\top h, \qquad h = f\big(\phi(x), \psi(z)\big). $$

A pair is carried as one row, x flat beside z, so that penalties see one gradient, that of both.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twofold.core.space import Space
from twofold.nets.blocks import Condition
from twofold.nets.bodies import Architecture
from twofold.nets.critics import Judge


class JointCritic(Judge):
    """D(x, z, given), (B,): high for what looks like an observation with its inferred code.

    Args:
        architecture: of φ. features: the width of φ, ψ and h.

    >>> from twofold.core.space import Field, Real
    >>> from twofold.nets.bodies import Dense
    >>> critic = JointCritic(Dense(), Space((Field("v", Real(), 3),)), Space(), 2, 8)
    >>> critic(pair(torch.randn(5, 3), torch.randn(5, 2)), torch.zeros(5, 0)).shape
    torch.Size([5])
    """

    def __init__(
        self, architecture: Architecture, space: Space, given: Space, latent: int, features: int
    ) -> None:
        super().__init__()
        self.shape, self.latent = space.shape, latent
        self.phi = architecture.down(space, Space(), features)
        self.psi = nn.Linear(latent, features)
        self.meet = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Linear(2 * features, features), nn.LeakyReLU(0.2)
        )
        self.read = nn.Linear(features, 1)
        self.condition = Condition(given.width, features)

    def forward(self, both: Tensor, c: Tensor) -> Tensor:
        h = self.features(both, c)
        logit: Tensor = self.read(h).squeeze(1)
        return logit + (h * self.condition(c)).sum(1) if c.shape[1] else logit

    def features(self, both: Tensor, c: Tensor) -> Tensor:
        """h of each pair, (B, F)."""
        x, z = both[:, : -self.latent].unflatten(1, self.shape), both[:, -self.latent :]
        h: Tensor = self.meet(torch.cat([self.phi(x, c[:, :0]), self.psi(z)], 1))
        return h


def pair(x: Tensor, z: Tensor) -> Tensor:
    """An observation (B, C, *A) and its code (B, D) as one row, (B, C · A + D)."""
    return torch.cat([x.flatten(1), z], 1)
