"""Reconstruction against PCA, and its treatment of categories and missing values."""

import math
from dataclasses import replace

import pytest
import torch

from tests.measures import worlds
from twofold.measures.measure import Figure
from twofold.measures.reconstruction import Reconstruction, compare


def test_the_best_linear_code_is_as_good_as_pca() -> None:
    model = worlds.LinearGaussian(torch.tensor([3.0, 2.0]), 6, noise=0.1)
    (figure,) = Reconstruction()(worlds.linear_evidence(model, 2000))
    assert figure.name == "reconstruction_mse"
    assert figure.baseline_name == "PCA of 2"
    assert figure.value == pytest.approx(figure.baseline, rel=0.02)
    assert figure.value == pytest.approx(4 / 6 * 0.1**2, rel=0.05)  # noise off the plane
    assert figure.low < figure.value < figure.high
    assert math.isnan(figure.floor)


def test_a_code_that_forgets_is_worse_than_pca() -> None:
    class Forgets(worlds.LinearGaussian):
        def encode(self, x, given):
            return super().encode(torch.zeros_like(x), given)

    (figure,) = Reconstruction()(
        worlds.linear_evidence(Forgets(torch.tensor([3.0, 2.0]), 6, noise=0.1), 500)
    )
    assert figure.value == pytest.approx((9 + 4) / 6 + 0.01, rel=0.1)  # the variance of x
    assert figure.value > 50 * figure.baseline


class Echo(worlds.LinearGaussian):
    """Its code is the observation: reconstruction without loss."""

    def encode(self, x, given):
        return worlds.Normal(x, torch.zeros_like(x))

    def decode(self, z, given):
        return worlds.Normal(z, torch.zeros_like(z))


def by_name(model: worlds.LinearGaussian) -> dict[str, Figure]:
    evidence = replace(worlds.evidence_of("table"), model=model)
    return {figure.name: figure for figure in Reconstruction()(evidence)}


def test_an_echo_is_perfect_on_a_table_with_missing_values() -> None:
    found = by_name(Echo(torch.ones(2), worlds.TABLE.width))
    assert found["reconstruction_mse"].value == 0
    assert found["reconstruction_accuracy"].value == 1


def test_what_is_missing_is_not_judged() -> None:
    class Blind(Echo):
        """Wrong wherever a value is missing, and only there."""

        def decode(self, z, given):
            age, income, seen, *_ = z.split(1, 1)
            return worlds.Normal(torch.cat([age, income + 9 * (1 - seen), z[:, 2:]], 1), z)

    assert by_name(Blind(torch.ones(2), worlds.TABLE.width))["reconstruction_mse"].value == 0


def test_an_expectation_over_absence_is_undone() -> None:
    field = worlds.TABLE["income"]
    x = torch.tensor([[2.0, 1.0]])
    _, tally = compare(field, x, torch.tensor([[1.6, 0.8]]))  # E[m v], E[m]
    assert tally.total.item() == pytest.approx(0, abs=1e-9)


def test_without_an_encoder_it_says_so() -> None:
    evidence = worlds.evidence_of("vector")
    assert Reconstruction().refuses(evidence) == "there is no model"
    assert "encoder" in Reconstruction().refuses(replace(evidence, model=object()))
