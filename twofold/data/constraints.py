r"""What must hold in every row of a table: by transform first, by filter second.

A constraint is a text in which operators stand between spaces:

| text | every row has | how it is kept |
|---|---|---|
| `17 <= age <= 90`, `age >= 17` | a number within bounds | drawn numbers never leave those of the training data |
| `low <= high`, `low < high` | two numbers, or dates, in order | `high - low`, never below its least, is drawn in place of `high` |
| `total = low + high` | a number that is the sum of others | `total` is not drawn but added up |
| `plan with zone` | a combination of texts that occurs | one column of combinations is drawn in place of both |

A transform is undone before anything is written, and only made where it gives every training row
back text by text; else, and for dates whose day and month may be either, rows that break the
constraint are filtered out. The filter looks at all that is written, so that none is ever broken
there. Training data that break one are an error: a model cannot keep what its data do not.

>>> Order.of("low <= high", frame_of({"low": ["1", "2"], "high": ["3", "2"]})).transforms
True
"""  # noqa: E501

from __future__ import annotations

import math
import operator
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from twofold.core.errors import UserError, nearest
from twofold.data.columns import decimals, number, read_so, way_of, written
from twofold.data.frames import Cells, Frame
from twofold.data.moments import LAST, fits, formats, microseconds, moment

Texts = Mapping[str, Sequence[str]]
Mask = NDArray[np.bool_]
Values = NDArray[np.float64]

