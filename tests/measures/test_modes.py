"""Class modes: dropped ones are missed, uneven ones cost reverse KL."""

from dataclasses import replace

import pytest
import torch

from tests.measures import worlds
from twofold.core.batch import Batch, Given
from twofold.core.space import Field, Real, Space
from twofold.measures.measure import Evidence, Figure
from twofold.measures.modes import Modes, divergence, redrawn

N = 300


def by_name(evidence: Evidence) -> dict[str, Figure]:
    return {figure.name: figure for figure in Modes()(evidence)}


def test_draws_of_the_law_cover_all_classes_evenly() -> None:
    found = by_name(worlds.image_evidence(N))
    assert found["modes_covered"].value == found["modes_covered"].floor == 4
    assert found["modes_accuracy"].value > 0.99
    assert found["modes_reverse_kl"].value < 5 * found["modes_reverse_kl"].floor
    assert sum(found["modes_covered"].parts) == pytest.approx(1)
    assert "without labels" in found["modes_covered"].note


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_dropped_modes_are_missed_and_cost_reverse_kl(classes: int) -> None:
    found = by_name(worlds.image_evidence(N, worlds.image_batch(N, 3, classes)))
    assert found["modes_covered"].value == classes
    expected = torch.tensor(4 / classes).log().item()
    assert found["modes_reverse_kl"].value == pytest.approx(expected, abs=0.12)


def test_a_classifier_of_shuffled_labels_is_no_better_than_chance() -> None:
    evidence = worlds.image_evidence(N)
    shuffled = Given(evidence.train.given.c[torch.randperm(N)])
    found = by_name(replace(evidence, train=replace(evidence.train, given=shuffled)))
    assert found["modes_accuracy"].value < 0.45


def test_the_floor_of_reverse_kl_is_that_of_chance() -> None:
    p = torch.full((1000,), 1e-3, dtype=torch.float64)
    floor = divergence(redrawn(p, 26000, 0), p, 26000).mean().item()
    assert floor == pytest.approx(999 / (2 * 26000), rel=0.05)


def test_unknown_labels_are_left_out() -> None:
    evidence = worlds.image_evidence(N)
    half = evidence.train.given.c.clone()
    half[::2] = 0
    found = by_name(replace(evidence, train=replace(evidence.train, given=Given(half))))
    assert found["modes_accuracy"].value > 0.97


def test_without_labels_it_says_so() -> None:
    evidence = worlds.image_evidence(40)
    assert Modes().refuses(replace(evidence, given=Space())) == "the data has no labels"
    number = Space((Field("label", Real()),))
    assert Modes().refuses(replace(evidence, given=number)) == "the data has no labels"
    unknown = Batch.of(evidence.train.x, Given(torch.zeros(40, worlds.LABEL.width)))
    assert "two classes" in Modes().refuses(replace(evidence, train=unknown))
    assert Modes().refuses(evidence) == ""


def test_the_reference_is_the_data_not_the_uniform() -> None:
    evidence = replace(worlds.image_evidence(N), real=worlds.image_batch(N, 1, classes=2))
    same = by_name(replace(evidence, fake=worlds.image_batch(N, 3, classes=2)))
    assert same["modes_reverse_kl"].value < 0.05
    assert same["modes_covered"].floor == 2
    unseen = by_name(evidence)["modes_reverse_kl"]  # draws of classes that no real one shows
    assert 1 < unseen.value < unseen.high + 1e-9 < 10
