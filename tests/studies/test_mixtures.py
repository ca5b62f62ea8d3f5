"""The studies of modes and inference: figures of draws that are known, and what bars ask for."""

import math

import pytest
import torch

from twofold.studies import ali, mode_regularised, stacked_mnist
from twofold.studies.mixtures import GRID, RING, Judged, Mixture, Reported, bars, findings, judged


@pytest.mark.parametrize("mixture", [RING, GRID])
def test_draws_of_the_mixture_reach_the_ceiling(mixture: Mixture) -> None:
    n, modes = 50_000, len(mixture.centres)
    torch.manual_seed(0)
    found = judged(mixture.draw(n), mixture)
    assert found.modes == modes
    assert found.quality == pytest.approx(1 - math.exp(-4.5), abs=0.002)
    assert found.reverse_kl == pytest.approx((modes - 1) / (2 * n), abs=5e-4)  # chance alone


def test_lost_modes_and_stray_draws_are_seen() -> None:
    torch.manual_seed(0)
    x = GRID.draw(40_000)
    left = x[x[:, 0] < 1]  # three columns of five
    found = judged(left, GRID)
    assert found.modes == 15
    assert found.reverse_kl == pytest.approx(math.log(25 / 15), abs=0.01)
    assert judged(x + torch.tensor([0.1, 0.0]), GRID).quality < 0.9
    assert judged(x + 1, GRID) == Judged(0, 0, math.log(25))
    few = torch.cat([left, torch.tensor([[4.0, 4.0]])])
    assert judged(few, GRID).modes == 16  # one draw is enough


def test_standardised_coordinates_have_a_deviation_of_one() -> None:
    torch.manual_seed(0)
    for mixture in (RING, GRID):
        x = mixture.space.encode(mixture.draw(100_000))
        torch.testing.assert_close(x.std(0), torch.ones(2), atol=0.01, rtol=0)


def test_one_seed_without_a_mode_fails_the_bar() -> None:
    best = Reported(7.9, 0.956, 0.07)
    good, lost = Judged(8, 0.98, 0.01), Judged(7, 0.98, 0.03)
    assert [row.holds for row in bars("ours", [good, good], RING, best)] == [True] * 3
    assert [row.holds for row in bars("ours", [good, lost], RING, best)] == [False, True, True]
    assert all(row.holds is None for row in findings("plain", [good, lost], RING, [best]))


# mode-regularised


def test_intervals_that_overlap_fail_the_bar() -> None:
    plain = [5.0, 6.0, 5.0]
    assert mode_regularised.apart("", plain, [0.0, 1.0, 0.0]).holds
    assert not mode_regularised.apart("", plain, [4.0, 5.0, 4.0]).holds
    assert not mode_regularised.apart("", plain, plain).holds


# ali


@pytest.mark.parametrize("name", ali.WORLDS)
def test_a_turned_latent_is_told_and_another_is_not(name: str) -> None:
    world = ali.WORLDS[name]
    z, x = ali.made(world, 4000, 0)
    turn = torch.linalg.qr(torch.randn(2, 2)).Q
    assert ali.told(world, z @ turn, z) > 0.99
    assert abs(ali.told(world, torch.randn(4000, 2), z)) < 0.15
    assert 0.93 < ali.told(world, x, z) < 1


def test_an_observation_tells_of_the_linear_latent_what_its_posterior_knows() -> None:
    world = ali.WORLDS["linear"]
    z, x = ali.made(world, 20_000, 0)
    left = ali.SIGMA**2 / (ali.SIGMA**2 + 4)  # the posterior's variance, columns of length two
    assert ali.told(world, x, z) == pytest.approx(1 - left, abs=2e-4)


# stacked-mnist


def test_pictures_are_three_digits_and_always_the_same() -> None:
    digits = torch.arange(20.0).reshape(20, 1, 1).expand(20, 28, 28)
    source = stacked_mnist.stacked(digits, 1000, seed=3)
    x = source.read(torch.arange(1000)).values
    assert torch.equal(x[7], source.read(torch.tensor([7])).values[0])
    assert len(x[:, :, 0, 0].unique(dim=0)) > 900
    assert set(x.unique().tolist()) == set(range(20))


def test_uniform_draws_over_modes_leave_only_chance() -> None:
    torch.manual_seed(0)
    n = 26_000
    found = stacked_mnist.counted(torch.randint(1000, (n,)))
    assert found.modes == 1000
    assert found.kl == pytest.approx(999 / (2 * n), rel=0.1)
    one = stacked_mnist.counted(torch.zeros(n, dtype=torch.long))
    assert one == stacked_mnist.Counted(1, pytest.approx(math.log(1000)))


def test_a_game_that_diverges_is_the_worst_and_the_order_is_seen() -> None:
    good, bad = stacked_mnist.Counted(1000, 0.05), stacked_mnist.Counted(700, 0.9)
    found = {name: [stacked_mnist.DIVERGED] for name in stacked_mnist.A.games}
    found |= {"RpGAN + R1 + R2": [good], "GAN + R1 + R2": [bad]}
    assert all(row.holds for row in stacked_mnist.of_paper(found))
    found["GAN + R1 + R2"] = [stacked_mnist.Counted(1000, 0.04)]
    assert [row.holds for row in stacked_mnist.of_paper(found)] == [True, True, False, True, True]
