"""Text with delimiters: whatever bytes come, a frame or one clear sentence."""

import codecs
import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twofold.core.errors import UserError
from twofold.data.delimited import decoded, parse, read_text, sniff, write_text
from twofold.data.frames import Frame, Style

cell = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6)
table = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=8)
)
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def texts(frame: Frame) -> list[list[str]]:
    columns = [[cells.texts[code] for code in cells.codes] for cells in frame.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def frame_or_sentence(path: Path) -> None:
    try:
        frame = read_text(path)
    except UserError:
        with pytest.raises(UserError, match=path.name):
            read_text(path)
        return
    assert len(frame) >= 1
    assert len(set(frame.names)) == len(frame.names)
    assert all(len(cells) == len(frame) for cells in frame.columns)


@given(st.binary(max_size=200))
@shared
def test_any_bytes_are_a_frame_or_one_sentence(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(data)
    frame_or_sentence(path)


@given(st.text(st.sampled_from('ab1,;\t|" \n\r.-?\ufeff'), max_size=60))
@shared
def test_any_csv_like_text_is_a_frame_or_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.csv"
    path.write_text(text, "utf-8", newline="")
    frame_or_sentence(path)


@given(st.binary(max_size=60), st.integers(0, 30))
@shared
def test_a_damaged_gzip_is_one_sentence(tmp_path: Path, data: bytes, cut: int) -> None:
    path = tmp_path / "any.csv.gz"
    whole = gzip.compress(data)
    path.write_bytes(whole[: max(2, len(whole) - 1 - cut)])
    with pytest.raises(UserError, match=r"any\.csv\.gz"):
        read_text(path)


@given(table, st.sampled_from(",;\t|"))
def test_what_csv_writes_is_read_back(rows: list[list[str]], delimiter: str) -> None:
    rows = [["x", *(text.strip() for text in row)] for row in rows]
    names = [f"name {i}" for i in range(len(rows[0]))]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([names, *rows])
    frame = parse(text.getvalue(), "t.csv", delimiter, "yes")
    assert list(frame.names) == names
    assert texts(frame) == rows


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";"),
        ("a\tb\nx, y\tz\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ('"a;b",c\n"d;e",f\n', ","),
    ],
)
def test_the_delimiter_is_found(text: str, delimiter: str) -> None:
    assert sniff(text) == delimiter


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("age,sex\n39,f\n50,m\n", ("age", "sex")),
        ("39,f\n50,m\n", ("column_1", "column_2")),
        ("f,x\nm,y\nf,z\n", ("column_1", "column_2")),
        (",b,b\n1,2,3\n", ("column_1", "b", "b_2")),
        ("\ufeffa\n1\n", ("a",)),
    ],
)
def test_a_header_is_recognised_and_its_names_are_distinct(
    text: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(text, "utf-8")
    assert read_text(tmp_path / "t.csv").names == names


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"a,b\n1,2\n3\n4,5\n", "row 3 has 1 cell where the others have 2"),
        (b"a,b\n1,2\n\n3,4,5\n", "row 4 has 3 cells"),
        (b'a,b\n1,"2\n3,4\n', "row 2 cannot be read"),
        (b"", "is empty"),
        (b"a,b\n", "no rows"),
        (b"a\nb\0c", r"null bytes \(line 2\)"),
        (b"\x1f\x8b\x08broken", "damaged gzip"),
    ],
)
def test_what_cannot_be_read_is_named_by_row(data: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    with pytest.raises(UserError, match=sentence):
        read_text(path, header="yes")


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_utf_16_with_its_mark_is_read(mark: bytes, tmp_path: Path) -> None:
    coding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    (tmp_path / "t.csv").write_bytes(mark + "größe,zahl\n1,2\n".encode(coding))
    assert read_text(tmp_path / "t.csv").names == ("größe", "zahl")


def test_another_coding_is_guessed_and_said(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("name,n\nMüller,1\n".encode("latin-1"))
    frame = read_text(tmp_path / "t.csv")
    assert texts(frame) == [["Müller", "1"]]
    assert any("Windows-1252" in finding.text for finding in frame.findings)


@given(st.lists(st.tuples(st.text("éüßaÆ", min_size=1), st.booleans()), min_size=2))
def test_lines_of_two_codings_are_each_read_in_their_own(lines: list[tuple[str, bool]]) -> None:
    """None of these letters in Windows-1252 is UTF-8 by chance."""
    raw = [text.encode("utf-8" if new else "cp1252") for text, new in lines]
    assert decoded(Path("t.csv"), b"\n".join(raw))[0] == "\n".join(text for text, _ in lines)


def test_a_decimal_comma_is_found() -> None:
    assert parse("a;b\n1,5;x\n2,5;y\n", "t", "", "auto").style.comma
    assert not parse("a;b\n1.5;1,5\n2,5;y\n", "t", "", "auto").style.comma


def test_an_existing_file_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("mine")
    with pytest.raises(UserError, match="already there"):
        write_text(path, ["a"], [["1"]], Style())
    assert path.read_text() == "mine"


def test_a_header_alone_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("age,sex\n")
    with pytest.raises(UserError, match="has a header and no rows"):
        read_text(tmp_path / "t.csv")
