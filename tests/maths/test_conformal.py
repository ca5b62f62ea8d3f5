"""Conformal p-values keep their promise, and thresholds agree with them."""

import pytest
import scipy.stats
import torch

from twofold.maths.conformal import attainable, p_values, threshold


def test_p_of_a_normal_observation_is_uniform() -> None:
    """Whatever the score: here its law is skewed, and each of 4,000 worlds has 19 normal rows."""
    scores = torch.distributions.Exponential(1.0).sample((4000, 20)).double()
    p = torch.stack([p_values(row[:1], row[1:])[0] for row in scores])
    counts = (p * 20).round().long().bincount(minlength=21)[1:]
    assert counts.sum() == 4000
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 0.01


def test_the_correction_by_one_is_needed() -> None:
    """Without it a normal row beats all others, p = 0, once in n + 1 times."""
    p = p_values(torch.tensor([9.0]), torch.arange(4.0))
    assert p.item() == pytest.approx(1 / 5)


@pytest.mark.parametrize("n", [9, 19, 99, 120])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.3])
def test_the_threshold_says_what_p_says_also_of_ties(n: int, rate: float) -> None:
    normal, scores = (torch.randn(k).round(decimals=1) for k in (n, 1000))
    promised = attainable(rate, n)
    assert promised >= rate
    by_p = p_values(scores, normal) <= promised
    assert torch.equal(by_p, scores > threshold(normal, promised))


@pytest.mark.parametrize("n", [39, 400])
def test_the_false_alarm_rate_is_at_most_what_is_promised(n: int) -> None:
    rate = 0.1
    alarms = [
        (torch.randn(50) > threshold(torch.randn(n), rate)).double().mean() for _ in range(400)
    ]
    assert float(torch.stack(alarms).mean()) == pytest.approx(rate, abs=0.012)
