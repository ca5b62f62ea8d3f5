r"""The variational autoencoder.

A code z is drawn from the prior p(z), an observation from the decoder p(x | z). The encoder
q(z | x) approximates the posterior, and both are trained on the bound

$$ \log p(x) \;\ge\; \mathbb E_{q(z|x)} \log p(x \mid z) - D\big(q(z \mid x) \,\|\, p(z)\big), $$

minus a *distortion* and a *rate*. The divergence D is the Kullback–Leibler divergence, or another
part; β > 1, free bits, total correlation, MMD and others are choices of that part, not classes. The
bound is another: with several draws a row it is importance-weighted, and needs the KL. With a
*noise*, the encoder sees a corrupted observation and the decoder is scored on the one it came
from: a model that denoises. Where the data are noisy copies of scenes, it sees one copy and is
scored on another (Lehtinen et al. 2018, arXiv:1803.04189). Where values may be *missing*, only what
is there counts, and a mechanism says what is known of how the others went (`nets/mechanisms.py`):
where they went by what they were, the bound has $\log p(s \mid x_o, x_m)$ besides, with
$x_m \sim p(x_m \mid z)$ (Ipsen, Mattei & Frellsen 2021, arXiv:2006.12871). Everything may be
conditioned on what is given, c: the same code with nothing given is the plain model. Or what is
given is not told but predicted from the code, and the bound is that of both
(`nets/properties.py`).

Source: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114; Rezende, Mohamed &
Wierstra 2014, arXiv:1401.4082; Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519; conditional,
Sohn, Lee & Yan 2015; denoising, Im et al. 2017, arXiv:1511.06406.

Notation: x (B, C, *A), z (B, D), q, p and the decoder's output are distributions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given, repeated
from twofold.core.build import Part, kebab
from twofold.core.errors import UserError
from twofold.core.game import (
    Decodes,
    Encodes,
    Foretells,
    Hides,
    Model,
    Progress,
    Rescues,
    Scores,
    Starts,
    Trouble,
    Turn,
)
from twofold.core.space import Space
from twofold.maths.bounds import ELBO, Bound, Draws, Dreg, importance_weighted
from twofold.maths.distributions import Density, Posterior
from twofold.maths.divergences import KL, Code, Divergence, kl_by_dimension
from twofold.maths.leads import Lead, Together
from twofold.maths.likelihoods import Likelihood, Observation, ObservationSpec
from twofold.maths.noise import Clean, Noise, check
from twofold.nets.bags import Auxiliary, Nothing
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.decoders import decoding
from twofold.nets.encoders import Encoder
from twofold.nets.mechanisms import ByCode, Mechanism
from twofold.nets.posteriors import Diagonal, Flow, Form
from twofold.nets.priors import Prior, Standard
from twofold.nets.properties import Known, Predicted, Properties


class VAE(Model, Decodes, Encodes, Foretells, Hides, Scores, Rescues, Starts):
    """The variational autoencoder of a Space.

    Args:
        latent: D, the dimensions of the code.
        encoder: the architecture of q(z | x, given).
        decoder: the architecture of p(x | z, given).
        posterior: the form of q(z | x).
        prior: p(z).
        likelihood: likelihoods to prefer where they fit the data; each other domain has its own.
        divergence: the rate.
        bound: what is raised; one of several draws needs the plain KL.
        noise: what corrupts the observations that the encoder sees in training.
        missing: how values go missing, p(s | …).
        properties: whether what is given is known beforehand, or predicted from the code.
        auxiliary: what the code is asked for besides.
        lead: whether the encoder learns ahead of the decoder.

    Raises:
        UserError: parts that make no sense together.

    >>> from twofold.core.space import Field, Real
    >>> vae = VAE(Space((Field("a", Real()), Field("b", Real()))), Space(), latent=2)
    >>> vae.sample(Given.none(3, Space())).shape
    torch.Size([3, 2])
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latent: PositiveInt = 16,
        encoder: Architecture = Suited(),
        decoder: Architecture = Suited(),
        posterior: Form = Diagonal(),
        prior: Prior = Standard(),
        likelihood: tuple[Likelihood, ...] = (),
        divergence: Divergence = KL(),
        bound: Bound = ELBO(),
        noise: Noise = Clean(),
        missing: Mechanism = ByCode(),
        properties: Properties = Known(),
        auxiliary: Auxiliary = Nothing(),
        lead: Lead = Together(),
    ) -> None:
        super().__init__(space, given)
        refuse(posterior, prior, divergence, bound, properties)
        refuse_weighed(bound, auxiliary, lead)
        check(noise, space)
        self.latent, self.bound, self.noise, self.lead = latent, bound, noise, lead
        self.q = Encoder(encoder, space, given, latent, posterior)
        spec = ObservationSpec(space, likelihood, missing.decoded)
        self.p = decoding(decoder, latent, given, spec)
        self.hider = missing.build(space)
        self.prior_net = prior.build(latent, space, given)
        self.divergence = divergence.build(latent)
        self.head = properties.build(latent, given)
        self.foretold = given if self.head.predicts else Space()
        self.aid = auxiliary.build(latent, space, given)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        generative = [self.p, self.prior_net, self.hider, self.head, self.aid]
        if self.bound.parts or self.lead.parts:
            return {"encoder": [self.q], "decoder": generative, **self.divergence.players()}
        return {"autoencoder": [self.q, *generative], **self.divergence.players()}

    def start(self, x: Tensor) -> None:
        self.p.start(x)

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        if self.bound.weighs:
            yield self.raised(batch)
            return
        for _ in range(ahead := self.lead.turns(progress.step)):
            yield self.one(batch, progress).turn("encoder")
        one = self.one(batch, progress)
        both = ("encoder", "decoder") if self.lead.parts else ("autoencoder",)
        yield one.turn(*both[bool(ahead) :])
        yield from self.divergence.play(one.z.detach(), one.p)

    def one(self, batch: Batch, progress: Progress) -> OneDraw:
        """The bound of one draw a row: its distortion and its rate."""
        x, given = batch.x, batch.given
        q, p = self.encode(self.noise(batch.seen, self.space), given), self.prior(given)
        z = q.rsample()
        log_p = self.log_px(z, x, given) + self.head.gain(z, given.c)
        rate = self.divergence(Code(q, z, p, progress.size), progress)
        aid = self.aid(z, self.head.tell(given.c), x).mean()
        return OneDraw(-log_p.mean(), rate, aid, z, p)

    def raised(self, batch: Batch) -> Turn:
        """The turn of an importance-weighted bound."""
        seen = self.noise(batch.seen, self.space)
        q = self.encode(seen, batch.given)
        draws = self.weighed(q, batch.x, batch.given, self.bound.draws)
        distortion, gain = -draws.log_px.mean(), draws.log_w.mean()
        notes = {"distortion": distortion, "rate": -gain - distortion}
        return Turn(notes, **self.bound.losses(draws))

    def draws(self, x: Tensor, given: Given, k: int) -> Draws:
        """K draws of q(z | x) a row, one after the other, with what their weights are made of."""
        return self.weighed(self.encode(x, given), x, given, k)

    def weighed(self, q: Posterior, x: Tensor, given: Given, k: int) -> Draws:
        """K draws of a q of z a row, with what their weights for x are made of."""
        q, every = q.repeat(k), given.repeat(k)
        z = q.rsample()
        log_px = self.log_px(z, repeated(x, k), every)
        return Draws(log_px, q, z, self.prior(every), k)

    def log_px(self, z: Tensor, x: Tensor, given: Given) -> Tensor:
        """log p(x_o | z) + log p(s | x_o, x_m), x_m ~ p(x_m | z), (B,)."""
        p = self.decode(z, given)
        said: Tensor = self.hider(p, x)
        return p.log_prob(x) + said

    @property
    def hides(self) -> bool:  # type: ignore[override]
        return self.hider.speaks

    def log_hidden(self, x: Tensor, gone: Tensor) -> Tensor:
        return self.hider.log_prob(x, gone)

    def encode(self, x: Tensor, given: Given) -> Posterior:
        return self.q(x, self.head.tell(given.c))

    def prior(self, given: Given) -> Density:
        return self.prior_net(self.head.tell(given.c), self.q)

    def decode(self, z: Tensor, given: Given) -> Observation:
        return self.p(z, self.head.tell(given.c))

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        """z ~ p(z), then x ~ p(x | z); of a picture, the mean of p(x | z), as is the custom."""
        z = self.head.draw(lambda c: self.prior(Given(c)), given.c)
        p = self.decode(z, given)
        return self.hider.hide(p.mean if len(self.space.axes) > 1 else p.sample())

    def foretell(self, z: Tensor) -> Observation:
        return self.head(z)

    def log_likelihood(self, x: Tensor, given: Given, samples: int) -> Tensor:
        return importance_weighted(self.draws(x, given, samples).log_w)

    def rate(self, x: Tensor, given: Given) -> Tensor:
        """KL(q ‖ p) of each row by dimension, (B, D) in closed form or (B, 1) from a draw."""
        q = self.encode(x, given)
        return kl_by_dimension(q, q.rsample(), self.prior(given))

    def remedy(self, trouble: Trouble) -> str:
        """What eases the divergence; a bound that weighs its draws has no rate to ease."""
        part = self.divergence.part
        fixed = self.bound.weighs or part.eased(0) == part
        return "" if fixed or trouble != "unused" else part.relief

    def rescue(self, trouble: Trouble, step: int) -> None:
        """The divergence of `play` is eased from a step on."""
        self.divergence.part = self.divergence.part.eased(step)


