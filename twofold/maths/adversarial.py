r"""Adversarial objectives: each a pair of pure functions of logits.

A critic gives real observations the logits $r = D(x)$ and drawn ones $f = D(G(z))$; an `Objective`
turns them into the critic's loss and the generator's, both to be minimised; $s$ is the softplus.

| objective | critic | generator | source |
|---|---|---|---|
| `NonSaturating` | $\mathbb E\,s(-r) + \mathbb E\,s(f)$ | $\mathbb E\,s(-f)$ | Goodfellow et al. 2014, arXiv:1406.2661 |
| `Hinge` | $\mathbb E\max(0,1-r) + \mathbb E\max(0,1+f)$ | $-\mathbb E f$ | Lim & Ye 2017, arXiv:1705.02894 |
| `LeastSquares` | $\tfrac12\mathbb E(r-1)^2 + \tfrac12\mathbb E f^2$ | $\tfrac12\mathbb E(f-1)^2$ | Mao et al. 2017, arXiv:1611.04076 |
| `Wasserstein` | $\mathbb E f - \mathbb E r$ | $-\mathbb E f$ | Arjovsky et al. 2017, arXiv:1701.07875 |
| `Relativistic` | $\mathbb E\,s(f - r)$ | $\mathbb E\,s(r - f)$ | Jolicoeur-Martineau 2019; Huang et al. 2024, arXiv:2501.05441 |

The relativistic loss is paired: the i-th real with the i-th drawn.

Notation: $r = D(x)$ and $f = D(G(z))$ logits (B,), $s$ the softplus.
"""  # noqa: E501

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn.functional import relu, softplus

from twofold.core.build import Part


class Objective(Part, ABC):
    """A pair of losses, scalars, from logits (B,)."""

    relative: ClassVar[bool] = False
    """Whether the generator's loss looks at the real logits too."""

    @abstractmethod
    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the critic minimises."""

    @abstractmethod
    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the generator minimises."""


@dataclass(frozen=True)
class NonSaturating(Objective):
    """The cross-entropy of real and drawn, the generator's turned round against saturation."""

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()


@dataclass(frozen=True)
class Hinge(Objective):
    """Margins of one on either side."""

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean()


@dataclass(frozen=True)
class LeastSquares(Objective):
    """Regression of real to 1 and drawn to 0."""

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * ((real - 1).square().mean() + fake.square().mean())

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * (fake - 1).square().mean()


@dataclass(frozen=True)
class Wasserstein(Objective):
    """The dual of the earth mover's distance; needs a Lipschitz critic."""

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return -fake.mean()


@dataclass(frozen=True)
class Relativistic(Objective):
    """Whether the real one looks more real than the drawn one beside it."""

    relative = True

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(real - fake).mean()
