r"""A family of your own in one file outside the package: the adversarial autoencoder.

Makhzani et al. 2015, *Adversarial Autoencoders*, arXiv:1511.05644. A VAE holds each posterior near
the prior by a divergence; here a critic of codes holds their aggregate q(z) = E q(z | x) near p(z):
it tells draws of the prior from codes of data, and the encoder learns to pass for the prior. Two
players, two turns; both losses of the autoencoder make one move (Tolstikhin et al. 2018,
arXiv:1711.01558, Algorithm 1, with the weight λ):

$$ L_C = \mathbb E\,s(-C(z)) + \mathbb E\,s(C(\tilde z)), \qquad
   L_{q,p} = -\mathbb E \log p(x \mid \tilde z) + \lambda\, \mathbb E\,s(-C(\tilde z)), $$

z ~ p(z), z̃ ~ q(z | x), s the softplus. A file like this one is read, never imported: it runs when
you name it, and a run made with it keeps its path and sha256, and asks for it by `--trust`.

    twofold fit digits --model examples/new_family.py --set model.latent=4
    twofold sample runs/00000-new-family-digits --trust examples/new_family.py
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Decodes, Encodes, Model, Progress, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import NonSaturating, Objective
from twofold.maths.distributions import Normal
from twofold.maths.likelihoods import Likelihood, Observation, ObservationSpec
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.decoders import Decoder
from twofold.nets.encoders import Encoder


class AAE(Model, Decodes, Encodes):
    """The adversarial autoencoder of a Space; the roles it fills decide which verbs it offers.

    Args:
        latent: D, the dimensions of the code.
        encoder: the architecture of q(z | x, given).
        decoder: the architecture of p(x | z, given).
        hidden: the width of the critic of codes.
        likelihood: likelihoods to prefer where they fit the data.
        objective: what the critic and the encoder play for.
        weight: λ, what it is worth to pass for the prior, in nats.
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: int = 8,
        encoder: Architecture = Suited(),
        decoder: Architecture = Suited(),
        hidden: int = 128,
        likelihood: tuple[Likelihood, ...] = (),
        objective: Objective = NonSaturating(),
        weight: float = 10.0,
    ) -> None:
        super().__init__(space, given)
        self.latent, self.objective, self.weight = latent, objective, weight
        self.q = Encoder(encoder, space, given, latent)
        self.p = Decoder(decoder, latent, given, ObservationSpec(space, likelihood))
        self.critic = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1),
        )

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"critic": [self.critic], "autoencoder": [self.q, self.p]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        prior = self.prior(given).sample()
        with torch.no_grad():
            code = self.encode(x, given).sample()
        yield Turn(critic=self.objective.critic(self.judge(prior), self.judge(code)))
        code = self.encode(x, given).rsample()
        distortion = -self.decode(code, given).log_prob(x).mean()
        passing = self.objective.generator(self.judge(prior).detach(), self.judge(code))
        yield Turn({"distortion": distortion}, autoencoder=distortion + self.weight * passing)

    def judge(self, z: Tensor) -> Tensor:
        """The critic's logits of codes, (B,): high is the prior's."""
        return self.critic(z).squeeze(1)

    def encode(self, x: Tensor, given: Given) -> Normal:
        return self.q(x, given.c)

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Observation:
        return self.p(z, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        """z ~ p(z), then x ~ p(x | z); of a picture, the mean of p(x | z)."""
        p = self.decode(self.prior(given).sample(), given)
        return p.mean if len(self.space.axes) > 1 else p.sample()
