r"""What a code does while its model trains: a reading that costs little, for the log.

Of any model that encodes and decodes with densities, on some held-out observations x_1 … x_n:

* **KL by dimension**, $\frac1n \sum_i \mathrm{KL}(q(z_d \mid x_i) \,\|\, p(z_d))$, in closed form
  between Gaussians, and one number from draws where it has none;
* **active units** and **mutual information** as `measures/latent.py` has them;
* **reconstruction by term**, $E_{q(z \mid x)} \log p(x_f \mid z)$ of each field f, one draw a row.

The code is *used* where some dimension is active and the code says something about which
observation it came from (Burda et al. 2016, §5.3; Hoffman & Johnson 2016). Where it is not, the
decoder models the data alone, and the loss does not show it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.game import Decodes, Distribution, Encodes
from twofold.maths.distributions import Density, Posterior
from twofold.maths.likelihoods import Observation
from twofold.measures.estimate import chunks, steady
from twofold.measures.latent import ACTIVE, ROWS, infer, information, posterior

LEAST = 0.05
"""Nats of mutual information below which a code says nothing."""


@dataclass(frozen=True)
class Reading:
    """The code of a model at one moment.

    Args:
        kl_by_dimension: nats, (D,); one number where the KL has no closed form.
        active_units: how many dimensions depend on the observation.
        mutual_information: nats that a code says about which observation it came from.
        reconstruction: nats of each field.
    """

    kl_by_dimension: tuple[float, ...]
    active_units: int
    mutual_information: float
    reconstruction: Mapping[str, float]

    @property
    def used(self) -> bool:
        """Whether the code depends on the observation at all."""
        return self.active_units > 0 and self.mutual_information >= LEAST

    def numbers(self) -> dict[str, Any]:
        """What the log keeps."""
        return {
            "kl": sum(self.kl_by_dimension),
            "active_units": self.active_units,
            "mutual_information": self.mutual_information,
            "kl_by_dimension": list(self.kl_by_dimension),
            "reconstruction": dict(self.reconstruction),
        }


def readable(model: object, batch: Batch) -> bool:
    """Whether a model's code can be read: a posterior and a prior with densities, two rows."""
    if not (isinstance(model, Encodes) and isinstance(model, Decodes)) or len(batch) < 2:
        return False
    with steady(model, 0):
        first = next(chunks(model, batch, 1))
        q, p = model.encode(first.x, first.given), model.prior(first.given)
    return isinstance(q, Posterior) and isinstance(p, Density)


def read(model: object, batch: Batch, seed: int = 0) -> Reading:
    """The reading of a model on some observations; the same seed reads the same."""
    codes = infer(model, batch, seed)
    return Reading(
        tuple(codes.kl.mean(0).tolist()),
        int((codes.mean.var(0) > ACTIVE).sum()),
        float(information(model, batch, codes, 1, seed).mean()),
        reconstruction(model, batch, seed),
    )


def reconstruction(model: object, batch: Batch, seed: int) -> dict[str, float]:
    """E log p(x_f | z) of each field f, in nats; empty where the decoder has no density."""
    assert isinstance(model, Encodes)
    assert isinstance(model, Decodes)
    totals: dict[str, float] = {}
    with steady(model, seed):
        for part in chunks(model, batch, ROWS):
            z = posterior(model, part).sample()
            for name, nats in by_term(model.decode(z, part.given), part.x).items():
                totals[name] = totals.get(name, 0.0) + float(nats.double().sum())
    return {name: total / len(batch) for name, total in totals.items()}


def by_term(p: Distribution, x: Tensor) -> dict[str, Tensor]:
    """log p(x) by field, (B,) each, or in one where the density is not of fields."""
    if isinstance(p, Observation):
        return p.by_field(x)
    return {"x": p.log_prob(x)} if isinstance(p, Density) else {}
