"""A schema: what each column of a table is, in a file that a user may edit.

`doctor --schema` writes what it learnt of a table, one section a column, and `data.schema` has the
table read as the file says:

| key | of | is |
|---|---|---|
| `type` | all | `number`, `number modes`, `category`, `date %Y-%m-%d`, `id`, `text` or `constant` |
| `least`, `most` | numbers | bounds: a row that breaks them is an error, drawn ones keep them |
| `decimals` | numbers | places after the point, at most |
| `levels` | categories | all texts that may stand there; another one is an error, by its row |
| `missing` | all | whether a cell may be missing; where it says no, one that is is an error |
| `drop` | all | whether the column is neither read nor written |

A key that is left out is found out, a column that is left out is, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from twofold.core import toml
from twofold.core.errors import UserError, nearest
from twofold.data import places
from twofold.data.columns import TITLES, Column, Label, Modelled, Moment, Number, written
from twofold.data.frames import Frame
from twofold.data.modes import Modes

HEAD = """\
# What each column of {title} is. Edit it, and:
#   twofold fit {title} --set data.schema={path}
"""


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Said:
    """What a schema says of one column; what is none of these it leaves open.

    Args:
        type: of the column. least, most: bounds. decimals: places after the point, at most.
        levels: texts. missing: whether a cell may be missing. drop: whether it is left out.
    """

    type: str = ""
    least: float | None = None
    most: float | None = None
    decimals: NonNegativeInt | None = None
    levels: tuple[str, ...] = Field(default=())
    missing: bool | None = None
    drop: bool = False

    def bounds(self, name: str) -> list[str]:
        """The bounds as a constraint."""
        low = "" if self.least is None else f"{self.least:.15g} <= "
        high = "" if self.most is None else f" <= {self.most:.15g}"
        return [f"{low}{name}{high}"] if low or high else []

    def settled(self, column: Column) -> Column:
        """A column as it is told here."""
        if isinstance(column, Modelled) and self.missing:
            column = replace(column, missing=True)
        if isinstance(column, Number) and self.decimals is not None:
            places = min(column.places, self.decimals)
            return replace(column, decimals=self.decimals, places=places)
        if isinstance(column, Label) and self.levels and not column.others:
            return replace(column, labels=self.levels)
        return column


@dataclass(frozen=True)
class Schema:
    """What is said of the columns of a table, by name.

    Args:
        title: the file. columns: what is said of each.
    """

    title: str = ""
    columns: Mapping[str, Said] = field(default_factory=dict)

    @property
    def types(self) -> dict[str, str]:
        """The types of columns that are read."""
        every = self.columns.items()
        return {name: said.type for name, said in every if said.type and not said.drop}

    @property
    def dropped(self) -> tuple[str, ...]:
        return tuple(name for name, said in self.columns.items() if said.drop)

    @property
    def constraints(self) -> tuple[str, ...]:
        """The bounds of columns that are read."""
        told = ((name, said) for name, said in self.columns.items() if not said.drop)
        return tuple(text for name, said in told for text in said.bounds(name))

    def settled(self, columns: Iterable[Column]) -> tuple[Column, ...]:
        """Columns as they are told here."""
        return tuple(self.columns.get(c.name, Said()).settled(c) for c in columns)

    def check(self, frame: Frame, empty: frozenset[str]) -> None:
        """Whether a table is what is said of it.

        Raises:
            UserError: a column that it does not have, a cell that is missing, an unknown level.
        """
        for name, said in self.columns.items():
            if name not in frame.names:
                raise UserError(
                    f"{self.title} speaks of column {name!r}, which {frame.title} does not have; "
                    f"{nearest(name, frame.names)}"
                )
            if not said.drop:
                examine(frame, name, said, empty, self.title)


def examine(frame: Frame, name: str, said: Said, empty: frozenset[str], title: str) -> None:
    """One column of a table against what is said of it."""
    cells = frame[name]
    for code, text in enumerate(cells.texts):
        gone = text.casefold() in empty
        wrong = said.missing is False if gone else bool(said.levels) and text not in said.levels
        if wrong:
            row = int((cells.codes == code).argmax())
            what = "missing" if gone else f"{text!r}, which is no level of it"
            raise UserError(
                f"{frame.place(cells, row)} is {what}, as {title} says; mend the row or the schema"
            )


def load(path: str) -> Schema:
    """A schema from its file; of an empty path, one that says nothing."""
    if not path:
        return Schema()
    columns = {name: said_of(path, name, table) for name, table in toml.load(Path(path)).items()}
    return Schema(path, columns)


def said_of(path: str, name: str, table: Any) -> Said:
    """What is said of one column."""
    try:
        return TypeAdapter(Said).validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "it"
        raise UserError(f"{path}, [{name}]: {key}: {first['msg'].lower()}") from None


# Writing.


def write(path: Path, title: str, columns: Iterable[Column]) -> Path:
    """A schema of what was learnt, as a new file."""
    with places.new(path) as file:
        head = HEAD.format(title=title, path=path)
        file.write((head + "\n" + toml.dumps({c.name: told(c) for c in columns})).encode())
    return path


def told(column: Column) -> dict[str, Any]:
    """What was learnt of a column, as a section."""
    gaps = {"missing": column.missing} if isinstance(column, Modelled) else {}
    return {"type": type_of(column), **facts(column), **gaps}


def type_of(column: Column) -> str:
    """The type as `data.types` has it."""
    title = TITLES[type(column)]
    if isinstance(column, Moment):
        return f"{title} {column.clock.format}"
    return f"{title} modes" if isinstance(column, Number) and by_mode(column) else title


def by_mode(column: Number) -> bool:
    """Whether a number is told by its mode."""
    return isinstance(column.scores, Modes)


def facts(column: Column) -> dict[str, Any]:
    """What is said of a number or of a category."""
    if isinstance(column, Number):
        ends = (written(end, column.decimals, 0) for end in column.scores.bounds)
        least, most = (float(end) if column.decimals else int(end) for end in ends)
        return {"least": least, "most": most, "decimals": column.decimals}
    if isinstance(column, Label) and not column.others:
        return {"levels": list(column.labels)}
    return {}
