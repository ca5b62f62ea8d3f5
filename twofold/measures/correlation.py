r"""How far a code is from independent dimensions: the total correlation, which needs no factors.

$$ TC = KL\Big( q(z) \,\Big\|\, \prod_d q(z_d) \Big), \qquad
q(z) = \frac1n \sum_j q(z \mid x_j) , $$

Watanabe 1960; the term that β-TCVAE and FactorVAE press down. Two estimates, in nats:

* `total_correlation`: log q(z) and every log q(z_d) are computed exactly as mixtures over all n
  codes, at a draw of each q(z | x_i); nothing is sampled by minibatch. With few codes q(z) is a
  mixture of peaks that no longer overlap, and looks dependent even where it is not. The *floor* is
  the same estimate with every dimension's posteriors in an order of their own, so that the truth is
  0: what is above it is dependence.
* `total_correlation_gaussian`: $-\frac12 \log \det$ of the correlations of the mean codes
  (Locatello et al. 2019, arXiv:1811.12359). It sees linear dependence alone, and means, which can
  depend where draws do not.

A small total correlation says that dimensions are independent, not that each means something: that
takes factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.measures.estimate import generator, jackknife, mean, some
from twofold.measures.latent import ACTIVE, Codes, Latent, infer, log_posteriors
from twofold.measures.measure import Evidence, Figure, Measure

GROUPS = 20
AT_ONCE = 128
"""Draws whose density is asked at once."""


@dataclass(frozen=True)
class TotalCorrelation(Measure):
    """How far the dimensions of the code are from independent.

    Args:
        n: at most so many observations.
    """

    n: int = 2048
    names = ("total_correlation", "total_correlation_gaussian")

    def refuses(self, evidence: Evidence) -> str:
        return Latent().refuses(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        seed = evidence.seed
        codes = infer(evidence.model, some(evidence.real, self.n, seed), seed)
        apart = independent(codes, seed)
        (gaussian,) = jackknife(
            lambda rows: linear(codes.mean[rows])[None],
            linear(codes.mean)[None],
            len(codes.mean),
            GROUPS,
        )
        return [
            evidence.figure(
                "total_correlation",
                mean(terms(codes, seed), seed),
                len(codes.mean),
                "neither",
                floor=float(terms(apart, seed).mean()),
                unit="nats",
                note="what is above the floor is dependence between dimensions",
            ),
            evidence.figure(
                "total_correlation_gaussian",
                gaussian,
                len(codes.mean),
                "neither",
                floor=float(linear(apart.mean)),
                unit="nats",
                note="of the mean codes, linear dependence alone",
            ),
        ]


def independent(codes: Codes, seed: int) -> Codes:
    """Every dimension's posteriors in an order of their own."""
    chance = generator(seed + 1)
    n, D = codes.mean.shape
    rows = torch.stack([torch.randperm(n, generator=chance) for _ in range(D)], 1)  # (n, D)
    return Codes(codes.mean.gather(0, rows), codes.sigma.gather(0, rows), codes.kl)


def terms(codes: Codes, seed: int) -> Tensor:
    """log q(z) − Σ_d log q(z_d) at a draw of each posterior, (n,)."""
    noise = torch.randn(codes.mean.shape, generator=generator(seed), dtype=torch.float64)
    z = codes.mean + codes.sigma * noise
    return log_mixture(z, codes) - log_marginals(z, codes).sum(1)


def log_marginals(z: Tensor, codes: Codes) -> Tensor:
    """log q(z_d) of draws (S, D) under the mixture of n posteriors, a dimension alone, (S, D)."""
    alone = [Codes(codes.mean[:, [d]], codes.sigma[:, [d]], codes.kl) for d in range(z.shape[1])]
    parts = [
        torch.stack([log_mixture(part[:, [d]], one) for d, one in enumerate(alone)], 1)
        for part in z.split(AT_ONCE)
    ]
    return torch.cat(parts)


def log_mixture(z: Tensor, codes: Codes) -> Tensor:
    """log q(z_i) of draws (S, D) under the mixture of n posteriors, (S,)."""
    return log_posteriors(z, codes).logsumexp(1) - math.log(len(codes.mean))


def linear(code: Tensor) -> Tensor:
    """−½ log det of the correlations of the active dimensions of codes (n, D)."""
    active = code[:, code.var(0, correction=0) > ACTIVE]
    if active.shape[1] < 2:
        return code.new_zeros(())
    unit = (active - active.mean(0)) / active.std(0, correction=0)
    R: Tensor = torch.linalg.qr(unit, mode="r").R / len(unit) ** 0.5  # RᵀR the correlations
    return -R.diagonal().abs().clamp(min=1e-12).log().sum()
