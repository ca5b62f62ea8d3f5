"""Tables as they come: each is modelled from end to end, or refused in one sentence."""

import csv
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.stories.commands import inside, refused, settings

ROWS = 40
SMALL = [*settings("vae", steps=2, batch=8, evaluate=1000), "--set", "model.latent=2"]
Cells = Sequence[Sequence[object]]


def numbers(rows: int, columns: int) -> list[list[object]]:
    stream = random.Random(0)
    return [[round(stream.gauss(0, 1), 3) for _ in range(columns)] for _ in range(rows)]


def beside(cells: Sequence[object], rows: int = ROWS) -> bytes:
    """A table of one number, one label and the cells."""
    stream = random.Random(1)
    lines = [
        f"{stream.gauss(0, 1):.3f},{stream.choice('ab')},{cells[i % len(cells)]}"
        for i in range(rows)
    ]
    return "\n".join(["size,kind,odd", *lines, ""]).encode()


def joined(cells: Cells, header: Sequence[str], separator: str = ",") -> bytes:
    return "\n".join(separator.join(map(str, row)) for row in [header, *cells]).encode() + b"\n"


THREE = [
    form
    for day in range(1, 10)
    for form in (f"2024-03-0{day}", f"{day + 12}/03/2024", f"March {day}| 2024")
]
TABLES: dict[str, tuple[bytes, str, str]] = {
    "two rows": (joined(numbers(2, 3), "abc"), "", "with 2 rows expect copies"),
    "one row": (joined(numbers(1, 3), "abc"), "no column to learn from", ""),
    "an all-missing column": (beside([""]), "", "'odd' is missing in every row; it is left out"),
    "one category": (beside(["same"]), "", "'odd' is 'same' in every row; it is left out"),
    "dates in three formats": (
        beside(THREE).replace(b",", b";").replace(b"|", b","),
        "",
        "dates in 3 formats",
    ),
    "duplicate headers": (
        joined(numbers(ROWS, 3), ["a", "a", ""]),
        "",
        "'a' comes twice; column 2 is called 'a_2'",
    ),
    "mixed encodings": (
        beside(["é"]) + beside(["é"]).partition(b"\n")[2].decode().encode("cp1252"),
        "",
        "'odd' is 'é' in every row",
    ),
    "another separator": (joined(numbers(ROWS, 3), "abc", "|"), "", "a row with 3 values"),
    "a decimal comma": (
        joined(numbers(ROWS, 3), "abc", ";").replace(b".", b","),
        "",
        "c, real",
    ),
    "ragged rows": (beside(["x", "y,z"]), "row 3 has 4 cells where the others have 3", ""),
    "infinite numbers": (
        beside(["1.5", "inf", "2.5", "0.125"]),
        "row 3, column 'odd' is infinite",
        "",
    ),
}
"""Bytes, what refuses them, and what is said of those that are not refused."""


@pytest.mark.parametrize("case", TABLES)
def test_a_bad_table_is_modelled_or_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    data = tmp_path / "table.csv"
    data.write_bytes(TABLES[case][0])
    said = inside("doctor", data)
    made = inside("fit", data, *SMALL, "--out", tmp_path / "run", "--quiet")
    _, wrong, noticed = TABLES[case]
    if wrong:
        refused(said, wrong)
        refused(made, wrong)
        return
    assert made.status == 0, made.err
    assert noticed in said.out
    drawn = inside("sample", tmp_path / "run", "-n", "5", "--out", tmp_path / "drawn")
    assert drawn.status == 0, drawn.err
    text = (tmp_path / "drawn" / "samples.csv").read_text("utf-8")
    assert len(text.splitlines()) == 6


@pytest.mark.slow
def test_two_thousand_columns(tmp_path: Path) -> None:
    data = tmp_path / "broad.csv"
    data.write_bytes(joined(numbers(30, 2000), [f"gene{i}" for i in range(2000)]))
    made = inside("fit", data, *SMALL, "--out", tmp_path / "run", "--quiet")
    assert made.status == 0, made.err
    assert inside("sample", tmp_path / "run", "-n", "3", "--out", tmp_path / "drawn").status == 0
    with (tmp_path / "drawn" / "samples.csv").open(encoding="utf-8", newline="") as file:
        assert [len(row) for row in csv.reader(file)] == [2000] * 4


def test_a_category_that_was_unseen_in_training(tmp_path: Path) -> None:
    """It is missing where a cell may be, and one sentence where none ever was."""
    (tmp_path / "known.csv").write_bytes(beside(["x", "y"]))
    (tmp_path / "new.csv").write_bytes(beside(["x", "strange"]))
    run = tmp_path / "run"
    made = inside("fit", tmp_path / "known.csv", *SMALL, "--out", run, "--quiet")
    assert made.status == 0, made.err
    refused(
        inside("encode", run, tmp_path / "new.csv", "--out", tmp_path / "z.npz"), "strange", "odd"
    )
