"""Splits: every row once, the shares as asked, the seed and nothing else decides."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twofold.core.errors import UserError
from twofold.core.space import Category, Field, Real, Space
from twofold.data.split import Split, split, strata

SHARES = st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.4])


def rows_of(found: Split) -> list[int]:
    return sorted(torch.cat([found.train, found.validation, found.test]).tolist())


@given(st.integers(3, 400), SHARES, SHARES, st.integers(0, 5), st.integers(1, 7))
def test_every_row_is_in_one_part_and_shares_are_kept(
    rows: int, validation: float, test: float, seed: int, labels: int
) -> None:
    label = (torch.arange(rows) % labels).float()
    found = split(rows, validation=validation, test=test, seed=seed, labels=label)
    assert rows_of(found) == list(range(rows))
    assert len(found.test) == (max(1, round(rows * test)) if test else 0)
    assert len(found.validation) == (max(1, round(rows * validation)) if validation else 0)
    again = split(rows, validation=validation, test=test, seed=seed, labels=label)
    assert all(torch.equal(getattr(found, p), getattr(again, p)) for p in found.sizes)


@given(st.integers(100, 600), st.integers(2, 6), st.integers(0, 3))
def test_every_label_is_divided_in_the_same_shares(rows: int, labels: int, seed: int) -> None:
    label = torch.arange(rows) * labels // rows
    found = split(rows, validation=0.2, test=0.1, seed=seed, labels=label.float())
    for value in range(labels):
        own = label == value
        for part, share in (("test", 0.1), ("validation", 0.2)):
            count = int(own[getattr(found, part)].sum())
            assert abs(count - share * int(own.sum())) <= 1.5


def test_the_seed_decides() -> None:
    first, other = split(100, seed=0), split(100, seed=1)
    assert not torch.equal(first.test, other.test)


def test_a_label_seen_once_trains() -> None:
    labels = torch.cat([torch.zeros(95), torch.arange(1.0, 6.0)])
    for seed in range(20):
        assert set(range(95, 100)) <= set(split(100, labels=labels, seed=seed).train.tolist())


def test_labels_that_are_all_different_do_not_stop_a_split() -> None:
    assert split(20, labels=torch.arange(20.0)).sizes == {"train": 16, "validation": 2, "test": 2}


def test_unknown_labels_are_one_more() -> None:
    labels = torch.full((30,), float("nan"))
    labels[:15] = 1
    found = split(30, labels=labels, test=0.2)
    assert labels[found.test].isnan().sum() == 3


@pytest.mark.parametrize("rows", [1, 2])
def test_too_few_rows_are_in_every_part_and_it_is_said(rows: int) -> None:
    found = split(rows)
    assert found.sizes == {"train": rows, "validation": rows, "test": rows}
    assert "too few to divide" in found.findings[0].text


@given(st.integers(3, 40), st.integers(0, 9), st.integers(1, 12))
def test_groups_stay_whole_and_every_part_has_one(groups: int, seed: int, size: int) -> None:
    group = torch.arange(groups * size) % groups
    if size == 1:
        return
    found = split(groups * size, groups=group, seed=seed)
    assert rows_of(found) == list(range(groups * size))
    owners = [set(group[getattr(found, part)].tolist()) for part in found.sizes]
    assert all(owners)
    assert not owners[0] & owners[1] | owners[0] & owners[2] | owners[1] & owners[2]


def test_groups_of_one_row_each_are_none() -> None:
    assert torch.equal(split(50, groups=torch.arange(50)).test, split(50).test)
    assert "groups are too few" in split(50, groups=torch.zeros(50)).findings[0].text


def test_in_order_the_past_trains() -> None:
    found = split(100, ordered=True, gap=5, validation=0.2, test=0.1)
    assert found.train.tolist() == list(range(60))
    assert found.validation.tolist() == list(range(65, 85))
    assert found.test.tolist() == list(range(90, 100))
    with pytest.raises(UserError, match="nothing to train on"):
        split(20, ordered=True, gap=9)


@pytest.mark.parametrize(
    ("official", "sizes"),
    [
        ({"train": (0, 80), "test": (80, 100)}, {"train": 72, "validation": 8, "test": 20}),
        ({"test": (80, 100)}, {"train": 72, "validation": 8, "test": 20}),
        ({"train": (0, 90), "validation": (90, 100)},
         {"train": 81, "validation": 10, "test": 9}),
        ({"train": (0, 70), "validation": (70, 80), "test": (80, 100)},
         {"train": 70, "validation": 10, "test": 20}),
    ],
)  # fmt: skip
def test_the_official_split_is_kept(
    official: dict[str, tuple[int, int]], sizes: dict[str, int]
) -> None:
    parts = {part: torch.arange(*ends) for part, ends in official.items()}
    labels = (torch.arange(100) % 3).float()
    found = split(100, official=parts, labels=labels)
    assert found.sizes == sizes
    assert rows_of(found) == list(range(100))
    assert all(torch.equal(getattr(found, p), parts[p]) for p in parts if p != "train")
    assert "own split is kept" in found.findings[0].text


def test_shares_that_leave_nothing() -> None:
    with pytest.raises(UserError, match="leave nothing to train on"):
        split(10, validation=0.5, test=0.5)
    with pytest.raises(UserError, match="no rows to train on"):
        split(10, official={"test": torch.arange(10)})


def test_strata_are_the_first_category() -> None:
    given = Space((Field("age", Real()), Field("sex", Category(("f", "m")))))
    labels = torch.tensor([[30.0, 1.0], [40.0, 0.0]])
    assert strata(given, labels).tolist() == [1, 0]
    assert strata(Space(), torch.zeros(3, 0)).tolist() == []
