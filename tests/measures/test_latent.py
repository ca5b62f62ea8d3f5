"""The code's cost and content against closed forms of a linear-Gaussian model."""

import math
from dataclasses import replace

import pytest
import torch

from tests.measures import worlds
from twofold.maths.distributions import Mixture
from twofold.measures.latent import Codes, Latent, infer, information_terms
from twofold.measures.measure import Figure


def measured(model: worlds.LinearGaussian, n: int = 2000) -> dict[str, Figure]:
    return {f.name: f for f in Latent()(worlds.linear_evidence(model, n))}


def test_the_kl_of_the_true_posterior_is_the_mutual_information() -> None:
    model = worlds.LinearGaussian(torch.tensor([1.0, 0.5]), 5)
    evidence = worlds.linear_evidence(model, 8000)
    exact = 0.5 * (1 + model.W.square().sum(0) / model.noise**2).log()  # I(x; z) by dimension
    kl = Latent().divergence(evidence, infer(model, evidence.real, 0))
    torch.testing.assert_close(torch.tensor(kl.parts), exact.detach(), atol=0.03, rtol=0)
    assert abs(kl.value - exact.sum()) < kl.high - kl.low  # within four standard errors
    information = Latent()(evidence)[2]
    assert information.value == pytest.approx(exact.sum().item(), abs=0.05)


def test_information_is_bounded_by_the_number_of_observations() -> None:
    apart = torch.arange(8.0).double()[:, None]
    precise = Codes(apart, torch.full_like(apart, 1e-3), torch.zeros_like(apart))
    terms = information_terms(precise, 4, 0)
    torch.testing.assert_close(terms, torch.full((8,), math.log(8)).double())
    model = worlds.LinearGaussian(torch.tensor([9.0, 9.0]), 5, noise=0.01)
    figure = measured(model, 100)["mutual_information"]
    assert math.log(100) - 0.01 < figure.value <= math.log(100) + 1e-9
    assert "4.61" in figure.note


def test_active_units_are_those_that_depend_on_x() -> None:
    model = worlds.LinearGaussian(torch.tensor([2.0, 1.0, 1e-3, 0.5]), 6)
    figure = measured(model)["active_units"]
    assert figure.value == 3
    assert figure.note == "3 of 4 dimensions are active"
    assert figure.low <= 3 <= figure.high


def test_a_collapsed_posterior_is_called_unused() -> None:
    class Collapsed(worlds.LinearGaussian):
        def encode(self, x, given):
            return self.prior(given)

    found = measured(Collapsed(torch.tensor([1.0, 1.0]), 4), 200)
    assert found["active_units"].note == "the latent is unused"
    assert found["kl"].value == pytest.approx(0, abs=1e-6)
    assert found["mutual_information"].value == pytest.approx(0, abs=1e-6)


def test_a_prior_without_closed_form_is_drawn_from() -> None:
    class Mixed(worlds.LinearGaussian):
        def prior(self, given):
            zeros = torch.zeros(2, self.latent)  # two equal components: N(0, I) in disguise
            return Mixture(torch.zeros(2), zeros, zeros, len(given))

    scales = torch.tensor([1.0, 0.5])
    plain = measured(worlds.LinearGaussian(scales, 5))["kl"]
    mixed = Latent()(replace(worlds.linear_evidence(worlds.LinearGaussian(scales, 5), 2000),
                             model=Mixed(scales, 5)))[0]  # fmt: skip
    assert mixed.value == pytest.approx(plain.value, abs=0.1)
    assert len(mixed.parts) == 1


def test_what_has_no_code_with_a_density_is_refused() -> None:
    class Point(worlds.LinearGaussian):
        def encode(self, x, given):
            return Mixture(torch.zeros(1), torch.zeros(1, 2), torch.zeros(1, 2), len(x))

    evidence = worlds.linear_evidence(worlds.LinearGaussian(torch.ones(2), 4), 10)
    assert "density" in Latent().refuses(replace(evidence, model=Point(torch.ones(2), 4)))
    assert Latent().refuses(replace(evidence, model=())) == "there is no model"
    assert Latent().refuses(replace(evidence, model=object())) == "the model has no encoder"
    assert Latent().refuses(evidence) == ""
