r"""How much of an observation survives its code: $\hat x = E[x \mid z = E_q[z \mid x]]$.

Numbers are judged by their squared error a dimension, in the units of x (standardised, or [0, 1]),
categories by the share named rightly; what is missing is not judged. The baseline is PCA with as
many axes as the code has dimensions, or indices where it is discrete, fitted on the same training
observations: the best that any linear encoder and decoder can do on them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.game import Decodes, Encodes, Quantises
from twofold.core.space import Category, Field, Token
from twofold.measures.baselines import PPCA
from twofold.measures.estimate import AMOUNTS, SHARES, Estimate, chunks, resampled, some, steady
from twofold.measures.measure import Evidence, Figure, Measure

ROWS = 256


class Tally(NamedTuple):
    """What one row adds to a mean: the sum of its terms, and how many they are; (B,) each."""

    total: Tensor
    number: Tensor

    @classmethod
    def of(cls, terms: Tensor, shown: Tensor) -> Tally:
        """From terms and the presence of each, (B, …)."""
        return cls((terms * shown).flatten(1).sum(1), shown.flatten(1).sum(1))


@dataclass(frozen=True)
class Reconstruction(Measure):
    """Squared error and accuracy of held-out observations decoded from their codes.

    Args:
        n: at most so many observations.
    """

    n: int = 2048
    names = ("reconstruction_mse", "reconstruction_accuracy")
    within = dict.fromkeys(names, AMOUNTS) | {"reconstruction_accuracy": SHARES}

    def refuses(self, evidence: Evidence) -> str:
        model = evidence.model
        if not (isinstance(model, Encodes) and isinstance(model, Decodes)):
            return "the model has no encoder" if model != () else "there is no model"
        if evidence.space.layout == "tokens":
            return "sequences have figures of their own, which count up to the end"
        return "" if len(evidence.real) else "there are no held-out observations"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        real = some(evidence.real, self.n, evidence.seed)
        model = evidence.model
        assert isinstance(model, Decodes)
        ours = judge(evidence, real.x, reconstruct(model, real, evidence.seed))
        simple = {}
        if len(evidence.train) > 1:
            fitted = PPCA.fit(evidence.train.x, numbers(model))
            simple = judge(evidence, real.x, fitted.reconstruct(real.x.cpu()))
        width = f"PCA of {numbers(model)}" if simple else ""
        return [
            evidence.figure(
                name,
                estimate,
                len(real),
                "lower" if name == self.names[0] else "higher",
                baseline=simple[name].value if simple else float("nan"),
                baseline_name=width,
                note=NOTES[name],
            )
            for name, estimate in ours.items()
        ]


NOTES = {
    "reconstruction_mse": "mean squared error a number of x, decoded from the mean of the code",
    "reconstruction_accuracy": "share of categories named rightly from the mean of the code",
}


def numbers(model: Decodes) -> int:
    """How many numbers the code is: indices where it is made of these, else its dimensions."""
    return math.prod(model.places) if isinstance(model, Quantises) else model.latent


def reconstruct(model: object, batch: Batch, seed: int) -> Tensor:
    """Every row decoded from the mean of its code, (n, C, *A)."""
    assert isinstance(model, Encodes)
    assert isinstance(model, Decodes)
    with steady(model, seed):
        return torch.cat(
            [
                model.decode(model.encode(part.x, part.given).mean, part.given).mean.cpu()
                for part in chunks(model, batch, ROWS)
            ]
        ).clone()


def judge(evidence: Evidence, x: Tensor, guess: Tensor) -> dict[str, Estimate]:
    """Each figure that the fields of the space allow."""
    fields = list(evidence.space.parts(x.cpu()))
    guesses = [part for _, part in evidence.space.parts(guess)]
    found: dict[str, list[Tally]] = {}
    for (field, part), other in zip(fields, guesses, strict=True):
        name, tally = compare(field, part, other)
        found.setdefault(name, []).append(tally)
    names = sorted(found, reverse=True)
    return {name: pooled(found[name], evidence.seed) for name in names}


def compare(field: Field, x: Tensor, guess: Tensor) -> tuple[str, Tally]:
    """What one field adds, and to which figure."""
    (truth, presence), other = field.split(x), if_present(field, guess)
    if isinstance(field.domain, Category | Token):
        truth, other = field.domain.decode(truth), field.domain.decode(other)  # (B, size, *A)
        shown = torch.ones_like(truth) if presence is None else presence
        return "reconstruction_accuracy", Tally.of((truth == other).to(x.dtype), shown)
    shown = torch.ones_like(truth) if presence is None else presence
    return "reconstruction_mse", Tally.of((truth - other).square(), shown)


def if_present(field: Field, x: Tensor) -> Tensor:
    """What a value is expected to be if it is there: E[m v] / E[m]."""
    value, presence = field.split(x)
    if presence is None:
        return value
    return value / presence.clamp(min=0.05).repeat_interleave(field.domain.width, 1)


def pooled(tallies: Sequence[Tally], seed: int) -> Estimate:
    """The mean over all terms, with an interval over rows; NaN when nothing is present."""
    total = torch.stack([tally.total for tally in tallies]).sum(0)  # (B,)
    number = torch.stack([tally.number for tally in tallies]).sum(0)
    return resampled(torch.stack([total, number], 1), lambda means: means[0] / means[1], seed)
