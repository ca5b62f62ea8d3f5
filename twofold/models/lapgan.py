r"""The Laplacian pyramid of adversarial networks.

An observation is a coarse one and the detail that each doubling of its size adds (Burt & Adelson
1983). With d and u the ways down and up (`nets/scales.py`), $I_0$ the coarsest and $I_K = x$,

$$ I_{k-1} = d(I_k), \qquad l_k = u(I_{k-1}), \qquad h_k = I_k - l_k, \qquad h_0 = I_0, $$

and back again, exactly, $I_k = u(I_{k-1}) + h_k$. Each level is a game of its own (Denton et al.
2015, arXiv:1506.05751): a generator draws the residual $\tilde h_k = G_k(z_k, l_k)$ that suits a
coarse observation, a critic tells $(h_k, l_k)$ from $(\tilde h_k, l_k)$, and sees them as
$l_k + h_k$ beside $l_k$. In training $l_k$ is always that of a real observation, so the levels do
not wait for each other: all critics move at once, then all generators. Sampling goes from coarse to
fine, each level upon what the one below has drawn:

$$ \tilde I_0 = G_0(z_0), \qquad \tilde I_k = u(\tilde I_{k-1}) + G_k(z_k, u(\tilde I_{k-1})) . $$

At its best a critic's logit is the logarithm of a ratio of densities, of $h_k$ given $l_k$. Those
of all levels add up to that of the whole pyramid, and hence of x, which is what `judge` returns.

The paper counts its levels the other way, from the full size. Its noise is a plane of its own at
each size, and here too: the code z holds the noise of all levels, one after the other.

Notation: x, $I_k$, $l_k$, $h_k$ (B, C, *A) at the size of their level; z (B, D); logits (B,).

Source: Denton et al. 2015, arXiv:1506.05751.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Criticises, Decodes, Model, Progress, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import Objective, Relativistic
from twofold.maths.contests import contest, critic_loss, generator_loss
from twofold.maths.distributions import Dirac, Normal
from twofold.maths.penalties import R1, R2, Penalty
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.company import Alone, Company
from twofold.nets.critics import Critic, side_by_side
from twofold.nets.decoders import Generator
from twofold.nets.refining import Refiner
from twofold.nets.scales import Scales, check_grid
from twofold.nets.steadying import Steadied


@dataclass(frozen=True)
class Level:
    """What a level of a pyramid has: the residual h, and l on which it stands."""

    h: Tensor
    l: Tensor  # noqa: E741 (the paper's)

    @property
    def image(self) -> Tensor:
        """I = l + h."""
        return self.l + self.h


class LAPGAN(Model, Decodes, Criticises, Steadied):
    """The pyramid of GANs of a Space with axes.

    Args:
        coarsest: the size is halved until no axis is longer.
        noise: dimensions of the coarsest level's noise.
        generator: the architecture of G_0.
        refiner: the other generators.
        critic: the architecture of every critic.
        features: the width of the critics' last features, which meet what is given.
        objective: what the two of each level minimise.
        penalties: what the critics pay besides, summed.
        company: what the critics see of the rest of the batch beside each.

    Raises:
        UserError: the data have no axes.

    >>> from twofold.core.space import Bounded, Field
    >>> space = Space((Field("pixel", Bounded(0, 255, 256)),), (9, 7))
    >>> gan = LAPGAN(space, Space(), noise=8, refiner=Refiner(4, 1))
    >>> gan.scales.sizes
    [(3, 4), (5, 4), (9, 7)]
    >>> gan.sample(Given.none(3, Space())).shape
    torch.Size([3, 1, 9, 7])
    """

    lacks: ClassVar[Mapping[str, str]] = {
        "augment": "an observation that is moved no longer fits the coarse one it stands on",
        "pac": "company shows its critics the rest of the batch",
    }

    def __init__(
        self,
        space: Space,
        given: Space,
        coarsest: PositiveInt = 4,
        noise: PositiveInt = 64,
        generator: Architecture = Suited(),
        refiner: Refiner = Refiner(),
        critic: Architecture = Suited(),
        features: PositiveInt = 128,
        objective: Objective = Relativistic(),
        penalties: tuple[Penalty, ...] = (R1(), R2()),
        company: Company = Alone(),
    ) -> None:
        super().__init__(space, given)
        check_grid(space.axes, "lapgan")
        self.scales = Scales(space.axes, coarsest)
        spaces = [Space(space.fields, size) for size in self.scales.sizes]
        self.coarse = Generator(generator, noise, given, spaces[0], tau=1.0)
        self.refiners = nn.ModuleList(refiner.build(level, given) for level in spaces[1:])
        seen = [spaces[0], *[side_by_side(level, 2) for level in spaces[1:]]]
        self.critics = nn.ModuleList(
            Critic(critic, level, given, features, False, company=company) for level in seen
        )
        self.noise = [noise, *[self.scales.places(k) for k in range(1, len(spaces))]]
        self.latent = sum(self.noise)
        self.objective, self.penalties = objective, penalties

    def players(self) -> dict[str, Sequence[nn.Module]]:
        generators = [self.coarse, *self.refiners]
        return {f"critic{k}": [net] for k, net in enumerate(self.critics)} | {
            f"generator{k}": [net] for k, net in enumerate(generators)
        }

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        levels, given = self.pyramid(batch.x), batch.given
        critics: dict[str, Tensor] = {}
        notes: dict[str, Tensor] = {}
        for k, real in enumerate(levels):
            judge = partial(self.judge_level, k, real.l, given)
            with torch.no_grad():
                drawn = self.draw_level(k, real.l, given)
            judged = contest(judge, real.image, drawn, self.penalties)
            critics[f"critic{k}"], seen = critic_loss(
                judged, self.objective, self.penalties, progress
            )
            notes |= {f"{name}{k}": value for name, value in seen.items()}
        yield Turn(notes, **critics)
        generators = {}
        for k, real in enumerate(levels):
            judge = partial(self.judge_level, k, real.l, given)
            drawn = self.draw_level(k, real.l, given)
            generators[f"generator{k}"] = generator_loss(judge, real.image, drawn, self.objective)
        yield Turn({}, **generators)

    # The pyramid.

    def pyramid(self, x: Tensor) -> list[Level]:
        """The levels of x (B, C, *A), coarse to fine; the first stands on nothing."""
        images = [self.scales.reduce(x, k) for k in range(len(self.scales))]
        below = [up(image) for up, image in zip(self.scales.resizes, images, strict=False)]
        lows = [torch.zeros_like(images[0]), *below]
        return [Level(image - low, low) for image, low in zip(images, lows, strict=True)]

    def rebuilt(self, levels: Sequence[Level]) -> Tensor:
        """x from the residuals of its levels: I_k = u(I_{k−1}) + h_k."""
        image = levels[0].h
        for up, level in zip(self.scales.resizes, levels[1:], strict=True):
            image = up(image) + level.h
        return image

    # One level.

    def draw_level(self, k: int, low: Tensor, given: Given) -> Tensor:
        """l_k + h̃_k with fresh noise, with gradient."""
        z = Normal.standard(len(low), self.noise[k], low).sample()
        return self.paint_level(k, z, low, given)

    def paint_level(self, k: int, z: Tensor, low: Tensor, given: Given) -> Tensor:
        """l_k + G_k(z_k, l_k); at the coarsest G_0(z_0)."""
        if k == 0:
            return self.coarse(z, given.c).mean  # a coarse category is a share of places
        plane = z.unflatten(1, (1, *self.scales.sizes[k]))
        h: Tensor = self.refiners[k - 1](torch.cat([low, plane], 1), given.c)
        return low + h

    def judge_level(self, k: int, low: Tensor, given: Given, image: Tensor) -> Tensor:
        """D_k: a logit of I_k beside the l_k that it stands on; at the coarsest of I_0 alone."""
        shown = torch.cat([image, low], 1) if k else image
        logits: Tensor = self.critics[k](shown, given.c)
        return logits

    # Roles.

    def judge(self, x: Tensor, given: Given) -> Tensor:
        levels = enumerate(self.pyramid(x))
        logits = [self.judge_level(k, level.l, given, level.image) for k, level in levels]
        return torch.stack(logits).sum(0)

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Dirac:
        """From coarse to fine; what comes out is brought into the domain of each field."""
        first, *rest = z.split(self.noise, 1)
        image = self.paint_level(0, first, first, given)
        for k, noise in enumerate(rest, 1):
            image = self.paint_level(k, noise, self.scales.resizes[k - 1](image), given)
        return Dirac(self.space.encode(self.space.decode(image)))

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()
