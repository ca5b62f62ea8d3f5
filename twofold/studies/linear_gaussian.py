r"""Every bound, every estimator and every posterior against a model whose answers are known.

A linear decoder makes a VAE a linear-Gaussian model, $z \sim \mathcal N(0, I)$,
$x \mid z \sim \mathcal N(Wz + b, \sigma^2 I)$, whose likelihood and posterior are closed forms
(Tipping & Bishop 1999):

$$ x \sim \mathcal N(b, W W^\top + \sigma^2 I), \qquad
   z \mid x \sim \mathcal N(\Lambda^{-1} W^\top (x - b) / \sigma^2,\; \Lambda^{-1}), \qquad
   \Lambda = I + W^\top W / \sigma^2. $$

Hence what each part of the VAE must give:

- at the true posterior all weights are $w_k = p(x)$, so that every bound is $\log p(x)$, with any
  draws, and the doubly reparameterised gradient of the encoder is zero (Tucker et al. 2019,
  arXiv:1810.04152);
- at a wrong one, $\mathcal L_1 = \log p(x) - \mathrm{KL}(q \,\|\, p(z \mid x))$, the bounds rise
  with K to $\log p(x)$ (Burda et al. 2016, arXiv:1509.00519), and each equals its formula, written
  out over single draws with the densities of another library;
- the best diagonal posterior has the diagonal of Λ as its precision, so that it stays
  $\tfrac12 (\sum_d \log \Lambda_{dd} - \log \det \Lambda)$ nats below; a full one stays none.

The model is the maximum likelihood fit to a real table, the 178 wines of scikit-learn, with W
turned so that the true posterior is not diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.space import Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.bounds import CIWAE, ELBO, IWAE, MIWAE, PIWAE, Bound, Draws, Dreg
from twofold.maths.distributions import FullNormal, Posterior
from twofold.maths.likelihoods import Gaussian
from twofold.maths.schedules import Cosine
from twofold.measures.likelihood import importance_weighted
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.nets.posteriors import LIMIT, Diagonal, Form, Full
from twofold.studies.linear_vae_ppca import ppca, standardised
from twofold.studies.seeds import exact, finding
from twofold.studies.study import Budget, Row, Study
from twofold.train.chance import seed_all
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

LATENT = 4
STEPS: Mapping[Budget, int] = {"smoke": 50, "cpu": 4000, "paper": 20000}
REPEATS: Mapping[Budget, int] = {"smoke": 10, "cpu": 400, "paper": 4000}
"""Draws a row of which the mean of a bound is taken."""
SAMPLES: Mapping[Budget, int] = {"smoke": 200, "cpu": 5000, "paper": 50000}
"""Draws a row of the likelihood estimator."""
REPEATS_OF_GRADIENTS: Mapping[Budget, int] = {"smoke": 20, "cpu": 500, "paper": 10000}
LADDER = (1, 2, 5, 20, 100)
"""Numbers of draws along which the bound must rise."""
WRONG = (0.3, 0.25)
"""How far the wrong posterior is off: its mean, and the logarithm of its scale."""


@dataclass(frozen=True)
class Truth:
    """A linear-Gaussian model: W (d, q), b (d,), σ."""

    W: Tensor
    b: Tensor
    sigma: float

    @property
    def precision(self) -> Tensor:
        """Λ, (q, q)."""
        return torch.eye(self.W.shape[1]).double() + self.W.T @ self.W / self.sigma**2

    def log_likelihood(self, x: Tensor) -> Tensor:
        """log p(x) of each row, (N,)."""
        d = len(self.W)
        covariance = self.W @ self.W.T + self.sigma**2 * torch.eye(d).double()
        return torch.distributions.MultivariateNormal(self.b, covariance).log_prob(x)

    def posterior(self, x: Tensor) -> FullNormal:
        """p(z | x) of each row."""
        covariance = torch.linalg.inv(self.precision)
        mean = (x - self.b) @ self.W @ covariance / self.sigma**2
        return FullNormal(mean, torch.linalg.cholesky(covariance).expand(len(x), -1, -1))

    @property
    def diagonal_gap(self) -> float:
        """The least KL of a diagonal posterior to the true one, in nats."""
        log_diagonal = self.precision.diagonal().log().sum()
        return float(0.5 * (log_diagonal - torch.logdet(self.precision)))


def fitted(x: Tensor, seed: int) -> Truth:
    """The maximum likelihood model of a table, its latent axes turned at random."""
    best = ppca(x, LATENT)
    chance = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(LATENT, LATENT, generator=chance).double()).Q
    return Truth(best.w @ turn, best.b, math.sqrt(best.variance))


def vae_of(truth: Truth, form: Form, bound: Bound) -> VAE:
    """A linear VAE whose decoder is the model."""
    linear, space = Dense(depth=0), Space((Field("x", Real(), size=len(truth.b)),))
    likelihood = (Gaussian(scale="fixed", std=truth.sigma),)
    vae = VAE(space, Space(), LATENT, linear, linear, form, likelihood=likelihood, bound=bound)
    (layer,) = (m for m in vae.p.modules() if isinstance(m, torch.nn.Linear))
    layer.weight.data, layer.bias.data = truth.W.clone(), truth.b.clone()
    return vae.double()


def at_posterior(vae: VAE, truth: Truth, off: tuple[float, float] = (0.0, 0.0)) -> VAE:
    """Set a full encoder to the true posterior, or to one that is off by so much."""
    true = truth.posterior(truth.b.unsqueeze(0))
    L = true.scale[0] * math.exp(off[1])
    raw = LIMIT * torch.atanh(L.diagonal().log() / LIMIT)  # undo the head's soft limit
    row, column = torch.tril_indices(LATENT, LATENT, -1)
    reads = true.scale[0] @ true.scale[0].T @ truth.W.T / truth.sigma**2  # (q, d)
    (layer,) = (m for m in vae.q.modules() if isinstance(m, torch.nn.Linear))
    layer.weight.data.zero_()
    layer.weight.data[:LATENT] = reads
    layer.bias.data = torch.cat([off[0] - reads @ truth.b, raw, L[row, column]])
    return vae


def nothing(rows: int) -> Given:
    """Nothing given, in double precision."""
    return Given(torch.zeros(rows, 0).double())


def drawn(vae: VAE, x: Tensor, k: int) -> Draws:
    """K draws a row."""
    return vae.draws(x, nothing(len(x)), k)


# What the definitions give, in plain Python, from log w (N × M K).

Weights = Sequence[Sequence[float]]


def log_mean(terms: Sequence[float]) -> float:
    """log of the mean of exp."""
    top = max(terms)
    return top + math.log(math.fsum(math.exp(term - top) for term in terms) / len(terms))


def loss(log_w: Weights, m: int) -> float:
    """Minus the mean over the rows of the mean of m bounds."""
    by_row = []
    for row in log_w:
        k = len(row) // m
        by_row.append(math.fsum(log_mean(row[i * k : (i + 1) * k]) for i in range(m)) / m)
    return -math.fsum(by_row) / len(by_row)


@dataclass(frozen=True)
class Claim:
    """A bound, and the loss of each player that is one by its definition."""

    bound: Bound
    losses: Callable[[Weights], Mapping[str, float]]


CLAIMS: Mapping[str, Claim] = {
    "elbo": Claim(ELBO(), lambda w: {"autoencoder": loss(w, 1)}),
    "iwae, K = 6": Claim(IWAE(6), lambda w: {"autoencoder": loss(w, 1)}),
    "miwae, M = 2, K = 3": Claim(MIWAE(2, 3), lambda w: {"autoencoder": loss(w, 2)}),
    "piwae, M = 3, K = 2": Claim(
        PIWAE(3, 2), lambda w: {"encoder": loss(w, 3), "decoder": loss(w, 1)}
    ),
    "ciwae, K = 6": Claim(
        CIWAE(0.3, 6), lambda w: {"autoencoder": 0.3 * loss(w, 6) + 0.7 * loss(w, 1)}
    ),
    "dreg, K = 6": Claim(Dreg(6), lambda w: {"decoder": loss(w, 1)}),
}
"""Dreg's loss of the encoder is there for its gradient alone."""


