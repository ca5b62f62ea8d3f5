r"""Adversarial objectives: each a pair of pure functions of logits.

A critic gives real observations the logits $r = D(x)$ and drawn ones $f = D(G(z))$; an `Objective`
turns them into the critic's loss and the generator's, both to be minimised; $s$ is the softplus.

| objective | critic | generator | source |
|---|---|---|---|
| `Saturating` | $\mathbb E\,s(-r) + \mathbb E\,s(f)$ | $-\mathbb E\,s(f)$ | Goodfellow et al. 2014, arXiv:1406.2661, Eq. 1 |
| `NonSaturating` | $\mathbb E\,s(-r) + \mathbb E\,s(f)$ | $\mathbb E\,s(-f)$ | Goodfellow et al. 2014, arXiv:1406.2661 |
| `Hinge` | $\mathbb E\max(0,1-r) + \mathbb E\max(0,1+f)$ | $-\mathbb E f$ | Lim & Ye 2017, arXiv:1705.02894 |
| `LeastSquares` | $\tfrac12\mathbb E(r-1)^2 + \tfrac12\mathbb E f^2$ | $\tfrac12\mathbb E(f-1)^2$ | Mao et al. 2017, arXiv:1611.04076 |
| `Wasserstein` | $\mathbb E f - \mathbb E r$ | $-\mathbb E f$ | Arjovsky et al. 2017, arXiv:1701.07875 |
| `Relativistic` | $\mathbb E\,s(f - r)$ | $\mathbb E\,s(r - f)$ | Jolicoeur-Martineau 2019; Huang et al. 2024, arXiv:2501.05441 |
| `RelativisticAverage` | $\mathbb E\,s(\bar f - r) + \mathbb E\,s(f - \bar r)$ | $\mathbb E\,s(r - \bar f) + \mathbb E\,s(\bar r - f)$ | Jolicoeur-Martineau 2019, arXiv:1807.00734 |

The relativistic loss is paired: the i-th
real with the i-th drawn; the average one sees each against the mean of the others.

*One-sided label smoothing* (Salimans et al. 2016, arXiv:1606.03498, §3.4) asks the critic for
$1 - \alpha$ at real observations in place of 1, and still for 0 at drawn ones, so that its optimum
is $(1 - \alpha)\, p / (p + g)$: where there is no data it does not pull at the generator.

*Top-k training* (Sinha et al. 2020, arXiv:2002.06224) shows the generator only those of its draws
that the critic likes best: `strongest`.

Notation: $r = D(x)$ and $f = D(G(z))$ logits (B,), a bar over their mean, $s$ the softplus.
"""  # noqa: E501

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field as Limits
from torch import Tensor
from torch.nn.functional import relu, softplus

from twofold.core.build import Part

Smoothing = Annotated[float, Limits(ge=0, lt=1)]
"""α: the critic is asked for 1 − α at real observations."""


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
class Saturating(Objective):
    """The minimax game: the generator raises what the critic lowers, and stalls where it loses.

    Args:
        smoothing: α.
    """

    smoothing: Smoothing = 0.0

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return cross_entropy(real, fake, self.smoothing)

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return -softplus(fake).mean()


@dataclass(frozen=True)
class NonSaturating(Objective):
    """The cross-entropy of real and drawn, the generator's turned round against saturation.

    Args:
        smoothing: α.
    """

    smoothing: Smoothing = 0.0

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return cross_entropy(real, fake, self.smoothing)

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
    """Regression of real to 1, or 1 − α, and drawn to 0.

    Args:
        smoothing: α.
    """

    smoothing: Smoothing = 0.0

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return 0.5 * ((real - (1 - self.smoothing)).square().mean() + fake.square().mean())

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


@dataclass(frozen=True)
class RelativisticAverage(Objective):
    """Whether a real one looks more real than drawn ones on average, and the other way round."""

    relative = True

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(real - fake.mean()).mean() + softplus(real.mean() - fake).mean()


def cross_entropy(real: Tensor, fake: Tensor, smoothing: float) -> Tensor:
    """−E (1 − α) log D(x) − E α log(1 − D(x)) − E log(1 − D(x̂)), D the logistic of a logit."""
    told = softplus(-real).mean() + softplus(fake).mean()
    return told + smoothing * real.mean() if smoothing else told  # s(r) = s(−r) + r


def strongest(real: Tensor, fake: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Of each pair of logits, the share in which the drawn one is most convincing; one at least.

    >>> import torch
    >>> real, fake = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.1, 0.3, 0.2])
    >>> strongest(real, fake, 0.67)
    (tensor([2., 3.]), tensor([0.3000, 0.2000]))
    """
    if share >= 1:
        return real, fake
    kept = fake.topk(max(1, round(share * len(fake)))).indices
    return real[kept], fake[kept]
