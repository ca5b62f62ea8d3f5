r"""Whether drawn images are as sharp as real ones.

The sharpness of an image is the variance of its Laplacian (Pech-Pacheco et al. 2000): edges and
texture raise it, blur lowers it, and so does averaging over what a decoder is unsure of. The figure
is the ratio of the means, drawn over real; 1 is best, and above 1 there is more noise or texture
than in the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.maths.statistics import sharpness
from twofold.measures.estimate import AMOUNTS, resampled
from twofold.measures.measure import Evidence, Figure, Measure
from twofold.measures.views import BASELINE, incomparable, pictures, sides


@dataclass(frozen=True)
class Sharpness(Measure):
    """The ratio of mean sharpness, drawn over real.

    Args:
        n: at most so many images a side.
    """

    n: int = 2048
    names = ("sharpness_ratio",)
    within = dict.fromkeys(names, AMOUNTS)

    def refuses(self, evidence: Evidence) -> str:
        return pictures(evidence.space) or incomparable(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        compared = sides(evidence, self.n)
        real = sharpness(compared.real)
        if not float(real.mean()):
            return []
        pairs = torch.stack([sharpness(compared.fake), real], 1)  # (n, 2)
        return [
            evidence.figure(
                "sharpness_ratio",
                resampled(pairs, ratio, evidence.seed),
                len(compared),
                "neither",
                floor=float(compared.floor(times, evidence.seed)),
                baseline=float(times(compared.real, compared.simple)),
                baseline_name=BASELINE,
                note="1 is as sharp as real images; below is blur, above is noise",
            )
        ]


def times(real: Tensor, other: Tensor) -> Tensor:
    """How many times as sharp the others are."""
    return sharpness(other).mean() / sharpness(real).mean()


def ratio(means: Tensor) -> Tensor:
    """Drawn over real, from means (2,)."""
    return means[0] / means[1]
