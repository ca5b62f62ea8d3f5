"""PacGAN's evaluator on draws whose figures are known; what bars ask for."""

import math

import pytest
import torch

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
