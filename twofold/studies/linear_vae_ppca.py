r"""A linear VAE is probabilistic PCA.

With a linear decoder $p(x \mid z) = \mathcal N(Wz + b, \sigma^2 I)$ and a linear encoder with a
diagonal covariance, the ELBO has no bad local maxima, and its global one is the maximum likelihood
solution of probabilistic PCA: the likelihood of

$$ x \sim \mathcal N(\mu, W W^\top + \sigma^2 I), \qquad
   \sigma^2_{ML} = \tfrac{1}{d - q} \sum_{j > q} \lambda_j, $$

and W spans the leading q eigenvectors of the covariance, with eigenvalues λ (Tipping & Bishop 1999;
Lucas, Tucker, Grosse & Norouzi 2019, Don't Blame the ELBO!, arXiv:1911.02469, Theorem 1 and
Corollary 1). Trained here by the loop, with the noise learnt, on three tables of real measurements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from sklearn import datasets
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.space import Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.distributions import LOG_2PI
from twofold.maths.likelihoods import Gaussian
from twofold.maths.schedules import Cosine
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.nets.decoders import Decoder
from twofold.studies.study import Budget, Row, Study
from twofold.train.chance import seed_all
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

TABLES = {"wine": 4, "breast-cancer": 6, "diabetes": 3}
"""Real tables of scikit-learn, and the latent dimensions to fit."""

STEPS: dict[Budget, int] = {"smoke": 300, "cpu": 4000, "paper": 20000}


@dataclass(frozen=True)
class Linear:
    """A linear-Gaussian model of x: N(b, W Wᵀ + σ² I), with W (d, q)."""

    w: Tensor
    b: Tensor
    variance: float

    def log_likelihood(self, x: Tensor) -> float:
        """The mean log-likelihood of rows (N, d), in nats."""
        d = len(self.w)
        covariance = self.w @ self.w.T + self.variance * torch.eye(d, dtype=x.dtype)
        centred = x - self.b
        square = (centred @ torch.linalg.inv(covariance) * centred).sum(1).mean()
        return float(-0.5 * (d * LOG_2PI + torch.logdet(covariance) + square))


def ppca(x: Tensor, q: int) -> Linear:
    """The maximum likelihood solution, in closed form."""
    mu = x.mean(0)
    values, vectors = torch.linalg.eigh((x - mu).T @ (x - mu) / len(x))
    values, vectors = values.flip(0), vectors.flip(1)
    variance = values[q:].mean()
    return Linear(vectors[:, :q] * (values[:q] - variance).sqrt(), mu, float(variance))


def principal_angle(a: Tensor, b: Tensor) -> float:
    """The largest angle between the spans of two matrices (d, q), in degrees."""
    overlap = torch.linalg.svdvals(torch.linalg.qr(a).Q.T @ torch.linalg.qr(b).Q)
    return math.degrees(math.acos(min(1.0, float(overlap.min()))))


def standardised(name: str) -> Tensor:
    """A table with every column of mean 0 and variance 1, (N, d)."""
    loaders = {
        "wine": datasets.load_wine,
        "breast-cancer": datasets.load_breast_cancer,
        "diabetes": datasets.load_diabetes,
    }
    x = torch.as_tensor(loaders[name]().data).double()
    return (x - x.mean(0)) / x.std(0, unbiased=False)


def trained(x: Tensor, q: int, steps: int, seed: int) -> VAE:
    """A linear VAE trained on a table, every row at every step."""
    space = Space((Field("x", Real(), size=x.shape[1]),))
    seed_all(torch.device("cpu"), seed)
    linear = Dense(depth=0)
    vae = VAE(space, Space(), q, linear, linear, likelihood=(Gaussian(scale="shared"),)).double()
    training = Training(
        steps=steps, batch=len(x), seed=seed, lr=0.01, schedule=Cosine(), average=0.0
    )
    feed = Feed(Memory(x, x[:, :0]), space, Space(), len(x), seed, torch.device("cpu"))
    loop = Loop(vae, feed, training)
    while not loop.done:
        loop.advance()
    return vae


def read_off(vae: VAE, d: int) -> Linear:
    """The linear-Gaussian model that a linear VAE is: W and b from the decoder at 0 and at I."""
    q = vae.latent
    with torch.no_grad():
        z = torch.cat([torch.zeros(1, q), torch.eye(q)]).double()
        out = vae.decode(z, Given(torch.zeros(q + 1, 0).double())).mean
        assert isinstance(vae.p, Decoder)
        log_sigma = 7 * torch.tanh(vae.p.shared[0] / 7)
    return Linear((out[1:] - out[0]).T, out[0], float((2 * log_sigma).exp()))


class LinearVaePpca(Study):
    """A linear VAE against the closed form."""

    claim = "A linear VAE trained on the ELBO reaches the maximum of probabilistic PCA."
    paper = "Lucas et al. 2019, arXiv:1911.02469, Corollary 1; Tipping & Bishop 1999"
    protocol = (
        "Standardised real tables of scikit-learn (wine, 4 latent dimensions; breast-cancer, 6; "
        "diabetes, 3); linear encoder and decoder, one learnt noise variance, Adam at 0.01 with a "
        "cosine, every row at every step. Gap: the exact log-likelihood of the training rows under "
        "the closed form minus that under the trained decoder, in nats a row. Angle: the largest "
        "principal angle between the two subspaces. Both on the rows trained on, since that is "
        "what the theorem is about; the worst of the seeds is reported."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        return [
            row for name, q in TABLES.items() for row in one_table(name, q, STEPS[budget], seeds)
        ]


def one_table(name: str, q: int, steps: int, seeds: int) -> list[Row]:
    """The rows of one table: the gap and the angle, the worst over seeds."""
    x = standardised(name)
    best = ppca(x, q)
    found = [read_off(trained(x, q, steps, seed), x.shape[1]) for seed in range(seeds)]
    gaps = [best.log_likelihood(x) - model.log_likelihood(x) for model in found]
    angles = [principal_angle(best.w, model.w) for model in found]
    noise = [model.variance / best.variance for model in found]
    return [
        worst(f"{name}: gap to the optimum, nats a row", gaps, target=0.05),
        worst(f"{name}: largest principal angle, degrees", angles, target=5.0),
        Row(f"{name}: noise variance over its optimum", "finding", sum(noise) / seeds,
            min(noise), max(noise), seeds, "train", "lower"),
    ]  # fmt: skip


def worst(measure: str, values: list[float], target: float) -> Row:
    """A bar on the worst of several seeds; low and high are their range."""
    return Row(
        measure, "bar", max(values), min(values), max(values), len(values), "train", "lower", target
    )
