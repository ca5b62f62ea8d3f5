"""The use of a codebook and the price of its codes, on codes that are known."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.measures import worlds
from twofold.core.batch import Batch, Given
from twofold.core.game import Quantises
from twofold.core.space import Space
from twofold.measures.codebook import CodebookUse, independent
from twofold.measures.measure import Evidence, Figure
from twofold.measures.reconstruction import numbers


class Known(Quantises):
    """Its indices are x itself; the prior holds the second to repeat the first, 9 times of 10."""

    codes = 4
    places = (2,)

    def indices(self, x: Tensor, given: Given) -> Tensor:
        return x.long()

    def log_prior(self, k: Tensor, given: Given) -> Tensor:
        same = k[:, 0] == k[:, 1]
        return torch.where(same, 0.9, 0.1 / 3).log() - math.log(4)


def pairs(n: int, seed: int, codes: int = 4) -> Batch:
    """Pairs (n, 2) of even indices, of which the second is the first 9 times of 10."""
    stream = torch.Generator().manual_seed(seed)
    first = torch.randint(codes, (n,), generator=stream)
    step = torch.randint(1, 4, (n,), generator=stream)
    change = torch.rand(n, generator=stream) < 0.1
    return Batch.of(torch.stack([first, (first + change * step) % 4], 1).float())


def measured(real: Batch, train: Batch) -> dict[str, Figure]:
    evidence = Evidence(worlds.vectors(2), Space(), real, train, real[:0], Known())
    assert CodebookUse().refuses(evidence) == ""
    return {figure.name: figure for figure in CodebookUse()(evidence)}


def test_even_indices_have_the_perplexity_of_their_number() -> None:
    found = measured(pairs(2000, 1), pairs(2000, 2))["code_perplexity"]
    assert found.value == pytest.approx(4, abs=0.02)
    assert found.floor == pytest.approx(4, abs=0.02)
    assert found.low <= found.value <= found.high < found.low + 0.1
    assert sum(found.parts) == pytest.approx(1)
    assert "4 of 4 entries" in found.note


def test_an_index_that_never_changes_has_perplexity_one() -> None:
    still = Batch.of(torch.full((50, 2), 3.0))
    found = measured(still, pairs(50, 1))["code_perplexity"]
    assert found.value == pytest.approx(1)
    assert found.floor > 3
    assert "1 of 4 entries" in found.note


def test_the_rate_is_the_entropy_and_beats_independent_indices_by_their_information() -> None:
    found = measured(pairs(4000, 1), pairs(4000, 2))["code_rate"]
    noise = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1 / 3))  # nats of the second, given the first
    assert found.value == pytest.approx(math.log(4) + noise, abs=0.05)
    assert found.baseline == pytest.approx(2 * math.log(4), abs=0.01)
    assert found.baseline_name == "independent indices"
    assert found.low < found.value < found.high < found.baseline


def test_independent_indices_are_judged_on_others_than_they_were_fitted_on() -> None:
    seen = torch.zeros(500, 2, dtype=torch.long)
    assert independent(seen, seen, 4) < 0.1
    assert independent(seen + 1, seen, 4) > 5


def test_without_training_rows_there_is_neither_floor_nor_baseline() -> None:
    found = measured(pairs(50, 1), pairs(0, 2))
    assert math.isnan(found["code_perplexity"].floor)
    assert math.isnan(found["code_rate"].baseline)
    assert found["code_rate"].baseline_name == ""


def test_a_model_without_a_codebook_is_refused() -> None:
    evidence = worlds.linear_evidence(worlds.LinearGaussian(torch.ones(2), 3), 10)
    assert CodebookUse().refuses(evidence) == "the model has no codebook"
    assert CodebookUse().refuses(replace(evidence, model=())) == "there is no model"
    one = replace(evidence, model=Known(), real=evidence.real[:1])
    assert "at least 2" in CodebookUse().refuses(one)


def test_a_discrete_code_is_as_many_numbers_as_it_has_indices() -> None:
    class Both(worlds.LinearGaussian, Known):
        codes, places = 4, (3, 5)

    assert numbers(Both(torch.ones(2), 3)) == 15
    assert numbers(worlds.LinearGaussian(torch.ones(2), 3)) == 2
