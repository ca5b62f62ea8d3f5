"""Coverage against what it must be: of a known model, of one that is wrong, of discrete values."""

import math
from dataclasses import replace

import pytest
import scipy.stats
import torch

from tests.maths.test_missing import B, S, W, linear_gaussian
from tests.measures import worlds
from twofold.core.batch import Batch
from twofold.core.space import Space
from twofold.measures.calibration import Coverage, ImputedCoverage, rank
from twofold.measures.measure import Evidence, Figure

LEVELS = (0.5, 0.8, 0.95)


def by_level(figures: list[Figure]) -> list[float]:
    assert [figure.name.rpartition("_")[2] for figure in figures] == ["50", "80", "95"]
    return [figure.value for figure in figures]


def test_the_coverage_of_a_reconstruction_is_that_of_the_algebra() -> None:
    """Above nominal, by exactly what the code knows of each number."""
    model = worlds.LinearGaussian(torch.tensor([2.0, 1.5]), 8, noise=0.5)
    found = by_level(Coverage(2000, 100)(worlds.linear_evidence(model, 2000)))
    W, noise = model.W.detach(), 0.25 * torch.eye(8)
    spread = torch.linalg.inv(torch.eye(2) + W.T @ W / 0.25)  # of the code, given x
    rest = torch.eye(8) - W @ spread @ W.T / 0.25  # x less its reconstruction
    left = (rest @ (W @ W.T + noise) @ rest.T).diagonal().sqrt()
    predicted = (W @ spread @ W.T + noise).diagonal().sqrt()
    for value, level in zip(found, LEVELS, strict=True):
        z = scipy.stats.norm.ppf(0.5 + level / 2)
        truth = (2 * scipy.stats.norm.cdf(z * (predicted / left).numpy()) - 1).mean()
        assert truth > level + 0.01
        assert value == pytest.approx(truth, abs=0.015)


def hidden_evidence(stretch: float) -> Evidence:
    """Rows of the linear-Gaussian world; stretched, they are not what its model believes."""
    z, noise = torch.randn(800, 1), torch.randn(800, 4)
    x = (B + z * W + stretch * S * noise).float()
    vae = linear_gaussian(missing=False).float()
    return Evidence(vae.space, Space(), Batch.of(x), Batch.of(x[:0]), Batch.of(x[:0]), vae)


def test_the_coverage_of_hidden_values_is_what_is_promised() -> None:
    figures = list(ImputedCoverage(n=800)(hidden_evidence(1.0)))
    for value, level in zip(by_level(figures), LEVELS, strict=True):
        assert value == pytest.approx(level, abs=4 * math.sqrt(level * (1 - level) / 320))


def test_a_model_too_sure_of_itself_is_seen() -> None:
    found = by_level(list(ImputedCoverage(n=800)(hidden_evidence(2.0))))
    assert all(value < level - 0.05 for value, level in zip(found, LEVELS, strict=True))


@pytest.mark.parametrize("levels", [2, 5])
def test_ranks_of_discrete_values_are_uniform(levels: int) -> None:
    p = torch.rand(levels)
    draws = torch.multinomial(p, 51 * 4000, replacement=True).double().reshape(51, 4000, 1)
    u = rank(draws[0], draws[1:], torch.zeros(50, 4000))
    assert scipy.stats.kstest(u.flatten().numpy(), "uniform").pvalue > 0.01


def test_it_says_where_it_has_no_meaning() -> None:
    evidence = worlds.evidence_of("vector")
    assert Coverage().refuses(evidence) == "there is no model"
    assert "encoder" in Coverage().refuses(replace(evidence, model=object()))
    model = worlds.LinearGaussian(torch.ones(2), 6)
    assert Coverage().refuses(replace(evidence, model=model)) == ""
    assert "likelihood" in ImputedCoverage().refuses(replace(evidence, model=model))
    images = replace(worlds.image_evidence(8), model=linear_gaussian(missing=False))
    assert ImputedCoverage().refuses(images) != ""
