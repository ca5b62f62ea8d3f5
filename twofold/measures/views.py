"""How two sets of observations are set side by side: what is compared, with what, how many.

Every figure that compares draws with real observations follows one protocol:

* the same number n of observations a side, as distances between samples depend on n;
* both sides as they would be written to a file: pixels rounded and clipped, categories decided;
* *ours* is held-out against drawn; the *floor* is real against real: n held-out and n training
  observations (or, where there are none of these, 2n held-out ones) together, halved at random
  several times, on average; the *baseline* is held-out against n draws of a probabilistic PCA
  fitted on the training ones;
* in the features of the extractor for the layout: an image's textures and shapes (`tiny-v1`), a
  series' random convolutions (`rocket-v1`), a row's own numbers (`identity-v1`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.space import Bounded, Space
from twofold.measures.baselines import PPCA, canonical
from twofold.measures.estimate import generator, some
from twofold.measures.measure import Evidence
from twofold.nets import extractors

FEWEST = 20
WIDTH = 64
BASELINE = f"probabilistic PCA of {WIDTH}"
HALVINGS = 5
CHANNELS = (1, 2, 3, 4)

EXTRACTORS = {"image": "tiny-v1", "series": "rocket-v1", "vector": "identity-v1"}
SORTS = {0: "vector", 1: "series", 2: "image", 3: "video"}


@dataclass(frozen=True)
class Sides:
    """Equally many observations, (n, C, *A) or (n, d) each, in the same representation.

    Args:
        real: held-out; other: as real, and disjoint; fake: drawn; simple: drawn by the baseline.
    """

    real: Tensor
    other: Tensor
    fake: Tensor
    simple: Tensor

    def __len__(self) -> int:
        return len(self.real)

    def floor(self, of: Callable[[Tensor, Tensor], Tensor], seed: int) -> Tensor:
        """A statistic of two halves of what is real, (n, …) each, over several halvings."""
        real, stream, n = torch.cat([self.real, self.other]), generator(seed), len(self)
        halvings = [torch.randperm(2 * n, generator=stream) for _ in range(HALVINGS)]
        return torch.stack([of(real[rows[:n]], real[rows[n:]]) for rows in halvings]).mean(0)


def sort(space: Space) -> str:
    """What one observation is, in a word.

    >>> sort(Space())
    'vector'
    """
    return "tokens" if space.layout == "tokens" else SORTS[len(space.axes)]


def pictures(space: Space) -> str:
    """Why the observations are not pictures; empty when they are."""
    if sort(space) != "image":
        return "it is for images"
    plain = all(isinstance(f.domain, Bounded) and not f.missing for f in space.fields)
    return "" if plain and space.width in CHANNELS else "it is for 1 to 4 bounded channels"


def featureless(space: Space) -> str:
    """Why observations of a Space cannot be compared, however many; empty when they can."""
    word = sort(space)
    if word not in EXTRACTORS:
        return f"there is no extractor for data that is {word} yet"
    return pictures(space) if word == "image" else ""


def incomparable(evidence: Evidence) -> str:
    """Why the two sides cannot be compared; empty when they can."""
    if reason := featureless(evidence.space):
        return reason
    n = equal(evidence, FEWEST)
    return "" if n >= FEWEST else f"it needs {FEWEST} observations a side; there are {n}"


def equal(evidence: Evidence, n: int) -> int:
    """Observations a side: at most n, and as many as the smallest side has."""
    real = len(evidence.real)
    sides = (real, len(evidence.train)) if len(evidence.train) else (real // 2,)
    return min(n, len(evidence.fake), *sides)


def sides(evidence: Evidence, n: int) -> Sides:
    """The observations of each side as x, as a file would hold them."""
    n = equal(evidence, n)
    fake = some(evidence.fake, n, evidence.seed + 1)
    real, other = disjoint(evidence, n)
    known = evidence.train if len(evidence.train) else other
    simple = PPCA.fit(known.x, WIDTH).sample(n, generator(evidence.seed))
    return Sides(*(canonical(evidence.space, x) for x in (real.x, other.x, fake.x, simple)))


def disjoint(evidence: Evidence, n: int) -> tuple[Batch, Batch]:
    """Twice n real observations that share none."""
    if len(evidence.train):
        return some(evidence.real, n, evidence.seed), some(evidence.train, n, evidence.seed)
    both = some(evidence.real, 2 * n, evidence.seed)
    return both[:n], both[n : 2 * n]


def seen(evidence: Evidence, n: int, name: str) -> Sides:
    """The features (n, d) of each side, as the named extractor sees them."""
    extractor = extractors.extractor(name)
    found = sides(evidence, n)
    each = (found.real, found.other, found.fake, found.simple)
    return Sides(*(extractors.features(extractor, x).double() for x in each))
