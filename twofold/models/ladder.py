r"""The ladder variational autoencoder: several stochastic layers, one above the other.

$$ p(x, z) = p(x \mid z_1)\; \prod_{l=1}^{L-1} p(z_l \mid z_{l+1})\; p(z_L), \qquad
 p(z_L) = \mathcal N(0, I). $$

The encoder climbs without noise, $d_1 = d_1(x)$ and $d_{l+1} = d_{l+1}(d_l)$, and says at each rung
what the observation alone suggests, $\mathcal N(\hat\mu_l, \hat\sigma_l^2)$. The posterior then
descends from the top, and at each rung below it meets what the rungs above expect:

$$ q(z_l \mid z_{l+1}, x) \propto
 \mathcal N(z_l; \hat\mu_l, \hat\sigma_l^2)\; p(z_l \mid z_{l+1}), \qquad
 q(z_L \mid x) = \mathcal N(\hat\mu_L, \hat\sigma_L^2), $$

a product of Gaussians, in which precisions add. With one layer it is the plain VAE with a diagonal
posterior. Upper layers tend to fall silent; the KL of each is logged (`kl_1` … `kl_L`, the top one
last). Free bits keep them awake, or warm-up, which the paper found necessary:

    divergence = {name = "kl", beta = {name = "linear", steps = 5000}}

Source: Sønderby, Raiko, Maaløe, Sønderby & Winther 2016, Ladder Variational Autoencoders,
arXiv:1602.02282.

The *code* that `encode` returns and `decode` takes is the noise of all layers, top first,
$\varepsilon_l = (z_l - \mu_l) / \sigma_l$ with the mean and scale of $p(z_l \mid z_{l+1})$. It is a
change of coordinates (Kingma & Welling 2014, arXiv:1402.0480): the prior of ε is N(0, I), the KL is
the same, every dimension of it matters to the decoder, and to change an upper one carries the lower
layers along. So reconstructions keep what every layer knows, and ways between codes stay typical.

Notation: x (B, C, *A), z_l (B, D_l), ε (B, D) with D = Σ D_l; q̂, q, p are Gaussians.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import (
    Decodes,
    Encodes,
    Model,
    Progress,
    Rescues,
    Scores,
    Starts,
    Trouble,
    Turn,
)
from twofold.core.space import Space
from twofold.maths.bounds import Draws, importance_weighted
from twofold.maths.distributions import Density, Normal, Posterior, product
from twofold.maths.divergences import KL, Code, kl_by_dimension
from twofold.maths.likelihoods import Likelihood, Observation, ObservationSpec
from twofold.maths.varying import at
from twofold.nets.blocks import ACTIVATIONS
from twofold.nets.bodies import Architecture, Dense, Suited, join
from twofold.nets.decoders import decoding
from twofold.nets.posteriors import limited
from twofold.nets.priors import Standard

Choice = Callable[[Normal, Normal], Tensor]
"""Picks z_l, given q(z_l | z_{l+1}, x) and p(z_l | z_{l+1})."""


class Ladder(Model, Decodes, Encodes, Scores, Rescues, Starts):
    """The ladder VAE of a Space: several stochastic layers.

    Args:
        latents: D_1 … D_L, the dimensions of each layer, the one next to x first.
        encoder: the architecture of d_1(x, given).
        decoder: the architecture of p(x | z_1, given).
        between: the layers from rung to rung, up and down; its width is that of d_l.
        likelihood: likelihoods to prefer where they fit the data; each other domain has its own.
        divergence: what the KL of each layer costs; free bits are counted within a layer.

    Raises:
        UserError: there is no layer.

    >>> from twofold.core.space import Field, Real
    >>> ladder = Ladder(Space((Field("a", Real()), Field("b", Real()))), Space(), latents=(3, 2))
    >>> ladder.sample(Given.none(3, Space())).shape, ladder.latent
    (torch.Size([3, 2]), 5)
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        latents: tuple[PositiveInt, ...] = (16, 8),
        encoder: Architecture = Suited(),
        decoder: Architecture = Suited(),
        between: Dense = Dense(128, 1),
        likelihood: tuple[Likelihood, ...] = (),
        divergence: KL = KL(),
    ) -> None:
        super().__init__(space, given)
        if not latents:
            raise UserError("a ladder needs at least one layer; set model.latents = [16, 8]")
        self.latents, self.latent, self.divergence = latents, sum(latents), divergence
        *lower, top = latents
        widths = [*(2 * D + between.width for D in lower), 2 * top]  # q̂_l, and what climbs on
        self.first = encoder.down(space, given, widths[0])
        self.up = nn.ModuleList(between.layers(between.width + given.width, w) for w in widths[1:])
        self.down = nn.ModuleList(
            between.layers(above + given.width, 2 * D)
            for D, above in zip(lower, latents[1:], strict=True)
        )
        self.act = ACTIVATIONS[between.activation]()
        self.p = decoding(decoder, latents[0], given, ObservationSpec(space, likelihood))
        self.prior_net = Standard().build(self.latent, space, given)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"autoencoder": [self.first, self.up, self.down, self.p, self.prior_net]}

    def start(self, x: Tensor) -> None:
        self.p.start(x)

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        x, given = batch.x, batch.given
        rungs = self.descend(self.climb(x, given), given, drawn)  # z_L, …, z_1
        distortion = -self.p(rungs[-1].z, given.c).log_prob(x).mean()
        price = at(self.divergence, progress)
        rate = torch.stack([price(rung.code) for rung in rungs]).sum()
        notes = {"distortion": distortion, "rate": rate, **nats(rungs)}
        yield Turn(notes, autoencoder=distortion + rate)

    def climb(self, x: Tensor, given: Given) -> list[Normal]:
        """N(μ̂_l, σ̂_l²) of each layer, the lowest first: what x alone suggests."""
        found, raw = [], self.first(x, given.c)
        for D, up in zip(self.latents, [*self.up, nn.Identity()], strict=True):
            found.append(gaussian(raw[:, : 2 * D]))
            d = self.act(raw[:, 2 * D :])  # (B, W), and (B, 0) at the top
            raw = up(join(d, given.c))
        return found

    def descend(self, suggested: Sequence[Normal], given: Given, choose: Choice) -> list[Rung]:
        """Every layer's q, p and z, the top one first."""
        *lower, q = suggested
        p: Normal = Normal.standard(given.c.shape[0], self.latents[-1], given.c)
        rungs = [Rung(q, p, choose(q, p))]
        for hat, down in reversed(list(zip(lower, self.down, strict=True))):
            p = gaussian(down(join(rungs[-1].z, given.c)))
            q = product(hat, p)
            rungs.append(Rung(q, p, choose(q, p)))
        return rungs

    def encode(self, x: Tensor, given: Given) -> Descent:
        return Descent(self, self.climb(x, given), given)

    def prior(self, given: Given) -> Density:
        return self.prior_net(given.c, self.first)

    def decode(self, z: Tensor, given: Given) -> Observation:
        """p(x | z_1), z_1 found from the noise of every layer."""
        top, *noise = z.split(self.latents[::-1], 1)
        lowest = top
        for e, down in zip(noise, reversed(self.down), strict=True):
            lowest = away(gaussian(down(join(lowest, given.c))), e)
        return self.p(lowest, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        """z ~ p(z), then x ~ p(x | z_1); of a picture, the mean of p(x | z_1)."""
        p = self.decode(self.prior(given).sample(), given)
        return p.mean if len(self.space.axes) > 1 else p.sample()

    def log_likelihood(self, x: Tensor, given: Given, samples: int) -> Tensor:
        q, every = self.encode(x, given).repeat(samples), given.repeat(samples)
        z = q.rsample()
        log_px = self.decode(z, every).log_prob(x.repeat_interleave(samples, 0))
        return importance_weighted(Draws(log_px, q, z, self.prior(every), samples).log_w)

    def remedy(self, trouble: Trouble) -> str:
        """Free bits, in every layer."""
        return self.divergence.relief if trouble == "unused" else ""

    def rescue(self, trouble: Trouble, step: int) -> None:
        """The divergence of every layer is eased from a step on."""
        self.divergence = self.divergence.eased(step)


@dataclass(frozen=True)
class Rung:
    """One layer on the way down: q(z_l | z_{l+1}, x), p(z_l | z_{l+1}), and z_l."""

    q: Normal
    p: Normal
    z: Tensor

    @property
    def code(self) -> Code:
        return Code(self.q, self.z, self.p)

    @property
    def noise(self) -> Tensor:
        """ε_l, (B, D_l)."""
        return (self.z - self.p.mu) * (-self.p.log_sigma).exp()

    @property
    def of_noise(self) -> Normal:
        """q of ε_l, given the layers above."""
        mu = (self.q.mu - self.p.mu) * (-self.p.log_sigma).exp()
        return Normal(mu, self.q.log_sigma - self.p.log_sigma)


@dataclass(frozen=True)
class Descent(Posterior):
    """q(ε | x), a Gaussian a layer given those above; ε (B, D), the top layer first.

    `mean` and `sigma` are those of each layer where every layer above is at its own mean.
    """

    ladder: Ladder
    suggested: Sequence[Normal]
    given: Given

    def rungs(self, choose: Choice) -> list[Rung]:
        return self.ladder.descend(self.suggested, self.given, choose)

    @property
    def mean(self) -> Tensor:
        return torch.cat([rung.noise for rung in self.rungs(expected)], 1)

    @property
    def mode(self) -> Tensor:
        return self.mean

    @property
    def sigma(self) -> Tensor:
        return torch.cat([rung.of_noise.sigma for rung in self.rungs(expected)], 1)

    def rsample(self) -> Tensor:
        return torch.cat([rung.noise for rung in self.rungs(drawn)], 1)

    def sample(self) -> Tensor:
        with torch.no_grad():
            return self.rsample()

    def log_prob(self, x: Tensor) -> Tensor:
        noise = x.split(self.ladder.latents[::-1], 1)
        parts = iter(noise)
        rungs = self.rungs(lambda q, p: away(p, next(parts)))
        logs = [rung.of_noise.log_prob(e) for rung, e in zip(rungs, noise, strict=True)]
        return torch.stack(logs).sum(0)

    def repeat(self, times: int) -> Descent:
        again = [q.repeat(times) for q in self.suggested]
        return Descent(self.ladder, again, self.given.repeat(times))


def drawn(q: Normal, p: Normal) -> Tensor:
    """z_l ~ q."""
    return q.rsample()


def expected(q: Normal, p: Normal) -> Tensor:
    """z_l at the mean of q."""
    return q.mu


def away(p: Normal, e: Tensor) -> Tensor:
    """z = μ + σ ε."""
    return torch.addcmul(p.mu, p.sigma, e)


def gaussian(raw: Tensor) -> Normal:
    """Numbers (B, 2 D) as a mean and a scale a dimension."""
    mu, log_sigma = raw.chunk(2, 1)
    return Normal(mu, limited(log_sigma))


def nats(rungs: Sequence[Rung]) -> dict[str, Tensor]:
    """KL(q ‖ p) of each layer, a mean over the rows, the lowest first."""
    found = [kl_by_dimension(r.q, r.z, r.p).sum(1).mean() for r in reversed(rungs)]
    return {f"kl_{layer}": kl for layer, kl in enumerate(found, 1)}
