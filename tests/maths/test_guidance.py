"""Guided parameters are those of the product of powers that guidance is defined by."""

import pytest
import torch
from torch import Tensor

from twofold.core.space import Bounded, Category, Domain, Field, Real, Space
from twofold.maths.distributions import FullMixture, Normal
from twofold.maths.guidance import Drawn, guided
from twofold.maths.likelihoods import Gaussian, Likelihood, ObservationSpec

WEIGHTS = (0.0, 0.5, 1.0, 1.5, 3.0)


def product(log_full: Tensor, log_null: Tensor, weight: float) -> Tensor:
    """log p_w at points that are everything there is, (P,), from its definition."""
    return (log_null + weight * (log_full - log_null)).log_softmax(0)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("domain", [Bounded(0, 1, 2), Category(("a", "b", "c"))])
def test_of_what_takes_few_values_it_is_the_product_itself(domain: Domain, weight: float) -> None:
    space = Space((Field("v", domain),))
    spec = ObservationSpec(space)
    raw = torch.randn(2, spec.predicted)
    x = space.encode(torch.arange(2.0 if domain.width == 1 else 3.0).unsqueeze(1))  # (P, C)
    p = [spec(r.expand(len(x), -1), torch.zeros(0)) for r in raw]
    found = guided(p[0], p[1], weight).log_prob(x)
    expected = product(p[0].log_prob(x), p[1].log_prob(x), weight)
    torch.testing.assert_close(found, expected)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize(("domain", "wanted"), [(Bounded(), ()), (Real(), (Gaussian("shared"),))])
def test_of_a_density_it_is_the_product_up_to_a_constant(
    domain: Domain, wanted: tuple[Likelihood, ...], weight: float
) -> None:
    spec = ObservationSpec(Space((Field("v", domain),)), wanted)
    raw, x = torch.randn(2, 1), torch.linspace(0.01, 0.99, 50).unsqueeze(1)
    p = [spec(r.expand(50, -1), 0.3 * torch.ones(spec.shared)) for r in raw]
    found = guided(p[0], p[1], weight).log_prob(x)
    rest = found - (p[1].log_prob(x) + weight * (p[0].log_prob(x) - p[1].log_prob(x)))
    torch.testing.assert_close(rest, rest[:1].expand(50))


def test_a_component_that_the_condition_excludes_stays_out() -> None:
    mu, scale = torch.randn(3, 2), torch.eye(2).expand(3, 2, 2)
    null = FullMixture(torch.tensor([[0.1, 0.2, 0.3]]), mu, scale)
    full = FullMixture(torch.tensor([[0.1, -torch.inf, 0.3]]), mu, scale)
    assert guided(full, null, 2.0).logits.tolist() == full.logits.tolist()
    assert guided(full, null, 0.0).logits.tolist() == null.logits.tolist()


def test_draws_are_guided_with_the_same_noise() -> None:
    null, full = (Normal(torch.full((4, 1), m), torch.zeros(4, 1)) for m in (0.0, 2.0))
    torch.manual_seed(0)
    found = Drawn(full, null, 1.5).sample()
    torch.manual_seed(0)
    torch.testing.assert_close(found, null.sample() + 3.0)
