"""Codes whose disentanglement is known: a function of factors, behind an encoder."""

from collections.abc import Callable

import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.game import Decodes, Encodes
from twofold.core.space import Bounded, Category, Field, Space
from twofold.maths.distributions import Normal
from twofold.measures.factors import Factors
from twofold.measures.measure import Evidence

COUNTS = {"kind": 3, "size": 6, "turn": 10, "place": 8}
SPACE = Space(
    tuple(
        Field(name, Category(("a", "b", "c")) if name == "kind" else Bounded(0, k - 1, k))
        for name, k in COUNTS.items()
    )
)
Code = Callable[[Tensor], Tensor]


class Constructed(Encodes, Decodes):
    """x are the standardised factors themselves; the mean code is a function of them.

    The posterior is wide: whatever looks at a draw instead of the mean sees little.
    """

    def __init__(self, code: Code, width: float = 3.0) -> None:
        self.code, self.width = code, width
        self.latent = code(torch.zeros(2, len(COUNTS))).shape[1]

    def encode(self, x: Tensor, given: Given) -> Normal:
        mu = self.code(x)
        return Normal(mu, torch.full_like(mu, self.width).log())

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, torch.zeros(1))

    def decode(self, z: Tensor, given: Given) -> Normal:
        return Normal(z, torch.zeros_like(z))

    def sample(self, given: Given) -> Tensor:
        return self.prior(given).sample()


def evidence_of(code: Code, n: int = 1200, seed: int = 0) -> Evidence:
    """Observations of independent factors, every value as frequent, coded so."""
    chance = torch.Generator().manual_seed(seed)
    index = torch.stack([torch.randint(k, (n,), generator=chance) for k in COUNTS.values()], 1)
    x = (index - index.float().mean(0)) / index.float().std(0)
    real = Batch.of(x)
    factors = Factors.of(SPACE, index.float())
    empty = real[:0]
    return Evidence(SPACE, Space(), real, empty, empty, Constructed(code), factors=factors)


ROTATION = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(3))).Q


def perfect(x: Tensor) -> Tensor:
    """A dimension a factor, in another order, and two that are nothing."""
    return torch.cat([x[:, [2, 0, 3, 1]], torch.zeros(len(x), 2)], 1)


def traced(x: Tensor) -> Tensor:
    """The same, but what is collapsed still traces two factors, too faintly for any draw."""
    return torch.cat([x[:, [2, 0, 3, 1]], 1e-3 * x[:, :2]], 1)


def rotated(x: Tensor) -> Tensor:
    return x @ ROTATION


def repeated(x: Tensor) -> Tensor:
    """Every dimension carries the same mixture of all factors."""
    return x.sum(1, keepdim=True).expand(-1, 5) / 2


def crammed(x: Tensor) -> Tensor:
    """One dimension carries all factors, the others nothing."""
    return torch.cat([x.sum(1, keepdim=True) / 2, torch.zeros(len(x), 4)], 1)


def noise(x: Tensor) -> Tensor:
    return torch.randn(len(x), 6, generator=torch.Generator().manual_seed(len(x)))
