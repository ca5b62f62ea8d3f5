r"""Does each factor have a dimension of the code to itself? Scores from the code's statistics.

Notation: D dimensions of the code z, here the *mean* of q(z | x) (a draw would be punished for its
noise), K factors v, n observations. All scores lie in [0, 1] and higher is better; their floor is
the same score with the codes in another order, so that they say nothing of any factor.

* **MIG**, the mutual information gap (Chen et al. 2018, arXiv:1802.04942): how much more the best
  dimension says about a factor than the second best, as a share of the factor's entropy,

$$ \mathrm{MIG} = \frac1K \sum_k \frac{I(z_{d_1}; v_k) - I(z_{d_2}; v_k)}{H(v_k)} . $$

  `mig` takes the 20-bin histogram of Locatello et al. 2019 over all dimensions, for comparison with
  published figures; `mig_knn` takes nearest neighbours, which hardly depend on n (see
  `maths/information.py`), and live dimensions only: the mean of a collapsed one may trace a factor
  at a scale that its own noise drowns, and would count as the second best. The paper itself looks
  at draws and not at the mean: that is `mig_posterior` (see `measures/posterior_gap.py`).
* **Modularity** (Ridgeway & Mozer 2018, arXiv:1802.05312): whether each dimension is about one
  factor only, the mean over dimensions of

$$ 1 - \frac{\sum_{k \ne k^*} I(z_d; v_k)^2}{(K - 1)\, I(z_d; v_{k^*})^2} , \qquad
k^* = \arg\max_k I(z_d; v_k) . $$

* **IRS**, the interventional robustness score (Suter et al. 2019, arXiv:1811.00007): how little a
  dimension moves when everything but its factor changes. With
  $\Delta_{dk} = E_v \max_{i: v_{ik} = v} |z_{id} - E[z_d \mid v_k = v]|$ and $\Delta_d$ the same
  without holding a factor, the score of d is $1 - \min_k \Delta_{dk} / \Delta_d$; the mean is
  weighted by $\Delta_d$. The largest is taken, as in the paper; the code of Locatello et al. 2019
  takes the 99 % point of what is left while a factor is held, and its score is higher for it.

Modularity and IRS, too, are of live dimensions; a collapsed one is one whose mean hardly moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from twofold.maths.information import Histogram, Information, Neighbours, entropy
from twofold.measures.estimate import SHARES, jackknifed
from twofold.measures.factors import Seen, look, unassessed
from twofold.measures.measure import Evidence, Figure, Measure


class Score(NamedTuple):
    """A score, and what it is the mean of: a number a factor, or a dimension."""

    value: Tensor
    parts: Tensor


@dataclass(frozen=True)
class MIG(Measure):
    """How much more the best dimension says about a factor than the second best.

    Args:
        n: at most so many observations. bins: of the histogram. k: of the neighbours.
    """

    n: int = 10_000
    bins: int = 20
    k: int = 3
    names = ("mig", "mig_knn")
    within = dict.fromkeys(names[:1], SHARES)

    def refuses(self, evidence: Evidence) -> str:
        return unassessed(evidence.model, evidence.real, evidence.factors)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        seen = look(evidence.model, evidence.real, evidence.factors, self.n, evidence.seed)
        histogram, neighbours = Histogram(self.bins), Neighbours(self.k)
        note = NOTES["mig"]
        return [
            judged(evidence, "mig", seen, lambda s: information_gap(s, histogram), note),
            judged(evidence, "mig_knn", seen, lambda s: information_gap(s.alive, neighbours), note),
        ]


@dataclass(frozen=True)
class Modularity(Measure):
    """Whether each dimension of the code is about one factor only.

    Args:
        n: at most so many observations. bins: of the histogram.
    """

    n: int = 10_000
    bins: int = 20
    names = ("modularity",)
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        return unassessed(evidence.model, evidence.real, evidence.factors, least=2)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        seen = look(evidence.model, evidence.real, evidence.factors, self.n, evidence.seed)
        way = Histogram(self.bins)
        note = NOTES["modularity"]
        return [judged(evidence, "modularity", seen, lambda s: modularity(s, way), note)]


@dataclass(frozen=True)
class IRS(Measure):
    """How little a dimension of the code moves when everything but its factor changes.

    Args:
        n: at most so many observations.
    """

    n: int = 10_000
    names = ("irs",)
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        return unassessed(evidence.model, evidence.real, evidence.factors, least=2)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        seen = look(evidence.model, evidence.real, evidence.factors, self.n, evidence.seed)
        return [judged(evidence, "irs", seen, robustness, NOTES["irs"])]


NOTES = {
    "mig": "0 where two dimensions share every factor, 1 where each factor has one of its own",
    "modularity": "whether dimensions mix factors, not whether any factor is all there",
    "irs": "1 where nothing but its own factor moves a dimension",
}


def judged(
    evidence: Evidence, name: str, seen: Seen, score: Callable[[Seen], Score], note: str
) -> Figure:
    """A figure of a smooth score, its floor that of shuffled codes."""
    found = score(seen)

    def again(code: Tensor, index: Tensor) -> Tensor:
        return score(replace(seen, code=code, index=index)).value

    return evidence.figure(
        name,
        jackknifed(again, seen.code, seen.index),
        len(seen.code),
        "higher",
        floor=float(score(seen.shuffled(evidence.seed)).value),
        parts=tuple(found.parts.tolist()),
        note=note,
    )


def information(code: Tensor, index: Tensor, way: Information) -> Tensor:
    """I(z_d; v_k), (D, K): dimensions in rows, factors in columns."""
    if not code.shape[1]:
        return code.new_zeros(0, index.shape[1])
    return torch.stack([way(code, factor) for factor in index.T], 1)


def information_gap(seen: Seen, way: Information) -> Score:
    """MIG; its parts are the gaps by factor."""
    I = information(seen.code, seen.index, way)  # noqa: E741
    padded = torch.cat([I, I.new_zeros(2, I.shape[1])])  # a code of one dimension has no second
    best, second = padded.topk(2, 0).values
    H = torch.stack([entropy(factor) for factor in seen.index.T])
    gaps = (best - second) / H
    return Score(gaps.mean(), gaps)


def modularity(seen: Seen, way: Information) -> Score:
    """Modularity; its parts are the live dimensions."""
    I = information(seen.alive.code, seen.index, way)  # noqa: E741
    square = I.square()
    best = square.amax(1)
    rest = (square.sum(1) - best) / (best * (I.shape[1] - 1))
    return average(1 - rest.nan_to_num(1), torch.ones_like(best))


def robustness(seen: Seen) -> Score:
    """IRS; its parts are the live dimensions."""
    code = seen.alive.code
    free = (code - code.mean(0)).abs().amax(0) if code.shape[1] else code.new_zeros(0)  # (D,)
    held = torch.stack([deviation(code, factor) for factor in seen.index.T], 1)  # (D, K)
    return average(1 - (held.min(1).values / free), free)


def deviation(code: Tensor, factor: Tensor) -> Tensor:
    """How far codes go from their mean while a factor is held, averaged over its values, (D,)."""
    groups = [code[factor == value] for value in factor.unique()]
    return torch.stack([(group - group.mean(0)).abs().amax(0) for group in groups]).mean(0)


def average(parts: Tensor, weights: Tensor) -> Score:
    """A weighted mean; 0 of nothing at all."""
    total = weights.sum()
    return Score((parts * weights).sum() / total if total > 0 else total, parts)
