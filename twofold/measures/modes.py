r"""Which classes of the data the draws cover, and how evenly.

A classifier fitted on the labelled training observations names the class of each held-out and each
drawn observation. Let $p$ be the shares of the classes among the held-out, $q$ among the draws:

* **modes_covered**: classes that at least one draw falls in (Srivastava et al. 2017, VEEGAN). One
  draw is a lenient rule, so it never goes without
* **modes_reverse_kl**: $KL(q \,\|\, p) = \sum_c q_c \log (q_c / p_c)$, 0 when the shares agree;
* **modes_accuracy**: how often the classifier is right on held-out observations. Where it often
  errs, the other two say little.

The floors are those of n real observations drawn again with the shares p: with C classes,
$E\,KL \approx (C - 1) / 2n$ from chance alone.

The draws must be unconditional, or given the labels with the frequencies of the data: draws of one
label only would show one mode, and say nothing of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.space import Category
from twofold.maths.statistics import reverse_kl
from twofold.measures.baselines import canonical
from twofold.measures.classifier import Classifier
from twofold.measures.estimate import AMOUNTS, SHARES, Estimate, generator, interval, mean, some
from twofold.measures.measure import Evidence, Figure, Measure

LABEL = "label"
RESAMPLES = 200
ASSUMED = "for draws without labels, or with those of the data"


class Classes(NamedTuple):
    """Predicted classes of held-out and drawn observations, and where the former were right."""

    real: Tensor
    fake: Tensor
    right: Tensor


@dataclass(frozen=True)
class Modes(Measure):
    """Class-mode coverage with reverse KL, by a classifier of known accuracy.

    Args:
        n: at most so many draws, and so many held-out observations.
        fitted: at most so many training observations for the classifier.
    """

    n: int = 2048
    fitted: int = 4096
    names = ("modes_covered", "modes_reverse_kl", "modes_accuracy")
    within = dict.fromkeys(names, AMOUNTS) | {"modes_accuracy": SHARES}

    def refuses(self, evidence: Evidence) -> str:
        if LABEL not in {f.name for f in evidence.given.fields if isinstance(f.domain, Category)}:
            return "the data has no labels"
        train, real = (labelled(evidence, batch) for batch in (evidence.train, evidence.real))
        enough = min(len(real.label), len(evidence.fake)) > 1 and len(train.label.unique()) > 1
        return "" if enough else "it needs labelled observations of two classes, and drawn ones"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        classes = classify(evidence, self.n, self.fitted)
        p = shares(classes.real, evidence.given[LABEL].domain.width)
        right = mean(classes.right, evidence.seed)
        how = f"by a classifier right on {right.value:.1%} of held-out; {ASSUMED}"
        accuracy = evidence.figure(
            "modes_accuracy",
            right,
            len(classes.right),
            "neither",
            baseline=float(p.max()),
            baseline_name="the most frequent class",
            note="of the classifier that names the modes, on held-out observations",
        )
        return [*compare(evidence, classes, how), accuracy]


def compare(evidence: Evidence, classes: Classes, how: str) -> list[Figure]:
    """The shares q of the classes of draws against the shares p of real data."""
    size, n, real = evidence.given[LABEL].domain.width, len(classes.fake), len(classes.real)
    p, q = shares(classes.real, size), shares(classes.fake, size)
    floor, spread = redrawn(p, n, evidence.seed), redrawn(q, n, evidence.seed)
    kl = centred(float(divergence(q[None], p, real)), divergence(spread, p, real))
    return [
        evidence.figure(
            "modes_covered",
            interval(float(covered(q)), covered(spread)),
            n,
            "higher",
            floor=float(covered(floor).mean()),
            unit="classes",
            parts=tuple(q.tolist()),
            note=f"of {int(covered(p))} classes of real data, {how}",
        ),
        evidence.figure(
            "modes_reverse_kl",
            kl,
            n,
            "lower",
            floor=float(divergence(floor, p, real).mean()),
            unit="nats",
            note=f"between the shares of the classes, {how}",
        ),
    ]


class Labelled(NamedTuple):
    """Observations and the index of their class."""

    x: Tensor
    label: Tensor


def labelled(evidence: Evidence, batch: Batch) -> Labelled:
    """The rows of a batch whose label is known."""
    given = {field.name: field.decode(part) for field, part in evidence.given.parts(batch.given.c)}
    label = given[LABEL].flatten().cpu()  # (B,)
    known = ~label.isnan()
    return Labelled(batch.x[known], label[known].long())


def classify(evidence: Evidence, n: int, fitted: int) -> Classes:
    """Fit the classifier on training observations; name the class of the others."""
    space, seed = evidence.space, evidence.seed
    train = labelled(evidence, some(evidence.train, fitted, seed))
    real = labelled(evidence, some(evidence.real, n, seed))
    classifier = Classifier.fit(canonical(space, train.x), train.label, seed)
    fake = classifier(canonical(space, some(evidence.fake, n, seed).x))
    named = classifier(canonical(space, real.x))
    return Classes(named, fake, (named == real.label).double())


def shares(index: Tensor, size: int) -> Tensor:
    """The share of each class, (size,)."""
    return torch.bincount(index, minlength=size).double() / len(index)


def redrawn(p: Tensor, n: int, seed: int) -> Tensor:
    """The shares in n draws from p, many times: (R, C)."""
    rows = torch.multinomial(p.expand(RESAMPLES, -1), n, True, generator=generator(seed))  # (R, n)
    return torch.stack([shares(row, len(p)) for row in rows])


def covered(shares: Tensor) -> Tensor:
    """Classes with at least one observation, from shares (…, C)."""
    return (shares > 0).sum(-1).double()


def divergence(shares: Tensor, p: Tensor, n: int) -> Tensor:
    """KL(q ‖ p) for each row q of shares (R, C), (R,), in nats.

    A class that none of the n real observations falls in counts as half of one: finite, and dear.
    """
    return torch.stack([reverse_kl(q, p.clamp(min=0.5 / n)) for q in shares])


def centred(value: float, resamples: Tensor) -> Estimate:
    """An interval of the width of the resamples around the value: they are biased upwards."""
    return interval(value, (resamples - resamples.mean() + value).clamp(min=0))
