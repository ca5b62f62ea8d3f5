"""Rows that the data cannot have are drawn again, each in its place where places differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import cast

import pytest
import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.data.kind import Kind
from twofold.data.sources import Rows
from twofold.runs.drawing import TRIED, Draw, Drawn, unbroken


class Positive:
    """Of whose rows the negative ones are broken."""

    fault = "were negative"

    def broken(self, rows: Rows) -> Tensor:
        return rows.values[:, 0] < 0


KIND = cast(Kind, Positive())


def places(share: float, numbers: Iterator[int]) -> Draw:
    """Rows of their place and the number of the call, of which a share is negative."""

    def draw(n: int, seed: int) -> Drawn:
        sign = torch.rand(n, generator=torch.Generator().manual_seed(seed)).ge(share) * 2.0 - 1
        values = torch.stack([sign, torch.full((n,), float(next(numbers)))], 1)
        return Drawn(Rows(values, torch.arange(float(n))[:, None]))

    return draw


@pytest.mark.parametrize("alike", [True, False])
def test_no_broken_row_is_handed_out_and_it_is_said_how_many_there_were(alike: bool) -> None:
    first = places(0.4, count())(500, 3).rows
    made = unbroken(500, 3, places(0.4, count()), KIND, alike)
    assert len(made.rows) == 500
    assert not KIND.broken(made.rows).any()
    kept = ~KIND.broken(first)
    assert torch.equal(made.rows.values[kept], first.values[kept])
    assert made.said[0].startswith(f"{int((~kept).sum())} of 500 draws were negative")


def test_where_places_differ_each_row_stays_in_its_own() -> None:
    made = unbroken(200, 0, places(0.5, count()), KIND, alike=False)
    assert made.rows.given[:, 0].tolist() == list(range(200))


def test_where_they_do_not_no_more_are_drawn_than_are_wanting() -> None:
    asked: list[int] = []
    draw = places(0.5, count())

    def counted(n: int, seed: int) -> Drawn:
        asked.append(n)
        return draw(n, seed)

    unbroken(4000, 0, counted, KIND, alike=True)
    assert 7600 < sum(asked) < 8400  # one draw in two is kept


def test_what_hardly_ever_succeeds_is_given_up_before_long() -> None:
    calls = count()
    with pytest.raises(UserError, match=r"0 of 5,000 rows are there .* all others were negative"):
        unbroken(5000, 0, places(1.0, calls), KIND, alike=True)
    assert next(calls) * 5000 <= 16 * TRIED + 5000


def test_rows_of_which_none_is_broken_are_those_of_the_first_draw() -> None:
    made = unbroken(50, 1, places(0.0, count()), KIND, alike=True)
    assert torch.equal(made.rows.values, places(0.0, count())(50, 1).rows.values)
    assert made.said == ()


def test_how_many_were_drawn_in_all_is_said() -> None:
    asked: list[int] = []

    def counted(n: int, seed: int) -> Drawn:
        asked.append(n)
        return places(0.5, count())(n, seed)

    made = unbroken(200, 0, counted, KIND, alike=True)
    assert made.said[0].endswith(f": {sum(asked):,} draws in all")
