"""A table with a header is read by a run on one without, and the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest

from twofold.core.errors import UserError
from twofold.data.kinds.tables import Tables

LINES = "".join(f"{20 + i % 50},{'mf'[i % 2]},{i / 3:.2f}\n" for i in range(60))
HEAD = "age,sex,dose\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    texts = {"named": HEAD + LINES, "bare": LINES}
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return {name: tmp_path / f"{name}.csv" for name in texts}


PAIRS = [("named", "bare"), ("bare", "named")]


@pytest.mark.parametrize(("learnt", "asked"), PAIRS)
def test_columns_are_taken_in_their_order(files: dict[str, Path], learnt: str, asked: str) -> None:
    kind = Tables.inspect(files[learnt])[0]
    rows, found = kind.read(files[asked])
    own = kind.read(files[learnt])[0]
    assert (rows.values == own.values).all()
    (said,) = [one.text for one in found if one.level == "warning"]
    assert "its columns are taken in their order" in said
    assert ("has no header" in said) == (asked == "bare")


@pytest.mark.parametrize(("learnt", "asked"), PAIRS)
def test_what_is_completed_has_the_first_row_of_the_file(
    files: dict[str, Path], learnt: str, asked: str, tmp_path: Path
) -> None:
    kind = Tables.inspect(files[learnt])[0].gappy()
    holed = tmp_path / "holed.csv"
    text = files[asked].read_text()
    holed.write_text(text.replace(",f,", ",,", 1), encoding="utf-8")
    rows = kind.open(files[asked]).read(kind.open(files[asked]).scenes())
    gaps = kind.open(holed).read(kind.open(holed).scenes()).values.isnan()
    assert gaps.sum() == 1
    (path,) = kind.complete(holed, rows, gaps, tmp_path / "out")
    assert path.read_text() == text


def test_what_does_not_fit_says_which_row_is_wanted(files: dict[str, Path], tmp_path: Path) -> None:
    named, bare = (Tables.inspect(files[name])[0] for name in ("named", "bare"))
    narrow = tmp_path / "narrow.csv"
    narrow.write_text("".join(line.rpartition(",")[0] + "\n" for line in LINES.split()))
    with pytest.raises(UserError, match="2 columns where the run knows 3; give it the first row"):
        named.open(narrow)
    turned = tmp_path / "turned.csv"
    cells = [line.split(",") for line in LINES.split()]
    turned.write_text("".join(f"{sex},{age},{dose}\n" for age, sex, dose in cells))
    with pytest.raises(UserError, match=r"not in the order of the run: 'm' is no 'age'"):
        named.open(turned)
    turned.write_text("sex,age,dose\n" + turned.read_text())
    with pytest.raises(UserError, match="has a header, and the data of this run had none"):
        bare.open(turned)


def test_names_are_never_guessed_where_both_have_them(
    files: dict[str, Path], tmp_path: Path
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("years,gender,mg\n" + LINES, encoding="utf-8")
    with pytest.raises(UserError, match="no column 'age'"):
        Tables.inspect(files["named"])[0].open(other)


def test_a_first_row_of_data_is_kept(tmp_path: Path) -> None:
    """A category that is new, above rows that are not, names nothing."""
    learnt, other = tmp_path / "a.csv", tmp_path / "b.csv"
    learnt.write_text(LINES, encoding="utf-8")
    other.write_text("33,x,4.5\n" + LINES, encoding="utf-8")
    kind = Tables.inspect(learnt)[0].gappy()
    assert len(kind.open(other)) == 61
