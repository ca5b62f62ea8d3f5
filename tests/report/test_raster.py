"""Pictures with words: letters that a font has, and words that say which they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from twofold.data import letters
from twofold.data.letters import best, drawable, has
from twofold.report import raster


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Co", "Cs")), max_size=12))
def test_what_is_drawn_has_a_shape_in_its_font(text: str) -> None:
    shown = drawable(text)
    assert all(has(best(shown), letter) for letter in shown)
    assert drawable(shown) == shown


@pytest.mark.parametrize("text", ["Bär", "猫", "🐶", "Жук", "−₁"])
def test_without_any_other_font_there_is_something_to_read(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "fonts", lambda: ("",))
    expected = {"Bär": "Bar", "猫": "(U+732B)", "🐶": "(dog face)", "−₁": "-1"}
    assert drawable(text).isascii()
    assert drawable(text) == expected.get(text, drawable(text))


def test_labels_of_other_scripts_are_told_apart() -> None:
    """Two names that a font lacks were drawn alike, as boxes."""
    paper = Image.new("RGB", (30, 20))
    one, other = (raster.stacked([(name, paper)]).tobytes() for name in ("猫", "犬"))
    assert one != other


def test_heads_stand_above_their_columns() -> None:
    paper = Image.new("RGB", (90, 20))
    plain, headed = raster.stacked([("a", paper)]), raster.stacked([("a", paper)], ["x", "y", "z"])
    above = headed.height - plain.height
    assert above > 0
    assert headed.crop((0, above, headed.width, headed.height)).tobytes() == plain.tobytes()
    left = headed.width - 90
    cells = [headed.crop((left + 30 * i, 0, left + 30 * (i + 1), above)) for i in range(3)]
    assert all(min(cell.convert("L").tobytes()) < 128 for cell in cells)
