"""Annealed importance sampling against closed forms: Gaussians whose evidence is known."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from twofold.maths.annealing import (
    Target,
    backward,
    forward,
    hamiltonian,
    temperatures,
    tuned,
)

X, NOISE, DIM = 1.5, 0.5, 2
CHAINS = 400


def standard(z: Tensor) -> Tensor:
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)


def likelihood(z: Tensor) -> Tensor:
    """x_d = z_d + noise, every x_d = X."""
    return -0.5 * (((X - z) / NOISE).square() + math.log(2 * math.pi * NOISE**2)).sum(1)


TARGET = Target(standard, likelihood)
VARIANCE = 1 + NOISE**2
EXACT = -0.5 * DIM * (X**2 / VARIANCE + math.log(2 * math.pi * VARIANCE))


def paths(steps: int, leapfrog: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """log w forwards and backwards, and the ends of the chains that went forwards."""
    betas = temperatures(steps)
    start = torch.randn(CHAINS, DIM)
    sizes = tuned(TARGET, start, betas, leapfrog)
    mean, std = X / VARIANCE, math.sqrt(NOISE**2 / VARIANCE)
    posterior = mean + std * torch.randn(CHAINS, DIM)
    return (
        forward(TARGET, start, betas, sizes, leapfrog),
        backward(TARGET, posterior, betas, sizes, leapfrog),
        torch.tensor(sizes),
    )


def test_the_weights_are_unbiased_on_a_short_path_too() -> None:
    """E[w] = p(x) and E[1 / w] = 1 / p(x), however few the steps: only the spread suffers."""
    for steps in (5, 30):
        up, down, _ = paths(steps)
        ratio, inverse = (up - EXACT).exp(), (EXACT - down).exp()
        assert ratio.mean() == pytest.approx(1, abs=4 * float(ratio.std()) / CHAINS**0.5)
        assert inverse.mean() == pytest.approx(1, abs=4 * float(inverse.std()) / CHAINS**0.5)


def test_the_two_directions_bracket_the_truth_and_close_with_the_steps() -> None:
    gaps = []
    for steps in (5, 80):
        up, down, _ = paths(steps)
        assert up.mean() < EXACT < down.mean()
        gaps.append(float(down.mean() - up.mean()))
    assert gaps[1] < 0.2 * gaps[0]


def test_a_transition_leaves_its_density_alone() -> None:
    mean, std = X / VARIANCE, math.sqrt(NOISE**2 / VARIANCE)
    z = mean + std * torch.randn(4000, DIM)
    for _ in range(10):
        z, chance = hamiltonian(TARGET, z, 1.0, 0.5, 4)
    assert 0.5 < chance.mean() < 1
    assert z.mean() == pytest.approx(mean, abs=0.03)
    assert z.std() == pytest.approx(std, abs=0.02)


def test_a_transition_that_cannot_be_accepted_stays() -> None:
    z = torch.randn(5, DIM)
    moved, chance = hamiltonian(TARGET, z, 1.0, 1e6, 3)
    assert torch.equal(moved, z)
    assert not chance.any()


def test_steps_are_tuned_towards_the_acceptance_aimed_at() -> None:
    *_, sizes = paths(200)
    assert sizes[-1] > 0.5  # it began too small for this density
    z = X / VARIANCE + math.sqrt(NOISE**2 / VARIANCE) * torch.randn(2000, DIM)
    chance = hamiltonian(TARGET, z, 1.0, float(sizes[-1]), 5).chance
    assert 0.5 < chance.mean() < 0.8


def test_temperatures_go_from_the_prior_to_the_posterior() -> None:
    betas = temperatures(50)
    assert (betas[0], betas[-1], len(betas)) == (0.0, 1.0, 51)
    assert all(a < b for a, b in pairwise(betas))
