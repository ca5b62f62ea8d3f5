"""Total correlation against the closed form of Gaussians, and UDR of codes made alike or not."""

import math

import pytest
import torch
from torch import Tensor

from tests.measures import worlds
from twofold.measures.agreement import alike, udr
from twofold.measures.correlation import TotalCorrelation, independent, linear, terms
from twofold.measures.latent import Codes


def correlated(rho: float, n: int, sigma: float = 0.6) -> Codes:
    """Two dimensions; the aggregated posterior is a Gaussian of variance 1 each."""
    variance = 1 - sigma**2
    z = torch.randn(n, 2, dtype=torch.float64)
    mixed = rho * z[:, 0] + math.sqrt(1 - rho**2) * z[:, 1]
    mean = variance**0.5 * torch.stack([z[:, 0], mixed], 1)
    return Codes(mean, torch.full_like(mean, sigma), torch.zeros_like(mean))


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_mixture_estimate_comes_to_the_total_correlation_of_a_gaussian(rho: float) -> None:
    sigma = 0.6
    codes = correlated(rho, 2000, sigma)
    r = rho * (1 - sigma**2)  # of the draws: their own noise is independent
    exact = -0.5 * math.log(1 - r**2)
    assert float(terms(codes, 0).mean()) == pytest.approx(exact, abs=0.05)
    assert float(terms(independent(codes, 0), 0).mean()) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_gaussian_estimate_is_of_the_means(rho: float) -> None:
    code = correlated(rho, 20_000).mean
    assert float(linear(code)) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.02)
    assert float(linear(torch.cat([code, torch.zeros(len(code), 3)], 1))) == float(linear(code))
    assert float(linear(code[:, :1])) == 0


def test_the_floor_shows_the_bias_of_few_codes() -> None:
    """Sharp posteriors of few codes look dependent whatever the truth is."""
    n = 100
    sharp = Codes(
        torch.randn(n, 6, dtype=torch.float64),
        torch.full((n, 6), 0.01, dtype=torch.float64),
        torch.zeros(n, 6),
    )
    value, floor = (float(terms(c, 0).mean()) for c in (sharp, independent(sharp, 0)))
    assert floor > 3
    assert value == pytest.approx(floor, abs=0.15 * floor)


def test_it_is_a_measure_of_a_model() -> None:
    model = worlds.LinearGaussian(torch.tensor([2.0, 1.0]), 5)
    evidence = worlds.linear_evidence(model, 1000)
    mixture, gaussian = TotalCorrelation()(evidence)
    assert mixture.value == pytest.approx(0, abs=0.05)  # its aggregated posterior is the prior
    assert gaussian.value == pytest.approx(0, abs=0.02)
    assert (mixture.unit, mixture.better) == ("nats", "neither")


ONES = torch.ones(3)


def draws(seed: int) -> Tensor:
    return torch.randn(500, 3, generator=torch.Generator().manual_seed(seed))


def test_models_alike_up_to_order_sign_and_bending_agree_wholly() -> None:
    z = draws(0)
    same = udr([z, -z[:, [2, 0, 1]], z.exp()], [ONES] * 3)
    assert same.min() > 0.85  # 1 but for chance correlations of 500 rows
    large = torch.randn(20_000, 3)
    assert float(alike(large, -large[:, [1, 2, 0]])) > 0.97


def test_rotations_agree_less_and_strangers_not_at_all() -> None:
    z = draws(0)
    Q = torch.linalg.qr(draws(9)[:3]).Q
    turned = udr([z, z @ Q], [ONES] * 2)
    strange = udr([z, draws(1)], [ONES] * 2)
    assert strange.max() < 0.1
    assert strange.max() + 0.1 < turned.max() < 0.8


def test_unused_dimensions_do_not_count() -> None:
    z = draws(0)
    padded = torch.cat([z, torch.randn(500, 2)], 1)
    rates = torch.tensor([1, 1, 1, 0.001, 0.0])
    assert torch.equal(udr([z, padded], [ONES, rates]), udr([z, z], [ONES, ONES]))
    assert udr([z, z], [ONES, torch.zeros(3)]).tolist() == [0, 0]


def test_the_one_that_disagrees_is_ranked_last() -> None:
    z = draws(0)
    scores = udr([z, z.exp(), draws(1), -z], [ONES] * 4)
    assert scores.argmin() == 2
