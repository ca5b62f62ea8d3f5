r"""The adversarial autoencoder.

An autoencoder whose codes, all observations taken together, are made to follow a distribution p(z)
that was chosen beforehand. Where a VAE pays the divergence of each q(z | x) from p(z), a critic D
of codes here compares the *aggregated posterior*

$$ q(z) = \int q(z \mid x)\, p_\text{data}(x)\, dx $$

with draws of p(z), of which no density is needed. Each step has two phases,

1. *reconstruction*: encoder and decoder lower $-\mathbb E \log p(x \mid z)$, z drawn by q(z | x);
2. *regularisation*: D learns to tell $z \sim p(z)$ from $\hat z \sim q(z \mid x)$, and then the
   encoder, which is the generator of codes, learns to deceive D, $-\mathbb E \log D(\hat z)$.

The encoder is a function, a Gaussian, or a function of x and noise (`inference`). What is given, c,
is seen by the encoder, the decoder and, by projection, by D: codes then follow p(z) whatever is
given, so that z holds what c does not say (§4).

One optimiser moves the encoder in both phases here, in which distortions are many nats; `pressure`
weighs the second.

Source: Makhzani, Shlens, Jaitly, Goodfellow & Frey 2016, Adversarial Autoencoders,
arXiv:1511.05644.

Notation: x (B, C, *A); z from p(z) and ẑ from q(z | x), (B, D); D(·) are logits (B,).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Decodes, Distribution, Encodes, Model, Progress, Starts, Turn
from twofold.core.space import Space
from twofold.maths.adversarial import NonSaturating, Objective
from twofold.maths.likelihoods import Likelihood, Observation, ObservationSpec
from twofold.maths.penalties import R1, Penalty
from twofold.nets.bodies import Architecture, Dense, Suited
from twofold.nets.coding import CodeCritic
from twofold.nets.decoders import decoding
from twofold.nets.imposed import Gaussian, Imposed
from twofold.nets.inference import Drawn, Inference, Stochastic
from twofold.nets.steadying import Steadied


class AAE(Model, Decodes, Encodes, Starts, Steadied):
    """The adversarial autoencoder of a Space.

    Args:
        latent: D, the dimensions of the code.
        encoder: the architecture of q(z | x, given).
        decoder: the architecture of p(x | z, given).
        critic: the layers of D, of codes.
        inference: how q(z | x) is drawn from.
        prior: p(z).
        likelihood: likelihoods to prefer where they fit the data; each other domain has its own.
        objective: what critic and encoder minimise, of the logits of z and ẑ.
        penalties: what the critic pays besides, summed.
        pressure: the weight of the encoder's part in the critic's game.

    Raises:
        UserError: the prior needs more dimensions.

    >>> from twofold.core.space import Field, Real
    >>> aae = AAE(Space((Field("a", Real()), Field("b", Real()))), Space(), latent=2)
    >>> aae.sample(Given.none(3, Space())).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: PositiveInt = 16,
        encoder: Architecture = Suited(),
        decoder: Architecture = Suited(),
        critic: Dense = Dense(),
        inference: Inference = Stochastic(),
        prior: Imposed = Gaussian(),
        likelihood: tuple[Likelihood, ...] = (),
        objective: Objective = NonSaturating(),
        penalties: tuple[Penalty, ...] = (R1(),),
        pressure: PositiveFloat = 10.0,
    ) -> None:
        super().__init__(space, given)
        prior.check(latent)
        self.latent, self.imposed, self.pressure = latent, prior, pressure
        self.q = inference.build(encoder, space, given, latent)
        self.p = decoding(decoder, latent, given, ObservationSpec(space, likelihood))
        self.D = CodeCritic(critic, latent, given, objective, penalties)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"autoencoder": [self.q, self.p], "critic": [self.D]}

    def start(self, x: Tensor) -> None:
        self.p.start(x)

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        z = self.encode(x, given).rsample()
        distortion = -self.decode(z, given).log_prob(x).mean()
        yield Turn({"distortion": distortion}, autoencoder=distortion)
        with torch.no_grad():
            z_hat = self.encode(x, given).rsample()
        loss, notes = self.D.told(self.prior(given).sample(), z_hat, given.c, progress)
        yield Turn(notes, critic=loss)
        z_hat = self.encode(x, given).rsample()
        deceived = self.D.deceived(self.prior(given).sample(), z_hat, given.c)
        yield Turn(autoencoder=self.pressure * deceived)

    def encode(self, x: Tensor, given: Given) -> Drawn:
        q: Drawn = self.q(x, given.c)
        return q

    def prior(self, given: Given) -> Distribution:
        return self.imposed(len(given), self.latent, given.c)

    def decode(self, z: Tensor, given: Given) -> Observation:
        return self.p(z, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        """z ~ p(z), then x ~ p(x | z); of a picture, the mean of p(x | z), as is the custom."""
        p = self.decode(self.prior(given).sample(), given)
        return p.mean if len(self.space.axes) > 1 else p.sample()
