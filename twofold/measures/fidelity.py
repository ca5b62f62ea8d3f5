r"""Distances between drawn and real observations, in the features of a named extractor.

* **Fréchet** `fd_*` (Heusel et al. 2017): both sides as Gaussians,
  $\|\mu_1 - \mu_2\|^2 + \operatorname{tr}(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2})$.
  Biased upwards by about 1/n: two samples of the same law are a *floor* apart that is far from 0,
  and figures of different n cannot be compared.
* **Kernel** `kd_*` (Bińkowski et al. 2018): the unbiased squared maximum mean discrepancy under
  $k(a, b) = (a \cdot b / d + 1)^3$; 0 on average for the same law, and at times below.

The name is the protocol: `fd_tiny-v1` is no FID and cannot be compared with one. `fid` and `kid`
are computed under those names only with the reference network, when the user has its weights.

The intervals are jackknifed over groups of observations (Tukey 1958): a bootstrap sample repeats
observations, and that alone raises a Fréchet distance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.errors import UserError
from twofold.core.space import Space
from twofold.maths.statistics import frechet, kernel
from twofold.measures.baselines import canonical
from twofold.measures.estimate import jackknifed
from twofold.measures.measure import Evidence, Figure, Measure
from twofold.measures.views import BASELINE, EXTRACTORS, Sides, incomparable, pictures, seen, sort
from twofold.nets import extractors

Distance = Callable[[Tensor, Tensor], Tensor]
DISTANCES: dict[str, Distance] = {"fd": frechet, "kd": kernel}
NOTES = {
    "fd": "n a side; compare it with its floor, and with figures of the same n only",
    "kd": "n a side; unbiased, 0 on average when both sides follow the same law",
}


@dataclass(frozen=True)
class Fidelity(Measure):
    """Fréchet and kernel distance in the features of the extractor for the layout.

    Args:
        n: at most so many observations a side.
    """

    n: int = 2048
    quick = True
    names = tuple(f"{kind}_{extractor}" for extractor in EXTRACTORS.values() for kind in DISTANCES)

    def refuses(self, evidence: Evidence) -> str:
        return incomparable(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        name = EXTRACTORS[sort(evidence.space)]
        compared = seen(evidence, self.n, name)
        return [distance(evidence, compared, kind, f"{kind}_{name}") for kind in DISTANCES]


def gauge(space: Space, real: Batch) -> tuple[str, Callable[[Tensor], float]]:
    """The Fréchet distance alone, cheap enough for every evaluation of a training.

    Args:
        space: what one observation is. real: held-out observations.

    Returns:
        The name of the distance, and a function of as many draws x (n, C, *A).

    Raises:
        UserError: there is no extractor for such observations, or they are too few.
    """
    if reason := incomparable(Evidence(space, Space(), real, real, real)):
        raise UserError(f"no distance to held-out data: {reason}")
    extractor = extractors.extractor(EXTRACTORS[sort(space)])
    known = extractors.features(extractor, canonical(space, real.x))

    def distance_of(x: Tensor) -> float:
        return float(frechet(known, extractors.features(extractor, canonical(space, x))))

    return f"fd_{extractor.name}", distance_of


@dataclass(frozen=True)
class Inception(Measure):
    """The standard FID and KID, by their reference network.

    Args:
        n: at most so many observations a side; published figures use 10,000 to 50,000.
    """

    n: int = 10000
    names = ("fid", "kid")

    def refuses(self, evidence: Evidence) -> str:
        reason = pictures(evidence.space) or incomparable(evidence)
        return reason or extractors.absent("inception")

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        compared = seen(evidence, self.n, "inception")
        kinds = zip(self.names, DISTANCES, strict=True)
        return [distance(evidence, compared, kind, name) for name, kind in kinds]


def distance(evidence: Evidence, compared: Sides, kind: str, name: str) -> Figure:
    """One distance, with its floor and its baseline."""
    of = DISTANCES[kind]
    n, d = compared.real.shape
    few = "" if n > d else f"; only {n} observations for {d} features, so read it beside its floor"
    return evidence.figure(
        name,
        jackknifed(of, compared.real, compared.fake),
        n,
        "lower",
        floor=float(compared.floor(of, evidence.seed)),
        baseline=float(of(compared.real, compared.simple)),
        baseline_name=BASELINE,
        note=NOTES[kind] + few,
    )
