r"""Whether drawn observations lie among the real ones, and cover them: precision and recall.

With $B_k(x)$ the ball around x that reaches its k-th neighbour in its own sample:

* **precision**: draws inside the ball of some real observation; **recall**: real observations
  inside the ball of some draw (Kynkäänniemi et al. 2019);
* **density**: real balls that a draw lies in, over k; **coverage**: real observations whose ball
  holds a draw (Naeem et al. 2020).

Neither 1 nor 0 is the mark: two samples of one law have a precision near 0.7 and a coverage near
$1 - 2^{-k}$, which is what the floor shows. Each figure is a mean over the observations of one
side; its interval resamples these, with the other side held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.maths.statistics import membership, prdc
from twofold.measures.estimate import AMOUNTS, SHARES, mean
from twofold.measures.measure import Evidence, Figure, Measure
from twofold.measures.views import BASELINE, EXTRACTORS, incomparable, seen, sort

MEANINGS = {
    "precision": "share of draws that lie among real observations",
    "recall": "share of real observations that lie among draws",
    "density": "real neighbourhoods that a draw lies in, over those expected",
    "coverage": "share of real neighbourhoods that hold a draw",
}


@dataclass(frozen=True)
class Coverage(Measure):
    """Precision, recall, density and coverage in the features of the extractor for the layout.

    Args:
        n: at most so many observations a side.
        k: neighbours that make a neighbourhood.
    """

    n: int = 2048
    k: int = 5
    names = tuple(MEANINGS)
    within = dict.fromkeys(("precision", "recall", "coverage"), SHARES) | {"density": AMOUNTS}

    def refuses(self, evidence: Evidence) -> str:
        return incomparable(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        name = EXTRACTORS[sort(evidence.space)]
        sides = seen(evidence, self.n, name)
        ours = membership(sides.real, sides.fake, self.k)._asdict()
        simple = prdc(sides.real, sides.simple, self.k)._asdict()

        def means(real: Tensor, other: Tensor) -> Tensor:
            return torch.stack(prdc(real, other, self.k))

        floor = dict(zip(ours, sides.floor(means, evidence.seed).tolist(), strict=True))
        return [
            evidence.figure(
                figure,
                mean(ours[figure], evidence.seed),
                len(sides),
                "higher",
                floor=floor[figure],
                baseline=float(simple[figure]),
                baseline_name=BASELINE,
                note=f"{meaning}; k = {self.k} in {name}; the floor is what real data reach",
            )
            for figure, meaning in MEANINGS.items()
        ]
