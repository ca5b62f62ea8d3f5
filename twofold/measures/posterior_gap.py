r"""The mutual information gap as its paper has it: of draws from the posterior, not of its mean.

Chen et al. 2018 (arXiv:1802.04942, §4.1 and App. B) ask what a *draw* of z says about a factor v.
With the aggregated posteriors

$$ q(z_d) = \frac1n \sum_j q(z_d \mid x_j), \qquad
q(z_d \mid v) = \frac{1}{n_v} \sum_{j:\, v_j = v} q(z_d \mid x_j), $$

the information is the mean, over observations i and draws $z \sim q(z \mid x_i)$, of

$$ I(z_d; v_k) = \mathbb E \big[ \log q(z_d \mid v_{ik}) - \log q(z_d) \big], $$

and the gap is that of the two best dimensions, as a share of the entropy H(v_k). Both mixtures are
over all n observations, so nothing is binned; the noise of a collapsed dimension drowns what its
mean may still trace, so none needs to be left out. Few observations of a value make its mixture
peaked and its information look too large: the paper takes every observation there is.

Published figures by this estimator and by histograms of the mean (`mig`) do not compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.game import Encodes
from twofold.maths.distributions import FullNormal, Normal
from twofold.maths.information import entropy
from twofold.measures.correlation import log_marginals
from twofold.measures.estimate import chunks, generator, mean, steady
from twofold.measures.factors import known, unassessed
from twofold.measures.latent import Codes, Latent, infer
from twofold.measures.measure import Evidence, Figure, Measure


@dataclass(frozen=True)
class PosteriorGap(Measure):
    """How much more a draw of the best dimension says about a factor than of the second best.

    Args:
        n: at most so many observations, of which the mixtures are made.
        draws: at most so many of them have a draw that is looked at.
    """

    n: int = 10_000
    draws: int = 1_000
    names = ("mig_posterior",)

    def refuses(self, evidence: Evidence) -> str:
        model = evidence.model
        if reason := unassessed(model, evidence.real, evidence.factors):
            return reason
        if reason := Latent().refuses(evidence):
            return reason
        assert isinstance(model, Encodes)
        with steady(model, evidence.seed):
            first = next(chunks(model, evidence.real, 1))
            q = model.encode(first.x, first.given)
        gaussian = isinstance(q, Normal | FullNormal)
        return "" if gaussian else "the posterior of a dimension alone is no Gaussian"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        batch, index = known(evidence.real, evidence.factors, self.n, evidence.seed)
        codes = infer(evidence.model, batch, evidence.seed)
        apart = torch.randperm(len(index), generator=generator(evidence.seed + 1))
        gaps, floor = (
            gaps_of(codes, factors, self.draws, evidence.seed) for factors in (index, index[apart])
        )
        return [
            evidence.figure(
                self.names[0],
                mean(gaps.mean(1), evidence.seed),
                len(batch),
                "higher",
                floor=float(floor.mean()),
                parts=tuple(gaps.mean(0).tolist()),
                note="of draws of the posterior, as Chen et al. 2018 have it",
            )
        ]


def gaps_of(codes: Codes, index: Tensor, draws: int, seed: int) -> Tensor:
    """What each draw adds to the gap of each factor, (S, K): its mean over draws is the gap."""
    said = informed(codes, index, draws, seed)
    I = torch.cat([said, said.new_zeros(len(said), 2, said.shape[2])], 1)  # noqa: E741
    best = I.mean(0).topk(2, 0).indices  # (2, K): a code of one dimension has no second
    first, second = (I.gather(1, row.expand(len(I), 1, -1))[:, 0] for row in best)
    return (first - second) / torch.stack([entropy(factor) for factor in index.T])


def informed(codes: Codes, index: Tensor, draws: int, seed: int) -> Tensor:
    """log q(z_d | v_k) − log q(z_d) at a draw of each of the first S observations, (S, D, K)."""
    mu, sigma = codes.mean[:draws], codes.sigma[:draws]
    z = mu + sigma * torch.randn(mu.shape, generator=generator(seed), dtype=torch.float64)
    alone = log_marginals(z, codes)
    return torch.stack([held(z, codes, factor) - alone for factor in index.T], 2)


def held(z: Tensor, codes: Codes, factor: Tensor) -> Tensor:
    """log q(z_d | v), (S, D), at draws (S, D) of the first S of the n rows of a factor (n,)."""
    out = torch.empty_like(z)
    for value in factor.unique():
        rows = factor == value
        of_value = rows[: len(z)]
        out[of_value] = log_marginals(z[of_value], Codes(*(part[rows] for part in codes)))
    return out
