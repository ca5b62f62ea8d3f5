r"""Do models of several seeds find the same dimensions? UDR, which needs no factors.

The unsupervised disentanglement ranking (Duan et al. 2020, arXiv:1905.12614) rests on an
observation: models that disentangle do so alike, up to order, sign and unused dimensions, and there
are many ways to entangle. For two models with codes a and b of the same observations, R(a, b) is
the absolute rank correlation of a dimension of the one with one of the other, over the dimensions
whose KL is above 0.01, and

$$ UDR_{ij} = \frac{1}{d_a + d_b} \Big[
\sum_b \frac{\max_a R(a, b)^2}{\sum_a R(a, b)} + \sum_a \frac{\max_b R(a, b)^2}{\sum_b R(a, b)}
\Big] . $$

That is the paper's; its published code averages the two sums each for itself, which differs where
the models use unlike numbers of dimensions. The score of a model is the median over the others. It
is 1 where every used dimension of one model is one of the other and no more. It ranks models of one
architecture and one data set; it does not say that the dimensions mean anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from twofold.maths.statistics import correlation_matrix

INFORMATIVE = 0.01


def udr(codes: Sequence[Tensor], kl: Sequence[Tensor]) -> Tensor:
    """The score of each of M ≥ 2 models, (M,).

    Args:
        codes: of each model, the means of q(z | x) of the same observations, (n, D).
        kl: of each model, by dimension, (D,).

    >>> z = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    >>> udr([z, -z[:, [2, 0, 1]].exp()], [torch.ones(3), torch.ones(3)]) > 0.75
    tensor([True, True])
    """
    used = [code[:, rate > INFORMATIVE] for code, rate in zip(codes, kl, strict=True)]
    M = len(used)
    scores = torch.full((M, M), torch.nan, dtype=torch.float64)
    for i, j in combinations(range(M), 2):
        scores[i, j] = scores[j, i] = alike(used[i], used[j])
    return torch.stack([row[~row.isnan()].quantile(0.5) for row in scores])


def alike(a: Tensor, b: Tensor) -> Tensor:
    """UDR of two codes (n, D) and (n, E) of used dimensions alone; 0 where one uses none."""
    d, e = a.shape[1], b.shape[1]
    if not d or not e:
        return torch.zeros((), dtype=torch.float64)
    R = correlation_matrix(torch.cat([ranks(a), ranks(b)], 1))[:d, d:].abs()
    return (strength(R).sum() + strength(R.T).sum()) / (d + e)


def strength(R: Tensor) -> Tensor:
    """max² / sum of each column: how much one stands out, and how much it explains."""
    total = R.sum(0)
    return R.max(0).values.square() / torch.where(total > 0, total, 1)


def ranks(code: Tensor) -> Tensor:
    """The rank of each value within its dimension, (n, D)."""
    return code.argsort(0).argsort(0).double()
