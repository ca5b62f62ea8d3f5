r"""The optimal critic and the equilibrium of Goodfellow et al., on densities that are known.

For a fixed generator with density q and data with density p, the critic that maximises
$V(D, G) = \mathbb E_p \log D(x) + \mathbb E_q \log(1 - D(x))$ is

$$ D^*(x) = \frac{p(x)}{p(x) + q(x)}, \qquad
   -V(D^*, G) = \log 4 - 2\, \mathrm{JSD}(p \,\|\, q) $$

(Goodfellow et al. 2014, arXiv:1406.2661, Proposition 1 and Theorem 1), and where q = p, D is ½
everywhere, the loss is log 4, and neither player has anywhere to go. Here a critic of the product
is trained between known densities and set beside the formula, the divergence by quadrature; and the
game itself is played with a linear generator, whose density is known at every step,
$q = \mathcal N(b, W W^\top)$: from the equilibrium, where it must stay, and from elsewhere, whence
the regularised game must arrive (Mescheder et al. 2018, arXiv:1801.04406).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import MixtureSameFamily, MultivariateNormal, kl_divergence

from twofold.core.space import Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.adversarial import NonSaturating
from twofold.maths.schedules import Cosine
from twofold.models.gan import GAN
from twofold.nets.bodies import Dense
from twofold.studies.critics import CPU, Lattice, Lesson, gaussians, logits, trained
from twofold.studies.seeds import exact, finding
from twofold.studies.study import Budget, Row, Study
from twofold.train.chance import seed_all
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

LESSONS: Mapping[Budget, Lesson] = {
    "smoke": Lesson(5),
    "cpu": Lesson(4000),
    "paper": Lesson(20_000, 2048),
}
GAMES: Mapping[Budget, int] = {"smoke": 5, "cpu": 3000, "paper": 20_000}
"""Steps of the whole game."""

ROWS, BATCH = 20_000, 500
OFF, NATS = 0.02, 0.02
"""Bars: the mean distance of D from D*, and of the loss from its value."""
PLACES = {"the equilibrium": 0.0, "elsewhere": 2.0}
"""Where the generator of the game starts: how far its mean is from the data's."""


class Pair(NamedTuple):
    """Real and drawn."""

    p: MixtureSameFamily
    q: MixtureSameFamily


PAIRS = {
    "apart by one": Pair(gaussians([[0.0]], 1.0), gaussians([[1.0]], 1.0)),
    "two bumps and one": Pair(gaussians([[-2.0], [2.0]], 0.5), gaussians([[0.0]], 2.0)),
    "four in the plane and one": Pair(
        gaussians([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0], [0.0, -2.0]], 0.6),
        gaussians([[0.0, 0.0]], 1.5),
    ),
    "the same": Pair(gaussians([[-1.0], [1.0]], 0.7), gaussians([[-1.0], [1.0]], 0.7)),
}


