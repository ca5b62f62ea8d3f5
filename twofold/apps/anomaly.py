r"""Anomaly scores: how unlike the training data each observation is, and where.

Three terms look at an observation, each high where it is abnormal:

* `negative_log_likelihood`: $-\mathcal L_K(x)$, the importance-weighted bound of K draws
  (Burda et al. 2016, arXiv:1509.00519);
* `reconstruction`: $-\mathbb E_{q(z|x)} \log p(x \mid z)$, the negative logarithm of what An & Cho
  (2015) call the reconstruction probability;
* `latent_distance`: the squared Mahalanobis distance of the code's mean from the codes of the
  training rows.

The `score` is their ensemble: each term less its median over training rows, in units of its median
absolute deviation, on average. Beside it stands a `baseline` that knows nothing of the model: the
squared error of a PCA of the training rows.

Every score is calibrated on the run's held-out rows, which are taken to be normal: p is the share
that scores as high (`maths/conformal.py`), and what has p ≤ the rate asked for is abnormal. Of new
normal observations at most that share is called so; the threshold never sees the scored data.

The map says where: $-\mathbb E_{q(z|x)} \log p(x_j \mid z)$ of every value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Encodes, Model, Scores
from twofold.core.space import Space
from twofold.data.sources import Source, Subset
from twofold.maths import conformal
from twofold.maths.distributions import Density
from twofold.maths.likelihoods import Observation
from twofold.measures.baselines import PPCA, principal
from twofold.runs.run import CHUNK, Run
from twofold.train.chance import seed_all

LEARNT = 2000
"""Training rows that terms and the baseline learn from, at most."""
KEPT = 0.9
"""The share of variance that the axes of the baseline hold."""
RIDGE = 1e-3
ROWS = 256

Scorer = Callable[[Batch], Tensor]


class Term(ABC):
    """One way to score; a table of them is below."""

    name: ClassVar[str]

    @abstractmethod
    def refuses(self, model: Model) -> str:
        """Why it does not apply to a model; empty when it does."""

    @abstractmethod
    def learnt(self, model: Model, train: Batch, draws: int) -> Scorer:
        """The score of a batch, (B,), high where abnormal, from what training rows teach."""


class Likelihood(Term):
    """−L_K(x)."""

    name = "negative_log_likelihood"

    def refuses(self, model: Model) -> str:
        return "" if isinstance(model, Scores) else "the model has no likelihood"

    def learnt(self, model: Model, train: Batch, draws: int) -> Scorer:
        assert isinstance(model, Scores)
        return lambda batch: -model.log_likelihood(batch.x, batch.given, draws)


class Reconstruction(Term):
    """−E_q log p(x | z)."""

    name = "reconstruction"

    def refuses(self, model: Model) -> str:
        if reason := undecoded(model):
            return reason
        assert isinstance(model, Decodes)
        one = Given.none(1, model.given)
        dense = isinstance(model.decode(model.prior(one).sample(), one), Density)
        return "" if dense else "the model's decoder has no density"

    def learnt(self, model: Model, train: Batch, draws: int) -> Scorer:
        def score(batch: Batch) -> Tensor:
            every = batch.x.repeat_interleave(draws, 0)
            p = decoded(model, batch, draws)
            assert isinstance(p, Density)
            return -p.log_prob(every).unflatten(0, (-1, draws)).mean(1)

        return score


class LatentDistance(Term):
    """(μ − m)ᵀ S⁻¹ (μ − m), with m and S the mean and covariance of the training rows' means."""

    name = "latent_distance"

    def refuses(self, model: Model) -> str:
        return "" if isinstance(model, Encodes) else "the model has no encoder"

    def learnt(self, model: Model, train: Batch, draws: int) -> Scorer:
        assert isinstance(model, Encodes)

        def code(batch: Batch) -> Tensor:
            return model.encode(batch.x, batch.given).mean.flatten(1).double()

        known = torch.cat([code(train[i : i + ROWS]) for i in range(0, len(train), ROWS)])
        m, D = known.mean(0), known.shape[1]
        S = torch.cov(known.T).reshape(D, D)
        floor = RIDGE * S.diagonal().mean() + 1e-12  # an unused dimension has no spread
        precision = torch.linalg.inv(S + floor * torch.eye(D, dtype=S.dtype))
        return lambda batch: ((d := code(batch) - m) @ precision * d).sum(1)


TERMS: tuple[Term, ...] = (Likelihood(), Reconstruction(), LatentDistance())


class PCA(Term):
    """The squared distance of x from the plane of the training rows' principal axes.

    As many axes as the code has dimensions, and no more than hold nine tenths of the variance.
    """

    name = "baseline"

    def refuses(self, model: Model) -> str:
        return ""

    def learnt(self, model: Model, train: Batch, draws: int) -> Scorer:
        width = model.latent if isinstance(model, Decodes) else train.x[0].numel()
        plane = PPCA.fit(train.x, min(width, axes_holding(KEPT, train.x)))
        return lambda batch: (batch.x - plane.reconstruct(batch.x)).flatten(1).square().sum(1)


