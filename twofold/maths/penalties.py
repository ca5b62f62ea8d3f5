r"""Gradient penalties: what keeps a critic smooth.

A `Penalty` looks at a `Contest` (a critic's judgement of real and drawn observations) and returns
one number a row.

* `R1`: $\tfrac\gamma2 \|\nabla_x D(x)\|^2$ at real x; `R2`: the same at drawn x
  (Mescheder et al. 2018, arXiv:1801.04406). Together, at every step, with the relativistic
  objective, they make training converge (Huang et al. 2024, arXiv:2501.05441); applied lazily they
  fail on small sets, so there is no lazy option.
* `GradientPenalty`: $\lambda (\|\nabla_{\hat x} D(\hat x)\| - 1)^2$ on lines between real and
  drawn (Gulrajani et al. 2017, arXiv:1704.00028).

The gradient is with respect to x as networks see it: standardised, or in [0, 1].

Notation: D(·) logits (B,), x real and x̂ drawn, both (B, C, *A).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.build import Part


@dataclass(frozen=True)
class Contest:
    """A critic's judgement: `judge` gives logits (B,) to x (B, C, *A).

    `real` and `fake` require gradients, and `real_logits` and `fake_logits` are their logits.
    """

    judge: Callable[[Tensor], Tensor]
    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor


class Penalty(Part, ABC):
    """What a critic pays for steepness."""

    @abstractmethod
    def __call__(self, contest: Contest) -> Tensor:
        """One number a row, (B,)."""


@dataclass(frozen=True)
class R1(Penalty):
    r"""Half of γ times the squared slope at the real observations.

    $$ \frac\gamma2\, \|\nabla_x D(x)\|^2 $$

    Args:
        gamma: γ.

    Source: Mescheder et al. 2018, arXiv:1801.04406.
    """

    gamma: float = 1.0

    def __call__(self, contest: Contest) -> Tensor:
        return 0.5 * self.gamma * squared_slope(contest.real_logits, contest.real)


@dataclass(frozen=True)
class R2(Penalty):
    r"""Half of γ times the squared slope at the drawn observations.

    $$ \frac\gamma2\, \|\nabla_{\hat x} D(\hat x)\|^2, \qquad \hat x = G(z) $$

    Args:
        gamma: γ.

    Source: Mescheder et al. 2018, arXiv:1801.04406.
    """

    gamma: float = 1.0

    def __call__(self, contest: Contest) -> Tensor:
        return 0.5 * self.gamma * squared_slope(contest.fake_logits, contest.fake)


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    r"""`weight` times the squared distance of the slope from one, between real and drawn.

    $$ \lambda \big(\|\nabla_{\bar x} D(\bar x)\| - 1\big)^2, \qquad
     \bar x = t\, x + (1 - t)\, \hat x, \quad t \sim U(0, 1) $$

    Args:
        weight: λ.

    Source: Gulrajani et al. 2017, arXiv:1704.00028.
    """

    weight: float = 10.0

    def __call__(self, contest: Contest) -> Tensor:
        t = torch.rand(
            len(contest.real), *[1] * (contest.real.dim() - 1), device=contest.real.device
        )
        between = torch.lerp(contest.fake.detach(), contest.real.detach(), t.to(contest.real.dtype))
        between.requires_grad_()
        return self.weight * (slope(contest.judge(between), between) - 1).square()


def squared_slope(logits: Tensor, x: Tensor) -> Tensor:
    """‖∇ₓ D(x)‖² of each row, (B,), differentiable in the critic's parameters.

    >>> x = torch.ones(2, 3, requires_grad=True)
    >>> squared_slope((x * torch.tensor([3.0, 0.0, 4.0])).sum(1), x)
    tensor([25., 25.])
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.square().flatten(1).sum(1)


def slope(logits: Tensor, x: Tensor) -> Tensor:
    """‖∇ₓ D(x)‖ of each row, (B,), with a gradient also where it is zero."""
    return squared_slope(logits, x).add(1e-12).sqrt()