COMPARED: dict[str, Callable[[Values, Values], Mask]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
SPLIT = re.compile(r"\s+(<=|<|>=|>|=|\+|with)\s+")
TOGETHER = " with "


@dataclass(frozen=True)
class Constraint(ABC):
    """One thing that must hold.

    Args:
        told: as it was written. comma: whether the decimal mark is a comma.
        transforms: whether it is kept by a transform, beside the filter.
    """

    title: ClassVar[str]
    told: str
    comma: bool = False
    transforms: bool = False

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The columns it speaks of."""

    @property
    def replaces(self) -> tuple[str, ...]:
        """The columns that its transform takes away."""
        return ()

    @abstractmethod
    def holds(self, texts: Texts) -> Mask:
        """In which rows it holds, or cannot be judged as a cell is missing, (N,)."""

    def forward(self, frame: Frame) -> Frame:
        """The table that is modelled in place of a table of the file's form."""
        return frame

    def inverse(self, texts: dict[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        """The columns of the file, from those that are modelled."""
        return texts

    @property
    def types(self) -> dict[str, str]:
        """What columns that a transform makes are."""
        return {}

    def checked(self, frame: Frame, empty: frozenset[str]) -> Self:
        """The constraint, transforming where that is possible.

        Raises:
            UserError: the table breaks it.
        """
        texts = texts_of(frame, self.names)
        wrong = ~self.holds(texts)
        if wrong.any():
            row = int(wrong.argmax())
            said = ", ".join(f"{name} {texts[name][row]!r}" for name in self.names)
            raise UserError(
                f"{frame.title} row {frame.rows[row]} breaks the constraint {self.told!r}: {said}; "
                "mend the row, or leave the constraint out"
            )
        able = replace(self, transforms=True)
        there = all(t.casefold() not in empty for name in self.names for t in frame[name].texts)
        return able if there and able.is_exact(frame, texts) else self

    def is_exact(self, frame: Frame, texts: Texts) -> bool:
        """Whether the transform of this table comes back text by text."""
        there = self.forward(frame)
        back = self.inverse(dict(texts_of(there, there.names)))
        return all(list(back[name]) == list(texts[name]) for name in self.names)


@final
@dataclass(frozen=True)
class Range(Constraint):
    """A number, or date, within bounds; each with how it is compared."""

    title = "range"
    column: str = ""
    bounds: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return (self.column,)

    def holds(self, texts: Texts) -> Mask:
        limits = [limit for _, limit in self.bounds]
        values, *ends = parsed([texts[self.column], *([limit] for limit in limits)], self.comma)
        kept = [COMPARED[how](values, end) for (how, _), end in zip(self.bounds, ends, strict=True)]
        return np.all(kept, 0) | np.isnan(values)


@final
@dataclass(frozen=True)
class Order(Constraint):
    """Two numbers, or dates, of which one is not above the other.

    Args:
        places: after the point, of numbers. form: of dates; numbers have none.
        step: microseconds between dates that a gap counts.
    """

    title = "order"
    low: str = ""
    high: str = ""
    how: str = "<="
    places: tuple[int, int] = (0, 0)
    form: str = ""
    step: int = 1

    @classmethod
    def of(cls, told: str, frame: Frame) -> Constraint:
        """From its text.

        >>> Order.of("a > b", frame_of({"a": ["3"], "b": ["2"]})).names
        ('b', 'a')
        """
        return parse(told, frame).checked(frame, frozenset({""}))

    @property
    def names(self) -> tuple[str, ...]:
        return self.low, self.high

    @property
    def replaces(self) -> tuple[str, ...]:
        return (self.high,)

    @property
    def gap(self) -> str:
        """The name of the column that is modelled in place of the higher one."""
        return f"{self.high} - {self.low}"

    def holds(self, texts: Texts) -> Mask:
        low, high = parsed([texts[self.low], texts[self.high]], self.comma)
        return COMPARED[self.how](low, high) | np.isnan(low) | np.isnan(high)

    def forward(self, frame: Frame) -> Frame:
        if not self.transforms:
            return frame
        low, high = (self.exact(texts_of(frame, [n])[n]) for n in self.names)
        gaps = [summed([b, -a]) / self.step for a, b in zip(low, high, strict=True)]
        texts = [spelled(gap, (max(self.places), 0)) for gap in gaps]
        return swapped(frame, self.high, [Cells.of(self.gap, marked(texts, self.comma))])

    def inverse(self, texts: dict[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        if not self.transforms:
            return texts
        low, gap = self.exact(texts[self.low]), exact(texts[self.gap], self.comma)
        sums = [a + b * self.step for a, b in zip(low, gap, strict=True)]
        return without(texts, self.gap) | {self.high: self.spelled(sums)}

    def exact(self, texts: Sequence[str]) -> list[Decimal]:
        """Either column as exact numbers: of dates, microseconds."""
        return ticks(texts, self.form) if self.form else exact(texts, self.comma)

    def spelled(self, sums: Sequence[Decimal]) -> list[str]:
        """The higher column as it is written."""
        if self.form:
            return [dated(one, self.form) for one in sums]
        return marked([spelled(one, self.places) for one in sums], self.comma)

    @property
    def types(self) -> dict[str, str]:
        return {self.gap: "number"} if self.transforms else {}


@final
@dataclass(frozen=True)
class Sum(Constraint):
    """A number that is the sum of others."""

    title = "sum"
    total: str = ""
    parts: tuple[str, ...] = ()
    places: tuple[int, int] = (0, 0)

    @property
    def names(self) -> tuple[str, ...]:
        return self.total, *self.parts

    @property
    def replaces(self) -> tuple[str, ...]:
        return (self.total,)

    def holds(self, texts: Texts) -> Mask:
        total, *parts = parsed([texts[name] for name in self.names], self.comma)
        off = np.abs(total - np.sum(parts, 0))
        kept: Mask = (off <= 0.51 * 10.0 ** -self.places[0]) | np.isnan(off)
        return kept

    def forward(self, frame: Frame) -> Frame:
        return swapped(frame, self.total, []) if self.transforms else frame

    def inverse(self, texts: dict[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        if not self.transforms:
            return texts
        columns = [exact(texts[name], self.comma) for name in self.parts]
        sums = [spelled(summed(row), self.places) for row in zip(*columns, strict=True)]
        return texts | {self.total: marked(sums, self.comma)}


@final
@dataclass(frozen=True)
class Together(Constraint):
    """Columns of which only combinations that occur are written.

    Args:
        rows: the combinations. labels: of each, its text in the joint column.
    """

    title = "together"
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return self.columns

    @property
    def replaces(self) -> tuple[str, ...]:
        return self.columns

    @property
    def joint(self) -> str:
        """The name of the column that is modelled in place of these."""
        return TOGETHER.join(self.columns)

    def holds(self, texts: Texts) -> Mask:
        known = set(self.rows)
        rows = zip(*(texts[name] for name in self.columns), strict=True)
        return np.array([row in known for row in rows], bool)

    def forward(self, frame: Frame) -> Frame:
        if not self.transforms:
            return frame
        label = dict(zip(self.rows, self.labels, strict=True))
        texts = texts_of(frame, self.columns)
        rows = zip(*(texts[name] for name in self.columns), strict=True)
        cells = Cells.of(self.joint, [label.get(row, "") for row in rows])
        first, *rest = self.columns
        made = swapped(frame, first, [cells])
        for name in rest:
            made = swapped(made, name, [])
        return made

    def inverse(self, texts: dict[str, Sequence[str]]) -> dict[str, Sequence[str]]:
        if not self.transforms:
            return texts
        nothing = ("",) * len(self.columns)  # of a combination that was never seen
        row = dict(zip(self.labels, self.rows, strict=True))
        split = zip(*(row.get(label, nothing) for label in texts[self.joint]), strict=True)
        columns = dict(zip(self.columns, map(list, split), strict=True))
        return without(texts, self.joint) | (columns or {name: [] for name in self.columns})

    @property
    def types(self) -> dict[str, str]:
        return {self.joint: "category"} if self.transforms else {}


CONSTRAINTS: dict[str, type[Constraint]] = {c.title: c for c in (Range, Order, Sum, Together)}


def describe(constraint: Constraint) -> dict[str, Any]:
    """A constraint as plain data."""
    return {"type": constraint.title, **asdict(constraint)}


def recall(data: Mapping[str, Any]) -> Constraint:
    """A constraint from plain data."""
    given = {k: tupled(v) for k, v in data.items() if k != "type"}
    return CONSTRAINTS[data["type"]](**given)


def tupled(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    return tuple(map(tupled, value)) if isinstance(value, list | tuple) else value


# From texts.


def parse(told: str, frame: Frame) -> Constraint:
    """A constraint from its text.

    Raises:
        UserError: it is none, or names a column that is not there.
    """
    terms, signs = SPLIT.split(told.strip())[::2], SPLIT.split(told.strip())[1::2]
    comma = frame.style.comma
    sides = [term in frame.names for term in terms]
    if signs and set(signs) == {"with"}:
        return combined(told, tuple(named(term, frame, told) for term in terms), frame)
    if signs[:1] == ["="] and len(terms) > 2 and set(signs[1:]) == {"+"}:
        names = [named(term, frame, told) for term in terms]
        return Sum(told, comma, total=names[0], parts=(*names[1:],), places=places(frame, names[0]))
    if signs and set(signs) <= set(COMPARED) and len(terms) == 2 and all(sides):
        return ordered(told, terms[0], signs[0], terms[1], frame)
    if signs and set(signs) <= set(COMPARED) and len(terms) <= 3:
        return bounded(told, terms, signs, frame)
    raise UserError(
        f"the constraint {told!r} is not understood; write '17 <= age <= 90', 'low <= high', "
        "'total = a + b' or 'plan with zone', spaces around each sign"
    )


def combined(told: str, names: tuple[str, ...], frame: Frame) -> Constraint:
    texts = texts_of(frame, names)
    rows = tuple(dict.fromkeys(zip(*(texts[name] for name in names), strict=True)))
    plain = [" | ".join(row) for row in rows]
    labels = [text if plain.count(text) == 1 else f"{text} ({i})" for i, text in enumerate(plain)]
    return Together(told, frame.style.comma, columns=names, rows=rows, labels=tuple(labels))


def ordered(told: str, a: str, sign: str, b: str, frame: Frame) -> Constraint:
    low, high = (a, b) if sign[0] == "<" else (b, a)
    made = Order(told, frame.style.comma, low=low, high=high, how=sign.replace(">", "<"))
    form = form_of(frame, low, high)
    if not form:
        return replace(made, places=places(frame, high))
    texts = texts_of(frame, (low, high))
    pairs = zip(*(ticks(texts[name], form) for name in (low, high)), strict=True)
    step = math.gcd(*(int(b - a) for a, b in pairs if a == a and b == b)) or 1
    return replace(made, form=form, step=step, places=(6, 0))


def form_of(frame: Frame, *names: str) -> str:
    """The one format of dates that columns are of, each by itself; empty where there is none."""
    each = [formats([text for text in frame[name].texts if text.strip()]) for name in names]
    return each[0][0] if len(each[0]) == 1 and all(one == each[0] for one in each) else ""


def bounded(told: str, terms: Sequence[str], signs: Sequence[str], frame: Frame) -> Constraint:
    inside = len(terms) // 2 if len(terms) == 3 else int(terms[1] in frame.names)
    column = named(terms[inside], frame, told)
    turned = [sign.translate(str.maketrans("<>", "><")) for sign in signs]
    bounds = [(turned[0], terms[0])] if inside else []
    bounds += [(signs[-1], terms[-1])] if inside < len(terms) - 1 else []
    return Range(told, frame.style.comma, column=column, bounds=tuple(bounds))


def named(term: str, frame: Frame, told: str) -> str:
    if term not in frame.names:
        hint = nearest(term, frame.names)
        raise UserError(f"the constraint {told!r} names {term!r}, which is no column; {hint}")
    return term


def learnt(told: Sequence[str], frame: Frame, empty: frozenset[str]) -> tuple[Constraint, ...]:
    """Constraints from their texts, in the order in which their transforms can be made.

    Raises:
        UserError: one is not understood, or is broken by the table.
    """
    return arranged([parse(text, frame).checked(frame, empty) for text in told])


def arranged(made: Sequence[Constraint]) -> tuple[Constraint, ...]:
    """Each transform before those that take away a column which it needs; circles are filtered.

    >>> frame = frame_of({"a": ["1", "2"], "b": ["2", "2"], "c": ["4", "3"]})
    >>> [one.told for one in learnt(["a <= b", "b <= c"], frame, frozenset({""}))]
    ['b <= c', 'a <= b']
    """
    waiting = [one for one in made if one.transforms and one.replaces]
    first: list[Constraint] = []
    rest = [one for one in made if one not in waiting]
    while waiting:
        free = [one for one in waiting if not needed(one, waiting)]
        first += free[:1]
        rest += [] if free else [replace(waiting[-1], transforms=False)]
        waiting.remove(free[0] if free else waiting[-1])
    return (*first, *rest)


def needed(one: Constraint, others: Sequence[Constraint]) -> bool:
    """Whether others still need a column that one takes away."""
    return any(set(one.replaces) & set(other.names) for other in others if other is not one)


def forward(constraints: Sequence[Constraint], frame: Frame) -> Frame:
    """All transforms, in their order."""
    for constraint in constraints:
        frame = constraint.forward(frame)
    return frame


def inverse(constraints: Sequence[Constraint], texts: Texts) -> dict[str, Sequence[str]]:
    """All transforms undone, the last first."""
    back = dict(texts)
    for constraint in reversed(constraints):
        back = constraint.inverse(back)
    return back


# Small things.


def frame_of(columns: Mapping[str, Sequence[str]]) -> Frame:
    """A table of texts."""
    cells = tuple(Cells.of(name, texts) for name, texts in columns.items())
    return Frame("the table", cells, np.arange(1, len(cells[0]) + 1))


def texts_of(frame: Frame, names: Sequence[str]) -> dict[str, list[str]]:
    """Columns as one text a row."""
    return {name: frame[name].lines() for name in names}


def swapped(frame: Frame, name: str, cells: Sequence[Cells]) -> Frame:
    """A table in which others stand in the place of a column."""
    at = frame.names.index(name)
    return replace(frame, columns=(*frame.columns[:at], *cells, *frame.columns[at + 1 :]))


def without(texts: Texts, name: str) -> dict[str, Sequence[str]]:
    return {key: value for key, value in texts.items() if key != name}


def places(frame: Frame, name: str) -> tuple[int, int]:
    """Places after the point that a column is written with: at most, and always."""
    counts = [decimals(text) for text in frame[name].texts]
    return max(counts, default=0), min(counts, default=0)


def parsed(columns: Sequence[Sequence[str]], comma: bool) -> list[Values]:
    """Columns of texts as numbers that can be compared, NaN where one is neither number nor date.

    They are numbers, in the writing of their column, or dates of the one format that all of them
    fit.
    """
    every = [Counter(texts) for texts in columns]
    values = {
        text: read_so(text, way, comma)
        for found in reversed(every)  # a limit is what it is in the column
        for way in [way_of([*found], [*found.values()], comma)]
        for text in found
    }
    others = [text for text, value in values.items() if value != value and text.strip()]
    forms = formats([text for text in others if any(letter.isdigit() for letter in text)])
    for form in forms[:1]:
        values |= {text: float(microseconds(text, form)) for text in others if fits(text, form)}
    return [np.array([values[text] for text in texts], np.float64) for texts in columns]


def exact(texts: Sequence[str], comma: bool) -> list[Decimal]:
    """Texts as exact numbers; what is none, such as a missing cell, is NaN."""
    plain = [text.replace(",", ".") if comma else text for text in texts]
    return [Decimal(text if np.isfinite(number(text)) else "NaN") for text in plain]


def ticks(texts: Sequence[str], form: str) -> list[Decimal]:
    """Dates as exact microseconds; what is none is NaN."""
    return [Decimal(microseconds(text, form) if fits(text, form) else "NaN") for text in texts]


def dated(tick: Decimal, form: str) -> str:
    """Microseconds as a date, the last that there is at most; nothing for what is missing."""
    return "" if tick.is_nan() else moment(min(round(tick), LAST), form)


def summed(row: Sequence[Decimal]) -> Decimal:
    return sum(row, Decimal(0))


def spelled(value: Decimal, places: tuple[int, int]) -> str:
    """A sum as its column writes numbers; nothing where a part of it is missing."""
    return "" if value.is_nan() else written(float(value), *places)


def marked(texts: Sequence[str], comma: bool) -> list[str]:
    """Numbers with the decimal mark of the table."""
    return [text.replace(".", ",") for text in texts] if comma else list(texts)
