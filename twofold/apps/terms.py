r"""Terms of an anomaly score: ways to look at an observation, each high where it is abnormal.

| term | is | source |
|---|---|---|
| `negative_log_likelihood` | $-\mathcal L_K(x)$, importance-weighted | Burda et al. 2016 |
| `negative_elbo` | $-\mathcal L_1(x)$, over K draws | Kingma & Welling 2014 |
| `reconstruction` | $-\mathbb E_{q(z \mid x)} \log p(x \mid z)$ | An & Cho 2015 |
| `mean_reconstruction` | $-\log p(x \mid z = \mathbb E_q z)$, which draws nothing | |
| `rate` | $\mathrm{KL}(q(z \mid x) \,\|\, p(z))$ | |
| `latent_distance` | $(\mu - m)^\top S^{-1} (\mu - m)$ of the code among those of training rows | |
| `error` | $\|x - \hat x\|^2 / n$, x̂ decoded of the code's mean | |
| `standardised_error` | the worst of $(x - \hat x)^2 / \sigma^2$ over places, σ as usual there | |
| `unexpected_error` | `error`, less what the picture's complexity lets one expect | ours |
| `complexity_corrected` | $-\log_2 p(x) - L(x)$, L the bits compressed | Serrà et al. 2020 |
| `critic_distance` | $\|f(x, z) - f(\hat x, z)\|^2 / n_d$, f the critic's features | see below |
| `own` | the score that a family has of its own | |
| `svdd` | the distance from the centre of a Deep SVDD | Ruff et al. 2018 |
| `neighbours` | the farthest patch from those of normal pictures | Roth et al. 2022 |
| `even_neighbours` | the same, each picture's own brightness and contrast taken out | |
| `discord` | the farthest stretch of a series from those of normal ones | Keogh et al. 2005 |

`error` and `critic_distance` together are the score of f-AnoGAN (Schlegl et al. 2019) for a GAN,
whose encoder is trained when it is first needed (`nets/inversion.py`), and of the anomaly detection
with a BiGAN (Zenati et al. 2018, arXiv:1802.06222).

What comes back badly of every normal observation, an edge that is never in quite the same place, is
no news. `standardised_error` divides each residual by the deviation σ that residuals of training
rows have at its place, and takes the worst place, averaged over near ones (`apps/places.py`). Where
rows are not taken alike, σ is one number for each value.

A simple picture is likely, and comes back well, under any model of pictures: a *1* among digits, a
plain surface. The complexity $L(x)$ of a picture, in bits of its compressed form, is what two terms
correct for: the first subtracts it from the bits that the model needs (arXiv:1909.11480), the
second learns on training rows which error goes with which complexity, by a straight line.

A term is a pure function: what it `fit`s are tensors, which are kept with the run, and its score is
computed from them, the model and the batch. One that neither draws nor compresses can be written
down as a graph, and leave the run so; the others say why they `stay`.
"""

from __future__ import annotations

import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from twofold.apps.places import absent, by_value, smooth
from twofold.core.batch import Batch, Given, repeated
from twofold.core.game import Decodes, Detects, Distribution, Encodes, Regards, Scores
from twofold.core.space import Bounded, Space
from twofold.maths.distributions import Density
from twofold.maths.divergences import kl_by_dimension
from twofold.nets import discords, patches
from twofold.nets.bodies import Suited
from twofold.nets.inversion import Inverted
from twofold.nets.svdd import SVDD, fitted

Learnt = Mapping[str, Tensor]
Judge = object  # a model in whatever roles it has, or a generator with an encoder of its own

RIDGE, STILL = 1e-3, 1e-2
"""Shares of the mean variance that each has at least: of a code, and of residuals."""
ROWS = 256
WIDTH = 32
STEPS = 600
EVEN, FLAT = 0.15, 0.02
"""The deviation of an even picture; what is added to that of one, for flat ones to stay flat."""
ALIGNED = 0.1
"""Pictures are taken alike where their mean explains so large a share of what is in them."""
DRAWS = "it draws codes, and no two draws are alike"
COMPRESSES = "it compresses pictures, which no graph does"


class Term(ABC):
    """One way to score; `TERMS` is the table of them."""

    name: ClassVar[str]
    memorises: ClassVar[bool] = False
    """Whether it scores what it was taught by as it scores nothing else."""
    stays: ClassVar[str] = ""
    """Why it cannot leave the run as a graph; empty when it can."""

    @abstractmethod
    def refuses(self, judge: Judge, space: Space) -> str:
        """Why it does not apply; empty when it does."""

    def usual(self, judge: Judge) -> bool:
        """Whether it is one of those that are taken where none is named."""
        return False

    def fit(self, judge: Judge, space: Space, train: Batch, seed: int) -> Learnt:
        """What training rows teach it."""
        return {}

    @abstractmethod
    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        """(B,), high where abnormal."""


