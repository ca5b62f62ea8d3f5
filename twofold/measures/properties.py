r"""How well a property head predicts held-out properties, and what its intervals are worth.

Of a model that predicts what is given from its code (`nets/properties.py`), on held-out
observations:

* **property_spearman**: the rank correlation between a property y and $\mathbb E[y \mid z]$ at the
  mean z of the code, a property each in `parts`, the figure their mean. *Baseline*: a regression of
  y on the same codes by the ten nearest training observations, which needs no head;
* **property_coverage**: the share of properties inside the central intervals of the head's
  prediction, $y' \sim p(y \mid z)$, $z \sim q(z \mid x)$; 50 % of 50 % is right. The encoder has
  not seen y, so that, unlike the coverage of a reconstruction, it can be exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.game import Encodes, Foretells
from twofold.core.space import Space
from twofold.measures.calibration import covered, ordered, rank
from twofold.measures.estimate import (
    CORRELATIONS,
    SHARES,
    Estimate,
    chunks,
    jackknifed,
    some,
    steady,
)
from twofold.measures.measure import Evidence, Figure, Measure
from twofold.nets.properties import present

NEIGHBOURS = 10
FEWEST = 20
NOTE = "of what is predicted from the code, which has not seen it"


def headless(evidence: Evidence) -> str:
    """Why there is no property head; empty where there is one that predicts numbers."""
    model = evidence.model
    if not (isinstance(model, Foretells) and isinstance(model, Encodes) and model.foretold.fields):
        return "the model predicts no properties; see model.properties"
    if len(evidence.real) < FEWEST:
        return f"it needs {FEWEST} held-out observations; there are {len(evidence.real)}"
    return "" if ordered(evidence.given).any() else "labels have no order"


@dataclass(frozen=True)
class Properties(Measure):
    """The rank correlation and the coverage of predicted properties.

    Args:
        n: at most so many observations. draws: of each, for its intervals.
    """

    n: int = 1000
    draws: int = 100
    names = (
        "property_spearman", "property_coverage_50", "property_coverage_80",
        "property_coverage_95",
    )  # fmt: skip
    within = dict.fromkeys(names[1:], SHARES) | {"property_spearman": CORRELATIONS}

    def refuses(self, evidence: Evidence) -> str:
        return headless(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        ours = replace(evidence, space=present(evidence.given))
        coverage = covered(self.names[1:], ours, self.n, self.draws, self.ranks, NOTE)
        return [*correlated(evidence, self.n), *coverage]

    def ranks(self, evidence: Evidence, batch: Batch) -> tuple[Tensor, Tensor]:
        """u of every property, (B, F), and which are known."""
        model, truth = evidence.model, evidence.given.decode(batch.given.c)
        assert isinstance(model, Encodes)
        assert isinstance(model, Foretells)
        q = model.encode(batch.x, batch.given)
        drawn = [model.foretell(q.sample()).sample() for _ in range(self.draws)]
        y = torch.stack([evidence.space.decode(each) for each in drawn])  # (S, B, F)
        return rank(truth, y, y.new_zeros(y.shape[:2])), ~truth.isnan()


def correlated(evidence: Evidence, n: int) -> list[Figure]:
    """The rank correlations, beside a regression by neighbours."""
    held, train = some(evidence.real, n, evidence.seed), evidence.train
    with steady(evidence.model, evidence.seed):
        z, y, foretold = seen(evidence, held)
        beside, known, _ = seen(evidence, train)
    guessed = by_neighbours(z, beside, known)
    fields = ordered(evidence.given).nonzero().squeeze(1).tolist()
    whole = ~y[:, fields].isnan().any(1)
    if whole.sum() < FEWEST:
        return []
    truth, ours, theirs = (each[whole][:, fields] for each in (y, foretold, guessed))
    each = spearman(truth, ours)
    estimate: Estimate = jackknifed(lambda a, b: spearman(a, b).mean(), truth, ours)
    return [
        evidence.figure(
            "property_spearman", estimate, len(truth), "higher",
            baseline=float(spearman(truth, theirs).mean()),
            baseline_name=f"{NEIGHBOURS} nearest codes",
            note=f"of {', '.join(names_of(evidence.given, fields))}", parts=tuple(each.tolist()),
        )
    ]  # fmt: skip


def names_of(given: Space, fields: Sequence[int]) -> list[str]:
    """The names of some values that are given."""
    every = [field.name for field in given.fields for _ in range(field.size)]
    return [every[at] for at in fields]


def seen(evidence: Evidence, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Codes (N, D), properties (N, F) and what is expected of them, (N, F)."""
    model, shown = evidence.model, present(evidence.given)
    assert isinstance(model, Encodes)
    assert isinstance(model, Foretells)
    codes = torch.cat([model.encode(b.x, b.given).mean for b in chunks(model, batch, 256)])
    expected = shown.decode(model.foretell(codes).mean)
    return codes.cpu(), evidence.given.decode(batch.given.c).cpu(), expected.cpu()


def by_neighbours(z: Tensor, train: Tensor, known: Tensor) -> Tensor:
    """The mean of what is known of the nearest training codes, (N, F)."""
    k = min(NEIGHBOURS, len(train))
    nearest = torch.cdist(z, train).topk(k, largest=False).indices
    return known[nearest].nanmean(1)


def spearman(a: Tensor, b: Tensor) -> Tensor:
    """The rank correlation of each column of two tables (N, F), (F,).

    >>> a = torch.tensor([[1.0], [2.0], [3.0], [9.0]])
    >>> spearman(a, a**3).item(), spearman(a, -a).item()
    (1.0, -1.0)
    """
    from scipy.stats import spearmanr

    pairs = zip(a.unbind(1), b.nan_to_num().unbind(1), strict=True)
    return torch.tensor([round(float(spearmanr(x, y).statistic), 12) for x, y in pairs])
