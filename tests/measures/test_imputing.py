"""The figures of filled gaps against hand-made cases, and the simple ways against what they are."""

import math

import pytest
import torch

from twofold.core.space import Category, Field, Real, Space
from twofold.measures.imputing import (
    WAYS,
    by_column,
    column_fill,
    errors,
    growable,
    simple_fills,
    usefulness,
)

NAN = math.nan
SPACE = Space((Field("a", Real()), Field("b", Real()), Field("kind", Category(("u", "v")))))


def table(rows: int) -> torch.Tensor:
    """b = 2 a, and the kind is the sign of a."""
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(0))
    a = torch.linspace(-1, 1, rows)[order]
    return torch.stack([a, 2 * a, (a > 0).float()], 1)


def test_errors_and_distances_are_told_column_by_column() -> None:
    """Swapped values have an error and no distance; shifted ones have both."""
    truth = torch.tensor([[0.0, 0, 0], [2, 0, 1], [0, 0, 1], [2, 0, 0]])
    guess = torch.tensor([[2.0, 1, 1], [0, 1, 1], [0, 1, 1], [2, 1, 1]])
    judged = torch.tensor([[True, True, True]] * 2 + [[False, True, True]] * 2)
    train = torch.tensor([[-1.0, -2, 0], [1, 2, 1]])  # deviations √2 and 2√2
    a, b, kind = by_column(SPACE, truth, guess, judged, train)
    assert (a.name, a.number, b.number) == ("a", 2, 4)
    assert (a.error, a.w1) == pytest.approx((2 / math.sqrt(2), 0.0))
    assert (b.error, b.w1) == pytest.approx((1 / math.sqrt(8), 1 / math.sqrt(8)))
    assert (kind.error, kind.w1) == pytest.approx((0.5, 0.5))
    whole = errors("ours", SPACE, truth, guess, judged, train, 0)
    assert whole.rmse.value == pytest.approx(math.sqrt((2 * a.error**2 + 4 * b.error**2) / 6))
    assert [column.name for column in whole.columns] == ["a", "b", "kind"]


def test_a_mean_is_the_best_guess_and_unlike_the_data() -> None:
    """The fill of least error is not the one whose distribution is right."""
    truth = table(400)
    judged = torch.zeros(400, 3, dtype=torch.bool)
    judged[:, 0] = True
    shuffled = truth.roll(1, 0)
    mean = column_fill(SPACE, truth, truth.masked_fill(judged, NAN))
    (smooth,), (drawn,) = (
        tuple(by_column(SPACE, truth, guess, judged, truth)) for guess in (mean, shuffled)
    )
    assert smooth.error < drawn.error
    assert smooth.w1 > 0.5 > 0.01 > drawn.w1


def test_every_simple_way_keeps_what_is_known_and_most_see_what_goes_together() -> None:
    truth = table(90)
    holed = truth.clone()
    holed[::3, 1] = NAN
    holed[1::3, 2] = NAN
    for name, way in WAYS.items():
        fill = way.fill(SPACE, holed, holed)
        assert fill[~holed.isnan()].equal(truth[~holed.isnan()]), name
        assert not fill.isnan().any(), name
        gap = (fill - truth)[::3, 1].abs().mean()
        assert (gap < 0.25) == (name != "mean or most frequent"), name
        wrong = (fill != truth)[1::3, 2].float().mean()
        assert (wrong < 0.2) == (name != "mean or most frequent"), name


def test_forests_are_left_out_where_they_would_take_too_long() -> None:
    assert growable(SPACE, 1000)
    assert not growable(SPACE, 1_000_000)
    wide = Space(tuple(Field(f"x{i}", Real()) for i in range(201)))
    assert list(simple_fills(wide, torch.zeros(2, 201), torch.zeros(1, 201))) == [
        "mean or most frequent"
    ]


def test_what_rows_are_good_for_is_told_on_rows_that_were_not_seen() -> None:
    """A column that follows from the others is told; one that is noise is not."""
    rows = table(300)
    noise = rows[torch.randperm(300, generator=torch.Generator().manual_seed(1))]
    unrelated = torch.cat([noise[:, :2], rows[:, 2:]], 1)
    assert usefulness(SPACE, 2, rows[:, 2], rows, 0).value > 0.95
    assert usefulness(SPACE, 2, rows[:, 2], unrelated, 0).value < 0.65
    assert usefulness(SPACE, 1, rows[:, 1], rows, 0).value > 0.95
    alone = Space((Field("a", Real()), Field("b", Real())))
    pair = torch.stack([noise[:, 0], rows[:, 1]], 1)
    assert usefulness(alone, 1, pair[:, 1], pair, 0).value < 0.1
    assert math.isnan(usefulness(SPACE, 2, rows[:4, 2], rows[:4], 0).value)