# At the true posterior.


def exactness(x: Tensor, truth: Truth) -> dict[str, float]:
    """How far each bound is from log p(x), at worst over its draws and players."""
    log_p = truth.log_likelihood(x)
    worst = {}
    for name, claim in CLAIMS.items():
        vae = at_posterior(vae_of(truth, Full(), claim.bound), truth)
        draws = drawn(vae, x, claim.bound.draws)
        losses = claim.bound.losses(draws)
        apart = [
            float((losses[player].detach() + log_p.mean()).abs())
            for player in claim.losses([[0.0] * 6])
        ]
        worst[name] = max(*apart, float((draws.log_w.detach() - log_p).abs().max()))
    return worst


def vanishing(x: Tensor, truth: Truth) -> float:
    """The largest entry of Dreg's gradient of the encoder."""
    vae = at_posterior(vae_of(truth, Full(), Dreg(6)), truth)
    return float(gradient(vae, Dreg(6), "encoder", x).abs().max())


# At a wrong posterior.


def formulas(x: Tensor, truth: Truth) -> dict[str, float]:
    """How far each loss is from its formula over single draws, at worst over its players."""
    worst = {}
    for name, claim in CLAIMS.items():
        vae = at_posterior(vae_of(truth, Full(), claim.bound), truth, WRONG)
        draws = drawn(vae, x, claim.bound.draws)
        ours = claim.bound.losses(draws)
        theirs = claim.losses(by_hand(draws, x, truth))
        worst[name] = max(abs(float(ours[player].detach()) - theirs[player]) for player in theirs)
    return worst


