"""Predicted properties: exact where the head is exact, and what is wrong is seen."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.game import Distribution, Encodes, Foretells
from twofold.core.space import Field, Real, Space
from twofold.maths.distributions import Dirac, Normal
from twofold.measures.measure import Evidence, figures

SPACE = Space((Field("x", Real()),))
GIVEN = Space((Field("y", Real(), missing=True),))


@dataclass
class World(Encodes, Foretells):
    """y is normal around x with deviation 1, and the model thinks it is `deviation`."""

    deviation: float
    foretold: Space = GIVEN

    def encode(self, x: Tensor, given: Given) -> Distribution:
        return Dirac(x)

    def foretell(self, z: Tensor) -> Distribution:
        return Normal(z, torch.full_like(z, self.deviation).log())


def found(deviation: float, noise: float = 1.0, share: float = 1.0) -> dict[str, float]:
    stream = torch.Generator().manual_seed(0)
    x = torch.randn(1000, 1, generator=stream) * 2
    y = x + noise * torch.randn(1000, 1, generator=stream)
    y[torch.rand(1000, 1, generator=stream) > share] = torch.nan
    batch = Batch(x, Given(GIVEN.encode(y)), torch.arange(1000))
    names = ["property_spearman", "property_coverage_50", "property_coverage_80",
             "property_coverage_95"]  # fmt: skip
    evidence = Evidence(SPACE, GIVEN, batch, batch, batch, World(deviation))
    return {figure.name: figure.value for figure in figures(evidence, names)[0]}


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_true_head_covers_what_it_promises(share: float) -> None:
    seen = found(1.0, share=share)
    for level in (50, 80, 95):
        assert seen[f"property_coverage_{level}"] == pytest.approx(level / 100, abs=0.05)


def test_a_head_that_is_too_sure_covers_less() -> None:
    assert found(0.3)["property_coverage_95"] < 0.6
    assert found(3.0)["property_coverage_50"] > 0.8


def test_the_rank_correlation_is_one_without_noise_and_falls_with_it() -> None:
    assert found(1.0, noise=0.0)["property_spearman"] == pytest.approx(1)
    assert 0.5 < found(1.0, noise=2.0)["property_spearman"] < 0.9


def test_a_model_without_a_head_is_not_asked() -> None:
    batch = Batch(torch.zeros(30, 1), Given(torch.zeros(30, 2)), torch.arange(30))
    evidence = Evidence(SPACE, GIVEN, batch, batch, batch, World(1.0, Space()))
    assert "no properties" in figures(evidence, ["property_spearman"])[1]["property_spearman"]
