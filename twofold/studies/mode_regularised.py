r"""Does an encoder that must be given back keep a GAN's modes?

Che et al. 2017 (arXiv:1612.02136) say that a plain GAN misses modes, and fewer where the generator
must also give every observation back from its code (§3.2), in one game or in two steps by manifold
and diffusion (§3.3). They show it on a mixture of Gaussians in the plane, among others.
Here the three games are played on eight Gaussians around a circle by the same networks, with the
same loss, without any penalty, and for as many observations: what differs is the regulariser. A
mode is *missed* where fewer than a tenth of its share of the draws are within 3σ of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from twofold.core.game import Model
from twofold.core.space import Space
from twofold.maths.adversarial import NonSaturating
from twofold.maths.schedules import Cosine
from twofold.models.gan import GAN
from twofold.models.mdgan import MDGAN
from twofold.nets.bodies import Dense
from twofold.studies.mixtures import (
    CRITIC,
    GENERATOR,
    LATENT,
    SIGMAS,
    WIDTH,
    Mixture,
    drawn,
    of_mixture,
    on_ring,
)
from twofold.studies.seeds import least, most, over_seeds
from twofold.studies.study import Budget, Row, Study
from twofold.train.options import Training

STEPS: Mapping[Budget, int] = {"smoke": 2, "cpu": 5000, "paper": 20_000}
CIRCLE = Mixture(on_ring(8), 0.05)
SHARE = 0.1
"""Of a mode's share of the draws, below which it is missed."""
ENCODER, BATCH, RATE = Dense(WIDTH, 2), 128, 1e-3
WEIGHTS = (4.0, 0.4)
"""λ₁ of the distance and λ₂ of deceiving."""


def plain(space: Space) -> Model:
    """The game of Goodfellow et al. 2014, not saturating."""
    return GAN(space, Space(), LATENT, GENERATOR, CRITIC, WIDTH, NonSaturating(), penalties=())


def regularised(space: Space) -> Model:
    """With an encoder and one critic."""
    return with_encoder(space, single=True)


def manifold_diffusion(space: Space) -> Model:
    """With an encoder and two critics."""
    return with_encoder(space, single=False)


def with_encoder(space: Space, single: bool) -> Model:
    return MDGAN(
        space,
        Space(),
        LATENT,
        GENERATOR,
        ENCODER,
        CRITIC,
        WIDTH,
        single,
        *WEIGHTS,
        NonSaturating(),
        penalties=(),
    )


GAMES: Mapping[str, Callable[[Space], Model]] = {
    "plain": plain,
    "regularised": regularised,
    "manifold and diffusion": manifold_diffusion,
}


class ModeRegularised(Study):
    """Modes missed, with the regulariser and without."""

    claim = "A GAN that must give observations back from their codes misses fewer modes."
    paper = "Che et al. 2017, Mode Regularized Generative Adversarial Networks, arXiv:1612.02136"
    protocol = (
        "Eight Gaussians of σ = 0.05 on the unit circle, 100,000 observations drawn with the seed, "
        "standardised; two dimensions of noise; generator and critics as in the study `ring`, the "
        "encoder two layers of 64; not saturating, no penalty, Adam (0.5, 0.99) at 1e-3 with a "
        "cosine, 5,000 steps of 128 (paper 20,000) for all three games, averaged weights; λ₁ = 4 "
        "and λ₂ = 0.4. Of 2,500 draws a mode is missed where fewer than a tenth of its share are "
        "within 3σ of it. The bar is that the intervals over seeds do not overlap: the lower end "
        "of the plain game's less the upper end of the regularised one's. Weights and rate were "
        "chosen on seed 100."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        found = {
            name: [missed_by(game, STEPS[budget], seed) for seed in range(seeds)]
            for name, game in GAMES.items()
        }
        of_plain = found["plain"]
        others = [name for name in GAMES if name != "plain"]
        return [
            *[of_game(name, values) for name, values in found.items()],
            *[apart(name, of_plain, found[name]) for name in others],
        ]


def missed_by(game: Callable[[Space], Model], steps: int, seed: int) -> float:
    """Play one seed."""
    training = Training(steps, BATCH, lr=RATE, betas=(0.5, 0.99), schedule=Cosine(), average=20.0)
    return missed(drawn(of_mixture(game, CIRCLE, training, seed)), CIRCLE)


def missed(draws: Tensor, mixture: Mixture) -> float:
    """How many modes have fewer than a tenth of their share of draws (n, 2) nearby.

    >>> x = CIRCLE.draw(2500)
    >>> missed(x, CIRCLE), missed(x[x[:, 0] > 0.5], CIRCLE)
    (0.0, 5.0)
    """
    centres = torch.tensor(mixture.centres)
    near = torch.cdist(draws, centres) < SIGMAS * mixture.sigma  # (n, K)
    return float((near.double().mean(0) < SHARE / len(centres)).sum())


def of_game(name: str, missing: Sequence[float]) -> Row:
    """What a game misses, a mean over seeds."""
    found = over_seeds(missing)
    name = f"{name}: modes missed of {len(CIRCLE.centres)}"
    return Row(name, "finding", *found, len(missing), "drawn", "lower", floor=0.0)


def apart(name: str, of_plain: Sequence[float], others: Sequence[float]) -> Row:
    """A bar: both intervals leave a gap between them, with the plain game's above."""
    worse, better = over_seeds(of_plain), over_seeds(others)
    gap = least(worse) - most(better)
    measure = f"{name}: gap below the plain game's interval, modes"
    span = (least(worse) - most(better), most(worse) - least(better))
    return Row(measure, "bar", gap, *span, len(others), "drawn", "higher", ABOVE)


ABOVE = 1e-9
"""A gap of nothing is an overlap."""