def by_hand(draws: Draws, x: Tensor, truth: Truth) -> list[list[float]]:
    """log w of every row and draw, with SciPy's densities, one at a time."""
    q, k = draws.q, draws.k
    assert isinstance(q, FullNormal)
    covariance = (q.scale[0] @ q.scale[0].T).detach().numpy()
    z, mu = draws.z.detach().numpy(), q.mu.detach().numpy()
    W, b, noise = truth.W.numpy(), truth.b.numpy(), truth.sigma**2 * np.eye(len(truth.b))

    def log_w(row: NDArray[Any], at: int) -> float:
        log_px = multivariate_normal.logpdf(row, W @ z[at] + b, noise)
        log_pz = multivariate_normal.logpdf(z[at], np.zeros(LATENT), np.eye(LATENT))
        return float(log_px + log_pz - multivariate_normal.logpdf(z[at], mu[at], covariance))

    return [[log_w(row, i * k + j) for j in range(k)] for i, row in enumerate(x.numpy())]


def from_truth(q: Posterior, truth: Truth, x: Tensor) -> Tensor:
    """KL(q ‖ p(z | x)) of each row, in closed form."""
    own = q.scale if isinstance(q, FullNormal) else torch.diag_embed(q.sigma)
    exact_q = truth.posterior(x)
    return torch.distributions.kl_divergence(
        torch.distributions.MultivariateNormal(q.mean, scale_tril=own),
        torch.distributions.MultivariateNormal(exact_q.mu, scale_tril=exact_q.scale),
    )


@torch.no_grad()
def ladder(x: Tensor, truth: Truth, repeats: int) -> dict[int, Tensor]:
    """The mean over rows of L_K, (repeats,), for each K."""
    vae = at_posterior(vae_of(truth, Full(), ELBO()), truth, WRONG)
    return {
        k: torch.stack([vae.log_likelihood(x, nothing(len(x)), k).mean() for _ in range(repeats)])
        for k in LADDER
    }


@torch.no_grad()
def elbo_error(x: Tensor, truth: Truth, elbos: Tensor) -> float:
    """Standard errors between the mean ELBO and log p(x) − KL(q ‖ p(z | x))."""
    q = at_posterior(vae_of(truth, Full(), ELBO()), truth, WRONG).encode(x, nothing(len(x)))
    goal = (truth.log_likelihood(x) - from_truth(q, truth, x)).mean()
    return float((elbos.mean() - goal).abs() / standard_error(elbos))