# What roles a model needs.


def unencoded(judge: Judge) -> str:
    """Why there is no code; empty when there is."""
    return "" if isinstance(judge, Encodes) else "the model has no encoder"


def undecoded(judge: Judge) -> str:
    """Why p(x | z) of an observation cannot be had; empty when it can."""
    if reason := unencoded(judge):
        return reason
    return "" if isinstance(judge, Decodes) else "the model does not decode"


def undense(judge: Judge, given: Space) -> str:
    """Why p(x | z) has no density; empty when it has."""
    if reason := undecoded(judge):
        return reason
    assert isinstance(judge, Decodes)
    one = Given.none(1, given)
    dense = isinstance(judge.decode(judge.prior(one).sample(), one), Density)
    return "" if dense else "the model's decoder has no density"


def unpictured(space: Space) -> str:
    """Why an observation is no picture of grey levels or colours; empty when it is."""
    bounded = all(isinstance(field.domain, Bounded) for field in space.fields)
    return "" if len(space.axes) == 2 and bounded else "it is for pictures"


def given_of(judge: Judge) -> Space:
    """What a model may be given."""
    space: Space = judge.given  # type: ignore[attr-defined]
    return space


def decoded(judge: Judge, batch: Batch, draws: int) -> Distribution:
    """p(x | z) for `draws` draws of each row's code, one after the other."""
    assert isinstance(judge, Encodes)
    assert isinstance(judge, Decodes)
    q = judge.encode(batch.x, batch.given)
    z = torch.stack([q.sample() for _ in range(draws)], 1).flatten(0, 1)  # (B · draws, …)
    return judge.decode(z, batch.given.repeat(draws))


def returned(judge: Judge, batch: Batch) -> tuple[Tensor, Tensor]:
    """The code of each row, its mean, and x̂, the mean of what is decoded of it."""
    assert isinstance(judge, Encodes)
    assert isinstance(judge, Decodes)
    z = judge.encode(batch.x, batch.given).mean
    return z, judge.decode(z, batch.given).mean


# Terms of a density.


class Likelihood(Term):
    """−L_K(x)."""

    name = "negative_log_likelihood"
    stays = DRAWS

    def refuses(self, judge: Judge, space: Space) -> str:
        return "" if isinstance(judge, Scores) else "the model has no likelihood"

    def usual(self, judge: Judge) -> bool:
        return True

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        assert isinstance(judge, Scores)
        return -judge.log_likelihood(batch.x, batch.given, draws)


class Elbo(Likelihood):
    """−L_1(x), the mean over draws."""

    name = "negative_elbo"

    def usual(self, judge: Judge) -> bool:
        return False

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        assert isinstance(judge, Scores)
        every = repeated(batch.x, draws)
        each = judge.log_likelihood(every, batch.given.repeat(draws), 1)
        return -each.unflatten(0, (-1, draws)).mean(1)


class Reconstruction(Term):
    """−E_q log p(x | z)."""

    name = "reconstruction"
    stays = DRAWS

    def refuses(self, judge: Judge, space: Space) -> str:
        return undense(judge, given_of(judge))

    def usual(self, judge: Judge) -> bool:
        return True

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        every = repeated(batch.x, draws)
        p = decoded(judge, batch, draws)
        assert isinstance(p, Density)
        return -p.log_prob(every).unflatten(0, (-1, draws)).mean(1)


class MeanReconstruction(Reconstruction):
    """−log p(x | E_q z)."""

    name = "mean_reconstruction"
    stays = ""

    def usual(self, judge: Judge) -> bool:
        return False

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        assert isinstance(judge, Encodes)
        assert isinstance(judge, Decodes)
        p = judge.decode(judge.encode(batch.x, batch.given).mean, batch.given)
        assert isinstance(p, Density)
        return -p.log_prob(batch.x)


class Rate(Term):
    """KL(q ‖ p)."""

    name = "rate"
    stays = DRAWS

    def refuses(self, judge: Judge, space: Space) -> str:
        if not isinstance(judge, Scores):
            return "the model has no likelihood"
        return undecoded(judge)

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        assert isinstance(judge, Encodes)
        assert isinstance(judge, Decodes)
        q, p = judge.encode(batch.x, batch.given), judge.prior(batch.given)
        each = [kl_by_dimension(q, q.sample(), p).flatten(1).sum(1) for _ in range(draws)]  # type: ignore[arg-type]
        return torch.stack(each).mean(0)


class Corrected(Likelihood):
    """−log₂ p(x) − L(x)."""

    name = "complexity_corrected"
    stays = COMPRESSES

    def usual(self, judge: Judge) -> bool:
        return False

    def refuses(self, judge: Judge, space: Space) -> str:
        return super().refuses(judge, space) or unpictured(space)

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        bits = super().score(judge, space, learnt, batch, draws) / math.log(2)
        return bits - complexity(batch.x)


