r"""Penalties: what keeps a critic smooth.

A `Penalty` looks at a `Contest` (a critic's judgement of real and drawn observations) and returns
one number a logit: a row, or a pack of rows where the critic looks at several together.

* `R1`: $\tfrac\gamma2 \|\nabla_x D(x)\|^2$ at real x; `R2`: the same at drawn x
  (Mescheder et al. 2018, arXiv:1801.04406). Together, at every step, with the relativistic
  objective, they make training converge (Huang et al. 2024, arXiv:2501.05441); applied lazily they
  fail on small sets, so there is no lazy option. A γ that falls while training goes on lets the
  critic be smooth first, so that no mode is lost, and sharp later (ibid., where it falls by a
  cosine).
* `GradientPenalty`: $\lambda (\|\nabla_{\hat x} D(\hat x)\| - k)^2$ on lines between real and
  drawn, with $k = 1$ (Gulrajani et al. 2017, arXiv:1704.00028) or centred at $k = 0$
  (Thanh-Tung et al. 2019, arXiv:1902.03984).
* `LipschitzPenalty`: $\lambda \max(0, \|\nabla D\| - 1)^2$ there, which lets a critic be flat: what
  the dual of the earth mover's distance asks for (Petzka et al. 2018, arXiv:1709.08894).
* `Dragan`: as `GradientPenalty` around real x, at $x + \sigma\varepsilon$ (Kodali et al. 2017,
  arXiv:1705.07215).
* `Consistency`: $\lambda (D(x) - D(T(x)))^2$ for random small changes T of real x (Zhang et al.
  2020, arXiv:1910.12027), and of drawn x̂ where it is balanced (Zhao et al. 2021,
  arXiv:2002.04724).

The gradient is with respect to x as networks see it, standardised or in [0, 1]; where the critic is
shown augmented observations, with respect to x before that (Karras et al. 2020, arXiv:2006.06676).

Notation: D(·) logits (B,), x real and x̂ drawn, both (B, C, *A).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn.functional import relu

from twofold.core.build import Part
from twofold.core.game import Progress
from twofold.maths.augmentations import Transformation, applied, suited
from twofold.maths.varying import Number, at, scaled


@dataclass(frozen=True)
class Contest:
    """A critic's judgement: `judge` gives logits (B,) to x (B, C, *A); (B / m,) to packs of m.

    `real` and `fake` require gradients, and `real_logits` and `fake_logits` are their logits.
    """

    judge: Callable[[Tensor], Tensor]
    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor


class Penalty(Part, ABC):
    """What a critic pays for steepness."""

    price: ClassVar[str] = "weight"
    """Which of its numbers weighs it."""

    def times(self, factor: float) -> Self:
        """The same penalty, so many times as heavy.

        >>> R1(0.5).times(10)
        R1(gamma=5.0)
        """
        return replace(self, **{self.price: scaled(getattr(self, self.price), factor)})  # type: ignore[type-var]

    @abstractmethod
    def __call__(self, contest: Contest) -> Tensor:
        """One number a logit, (B,)."""


@dataclass(frozen=True)
class R1(Penalty):
    r"""Half of γ times the squared slope at the real observations.

    $$ \frac\gamma2\, \|\nabla_x D(x)\|^2 $$

    Args:
        gamma: γ.

    Source: Mescheder et al. 2018, arXiv:1801.04406.
    """

    gamma: Number = 1.0
    price = "gamma"

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

    gamma: Number = 1.0
    price = "gamma"

    def __call__(self, contest: Contest) -> Tensor:
        return 0.5 * self.gamma * squared_slope(contest.fake_logits, contest.fake)


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    r"""`weight` times the squared distance of the slope from `target`, between real and drawn.

    $$ \lambda \big(\|\nabla_{\bar x} D(\bar x)\| - k\big)^2, \qquad
     \bar x = t\, x + (1 - t)\, \hat x, \quad t \sim U(0, 1) $$

    Args:
        weight: λ.
        target: k, 1 or, centred, 0.

    Source: Gulrajani et al. 2017, arXiv:1704.00028; centred at 0, Thanh-Tung et al. 2019,
    arXiv:1902.03984.
    """

    weight: float = 10.0
    target: float = 1.0

    def __call__(self, contest: Contest) -> Tensor:
        return self.weight * off_target(contest, between(contest), self.target)


@dataclass(frozen=True)
class LipschitzPenalty(Penalty):
    r"""`weight` times the squared excess of the slope over one, between real and drawn.

    $$ \lambda \max\big(0, \|\nabla_{\bar x} D(\bar x)\| - 1\big)^2, \qquad
     \bar x = t\, x + (1 - t)\, \hat x, \quad t \sim U(0, 1) $$

    A slope below one is free. With the two-sided penalty a critic that falls all the way is as good
    a start as one that rises and falls, and it may stay there.

    Args:
        weight: λ. The slope is over one by W₁ / 2λ where everything lies along one line.

    Source: Petzka et al. 2018, On the Regularization of Wasserstein GANs, arXiv:1709.08894.
    """

    weight: float = 10.0

    def __call__(self, contest: Contest) -> Tensor:
        x = between(contest).requires_grad_()
        return self.weight * relu(slope(contest.judge(x), x) - 1).square()


@dataclass(frozen=True)
class Dragan(Penalty):
    r"""`weight` times the squared distance of the slope from one, near real observations.

    $$ \lambda \big(\|\nabla_{\bar x} D(\bar x)\| - 1\big)^2, \qquad
     \bar x = x + \sigma \varepsilon, \quad \varepsilon \sim \mathcal N(0, I) $$

    Args:
        weight: λ.
        sigma: σ, in units of x.

    Source: Kodali et al. 2017, DRAGAN, arXiv:1705.07215.
    """

    weight: float = 10.0
    sigma: float = 0.5

    def __call__(self, contest: Contest) -> Tensor:
        real = contest.real.detach()
        return self.weight * off_target(contest, real + self.sigma * torch.randn_like(real), 1.0)


@dataclass(frozen=True)
class Consistency(Penalty):
    r"""`weight` times the squared change of a logit when its observation is changed a little.

    $$ \lambda \big(D(x) - D(T(x))\big)^2 + \mu \big(D(\hat x) - D(T(\hat x))\big)^2 $$

    Args:
        weight: λ.
        drawn: μ, not 0 where it is balanced.
        policy: T, one after the other; without any, those that suit the layout.

    Source: Zhang et al. 2020, arXiv:1910.12027; balanced, Zhao et al. 2021, arXiv:2002.04724.
    """

    weight: float = 10.0
    drawn: float = 0.0
    policy: tuple[Transformation, ...] = ()

    def __call__(self, contest: Contest) -> Tensor:
        paid = self.weight * self.change(contest, contest.real, contest.real_logits)
        if not self.drawn:
            return paid
        return paid + self.drawn * self.change(contest, contest.fake, contest.fake_logits)

    def change(self, contest: Contest, x: Tensor, logits: Tensor) -> Tensor:
        changed = applied(self.policy or suited(x.dim() - 2), x.detach())
        return (logits - contest.judge(changed)).square()


def steepness(penalties: Sequence[Penalty], contest: Contest, progress: Progress) -> Tensor:
    """What the critic pays, summed, each a mean over logits; what varies is at its value now."""
    nothing = contest.real_logits.new_zeros(())
    return sum((at(penalty, progress)(contest).mean() for penalty in penalties), nothing)


def between(contest: Contest) -> Tensor:
    """x̄ = t x + (1 − t) x̂, one t a logit."""
    real, logits = contest.real.detach(), contest.real_logits
    t = torch.rand(len(logits), device=real.device).repeat_interleave(len(real) // len(logits))
    t = t.reshape(-1, *[1] * (real.dim() - 1)).to(real.dtype)
    return torch.lerp(contest.fake.detach(), real, t)


def off_target(contest: Contest, x: Tensor, target: float) -> Tensor:
    """(‖∇ₓ D(x)‖ − target)² of each logit."""
    x.requires_grad_()
    return (slope(contest.judge(x), x) - target).square()


def squared_slope(logits: Tensor, x: Tensor) -> Tensor:
    """‖∇ₓ D(x)‖² of each logit, (B,), differentiable in the critic's parameters.

    >>> x = torch.ones(2, 3, requires_grad=True)
    >>> squared_slope((x * torch.tensor([3.0, 0.0, 4.0])).sum(1), x)
    tensor([25., 25.])
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gradient.reshape(len(logits), -1).square().sum(1)  # the rows of a pack lie together


def slope(logits: Tensor, x: Tensor) -> Tensor:
    """‖∇ₓ D(x)‖ of each logit, (B,), with a gradient also where it is zero."""
    return squared_slope(logits, x).add(1e-12).sqrt()
