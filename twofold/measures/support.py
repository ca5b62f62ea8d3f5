r"""How many different observations a model draws: the birthday estimate, and how far out they lie.

Among s draws of a law that is uniform on N observations two are the same with a chance of one half
when $s \approx 1.2 \sqrt N$, the birthday paradox; so the duplicates among few draws tell how many
there are to draw (Arora, Risteski & Zhang 2018, arXiv:1706.08224). With c the pairs of n draws that
are duplicates,

$$ \hat N = \frac{n (n - 1)}{2 c} . $$

The authors let people say which of the nearest pairs are duplicates. Here a pair is one when it
lies nearer than one in 2n of the pairs of n training observations do: so real data have an N near
2n, the floor says what held-out ones have, and only the share of that is a statement about the
model. An N far below says that draws repeat, one far above that they are scattered more than data
are.

**draws_apart** is the median distance of draws to the nearest held-out observation, in units of
that between real observations; its floor is that of training observations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.measures.estimate import Estimate, jackknife
from twofold.measures.measure import Evidence, Figure, Measure
from twofold.measures.views import EXTRACTORS, incomparable, seen, sort
from twofold.measures.vitals import apart, nearness, support

GROUPS = 10


@dataclass(frozen=True)
class Birthday(Measure):
    """How many different observations there are to draw, and how far from the data they lie.

    Args:
        n: at most so many observations a side.
    """

    n: int = 2048
    names = ("birthday_support", "draws_apart")

    def refuses(self, evidence: Evidence) -> str:
        return incomparable(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        name = EXTRACTORS[sort(evidence.space)]
        sides = seen(evidence, self.n, name)
        real, other, fake = sides.real, sides.other, sides.fake
        near = nearness(other)

        def statistics(rows: Tensor) -> Tensor:
            kept = fake[rows]
            return torch.tensor([math.log(support(kept, near)), apart(real, kept, other)])

        values = statistics(torch.arange(len(fake)))
        told, far = jackknife(statistics, values, len(fake), GROUPS)
        ends = (math.exp(end) for end in (told.value, told.low, told.high))
        estimates = (Estimate(*ends), far)
        floors = (support(real, near), apart(real, other, other))
        notes = (
            "draws, in the law of which duplicates are as frequent; compare it with its floor",
            "median distance to the nearest held-out one, over that between real ones",
        )
        return [
            evidence.figure(
                title, estimate, len(fake), "neither", floor=floor, note=f"{note}; in {name}"
            )
            for title, estimate, floor, note in zip(
                self.names, estimates, floors, notes, strict=True
            )
        ]