def axes_holding(share: float, x: Tensor) -> int:
    """The fewest principal axes that hold a share of the variance of x (N, C, *A); at least one."""
    flat = x.flatten(1).double()
    most = min(len(flat) - 1, flat.shape[1])
    values, _ = principal(flat - flat.mean(0), most)
    held = values.cumsum(0) / values.sum().clamp(min=1e-12)
    return min(int((held < share).sum()) + 1, max(1, flat.shape[1] // 2))


def undecoded(model: Model) -> str:
    """Why p(x | z) of an observation cannot be had; empty when it can."""
    if not isinstance(model, Encodes):
        return "the model has no encoder"
    if not isinstance(model, Decodes):
        return "the model does not decode"
    return ""


def decoded(model: Model, batch: Batch, draws: int) -> object:
    """p(x | z) for `draws` draws of each row's code, one after the other."""
    assert isinstance(model, Encodes)
    assert isinstance(model, Decodes)
    q = model.encode(batch.x, batch.given)
    z = torch.stack([q.sample() for _ in range(draws)], 1).flatten(0, 1)  # (B · draws, …)
    return model.decode(z, batch.given.repeat(draws))


# Calibration.


@dataclass(frozen=True)
class Calibrated:
    """A score of N observations: `raw`, and p, the share of normal ones that score as high."""

    raw: Tensor
    p: Tensor


@dataclass(frozen=True)
class Detector:
    """Everything that was learnt, to score any batch of the same form.

    Args:
        scorers: of each term, and of the baseline.
        middle, spread: of each term over training rows: the median, and the median absolute
            deviation.
        normal: each score of the held-out normal rows.
        rate: of false alarms, that the normal rows can promise.
    """

    scorers: Mapping[str, Scorer]
    middle: Mapping[str, float]
    spread: Mapping[str, float]
    normal: Mapping[str, Tensor]
    rate: float

    def raw(self, run: Run, source: Source, draws: int, seed: int) -> dict[str, Tensor]:
        """Each term and the baseline of every row, (N,)."""
        return scored(run, self.scorers, source, draws, seed)

    def calibrated(self, raw: Mapping[str, Tensor]) -> dict[str, Calibrated]:
        """Each score with its p."""
        whole = {**raw, "score": ensemble(raw, self.middle, self.spread)}
        return {
            name: Calibrated(value, conformal.p_values(value, self.normal[name]))
            for name, value in whole.items()
        }

    @property
    def threshold(self) -> float:
        """The ensemble's score above which an observation is called abnormal."""
        return conformal.threshold(self.normal["score"], self.rate)


def ensemble(
    raw: Mapping[str, Tensor], middle: Mapping[str, float], spread: Mapping[str, float]
) -> Tensor:
    """The mean of the terms in units of their own spread, (B,)."""
    return torch.stack([(raw[name] - middle[name]) / spread[name] for name in middle]).mean(0)


def detector(
    run: Run, train: Source, normal: Source, draws: int, rate: float, seed: int
) -> Detector:
    """Learn from training rows, and calibrate on held-out normal ones."""
    reasons = {term.name: term.refuses(run.model) for term in TERMS}
    terms = [term for term in TERMS if not reasons[term.name]]
    if not terms:
        why = "; ".join(sorted(set(reasons.values())))
        raise UserError(f"score cannot use {run.path}: {why}; see twofold models")
    if not len(normal):
        raise UserError(
            f"{run.path} has no held-out normal rows to calibrate on; train with "
            "data.split.validation above 0, or name fewer labels with --positive"
        )
    seed_all(torch.device("cpu"), seed)
    with torch.inference_mode():
        known = run.batch(train, spread_out(len(train), LEARNT))
        scorers = {term.name: term.learnt(run.model, known, draws) for term in (*terms, PCA())}
    names = [term.name for term in terms]
    seen = scored(run, scorers, Subset(train, known.rows), draws, seed)
    middle = {name: float(seen[name].median()) for name in names}
    spread = {name: deviation(seen[name]) for name in names}
    held = scored(run, scorers, normal, draws, seed)
    held["score"] = ensemble(held, middle, spread)
    return Detector(scorers, middle, spread, held, conformal.attainable(rate, len(normal)))


def spread_out(total: int, most: int) -> Tensor:
    """At most so many row numbers, evenly spread."""
    return torch.linspace(0, total - 1, min(total, most)).round().long()


def deviation(scores: Tensor) -> float:
    """The median absolute deviation; 1 where the scores are all alike."""
    return float((scores - scores.median()).abs().median()) or 1.0


def scored(
    run: Run, scorers: Mapping[str, Scorer], source: Source, draws: int, seed: int
) -> dict[str, Tensor]:
    """Each score of every row, (N,), in float64."""
    seed_all(torch.device("cpu"), seed)
    with torch.inference_mode():
        parts = [
            {name: score(batch).double() for name, score in scorers.items()}
            for batch in batches(run, source, draws)
        ]
    return {name: torch.cat([part[name] for part in parts]) for name in scorers}


def batches(run: Run, source: Source, draws: int) -> Iterator[Batch]:
    """Rows encoded, so few at a time that `draws` copies of them fit."""
    step = max(1, CHUNK // (draws * max(1, run.space.numel)))
    return (run.batch(source, rows) for rows in torch.arange(len(source)).split(step))


# Where.


def maps(run: Run, source: Source, draws: int, seed: int) -> Tensor:
    """−E_q log p(x_j | z) of each value, (N, F, *A), NaN where it is missing; none (N, 0).

    A decoder that gives no likelihood of single values has no map.
    """
    if undecoded(run.model):
        return torch.zeros(len(source), 0)
    seed_all(torch.device("cpu"), seed)
    with torch.inference_mode():
        return torch.cat([map_of(run, batch, draws) for batch in batches(run, source, draws)])


def map_of(run: Run, batch: Batch, draws: int) -> Tensor:
    """The map of a batch, (B, F, *A)."""
    p = decoded(run.model, batch, draws)
    if not isinstance(p, Observation):
        return torch.zeros(len(batch), 0)
    log_p = p.elementwise(batch.x.repeat_interleave(draws, 0)).unflatten(0, (-1, draws)).mean(1)
    return -log_p.masked_fill(absent(run.space, batch.x), torch.nan)


def absent(space: Space, x: Tensor) -> Tensor:
    """Which values of x are missing, (B, F, *A)."""
    return space.decode(x).isnan()
