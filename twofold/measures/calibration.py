r"""Whether a model's intervals hold what they promise, on held-out observations.

For a number $x_j$ of a held-out observation, S draws $x'_s$ of what the model predicts of it give a
rank, with a uniform V to share out what equals $x_j$ (randomised probability integral transform):

$$ u = \frac{\#\{s : x'_s < x_j\} + V\,(1 + \#\{s : x'_s = x_j\})}{S + 1}. $$

u is uniform where $x_j$ is one more draw like the others, also when values are discrete; the
central interval of level c holds $x_j$ when $|u - \tfrac12| \le c / 2$. Coverage is the share of
values inside; nothing is fitted on the rows measured. A category has no interval and is not judged.

What is predicted can be two things. `Coverage` is of the **reconstruction**:
$x' \sim p(x \mid z)$, $z \sim q(z \mid x)$. The code has seen $x_j$ itself, so that even the true
model covers more than it promises, the more the fewer values a dimension of the code explains: for
D codes of C numbers the deviations from the reconstruction have variance about
$\sigma^2 (1 - D/C)$, and the prediction $\sigma^2 (1 + D/C)$. `ImputedCoverage` is of values
that were **hidden**: $x'$ from $p(x_j \mid x_o)$, the others being observed, as `maths/missing.py`
draws it; the true model covers exactly what it promises.

Randomised PIT: Czado, Gneiting & Held 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.game import Decodes, Encodes
from twofold.core.space import Category, Space, Token
from twofold.maths import importance
from twofold.maths.distributions import Density
from twofold.maths.likelihoods import Observation
from twofold.maths.missing import Incomplete, completer, incompletable
from twofold.measures.estimate import SHARES, chunks, some, steady
from twofold.measures.measure import Evidence, Figure, Measure
from twofold.measures.reconstruction import Tally, pooled

LEVELS = (50, 80, 95)
NUMBERS = 1 << 22  # of x at once


@dataclass(frozen=True)
class Coverage(Measure):
    """Share of held-out numbers inside the central intervals of their reconstruction.

    Args:
        n: at most so many observations.
        draws: S, of each.
    """

    n: int = 256
    draws: int = 50
    names = ("coverage_50", "coverage_80", "coverage_95")
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        model = evidence.model
        if not (isinstance(model, Encodes) and isinstance(model, Decodes)):
            return "the model has no encoder" if model != () else "there is no model"
        if reason := unordered(evidence):
            return reason
        with steady(model, evidence.seed):
            one = next(chunks(model, evidence.real, 1))
            dense = isinstance(
                model.decode(model.encode(one.x, one.given).mean, one.given), Density
            )
        return "" if dense else "the model's decoder has no density"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        return covered(self.names, evidence, self.n, self.draws, self.ranks, NOTE)

    def ranks(self, evidence: Evidence, batch: Batch) -> tuple[Tensor, Tensor]:
        """u of every value, (B, F, *A), and which were predicted: all that are there."""
        model, space = evidence.model, evidence.space
        assert isinstance(model, Encodes)
        assert isinstance(model, Decodes)
        q, truth = model.encode(batch.x, batch.given), space.decode(batch.x)
        drawn = []
        for _ in range(self.draws):
            p = model.decode(q.sample(), batch.given)
            x = p.present().sample() if isinstance(p, Observation) else p.sample()
            drawn.append(space.decode(x))
        x = torch.stack(drawn)  # (S, B, F, *A)
        return rank(truth, x, x.new_zeros(x.shape[:2])), ~truth.isnan()


@dataclass(frozen=True)
class ImputedCoverage(Measure):
    """Share of hidden numbers inside the central intervals of their imputation.

    Values of each observation are hidden at random.

    Args:
        n: at most so many observations.
        draws: K, weighted draws or chains.
        rounds: of a chain.
        hidden: the share of the values.
    """

    n: int = 256
    draws: int = 50
    rounds: int = 20
    hidden: float = 0.1
    names = ("imputed_coverage_50", "imputed_coverage_80", "imputed_coverage_95")
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        if evidence.model == ():
            return "there is no model"
        if evidence.space.axes:
            return "it is for rows; chains over pictures or series take too long here"
        if evidence.space.size < 2:
            return "there is one value only, and nothing to impute it from"
        if reason := incompletable(evidence.model, evidence.space, evidence.given):
            return f"nothing can be imputed: {reason}"
        return unordered(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        return covered(self.names, evidence, self.n, self.draws, self.ranks, NOTE_IMPUTED)

    def ranks(self, evidence: Evidence, batch: Batch) -> tuple[Tensor, Tensor]:
        """u of every value, (B, F), and which of them were hidden."""
        mask = torch.rand_like(evidence.space.decode(batch.x)) < self.hidden
        made = Predicted.of(evidence, batch, mask, self.draws, self.rounds)
        return made.rank(), made.hidden


@dataclass(frozen=True)
class Predicted:
    """Hidden values beside what the model says of them.

    Args:
        truth: all values, (B, F, *A). hidden: which of them were, (B, F, *A).
        draws: of p(x_m | x_o), (S, B, F, *A). log_w: their weights, (S, B).
    """

    truth: Tensor
    hidden: Tensor
    draws: Tensor
    log_w: Tensor

    @classmethod
    def of(cls, evidence: Evidence, batch: Batch, mask: Tensor, draws: int, rounds: int) -> Self:
        """Hide what a mask (B, F, *A) covers, and predict it from the rest."""
        space = evidence.space
        truth = space.decode(batch.x)
        hidden = mask & ~truth.isnan()
        rows = Incomplete.of(space, truth.masked_fill(hidden, torch.nan), hidden)
        found = completer(evidence.model, draws, rounds)(rows, batch.given)
        made = torch.stack([space.decode(x) for x in found.draws()])
        return cls(truth, hidden, made, found.log_w)

    def rank(self) -> Tensor:
        """u of every value, (B, F, *A)."""
        return rank(self.truth, self.draws, self.log_w)

    def halves(self) -> tuple[Self, Self]:
        """The draws in two parts that know nothing of each other, given what is observed."""
        half = len(self.draws) // 2
        first, second = (slice(0, half), slice(half, None))
        return (
            replace(self, draws=self.draws[first], log_w=self.log_w[first]),
            replace(self, draws=self.draws[second], log_w=self.log_w[second]),
        )

    def sureness(self) -> Tensor:
        """The probability of the lowest value drawn or of the highest, the larger, (B, F, *A).

        Near 1 where a value is as good as known, such as the black around a picture.
        """
        ends = (self.draws.amin(0), self.draws.amax(0))
        shares = [importance.average(self.log_w, (self.draws == end).double()) for end in ends]
        return torch.maximum(*shares)


NOTE = (
    "the code has seen the value itself: even the true model covers more than it promises where "
    "the code has many dimensions for the numbers it explains"
)
NOTE_IMPUTED = "values were hidden at random and predicted from the others"


def unordered(evidence: Evidence) -> str:
    """Why no value has an interval; empty when some have."""
    if not len(evidence.real):
        return "there are no held-out observations"
    return "" if ordered(evidence.space).any() else "categories have no intervals"


def ordered(space: Space) -> Tensor:
    """Which values have an order, (F,)."""
    return torch.tensor(
        [not isinstance(f.domain, Category | Token) for f in space.fields for _ in range(f.size)]
    )


def rank(truth: Tensor, draws: Tensor, log_w: Tensor) -> Tensor:
    """u of each value (B, F, *A) among weighted draws (S, B, F, *A); log w (S, B).

    >>> above = rank(torch.tensor([[9.0]]), torch.zeros(99, 1, 1), torch.zeros(99, 1))
    >>> bool(above >= 0.99)
    True
    """
    below = importance.average(log_w, (draws < truth).double())
    equal = importance.average(log_w, (draws == truth).double())
    count = len(draws)
    return (count * below + torch.rand_like(below) * (1 + count * equal)) / (count + 1)


Ranks = Callable[[Evidence, Batch], tuple[Tensor, Tensor]]


def covered(
    names: Sequence[str], evidence: Evidence, n: int, draws: int, ranks: Ranks, note: str
) -> list[Figure]:
    """The coverage at each level, over all values that are judged."""
    real = some(evidence.real, n, evidence.seed)
    size = max(1, NUMBERS // (draws * max(1, evidence.space.numel)))
    with steady(evidence.model, evidence.seed):
        parts = [ranks(evidence, batch) for batch in chunks(evidence.model, real, size)]
    u, judged = (torch.cat([part[i].cpu() for part in parts]).clone() for i in (0, 1))
    judged = judged & ordered(evidence.space).reshape(1, -1, *[1] * (u.dim() - 2))
    if not judged.any():
        return []
    inside = [((u - 0.5).abs() <= level / 200).double() for level in LEVELS]
    return [
        evidence.figure(
            name,
            pooled([Tally.of(each, judged)], evidence.seed),
            len(real),
            "neither",
            note=f"{level} % is right; {note}",
        )
        for name, each, level in zip(names, inside, LEVELS, strict=True)
    ]
