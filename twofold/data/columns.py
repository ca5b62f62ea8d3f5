"""One column of a table: what it means, and how its texts become values and texts again.

A `Column` is what was learnt of one column, as plain data. The modelled ones have one field in the
Space: a `Number` is a normal score (`scores.py`) or a place in a mode (`modes.py`), rounded on the
way back to the decimals that the file had; a `Moment` is a date or time (`moments.py`), also as a
normal score; a `Label` is a category. The others have none and are restored when rows are written:
a `Constant` as it was, an `Identifier` with fresh numbers, `Prose` (free text) as missing. What a
column is, is *guessed* by the first of `GUESSES` that holds, unless the user says it.

>>> column = Label(name="sex", labels=("f", "m"))
>>> column.numbers(["m", "?"])[:, 0].tolist(), column.texts(np.array([[0.0]]))
([1.0, nan], ['f'])
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from twofold.core.errors import UserError, nearest
from twofold.core.space import Category, Domain, Field, Real
from twofold.data.modes import Modes
from twofold.data.moments import Clock
from twofold.data.scores import NormalScores
from twofold.data.writing import Writing

Array = NDArray[np.float64]
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.I)
ZEROS = re.compile(r"[+-]?0\d")  # a code such as a postal one, which is no number
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, kw_only=True)
class Column(ABC):
    """What was learnt of one column.

    Args:
        name: of the column; distinct in its table.
        blank: how a missing cell is written.
        dtype: of the column in a data frame.
    """

    name: str
    blank: str = ""
    dtype: str = "str"

    @property
    @abstractmethod
    def fields(self) -> tuple[Field, ...]:
        """The fields it has in a Space: one, or none."""

    @abstractmethod
    def numbers(self, texts: Sequence[str]) -> Array:
        """Texts that are not missing as values (N, F); NaN for what the column never was."""

    @abstractmethod
    def texts(self, values: Array) -> list[str]:
        """Finite values (B, F) as texts, one a row."""


@dataclass(frozen=True, kw_only=True)
class Modelled(Column):
    """A column that has a field; `missing` is whether a cell may be missing."""

    missing: bool = False

    @property
    @abstractmethod
    def domain(self) -> Domain:
        """The set its values come from."""

    @property
    def fields(self) -> tuple[Field, ...]:
        return (Field(self.name, self.domain, missing=self.missing),)


@dataclass(frozen=True, kw_only=True)
class LeftOut(Column):
    """A column without a field."""

    @property
    def fields(self) -> tuple[Field, ...]:
        return ()

    def numbers(self, texts: Sequence[str]) -> Array:
        return np.zeros((len(texts), 0))


@final
@dataclass(frozen=True, kw_only=True)
class Number(Modelled):
    """A number as its normal score, or as its place in a mode.

    Args:
        scores: how it is told: by rank, or by mode.
        decimals: places after the point, at most; the inverse is rounded to them.
        places: places after the point that are written always.
        comma: whether the decimal mark is a comma.
        writing: what else there is to how it is written, such as a unit.
        gone: texts that stand for a missing number, beside those of the table.
    """

    scores: NormalScores | Modes
    decimals: int = 0
    places: int = 0
    comma: bool = False
    writing: Writing = Writing()
    gone: tuple[str, ...] = ()

    @property
    def domain(self) -> Domain:
        return self.scores.domain

    def numbers(self, texts: Sequence[str]) -> Array:
        return self.scores.forward([self.raw(text) for text in texts])[:, None]

    def raw(self, text: str) -> float:
        """A text in the column's own units."""
        return read_so(text, self.writing, self.comma)

    def texts(self, values: Array) -> list[str]:
        shown = [written(v, self.decimals, self.places) for v in self.values(values)]
        if not self.writing.plain:
            return [self.writing.put(text) for text in shown]
        return [text.replace(".", ",") for text in shown] if self.comma else shown

    def values(self, values: Array) -> list[float]:
        """Values (B, 1) as numbers in the column's own units, not yet rounded."""
        back: list[float] = self.scores.inverse(values[:, 0]).tolist()
        return back


@final
@dataclass(frozen=True, kw_only=True)
class Moment(Modelled):
    """A date or time as the normal score of a count of steps."""

    scores: NormalScores
    clock: Clock

    @property
    def domain(self) -> Domain:
        return Real()

    def numbers(self, texts: Sequence[str]) -> Array:
        return self.scores.forward(self.clock.numbers(texts))[:, None]

    def raw(self, text: str) -> float:
        """A text in steps of the clock."""
        return self.clock.number(text)

    def texts(self, values: Array) -> list[str]:
        return self.clock.texts(self.scores.inverse(values[:, 0]))


@final
@dataclass(frozen=True, kw_only=True)
class Label(Modelled):
    """One of several texts without order.

    Args:
        labels: the texts, at least one.
        others: rare texts, at most 1,000 of them kept, that share one more level, the last, with
            every text never seen; empty where every text has a level of its own.
        shares: how often each of these was seen, for writing that level back.
    """

    labels: tuple[str, ...]
    others: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()

    @property
    def domain(self) -> Domain:
        return Category(self.labels + (rest(self.labels),) * bool(self.others))

    def numbers(self, texts: Sequence[str]) -> Array:
        known = {text: index for index, text in enumerate(self.labels)}
        unknown = len(self.labels) if self.others else math.nan
        return np.array([known.get(text, unknown) for text in texts], np.float64)[:, None]

    def texts(self, values: Array) -> list[str]:
        rare = iter(self.rare(int((values >= len(self.labels)).sum())))
        levels = values[:, 0].astype(int).tolist()
        return [self.labels[i] if i < len(self.labels) else next(rare) for i in levels]

    def rare(self, count: int) -> list[str]:
        """Rare texts as often as they were seen, by a sequence of low discrepancy."""
        at = (0.5 + GOLDEN * np.arange(count)) % 1
        ends = np.cumsum(self.shares)
        which = ends.searchsorted(at * ends[-1], "right") if count else []
        return [self.others[min(i, len(self.others) - 1)] for i in which]


