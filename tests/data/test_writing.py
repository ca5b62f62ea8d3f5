"""Numbers with a unit: read, drawn and written as their column writes them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.stories.commands import inside
from twofold.data.guess import Look, learn
from twofold.data.kinds.tables import Tables
from twofold.data.sources import Rows, whole
from twofold.data.writing import Writing

UNITS = [("", ""), ("$", ""), ("€ ", ""), ("US$", ""), ("CHF ", ""), ("", " €"), ("", "%"),
         ("", " %"), ("", "\u00a0€"), ("", " kr")]  # fmt: skip
MARKS = [(",", False), (" ", False), ("'", False), ("\u202f", True), (".", True), (" ", True)]


@st.composite
def ways(draw: st.DrawFn) -> Writing:
    prefix, suffix = draw(st.sampled_from(UNITS))
    mark, comma = draw(st.sampled_from(MARKS))
    inside = bool(prefix) and draw(st.booleans())
    brackets = not inside and draw(st.booleans())
    return Writing((prefix + suffix).strip(), prefix, suffix, mark, comma, inside, brackets)


@settings(max_examples=150)
@given(ways(), st.lists(st.integers(-(10**9), 10**9), min_size=30, max_size=40, unique=True))
def test_numbers_come_back_in_their_writing(way: Writing, cents: list[int]) -> None:
    texts = [way.put(f"{cent / 100:.2f}") for cent in cents]
    assume(way.unit or not way.comma or any(way.thousands in text for text in texts))
    assume(not way.brackets or min(cents) < 0 < max(cents))
    column, found = learn(Look.of(texts), "number")
    assert column.texts(column.numbers(texts)) == texts
    assert [column.raw(text) for text in texts] == [c / 100 for c in cents]  # type: ignore[attr-defined]
    assert not found


@given(ways(), st.from_regex(r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,4})?", fullmatch=True))
def test_what_is_written_is_read(way: Writing, bare: str) -> None:
    assert way.bare(way.put(bare)) == bare


@pytest.mark.parametrize(
    ("texts", "type_"),
    [
        ([f"€ {i}" for i in range(60)], "Number"),  # rising by one, and yet no id
        ([f"{i * 1234:,}" for i in range(60)], "Number"),
        ([f"({i})" if i % 3 else f"{i}" for i in range(60)], "Number"),  # debts
        ([f"({i})" for i in range(60)], "Identifier"),  # footnotes
        ([f"A{i}" for i in range(60)], "Identifier"),
        ([f"00{i} %" for i in range(60)], "Identifier"),  # codes
        ([f"{i % 7},{i % 10}" for i in range(60)], "Identifier"),  # pairs
        ([f"192.168.{i}.7" for i in range(60)], "Identifier"),
    ],
)
def test_what_is_a_number_and_what_is_none(texts: list[str], type_: str) -> None:
    chance = np.random.default_rng(0)
    shuffled = [texts[i] for i in chance.permutation(len(texts))]
    assert type(learn(Look.of(shuffled), "")[0]).__name__ == type_


def test_money_with_three_places_has_thousands() -> None:
    column, _ = learn(Look.of([f"€ {i}.{i:03}" for i in range(1, 60)]), "")
    assert column.raw("€ 7.007") == 7007  # type: ignore[attr-defined]


def test_several_writings_are_read_and_told() -> None:
    texts = [f"${i * 7}" for i in range(60)] + ["5", "$ 8", "-$3"]
    column, found = learn(Look.of(texts), "")
    assert column.numbers(texts).shape == (63, 1)
    assert not np.isnan(column.numbers(texts)).any()
    assert column.texts(column.numbers(["5", "$ 8"])) == ["$5", "$8"]
    assert "several writings" in found[0].text
    assert "'5' are written as '$5'" in found[0].text


def test_several_units_are_told() -> None:
    _, found = learn(Look.of([f"{'$€'[i % 2]}{i * 7}" for i in range(60)]), "")
    assert any("several units, such as '$0' and '€7'" in one.text for one in found)


def table(path: Path) -> Path:
    chance = np.random.default_rng(0)
    rows = zip(chance.lognormal(7, 1, 90), chance.integers(0, 101, 90), strict=True)
    lines = "".join(f'"${pay:,.2f}",{share} %,{i % 3}\n' for i, (pay, share) in enumerate(rows))
    path.write_text(f"pay,share,group\n{lines}", encoding="utf-8")
    return path


def cells(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_a_table_of_money_is_drawn_as_money(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv")
    kind, _ = Tables.inspect(path, constraints=("pay <= 2000000", "share <= 100"))
    assert Tables.from_dict(json.loads(json.dumps(kind.to_dict()))) == kind
    [again] = kind.write(whole(kind.open(path)), tmp_path / "again")
    assert cells(again) == cells(path)
    x = torch.randn(50, kind.space.width, generator=torch.Generator().manual_seed(0))
    drawn = kind.native(Rows(kind.space.decode(x), torch.zeros(50, 0)))
    assert drawn["pay"].str.fullmatch(r"\$(\d{1,3},)?\d{1,3}\.\d\d").all()
    assert drawn["share"].str.fullmatch(r"\d+ %").all()


def test_a_bound_is_kept_of_what_has_a_unit(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv")
    told = inside("doctor", path, "--set", 'data.constraints=["pay <= 500"]')
    assert told.status == 2
    assert "breaks the constraint 'pay <= 500'" in told.err