# Terms of a code, and of what comes back.


class LatentDistance(Term):
    """(μ − m)ᵀ S⁻¹ (μ − m), with m and S the mean and covariance of the training rows' means."""

    name = "latent_distance"

    def refuses(self, judge: Judge, space: Space) -> str:
        return unencoded(judge)

    def usual(self, judge: Judge) -> bool:
        return True

    def fit(self, judge: Judge, space: Space, train: Batch, seed: int) -> Learnt:
        known = torch.cat([code(judge, train[i : i + ROWS]) for i in range(0, len(train), ROWS)])
        m, D = known.mean(0), known.shape[1]
        S = torch.cov(known.T).reshape(D, D)
        floor = RIDGE * S.diagonal().mean() + 1e-12  # an unused dimension has no spread
        return {"m": m, "precision": torch.linalg.inv(S + floor * torch.eye(D, dtype=S.dtype))}

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        d = code(judge, batch) - learnt["m"]
        return (d @ learnt["precision"] * d).sum(1)


def code(judge: Judge, batch: Batch) -> Tensor:
    """The mean code of each row, (B, D) in float64."""
    assert isinstance(judge, Encodes)
    return judge.encode(batch.x, batch.given).mean.flatten(1).double()


class Located(Term):
    """A term that says where, besides how much."""

    @abstractmethod
    def map(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch) -> Tensor:
        """How odd each place is, (B, F or 1, *A), NaN where a value is missing."""


class ReturnError(Term):
    """‖x − x̂‖² / n."""

    name = "error"

    def refuses(self, judge: Judge, space: Space) -> str:
        return undecoded(judge)

    def usual(self, judge: Judge) -> bool:
        return bool(undense(judge, given_of(judge)))

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        return (batch.x - returned(judge, batch)[1]).flatten(1).square().mean(1)


class Unexpected(ReturnError):
    """The error less a + b L(x), the line through those of training rows."""

    name = "unexpected_error"
    stays = COMPRESSES

    def usual(self, judge: Judge) -> bool:
        return False

    def refuses(self, judge: Judge, space: Space) -> str:
        return super().refuses(judge, space) or unpictured(space)

    def fit(self, judge: Judge, space: Space, train: Batch, seed: int) -> Learnt:
        parts = (train[i : i + ROWS] for i in range(0, len(train), ROWS))
        error = torch.cat([super(Unexpected, self).score(judge, space, {}, p, 1) for p in parts])
        L = complexity(train.x)
        X = torch.stack([torch.ones_like(L), L], 1)  # (N, 2)
        return {"line": torch.linalg.lstsq(X, error.double()[:, None]).solution[:, 0]}

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        a, b = learnt["line"]
        return super().score(judge, space, {}, batch, draws).double() - a - b * complexity(batch.x)


class Standardised(Located):
    """max over p of the mean of (x − x̂)² / σ² near p."""

    name = "standardised_error"

    def refuses(self, judge: Judge, space: Space) -> str:
        return undecoded(judge)

    def fit(self, judge: Judge, space: Space, train: Batch, seed: int) -> Learnt:
        parts = (train[i : i + ROWS] for i in range(0, len(train), ROWS))
        error = torch.cat([squared(judge, space, part) for part in parts])  # (N, F, *A)
        variance = error.nanmean(0)
        places = tuple(range(1, variance.dim()))
        if places and not alike(train.x):
            variance = variance.nanmean(places, keepdim=True)
        floor = STILL * variance.nanmean() + 1e-12  # what never varies is not odd by a hair
        return {"variance": variance.nan_to_num(1.0) + floor}

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        near = smooth(self.map(judge, space, learnt, batch))
        return near.flatten(1).max(1).values.clamp(min=0)

    def map(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch) -> Tensor:
        return squared(judge, space, batch) / learnt["variance"]


def squared(judge: Judge, space: Space, batch: Batch) -> Tensor:
    """(x − x̂)² of each value, (B, F, *A), NaN where it is missing."""
    error = by_value(space, (batch.x - returned(judge, batch)[1]).square())
    return error.masked_fill(absent(space, batch.x), torch.nan)


def complexity(x: Tensor) -> Tensor:
    """L(x) of pictures x (B, C, H, W) in [0, 1]: the bits of their 256 levels compressed, (B,)."""
    levels = (x.clamp(0, 1) * 255).round().to(torch.uint8).contiguous().numpy()
    bits = [8.0 * len(zlib.compress(one.tobytes(), 9)) for one in levels]
    return torch.tensor(bits, dtype=torch.float64)


