r"""What β buys and what it costs: rate, distortion and disentanglement.

The β-VAE (Higgins et al. 2017) lowers

$$ D + \beta R, \qquad D = -\mathbb E_{q(z|x)} \log p(x \mid z), \quad
   R = \mathrm{KL}\big(q(z \mid x) \,\|\, p(z)\big). $$

Where the networks reach the optimum, each β is the slope of a point on one convex curve in the
plane of R and D (Alemi et al. 2018, Fixing a Broken ELBO, arXiv:1711.00464): as β grows the rate
falls and the distortion rises. Surveys add that a larger β gives codes whose dimensions are the
factors of variation, at the price of reconstruction. Here the curve is measured on MNIST, and
reconstruction against disentanglement on discs of known place and size, by the mutual information
gap (Chen et al. 2018, arXiv:1802.04942): with I the mutual information of a factor $v_k$ and a
dimension $z_d$ of the mean code,

$$ \mathrm{MIG} = \frac1K \sum_k \frac{I(v_k; z_{(1)}) - I(v_k; z_{(2)})}{H(v_k)}, $$

(1) and (2) the two dimensions that know most of the factor: 1 where each factor has a dimension to
itself, 0 where two know it alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.space import Space
from twofold.maths.divergences import KL
from twofold.maths.schedules import Cosine
from twofold.maths.statistics import mutual_information
from twofold.measures.estimate import steady
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.studies.binary import CPU, Pictures, Point, loop_of, measured, pictures, tossed
from twofold.studies.seeds import Better, finding, least, over_seeds
from twofold.studies.study import Budget, Row, Study
from twofold.train.chance import seed_all
from twofold.train.options import Training

BETAS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
RATE, BINS = 2e-3, 20


@dataclass(frozen=True)
class Setting:
    """What is trained: a set, its networks, and how long.

    Args:
        steps, batch: of training. latent, width: of the networks. held_out: pictures looked at.
    """

    steps: int
    batch: int
    latent: int
    width: int
    held_out: int


MNIST: Mapping[Budget, Setting] = {
    "smoke": Setting(3, 20, 5, 16, 50),
    "cpu": Setting(500, 100, 20, 200, 1000),
    "paper": Setting(30_000, 100, 20, 400, 10_000),
}
DISCS: Mapping[Budget, Setting] = {
    "smoke": Setting(3, 20, 5, 16, 50),
    "cpu": Setting(1000, 100, 6, 128, 2000),
    "paper": Setting(30_000, 100, 6, 256, 2000),
}


class BetaTradeoff(Study):
    """Rate, distortion and disentanglement by β."""

    claim = (
        "From β = 0.1 to 16 the rate falls and the distortion rises; reconstruction is paid for "
        "disentanglement."
    )
    paper = "Alemi et al. 2018, arXiv:1711.00464; Higgins et al. 2017; Chen et al. 2018"
    protocol = (
        "β of 0.1, 0.25, 0.5, 1, 2, 4, 8, 16. The curve: dynamically binarised MNIST, dense "
        "networks 2 × 200 (paper 400), latent 20, 500 steps of 100 (paper 30,000); rate in closed "
        "form and distortion from 4 draws on 1,000 (paper 10,000) test pictures. A bar asks that "
        "the rank correlation with β is perfect in every seed, another that between adjacent β "
        "the lower end of the least paired difference over seeds is above zero. Disentanglement: "
        "16 × 16 binary pictures of a disc, 10 × 10 places and 5 radii, a latent of 6, 1,000 steps "
        "of 100 (paper 30,000); "
        "the mutual information gap of the mean code, 20 equally filled bins, and the distortion, "
        "over all 500 with their noise drawn again. Adam at 2e-3 with a cosine; averaged weights; "
        "nothing is chosen."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        digits, discs = pictures("mnist"), Discs.made()
        curves = [curve(digits, MNIST[budget], seed) for seed in range(seeds)]
        codes = [learnt(discs, DISCS[budget], seed) for seed in range(seeds)]
        return [*of_curves(curves), *of_codes(codes)]


# The curve.


def fitted(data: Pictures, setting: Setting, beta: float, seed: int) -> VAE:
    """A β-VAE."""
    seed_all(CPU, seed)
    net = Dense(setting.width, 2)
    vae = VAE(data.space, Space(), setting.latent, net, net, divergence=KL(beta=beta))
    training = Training(
        setting.steps, setting.batch, seed=seed, lr=RATE, schedule=Cosine(warmup=0.02)
    )
    loop = loop_of(vae, data.train, training)
    while not loop.done:
        loop.advance()
    made = loop.averaged
    assert isinstance(made, VAE)
    return made


def curve(data: Pictures, setting: Setting, seed: int) -> list[Point]:
    """The point of each β."""
    x = data.test[: setting.held_out]
    return [measured(fitted(data, setting, beta, seed), x) for beta in BETAS]


def of_curves(curves: Sequence[Sequence[Point]]) -> list[Row]:
    """The points, and whether they stand in order."""
    rates, distortions = ([[p[axis] for p in points] for points in curves] for axis in (0, 1))
    return [
        *by_beta("MNIST: rate, nats", rates, "lower"),
        *by_beta("MNIST: distortion, nats", distortions, "lower"),
        in_order("MNIST: rate falls with β", [[-v for v in values] for values in rates]),
        in_order("MNIST: distortion rises with β", distortions),
        apart("MNIST: rate falls from each β to the next", [[-v for v in r] for r in rates]),
        apart("MNIST: distortion rises from each β to the next", distortions),
    ]


def by_beta(what: str, by_seed: Sequence[Sequence[float]], better: Better) -> list[Row]:
    """A finding for each β."""
    columns = zip(*by_seed, strict=True)
    return [
        finding(f"{what}, β = {beta:g}", values, "test", better)
        for beta, values in zip(BETAS, columns, strict=True)
    ]


def in_order(what: str, by_seed: Sequence[Sequence[float]]) -> Row:
    """A bar: the rank correlation with β is 1 in every seed."""
    found = [rank_correlation(BETAS, values) for values in by_seed]
    name = f"{what}: rank correlation, worst seed"
    return Row(name, "bar", min(found), min(found), max(found), len(found), "test", "higher", 1.0)


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Spearman's; 0 where one side is constant, and has no order.

    >>> rank_correlation([1, 2, 3], [5, 6, 9]), rank_correlation([1, 2, 3], [3, 2, 1])
    (1.0, -1.0)
    """
    from scipy.stats import spearmanr

    if min(len(set(a)), len(set(b))) == 1:
        return 0.0
    return round(float(spearmanr(a, b).statistic), 12)


