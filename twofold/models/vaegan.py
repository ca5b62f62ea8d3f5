r"""The VAE whose likelihood is learnt by a critic.

A VAE scored pixel by pixel is blurred, for two pictures that look alike may differ in every pixel.
Here the reconstruction is scored in the features $\text{Dis}_l$ of a critic, which learns besides
to tell observations x from reconstructions x̃ and from draws $x_p$; the decoder is the generator of
that game. Algorithm 1: with $z \sim q(z \mid x)$, $\tilde x = \text{Dec}(z)$, $z_p \sim p(z)$ and
$x_p = \text{Dec}(z_p)$,

$$ \begin{aligned}
L_\text{prior} &= \mathrm{KL}\big(q(z \mid x) \,\|\, p(z)\big), \\
L_\text{llike} &= -\mathbb E_{q(z|x)} \log \mathcal N\big(\text{Dis}_l(x);
  \text{Dis}_l(\tilde x), I\big), \\
L_\text{GAN} &= \log \text{Dis}(x) + \log\big(1 - \text{Dis}(\tilde x)\big)
  + \log\big(1 - \text{Dis}(x_p)\big),
\end{aligned} $$

and, all three at the same parameters, the encoder lowers $\beta L_\text{prior} + L_\text{llike}$,
the decoder $\gamma L_\text{llike} - L_\text{GAN}$ and the critic, which $L_\text{llike}$ does not
reach, $-L_\text{GAN}$. In place of its part of $-L_\text{GAN}$ the decoder lowers
$-\log \text{Dis}(\tilde x) - \log \text{Dis}(x_p)$, which is not saturating (Goodfellow et al.
2014). The Gaussian's constant is left out. The features' scale is the critic's to choose, and a
penalty on its slope, R1, bounds it; with β the Gaussian has the variance β in place of 1, without
which such features weigh too little against the prior and the code falls out of use.

Source: Larsen, Sønderby, Larochelle & Winther 2016, Autoencoding beyond pixels using a learned
similarity metric, arXiv:1512.09300.

Notation: x, x̃, x_p (B, C, *A); z (B, D); Dis(·) are logits (B,), Dis_l (B, F, *places).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import softplus

from twofold.core.batch import Batch, Given
from twofold.core.game import Criticises, Decodes, Encodes, Model, Progress, Turn
from twofold.core.space import Space
from twofold.maths.distributions import Normal, Posterior
from twofold.maths.divergences import kl_by_dimension
from twofold.maths.penalties import R1, Contest, Penalty, steepness
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.critics import Look
from twofold.nets.decoders import Generator, Relaxed
from twofold.nets.encoders import Encoder
from twofold.nets.posteriors import Diagonal, Form
from twofold.nets.similarity import SimilarityCritic
from twofold.nets.steadying import Steadied


class VAEGAN(Model, Decodes, Encodes, Criticises, Steadied):
    """The VAE of a Space with a learnt similarity.

    Args:
        latent: D, the dimensions of the code.
        encoder: the architecture of q(z | x, given).
        decoder: the architecture of Dec.
        critic: the architecture of Dis.
        posterior: the form of q(z | x).
        features: F, the channels of layer l.
        places: the most places of layer l, in each of which it has F features.
        gamma: γ, the decoder's weight of likeness against deceiving the critic.
        beta: β, the weight of the prior term, which is the variance that features have; 1 in the
            paper.
        penalties: what the critic pays besides, for its slope at x and x_p.
        tau: the temperature of relaxed categories.

    >>> from twofold.core.space import Field, Real
    >>> vaegan = VAEGAN(Space((Field("a", Real()), Field("b", Real()))), Space(), latent=2)
    >>> vaegan.sample(Given.none(3, Space())).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: PositiveInt = 32,
        encoder: Architecture = Suited(),
        decoder: Architecture = Suited(),
        critic: Architecture = Suited(),
        posterior: Form = Diagonal(),
        features: PositiveInt = 32,
        places: PositiveInt = 64,
        gamma: PositiveFloat = 1.0,
        beta: NonNegativeFloat = 0.01,
        penalties: tuple[Penalty, ...] = (R1(),),
        tau: PositiveFloat = 0.5,
    ) -> None:
        super().__init__(space, given)
        self.latent, self.gamma, self.beta, self.penalties = latent, gamma, beta, penalties
        self.q = Encoder(encoder, space, given, latent, posterior)
        self.Dec = Generator(decoder, latent, given, space, tau)
        self.Dis = SimilarityCritic(critic, space, given, features, places)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"encoder": [self.q], "decoder": [self.Dec], "critic": [self.Dis]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        q, p = self.encode(x, given), self.prior(given)
        z = q.rsample()
        L_prior = kl_by_dimension(q, z, p).sum(1).mean()
        x_tilde = self.decode(z, given).rsample()
        x_p = self.decode(p.sample(), given).rsample()
        real, at_tilde, at_p = (self.look(t, given) for t in (x, x_tilde, x_p))
        L_llike = 0.5 * (real.phi - at_tilde.phi).square().flatten(1).sum(1).mean()
        L_GAN = -(softplus(-real.logits) + softplus(at_tilde.logits) + softplus(at_p.logits)).mean()
        deceived = (softplus(-at_tilde.logits) + softplus(-at_p.logits)).mean()
        steep = self.steepness(x, x_p, given, progress)
        notes = {"rate": L_prior, "likeness": L_llike, "steepness": steep}
        yield Turn(
            notes,
            encoder=self.beta * L_prior + L_llike,
            decoder=self.gamma * L_llike + deceived,
            critic=-L_GAN + steep,
        )

    def steepness(self, x: Tensor, x_p: Tensor, given: Given, progress: Progress) -> Tensor:
        """What the critic pays for its slope at observations and at draws, a mean over rows."""
        if not self.penalties:
            return x.new_zeros(())
        real, fake = (t.detach().requires_grad_() for t in (x, x_p))
        logits = self.judge(real, given), self.judge(fake, given)
        contest = Contest(lambda t: self.judge(t, given), real, fake, *logits)
        return steepness(self.penalties, contest, progress)

    def look(self, x: Tensor, given: Given) -> Look:
        """Dis_l and Dis of observations."""
        seen: Look = self.Dis(x, given.c)
        return seen

    def judge(self, x: Tensor, given: Given) -> Tensor:
        return self.look(x, given).logits

    def encode(self, x: Tensor, given: Given) -> Posterior:
        return self.q(x, given.c)

    def prior(self, given: Given) -> Normal:
        return Normal.standard(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Relaxed:
        return self.Dec(z, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.decode(self.prior(given).sample(), given).sample()