@dataclass(frozen=True)
class OneDraw:
    """A batch's distortion, rate and auxiliary loss, scalars, at codes z (B, D) of a prior p."""

    distortion: Tensor
    rate: Tensor
    aid: Tensor
    z: Tensor
    p: Density

    def turn(self, *players: str) -> Turn:
        """Every one of these players pays for it all."""
        notes = {"distortion": self.distortion, "rate": self.rate}
        return Turn(notes, **dict.fromkeys(players, self.distortion + self.rate + self.aid))


ANOTHER_WAY = "follows the encoder's gradient through z alone, and here it has another way"


def refuse(
    posterior: Form, prior: Prior, divergence: Divergence, bound: Bound, properties: Properties
) -> None:
    """Parts that make no sense together, each pair with its reason."""
    learnt, bent = not isinstance(prior, Standard), not isinstance(posterior, Diagonal)
    path = isinstance(bound, Dreg)
    rules = (
        (bound.weighs and divergence != KL(), bound, divergence, "weighs draws by the likelihood, "
         "which leaves no room for another rate than the plain kl"),
        (divergence.diagonal and bent, divergence, posterior, "needs the density of each dimension "
         "alone, which a diagonal posterior has"),
        (learnt and not divergence.learns, divergence, prior, "only draws from the prior, so that "
         "one that learns would not"),
        (prior.encodes and bent, prior, posterior, "mixes posteriors, which must be diagonal"),
        (path and isinstance(posterior, Flow), bound, posterior, ANOTHER_WAY),
        (path and prior.encodes, bound, prior, ANOTHER_WAY),
        (bound.weighs and isinstance(properties, Predicted), bound, properties, "weighs draws by "
         "the likelihood of the observation alone"),
    )  # fmt: skip
    raise_first(rules)


def refuse_weighed(bound: Bound, auxiliary: Auxiliary, lead: Lead) -> None:
    """What is for the bound of one draw, and does not go with one that weighs several."""
    raise_first((
        (bound.weighs and auxiliary != Nothing(), bound, auxiliary, "weighs draws by the "
         "likelihood of the observation alone"),
        (bound.weighs and lead.parts, bound, lead, "has turns of its own, of several draws"),
    ))  # fmt: skip


def raise_first(rules: Sequence[tuple[bool, Part, Part, str]]) -> None:
    """The first rule that is broken, as an error."""
    for wrong, part, other, reason in rules:
        if wrong:
            names = kebab(type(part).__name__), kebab(type(other).__name__)
            raise UserError(f"{names[0]} does not go with {names[1]}: {names[0]} {reason}")
