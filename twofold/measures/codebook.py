r"""How a discrete code is used, and what it costs.

Over n held-out observations with P indices each, of a codebook of K entries:

* **perplexity**: $\exp\big(-\sum_k s_k \log s_k\big)$ with $s_k$ the share of all indices that are
  k: so many entries would be as even. It lies between 1, a code that says nothing, and K. Its floor
  is that of as many training observations;
* **rate**: $-\log p(k_1, \dots, k_P \mid c)$, the nats that the code of an observation costs under
  the model's prior. The baseline knows how often each index comes at each place of the training
  observations, and nothing of how they go together: what the prior is better by is what it has
  learnt of that.

The rate and the distortion $-\log p(x \mid k)$ sum to minus the evidence lower bound.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.game import Quantises
from twofold.core.space import Bounded, Field, Space
from twofold.maths.quantise import perplexity
from twofold.measures.baselines import Marginals
from twofold.measures.estimate import chunks, jackknifed, mean, some, steady
from twofold.measures.measure import Evidence, Figure, Measure

ROWS = 256


class Indices(NamedTuple):
    """The indices of n observations, (n, P), and the nats of each row, (n,)."""

    k: Tensor
    rate: Tensor


@dataclass(frozen=True)
class CodebookUse(Measure):
    """Perplexity and rate of the codes of held-out observations.

    Args:
        n: at most so many observations.
    """

    n: int = 2048
    names = ("code_perplexity", "code_rate")

    def refuses(self, evidence: Evidence) -> str:
        if not isinstance(evidence.model, Quantises):
            return "the model has no codebook" if evidence.model != () else "there is no model"
        few = len(evidence.real) < 2
        return "it needs at least 2 held-out observations" if few else ""

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        model = evidence.model
        assert isinstance(model, Quantises)
        real = infer(model, some(evidence.real, self.n, evidence.seed), evidence.seed)
        train = infer(model, some(evidence.train, self.n, evidence.seed), evidence.seed)
        return [
            self.evenness(evidence, real.k, train.k[: len(real.k)], model.codes),
            self.cost(evidence, real, train.k, model.codes),
        ]

    def evenness(self, evidence: Evidence, k: Tensor, other: Tensor, codes: int) -> Figure:
        """The perplexity; its parts are the shares of the entries."""
        counts = counted(k, codes)
        share = counts.mean(0)
        used = int((share > 0).sum())
        return evidence.figure(
            "code_perplexity",
            jackknifed(lambda rows, _: perplexity(rows.mean(0)), counts, counts),
            len(k),
            "neither",
            floor=float(perplexity(counted(other, codes).mean(0))) if len(other) else math.nan,
            unit="entries",
            parts=tuple(share.tolist()),
            note=f"{used} of {codes} entries are used, as evenly as so many would be",
        )

    def cost(self, evidence: Evidence, real: Indices, train: Tensor, codes: int) -> Figure:
        """The nats of a code, beside what they are without knowing how indices go together."""
        places = real.k.shape[1]
        bits = float(real.rate.mean()) / places / math.log(2)
        simple = independent(real.k, train, codes) if len(train) else math.nan
        return evidence.figure(
            "code_rate",
            mean(real.rate, evidence.seed),
            len(real.k),
            "lower",
            baseline=simple,
            baseline_name="independent indices" if len(train) else "",
            unit="nats",
            note=f"{places} indices of {bits:.2f} bits each, where an even one is "
            f"{math.log2(codes):.2f}",
        )


def infer(model: Quantises, batch: Batch, seed: int) -> Indices:
    """The indices of a batch, and what they cost."""
    found = [Indices(torch.zeros(0, math.prod(model.places), dtype=torch.long), torch.zeros(0))]
    with steady(model, seed):
        for part in chunks(model, batch, ROWS):
            k = model.indices(part.x, part.given)
            found.append(Indices(k.cpu(), -model.log_prior(k, part.given).cpu()))
    k, rate = (torch.cat(column) for column in zip(*found, strict=True))
    return Indices(k, rate.double())


def counted(k: Tensor, codes: int) -> Tensor:
    """The share of each entry among the indices (n, P) of each observation, (n, K).

    >>> counted(torch.tensor([[0, 2], [2, 2]]), 3)
    tensor([[0.5000, 0.0000, 0.5000],
            [0.0000, 0.0000, 1.0000]], dtype=torch.float64)
    """
    rows = torch.zeros(len(k), codes, dtype=torch.float64)
    return rows.scatter_add_(1, k, torch.ones(k.shape, dtype=torch.float64)) / k.shape[1]


def independent(k: Tensor, train: Tensor, codes: int) -> float:
    """The mean nats of indices under a histogram a place, fitted on others."""
    space = Space((Field("index", Bounded(0, codes - 1, codes)),), (k.shape[1],))
    x, known = (space.encode(rows.unsqueeze(1)) for rows in (k, train))
    return -float(Marginals.fit(space, known).log_prob(x).mean())
