r"""GANomaly: an autoencoder that plays against a critic, and encodes again what it decodes.

An observation is encoded, decoded, and encoded once more by a second encoder,

$$ z = E(x), \qquad \hat x = G(z), \qquad \hat z = \hat E(\hat x). $$

The critic D tells x from x̂; the generator, all three networks together, pays for what the critic's
features f see of the difference, for the observation and for the code (§3.2 of the paper):

$$ \mathcal L_\text{adv} = \|f(x) - f(\hat x)\|_2, \quad
   \mathcal L_\text{con} = \|x - \hat x\|_1, \quad
   \mathcal L_\text{enc} = \|z - \hat z\|_2, $$
$$ \mathcal L_G = w_\text{adv} \mathcal L_\text{adv} + w_\text{con} \mathcal L_\text{con}
   + w_\text{enc} \mathcal L_\text{enc}. $$

Trained on what is normal, the networks bring back what is normal: of anything else the two codes
differ, and the anomaly score is $\mathcal A(x) = \|z - \hat z\|_1$ (§3.3). Norms are means over
the numbers of a row, as in the paper's own implementation, so that the weights mean the same at any
size; scores are calibrated on held-out rows, never stretched over those that are scored.

The paper draws nothing. Here a mixture of Gaussians follows the codes while they are learnt, as a
player of its own whose gradient does not reach them, and what is decoded of its draws is a sample.

Source: Akcay, Atapour-Abarghouei & Breckon 2018, GANomaly, arXiv:1805.06725.

Notation: x, x̂ (B, C, *A); z, ẑ (B, D); f(·) (B, F).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Criticises, Decodes, Detects, Encodes, Model, Progress, Regards, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import NonSaturating, Objective
from twofold.maths.distributions import Density, Dirac
from twofold.maths.penalties import R1, Contest, Penalty, steepness
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.critics import Critic
from twofold.nets.decoders import Generator, Relaxed
from twofold.nets.priors import Gmm
from twofold.nets.steadying import Steadied


class GANomaly(Model, Decodes, Encodes, Criticises, Regards, Detects, Steadied):
    """GANomaly of a Space.

    Args:
        latent: D, the dimensions of the code.
        encoder: the architecture of E and of Ê.
        decoder: the architecture of G.
        critic: the architecture of D.
        features: the width of f.
        objective: what the critic minimises, of its logits.
        penalties: what the critic pays besides, for its slope.
        w_adv: the weight of what the critic's features see.
        w_con: the weight of the observation.
        w_enc: the weight of the code.
        mixture: the mixture of Gaussians that follows the codes.
        tau: the temperature of relaxed categories.

    >>> from twofold.core.space import Field, Real
    >>> model = GANomaly(Space((Field("a", Real()), Field("b", Real()))), Space(), latent=2)
    >>> model.oddness(torch.zeros(3, 2), Given.none(3, Space())).shape
    torch.Size([3])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: PositiveInt = 32,
        encoder: Architecture = Suited(),
        decoder: Architecture = Suited(),
        critic: Architecture = Suited(),
        features: PositiveInt = 128,
        objective: Objective = NonSaturating(),
        penalties: tuple[Penalty, ...] = (R1(),),
        w_adv: NonNegativeFloat = 1.0,
        w_con: NonNegativeFloat = 50.0,
        w_enc: NonNegativeFloat = 1.0,
        mixture: Gmm = Gmm(),
        tau: float = 0.5,
    ) -> None:
        super().__init__(space, given)
        self.latent = latent
        self.E, self.E_hat = (encoder.down(space, given, latent) for _ in range(2))
        self.G = Generator(decoder, latent, given, space, tau)
        self.D = Critic(critic, space, given, features, spectral=False)
        self.objective, self.penalties = objective, penalties
        self.w_adv, self.w_con, self.w_enc = w_adv, w_con, w_enc
        self.prior_net = mixture.build(latent, space, given)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        generator = [self.E, self.G, self.E_hat]
        return {"critic": [self.D], "generator": generator, "density": [self.prior_net]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        with torch.no_grad():
            x_hat = self.G(self.E(x, given.c), given.c).mean
        contest = self.contest(x, x_hat, given)
        loss = self.objective.critic(contest.real_logits, contest.fake_logits)
        paid = steepness(self.penalties, contest, progress)
        notes = {"real": contest.real_logits.mean(), "fake": contest.fake_logits.mean()}
        yield Turn({"steepness": paid, **notes}, critic=loss + paid)
        z = self.E(x, given.c)
        x_hat = self.G(z, given.c).mean
        z_hat = self.E_hat(x_hat, given.c)
        with torch.no_grad():
            f_x = self.regard(x, z, given)
        adv = (f_x - self.regard(x_hat, z, given)).square().mean()
        con = (x - x_hat).abs().mean()
        enc = (z - z_hat).square().mean()
        whole = self.w_adv * adv + self.w_con * con + self.w_enc * enc
        yield Turn({"adv": adv, "con": con, "enc": enc}, generator=whole)
        yield Turn(density=-self.prior(given).log_prob(z.detach()).mean())

    def contest(self, x: Tensor, x_hat: Tensor, given: Given) -> Contest:
        """The critic's judgement of observations and of what comes back of them."""
        real, fake = (t.detach().requires_grad_(bool(self.penalties)) for t in (x, x_hat))
        logits = [self.judge(t, given) for t in (real, fake)]
        return Contest(lambda t: self.judge(t, given), real, fake, *logits)

    def oddness(self, x: Tensor, given: Given) -> Tensor:
        """The distance of the two codes."""
        z = self.E(x, given.c)
        z_hat: Tensor = self.E_hat(self.G(z, given.c).mean, given.c)
        return (z - z_hat).abs().mean(1)

    def judge(self, x: Tensor, given: Given) -> Tensor:
        logits: Tensor = self.D(x, given.c)
        return logits

    def regard(self, x: Tensor, z: Tensor, given: Given) -> Tensor:
        return self.D.features(x, given.c)

    def encode(self, x: Tensor, given: Given) -> Dirac:
        return Dirac(self.E(x, given.c))

    def prior(self, given: Given) -> Density:
        return self.prior_net(given.c, self.E)

    def decode(self, z: Tensor, given: Given) -> Relaxed:
        return self.G(z, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()
