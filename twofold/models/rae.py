r"""The regularised autoencoder.

An observation's code is a point, z = E(x), and the decoder is kept smooth by a term of its own
instead of by noise:

$$ \mathcal L = \mathbb E_x \Big[ -\log p(x \mid z)
 + \tfrac\beta2 \|z\|^2 + \lambda \mathcal L_\text{REG} \Big]. $$

With the squared error as likelihood the first term is the paper's; any likelihood of the Space will
do. Such an autoencoder has no prior. What can be drawn from it are the codes of a density fitted
afterwards to those of the training data (*ex-post density estimation*), which `fit` does when
training ends: `density`, a mixture of Gaussians. Until then, and as the run's own prior, a smaller
mixture follows the codes while they are learnt; it is a player of its own, and its gradient does
not reach the autoencoder. There is no likelihood of observations, and the family claims none.

What is given, c, is seen by the encoder and by the decoder.

Source: Ghosh, Sajjadi, Vergari, Black & Schölkopf 2020, From Variational to Deterministic
Autoencoders, arXiv:1903.12436.

Notation: x (B, C, *A), z (B, D); E the encoder, p the decoder.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Decodes, Encodes, Model, Progress, Starts, Turn
from twofold.core.space import Space
from twofold.maths.distributions import Density, Dirac
from twofold.maths.likelihoods import Likelihood, Observation, ObservationSpec
from twofold.nets import expost
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.critics import advance
from twofold.nets.decoders import Decoder
from twofold.nets.expost import DrawnAfter, OfCodes
from twofold.nets.priors import Gmm
from twofold.nets.regularisers import L2, Regulariser


class RAE(Model, Decodes, Encodes, DrawnAfter, Starts):
    """The regularised autoencoder of a Space.

    Args:
        latent: D, the dimensions of the code.
        encoder: the architecture of E.
        decoder: the architecture of p(x | z, given).
        likelihood: likelihoods to prefer where they fit the data; each other domain has its own.
        beta: β, of half the squared length of the code.
        regulariser: λ L_REG.
        mixture: the mixture of Gaussians that follows the codes while they are learnt.
        density: what is fitted to them when training ends, and drawn from.

    >>> from twofold.core.space import Field, Real
    >>> rae = RAE(Space((Field("a", Real()), Field("b", Real()))), Space(), latent=2)
    >>> rae.sample(Given.none(3, Space())).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: int = 16,
        encoder: Architecture = Suited(),
        decoder: Architecture = Suited(),
        likelihood: tuple[Likelihood, ...] = (),
        beta: float = 0.01,
        regulariser: Regulariser = L2(),
        mixture: Gmm = Gmm(),
        density: OfCodes = expost.Gmm(),
    ) -> None:
        super().__init__(space, given)
        self.latent, self.beta, self.regulariser, self.density = latent, beta, regulariser, density
        self.E = encoder.down(space, given, latent)
        self.p = Decoder(decoder, latent, given, ObservationSpec(space, likelihood))
        self.regulariser.prepare(self.p)
        self.prior_net = mixture.build(latent, space, given)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"autoencoder": [self.E, self.p], "density": [self.prior_net]}

    def start(self, x: Tensor) -> None:
        self.p.start(x)

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        advance(self.p, progress.step)  # the power iterations of spectral norms, if there are any
        z = self.encode(x, given).rsample()
        distortion = -self.decode(z, given).log_prob(x).mean()
        size = self.beta / 2 * z.square().sum(1).mean()
        roughness = self.regulariser(self.p, z, given.c)
        notes = {"distortion": distortion, "size": size, "roughness": roughness}
        yield Turn(notes, autoencoder=distortion + size + roughness)
        yield Turn(density=-self.prior(given).log_prob(z.detach()).mean())

    def encode(self, x: Tensor, given: Given) -> Dirac:
        return Dirac(self.E(x, given.c))

    def prior(self, given: Given) -> Density:
        return self.prior_net(given.c, self.E)

    def decode(self, z: Tensor, given: Given) -> Observation:
        return self.p(z, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        """z from the density of codes, then x ~ p(x | z); of a picture, the mean."""
        p = self.decode(self.prior(given).sample(), given)
        return p.mean if len(self.space.axes) > 1 else p.sample()