def standard_error(values: Tensor) -> Tensor:
    return values.std(0) / math.sqrt(len(values))


@torch.no_grad()
def estimated(x: Tensor, truth: Truth, samples: int) -> float:
    """log p(x) minus its estimate from so many draws a row, mean over rows, in nats."""
    vae = at_posterior(vae_of(truth, Full(), ELBO()), truth, WRONG)
    batch = Batch.of(x, nothing(len(x)))
    found = importance_weighted(vae, batch, samples, 100)
    return float((truth.log_likelihood(x) - found).mean())


def gradient(vae: VAE, bound: Bound, player: str, x: Tensor) -> Tensor:
    """The gradient of a loss by the encoder's parameters, flat."""
    value = bound.losses(drawn(vae, x, bound.draws))[player]
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, list(vae.q.parameters()))])


def gradients(x: Tensor, truth: Truth, repeats: int) -> tuple[float, float]:
    """IWAE's gradient of the encoder against Dreg's, over repeats.

    Returns:
        The largest difference of means in standard errors, and the ratio of the variances.
    """
    vae = at_posterior(vae_of(truth, Full(), Dreg(6)), truth, WRONG)
    plain = torch.stack([gradient(vae, IWAE(6), "autoencoder", x) for _ in range(repeats)])
    path = torch.stack([gradient(vae, Dreg(6), "encoder", x) for _ in range(repeats)])
    error = (standard_error(plain).square() + standard_error(path).square()).sqrt()
    apart = (plain.mean(0) - path.mean(0)).abs() / error
    return float(apart.max()), float(path.var(0).sum() / plain.var(0).sum())


# Posteriors that learn.


def learnt_gap(x: Tensor, truth: Truth, form: Form, steps: int, seed: int) -> float:
    """The mean KL(q ‖ p(z | x)) of an encoder trained on the ELBO under the fixed decoder."""
    seed_all(torch.device("cpu"), seed)
    vae = vae_of(truth, form, ELBO())
    vae.p.requires_grad_(False)
    training = Training(steps, len(x), seed=seed, lr=0.01, schedule=Cosine(), average=0.0)
    feed = Feed(Memory(x, x[:, :0]), vae.space, Space(), len(x), seed, torch.device("cpu"))
    loop = Loop(vae, feed, training)
    while not loop.done:
        loop.advance()
    with torch.no_grad():
        return float(from_truth(vae.encode(x, nothing(len(x))), truth, x).mean())


