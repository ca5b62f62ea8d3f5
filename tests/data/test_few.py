"""Few labels: as many as asked for, of each label alike, the same for the same seed."""

import pytest
import torch

from twofold.core.errors import UserError
from twofold.data.few import chosen, few
from twofold.data.sources import Memory

LABELS = torch.tensor([[0.0]] * 20 + [[1.0]] * 5 + [[2.0]] * 2 + [[torch.nan]] * 10)
ROWS = Memory(torch.arange(37.0).unsqueeze(1), LABELS)


@pytest.mark.parametrize(("count", "each"), [(3, [1, 1, 1]), (8, [3, 3, 2]), (27, [20, 5, 2])])
def test_labels_are_told_evenly(count: int, each: list[int]) -> None:
    told = LABELS[chosen(LABELS, count, seed=0)].flatten()
    assert len(told) == count
    counts = told.long().bincount(minlength=3).tolist()
    assert counts == each or sorted(counts) == sorted(each)


def test_the_others_are_the_same_rows_without_a_label() -> None:
    source = few(ROWS, 8, seed=1)
    read = source.read(torch.arange(37))
    assert read.values.equal(ROWS.values)
    known = ~read.given.isnan().flatten()
    assert int(known.sum()) == 8
    assert read.given[known].equal(LABELS[known])
    assert read.given.nan_to_num(-1).equal(source.labels().nan_to_num(-1))


def test_which_is_a_matter_of_the_seed() -> None:
    first, again, other = (chosen(LABELS, 8, seed) for seed in (3, 3, 4))
    assert first.equal(again)
    assert not first.equal(other)


def test_none_asked_for_is_all() -> None:
    assert few(ROWS, 0, seed=0) is ROWS


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(UserError, match=r"train\.labels = 28, and 27 training rows"):
        few(ROWS, 28, seed=0)
