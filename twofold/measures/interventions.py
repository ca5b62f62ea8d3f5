r"""Can it be told from codes which factor was held still? Scores by simulated interventions.

Many small sets of codes are drawn, and in each one factor, chosen at random, is held still while
the others vary. A simple classifier learns on some of the sets which factor it was; its accuracy on
the others is the score.

* **β-VAE score** (Higgins et al. 2017): a set is L pairs of observations that agree in the factor;
  what is classified, linearly, is the mean of $|z - z'|$ over the pairs.
* **FactorVAE score** (Kim & Mnih 2018, arXiv:1802.05983): a set is L observations of one value of
  the factor; its vote is the dimension whose variance in the set is the least part of its variance
  over all. The classifier is the majority of the votes of each dimension.

The sets are drawn from the n codes measured, rows of the same value standing in for another drawing
with that value: so any data with factors can be measured, not only a full grid. As in Locatello et
al. 2019 there are 10,000 sets to learn on and 5,000 to judge, of 64, and collapsed dimensions have
no vote; here the classifier of the β-VAE score sees the differences in units of their spread. A
code that says nothing gives about 1/K, which the floor shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from twofold.measures.estimate import SHARES, generator, mean
from twofold.measures.factors import Seen, by_value, look, unassessed
from twofold.measures.measure import Evidence, Figure, Measure

CHUNK = 1000


class Sets(NamedTuple):
    """What each set shows, (M, …), and which factor was held in it, (M,)."""

    shown: Tensor
    held: Tensor


@dataclass(frozen=True)
class BetaVAEScore(Measure):
    """Whether a linear classifier can tell which factor pairs of observations agree in.

    Args:
        n: at most so many observations. train, test: sets to learn on and to judge. size: of a set.
    """

    n: int = 10_000
    train: int = 10_000
    test: int = 5_000
    size: int = 64
    names = ("beta_vae_score",)
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        return unassessed(evidence.model, evidence.real, evidence.factors, least=2)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        def hits(seen: Seen) -> Tensor:
            chance = generator(evidence.seed)
            learnt, judged = (
                drawn(seen, count, self.size, differences, chance)
                for count in (self.train, self.test)
            )
            return linear(learnt, judged.shown).eq(judged.held)

        return [simulated(evidence, self.names[0], self.n, hits)]


@dataclass(frozen=True)
class FactorVAEScore(Measure):
    """Whether the dimension that varies least tells which factor was held still.

    Args:
        n: at most so many observations. train, test: sets to learn on and to judge. size: of a set.
    """

    n: int = 10_000
    train: int = 10_000
    test: int = 5_000
    size: int = 64
    names = ("factor_vae_score",)
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        return unassessed(evidence.model, evidence.real, evidence.factors, least=2)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        def hits(seen: Seen) -> Tensor:
            chance = generator(evidence.seed)
            learnt, judged = (
                drawn(seen, count, self.size, votes, chance) for count in (self.train, self.test)
            )
            return majority(learnt, judged.shown).eq(judged.held)

        return [simulated(evidence, self.names[0], self.n, hits)]


def simulated(evidence: Evidence, name: str, n: int, hits: Callable[[Seen], Tensor]) -> Figure:
    """The figure of an accuracy; its interval is over the sets that are judged."""
    seen = look(evidence.model, evidence.real, evidence.factors, n, evidence.seed)
    K = seen.index.shape[1]
    right, low = (
        hits(one).double() if bool(seen.live.any()) else torch.zeros(2)
        for one in (seen, seen.shuffled(evidence.seed))
    )
    return evidence.figure(
        name,
        mean(right, evidence.seed),
        len(seen.code),
        "higher",
        floor=float(low.mean()),
        note=f"the share of sets whose held factor is named; chance is about {1 / K:.2f}",
    )


Show = Callable[[Seen, Tensor, Tensor, Tensor], Tensor]


def drawn(seen: Seen, sets: int, size: int, show: Show, chance: torch.Generator) -> Sets:
    """M sets, each with a factor at random held at the value of an observation at random."""
    n, K = seen.index.shape
    held = torch.randint(K, (sets,), generator=chance)
    shown: list[Tensor] = []
    order: list[Tensor] = []
    for k in range(K):
        for rows in (held == k).nonzero()[:, 0].split(CHUNK):
            shape = (len(rows), size)
            unit = torch.rand(shape, generator=chance, dtype=torch.float64)
            first = torch.randint(n, shape, generator=chance)
            shown.append(show(seen, seen.index[:, k], first, unit))
            order.append(rows)
    return Sets(torch.cat(shown), held[torch.cat(order)])


def differences(seen: Seen, label: Tensor, first: Tensor, unit: Tensor) -> Tensor:
    """The mean of |z − z'| over pairs that agree in a label: (M, D)."""
    second = by_value(label)(first.flatten(), unit.reshape(-1, 1)).reshape_as(first)
    return (seen.code[first] - seen.code[second]).abs().mean(1)


def votes(seen: Seen, label: Tensor, first: Tensor, unit: Tensor) -> Tensor:
    """The live dimension that varies least among observations of one value: (M,)."""
    code = seen.code[:, seen.live]
    rows = by_value(label)(first[:, 0], unit)  # (M, L)
    return (code[rows].var(1) / code.var(0)).argmin(1)


def linear(learnt: Sets, shown: Tensor) -> Tensor:
    """The factors that a linear classifier names, (M,)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    fitted = model.fit(learnt.shown.numpy(), learnt.held.numpy())
    return torch.from_numpy(fitted.predict(shown.numpy()))


def majority(learnt: Sets, shown: Tensor) -> Tensor:
    """The factors that most of the sets with the same vote held, (M,)."""
    K, D = int(learnt.held.max()) + 1, int(max(learnt.shown.max(), shown.max())) + 1
    counts = torch.bincount(learnt.shown * K + learnt.held, minlength=D * K).reshape(D, K)
    return counts.argmax(1)[shown]
