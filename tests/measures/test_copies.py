"""A generator that copies is caught; one that draws from the law is not."""

from dataclasses import replace

import pytest
import torch

from tests.measures import worlds
from twofold.core.batch import Batch
from twofold.measures.copies import Copies, chance, neighbours
from twofold.measures.measure import Evidence, Figure


def by_name(evidence: Evidence) -> dict[str, Figure]:
    return {figure.name: figure for figure in Copies()(evidence)}


@pytest.mark.parametrize("layout", ["vector", "image", "series", "table"])
def test_draws_of_the_law_are_no_copies(layout: str) -> None:
    found = by_name(worlds.evidence_of(layout, 200))
    assert found["copies_closer"].low <= 0.5 <= found["copies_closer"].high
    assert found["copies_exact"].value == 0
    assert "never rule it out" in found["copies_closer"].note


@pytest.mark.parametrize("layout", ["vector", "image", "series", "table"])
def test_a_copy_of_train_is_flagged(layout: str) -> None:
    evidence = worlds.evidence_of(layout, 200)
    found = by_name(replace(evidence, fake=evidence.train))
    assert found["copies_closer"].value == 1
    assert "p = 0.001" in found["copies_closer"].note
    assert found["copies_exact"].value == 1


def test_near_copies_are_closer_but_not_exact() -> None:
    evidence = worlds.evidence_of("vector", 300)
    near = Batch.of(evidence.train.x + 0.1 * torch.randn(300, 6))
    found = by_name(replace(evidence, fake=near))
    assert found["copies_closer"].low > 0.9
    assert found["copies_exact"].value == 0


def test_a_collapsed_generator_is_not_called_a_copier_for_one_lucky_record() -> None:
    evidence = worlds.evidence_of("vector", 200)
    found = by_name(replace(evidence, fake=Batch.of(torch.zeros(200, 6) + 0.3)))
    figure = found["copies_closer"]
    assert figure.value in (0, 1)  # all draws share one nearest record
    assert "p = 0.001" not in figure.note  # and that is one coin, not two hundred


def test_a_record_on_both_sides_counts_half() -> None:
    both = torch.tensor([[1.0, 2.0], [5.0, 5.0]])
    records = neighbours(torch.tensor([[1.0, 2.0]]), both, both.flip(0))
    assert records.tolist() == [0.5, 0, 0, 0.5]


def test_chance_is_the_share_of_shuffles() -> None:
    records = torch.tensor([4.0, 0.0, 0.0, 0.0])
    mine = torch.tensor([True, True, False, False])
    assert chance(records, mine, 0) == pytest.approx(0.5, abs=0.05)


def test_natural_duplicates_are_the_floor() -> None:
    evidence = worlds.evidence_of("vector", 100)
    found = by_name(replace(evidence, real=evidence.train))
    assert found["copies_exact"].floor == 1


def test_without_training_observations_it_says_so() -> None:
    evidence = worlds.evidence_of("vector", 20)
    assert "training" in Copies().refuses(replace(evidence, train=evidence.train[:0]))
    assert "drawn" in Copies().refuses(replace(evidence, fake=evidence.fake[:1]))
