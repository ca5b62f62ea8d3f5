r"""The vector-quantised variational autoencoder.

The code is discrete. An encoder ends in a grid of places, over an image a coarser one, over a row
just several; the vector $z_e$ at each place is replaced by the nearest of K entries of a codebook,
and a decoder sees nothing else (eq. 3, with the codebook by moving averages, App. A.1):

$$ L = -\log p\big(x \mid z_q(x)\big)
     + \beta \, \lVert z_e(x) - \operatorname{sg}(z_q(x)) \rVert^2 . $$

The gradient passes through the choice as if it were not there (straight-through). A second player
learns what the first has agreed on: the *prior* p(k | c), a causal transformer over the indices of
the places, in reading order. The paper trains it afterwards; here it plays a turn of its own at
each step, on indices, through which no gradient flows back, so that one training gives a model that
draws: indices from the prior, entries for them, an observation from the decoder.

As the posterior puts all its mass on one code k(x), the evidence lower bound is

$$ \log p(x \mid c) \;\ge\; \log p\big(x \mid z_q(x), c\big) + \log p\big(k(x) \mid c\big), $$

minus a distortion and minus the loss of the prior, in nats: figures that compare with those of any
other VAE. There is but one draw of such a posterior, so that more of them tighten nothing.

Source: van den Oord, Vinyals & Kavukcuoglu 2017, Neural Discrete Representation Learning,
arXiv:1711.00937.

Notation: x (B, C, *A); z_e, z_q (B, P, D) at P places; k (B, P) indices; the code z that the roles
speak of is z_q in one piece, (B, P · D).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Decodes, Encodes, Model, Progress, Quantises, Scores, Starts, Turn
from twofold.core.space import Space
from twofold.maths.distributions import Dirac
from twofold.maths.likelihoods import Likelihood, Observation, ObservationSpec
from twofold.maths.quantise import Codebook, Quantised, perplexity
from twofold.maths.varying import at
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.causal import CausalTransformer, CodePrior
from twofold.nets.decoders import GridDecoder


class VQVAE(Model, Decodes, Encodes, Scores, Quantises, Starts):
    """The vector-quantised autoencoder of a Space.

    Args:
        codebook: its entries, and how they are learnt.
        places: what has axes is halved, at least once, until there are at most so many places.
        groups: places of the code of a row, which has no axes.
        encoder: the architecture of z_e(x, given).
        decoder: the architecture of p(x | z, given).
        prior: of the indices.
        likelihood: likelihoods to prefer where they fit the data; each other domain has its own.

    >>> from twofold.core.space import Field, Real
    >>> vqvae = VQVAE(Space((Field("a", Real()), Field("b", Real()))), Space(), groups=2)
    >>> vqvae.sample(Given.none(3, Space())).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        codebook: Codebook = Codebook(),
        places: PositiveInt = 64,
        groups: PositiveInt = 8,
        encoder: Architecture = Suited(),
        decoder: Architecture = Suited(),
        prior: CausalTransformer = CausalTransformer(),
        likelihood: tuple[Likelihood, ...] = (),
    ) -> None:
        super().__init__(space, given)
        self.places = encoder.coarse(space.axes, places) if space.axes else (groups,)
        self.latent = codebook.width * math.prod(self.places)
        self.codes = codebook.size
        self.encoder = encoder.down_grid(space, given, codebook.width, self.places)
        self.codebook = codebook.build()
        spec = ObservationSpec(space, likelihood)
        self.p = GridDecoder(decoder, codebook.width, self.places, given, spec)
        self.prior_net = prior.build(math.prod(self.places), codebook.size, given)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"autoencoder": [self.encoder, self.p], "prior": [self.prior_net]}

    def start(self, x: Tensor) -> None:
        self.p.start(x)

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        self.codebook.advance(progress.step)
        code = self.quantise(x, given)
        self.codebook.observe(code)
        distortion = -self.p(self.grid(code.straight_through), given.c).log_prob(x).mean()
        commitment = at(self.codebook.part, progress).beta * code.commitment.mean()
        notes = {"distortion": distortion, "commitment": commitment, **self.use()}
        yield Turn(notes, autoencoder=distortion + commitment)
        yield Turn(prior=-self.log_prior(code.k, given).mean())

    def use(self) -> dict[str, Tensor]:
        """What the log keeps of the codebook."""
        book = self.codebook
        return {"codes_used": book.used, "perplexity": perplexity(book.shares)}

    def quantise(self, x: Tensor, given: Given) -> Quantised:
        """z_e(x), and the entries nearest to it."""
        z = self.encoder(x, given.c)  # (B, D, *places)
        quantised: Quantised = self.codebook(z.flatten(2).transpose(1, 2))
        return quantised

    def grid(self, z: Tensor) -> Tensor:
        """Vectors (B, P, D) laid out, (B, D, *places)."""
        return z.transpose(1, 2).unflatten(2, self.places)

    def encode(self, x: Tensor, given: Given) -> Dirac:
        return Dirac(self.quantise(x, given).nearest.flatten(1))

    def indices(self, x: Tensor, given: Given) -> Tensor:
        return self.quantise(x, given).k

    def prior(self, given: Given) -> CodePrior:
        return CodePrior(self.prior_net, self.codebook.entries, given.c)

    def log_prior(self, k: Tensor, given: Given) -> Tensor:
        return self.prior_net.log_prob(k, given.c)

    def decode(self, z: Tensor, given: Given) -> Observation:
        """p(x | z, given), of the entries nearest to z: the decoder knows no others."""
        nearest = self.codebook(z.unflatten(1, (-1, self.codebook.part.width))).nearest
        return self.p(self.grid(nearest), given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        """k ~ p(k | given), then x ~ p(x | z_q); of a picture, the mean, as is the custom."""
        p = self.decode(self.prior(given).sample(), given)
        return p.mean if len(self.space.axes) > 1 else p.sample()

    def log_likelihood(self, x: Tensor, given: Given, samples: int) -> Tensor:
        """log p(x | z_q) + log p(k | given), (B,): the same for any number of draws."""
        code = self.quantise(x, given)
        log_px = self.p(self.grid(code.nearest), given.c).log_prob(x)
        return log_px + self.log_prior(code.k, given)
