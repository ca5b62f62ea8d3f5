"""What the studies of few labels and of codes measure with: each check sees its fault."""

import math

import pytest
import torch

from twofold.core.batch import Given
from twofold.core.space import Category, Field, Real, Space
from twofold.data.sources import Memory, Rows
from twofold.maths.augmentations import Affine
from twofold.nets.bodies import Dense
from twofold.studies import aae, improved_techniques, infogan_mnist, ssl_mnist
from twofold.studies.few_labels import Lesson, Told, alone, judged, ssgan

SPACE = Space((Field("v", Real(), 2),))
GIVEN = Space((Field("label", Category(("x", "y")), missing=True),))


@pytest.fixture
def told() -> Told:
    """Two clusters, nine rows of the first for one of the second."""
    label = (torch.arange(400) % 10 == 0).float().unsqueeze(1)
    values = 4 * label - 2 + 0.3 * torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    return Told(SPACE, GIVEN, Memory(values[:300], label[:300]), Rows(values[300:], label[300:]))


def test_labels_are_told_evenly_or_as_they_come(told: Told) -> None:
    _, even = told.known(20, 0)
    assert even.bincount().tolist() == [10, 10]
    natural = Told(told.space, told.given, told.train, told.judged, even=False)
    counts = torch.stack([natural.known(20, seed)[1].bincount(minlength=2) for seed in range(30)])
    assert counts.sum(1).eq(20).all()
    assert counts.double().mean(0)[1].item() == pytest.approx(2.0, abs=0.8)
    assert not torch.equal(natural.known(20, 0)[0], natural.known(20, 1)[0])


def test_errors_are_the_share_of_wrong_rows(told: Told) -> None:
    right = torch.nn.functional.one_hot(told.judged.given[:, 0].long(), 2).float()
    assert told.errors(right) == 0.0
    assert told.errors(1 - right) == 1.0
    assert told.errors(torch.tensor([1.0, 0.0]).expand(100, 2)) == pytest.approx(0.1)


def test_a_network_alone_learns_from_its_labels(told: Told) -> None:
    dense = Dense(8, 1)
    options = {"latent": 2, "features": 8, "generator": dense, "critic": dense}
    assert alone(told, options, 20, Lesson(60, 20, 0.03), 0) < 0.02
    fresh = ssgan(told, options, 0)
    assert judged(fresh, told) == judged(ssgan(told, options, 0), told)
    assert fresh.classify(told.judged.values, Given.none(100, GIVEN)).mean.shape == (100, 2)


def test_steadiness_needs_several_draws() -> None:
    assert ssl_mnist.steadiness("e", [0.1]) == []
    (row,) = ssl_mnist.steadiness("e", [0.1, 0.3])
    assert row.ours == pytest.approx(math.sqrt(0.02))
    assert row.holds is False


# Codes.


def sheared(k: float) -> torch.Tensor:
    """An upright bar, 4 wide and 17 high, of which each row leans by k columns for a row up."""
    x = torch.zeros(1, 1, 41, 41)
    for up in range(-8, 9):
        left = 18 + round(k * up)
        x[0, 0, 20 - up, left : left + 4] = 1
    return x


@pytest.mark.parametrize("k", [-1.0, 0.0, 1.0, 2.0])
def test_slant_is_columns_a_row_and_width_is_what_is_left(k: float) -> None:
    seen = infogan_mnist.moments(sheared(k))
    assert seen.slant.item() == pytest.approx(k, abs=1e-6)
    assert seen.width.item() == pytest.approx(math.sqrt(15 / 12), abs=1e-6)  # four columns alike


def test_an_empty_picture_has_neither() -> None:
    seen = infogan_mnist.moments(torch.zeros(2, 1, 9, 9))
    assert seen.slant.tolist() == seen.width.tolist() == [0.0, 0.0]


def test_a_pairing_is_one_for_one() -> None:
    label = torch.arange(10).repeat(30)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    assert infogan_mnist.paired(order[label], label)[order].tolist() == list(range(10))
    alike = infogan_mnist.paired(torch.zeros(300).long(), label)
    assert sorted(alike.tolist()) == list(range(10))  # a category that says nothing wins nothing
    assert (alike[torch.zeros(300).long()] == label).double().mean() == pytest.approx(0.1)


def test_what_classes_differ_in_is_no_meaning_of_a_number() -> None:
    """Slant that follows the category alone goes with no number; slant that follows one does."""
    chance = torch.Generator().manual_seed(0)
    group = torch.randint(10, (3000,), generator=chance)
    code = torch.rand(3000, 2, generator=chance) + 0.1 * group[:, None]
    by_class = group.double()[:, None] + 0.01 * torch.randn(3000, 1, generator=chance)
    assert infogan_mnist.within(code, by_class, group).max() < 0.06
    own = 3 * code[:, 1:].double() + group[:, None]
    found = infogan_mnist.within(code, own, group)
    assert found[1, 0].item() == pytest.approx(1.0)
    assert found[0, 0] < 0.06


def test_slant_is_seen_of_pictures_that_are_sheared() -> None:
    torch.manual_seed(0)
    x = sheared(0.0).repeat(64, 1, 1, 1)
    moved = infogan_mnist.moments(Affine(0.0, 0.0, 0.5, 0.0)(x))
    assert moved.slant.std() > 0.1
    torch.testing.assert_close(moved.width.mean(), torch.tensor(1.2), atol=0.15, rtol=0)


# Two samples.


def test_a_shift_and_a_spread_are_told_apart_and_equals_are_not() -> None:
    a, b = (torch.randn(1000, 3, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    assert aae.told_apart(a, b, 0) == pytest.approx(0.5, abs=0.05)
    assert aae.told_apart(a, b + 1, 0) > 0.7
    assert aae.told_apart(a, 0.6 * b, 0) > 0.6


def test_what_a_technique_changes_is_seed_by_seed() -> None:
    one = dict.fromkeys(improved_techniques.QUESTIONS, 1.0)
    found = {
        name: [one, dict.fromkeys(one, 3.0 + i)]
        for i, name in enumerate(improved_techniques.TECHNIQUES)
    }
    rows = {row.measure: row for row in improved_techniques.answers("recall", found)}
    assert rows["recall: what smoothing changes"].ours == pytest.approx(1.5)
    assert rows["recall, the plain game"].ours == pytest.approx(2.0)
    assert len(rows) == 2 * len(improved_techniques.TECHNIQUES) - 1
