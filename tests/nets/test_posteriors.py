"""Posteriors: their densities integrate, their draws follow them, and rows stay apart."""

import pytest
import torch

from twofold.maths.distributions import FullNormal
from twofold.nets.posteriors import Diagonal, Flow, FlowHead, Form, Full

pytestmark = pytest.mark.usefixtures("float64")
FORMS = [Diagonal(), Full(), Flow(transforms=2, width=8, context=3)]


@pytest.mark.parametrize("form", FORMS, ids=lambda f: type(f).__name__)
def test_a_posterior_is_a_density_of_two_dimensions(form: Form) -> None:
    torch.manual_seed(0)
    head = form.build(2)
    raw = torch.randn(1, head.inputs)
    side = torch.linspace(-12, 12, 401)
    grid = torch.cartesian_prod(side, side)
    with torch.no_grad():
        mass = head(raw).repeat(len(grid)).log_prob(grid).exp().sum() * (side[1] - side[0]) ** 2
    assert mass.item() == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("form", FORMS, ids=lambda f: type(f).__name__)
def test_draws_have_the_mean_and_spread_of_the_density(form: Form) -> None:
    torch.manual_seed(0)
    head = form.build(2)
    raw = torch.randn(1, head.inputs)
    side = torch.linspace(-12, 12, 401)
    grid = torch.cartesian_prod(side, side)
    with torch.no_grad():
        p = head(raw).repeat(len(grid)).log_prob(grid).exp()
        p = p / p.sum()
        z = head(raw).repeat(20_000).rsample()
    mean = p @ grid
    torch.testing.assert_close(z.mean(0), mean, atol=0.05, rtol=0.05)
    torch.testing.assert_close(z.std(0), (p @ (grid - mean).square()).sqrt(), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("form", FORMS, ids=lambda f: type(f).__name__)
def test_repeated_rows_follow_one_another(form: Form) -> None:
    torch.manual_seed(0)
    head = form.build(3)
    q = head(torch.randn(2, head.inputs))
    z = torch.randn(4, 3)
    twice = q.repeat(2).log_prob(z)
    apart = torch.stack([q.log_prob(z[[0, 2]]), q.log_prob(z[[1, 3]])], 1).flatten()
    torch.testing.assert_close(twice, apart)


def test_the_full_normal_is_torchs() -> None:
    torch.manual_seed(0)
    head = Full().build(3)
    q = head(torch.randn(4, head.inputs))
    assert isinstance(q, FullNormal)
    theirs = torch.distributions.MultivariateNormal(q.mu, scale_tril=q.scale)
    x = torch.randn(4, 3)
    torch.testing.assert_close(q.log_prob(x), theirs.log_prob(x))
    torch.testing.assert_close(q.sigma, theirs.variance.sqrt())


def test_a_flow_of_one_dimension_works() -> None:
    head = Flow(transforms=2, width=4, context=2).build(1)
    assert isinstance(head, FlowHead)
    q = head(torch.randn(3, head.inputs))
    assert q.log_prob(q.rsample()).isfinite().all()