class LinearGaussian(Study):
    """The parts of a VAE against closed forms."""

    claim = "Every bound, likelihood estimator and posterior gives a linear model's exact answer."
    paper = "Tipping & Bishop 1999; Burda et al. 2016, arXiv:1509.00519; Tucker et al. 2019"
    protocol = (
        "The maximum likelihood linear-Gaussian model with 4 latent dimensions of the 178 "
        "standardised wines of scikit-learn, the latent axes turned at random by seed; double "
        "precision. At the true posterior every bound must be log p(x) whatever is drawn. At one "
        f"whose mean is off by {WRONG[0]} and whose scale is {math.exp(WRONG[1]):.2f} times too "
        "wide, each loss must be its formula, summed in plain Python over SciPy's densities of "
        "single draws (20 rows); the mean ELBO must be log p(x) − KL; the bounds must rise with "
        "K; Dreg's gradient of the encoder must have the mean of IWAE's. Standard errors are "
        "those of the Monte Carlo; with 196 parameters the largest of as many normal deviates is "
        "expected near 3. Learnt posteriors: the encoder alone, Adam at 0.01 with a cosine, every "
        "row at every step. The worst of the seeds is reported."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        x = standardised("wine")
        worlds = [(seed, fitted(x, seed)) for seed in range(seeds)]
        return [
            *at_the_truth(x, worlds),
            *off_the_truth(x, worlds, budget),
            *learnt(x, worlds, STEPS[budget]),
        ]


Worlds = Sequence[tuple[int, Truth]]


def at_the_truth(x: Tensor, worlds: Worlds) -> list[Row]:
    """The rows of the true posterior."""
    found = [seeded(seed, exactness, x, truth) for seed, truth in worlds]
    flat = [seeded(seed, vanishing, x, truth) for seed, truth in worlds]
    rows = [
        exact(f"{name}: distance to log p(x) at the true posterior", [f[name] for f in found], 1e-9)
        for name in CLAIMS
    ]
    return [*rows, exact("dreg: the encoder's gradient at the true posterior", flat, 1e-9)]


def off_the_truth(x: Tensor, worlds: Worlds, budget: Budget) -> list[Row]:
    """The rows of the wrong posterior."""
    hands = [seeded(seed, formulas, x[:20], truth) for seed, truth in worlds]
    steps = [seeded(seed, ladder, x, truth, REPEATS[budget]) for seed, truth in worlds]
    elbos = [elbo_error(x, t, by_k[1]) for (_, t), by_k in zip(worlds, steps, strict=True)]
    nll = [abs(seeded(seed, estimated, x, truth, SAMPLES[budget])) for seed, truth in worlds]
    repeats = REPEATS_OF_GRADIENTS[budget]
    slopes = [seeded(seed, gradients, x, truth, repeats) for seed, truth in worlds]
    return [
        *(exact(f"{n}: distance to its formula by hand", [h[n] for h in hands], 1e-9)
          for n in CLAIMS),
        exact("elbo: distance to log p(x) less the KL to the posterior, standard errors",
              elbos, 4.0),
        *rising(x, worlds, steps),
        exact(f"nll: distance of {SAMPLES[budget]} draws to −log p(x), nats", nll, 0.01),
        exact("dreg: mean gradient against iwae's, largest of 196, standard errors",
              [apart for apart, _ in slopes], 4.5),
        finding("dreg: variance of its gradient, share of iwae's", [v for _, v in slopes], "train",
                "lower"),
    ]  # fmt: skip


def rising(x: Tensor, worlds: Worlds, ladders: Sequence[Mapping[int, Tensor]]) -> list[Row]:
    """How far below log p(x) the bound of each K is; and that each step of K raises it."""
    below = {
        k: [float(t.log_likelihood(x).mean() - by_k[k].mean())
            for (_, t), by_k in zip(worlds, ladders, strict=True)]
        for k in LADDER
    }  # fmt: skip
    rises = [
        float((by_k[more].mean() - by_k[less].mean())
              / (standard_error(by_k[more]).square() + standard_error(by_k[less]).square()).sqrt())
        for by_k in ladders for less, more in pairwise(LADDER)
    ]  # fmt: skip
    least = Row("iwae: the least rise from one K to the next, standard errors", "bar", min(rises),
                min(rises), max(rises), len(rises), "train", "higher", 0.0)  # fmt: skip
    gaps = [
        finding(f"iwae: nats below log p(x), K = {k}", v, "train", "lower")
        for k, v in below.items()
    ]
    return [*gaps, least]


def learnt(x: Tensor, worlds: Worlds, steps: int) -> list[Row]:
    """The rows of the learnt posteriors."""
    diagonal = [
        abs(learnt_gap(x, t, Diagonal(), steps, seed) - t.diagonal_gap) for seed, t in worlds
    ]
    full = [learnt_gap(x, t, Full(), steps, seed) for seed, t in worlds]
    lost = [t.diagonal_gap for _, t in worlds]
    return [
        exact("diagonal posterior, learnt: distance of its KL to the least possible, nats",
              diagonal, 0.01),
        exact("full posterior, learnt: KL to the true one, nats", full, 0.01),
        finding("the least KL of a diagonal posterior, nats", lost, "train", "lower"),
    ]  # fmt: skip


P = ParamSpec("P")
R = TypeVar("R")


def seeded(seed: int, of: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """A computation whose draws begin from a seed."""
    seed_all(torch.device("cpu"), seed)
    return of(*args, **kwargs)
