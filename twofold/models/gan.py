r"""The generative adversarial network.

A generator G maps noise z to an observation; a critic D tells real observations from drawn ones;
each learns against the other (Algorithm 1 of the paper):

$$ \min_D\; \ell_D\big(D(x), D(\hat x)\big) + \textstyle\sum \mathbb E\, \text{penalty}, \qquad
 \min_G\; \ell_G\big(D(x), D(\hat x)\big), \qquad \hat x = G(z),\; z \sim \mathcal N(0, I). $$

The *objective* is the pair of losses, the *penalties* keep the critic smooth. The default is the
modern baseline of Huang et al. 2024: the paired relativistic objective with R1 and R2 at every
step. Given conditions enter the generator beside z and the critic by projection.

Source: Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661; Huang et al. 2024,
arXiv:2501.05441.

Notation: x real, x̂ drawn, both (B, C, *A); z (B, D); D(·) are logits (B,).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Criticises, Decodes, Model, Progress, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import Objective, Relativistic
from twofold.maths.distributions import Normal
from twofold.maths.penalties import R1, R2, Contest, Penalty
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.critics import Critic, advance
from twofold.nets.decoders import Generator, Relaxed


class GAN(Model, Decodes, Criticises):
    """The generative adversarial network of a Space.

    Args:
        latent: D, the dimensions of the noise.
        generator: the architecture of G.
        critic: the architecture of D.
        features: the width of the critic's last features, which meet what is given.
        objective: what the two minimise.
        penalties: what the critic pays besides, summed.
        critic_turns: turns of the critic for one of the generator.
        spectral: spectral normalisation of the critic.
        tau: the temperature of relaxed categories.

    >>> from twofold.core.space import Field, Real
    >>> gan = GAN(Space((Field("a", Real()), Field("b", Real()))), Space(), latent=2)
    >>> gan.sample(Given.none(3, Space())).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: int = 64,
        generator: Architecture = Suited(),
        critic: Architecture = Suited(),
        features: int = 128,
        objective: Objective = Relativistic(),
        penalties: tuple[Penalty, ...] = (R1(), R2()),
        critic_turns: int = 1,
        spectral: bool = False,
        tau: float = 0.5,
    ) -> None:
        super().__init__(space, given)
        self.latent = latent
        self.generator = Generator(generator, latent, given, space, tau)
        self.critic = Critic(critic, space, given, features, spectral)
        self.objective = objective
        self.penalties = penalties
        self.critic_turns = critic_turns

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        for turn in range(self.critic_turns):
            advance(self.critic, progress.step * self.critic_turns + turn)
            with torch.no_grad():
                drawn = self.draw(given)
            contest = self.contest(x, drawn, given)
            loss = self.objective.critic(contest.real_logits, contest.fake_logits)
            steepness = sum((p(contest).mean() for p in self.penalties), loss.new_zeros(()))
            yield Turn({"steepness": steepness, **logits(contest)}, critic=loss + steepness)
        fake = self.judge(self.draw(given), given)
        with torch.no_grad():
            real = self.judge(x, given) if self.objective.relative else torch.zeros_like(fake)
        yield Turn(generator=self.objective.generator(real, fake))

    def contest(self, real: Tensor, fake: Tensor, given: Given) -> Contest:
        """The critic's judgement of a real batch and a drawn one."""
        real, fake = (t.detach().requires_grad_(bool(self.penalties)) for t in (real, fake))
        real_logits, fake_logits = self.judge(real, given), self.judge(fake, given)
        return Contest(lambda x: self.judge(x, given), real, fake, real_logits, fake_logits)

    def draw(self, given: Given) -> Tensor:
        """x̂ = G(z), z ~ p(z), with gradient."""
        return self.decode(self.prior(given).sample(), given).rsample()

    def judge(self, x: Tensor, given: Given) -> Tensor:
        return self.critic(x, given.c)

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Relaxed:
        return self.generator(z, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()


def logits(contest: Contest) -> dict[str, Tensor]:
    """What the log keeps of a judgement."""
    return {"real": contest.real_logits.mean(), "fake": contest.fake_logits.mean()}
