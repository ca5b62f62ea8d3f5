r"""A GAN in the latent space of a VAE.

A VAE makes observations of any kind into codes and back; a GAN draws the codes. So observations
that a generator could not be differentiated through, tokens and categories, are drawn by a GAN all
the same, and the codes that are decoded are those that observations have, not those of a prior that
they were pressed into. Each step plays, with the codes z ~ q(z | x) detached,

$$ \begin{aligned}
\text{autoencoder:}\quad & -\mathbb E \log p(x \mid z)
  + \beta\, \mathrm{KL}\big(q(z \mid x) \,\|\, \mathcal N(0, I)\big), \\
\text{critic, generator:}\quad & \text{a GAN of } z \text{ against } \hat z = G(\varepsilon),
  \; \varepsilon \sim \mathcal N(0, I).
\end{aligned} $$

A small β keeps codes near each other and their decoder smooth, and leaves it to G to find where
they are. Both are trained in one game: the codes drift while they are learnt and G follows them,
and a run is whole, with no other run whose weights it would need; the rate may be lowered towards
the end, so that they stand still. The critic of codes is small and steep ones are penalised.

Source: Prykhodko et al. 2019, A de novo molecular generation method using latent vector based GAN,
J. Cheminformatics 11:74, for molecules, with an autoencoder trained beforehand; Zhao et al. 2018,
Adversarially Regularized Autoencoders, arXiv:1706.04223, for text, trained together as here, but
with the encoder playing too.

Notation: x (B, C, *A); z, ẑ (B, D); ε (B, E); the critic's D(·) are logits (B,).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Criticises, Decodes, Encodes, Model, Progress, Starts, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import Objective, Relativistic
from twofold.maths.distributions import Implicit, Normal, Posterior
from twofold.maths.divergences import kl_by_dimension
from twofold.maths.likelihoods import Likelihood, Observation, ObservationSpec
from twofold.maths.penalties import R1, R2, Penalty
from twofold.nets.bodies import Architecture, Dense, Suited
from twofold.nets.coding import CodeCritic
from twofold.nets.decoders import decoding
from twofold.nets.encoders import Encoder
from twofold.nets.posteriors import Diagonal, Form
from twofold.nets.steadying import Steadied


class LatentGAN(Model, Decodes, Encodes, Criticises, Starts, Steadied):
    """The GAN of the codes of a Space.

    Args:
        latent: D, the dimensions of the code.
        noise: E, the dimensions of the generator's noise.
        encoder: the architecture of q(z | x, given).
        decoder: the architecture of p(x | z, given).
        generator: the layers of G, of codes.
        critic: the layers of D, of codes.
        posterior: the form of q(z | x).
        likelihood: likelihoods to prefer where they fit the data; each other domain has its own.
        beta: β, the weight of the rate.
        objective: what critic and generator minimise.
        penalties: what the critic pays besides, summed.

    >>> from twofold.core.space import Field, Token
    >>> words = Space((Field("word", Token(("", "a", "b"))),), (7,))
    >>> LatentGAN(words, Space(), latent=2).sample(Given.none(3, Space())).shape
    torch.Size([3, 3, 7])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: PositiveInt = 32,
        noise: PositiveInt = 32,
        encoder: Architecture = Suited(),
        decoder: Architecture = Suited(),
        generator: Dense = Dense(),
        critic: Dense = Dense(),
        posterior: Form = Diagonal(),
        likelihood: tuple[Likelihood, ...] = (),
        beta: NonNegativeFloat = 0.1,
        objective: Objective = Relativistic(),
        penalties: tuple[Penalty, ...] = (R1(0.1), R2(0.1)),
    ) -> None:
        super().__init__(space, given)
        self.latent, self.noise, self.beta = latent, noise, beta
        self.q = Encoder(encoder, space, given, latent, posterior)
        self.p = decoding(decoder, latent, given, ObservationSpec(space, likelihood))
        self.G = generator.up(noise, given, latent, ())
        self.D = CodeCritic(critic, latent, given, objective, penalties)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"autoencoder": [self.q, self.p], "critic": [self.D], "generator": [self.G]}

    def start(self, x: Tensor) -> None:
        self.p.start(x)

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        q = self.encode(x, given)
        z = q.rsample()
        distortion = -self.decode(z, given).log_prob(x).mean()
        rate = kl_by_dimension(q, z, self.around(given)).sum(1).mean()
        notes = {"distortion": distortion, "rate": rate}
        yield Turn(notes, autoencoder=distortion + self.beta * rate)
        z = z.detach()
        loss, notes = self.D.told(z, self.prior(given).sample(), given.c, progress)
        yield Turn(notes, critic=loss)
        z_hat = self.prior(given).rsample()
        yield Turn(generator=self.D.deceived(z, z_hat, given.c))

    def around(self, given: Given) -> Normal:
        """N(0, I), which the rate keeps codes near to."""
        return Normal.standard(len(given), self.latent, given.c)

    def prior(self, given: Given) -> Implicit:
        """ẑ = G(ε), what codes are drawn from."""
        like = given.c.new_zeros(len(given), self.noise)
        return Implicit(lambda epsilon: self.G(epsilon, given.c), like)

    def judge(self, x: Tensor, given: Given) -> Tensor:
        """The logit of an observation's mean code."""
        logit: Tensor = self.D(self.encode(x, given).mean, given.c)
        return logit

    def encode(self, x: Tensor, given: Given) -> Posterior:
        return self.q(x, given.c)

    def decode(self, z: Tensor, given: Given) -> Observation:
        return self.p(z, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        """ẑ = G(ε), then x ~ p(x | ẑ); of a picture, the mean of p(x | ẑ), as is the custom."""
        p = self.decode(self.prior(given).sample(), given)
        return p.mean if len(self.space.axes) > 1 else p.sample()