class CriticDistance(Term):
    """‖f(x, z) − f(x̂, z)‖² / n_d."""

    name = "critic_distance"

    def refuses(self, judge: Judge, space: Space) -> str:
        if isinstance(judge, Inverted):
            judge = judge.model
        elif reason := undecoded(judge):
            return reason
        return "" if isinstance(judge, Regards) else "the model has no critic that shows features"

    def usual(self, judge: Judge) -> bool:
        return True

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        assert isinstance(judge, Regards)
        z, x_hat = returned(judge, batch)
        f, f_hat = (judge.regard(x, z, batch.given) for x in (batch.x, x_hat))
        return (f - f_hat).square().mean(1)


class Own(Term):
    """The family's own."""

    name = "own"

    def refuses(self, judge: Judge, space: Space) -> str:
        return "" if isinstance(judge, Detects) else "the family has no score of its own"

    def usual(self, judge: Judge) -> bool:
        return True

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        assert isinstance(judge, Detects)
        return judge.oddness(batch.x, batch.given)


# Terms that need no model.


class DeepSVDD(Term):
    """The distance from the centre of a Deep SVDD, which is trained on the spot."""

    name = "svdd"
    memorises = True

    def refuses(self, judge: Judge, space: Space) -> str:
        return ""

    def fit(self, judge: Judge, space: Space, train: Batch, seed: int) -> Learnt:
        return fitted(deepcopy(sphere(space)), train.x, steps=STEPS, seed=seed).state_dict()

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        off: Tensor = functional_call(sphere(space), dict(learnt), (batch.x,))
        return off.square().sum(1)


@cache
def sphere(space: Space) -> SVDD:
    """A fresh network, the same each time."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return SVDD(Suited(), space, WIDTH)


@dataclass(frozen=True)
class Neighbours(Located):
    """The farthest patch of a picture from those of normal ones.

    Args:
        name: of the term. seen: what patches are taken of.
    """

    name: str  # type: ignore[misc]
    seen: Callable[[Tensor], Tensor]

    memorises = True

    def refuses(self, judge: Judge, space: Space) -> str:
        return unpictured(space)

    def fit(self, judge: Judge, space: Space, train: Batch, seed: int) -> Learnt:
        return {"bank": patches.bank(self.seen(train.x), alike(train.x))}

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        return self.places(learnt, batch.x).flatten(1).max(1).values

    def places(self, learnt: Learnt, x: Tensor) -> Tensor:
        """The distance at each place of the features, (B, h, w)."""
        return patches.distances(self.seen(x), learnt["bank"])

    def map(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch) -> Tensor:
        """The same at each pixel, (B, 1, H, W)."""
        places = self.places(learnt, batch.x).unsqueeze(1)
        return F.interpolate(places, batch.x.shape[2:], mode="bilinear")


class Discord(Located):
    """The stretch of a series that is farthest from those of normal ones."""

    name = "discord"
    memorises = True

    def refuses(self, judge: Judge, space: Space) -> str:
        return "" if len(space.axes) == 1 and space.layout == "grid" else "it is for series"

    def fit(self, judge: Judge, space: Space, train: Batch, seed: int) -> Learnt:
        return {"bank": discords.bank(train.x, alike(train.x))}

    def score(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch, draws: int) -> Tensor:
        return discords.distances(batch.x, learnt["bank"]).max(1).values

    def map(self, judge: Judge, space: Space, learnt: Learnt, batch: Batch) -> Tensor:
        """How far each value is from that of the nearest stretch, squared, (B, F, T)."""
        where = by_value(space, discords.unlike(batch.x, learnt["bank"]))
        return where.masked_fill(absent(space, batch.x), torch.nan)


def as_it_is(x: Tensor) -> Tensor:
    return x


def even(x: Tensor) -> Tensor:
    """Pictures (B, C, H, W) in [0, 1] of one mean and one contrast, whatever the light was.

    >>> dark = torch.rand(1, 1, 8, 8) / 4
    >>> torch.allclose(even(dark), even(dark + 0.5), atol=1e-4)
    True
    """
    level = x.mean((1, 2, 3), keepdim=True)
    spread = x.std((1, 2, 3), keepdim=True)
    return (0.5 + EVEN * (x - level) / (spread + FLAT)).clamp(0, 1)


def alike(x: Tensor) -> bool:
    """Whether rows (N, C, *A) are taken alike, so that their mean is an observation as well."""
    centred = x - x.mean()
    return bool(centred.mean(0).square().mean() > ALIGNED * centred.square().mean())


TERMS: dict[str, Term] = {
    term.name: term
    for term in (
        Likelihood(), Elbo(), Reconstruction(), MeanReconstruction(), Rate(), LatentDistance(),
        ReturnError(), Standardised(), Unexpected(), Corrected(), CriticDistance(), Own(),
        DeepSVDD(), Neighbours("neighbours", as_it_is), Neighbours("even_neighbours", even),
        Discord(),
    )
}  # fmt: skip
