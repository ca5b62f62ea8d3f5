"""Text with delimiters: CSV (RFC 4180) and what people call so.

Read: comma, semicolon, tab or bar; quoted cells; a byte-order mark; UTF-8, UTF-16 with its mark,
else, line by line, Windows-1252, which is said; gzip. Blank rows are passed over. The delimiter is
the one that cuts most of the first rows into the same number of cells, more than one. The first row
is a header unless it looks like data: it holds a number, or a text that comes again below it in its
column.

A row with another number of cells, an open quote, a null byte, a truncated gzip: each is a
`UserError` that names the row.

>>> sniff("a;b\\n1,5;2\\n2,5;3\\n")
';'
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twofold.core.errors import UserError
from twofold.data.columns import NUMBER
from twofold.data.frames import Cells, Frame, Header, Style, unique_names
from twofold.data.kind import Finding

DELIMITERS = ("\t", ";", "|", ",")  # of two that cut as evenly, the earlier
HEAD = 200  # rows to learn the delimiter and the header from
COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)

Record = tuple[int, list[str]]  # the row's number in the file, from 1, and its cells


def read_text(path: Path, delimiter: str = "", header: Header = "auto") -> Frame:
    """A file of delimited text, compressed or not."""
    text, found = decoded(path, content(path))
    return parse(text, str(path), delimiter, header, found)


def content(path: Path) -> bytes:
    """What a file holds, decompressed."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(f"{path} is a damaged gzip; copy or download it again") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; check the path") from None
    if not data.strip():
        raise UserError(f"{path} is empty; a table needs at least one row")
    return data


def decoded(path: Path, data: bytes) -> tuple[str, list[Finding]]:
    """Bytes as text, and what had to be guessed."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace"), []
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise UserError(f"{path} holds null bytes (line {line}), so it is no text; take them out")
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = f"{path} is not UTF-8 (line {line}); such lines are read as Windows-1252"
        body = data.removeprefix(codecs.BOM_UTF8)
        return "\n".join(map(line_of, body.split(b"\n"))), [Finding("warning", text)]


def line_of(data: bytes) -> str:
    """A line as text: files put together from several may be of two codings."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def parse(
    text: str, title: str, delimiter: str, header: Header, found: Sequence[Finding] = ()
) -> Frame:
    """Delimited text as a frame."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    cut = delimiter or sniff(text)
    if len(cut) != 1 or cut in '"\n ':
        raise UserError(f"data.delimiter = {delimiter!r}: it must be one character such as ','")
    numbered = records(text, cut, title)
    head = list(itertools.islice(numbered, HEAD))
    if not head:
        raise UserError(f"{title} has only blank rows; a table needs at least one row")
    width = Counter(len(cells) for _, cells in head).most_common(1)[0][0]
    named = header == "yes" or (header == "auto" and is_header([cells for _, cells in head]))
    names, twice = unique_names(even(head[0], width, title) if named else [""] * width)
    columns, rows = gathered(names, itertools.chain(head[named:], numbered), title)
    said = [*found, *twice, *noted(named, header, title)]
    style = Style("csv", cut, named, cut != "," and decimal_comma(columns))
    return Frame(title, columns, rows, style, tuple(said))


def noted(named: bool, header: Header, title: str) -> list[Finding]:
    """What to say of a header that is not there."""
    if named or header == "no":
        return []
    text = f"{title} has no header (its first row looks like data); columns are column_1, …"
    return [Finding("note", text + '; set data.header = "yes" if it has one')]


def records(text: str, delimiter: str, title: str) -> Iterator[Record]:
    """Rows that are not blank, with their numbers, cells stripped of outer spaces."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True, strict=True)
    number = 0
    while True:
        number += 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(f"{title} row {number} cannot be read: {error}; mend the row") from None
        if any(cells):
            yield number, cells


def even(record: Record, width: int, title: str) -> list[str]:
    """The cells of a row that is as long as the others."""
    number, cells = record
    if len(cells) != width:
        has = f"{len(cells)} cell" + "s" * (len(cells) != 1)
        raise UserError(
            f"{title} row {number} has {has} where the others have "
            f"{width}; mend the row, or name another data.delimiter"
        )
    return cells


def gathered(
    names: Sequence[str], numbered: Iterable[Record], title: str
) -> tuple[tuple[Cells, ...], NDArray[np.int64]]:
    """Rows as columns: each distinct text of a column is kept once."""
    known: list[dict[str, int]] = [{} for _ in names]
    codes: list[list[int]] = [[] for _ in names]
    rows: list[int] = []
    for record in numbered:
        cells = even(record, len(names), title)
        rows.append(record[0])
        for text, seen, code in zip(cells, known, codes, strict=True):
            code.append(seen.setdefault(text, len(seen)))
    if not rows:
        raise UserError(f"{title} has a header and no rows; a table needs at least one row")
    columns = (
        Cells(name, tuple(seen), np.array(code, np.intp))
        for name, seen, code in zip(names, known, codes, strict=True)
    )
    return tuple(columns), np.array(rows, np.int64)


def sniff(text: str) -> str:
    """The delimiter that cuts most of the first rows into the same number of cells."""
    return max(DELIMITERS, key=lambda delimiter: evenness(text, delimiter))


def evenness(text: str, delimiter: str) -> float:
    """The share of the first rows that have the most common number of cells, if that is over 1."""
    widths: Counter[int] = Counter()
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    try:
        for cells in itertools.islice(reader, HEAD):
            widths[len(cells)] += any(cell.strip() for cell in cells)
    except csv.Error:
        return 0.0
    width, count = widths.most_common(1)[0] if widths else (1, 0)
    return count / max(1, widths.total()) if width > 1 else 0.0


def is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of some rows names the columns.

    >>> is_header([["age", "sex"], ["39", "f"]]), is_header([["39", "f"], ["50", "f"]])
    (True, False)
    """
    first, below = rows[0], rows[1:]
    if any(NUMBER.fullmatch(cell) for cell in first) or not any(first):
        return False
    if not below:  # names alone
        return len(first) > 1 and all(first) and len({*first}) == len(first)
    return not any(
        cell and cell in {row[at] for row in below if at < len(row)}
        for at, cell in enumerate(first)
    )


def decimal_comma(columns: Sequence[Cells]) -> bool:
    """Whether some column has numbers with a comma, and no column numbers with a point."""
    texts = {text for cells in columns for text in cells.texts[:HEAD]}
    commas = any(COMMA.fullmatch(text) for text in texts)
    return commas and not any("." in text and NUMBER.fullmatch(text) for text in texts)


def write_text(
    path: Path, names: Sequence[str], columns: Sequence[Sequence[str]], style: Style
) -> None:
    """Write columns of text; a file that is there already is not touched."""
    try:
        with open(path, "x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=style.delimiter, lineterminator="\n")
            if style.header:
                writer.writerow(names)
            writer.writerows(zip(*columns, strict=True))
    except FileExistsError:
        raise UserError(f"{path} is already there; name another --out") from None
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
