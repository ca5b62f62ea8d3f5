"""A table as text: what a CSV file, a Parquet file and a data frame have in common.

A `Frame` is a list of `Cells`, one a column. Each column is kept as its distinct texts and, a row,
which of them: 48,842 rows of UCI Adult have 2 texts in the column `sex`. So what a column means is
asked of its distinct texts alone (`guess.py`), and a large table takes little memory.
`read_frame` takes a path (CSV and its relatives through `delimited.py`, Parquet through pandas), or
a frame of pandas, polars or pyarrow.

>>> cells = Cells.of("sex", ["f", "m", "f"])
>>> cells.texts, cells.codes.tolist()
(('f', 'm'), [0, 1, 0])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from twofold.core.errors import UserError, nearest
from twofold.data.kind import Finding
from twofold.data.pixels import SUFFIXES

Header = Literal["auto", "yes", "no"]
DELIMITED = (".csv", ".tsv", ".tab", ".data", ".test")
PARQUET = (".parquet", ".pq")
LIBRARIES = ("pandas", "polars", "pyarrow")


@dataclass(frozen=True)
class Cells:
    """One column: its distinct `texts`, and for each row which of them, `codes` (N,)."""

    name: str
    texts: tuple[str, ...]
    codes: NDArray[np.intp]
    dtype: str = "text"

    @classmethod
    def of(cls, name: str, texts: Iterable[str], dtype: str = "text") -> Self:
        """A column from one text a row."""
        numbers: dict[str, int] = {}
        codes = [numbers.setdefault(text, len(numbers)) for text in texts]
        return cls(name, tuple(numbers), np.array(codes, np.intp), dtype)

    def __len__(self) -> int:
        return len(self.codes)

    def lines(self, rows: Iterable[int] | slice = slice(None)) -> list[str]:
        """The text of every row, or of some.

        >>> Cells.of("a", ["x", "y", "x"]).lines([2, 1])
        ['x', 'y']
        """
        at = rows if isinstance(rows, slice) else [*rows]
        return [self.texts[code] for code in self.codes[at]]

    def first(self, texts: NDArray[np.bool_]) -> int:
        """The number, from 0, of the first row that holds one of some distinct texts."""
        return int(texts[self.codes].argmax())


@dataclass(frozen=True)
class Style:
    """How a table was written, so that others can be read and written alike.

    Args:
        form: `csv`, `parquet` or `frame`.
        delimiter: between the cells of a row of text.
        header: whether the first row names the columns.
        comma: whether the decimal mark is a comma.
    """

    form: Literal["csv", "parquet", "frame"] = "frame"
    delimiter: str = ","
    header: bool = True
    comma: bool = False


@dataclass(frozen=True)
class Frame:
    """A table as text.

    Args:
        title: what it is called in messages: the path, or `the frame`.
        columns: one a column, all of N rows, names distinct.
        rows: the number that a user would give each row, (N,); in a file the header counts.
        style: how it was written.
        findings: what was noticed while reading.
        heads: what the file calls its columns, where that is something else; else nothing.
    """

    title: str
    columns: tuple[Cells, ...]
    rows: NDArray[np.int64]
    style: Style = Style()
    findings: tuple[Finding, ...] = field(default=(), compare=False)
    heads: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(cells.name for cells in self.columns)

    def __getitem__(self, name: str) -> Cells:
        for cells in self.columns:
            if cells.name == name:
                return cells
        raise UserError(f"{self.title} has no column {name!r}; {nearest(name, self.names)}")

    def only(self, names: Sequence[str]) -> Self:
        """The columns of these names, in this order."""
        return replace(self, columns=tuple(self[name] for name in names))

    def head(self, rows: int) -> Self:
        """The first rows."""
        columns = tuple(
            Cells.of(cells.name, cells.lines(slice(rows)), cells.dtype) for cells in self.columns
        )
        return replace(self, columns=columns, rows=self.rows[:rows])

    def place(self, cells: Cells, row: int) -> str:
        """Where a cell is, in words."""
        return f"{self.title} row {self.rows[row]}, column {cells.name!r}"


def unique_names(names: Sequence[str]) -> tuple[list[str], list[Finding]]:
    """Names with a number after those that have come before; a blank one is its position.

    >>> unique_names(["a", "", "a"])[0]
    ['a', 'column_2', 'a_2']
    """
    fresh: list[str] = []
    found: list[Finding] = []
    for at, name in enumerate(names, 1):
        fresh.append(unused(name or f"column_{at}", fresh))
        if name and fresh[-1] != name:
            text = f"the column name {name!r} comes twice; column {at} is called {fresh[-1]!r}"
            found.append(Finding("warning", text))
    return fresh, found


def unused(name: str, taken: Sequence[str]) -> str:
    """The name, or the name with the first number that makes it new."""
    if name not in taken:
        return name
    return next(new for i in range(2, len(taken) + 3) if (new := f"{name}_{i}") not in taken)


def library(where: Any) -> str:
    """Which library a data frame comes from, without importing any; empty for anything else."""
    root = type(where).__module__.partition(".")[0]
    return root if root in LIBRARIES and hasattr(where, "columns") else ""


def suffix(path: Path) -> str:
    """The last suffix before a `.gz`, in small letters.

    >>> suffix(Path("adult.data.gz")), suffix(Path("A.CSV"))
    ('.data', '.csv')
    """
    return Path(path.stem if path.suffix.lower() == ".gz" else path).suffix.lower()


def is_table(where: Any) -> bool:
    """Whether a path or object looks like a table, by its suffix or type alone."""
    if isinstance(where, str | Path):
        return suffix(Path(where)) in DELIMITED + PARQUET
    return bool(library(where))


BINARY = (".npy", ".npz", ".zip", *(suffix.decode() for suffix in SUFFIXES))
"""Files that hold arrays or pictures, and no rows of text."""


def may_be_table(where: Any) -> bool:
    """Whether a table might be read from it: a file that is not named otherwise, or a frame."""
    if isinstance(where, str | Path):
        return not Path(where).is_dir() and suffix(Path(where)) not in BINARY
    return bool(library(where))


def read_frame(where: Any, delimiter: str = "", header: Header = "auto") -> Frame:
    """A table of any sort as text.

    Args:
        where: a path, or a data frame of pandas, polars or pyarrow.
        delimiter: of a text file; empty to find out.
        header: whether its first row names the columns.

    Raises:
        UserError: what is wrong with it, by row and column.
    """
    if library(where):
        return from_pandas(to_pandas(where), "the frame", Style("frame"))
    if not isinstance(where, str | Path):
        raise UserError(f"a {type(where).__name__} is no table; give a path or a data frame")
    path = Path(where)
    if suffix(path) in PARQUET:
        return from_pandas(read_parquet(path), str(path), Style("parquet"))
    from twofold.data.delimited import read_text

    return read_text(path, delimiter, header)


def pandas() -> Any:
    """The pandas package, which the extra `tables` installs."""
    try:
        import pandas
    except ImportError:
        raise UserError('this needs pandas; pip install "twofold[tables]"') from None
    return pandas


def read_parquet(path: Path) -> Any:
    """A Parquet file as a pandas frame."""
    if not path.is_file():
        raise UserError(f"{path} is not there; check the path")
    try:
        return pandas().read_parquet(path)
    except ImportError:
        raise UserError('Parquet needs pyarrow; pip install "twofold[tables]"') from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[:1]
        raise UserError(f"{path} is not a Parquet file that can be read: {reason}") from None


def to_pandas(where: Any) -> Any:
    """A frame of polars or pyarrow as one of pandas; one of pandas as it is."""
    if library(where) == "pandas":
        return where
    try:
        return where.to_pandas()
    except ImportError:
        raise UserError(
            f'a {library(where)} frame goes through pandas; pip install "twofold[tables]"'
        ) from None


def from_pandas(table: Any, title: str, style: Style) -> Frame:
    """A pandas frame as text; an index of dates, or with a name, becomes a column."""
    table = flat(table)
    if not len(table) or not len(table.columns):
        raise UserError(
            f"{title} has {len(table)} rows and {len(table.columns)} columns; "
            "a table needs at least one of each"
        )
    names, found = unique_names([str(name).strip() for name in table.columns])
    columns = tuple(cells_of(name, table.iloc[:, i]) for i, name in enumerate(names))
    return Frame(title, columns, np.arange(1, len(table) + 1), style, tuple(found))


def flat(table: Any) -> Any:
    """A pandas frame whose index of dates, or with a name, is a column."""
    told = table.index.name is not None or str(table.index.dtype).startswith("datetime")
    return table.reset_index() if told else table


def cells_of(name: str, series: Any) -> Cells:
    """One column of a pandas frame as text; missing is the empty text."""
    dtype = str(series.dtype)
    if dtype == "category":
        dtype = f"category[{series.cat.categories.dtype}]"
    elif dtype == "object":
        inferred = pandas().api.types.infer_dtype(series, skipna=True)
        dtype = OBJECTS.get(inferred, dtype)  # such as truth values with gaps
    elif dtype.startswith("timedelta"):
        series = series.dt.total_seconds()
    elif dtype.startswith("datetime") and series.dt.tz is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    codes, distinct = pandas().factorize(series)  # a missing cell has the code −1
    texts = Cells.of(name, [said(item) for item in distinct] + [""] * bool((codes < 0).any()))
    return Cells(name, texts.texts, texts.codes[codes], dtype)


def said(item: Any) -> str:
    """One cell of a frame as text, exactly where it is a number or a date."""
    if hasattr(item, "isoformat") and hasattr(item, "strftime"):
        return str(item.isoformat(" ") if hasattr(item, "hour") else item.isoformat())
    return str(item).strip()


def typed(texts: Sequence[str], gone: NDArray[np.bool_], dtype: str, form: str = "mixed") -> Any:
    """Texts as a pandas series of the type they once had; `gone` are missing.

    A type that the texts are no longer of, such as whole numbers with gaps, becomes its nearest.
    """
    family = dtype.partition("[")[0].lower().rstrip("0123456789")
    series = pandas().Series(list(texts), dtype=object).mask(gone)
    try:
        return TYPED.get(family, as_text)(series, dtype, form)
    except (ValueError, TypeError):
        return series


def as_whole(series: Any, dtype: str, form: str) -> Any:
    numbers = as_float(series, "float64", form)
    gaps = bool(series.isna().any()) and dtype[0].islower()
    return numbers.astype("Int64" if gaps else dtype)


def as_float(series: Any, dtype: str, form: str) -> Any:
    plain = series.map(lambda text: text.replace(",", "."), na_action="ignore")
    return pandas().to_numeric(plain).astype(dtype)


def as_truth(series: Any, dtype: str, form: str) -> Any:
    truth = series.map(lambda text: text.casefold() == "true", na_action="ignore")
    return truth.astype("boolean" if series.isna().any() else dtype)


def as_date(series: Any, dtype: str, form: str) -> Any:
    dates = pandas().to_datetime(series, format=form)
    return (dates.dt.tz_localize("UTC") if "," in dtype else dates).astype(dtype)


def as_duration(series: Any, dtype: str, form: str) -> Any:
    return pandas().to_timedelta(as_float(series, "float64", form), unit="s").astype(dtype)


def as_category(series: Any, dtype: str, form: str) -> Any:
    inner = dtype.partition("[")[2][:-1]
    known = series.dropna()
    levels = typed(known.tolist(), np.zeros(len(known), bool), inner, form).astype("category")
    return levels.set_axis(known.index).reindex(series.index)


def as_text(series: Any, dtype: str, form: str) -> Any:
    return series.infer_objects() if dtype == "str" else series.astype(dtype)


OBJECTS = {"boolean": "bool", "integer": "int64", "floating": "float64"}
"""The type of a column of objects that are all alike."""
TYPED: dict[str, Callable[[Any, str, str], Any]] = {
    "int": as_whole,
    "uint": as_whole,
    "float": as_float,
    "bool": as_truth,
    "boolean": as_truth,
    "datetime": as_date,
    "timedelta": as_duration,
    "category": as_category,
}
