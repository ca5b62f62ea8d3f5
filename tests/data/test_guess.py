"""What a column is: the rule, by examples, and its texts exactly back."""

import json
import string
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.core.errors import UserError
from twofold.data.columns import TITLES, Label, Number, decimals, describe, recall, written
from twofold.data.frames import Cells, Frame
from twofold.data.guess import MISSING, Look, blanks, learn
from twofold.data.moments import FORMATS, Clock

WORDS = [f"word{a}{b}" for a in string.ascii_letters for b in string.ascii_letters]


def look(texts: list[str], name: str = "column") -> Look:
    cells = Cells.of(name, texts)
    return Look(Frame("t.csv", (cells,), np.arange(2, len(texts) + 2)), cells, blanks(MISSING))


@pytest.mark.parametrize(
    ("name", "texts", "title"),
    [
        ("x", ["", "NA", "?"] * 10, "constant"),
        ("x", ["7"] * 10, "constant"),
        ("x", ["7", ""] * 10, "category"),
        ("x", [str(i) for i in range(5, 25)], "id"),
        ("x", [str(i * i) for i in range(20)], "number"),
        ("x", [str(i * 1.5) for i in range(20)], "number"),
        ("x", ["0", "1"] * 3, "category"),
        ("x", [str(i % 7) for i in range(70)], "category"),
        ("x", [str(i % 7) for i in range(20)], "number"),
        ("x", [str(i % 30) for i in range(300)], "number"),
        ("customerId", [f"c-{i}" for i in range(6)], "id"),
        ("Compound ID", [f"c-{i}" for i in range(6)], "id"),
        ("body mass index", [str(i * i) for i in range(20)], "number"),
        ("valid", [str(i * i) for i in range(20)], "number"),
        ("x", [f"{i:05}" for i in range(0, 2000, 7)], "id"),
        ("x", [f"{i % 40:05}" for i in range(200)], "category"),
        ("x", [f"2024-01-{1 + i % 28:02}" for i in range(60)], "date"),
        ("x", [f"{1 + i % 12}/{1 + i % 28}/2024" for i in range(60)], "date"),
        ("x", [f"this is note {i} of many" for i in range(70)], "text"),
        ("x", WORDS[:100], "id"),
        ("x", WORDS[:100] * 2, "category"),
        ("x", [str(i * i) for i in range(60)] + ["unknown"], "number"),
        ("x", ["True", "False"] * 3, "category"),
    ],
)
def test_the_rule(name: str, texts: list[str], title: str) -> None:
    column, found = learn(look(texts, name), "")
    assert TITLES[type(column)] == title
    assert bool(column.fields) == (title in ("number", "date", "category"))
    assert column.fields or found, "what is left out is said"


@given(st.lists(st.decimals(-9999, 9999, places=3).map(str), min_size=1, max_size=60))
def test_numbers_come_back_in_value_and_rounding(texts: list[str]) -> None:
    column, _ = learn(look(texts), "number")
    if not column.fields:
        return
    back = column.texts(column.numbers(texts).astype(np.float32).astype(float))
    assert [float(text) for text in back] == [float(text) for text in texts]
    assert max(map(decimals, back)) <= 3


@given(
    st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=40, unique=True),
    st.sampled_from([form for form in FORMATS if "%Y" in form]),
    st.sampled_from([timedelta(days=1), timedelta(hours=6), timedelta(minutes=1)]),
)
def test_moments_come_back_in_their_format(counts: list[int], form: str, step: timedelta) -> None:
    texts = [(datetime(2024, 2, 29) + count / 1e3 // 1 * step).strftime(form) for count in counts]
    clock = Clock.fit(texts, form)
    assert clock.texts(clock.numbers(texts)) == texts


@given(st.lists(st.sampled_from(WORDS[:300]), min_size=1, max_size=400))
def test_categories_come_back_and_rare_ones_as_rare_ones(texts: list[str]) -> None:
    column, _ = learn(look(texts), "category")
    if not isinstance(column, Label):
        return
    numbers = column.numbers(texts)
    back = column.texts(numbers)
    for before, after, index in zip(texts, back, numbers[:, 0], strict=True):
        assert after == before if index < len(column.labels) else after in column.others


def test_rare_levels_are_drawn_as_often_as_they_were_seen() -> None:
    column = Label(name="x", labels=("a",), others=("b", "c"), shares=(0.3, 0.1))
    back = column.texts(np.full((4000, 1), 1.0))
    assert abs(back.count("b") / 4000 - 0.75) < 0.01
    assert column.numbers(["never seen"]).tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("value", "places", "always", "text"),
    [
        (63.0, 1, 1, "63.0"),
        (0.5, 2, 2, "0.50"),
        (2.675, 2, 0, "2.67"),
        (-0.001, 2, 0, "0"),
        (-0.001, 2, 1, "0.0"),
        (1e16, 0, 0, "1e+16"),
        (457.4320000000001, 15, 0, "457.4320000000001"),
        (1.5e-20, 21, 0, "1.5e-20"),
    ],
)
def test_a_number_is_written_with_its_places(
    value: float, places: int, always: int, text: str
) -> None:
    assert written(value, places, always) == text


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e999", "1e301"])
def test_an_infinite_number_is_named_by_row_and_column(cell: str) -> None:
    with pytest.raises(UserError, match=r"t\.csv row 4, column 'column' is infinite"):
        learn(look(["1.5", "2.5", cell, "3.5"]), "")


def test_a_type_that_is_not_known_gets_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'category'"):
        learn(look(["a", "b"]), "categorie")


@given(st.lists(st.sampled_from(["1", "2.5", "x", "", "2024-01-01"]), min_size=1, max_size=30))
def test_a_column_is_plain_data(texts: list[str]) -> None:
    column, _ = learn(look(texts), "")
    assert recall(json.loads(json.dumps(describe(column)))) == column


def test_an_edited_column_that_makes_no_sense_is_refused() -> None:
    column, _ = learn(look(["1.5", "2.5"]), "number")
    assert isinstance(column, Number)
    with pytest.raises(UserError, match=r"column 'column' of the schema.*decimals"):
        recall(describe(column) | {"decimals": "many"})
    with pytest.raises(UserError, match="did you mean 'number'"):
        recall(describe(column) | {"type": "numbr"})


def test_of_many_levels_those_that_are_seen_often_are_kept_each() -> None:
    often = [f"city {i}" for i in range(200) for _ in range(12)]
    once = [f"village {i}" for i in range(150)]
    column, found = learn(look(often + once), "")
    assert isinstance(column, Label)
    assert sorted(column.labels) == sorted({*often})
    assert set(column.others) == set(once)
    assert [one.text for one in found if "350 levels; the 200 most" in one.text]