class OptimalCritic(Study):
    """The critic that theory says, and the game at rest."""

    claim = (
        "A trained critic is p/(p+q), its loss log 4 less twice the Jensen–Shannon divergence; at "
        "the equilibrium neither player improves."
    )
    paper = "Goodfellow et al. 2014, arXiv:1406.2661; Mescheder et al. 2018, arXiv:1801.04406"
    protocol = (
        "Four pairs of Gaussian mixtures in one and two dimensions. A critic of two layers of 64, "
        "the loss of the paper without any penalty, Adam (0.5, 0.99) at 2e-3 with a cosine, 4,000 "
        "steps of 512 fresh draws of each (paper 20,000 of 2,048). Its distance from p/(p+q) is "
        "the mean of |D − D*| under (p+q)/2, its loss an integral, the divergence too: 4,001 "
        "points, 401 × 401 in the plane. The worst of the seeds is reported. The game: 20,000 "
        "rows of a correlated Gaussian in the plane, a linear generator, the paper's "
        "non-saturating loss with R1 of γ = 1, 3,000 steps (paper 20,000) of 500, 2e-3 with a "
        "cosine; KL(p ‖ q) of "
        "the averaged generator, in closed form. Nothing is chosen on what is reported."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        taught = {
            name: [learnt(pair, LESSONS[budget], seed) for seed in range(seeds)]
            for name, pair in PAIRS.items()
        }
        played = {
            where: [after(start, GAMES[budget], seed) for seed in range(seeds)]
            for where, start in PLACES.items()
        }
        return [
            *[row for name, found in taught.items() for row in of_pair(name, found)],
            *[row for where, found in played.items() for row in of_game(where, found)],
        ]


# One critic.


class Learnt(NamedTuple):
    """A trained critic beside the formula."""

    off: float
    loss: float
    optimum: float


def learnt(pair: Pair, lesson: Lesson, seed: int) -> Learnt:
    """Train a critic, and integrate."""
    critic = trained(pair.p, pair.q, NonSaturating(), (), lesson, seed)
    lattice = Lattice.over(pair.p.event_shape[0])
    p, q = (d.log_prob(lattice.points).exp() for d in pair)
    with torch.no_grad():
        told = logits(critic, lattice.points)
    best = (p + TINY).log() - (q + TINY).log()
    apart = (told.sigmoid() - best.sigmoid()).abs()
    return Learnt(
        lattice.integral((p + q) / 2 * apart),
        lattice.integral(cost(told, p, q)),
        math.log(4) - 2 * divergence(p, q, lattice),
    )


TINY = 1e-30
"""A density below which nothing is drawn."""


def cost(told: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """−p log D − q log(1 − D) at points, D of these logits."""
    return p * F.softplus(-told) + q * F.softplus(told)


def divergence(p: Tensor, q: Tensor, lattice: Lattice) -> float:
    """The Jensen–Shannon divergence in nats, by quadrature.

    >>> line = Lattice.over(1)
    >>> p, q = (gaussians([[at]], 0.1).log_prob(line.points).exp() for at in (-3.0, 3.0))
    >>> abs(divergence(p, p, line)) < 1e-6, round(divergence(p, q, line), 4)
    (True, 0.6931)
    """
    middle = (p + q) / 2
    parts = [torch.xlogy(d, d / middle.clamp(min=TINY)) for d in (p, q)]
    return lattice.integral(sum(parts, torch.zeros_like(p))) / 2


def of_pair(name: str, found: Sequence[Learnt]) -> list[Row]:
    """Two bars, and the figures that they compare."""
    return [
        exact(f"{name}: mean |D − p/(p+q)|", [one.off for one in found], OFF, "drawn"),
        exact(
            f"{name}: |loss − (log 4 − 2 JSD)|, nats",
            [abs(one.loss - one.optimum) for one in found],
            NATS,
            "drawn",
        ),
        finding(f"{name}: loss", [one.loss for one in found], "drawn", "lower"),
        finding(f"{name}: log 4 − 2 JSD", [one.optimum for one in found], "none", "lower"),
    ]


# The game.

DATA = MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 0.6], [0.6, 1.0]]))


def linear(start: float) -> GAN:
    """A GAN whose generator is N(b, W Wᵀ), with the data's covariance, and b moved by `start`."""
    space = Space((Field("v", Real(), 2),))
    gan = GAN(space, Space(), 2, Dense(1, 0), Dense(64, 2), 64, NonSaturating())
    last = affine(gan)
    last.weight.data = DATA.scale_tril.clone()
    last.bias.data = DATA.mean + start
    return gan


def affine(gan: GAN) -> nn.Linear:
    """The generator's only layer."""
    return next(layer for layer in gan.generator.modules() if isinstance(layer, nn.Linear))


def after(start: float, steps: int, seed: int) -> float:
    """KL(p ‖ q) when the game has been played."""
    seed_all(CPU, seed)
    gan = linear(start)
    x = DATA.sample((ROWS,))
    feed = Feed(Memory(x, x[:, :0]), gan.space, Space(), BATCH, seed, CPU)
    training = Training(
        steps, BATCH, seed=seed, lr=2e-3, betas=(0.0, 0.99), schedule=Cosine(warmup=0.01)
    )
    loop = Loop(gan, feed, training)
    while not loop.done:
        loop.advance()
    made = loop.averaged
    assert isinstance(made, GAN)
    return distance(made)


def distance(gan: GAN) -> float:
    """KL(p ‖ q), in nats."""
    layer = affine(gan)
    covariance = layer.weight.detach() @ layer.weight.detach().T
    return float(kl_divergence(DATA, MultivariateNormal(layer.bias.detach(), covariance)))


def of_game(where: str, found: Sequence[float]) -> list[Row]:
    """A bar on where the generator ends, beside where it started."""
    begun = distance(linear(PLACES[where]))
    return [
        exact(f"game from {where}: KL(p ‖ q) at the end, nats", found, NATS, "train"),
        finding(f"game from {where}: KL(p ‖ q) at the start, nats", [begun], "train", "lower"),
    ]
