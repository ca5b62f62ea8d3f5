r"""The mode-regularised GAN, trained by manifold and by diffusion.

A GAN is told where its draws are wrong and never which observations it does not draw. Here an
encoder E gives each observation a code, and G is to give the observation back from it: so every
mode of the data has a place in the code, and G is led to it.

*The regularised GAN* (§3.2) is the plain game with what G and E pay besides. One critic tells
observations from draws, and is deceived by what comes back too,

$$ D_1: -\mathbb E_x \log D_1(x) - \mathbb E_z \log\big(1 - D_1(G(z))\big), \qquad
   G, E: -\mathbb E_z \log D_1(G(z))
   + \mathbb E_x \big[ \lambda_1\, d(x, G(E(x))) - \lambda_2 \log D_1(G(E(x))) \big]. $$

*Manifold and diffusion* (§3.3) divide the work between two critics, and a step into two.

*Manifold step.* $D_1$ tells observations from what comes back of them, and G with E lowers their
distance and deceives $D_1$, so that what G can draw lies along the data,

$$ D_1: -\mathbb E_x \log D_1(x) - \mathbb E_x \log\big(1 - D_1(G(E(x)))\big), \qquad
   G, E: \mathbb E_x \big[ \lambda_1\, d(x, G(E(x))) - \lambda_2 \log D_1(G(E(x))) \big]; $$

*diffusion step.* $D_2$ tells what comes back from what is drawn of noise, and G deceives $D_2$, so
that draws spread over all of it as the data do,

$$ D_2: -\mathbb E_x \log D_2(G(E(x))) - \mathbb E_z \log\big(1 - D_2(G(z))\big), \qquad
   G: -\mathbb E_z \log D_2(G(z)). $$

The distance d is the squared error. $D_2$ compares draws with draws, both of G's
making, which overlap from the start as draws and data do not.

Any *objective* of logits may stand in for the logarithms.

Source: Che, Li, Jacob, Bengio & Li 2017, Mode Regularized Generative Adversarial Networks,
arXiv:1612.02136.

Notation: x (B, C, *A); z from p(z) and E(x), (B, D); D₁(·), D₂(·) are logits (B,).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Criticises, Decodes, Encodes, Model, Progress, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import NonSaturating, Objective
from twofold.maths.distributions import Dirac, Normal
from twofold.maths.penalties import R1, R2, Contest, Penalty, steepness
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.critics import Critic
from twofold.nets.decoders import Generator, Relaxed
from twofold.nets.steadying import Steadied


class MDGAN(Model, Decodes, Encodes, Criticises, Steadied):
    """The mode-regularised GAN of a Space.

    Args:
        latent: D, the dimensions of the noise and of codes.
        generator: the architecture of G.
        encoder: the architecture of E.
        critic: the architecture of D₁, and of D₂ where there is one.
        features: the width of the critics' last features, which meet what is given.
        single: play the regularised GAN, with one critic, in place of manifold and diffusion.
        distance: λ₁, the weight of the squared distance of what comes back.
        deceiving: λ₂, the weight of deceiving D₁ with it.
        objective: what critics and generator minimise, of logits.
        penalties: what each critic pays besides, summed.
        tau: the temperature of relaxed categories.

    >>> from twofold.core.space import Field, Real
    >>> mdgan = MDGAN(Space((Field("a", Real()), Field("b", Real()))), Space(), latent=2)
    >>> mdgan.sample(Given.none(3, Space())).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: PositiveInt = 64,
        generator: Architecture = Suited(),
        encoder: Architecture = Suited(),
        critic: Architecture = Suited(),
        features: PositiveInt = 128,
        single: bool = False,
        distance: PositiveFloat = 1.0,
        deceiving: NonNegativeFloat = 1.0,
        objective: Objective = NonSaturating(),
        penalties: tuple[Penalty, ...] = (R1(), R2()),
        tau: PositiveFloat = 0.5,
    ) -> None:
        super().__init__(space, given)
        self.latent, self.distance, self.deceiving = latent, distance, deceiving
        self.objective, self.penalties = objective, penalties
        self.G = Generator(generator, latent, given, space, tau)
        self.E = encoder.down(space, given, latent)
        self.D_1 = Critic(critic, space, given, features, spectral=False)
        second = [] if single else [Critic(critic, space, given, features, spectral=False)]
        self.D_2 = nn.ModuleList(second)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        diffusion = {"diffusion": list(self.D_2)} if len(self.D_2) else {}
        return {"manifold": [self.D_1], **diffusion, "generator": [self.G, self.E]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        if not len(self.D_2):
            yield from self.regularised(x, given, progress)
            return
        yield from self.manifold(x, given, progress)
        for D_2 in self.D_2:
            yield from self.diffusion(D_2, x, given, progress)

    def regularised(self, x: Tensor, given: Given, progress: Progress) -> Iterator[Turn]:
        """The game of one critic (§3.2)."""
        with torch.no_grad():
            drawn = self.draw(given)
        yield Turn(manifold=self.told(self.D_1, x, drawn, given, progress))
        lost = self.deceived(self.D_1, x, self.draw(given), given)
        paid, notes = self.returned(x, given)
        yield Turn(notes, generator=lost + paid)

    def manifold(self, x: Tensor, given: Given, progress: Progress) -> Iterator[Turn]:
        """What comes back against observations (§3.3)."""
        with torch.no_grad():
            back = self.back(x, given)
        yield Turn(manifold=self.told(self.D_1, x, back, given, progress))
        paid, notes = self.returned(x, given)
        yield Turn(notes, generator=paid)

    def diffusion(
        self, D_2: nn.Module, x: Tensor, given: Given, progress: Progress
    ) -> Iterator[Turn]:
        """Draws against what comes back (§3.3)."""
        with torch.no_grad():
            back, drawn = self.back(x, given), self.draw(given)
        yield Turn(diffusion=self.told(D_2, back, drawn, given, progress))
        yield Turn(generator=self.deceived(D_2, back, self.draw(given), given))

    def returned(self, x: Tensor, given: Given) -> tuple[Tensor, dict[str, Tensor]]:
        """What G and E pay for what comes back, λ₁ d − λ₂ log D₁; and its terms, for the log."""
        back = self.back(x, given)
        d = (x - back).square().flatten(1).sum(1).mean()
        deceived = self.deceived(self.D_1, x, back, given)
        return self.distance * d + self.deceiving * deceived, {"distance": d, "deceived": deceived}

    def told(
        self, D: nn.Module, real: Tensor, fake: Tensor, given: Given, progress: Progress
    ) -> Tensor:
        """What a critic minimises, its penalties with it."""
        real, fake = (t.detach().requires_grad_(bool(self.penalties)) for t in (real, fake))
        logits = D(real, given.c), D(fake, given.c)
        contest = Contest(lambda t: D(t, given.c), real, fake, *logits)
        loss = self.objective.critic(*logits)
        return loss + steepness(self.penalties, contest, progress)

    def deceived(self, D: nn.Module, real: Tensor, fake: Tensor, given: Given) -> Tensor:
        """What the generator minimises to deceive a critic."""
        with torch.no_grad():
            at_real = D(real, given.c)
        return self.objective.generator(at_real, D(fake, given.c))

    def back(self, x: Tensor, given: Given) -> Tensor:
        """G(E(x)), with gradient."""
        return self.decode(self.encode(x, given).point, given).rsample()

    def draw(self, given: Given) -> Tensor:
        """G(z), z ~ p(z), with gradient."""
        return self.decode(self.prior(given).sample(), given).rsample()

    def judge(self, x: Tensor, given: Given) -> Tensor:
        """The logit of D₁, which has seen observations."""
        logit: Tensor = self.D_1(x, given.c)
        return logit

    def encode(self, x: Tensor, given: Given) -> Dirac:
        return Dirac(self.E(x, given.c))

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Relaxed:
        return self.G(z, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()