def apart(what: str, by_seed: Sequence[Sequence[float]]) -> Row:
    """A bar: every step of β moves the figure, the least by the lower end of its interval."""
    columns = list(zip(*by_seed, strict=True))
    steps = [
        over_seeds([b - a for a, b in zip(here, there, strict=True)])
        for here, there in pairwise(columns)
    ]
    worst = min(steps, key=least)
    name = f"{what}: lower end of the least step, nats"
    n = len(by_seed)
    return Row(name, "bar", least(worst), worst.low, worst.high, n, "test", "higher", 0.0)


# Disentanglement.


@dataclass(frozen=True)
class Discs:
    """All discs, (N, 1, 16, 16), with the numbers of their places and radii, (N, 3)."""

    pictures: Pictures
    factors: Tensor

    @classmethod
    def made(cls) -> Discs:
        """Ten places along each axis and five radii; every combination once."""
        radii, places = torch.linspace(1.5, 3.0, 5), torch.linspace(3.0, 12.0, 10)
        factors = torch.cartesian_prod(torch.arange(10), torch.arange(10), torch.arange(5))
        column, row, radius = places[factors[:, 0]], places[factors[:, 1]], radii[factors[:, 2]]
        at = torch.arange(16.0)
        down = (at[None, :, None] - row[:, None, None]).square()
        across = (at[None, None, :] - column[:, None, None]).square()
        edge = radius[:, None, None] - (down + across).sqrt()
        grey = (edge + 0.5).clamp(0, 1).unsqueeze(1)  # (N, 1, 16, 16), a soft rim
        return cls(Pictures(grey, tossed(grey, 1), tossed(grey, 2)), factors)


class Learnt(NamedTuple):
    """What a β gives on discs."""

    mig: float
    distortion: float


def learnt(discs: Discs, setting: Setting, seed: int) -> list[Learnt]:
    """The gap and the distortion of each β."""
    found = []
    for beta in BETAS:
        vae = fitted(discs.pictures, setting, beta, seed)
        x = discs.pictures.test
        with steady(vae, 0):
            q = vae.encode(x, Given.none(len(x), Space()))
        found.append(Learnt(gap(q.mean, discs.factors), measured(vae, x).distortion))
    return found


def gap(codes: Tensor, factors: Tensor) -> float:
    """The mutual information gap of codes (N, D) and whole factors (N, K).

    Not the measure `mig`, whose bins are of equal width: here they are filled equally, and the bias
    that few codes have is taken off, so that the two differ by about 0.01.

    >>> factors = torch.cartesian_prod(torch.arange(4), torch.arange(4)).repeat(50, 1)
    >>> round(gap(factors.double(), factors), 2)
    1.0
    >>> round(gap(factors[:, :1].double().repeat(1, 2), factors[:, :1]), 2)
    0.0
    """
    gaps = []
    for factor in factors.T.contiguous():
        known = sorted(float(mutual_information(z, factor, BINS)) for z in codes.T.contiguous())
        gaps.append((known[-1] - known[-2]) / entropy(factor))
    return math.fsum(gaps) / len(gaps)


def entropy(factor: Tensor) -> float:
    """Of whole numbers, in nats."""
    p = torch.bincount(factor).double() / len(factor)
    return -float(torch.xlogy(p, p).sum())


def of_codes(by_seed: Sequence[Sequence[Learnt]]) -> list[Row]:
    """Both figures by β, and how they go together over β."""
    gaps, distortions = ([[found[axis] for found in seed] for seed in by_seed] for axis in (0, 1))
    together = [rank_correlation(g, d) for g, d in zip(gaps, distortions, strict=True)]
    with_beta = [rank_correlation(BETAS, g) for g in gaps]
    return [
        *by_beta("discs: mutual information gap", gaps, "higher"),
        *by_beta("discs: distortion, nats", distortions, "lower"),
        correlated("discs: rank correlation of the gap with β", with_beta),
        correlated("discs: rank correlation of the gap with the distortion", together),
    ]


def correlated(measure: str, values: Sequence[float]) -> Row:
    """A finding of correlations; its interval does not leave [−1, 1]."""
    row = finding(measure, values, "test", "higher")
    return replace(row, low=max(row.low, -1.0), high=min(row.high, 1.0))
