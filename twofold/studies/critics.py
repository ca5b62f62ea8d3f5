r"""Densities that are known, and a critic trained between two of them.

What theory says of an optimal critic can only be checked where both distributions are known: here
mixtures of Gaussians in one or two dimensions, drawn from and integrated over at will. The critic
and its objective are the product's, the loop is plain: fresh draws at every step, Adam (Kingma &
Ba 2015, arXiv:1412.6980) with a rate that falls along half a cosine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from twofold.core.space import Field, Real, Space
from twofold.maths.adversarial import Objective
from twofold.maths.penalties import Contest, Penalty
from twofold.nets.bodies import Dense
from twofold.nets.critics import Critic
from twofold.train.chance import seed_all

CPU = torch.device("cpu")
BETAS = (0.5, 0.99)


def gaussians(centres: Sequence[Sequence[float]], sigma: float) -> MixtureSameFamily:
    """Round Gaussians of one width at centres of one or two coordinates, all of one weight.

    >>> gaussians([[0.0], [1.0]], 0.5).sample((3,)).shape
    torch.Size([3, 1])
    """
    mu = torch.tensor(centres)
    parts = Independent(Normal(mu, torch.full_like(mu, sigma)), 1)
    return MixtureSameFamily(Categorical(torch.ones(len(mu))), parts)


@dataclass(frozen=True)
class Lattice:
    """Points (N, D) over a square, and the volume that each stands for."""

    points: Tensor
    volume: float

    @classmethod
    def over(cls, dimensions: int, reach: float = 8.0) -> Lattice:
        """As many points as an integral over [−reach, reach]ᴰ needs, for D of one or two."""
        side = {1: 4001, 2: 401}[dimensions]
        axis = torch.linspace(-reach, reach, side)
        points = torch.cartesian_prod(*[axis] * dimensions).reshape(-1, dimensions)
        return cls(points, (2 * reach / (side - 1)) ** dimensions)

    def integral(self, values: Tensor) -> float:
        """∫ of values (N,) at the points."""
        return float(values.double().sum()) * self.volume


@dataclass(frozen=True)
class Lesson:
    """How a critic is trained.

    Args:
        steps, batch, rate: of Adam. width: of its two layers.
    """

    steps: int
    batch: int = 512
    rate: float = 2e-3
    width: int = 64


def trained(
    p: MixtureSameFamily,
    q: MixtureSameFamily,
    objective: Objective,
    penalties: Sequence[Penalty],
    lesson: Lesson,
    seed: int,
) -> Critic:
    """A critic that has learnt to tell draws of p, the real ones, from draws of q."""
    seed_all(CPU, seed)
    dimensions = p.event_shape[0]
    net = Dense(lesson.width, 2)
    critic = Critic(net, Space((Field("v", Real(), dimensions),)), Space(), lesson.width, False)
    optimiser = torch.optim.Adam(critic.parameters(), lesson.rate, BETAS)
    plan = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * step / lesson.steps))
    )
    for _ in range(lesson.steps):
        real, fake = (d.sample((lesson.batch,)).requires_grad_() for d in (p, q))
        contest = Contest(
            lambda x: logits(critic, x), real, fake, logits(critic, real), logits(critic, fake)
        )
        loss = objective.critic(contest.real_logits, contest.fake_logits)
        loss = sum((penalty(contest).mean() for penalty in penalties), loss)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        plan.step()
    return critic.eval()


def logits(critic: Critic, x: Tensor) -> Tensor:
    """D(x), (B,)."""
    found: Tensor = critic(x, x[:, :0])
    return found
