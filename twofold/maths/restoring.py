r"""p(x | x̃, z): what a decoder expects, corrected by the noisy observation itself.

A clean x is drawn from p(x | z) and seen through noise as x̃ ~ c(x̃ | x). What is known of x once z
and x̃ are is, by Bayes' rule,

$$ p(x \mid \tilde x, z) \propto p(x \mid z)\; c(\tilde x \mid x), $$

a value at a time, since both factors are products over the values. With z drawn from q(z | x̃), the
posterior mean of x is

$$ \mathbb E[x \mid \tilde x] = \int q(z \mid \tilde x)\;
   \mathbb E[x \mid \tilde x, z]\, dz. $$

A code has few dimensions, and the decoder's E[x | z] alone lacks every detail that it does not
carry. Where the decoder is unsure and the noise is weak, x̃ has the detail, and is believed; where
the decoder is sure, as of a background, x̃ is not. Nothing is learnt or chosen here: the decoder's
own scale and the law of the noise say how much of each. A second noisy copy is one more factor.

| p(x | z) | c | p(x | x̃, z) |
|---|---|---|
| Gaussian N(μ, s²) of a real number | N(x, σ²) | N((μ σ² + x̃ s²) / (s² + σ²), s² σ² / (s² + σ²)) |
| any density of a bounded number | any law | a table over its L levels, normalised |
| another | | p(x | z), unchanged |

The last are losses that are no density, such as the squared error, whose scale says nothing; and
noises whose law is not known, or which lose a value entirely.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from twofold.core.space import Bounded, Domain, Real
from twofold.maths.distributions import Normal, product
from twofold.maths.likelihoods import (
    BernoulliValues,
    ContinuousBernoulliValues,
    DiscretisedLogisticValues,
    Elementwise,
    GaussianValues,
    Observation,
    ObservedField,
)
from twofold.maths.noise import Gaussian, Noise

LEAST = 1e-12
"""The least of a probability: where a decoder and a noise contradict each other, both are wrong."""
STEPS = 256
"""Places in the table of a number without levels, and at most of one with more."""


@dataclass(frozen=True)
class Tabled(Elementwise):
    """A number that is one of S in [0, 1], evenly spaced: `p` (S, B, F, *A) sums to 1 over S."""

    p: Tensor

    @property
    def support(self) -> Tensor:
        """The numbers, (S,)."""
        return torch.linspace(0, 1, len(self.p), dtype=self.p.dtype, device=self.p.device)

    def log_prob(self, x: Tensor) -> Tensor:
        return self.p.gather(0, nearest(x, len(self.p)).unsqueeze(0))[0].log()

    def sample(self) -> Tensor:
        """The inverse of the distribution function."""
        u = torch.rand_like(self.p[0])
        below = (self.p.cumsum(0) < u).sum(0)
        return below.clamp(max=len(self.p) - 1) / (len(self.p) - 1)

    @property
    def mean(self) -> Tensor:
        return torch.tensordot(self.support, self.p, 1)

    @property
    def mode(self) -> Tensor:
        return self.support[self.p.argmax(0)]


def restored(p: Observation, seen: Tensor, noise: Noise) -> Observation:
    """p(x | x̃, z).

    Args:
        p: p(x | z). seen: x̃, (B, C, *A). noise: c.
    """
    return Observation(tuple(corrected(field, part, noise) for field, part in p.parts(seen)))


def corrected(p: ObservedField, seen: Tensor, noise: Noise) -> ObservedField:
    """p(x | x̃, z) of one field; a value that is missing from x̃ says nothing."""
    domain = p.field.domain
    shown, presence = p.field.split(seen)
    rules: tuple[tuple[bool, Callable[..., Elementwise]], ...] = (
        (isinstance(domain, Real) and isinstance(p.values, GaussianValues), conjugate),
        (is_density(p.values, domain), tabled),
    )
    if not isinstance(domain, noise.informs):
        return p
    known = torch.ones_like(shown) if presence is None else presence
    for applies, rule in rules:
        if applies:
            return replace(p, values=rule(p.values, shown, known, noise, domain))
    return p


def is_density(values: Elementwise, domain: Domain) -> bool:
    """Whether a bounded number has a density that can be believed."""
    dense = Tabled | DiscretisedLogisticValues | ContinuousBernoulliValues | GaussianValues
    return isinstance(domain, Bounded) and (
        isinstance(values, dense) or (isinstance(values, BernoulliValues) and domain.levels == 2)
    )


def conjugate(
    values: GaussianValues, seen: Tensor, known: Tensor, noise: Gaussian, domain: Real
) -> GaussianValues:
    """N(μ, s²) N(x̃; x, σ²) as a Gaussian of x: precisions add."""
    log_sigma = seen.new_tensor(noise.scale).log().expand_as(seen)
    found = product(Normal(values.mu, values.log_sigma.expand_as(seen)), Normal(seen, log_sigma))
    there = known > 0
    return GaussianValues(
        torch.where(there, found.mu, values.mu),
        torch.where(there, found.log_sigma, values.log_sigma),
    )


def tabled(
    values: Elementwise, seen: Tensor, known: Tensor, noise: Noise, domain: Bounded
) -> Tabled:
    """p(x | z) c(x̃ | x) at every level of x, normalised."""
    steps = min(domain.levels or STEPS, STEPS)
    support = torch.linspace(0, 1, steps, dtype=torch.float64)
    log_c = noise.log_prob(support[:, None], support, 0.5 / (steps - 1)).to(seen)  # (x̃, x)
    c = (log_c - log_c.amax(1, keepdim=True)).exp().clamp(min=LEAST)
    p = masses(values, steps, seen)
    return Tabled(normalised(p.mul_(c.T[:, nearest(seen, steps)].where(known > 0, 1.0))))


def masses(values: Elementwise, steps: int, like: Tensor) -> Tensor:
    """p of each of so many places, (S, B, F, *A), up to a factor."""
    if isinstance(values, DiscretisedLogisticValues) and values.levels == steps:
        return values.masses().clamp_(min=LEAST)
    if isinstance(values, Tabled):
        return values.p.clamp(min=LEAST)
    every = [torch.full_like(like, x) for x in torch.linspace(0, 1, steps).tolist()]
    return torch.stack([values.log_prob(x) for x in every]).softmax(0).clamp_(min=LEAST)


def normalised(p: Tensor) -> Tensor:
    """p that sums to 1 over the first axis."""
    return p.div_(p.sum(0))


def nearest(x: Tensor, steps: int) -> Tensor:
    """The place of numbers in [0, 1] among `steps`."""
    return (x.clamp(0, 1) * (steps - 1)).round().long()
