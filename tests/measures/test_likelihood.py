"""Bounds against the exact likelihood of a linear-Gaussian model."""

import math
from dataclasses import replace

import pytest
import torch

from tests.measures import worlds
from twofold.core.batch import Batch
from twofold.core.game import Scores
from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.maths import likelihoods
from twofold.measures.likelihood import Elbo, ImportanceSampled, importance_weighted, nature
from twofold.measures.measure import Evidence

SCALES = torch.tensor([2.0, 1.0])


@pytest.mark.usefixtures("float64")
def test_with_the_true_posterior_every_bound_is_exact() -> None:
    model = worlds.LinearGaussian(SCALES.double(), 5)
    evidence = worlds.linear_evidence(model, 50)
    exact = model.exact(evidence.real.x).mean().item()
    (elbo,) = Elbo()(evidence)
    (nll,) = ImportanceSampled(7)(evidence)
    assert math.isclose(elbo.value, exact, rel_tol=1e-10)
    assert math.isclose(-nll.value, exact, rel_tol=1e-10)
    assert nll.name == "nll_is7"
    assert nll.n == 50


def test_more_samples_tighten_the_bound_towards_the_truth() -> None:
    model = worlds.LinearGaussian(SCALES, 5, widen=2.0)
    evidence = worlds.linear_evidence(model, 400)
    exact = -model.exact(evidence.real.x).mean().item()
    nll = [ImportanceSampled(k, n=400)(evidence)[0].value for k in (1, 4, 16, 64, 1024)]
    assert nll == sorted(nll, reverse=True)
    assert nll[0] > exact + 0.3
    assert abs(nll[-1] - exact) < 0.02
    assert Elbo()(evidence)[0].value == pytest.approx(-nll[0], abs=0.15)


@pytest.mark.parametrize("memory", [1, 40, 1 << 20])
@pytest.mark.parametrize("samples", [1, 7, 50])
def test_exactly_k_draws_an_observation_whatever_the_memory(samples: int, memory: int) -> None:
    model = worlds.LinearGaussian(SCALES, 5)
    evidence = worlds.linear_evidence(model, 11)
    ImportanceSampled(samples, memory=memory)(evidence)
    assert sum(rows * draws for rows, draws in model.drawn) == 11 * samples
    assert max(rows * draws * 5 for rows, draws in model.drawn) <= max(memory, 5)


def test_passes_add_up_to_one_mean_of_weights() -> None:
    class Fixed(worlds.LinearGaussian):
        weights = torch.arange(1.0, 8.0)

        def log_likelihood(self, x, given, samples):
            mine, self.weights = self.weights[:samples], self.weights[samples:]
            return mine.mean().log().expand(len(x))

    bound = importance_weighted(Fixed(SCALES, 5), Batch.of(torch.zeros(2, 5)), 7, 3)
    torch.testing.assert_close(bound.exp(), torch.full((2,), 4.0).double())


def test_the_gaussian_baseline_is_as_good_as_a_linear_truth() -> None:
    model = worlds.LinearGaussian(SCALES, 5)
    evidence = worlds.linear_evidence(model, 4000)
    (elbo,) = Elbo(n=4000)(evidence)
    assert elbo.baseline_name == "full-covariance Gaussian"
    assert abs(elbo.value - elbo.baseline) < 0.02


def test_a_probability_gets_probabilities_as_baseline_and_bits() -> None:
    class Uniform(Scores):
        def log_likelihood(self, x, given, samples):
            return torch.full((len(x),), -math.log(256) * x[0].numel())

    evidence = replace(worlds.image_evidence(20), model=Uniform())
    nats, bits = ImportanceSampled(2)(evidence)
    assert nats.value == pytest.approx(256 * math.log(256))
    assert nats.baseline_name == "independent histograms"
    assert "probability" in nats.note
    assert bits.value == pytest.approx(8)
    assert bits.baseline < 8
    assert bits.unit == "bits"


@pytest.mark.parametrize(
    ("likelihood", "domain", "expected"),
    [
        (likelihoods.Gaussian(), Real(), "density"),
        (likelihoods.SquaredError(), Real(), "score"),
        (likelihoods.Bernoulli(), Bounded(0, 1, 2), "mass"),
        (likelihoods.CrossEntropy(), Bounded(0, 255, 256), "score"),
        (likelihoods.ContinuousBernoulli(), Bounded(0, 1), "density"),
        (likelihoods.DiscretisedLogistic(), Bounded(0, 255, 256), "mass"),
        (likelihoods.Categorical(), Category(("a", "b")), "mass"),
    ],
)
def test_the_nature_of_a_likelihood_is_known(likelihood, domain, expected) -> None:
    space = Space((Field("value", domain),))

    class Constant(worlds.LinearGaussian):
        def decode(self, z, given):
            spec = likelihoods.ObservationSpec(space, (likelihood,))
            return spec(torch.zeros(len(z), spec.predicted), torch.zeros(spec.shared))

    batch = Batch.of(torch.zeros(3, space.width))
    model = Constant(SCALES, space.width) if space.width > 1 else Constant(SCALES[:1], 1)
    evidence = Evidence(space, Space(), batch, batch, batch, model=model)
    assert nature(evidence, batch) == expected
    (elbo,) = Elbo()(evidence)
    assert math.isnan(elbo.baseline) == (expected == "score")
    assert ("not a log-likelihood" in elbo.note) == (expected == "score")


def test_dropout_sleeps_and_wakes() -> None:
    model = worlds.LinearGaussian(SCALES, 5)
    evidence = worlds.linear_evidence(model, 50)
    assert Elbo()(evidence) == pytest.approx(Elbo()(evidence))
    assert model.training


def test_without_a_likelihood_it_says_so() -> None:
    batch = worlds.vector_batch(5, 0)
    evidence = Evidence(worlds.VECTOR, Space(), batch, batch, batch)
    assert Elbo().refuses(evidence) == "there is no model"
    assert "likelihood" in ImportanceSampled().refuses(replace(evidence, model=object()))
    model = worlds.LinearGaussian(SCALES, 6)
    assert "held-out" in Elbo().refuses(replace(evidence, model=model, real=batch[:0]))