@final
@dataclass(frozen=True, kw_only=True)
class Constant(LeftOut):
    """A column that is the same text in every row, or always missing."""

    text: str = ""

    def texts(self, values: Array) -> list[str]:
        return [self.text] * len(values)


@final
@dataclass(frozen=True, kw_only=True)
class Identifier(LeftOut):
    """A name of the row: written as fresh numbers, after the largest seen; texts as `new-1`, …"""

    after: int = 0
    prefix: str = ""

    def texts(self, values: Array) -> list[str]:
        return [f"{self.prefix}{self.after + 1 + i}" for i in range(len(values))]


@final
@dataclass(frozen=True, kw_only=True)
class Prose(LeftOut):
    """Free text: written as missing."""

    def texts(self, values: Array) -> list[str]:
        return [self.blank] * len(values)


COLUMNS: dict[str, type[Column]] = {
    "number": Number,
    "date": Moment,
    "category": Label,
    "constant": Constant,
    "id": Identifier,
    "text": Prose,
}
TITLES = {make: title for title, make in COLUMNS.items()}


def describe(column: Column) -> dict[str, Any]:
    """A column as plain data, which a user may edit."""
    return {"type": TITLES[type(column)], **asdict(column)}


def recall(data: Mapping[str, Any]) -> Column:
    """A column from plain data."""
    given = dict(data)
    title = str(given.pop("type", ""))
    where = f"column {given.get('name', '?')!r} of the schema"
    if title not in COLUMNS:
        raise UserError(f"{where}: type {title!r} is not known; {nearest(title, COLUMNS)}")
    try:
        column: Column = TypeAdapter(COLUMNS[title]).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{where}: {first['loc']}: {first['msg'].lower()}") from None
    return column


def rest(labels: Iterable[str]) -> str:
    """What the level of the rare texts is called: `other`, or longer where that is a label."""
    taken, name = set(labels), "other"
    while name in taken:
        name = f"({name})"
    return name


def number(text: str, comma: bool = False) -> float:
    """A text as a number, infinite ones included; NaN where it is none, or a code such as 007.

    >>> number("1e3"), number("007"), number("1,5", comma=True)
    (1000.0, nan, 1.5)
    """
    plain = text.replace(",", ".") if comma else text
    if not NUMBER.fullmatch(plain) or ZEROS.match(plain):
        return math.nan
    return float(plain)


def told(text: str, writing: Writing) -> float:
    """A text as the number that a column writes so; NaN where it is none.

    >>> told("$1,200", Writing("$", "$", "", ",")), told("€ 5", Writing("$", "$"))
    (1200.0, nan)
    """
    return number(writing.bare(text) or text * (not writing.thousands))


def read_so(text: str, writing: Writing, comma: bool) -> float:
    """A text as the number that it is in a column of a writing; NaN where it is none."""
    return number(text, comma) if writing.plain else told(text, writing)


def way_of(texts: Sequence[str], counts: Sequence[int], comma: bool) -> Writing:
    """How distinct texts, of so many rows each, write numbers: plainly, unless fewer are so."""

    def lost(writing: Writing) -> int:
        each = zip(texts, counts, strict=True)
        return sum(n for text, n in each if math.isnan(read_so(text, writing, comma)))

    if not lost(Writing()):
        return Writing()
    return min((Writing(), Writing.of(texts, counts, comma)), key=lost)


def decimals(text: str) -> int:
    """How many places after the point a number is written with.

    >>> decimals("3.50"), decimals("12"), decimals("1.5e-3")
    (2, 0, 4)
    """
    mantissa, _, exponent = text.replace(",", ".").lower().partition("e")
    return max(0, len(mantissa.partition(".")[2]) - int((exponent or "0")[:6]))


def valued(columns: Iterable[Column], name: str, words: str) -> float:
    """What is asked of a column, as a value.

    Raises:
        UserError: it can be no such thing.
    """
    column = next(column for column in columns if column.name == name)
    value = float(column.numbers([words])[0, 0])
    if math.isnan(value):
        such = column.texts(np.zeros((1, 1)))[0]
        raise UserError(
            f"{name}={words} should be a number or date as {name!r} has them, such as {such}"
        )
    return value


def beyond(columns: Iterable[Column], name: str, words: str) -> str:
    """That nothing like what is asked of a column was learnt from; empty where something was."""
    for column in columns:
        if column.name == name and isinstance(column, Number | Moment):
            least, most = column.scores.bounds
            if not least <= column.raw(words) <= most:
                low, high = column.texts(column.scores.forward([least, most])[:, None])
                return (
                    f"{name}={words} is outside of what was learnt from, {low} to {high}; what is "
                    "drawn lies between"
                )
    return ""


def written(value: float, decimals: int, places: int) -> str:
    """A number with at most `decimals` places, of which `places` always.

    >>> written(2.0, 2, 1), written(0.125, 2, 0), written(-0.001, 2, 0)
    ('2.0', '0.12', '0')
    """
    text = repr(value + 0.0)  # the shortest that is exact; + 0.0 makes −0 to 0
    if "e" in text or len(text.partition(".")[2]) > decimals:
        text = f"{value:.{decimals}f}" if abs(value) < 1e15 and decimals <= 15 else text
    if "e" in text:
        return text
    head, _, tail = text.partition(".")
    tail = tail[:places].ljust(places, "0") + tail[places:].rstrip("0")
    text = f"{head}.{tail}" if tail else head
    return text.lstrip("-") if not text.strip("-0.") else text
