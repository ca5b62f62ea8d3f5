r"""What the latent code carries: divergence, active units, mutual information.

Over n held-out observations with posteriors $q(z \mid x_i)$ of means $\mu_i$:

* **KL**, total and by dimension: $\frac1n \sum_i KL(q(z_d \mid x_i) \,\|\, p(z_d))$, the nats that
  the code costs; where it has no closed form, the total from draws;
* **active units** (Burda et al. 2016, §5.3): the d with $\operatorname{Var}_i \mu_{id} > 0.01$;
* **mutual information** between the code and the index of the observation (Hoffman & Johnson 2016,
  *ELBO surgery*), with the aggregated posterior $q(z) = \frac1n \sum_j q(z \mid x_j)$:

$$I = \frac1n \sum_i E_{q(z \mid x_i)} \big[ \log q(z \mid x_i) - \log q(z) \big]
\;\le\; \min(\log n, KL).$$

Between factorised Gaussians it is taken over all observations; of another posterior, whose density
has to be asked pair by pair, over the first 128.

A posterior equal to the prior for every x makes all three 0: the latent is unused, and the decoder
models the data alone ("posterior collapse").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.game import Decodes, Distribution, Encodes
from twofold.maths.distributions import Density, Normal, Posterior
from twofold.maths.divergences import kl_by_dimension
from twofold.measures.estimate import AMOUNTS, chunks, generator, interval, mean, some, steady
from twofold.measures.measure import Evidence, Figure, Measure

ACTIVE = 0.01
ROWS = 256
PAIRED = 128
"""Rows whose pairs are compared one by one, and how many of them at once."""
AT_ONCE = 16


class Codes(NamedTuple):
    """Posteriors of n observations, (n, D) each in float64, and their KL, (n, D) or (n, 1)."""

    mean: Tensor
    sigma: Tensor
    kl: Tensor


@dataclass(frozen=True)
class Latent(Measure):
    """KL, active units and mutual information of held-out observations.

    Args:
        n: at most so many observations.
        draws: of z an observation, for the mutual information.
    """

    n: int = 2048
    draws: int = 4
    names = ("kl", "active_units", "mutual_information")
    within = dict.fromkeys(names[:2], AMOUNTS)

    def refuses(self, evidence: Evidence) -> str:
        model = evidence.model
        if not (isinstance(model, Encodes) and isinstance(model, Decodes)):
            return "the model has no encoder" if model != () else "there is no model"
        if len(evidence.real) < 2:
            return "it needs at least 2 held-out observations"
        with steady(model, evidence.seed):
            first = next(chunks(model, evidence.real, 1))
            q, p = model.encode(first.x, first.given), model.prior(first.given)
        fits = isinstance(q, Posterior) and isinstance(p, Density)
        return "" if fits else "the code has no posterior and prior with a density"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        real = some(evidence.real, self.n, evidence.seed)
        codes = infer(evidence.model, real, evidence.seed)
        return [
            self.divergence(evidence, codes),
            self.active(evidence, codes),
            self.information(evidence, codes, real),
        ]

    def divergence(self, evidence: Evidence, codes: Codes) -> Figure:
        """KL, its parts the dimensions."""
        parts = codes.kl.mean(0).tolist()
        top = ", ".join(f"{part:.2f}" for part in sorted(parts, reverse=True)[:8])
        return evidence.figure(
            "kl",
            mean(codes.kl.sum(1), evidence.seed),
            len(codes.kl),
            "neither",
            unit="nats",
            parts=tuple(parts),
            note=f"the cost of the code; by dimension, largest first: {top}",
        )

    def active(self, evidence: Evidence, codes: Codes) -> Figure:
        """How many dimensions of the code depend on the observation."""
        spread = codes.mean.var(0)  # (D,)
        count = int((spread > ACTIVE).sum())
        n, D = codes.mean.shape
        rows = torch.randint(n, (100, n), generator=generator(evidence.seed))
        again = torch.stack([(codes.mean[row].var(0) > ACTIVE).sum() for row in rows])
        verdict = f"{count} of {D} dimensions are active" if count else "the latent is unused"
        return evidence.figure(
            "active_units",
            interval(float(count), again.double()),
            n,
            "neither",
            unit="dimensions",
            parts=tuple(spread.tolist()),
            note=verdict,
        )

    def information(self, evidence: Evidence, codes: Codes, real: Batch) -> Figure:
        """Nats that a code says about which observation it came from."""
        terms = information(evidence.model, real, codes, self.draws, evidence.seed)
        note = "what a code says about its observation; no estimate can exceed log n"
        return evidence.figure(
            "mutual_information",
            mean(terms, evidence.seed),
            len(terms),
            "neither",
            unit="nats",
            note=f"{note} = {math.log(len(terms)):.2f}",
        )


def infer(model: object, batch: Batch, seed: int) -> Codes:
    """The posteriors of a batch, and what they cost."""
    assert isinstance(model, Encodes)
    assert isinstance(model, Decodes)
    with steady(model, seed):
        pieces = [
            piece(model.encode(part.x, part.given), model.prior(part.given))
            for part in chunks(model, batch, ROWS)
        ]
    return Codes(*(torch.cat(column).double().cpu() for column in zip(*pieces, strict=True)))


def piece(q: Distribution, p: Distribution) -> Codes:
    """Means, deviations and KL of some rows."""
    assert isinstance(q, Posterior)
    return Codes(q.mean, q.sigma, kl_by_dimension(q, q.rsample(), p))


def information(model: object, batch: Batch, codes: Codes, draws: int, seed: int) -> Tensor:
    """What each code says about which of n observations it came from, (n,) terms in nats."""
    assert isinstance(model, Encodes)
    with steady(model, seed):
        diagonal = isinstance(posterior(model, next(chunks(model, batch, 1))), Normal)
    if diagonal:
        return information_terms(codes, draws, seed)
    return paired(model, batch[:PAIRED], seed)


def paired(model: object, batch: Batch, seed: int) -> Tensor:
    """log q(z_i | x_i) − log q(z_i), z_i ~ q(z | x_i), of any posterior with a density: (n,)."""
    assert isinstance(model, Encodes)
    n = len(batch)
    with steady(model, seed):
        z = torch.cat([posterior(model, part).sample() for part in chunks(model, batch, AT_ONCE)])
        rows = [
            posterior(model, part).repeat(n).log_prob(z.repeat(len(part), 1)).unflatten(0, (-1, n))
            for part in chunks(model, batch, AT_ONCE)
        ]
        log_q = torch.cat(rows).T.double().cpu()  # (n, n): row i, posterior j
        return log_q.diagonal() - (log_q.logsumexp(1) - math.log(n))


def posterior(model: Encodes, batch: Batch) -> Posterior:
    """q(z | x), which has a density."""
    found = model.encode(batch.x, batch.given)
    assert isinstance(found, Posterior)
    return found


def information_terms(codes: Codes, draws: int, seed: int) -> Tensor:
    """log q(z | x_i) − log q(z) with z ~ q(z | x_i), (n,), averaged over the draws."""
    noise = generator(seed)
    n = len(codes.mean)
    total = torch.zeros(n, dtype=torch.float64)
    for _ in range(draws):
        z = codes.mean + codes.sigma * torch.randn(codes.mean.shape, generator=noise).double()
        log_q = log_posteriors(z, codes)  # (n, n): row i, posterior j
        total += log_q.diagonal() - (log_q.logsumexp(1) - math.log(n))
    return total / draws


def log_posteriors(z: Tensor, codes: Codes) -> Tensor:
    r"""log q(z_i | x_j), (n, n), by expanding $(z - \mu)^2 / \sigma^2$ into three products."""
    precision = codes.sigma.square().reciprocal()
    centre = codes.mean.mean(0)  # nearer to 0, so that the products do not cancel
    z, mu = z - centre, codes.mean - centre
    square = z.square() @ precision.T - 2 * z @ (mu * precision).T
    constant = (mu.square() * precision).sum(1) + (2 * math.pi * codes.sigma.square()).log().sum(1)
    return -0.5 * (square + constant)
