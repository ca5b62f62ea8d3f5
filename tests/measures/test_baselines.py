"""Probabilistic PCA against its closed forms."""

import math

import pytest
import torch

from tests.measures import worlds
from twofold.core.space import Bounded, Category, Field, Space
from twofold.measures.baselines import PPCA, Marginals, canonical, countable


def test_full_width_is_the_maximum_likelihood_gaussian() -> None:
    x = torch.randn(300, 5) @ torch.randn(5, 5)
    fitted = PPCA.fit(x, 4)
    x = x.double()
    p = torch.distributions.MultivariateNormal(x.mean(0), x.T.cov(correction=0))
    torch.testing.assert_close(fitted.log_density(x), p.log_prob(x))


def test_density_integrates_the_latent_exactly() -> None:
    model = worlds.LinearGaussian(torch.tensor([2.0, 1.0]), 6)
    x = worlds.linear_evidence(model, 20000).real.x
    fitted = PPCA.fit(x, 2)
    assert math.isclose(fitted.noise, model.noise**2, rel_tol=0.02)
    gap = fitted.log_density(x).mean() - model.exact(x).mean()
    assert 0 <= gap < 0.01  # the fit beats the truth on its own data, barely


def test_samples_have_the_covariance_of_the_data() -> None:
    x = torch.randn(4000, 5) @ torch.randn(5, 5) + 3
    drawn = PPCA.fit(x, 4).sample(40000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.T.cov(), x.T.cov(), rtol=0.05, atol=0.1)
    torch.testing.assert_close(drawn.mean(0), x.mean(0), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("n", [12, 200])  # fewer rows than numbers, and more
def test_reconstruction_is_that_of_the_singular_vectors(n: int) -> None:
    x = torch.randn(n, 3, 5)
    flat = x.flatten(1).double()
    mean = flat.mean(0)
    axes = torch.linalg.svd(flat - mean, full_matrices=False).Vh[:4]
    expected = (mean + (flat - mean) @ axes.T @ axes).unflatten(1, (3, 5)).float()
    torch.testing.assert_close(PPCA.fit(x, 4).reconstruct(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [0, 1, 100])
def test_any_width_and_constant_columns_stay_finite(width: int) -> None:
    x = torch.randn(20, 4)
    x[:, 2] = 1
    fitted = PPCA.fit(x, width)
    assert fitted.log_density(x).isfinite().all()
    assert fitted.sample(3, torch.Generator()).isfinite().all()


def test_canonical_is_what_a_file_would_hold() -> None:
    x = worlds.table_batch(50, 0).x
    torch.testing.assert_close(canonical(worlds.TABLE, x), x)
    assert canonical(worlds.IMAGE, torch.full((1, 1, 16, 16), 1.2)).max() == 1


def test_marginals_are_probabilities_that_approach_the_entropy() -> None:
    space = Space((Field("a", Category(("x", "y", "z"))), Field("b", Bounded(0, 3, 4))))
    stream = torch.Generator().manual_seed(0)
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.2, 0.3, 0.4])
    draw = [torch.multinomial(w, 20000, True, generator=stream) for w in (p, q)]
    x = space.encode(torch.stack(draw, 1).float())
    fitted = Marginals.fit(space, x[:10000])
    every = torch.cartesian_prod(torch.arange(3.0), torch.arange(4.0))
    assert fitted.log_prob(space.encode(every)).exp().sum() == pytest.approx(1)
    entropy = -(p * p.log()).sum() - (q * q.log()).sum()
    assert fitted.log_prob(x[10000:]).mean().item() == pytest.approx(-entropy.item(), abs=0.01)


def test_marginals_need_levels() -> None:
    assert countable(worlds.IMAGE)
    assert not countable(worlds.VECTOR)
    assert not countable(worlds.TABLE)
