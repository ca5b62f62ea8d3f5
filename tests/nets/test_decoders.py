"""Relaxed draws: their marginals, their gradients, and one-hot when they are only drawn."""

import math

import pytest
import torch

from twofold.core.space import Bounded, Category, Count, Field, Real, Space
from twofold.nets.decoders import Relaxed

pytestmark = pytest.mark.usefixtures("float64")

SPACE = Space(
    (
        Field("sex", Category(("a", "b", "c")), missing=True),
        Field("share", Bounded(0, 10)),
        Field("n", Count(1.0)),
        Field("v", Real(), missing=True),
    )
)
RAW = torch.tensor([1.0, 0.0, -1.0, 0.8, 0.3, -2.0, 1.5, -0.4], dtype=torch.float64)


def relaxed(rows: int, tau: float = 0.5) -> Relaxed:
    return Relaxed(RAW.expand(rows, -1).clone().requires_grad_(), SPACE, tau)


@pytest.mark.parametrize("tau", [0.1, 0.5, 2.0])
def test_hard_draws_have_the_softmax_marginals_at_any_temperature(tau: float) -> None:
    n = 40_000
    x = relaxed(n, tau).sample()
    there = RAW[3].sigmoid()
    expected = torch.cat([RAW[:3].softmax(0) * there, there.unsqueeze(0)])
    error = 4 * (expected * (1 - expected) / n).sqrt()
    assert ((x[:, :4].mean(0) - expected).abs() < error).all()
    assert ((x[:, 7].mean() - RAW[7].sigmoid()).abs() < 4 * 0.5 / math.sqrt(n)).item()
    assert x[:, :3].sum(1).eq(x[:, 3]).all()
    assert torch.isin(x[:, :4], torch.tensor([0.0, 1.0])).all()


@pytest.mark.parametrize("tau", [0.1, 0.5, 2.0])
def test_the_mean_holds_probabilities_at_any_temperature(tau: float) -> None:
    mean = relaxed(1, tau).mean[0]
    there = RAW[3].sigmoid()
    torch.testing.assert_close(mean[:3], RAW[:3].softmax(0) * there)
    torch.testing.assert_close(mean[3], there)
    torch.testing.assert_close(mean[7], RAW[7].sigmoid())


def test_soft_draws_are_the_gumbel_softmax() -> None:
    """The strongest of a soft draw is distributed as the softmax; low τ makes it nearly hard."""
    n = 40_000
    x = relaxed(n, 0.05).rsample()
    torch.testing.assert_close(x[:, :3].sum(1), x[:, 3])
    strongest = x[x[:, 3] > 0.5][:, :3].argmax(1).bincount(minlength=3) / (x[:, 3] > 0.5).sum()
    torch.testing.assert_close(strongest, RAW[:3].softmax(0), atol=0.015, rtol=0)
    assert x[:, :3].max(1).values[x[:, 3] > 0.5].mean() > 0.9


def test_gradients_reach_every_channel_that_can_move() -> None:
    p = relaxed(200)
    (gradient,) = torch.autograd.grad(p.rsample().square().sum(), p.raw)
    assert gradient.isfinite().all()
    moved = (gradient != 0).any(0)
    assert moved.tolist() == [True] * 5 + [False] + [True] * 2  # a count below zero is at its floor
    assert not p.sample().requires_grad


def test_the_mode_is_hard_and_bounded_numbers_are_in_range() -> None:
    mode = relaxed(1).mode[0]
    assert mode[:4].tolist() == [1, 0, 0, 1]
    assert mode[4].item() == pytest.approx((1 + math.tanh(RAW[4])) / 2)
    assert mode[5] == 0
    assert mode[6:].tolist() == [0, 0]  # the value is more likely absent


def test_draws_at_extreme_scores_are_finite() -> None:
    raw = (RAW * 1e4).expand(50, -1).clone().requires_grad_()
    p = Relaxed(raw, SPACE, 0.1)
    (gradient,) = torch.autograd.grad(p.rsample().sum(), raw)
    for t in (p.rsample(), p.sample(), p.mean, p.mode, gradient):
        assert t.isfinite().all()


def test_a_draw_of_one_field_carries_no_gradient() -> None:
    space = Space((Field("v", Real(), 2),))
    raw = torch.randn(3, 2, requires_grad=True)
    assert not Relaxed(raw, space, 0.5).sample().requires_grad
    assert Relaxed(raw, space, 0.5).rsample().requires_grad
