"""Tables: mixed types, missing values, in the user's own units and back.

`inspect` asks each column what it is (`guess.py` has the rule) and learns its codec (`columns.py`).
A number or date enters the Space as its normal score, a number on demand as its place in a mode
(`modes.py`), a category as its index; a column in which
some cell is missing has a field that may be missing, so that missingness itself is modelled.
Columns that say nothing of the distribution (constants, identifiers, free text) have no field, and
are restored in what is written. Columns named by the option `given` are conditions: their fields
are in the Space of what is given, not in that of what is drawn. What must hold in every row is an
option of its own (`constraints.py`): then other columns than those of the file may be modelled.

>>> import pandas
>>> frame = pandas.DataFrame({"age": [39, 50, 38], "sex": ["m", "f", "m"]})
>>> kind, found = Tables.inspect(frame)
>>> rows = kind.open(frame).read(torch.tensor([1]))
>>> kind.native(rows)
   age sex
0   50   f
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Category, Count, Field, Real, Space
from twofold.core.words import plural
from twofold.data import constraints as rules
from twofold.data import headings
from twofold.data import schema as schemas
from twofold.data.columns import (
    Column,
    Identifier,
    Label,
    Modelled,
    Moment,
    Number,
    beyond,
    describe,
    recall,
    valued,
)
from twofold.data.constraints import Constraint, Range, forward, inverse, learnt
from twofold.data.delimited import write_text
from twofold.data.frames import (
    Cells,
    Frame,
    Header,
    Style,
    flat,
    is_table,
    may_be_table,
    pandas,
    read_frame,
    read_parquet,
    to_pandas,
    typed,
)
from twofold.data.guess import MISSING, Coding, Look, blanks, learn, taken_as_missing
from twofold.data.kind import Finding, Kind, Where, matching
from twofold.data.recordings import timeline
from twofold.data.sources import Memory, Rows, Source, Together

Array = NDArray[np.float64]
PAPER, NUMBERS, LABELS, GAPS = (250, 250, 250), (45, 100, 170), (215, 120, 40), (205, 205, 205)
HEIGHT, BAR = 32, 6  # of a drawing, in pixels
HEADERS: Mapping[bool, Header] = {True: "yes", False: "no"}


@final
@dataclass(frozen=True)
class Tables(Kind):
    """The codec of one table.

    Args:
        columns: every column that is modelled or restored, in the order of the file.
        conditions: the names of those that are given rather than drawn.
        blank: the texts that mean missing, in small letters.
        style: how the table was written.
        constraints: what holds in every row.
        outer: the columns of the file, where constraints put others in their place.
        patient: the column that says whose a row is; empty for none. It is not in the Space.
        strangers: whether a category never seen is taken as missing in columns without gaps too.
    """

    name = "tables"
    example = Space(
        (
            Field("age", Real(40.0, 10.0), missing=True),
            Field("plan", Category(("basic", "full"))),
            Field("visits", Count()),
        )
    )
    columns: tuple[Column, ...]
    conditions: tuple[str, ...] = ()
    blank: tuple[str, ...] = tuple(sorted(blanks(MISSING)))
    style: Style = field(default_factory=Style)
    constraints: tuple[Constraint, ...] = ()
    outer: tuple[Column, ...] = ()
    patient: str = ""
    strangers: bool = False
    space: Space = field(init=False)
    given: Space = field(init=False)

    def __post_init__(self) -> None:
        given = (Field(f.name, f.domain, missing=True) for c in self.known for f in c.fields)
        drawn = (f for c in self.drawn for f in c.fields)
        object.__setattr__(self, "given", Space(tuple(given)))
        object.__setattr__(self, "space", Space(tuple(drawn)))

    @property
    def had(self) -> Space:
        return Space(tuple(f for column in self.known for f in column.fields))

    @cached_property
    def drawn(self) -> tuple[Column, ...]:
        """The columns of the Space, those without a field among them."""
        return tuple(c for c in self.columns if c.name not in self.conditions)

    @cached_property
    def known(self) -> tuple[Column, ...]:
        """The columns of what is given, in the order of `conditions`."""
        named = {column.name: column for column in self.columns}
        return tuple(named[name] for name in self.conditions)

    @property
    def empty(self) -> frozenset[str]:
        """The texts that mean missing, the empty one among them."""
        return frozenset({"", *self.blank})

    def nothing(self, column: Column) -> frozenset[str]:
        """The texts that mean missing in a column, in small letters."""
        own = column.gone if isinstance(column, Number) else ()
        return self.empty | {text.casefold() for text in own}

    @classmethod
    def accepts(cls, where: Where) -> bool:
        return is_table(where)

    @classmethod
    def reads(cls, where: Where) -> bool:
        return may_be_table(where)

    @classmethod
    def inspect(
        cls,
        where: Where,
        *,
        given: tuple[str, ...] = (),
        drop: tuple[str, ...] = (),
        keep: tuple[str, ...] = (),
        types: Mapping[str, str] = {},
        numbers: Coding = "scores",
        constraints: tuple[str, ...] = (),
        missing_values: tuple[str, ...] = MISSING,
        delimiter: str = "",
        header: Header = "auto",
        patient: str = "",
        schema: str = "",
    ) -> tuple[Self, list[Finding]]:
        """Learn what every column is.

        Args:
            where: a path (.csv, .tsv, .parquet, …, also .gz), or a data frame.
            given: columns that are conditions, by name or pattern, such as `e*`.
            drop: columns that are neither read nor written.
            keep: the only columns that are; all where empty.
            types: what a column is, where the guess is wrong: `number` (or `number modes`),
                `category`, `date` (or `date %d/%m/%Y`), `id`, `text`, by its name.
            numbers: how numbers are told: by their normal `scores`, or by the `modes` of their
                column.
            constraints: what holds in every row: `17 <= age <= 90`, `low <= high`,
                `total = a + b`, `plan with zone`.
            missing_values: the texts that mean missing, beside the empty one.
            delimiter: between the cells of a text file; found out where empty.
            header: whether its first row names the columns: `auto`, `yes` or `no`.
            patient: a column that says whose a row is: it is neither read nor written, and no split
                parts the rows of one.
            schema: a file that says what columns are (`data/schema.py`), as `doctor` writes it;
                what is said beside it wins.
        """
        read, told = read_frame(where, delimiter, header), schemas.load(schema)
        types, drop = told.types | dict(types), (*told.dropped, *drop)
        constraints = (*told.constraints, *constraints)
        given = matching(given, read.names)
        dropped = (*drop, patient) if patient else drop
        frame = chosen(read, keep, dropped, (*given, *types))
        empty = blanks(missing_values)
        told.check(read, empty)
        kept = learnt(constraints, frame, empty)
        whole, frame = frame, forward(kept, frame)
        asked = dict(types) | {name: t for one in kept for name, t in one.types.items()}
        made, found = columns_in(frame, empty, asked, numbers)
        outer = columns_in(whole, empty, dict(types), "scores")[0] if kept else ()
        replaced(given, outer, made)
        columns, outer = told.settled(made), told.settled(outer)
        kind = cls(columns, given, tuple(sorted(empty)), frame.style, kept, outer, patient)
        useful(kind, frame)
        return kind, [*frame.findings, *found, *repeated(frame), *in_time(frame), *said_of(kept)]

    def open(self, where: Where) -> Source:
        """Rows of one patient belong together, where the table says whose they are."""
        rows, frame = self.read(where)[0], self.frame(where)
        if self.patient not in frame.names:
            return rows
        return Together(rows, torch.from_numpy(frame[self.patient].codes))

    def read(self, where: Where) -> tuple[Memory, list[Finding]]:
        """The rows of another table of this form, and what did not fit but could be coped with.

        Raises:
            UserError: a column that is not there, or a cell that a field which is never missing
                cannot hold, by row and column.
        """
        frame = self.frame(where)
        found = list(frame.findings)
        values = [
            self.encoded(
                frame, c, c.fields[0].missing or (self.strangers and isinstance(c, Label)), found
            )
            for c in fielded(self.drawn)
        ]
        given = [self.encoded(frame, c, True, found) for c in fielded(self.known)]
        return Memory(stacked(values, len(frame)), stacked(given, len(frame))), found

    def encoded(self, frame: Frame, column: Column, lossy: bool, found: list[Finding]) -> Array:
        """One column as values (N, 1); what a lossy one cannot hold becomes missing."""
        look = Look(frame, frame[column.name], self.nothing(column))
        if isinstance(column, Number):
            look.finite()
        numbers = np.full((len(look.present), 1), np.nan)
        shown = [text for text, one in zip(look.cells.texts, look.present, strict=True) if one]
        numbers[look.present] = column.numbers(shown)
        values: Array = numbers[look.cells.codes]
        if np.isnan(values).any():
            found += self.unknown(look, np.isnan(numbers[:, 0]), lossy)
        return values

    def unknown(self, look: Look, nan: NDArray[np.bool_], lossy: bool) -> list[Finding]:
        """What to say of texts that are NaN: nothing where missing cells are expected."""
        strange = nan & look.present if lossy else nan
        strange = strange & (look.count > 0)
        if not strange.any():
            return []
        row = look.cells.first(strange)
        text = look.cells.texts[look.cells.codes[row]]
        what = f"{look.frame.place(look.cells, row)}: {text!r} was never seen in the training data"
        if not lossy:
            raise UserError(f"{what}, which has no missing cell there; mend it or fit anew")
        return [taken_as_missing(what, int(look.count[strange].sum()))]

    def unseen(self, where: Where) -> Tensor:
        """Where a category stands that was never seen in the training data, (N, F)."""
        frame = self.frame(where)
        looks = [Look(frame, frame[c.name], frozenset(self.blank)) for c in fielded(self.drawn)]
        each = [
            (look.present & np.isnan(column.numbers(look.cells.texts)[:, 0]))[look.cells.codes]
            if isinstance(column, Label)
            else np.zeros(len(frame), bool)
            for column, look in zip(fielded(self.drawn), looks, strict=True)
        ]
        return torch.from_numpy(np.stack(each, 1))

    def with_strangers(self) -> Self:
        """The same codec for data that may have categories never seen, `unseen`, anywhere."""
        return replace(self, strangers=True)

    def passed(self, where: Where) -> list[Finding]:
        return [found for found in self.read(where)[1] if found.level == "warning"]

    def gappy(self) -> Tables:
        columns = (replace(c, missing=True) if isinstance(c, Modelled) else c for c in self.columns)
        return replace(self, columns=tuple(columns))

    def frame(self, where: Where) -> Frame:
        """Another table of this form, as text, as it is modelled."""
        return forward(self.constraints, self.whole(where))

    def whole(self, where: Where) -> Frame:
        """Another table of this form, as text, as it is in the file."""
        frame, columns = self.cut(where, HEADERS[self.style.header]), self.outer or self.columns
        if self.style.header:
            lost = not {c.name for c in columns} & {*frame.names}
        else:
            lost = headings.names_data(frame, columns)
        other = self.cut(where, "auto") if lost and frame.style.form == "csv" else frame
        if other.style.header == frame.style.header:
            self.check_mark(frame)
            return frame
        return headings.by_order(replace(other, findings=frame.findings), columns, self.empty)

    def check_mark(self, frame: Frame) -> None:
        """Numbers with a decimal comma are none to a run that knows points; the other way they are.

        Raises:
            UserError: the table has such numbers where the run has a number.
        """
        known = {
            c.name for c in self.outer or self.columns if isinstance(c, Number) and not c.comma
        }
        if frame.style.comma and known & {*frame.names}:
            raise UserError(
                f"{frame.title} writes numbers with a decimal comma, and the data of this run have "
                "a point; save it with points"
            )

    def cut(self, where: Where, header: Header) -> Frame:
        """A table as text, with the delimiter of this one, if that cuts it; else with its own."""
        if self.style.form != "csv":
            return read_frame(where, "", header)
        try:
            frame = read_frame(where, self.style.delimiter, header)
        except UserError:  # rows of unlike length, as numbers with a comma make of lines by commas
            return read_frame(where, "", header)
        uncut = len(frame.columns) < 2 <= len(self.columns)
        return read_frame(where, "", header) if uncut else frame

    def names(self, where: Where) -> list[str]:
        return [str(row) for row in self.whole(where).rows.tolist()]

    def left(self, where: Where, fields: Sequence[str]) -> dict[str, int]:
        """Those of columns that are not modelled."""
        frame, known = self.frame(where), {column.name for column in fielded(self.drawn)}
        rest = [cells for cells in frame.columns if cells.name not in known]
        looks = {c.name: Look(frame, c, frozenset(self.blank)) for c in rest}
        found = {n: int((~look.present)[frame[n].codes].sum()) for n, look in looks.items()}
        return {name: count for name, count in found.items() if count}

    def complete(self, where: Where, rows: Rows, gaps: Tensor, out: Path) -> list[Path]:
        """`completed.csv`, or `.parquet`: every column of the table, each other cell as it was.

        A text that was never seen in training is no gap: it stays, unless its whole column goes.
        """
        frame, columns = self.frame(where), fielded(self.drawn)
        texts = {cells.name: cells.lines() for cells in frame.columns}
        put = gaps.cpu().numpy().copy()
        for at, (column, values) in enumerate(zip(columns, columns_of(rows.values), strict=True)):
            if not put[:, at].all():
                nothing = self.nothing(column)
                put[:, at] &= [t.casefold() in nothing for t in texts[column.name]]
            put_in(texts[column.name], column.texts(values[put[:, at]]), put[:, at])
        asked = {column.name for at, column in enumerate(columns) if put[:, at].all()}
        whole = self.whole(where)
        back = self.kept(whole, inverse(self.constraints, texts), asked)
        out.mkdir(parents=True, exist_ok=True)
        if frame.style.form != "csv":
            parquet = frame.style.form == "parquet"
            table = read_parquet(Path(where)) if parquet else flat(to_pandas(where)).copy()
            table = patched(table, self.outer or columns, whole, back)
            write = write_parquet if parquet else write_frame
            return [write(out / f"completed.{'parquet' if parquet else 'csv'}", table)]
        heads, cells = whole.heads or whole.names, [back[n] for n in whole.names]
        write_text(out / "completed.csv", heads, cells, frame.style)
        return [out / "completed.csv"]

    def kept(
        self, whole: Frame, texts: Mapping[str, Sequence[str]], asked: set[str]
    ) -> dict[str, Sequence[str]]:
        """Texts of the file's columns; a cell that was there stays, unless its column is asked."""
        for one in self.constraints:
            asked = asked | (set(one.names) if asked & set(one.types) else set())
        back: dict[str, Sequence[str]] = dict(texts)
        own = {column.name: self.nothing(column) for column in (*self.columns, *self.outer)}
        for name in [name for one in self.constraints for name in one.names if name not in asked]:
            old = whole[name].lines()
            gone = [text.casefold() in own[name] for text in old]
            back[name] = [b if g else o for o, b, g in zip(old, back[name], gone, strict=True)]
        return back

    def settled(self, rows: Rows) -> Rows:
        """Numbers rounded and spikes on their score, as in a file: what measures compare."""
        columns = fielded(self.drawn)
        values = [
            resettled(column, value)
            for column, value in zip(columns, columns_of(rows.values), strict=True)
        ]
        return Rows(stacked(values, len(rows)).to(rows.values), rows.given)

    def number(self, name: str, words: str) -> float:
        return valued(self.columns, name, words)

    def beyond(self, name: str, words: str) -> str:
        return beyond(self.columns, name, words)

    def native(self, rows: Rows) -> Any:
        """A pandas frame of the columns, types and formats of the original."""
        blank = frozenset(self.blank)
        columns = {}
        for column, texts in self.restored(rows):
            every = [*texts, *levels(column)]  # those that no row has are levels all the same
            gone = np.array([t.casefold() in blank for t in every], bool)
            form = column.clock.format if isinstance(column, Moment) else "mixed"
            columns[column.name] = typed(every, gone, column.dtype, form)[: len(texts)]
        return pandas().DataFrame(columns)

    def told(self, rows: Rows) -> dict[str, Sequence[str]]:
        """What a file would say of rows, by column, without names that each row has anew."""
        return {c.name: t for c, t in self.restored(rows) if not isinstance(c, Identifier)}

    def told_by_field(self, rows: Rows) -> dict[str, Sequence[str]]:
        """The same of what is modelled: where constraints hold, other columns than the file's."""
        return {column.name: texts for column, _, texts in self.written(rows)}

    def cells(self, where: Where, places: Sequence[int]) -> dict[str, Sequence[str]]:
        """What stands in some rows of a file, by column."""
        frame = self.whole(where)
        return {c.name: c.lines(places) for c in frame.columns}

    def restored(self, rows: Rows) -> list[tuple[Column, Sequence[str]]]:
        """Each column of the file with its texts."""
        modelled = [(column, texts) for column, _, texts in self.written(rows)]
        if not self.constraints:
            return [*modelled]
        texts = inverse(self.constraints, {column.name: texts for column, texts in modelled})
        return [(column, texts[column.name]) for column in self.outer]

    def broken(self, rows: Rows) -> Tensor:
        if not self.constraints:
            return super().broken(rows)
        texts = {column.name: texts for column, texts in self.restored(rows)}
        kept = [one.holds(texts) for one in self.constraints if set(one.names) <= set(texts)]
        return torch.from_numpy(~np.all(kept, 0))

    def written(self, rows: Rows) -> list[tuple[Column, Array, list[str]]]:
        """Each modelled column with its values (B, F) and its texts, in the order of the file."""
        names = [column.name for column in fielded(self.drawn)] + list(self.conditions)
        arrays = columns_of(rows.values) + columns_of(rows.given)
        shown = dict(zip(names, arrays, strict=True))
        nothing = np.zeros((len(rows), 0))
        return [
            (column, values, filled(column, values))
            for column in self.columns
            for values in [shown.get(column.name, nothing)]
        ]

    def write(self, rows: Rows, out: Path, across: int = 0) -> list[Path]:
        """`samples.csv`, or `samples.parquet` where the table was one; never over another file."""
        out.mkdir(parents=True, exist_ok=True)
        if self.style.form == "parquet":
            return [write_parquet(out / "samples.parquet", self.native(rows))]
        columns = self.restored(rows)
        path = out / "samples.csv"
        write_text(path, [c.name for c, _ in columns], [t for _, t in columns], self.style)
        return [path]

    def draw(self, rows: Rows) -> Tensor:
        """One bar a field: the rank of a number, blue; the level of a category, orange."""
        bars = [bar(f, v) for f, v in zip(self.space.fields, rows.values.unbind(1), strict=True)]
        wide = max(HEIGHT, BAR * len(bars))
        return torch.nn.functional.pad(torch.cat(bars, 3), (0, wide - BAR * len(bars)), value=250)

    def to_dict(self) -> dict[str, Any]:
        return {
            "columns": [describe(column) for column in self.columns],
            "conditions": list(self.conditions),
            "blank": list(self.blank),
            "style": asdict(self.style),
            "constraints": [rules.describe(one) for one in self.constraints],
            "outer": [describe(column) for column in self.outer],
            "patient": self.patient,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        columns, outer = (tuple(map(recall, data.get(key, ()))) for key in ("columns", "outer"))
        kept = tuple(map(rules.recall, data.get("constraints", ())))
        told, blank = tuple(data["conditions"]), tuple(data["blank"])
        style, patient = Style(**data["style"]), data.get("patient", "")
        return cls(columns, told, blank, style, kept, outer, patient)


def levels(column: Column) -> tuple[str, ...]:
    """The texts of a column that pandas holds as categories, which it knows beyond its rows."""
    if isinstance(column, Label) and column.dtype.startswith("category"):
        return column.labels
    return ()


def columns_in(
    frame: Frame, empty: frozenset[str], types: Mapping[str, str], numbers: Coding
) -> tuple[tuple[Column, ...], list[Finding]]:
    """What every column of a table is, and what is to be said of it."""
    looks = [Look(frame, cells, empty) for cells in frame.columns]
    made = [learn(look, types.get(look.cells.name, ""), numbers) for look in looks]
    return tuple(c for c, _ in made), [f for _, several in made for f in several]


def replaced(given: Sequence[str], outer: Sequence[Column], made: Sequence[Column]) -> None:
    """A condition that a constraint replaces by another column is an error."""
    there = {column.name for column in made}
    for name in given:
        if name in {column.name for column in outer} - there:
            raise UserError(
                f"data.given has {name!r}, which a constraint replaces by another column; leave it "
                "out of one of them"
            )


def said_of(kept: Sequence[Constraint]) -> list[Finding]:
    """How constraints are kept."""
    way = {True: "kept by a transform", False: "kept by drawing again what breaks it"}
    return [
        Finding("note", f"constraint {one.told!r}: {way[one.transforms]}")
        for one in kept
        if not isinstance(one, Range)
    ]


def put_in(texts: list[str], new: Sequence[str], where: NDArray[np.bool_]) -> None:
    """Put new texts, in their order, where a mask (N,) says."""
    for row, text in zip(np.flatnonzero(where).tolist(), new, strict=True):
        texts[row] = text


def differ(cells: Cells, texts: Sequence[str]) -> NDArray[np.bool_]:
    """Where other texts than those of a column stand, (N,)."""
    return np.array(cells.lines(), object) != np.array(texts, object)


def patched(
    table: Any, columns: Sequence[Column], whole: Frame, texts: Mapping[str, Sequence[str]]
) -> Any:
    """A pandas frame, of which `whole` is the text, with other texts put in, in its own types."""
    for column in columns:
        rows = np.flatnonzero(differ(whole[column.name], texts[column.name])).tolist()
        form = column.clock.format if isinstance(column, Moment) else "mixed"
        cells = [texts[column.name][row] for row in rows]
        if cells:
            new = typed(cells, np.zeros(len(cells), bool), whole[column.name].dtype, form)
            table.iloc[rows, whole.names.index(column.name)] = new.to_numpy()
    return table


def fielded(columns: Sequence[Column]) -> list[Column]:
    """The columns that have a field."""
    return [column for column in columns if column.fields]


def stacked(columns: Sequence[Array], rows: int) -> Tensor:
    """Columns (N, 1) as one tensor (N, F), which has N rows also where F is 0."""
    return torch.from_numpy(np.concatenate([np.zeros((rows, 0)), *columns], 1)).float()


def columns_of(values: Tensor) -> list[Array]:
    """Values (B, F) as F arrays (B, 1)."""
    array: Array = values.detach().cpu().double().numpy()
    return [array[:, i : i + 1] for i in range(array.shape[1])]


def filled(column: Column, values: Array) -> list[str]:
    """Values (B, F) as texts, the blank where one is missing."""
    known = ~np.isnan(values).any(axis=1, keepdims=True).ravel()
    texts = iter(column.texts(values[known]))
    return [next(texts) if one else column.blank for one in known.tolist()]


def resettled(column: Column, values: Array) -> Array:
    """Values (B, 1) as texts and as values again; missing stays missing."""
    known = ~np.isnan(values[:, 0])
    again = values.copy()
    again[known] = column.numbers(column.texts(values[known]))
    return again


def chosen(frame: Frame, keep: Sequence[str], drop: Sequence[str], named: Sequence[str]) -> Frame:
    """The columns to keep; an option that names a column which is not there is an error."""
    kept = [name for name in (keep or frame.names) if name not in drop]
    for name in (*drop, *named):
        frame[name]
    for name in named:
        if name not in kept:
            raise UserError(f"column {name!r} is named by an option and left out by another")
    return frame.only(kept)


def useful(kind: Tables, frame: Frame) -> None:
    """A table of which nothing is left to draw, or a condition without a field, is an error."""
    for column in kind.known:
        if not column.fields:
            raise UserError(
                f"data.given: column {column.name!r} is {describe(column)['type']}, "
                f"no condition; say data.types.{column.name}, or leave it out"
            )
    if not kind.space.fields:
        why = ", ".join(f"{c.name} ({describe(c)['type']})" for c in kind.columns)
        raise UserError(
            f"{frame.title} has no column to learn from: {why or 'none kept'}; "
            "say what one is with data.types"
        )


def repeated(frame: Frame) -> list[Finding]:
    """How many rows are equal to an earlier one, by a hash of their cells."""
    factors = np.random.default_rng(0).integers(1, 2**63, len(frame.columns), dtype=np.uint64)
    keys = np.zeros(len(frame), np.uint64)
    for cells, factor in zip(frame.columns, factors, strict=True):
        hashes = np.random.default_rng(factor).integers(0, 2**63, len(cells.texts), np.uint64)
        keys ^= hashes[cells.codes]
    count = len(keys) - len(np.unique(keys))
    text = f"{plural(count, 'row')} of {len(keys)} equal to an earlier one; they are kept"
    return [Finding("note", text)] if count else []


def in_time(frame: Frame) -> list[Finding]:
    """What to say of a table that could be a series."""
    return [
        Finding("note", f"column {how.time!r} rises in equal steps and the others are numbers; "
                'to model windows of time, say data.kind = "series"')
        for how in timeline(frame)
    ]  # fmt: skip


def bar(field: Field, values: Tensor) -> Tensor:
    """One field of B rows as pictures (B, 3, HEIGHT, BAR), a gap on its right."""
    labelled = isinstance(field.domain, Category)
    share = (values + 1) / field.domain.width if labelled else torch.special.ndtr(values)
    rank = (torch.arange(HEIGHT).flip(0) + 0.5) / HEIGHT  # from the bottom up
    inside = rank < share.nan_to_num(1.0).clamp(0.06, 1)[:, None]  # (B, HEIGHT)
    inside = inside[:, None, :, None] & (torch.arange(BAR) < BAR - 1)  # (B, 1, HEIGHT, BAR)
    gone = values.isnan()[:, None, None, None]
    colour = torch.where(gone, paint(GAPS), paint(LABELS if labelled else NUMBERS))
    return torch.where(inside, colour, paint(PAPER)).to(torch.uint8)


def paint(colour: tuple[int, int, int]) -> Tensor:
    return torch.tensor(colour).reshape(1, 3, 1, 1)


def write_parquet(path: Path, table: Any) -> Path:
    """Write a pandas frame; a file that is there already is not touched."""
    unwritten(path)
    table.to_parquet(path, index=False)
    return path


def write_frame(path: Path, table: Any) -> Path:
    """Write a pandas frame as text; a file that is there already is not touched."""
    unwritten(path)
    table.to_csv(path, index=False)
    return path


def unwritten(path: Path) -> None:
    """A file that is there already is an error."""
    if path.exists():
        raise UserError(f"{path} is already there; name another --out")
