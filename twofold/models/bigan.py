r"""The GAN that infers: adversarially learned inference, or the bidirectional GAN.

A generator draws x̃ ~ p(x | z) of codes z ~ p(z), an encoder draws codes ẑ ~ q(z | x) of
observations, and a critic is shown pairs. It is to tell the encoder's (x, ẑ) from the generator's
(x̃, z):

$$ \min_{p,q} \max_D \; \mathbb E_{x,\,\hat z \sim q(z|x)} \log D(x, \hat z)
   + \mathbb E_{z,\,\tilde x \sim p(x|z)} \log\big(1 - D(\tilde x, z)\big), $$

Dumoulin et al. 2017 (ALI, arXiv:1606.00704, Algorithm 1); Donahue et al. 2017 (BiGAN,
arXiv:1605.09782), whose encoder is a point. At the optimum both joint distributions are one, so
q(z | x) is the posterior of p. The two play their turn with the labels exchanged, which is not
saturating; so any *objective* of logits serves. With `cycle`, the code of an observation is also
to give it back, −log p(x | ẑ) as the distance of x and the mean of p(x | ẑ) (Li et al. 2017, ALICE,
arXiv:1709.01215), without which pairs may match and a single x still come back as another.

Source: Dumoulin et al. 2017, arXiv:1606.00704; Donahue et al. 2017, BiGAN,
arXiv:1605.09782; the cycle: Li et al. 2017, arXiv:1709.01215.

Notation: x, x̃ (B, C, *A); z, ẑ (B, D); D(·) are logits (B,).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Criticises, Decodes, Encodes, Model, Progress, Regards, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import NonSaturating, Objective
from twofold.maths.distributions import Normal, Posterior
from twofold.maths.penalties import R1, R2, Contest, Penalty, steepness
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.decoders import Generator, Relaxed
from twofold.nets.encoders import Encoder
from twofold.nets.joint import JointCritic, pair
from twofold.nets.posteriors import Diagonal, Form
from twofold.nets.steadying import Steadied


class BiGAN(Model, Decodes, Encodes, Criticises, Regards, Steadied):
    """The GAN of a Space that also infers its codes.

    Args:
        latent: D, the dimensions of the code.
        generator: the architecture of p(x | z).
        encoder: the architecture of q(z | x).
        critic: the architecture of D.
        posterior: the form of q(z | x).
        features: the width at which x and z meet in the critic.
        objective: what is minimised, of the logits of both kinds of pair.
        penalties: what the critic pays besides, for its slope in x and z together.
        cycle: the weight of the squared distance between x and what its code gives back.
        tau: the temperature of relaxed categories.

    >>> from twofold.core.space import Field, Real
    >>> bigan = BiGAN(Space((Field("a", Real()), Field("b", Real()))), Space(), latent=2)
    >>> bigan.encode(torch.zeros(3, 2), Given.none(3, Space())).mean.shape
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
        posterior: Form = Diagonal(),
        features: PositiveInt = 128,
        objective: Objective = NonSaturating(),
        penalties: tuple[Penalty, ...] = (R1(), R2()),
        cycle: NonNegativeFloat = 0.0,
        tau: float = 0.5,
    ) -> None:
        super().__init__(space, given)
        self.latent, self.cycle = latent, cycle
        self.p = Generator(generator, latent, given, space, tau)
        self.q = Encoder(encoder, space, given, latent, posterior)
        self.critic = JointCritic(critic, space, given, latent, features)
        self.objective, self.penalties = objective, penalties

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.p, self.q]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        with torch.no_grad():
            inferred, drawn = self.inferred(x, given), self.drawn(given)
        contest = self.contest(inferred, drawn, given)
        loss = self.objective.critic(contest.real_logits, contest.fake_logits)
        paid = steepness(self.penalties, contest, progress)
        notes = {"inferred": contest.real_logits.mean(), "drawn": contest.fake_logits.mean()}
        yield Turn({"steepness": paid, **notes}, critic=loss + paid)
        inferred = self.inferred(x, given)
        at_inferred, at_drawn = (self.tell(p, given) for p in (inferred, self.drawn(given)))
        unlike = self.cycle * self.returned(x, inferred, given)
        exchanged = self.objective.critic(at_drawn, at_inferred)
        yield Turn({"unlike": unlike}, generator=exchanged + unlike)

    def inferred(self, x: Tensor, given: Given) -> Tensor:
        """(x, ẑ), ẑ ~ q(z | x), with gradient."""
        return pair(x, self.encode(x, given).rsample())

    def drawn(self, given: Given) -> Tensor:
        """(x̃, z), z ~ p(z) and x̃ ~ p(x | z), with gradient."""
        z = self.prior(given).sample()
        return pair(self.decode(z, given).rsample(), z)

    def returned(self, x: Tensor, inferred: Tensor, given: Given) -> Tensor:
        """The squared distance of x from what its code gives back, a mean over rows."""
        back = self.decode(inferred[:, -self.latent :], given).mean
        return (back - x).square().flatten(1).sum(1).mean()

    def contest(self, inferred: Tensor, drawn: Tensor, given: Given) -> Contest:
        """The critic's judgement of both kinds of pair."""
        both = [t.detach().requires_grad_(bool(self.penalties)) for t in (inferred, drawn)]
        logits = [self.tell(t, given) for t in both]
        return Contest(lambda pairs: self.tell(pairs, given), *both, *logits)

    def tell(self, pairs: Tensor, given: Given) -> Tensor:
        logits: Tensor = self.critic(pairs, given.c)
        return logits

    def judge(self, x: Tensor, given: Given) -> Tensor:
        """The logit of an observation with the mean of its code."""
        return self.tell(pair(x, self.encode(x, given).mean), given)

    def regard(self, x: Tensor, z: Tensor, given: Given) -> Tensor:
        return self.critic.features(pair(x, z), given.c)

    def encode(self, x: Tensor, given: Given) -> Posterior:
        return self.q(x, given.c)

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Relaxed:
        return self.p(z, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()
