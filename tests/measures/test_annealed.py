"""Annealing as a measure: the exact likelihood of a linear-Gaussian model, and what it refuses."""

from dataclasses import replace

import pytest
import torch

from tests.measures import worlds
from twofold.core.batch import Given
from twofold.core.game import Distribution
from twofold.measures.annealed import Annealed
from twofold.measures.estimate import some
from twofold.models.gan import GAN

SHORT = Annealed(steps=60, chains=4, leapfrog=5, n=32)


def test_it_agrees_with_the_exact_likelihood_without_any_encoder() -> None:
    class Blind(worlds.LinearGaussian):
        """Its encoder knows nothing, so that importance sampling is far off."""

        def encode(self, x, given):
            return self.prior(given)

    model = Blind(torch.tensor([2.0, 1.0, 0.5]), 8, noise=0.3)
    evidence = worlds.linear_evidence(model, 300)
    nll, gap = SHORT(evidence)
    rows = some(evidence.real, SHORT.n, evidence.seed)
    exact = -float(model.exact(rows.x).detach().mean())
    assert nll.name == "nll_ais60"
    assert nll.low <= exact <= nll.high
    assert -0.1 < nll.value - exact < gap.value + 0.15
    assert nll.baseline > exact + 0.3  # 100 importance samples of such an encoder
    assert 0 < gap.value < 0.8
    assert gap.n == nll.n == 32


def test_the_gap_opens_where_the_chain_is_too_short() -> None:
    model = worlds.LinearGaussian(torch.tensor([4.0, 3.0]), 6, noise=0.1)
    evidence = worlds.linear_evidence(model, 50)
    wide, close = (replace(SHORT, steps=steps)(evidence)[1].value for steps in (3, 40))
    assert close < 0.3 * wide


def test_rows_that_do_not_fit_in_memory_are_cut() -> None:
    model = worlds.LinearGaussian(torch.tensor([1.0]), 4)
    evidence = worlds.linear_evidence(model, 20)
    short = replace(SHORT, n=10, steps=10, memory=4 * SHORT.chains * 3)
    assert [len(part) for part in short.parts(evidence.real[:10])] == [3, 3, 3, 1]
    nll, _ = short(evidence)
    exact = -float(model.exact(some(evidence.real, 10, 0).x).detach().mean())
    assert nll.value == pytest.approx(exact, abs=0.5)


def test_the_model_is_left_as_it_was() -> None:
    model = worlds.LinearGaussian(torch.tensor([1.0]), 4)
    evidence = worlds.linear_evidence(model, 8)
    state = torch.get_rng_state()
    first = replace(SHORT, steps=5)(evidence)
    assert model.W.grad is None
    assert model.training
    assert torch.equal(state, torch.get_rng_state())
    assert repr(first) == repr(replace(SHORT, steps=5)(evidence))


def test_what_has_no_density_is_refused() -> None:
    class Point(worlds.LinearGaussian):
        def prior(self, given: Given) -> Distribution:
            return Uniform(len(given), self.latent)

    class Uniform(Distribution):
        def __init__(self, rows: int, latent: int) -> None:
            self.draw = torch.rand(rows, latent)

        def sample(self):
            return self.draw

        mean = mode = property(sample)

    evidence = worlds.linear_evidence(worlds.LinearGaussian(torch.ones(2), 4), 10)
    assert SHORT.refuses(evidence) == ""
    assert "densities" in SHORT.refuses(replace(evidence, model=Point(torch.ones(2), 4)))
    assert SHORT.refuses(replace(evidence, model=())) == "there is no model"
    assert "held-out" in SHORT.refuses(replace(evidence, real=evidence.real[:0]))
    gan = GAN(evidence.space, evidence.given)
    assert SHORT.refuses(replace(evidence, model=gan))
