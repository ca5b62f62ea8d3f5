"""The gap of posterior draws: against quadrature, and on constructed codes."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.measures.constructed import (
    SPACE,
    Code,
    Constructed,
    evidence_of,
    noise,
    perfect,
    repeated,
    traced,
)
from twofold.core.batch import Batch, Given
from twofold.maths.distributions import FullNormal, Normal, Posterior
from twofold.measures.disentanglement import MIG
from twofold.measures.factors import Factors
from twofold.measures.latent import Codes
from twofold.measures.measure import Figure
from twofold.measures.posterior_gap import PosteriorGap, gaps_of, informed
from twofold.nets.posteriors import Flow


def measured(code: Code, width: float) -> Figure:
    evidence = replace(evidence_of(code), model=Constructed(code, width))
    assert PosteriorGap().refuses(evidence) == ""
    (figure,) = PosteriorGap()(evidence)
    return figure


def coin(a: float, n: int) -> tuple[Codes, Tensor]:
    """A factor of two values at ±a, half of n each, under unit noise; and a dimension of noise."""
    factor = torch.arange(n) % 2
    mu = torch.stack([a * (2.0 * factor - 1), torch.zeros(n)], 1).double()
    return Codes(mu, torch.ones_like(mu), torch.zeros_like(mu)), factor[:, None]


@pytest.mark.parametrize("a", [0.5, 1.5])
def test_information_is_that_of_quadrature(a: float) -> None:
    codes, index = coin(a, 4_000)
    z = torch.linspace(-12, 12, 100_001, dtype=torch.float64)
    low, high = (torch.distributions.Normal(m, 1.0).log_prob(z) for m in (-a, a))
    mixture = torch.logaddexp(low, high) - math.log(2)
    exact = torch.trapezoid(high.exp() * (high - mixture), z)
    said = informed(codes, index, 2000, 0)[:, :, 0].mean(0)
    assert said[0] == pytest.approx(float(exact), abs=0.03)
    assert said[1] == pytest.approx(0, abs=1e-9)
    gap = gaps_of(codes, index, 2000, 0).mean()
    assert gap == pytest.approx(float(exact) / math.log(2), abs=0.03)


def test_a_perfect_code_under_little_noise_has_the_whole_gap() -> None:
    figure = measured(perfect, 0.03)
    assert 0.9 < figure.value <= 1
    assert figure.low <= figure.value <= figure.high
    assert abs(figure.floor) < 0.1
    assert figure.value == pytest.approx(sum(figure.parts) / 4)


@pytest.mark.parametrize(("code", "width"), [(repeated, 0.03), (noise, 0.03), (perfect, 30.0)])
def test_a_code_that_is_shared_empty_or_drowned_has_none(code: Code, width: float) -> None:
    assert measured(code, width).value == pytest.approx(0, abs=0.1)


def test_noise_drowns_what_a_collapsed_mean_traces() -> None:
    class Collapsed(Constructed):
        def encode(self, x: Tensor, given: Given) -> Normal:
            mu = self.code(x)
            return Normal(mu, torch.tensor([0.03] * 4 + [1.0] * 2).log().expand_as(mu))

    evidence = replace(evidence_of(traced), model=Collapsed(traced))
    assert MIG()(evidence)[0].value < 0.6
    assert PosteriorGap()(evidence)[0].value > 0.9


def test_a_full_posterior_has_marginals_and_a_flow_has_none() -> None:
    class Slanted(Constructed):
        def encode(self, x: Tensor, given: Given) -> FullNormal:  # type: ignore[override]
            mu = self.code(x)
            return FullNormal(mu, 0.03 * torch.eye(mu.shape[1]).expand(len(x), -1, -1))

    class Bent(Constructed):
        def encode(self, x: Tensor, given: Given) -> Posterior:  # type: ignore[override]
            head = Flow().build(self.latent)
            return head(torch.zeros(len(x), head.inputs))

    evidence = evidence_of(perfect)
    (full,) = PosteriorGap()(replace(evidence, model=Slanted(perfect)))
    assert full.value == pytest.approx(measured(perfect, 0.03).value, abs=0.03)
    assert "no Gaussian" in PosteriorGap().refuses(replace(evidence, model=Bent(perfect)))


def test_few_rows_are_enough_to_refuse_or_to_answer() -> None:
    evidence = evidence_of(perfect)
    few = replace(evidence, real=evidence.real[:5], factors=evidence.factors[:5])
    assert "20 rows" in PosteriorGap().refuses(few)
    one: Code = lambda x: x[:, :1]  # noqa: E731 — no second dimension
    assert measured(one, 0.03).parts[0] > 0.8
    alone = Factors.of(SPACE, torch.ones(30, 4))
    assert "not assessed" in PosteriorGap().refuses(
        replace(evidence, real=Batch.of(torch.zeros(30, 4)), factors=alone)
    )
