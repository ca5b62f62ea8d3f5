r"""How probable held-out observations are to the model, in nats an observation.

A model with latent variables offers, for any number K of draws $z_k \sim q(z \mid x)$,

$$\mathcal L_K(x) = \log \frac{1}{K} \sum_{k=1}^{K} \frac{p(x, z_k)}{q(z_k \mid x)}
\;\le\; \log p(x),$$

the importance-weighted bound of Burda, Grosse & Salakhutdinov (2016): the ELBO at K = 1, and closer
to the likelihood the larger K. Exactly K draws are made for each observation; K-fold sums are cut
into passes that fit in memory, which changes nothing, as

$$K e^{\mathcal L_K} = \textstyle\sum_m K_m e^{\mathcal L_{K_m}}.$$

Likelihoods of discretised observations are probabilities and can be compared with each other;
densities can be compared with densities in the same units of x; one with the other, never.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.game import Decodes, Encodes, Scores
from twofold.core.space import Bounded, Field, Real, Space
from twofold.maths.likelihoods import (
    BernoulliValues,
    ContinuousBernoulliValues,
    Elementwise,
    GaussianValues,
    Observation,
    SquaredErrorValues,
    StudentTValues,
)
from twofold.maths.similarity import Whole
from twofold.measures.baselines import PPCA, Marginals, countable
from twofold.measures.estimate import chunks, mean, some, steady
from twofold.measures.measure import Evidence, Figure, Measure


@dataclass(frozen=True)
class Elbo(Measure):
    """The evidence lower bound of held-out observations, one draw each.

    Args:
        n: at most so many observations.
        memory: at most so many numbers of x at once.
    """

    n: int = 2048
    memory: int = 1 << 20
    names = ("elbo",)

    def refuses(self, evidence: Evidence) -> str:
        return unscored(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        real = some(evidence.real, self.n, evidence.seed)
        bound = bounds(evidence, real, 1, self.memory)
        kind = nature(evidence, real)
        baseline = simple(evidence, real, kind)
        return [
            evidence.figure(
                "elbo",
                mean(bound, evidence.seed),
                len(real),
                "higher",
                baseline=baseline.value,
                baseline_name=baseline.name,
                unit="nats",
                note=COMPARABLE[kind],
            )
        ]


@dataclass(frozen=True)
class ImportanceSampled(Measure):
    """The negative log-likelihood of held-out observations from K draws each.

    Args:
        samples: K.
        n: at most so many observations.
        memory: at most so many numbers of x at once.
    """

    samples: int = 100
    n: int = 256
    memory: int = 1 << 20

    @property
    def names(self) -> tuple[str, ...]:
        return (f"nll_is{self.samples}", f"bits_per_dim_is{self.samples}")

    def refuses(self, evidence: Evidence) -> str:
        return unscored(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        real = some(evidence.real, self.n, evidence.seed)
        nll = -bounds(evidence, real, self.samples, self.memory)
        kind = nature(evidence, real)
        baseline = simple(evidence, real, kind)
        note = f"an upper bound from {self.samples} draws an observation; {COMPARABLE[kind]}"
        nats = evidence.figure(
            self.names[0],
            mean(nll, evidence.seed),
            len(real),
            "lower",
            baseline=-baseline.value,
            baseline_name=baseline.name,
            unit="nats",
            note=note,
        )
        discrete = eight_bit(evidence.space) and kind == "mass"
        return [nats, self.bits(evidence, nll, baseline)] if discrete else [nats]

    def bits(self, evidence: Evidence, nll: Tensor, baseline: Simple) -> Figure:
        """The same in bits a dimension, for 8-bit data under a discretised likelihood."""
        scale = evidence.space.numel * math.log(2)
        return evidence.figure(
            self.names[1],
            mean(nll / scale, evidence.seed),
            len(nll),
            "lower",
            baseline=-baseline.value / scale,
            baseline_name=baseline.name,
            unit="bits",
            note="8 bits a dimension is no model at all",
        )


def unscored(evidence: Evidence) -> str:
    """Why no likelihood can be had."""
    if not isinstance(evidence.model, Scores):
        return "the model has no likelihood" if evidence.model != () else "there is no model"
    return "" if len(evidence.real) else "there are no held-out observations"


def bounds(evidence: Evidence, real: Batch, samples: int, memory: int) -> Tensor:
    """The importance-weighted bound of each row, (n,), by the model of the evidence."""
    model = evidence.model
    assert isinstance(model, Scores)
    at_once = max(1, min(samples, memory // evidence.space.numel))
    rows = max(1, memory // (evidence.space.numel * at_once))
    with steady(model, evidence.seed):
        parts = chunks(model, real, rows)
        return torch.cat([importance_weighted(model, p, samples, at_once) for p in parts]).cpu()


def importance_weighted(model: Scores, batch: Batch, samples: int, at_once: int) -> Tensor:
    """log of the mean of exactly `samples` importance weights a row, (B,), some `at_once`."""
    passes = [at_once] * (samples // at_once) + [samples % at_once] * (samples % at_once > 0)
    logs = [model.log_likelihood(batch.x, batch.given, k).double() + math.log(k) for k in passes]
    return torch.stack(logs).logsumexp(0) - math.log(samples)


def nature(evidence: Evidence, real: Batch) -> str:
    """Whether the model's likelihood is a density, a mass (probability), mixed, or a score only."""
    model = evidence.model
    if not (isinstance(model, Decodes) and isinstance(model, Encodes)):
        return by_domain(evidence.space)
    with steady(model, evidence.seed):
        first = next(chunks(model, real, 1))
        p = model.decode(model.encode(first.x, first.given).mean, first.given)
    if not isinstance(p, Observation):
        return by_domain(evidence.space)
    found = {nature_of(part.values, part.field) for part in p.fields}
    found |= {"mass"} if any(part.field.missing for part in p.fields) else set()
    return "score" if "score" in found else found.pop() if len(found) == 1 else "mixed"


