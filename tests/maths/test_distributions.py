"""What distributions claim: their densities, their draws, and what they leave out."""

import pytest
import torch

from twofold.maths.distributions import Density, Dirac, Mixture, Normal

pytestmark = pytest.mark.usefixtures("float64")


def normal(rows: int = 3, latent: int = 2) -> Normal:
    return Normal(torch.randn(rows, latent), 0.5 * torch.randn(rows, latent))


def mixture(rows: int = 3) -> Mixture:
    return Mixture(torch.randn(4), torch.randn(4, 2), 0.3 * torch.randn(4, 2), rows)


def test_normal_is_torchs() -> None:
    q, x = normal(), torch.randn(3, 2)
    oracle = torch.distributions.Normal(q.mu, q.sigma)
    torch.testing.assert_close(q.elementwise(x), oracle.log_prob(x))
    torch.testing.assert_close(q.log_prob(x), oracle.log_prob(x).sum(1))


def test_mixture_is_torchs() -> None:
    p, x = mixture(), torch.randn(3, 2)
    parts = torch.distributions.Independent(torch.distributions.Normal(p.mu, p.log_sigma.exp()), 1)
    oracle = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=p.logits), parts
    )
    torch.testing.assert_close(p.log_prob(x), oracle.log_prob(x))
    torch.testing.assert_close(p.mean, oracle.mean.expand(3, 2))


@pytest.mark.parametrize("p", [Normal(torch.ones(1, 2), torch.zeros(1, 2)), None])
def test_densities_integrate_to_one(p: Density | None) -> None:
    p = p or mixture(1)
    side = torch.linspace(-9, 9, 361)
    grid = torch.cartesian_prod(side, side)
    one = Mixture(p.logits, p.mu, p.log_sigma, len(grid)) if isinstance(p, Mixture) else p
    total = one.log_prob(grid).exp().sum() * (side[1] - side[0]) ** 2
    assert total.item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("make", [normal, mixture])
def test_draws_have_the_mean(make: object) -> None:
    one = make(1)  # type: ignore[operator]
    if isinstance(one, Mixture):
        many = Mixture(one.logits, one.mu, one.log_sigma, 40_000)
    else:
        many = one.repeat(40_000)
    torch.testing.assert_close(many.sample().mean(0), one.mean[0], atol=0.03, rtol=0)


def test_the_mode_of_a_mixture_is_its_highest_component() -> None:
    p = Mixture(torch.tensor([0.0, 1.0]), torch.tensor([[0.0], [9.0]]), torch.zeros(2, 1), 2)
    assert p.mode.tolist() == [[9.0], [9.0]]
    sharp = Mixture(p.logits, p.mu, torch.tensor([[-3.0], [0.0]]), 2)
    assert sharp.mode.tolist() == [[0.0], [0.0]]


def test_only_rsample_carries_gradient() -> None:
    q = Normal(torch.zeros(2, 2, requires_grad=True), torch.zeros(2, 2))
    assert q.rsample().requires_grad
    assert not q.sample().requires_grad
    point = torch.zeros(2, 2, requires_grad=True)
    assert Dirac(point).rsample() is point
    assert not Dirac(point).sample().requires_grad


def test_repeat_keeps_the_copies_of_a_row_together() -> None:
    q = Normal(torch.tensor([[1.0], [2.0]]), torch.zeros(2, 1)).repeat(2)
    assert q.mu.tolist() == [[1.0], [1.0], [2.0], [2.0]]
