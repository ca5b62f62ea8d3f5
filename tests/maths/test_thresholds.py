"""Thresholds: what each promises, on scores whose law is known."""

import pytest
import torch

from twofold.core.errors import UserError
from twofold.maths.thresholds import BestF1, Quantile, Tail

NONE = torch.zeros(0)


def exponential(n: int, seed: int) -> torch.Tensor:
    stream = torch.Generator().manual_seed(seed)
    return -torch.rand(n, generator=stream, dtype=torch.float64).log()


def test_a_quantile_keeps_its_rate_on_average_over_calibrations() -> None:
    lines = [Quantile(exponential(49, i), NONE, 0.1).value for i in range(200)]
    new = [exponential(500, 1000 + i) for i in range(200)]
    rates = [(scores > line).double().mean() for scores, line in zip(new, lines, strict=True)]
    assert torch.stack(rates).mean() == pytest.approx(0.1, abs=0.01)


def test_a_tail_finds_the_far_quantile_of_an_exponential_law() -> None:
    """z_α = −log α; 1,000 scores tell it where α = 1e-4 is beyond all of them."""
    found = torch.tensor([Tail(exponential(1000, i), NONE, 1e-4).value for i in range(20)])
    assert found.median() == pytest.approx(9.21, rel=0.15)
    assert Quantile(exponential(1000, 0), NONE, 1e-4).promised == pytest.approx(1 / 1001)


def test_p_of_a_tail_is_that_of_its_threshold() -> None:
    tail = Tail(exponential(1000, 3), NONE, 1e-4)
    at = torch.tensor([tail.value, tail.law[0] - 0.5], dtype=torch.float64)
    assert tail.p(at)[0] == pytest.approx(1e-4, rel=1e-6)
    assert tail.p(at)[1] == Quantile(tail.normal, NONE, 0.1).p(at)[1]


def test_too_few_rows_have_no_tail() -> None:
    with pytest.raises(UserError, match="too few"):
        Tail(exponential(10, 0), NONE, 1e-4).value  # noqa: B018


def test_the_best_f1_is_that_of_every_line() -> None:
    normal, abnormal = exponential(80, 1), 1.5 + exponential(30, 2)
    best = BestF1(normal, abnormal, 0.01)
    every = torch.linspace(-1, 8, 2000, dtype=torch.float64)
    assert float(best.f1(torch.tensor([best.value]))) >= float(best.f1(every).max()) - 1e-12
    with pytest.raises(UserError, match="--positive"):
        BestF1(normal, NONE, 0.01).value  # noqa: B018