def nature_of(values: Elementwise, field: Field) -> str:
    """What the formula of one field is, on the field's domain."""
    if isinstance(values, Whole):
        return "score"
    if isinstance(values, BernoulliValues):
        binary = isinstance(field.domain, Bounded) and field.domain.levels == 2
        return "mass" if binary else "score"
    return NATURES.get(type(values), "mass")


NATURES: dict[type[Elementwise], str] = {
    GaussianValues: "density",
    StudentTValues: "density",
    ContinuousBernoulliValues: "density",
    SquaredErrorValues: "score",
}


def by_domain(space: Space) -> str:
    """The nature of the likelihood that suits a space."""
    continuous = {
        isinstance(f.domain, Real) or (isinstance(f.domain, Bounded) and not f.domain.levels)
        for f in space.fields
    }
    mixed = len(continuous) > 1 or (True in continuous and any(f.missing for f in space.fields))
    return "mixed" if mixed else "density" if True in continuous else "mass"


@dataclass(frozen=True)
class Simple:
    """The mean log-likelihood of a named baseline."""

    value: float = math.nan
    name: str = ""


def simple(evidence: Evidence, real: Batch, kind: str) -> Simple:
    """A baseline fitted on train whose likelihood has the same nature, where there is one."""
    whole = not any(field.missing for field in evidence.space.fields)
    if kind == "density" and whole and len(evidence.train) > 1:
        return gaussian(evidence, real)
    if kind == "mass" and countable(evidence.space) and len(evidence.train) > 1:
        fitted = Marginals.fit(evidence.space, evidence.train.x)
        return Simple(float(fitted.log_prob(real.x).mean()), "independent histograms")
    return Simple()


def gaussian(evidence: Evidence, real: Batch) -> Simple:
    """The Gaussian with all covariances, or with the largest where rows are too few for all."""
    n, D = len(evidence.train), evidence.space.numel
    full = n >= 5 * D  # fewer rows do not determine a covariance
    width = D - 1 if full else min(64, n // 5)
    fitted = PPCA.fit(evidence.train.x, width)
    name = "full-covariance Gaussian" if full else f"probabilistic PCA of {width}"
    return Simple(float(fitted.log_density(real.x).mean()), name)


def eight_bit(space: Space) -> bool:
    """Whether every number is one of 256 steps."""
    return all(isinstance(f.domain, Bounded) and f.domain.levels == 256 for f in space.fields)


COMPARABLE = {
    "density": "a density in the units of x: compare it with densities on the same x only",
    "mass": "the probability of discrete observations: compare it with probabilities only",
    "mixed": "densities and probabilities in one: compare it with the same fields and kinds only",
    "score": "not a log-likelihood, as its formula is no density of such data: compare no other",
}
