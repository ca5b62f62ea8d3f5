"""KL three ways, free bits, and a discrepancy that is nothing between equals."""

import math

import pytest
import torch
from torch import Tensor

from twofold.maths.distributions import Mixture, Normal
from twofold.maths.divergences import KL, MMD, Code, kernel, kl_by_dimension, mmd

pytestmark = pytest.mark.usefixtures("float64")


def one(mu: float, log_sigma: float) -> Normal:
    return Normal(torch.tensor([[mu]]), torch.tensor([[log_sigma]]))


@pytest.mark.parametrize("q", [(0.3, -0.5), (-1.0, 0.4), (0.0, 0.0)])
@pytest.mark.parametrize("p", [(0.0, 0.0), (0.7, 0.3)])
def test_kl_is_its_integral_and_its_monte_carlo_mean(
    q: tuple[float, float], p: tuple[float, float]
) -> None:
    q_, p_ = one(*q), one(*p)
    closed = kl_by_dimension(q_, q_.mu, p_)
    line = torch.linspace(-15, 15, 30_001).unsqueeze(1)
    ratio = q_.log_prob(line) - p_.log_prob(line)
    integral = torch.trapezoid(q_.log_prob(line).exp() * ratio, line.squeeze(1))
    assert closed.item() == pytest.approx(integral.item(), abs=1e-8)
    many = q_.repeat(100_000)
    z = many.sample()
    drawn = many.log_prob(z) - p_.log_prob(z)
    error = 4 * drawn.std().item() / math.sqrt(len(drawn)) + 1e-9
    assert closed.item() == pytest.approx(drawn.mean().item(), abs=error)


def test_kl_to_a_mixture_of_one_is_kl_to_it() -> None:
    q = Normal(torch.randn(20_000, 2) * 0.1, torch.full((20_000, 2), -0.5))
    mu, log_sigma = torch.tensor([[0.5, -0.5]]), torch.tensor([[0.2, 0.0]])
    p = Mixture(torch.zeros(1), mu, log_sigma, len(q.mu))
    drawn = kl_by_dimension(q, q.sample(), p)
    exact = kl_by_dimension(q, q.mu, Normal(mu, log_sigma))
    assert drawn.shape == (20_000, 1)
    assert drawn.mean().item() == pytest.approx(exact.sum(1).mean().item(), abs=0.05)
    torch.testing.assert_close(
        KL()(Code(q, q.mu, p)), (q.log_prob(q.mu) - p.log_prob(q.mu)).mean(), rtol=1e-12, atol=0
    )


def test_an_estimate_below_zero_keeps_its_gradient() -> None:
    """At the mean of p the drawn KL of a wide q is negative; it must not be clamped away."""
    log_sigma = torch.full((1, 1), 1.0, requires_grad=True)
    p = Mixture(torch.zeros(1), torch.zeros(1, 1), torch.zeros(1, 1), 1)
    rate = KL()(Code(Normal(torch.zeros(1, 1), log_sigma), torch.zeros(1, 1), p))
    assert rate.item() < 0
    rate.backward()
    assert log_sigma.grad is not None
    assert log_sigma.grad.item() == pytest.approx(-1)


def test_to_the_standard_normal_it_is_as_to_any_other_with_its_numbers() -> None:
    def gradients(p: Normal) -> tuple[Tensor, ...]:
        mu, log_sigma = (torch.linspace(-2, 2, 6).reshape(3, 2).requires_grad_() for _ in range(2))
        nats = kl_by_dimension(Normal(mu, log_sigma), mu, p)
        return nats, *torch.autograd.grad(nats.square().sum(), (mu, log_sigma))

    standard = Normal.standard(3, 2, torch.zeros(()))
    for one, other in zip(
        gradients(standard), gradients(Normal(standard.mu, standard.log_sigma)), strict=True
    ):
        assert one.equal(other)


def test_beta_scales_and_free_bits_floor_each_dimension() -> None:
    q = Normal(torch.tensor([[1.0, 0.0]], requires_grad=True), torch.zeros(1, 2))  # 0.5 and 0 nats
    p = Normal.standard(1, 2, q.mu)
    assert KL()(Code(q, q.mu, p)).item() == pytest.approx(0.5)
    assert KL(beta=4)(Code(q, q.mu, p)).item() == pytest.approx(2.0)
    free = KL(free_bits=0.3)(Code(q, q.mu, p))
    assert free.item() == pytest.approx(0.8)
    (gradient,) = torch.autograd.grad(free, q.mu)
    assert gradient.tolist() == [[1.0, 0.0]]
    total = Mixture(torch.zeros(1), torch.zeros(1, 2), torch.zeros(1, 2), 1)
    assert KL(free_bits=2.0)(Code(q, q.mu, total)).item() == pytest.approx(4.0)


def test_mmd_is_zero_on_average_between_equals_and_not_between_others() -> None:
    equal = torch.stack([mmd(torch.randn(32, 2), torch.randn(32, 2)) for _ in range(300)])
    assert abs(equal.mean().item()) < 4 * equal.std().item() / math.sqrt(len(equal))
    assert (equal < 0).any()  # unbiased, so sometimes below zero
    apart = mmd(torch.randn(200, 2) + 1, torch.randn(200, 2))
    assert apart.item() > 0.1


def test_mmd_is_its_definition() -> None:
    z, w, n = torch.randn(4, 3), torch.randn(4, 3), 4
    pairs = [(i, j) for i in range(n) for j in range(n)]
    k = {(a, b): kernel(x, y) for a, x in (("z", z), ("w", w)) for b, y in (("z", z), ("w", w))}
    within = sum(k["z", "z"][i, j] + k["w", "w"][i, j] for i, j in pairs if i != j) / (n * (n - 1))
    between = sum(k["z", "w"][i, j] for i, j in pairs) / n**2
    torch.testing.assert_close(mmd(z, w), within - 2 * between)
    scales = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    square = (z[0] - w[1]).square().sum()
    expected = sum(6 * s / (6 * s + square) for s in scales)
    torch.testing.assert_close(kernel(z, w)[0, 1], expected)


def test_mmd_of_one_row_is_finite() -> None:
    z = torch.randn(1, 2, requires_grad=True)
    rate = MMD()(Code(Normal(z, torch.zeros(1, 2)), z, Normal.standard(1, 2, z)))
    rate.backward()
    assert rate.isfinite()
    assert z.grad is not None
    assert z.grad.isfinite().all()
