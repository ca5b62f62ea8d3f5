"""A kind of data: files to a Space and back, and how an observation is drawn.

A `Kind` is the codec of one data set: what was learnt from the files (sizes, columns, labels,
means, bounds, rounding), as plain data that is kept in the run's `space.json`. With it, other files
of the same form become values, and values become native files again, in the original units and
types. `inspect` learns it, and says what it noticed as `Finding`s; `open` reads with it; `write`
and `draw` go back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from twofold.core.errors import UserError, nearest
from twofold.core.space import Space
from twofold.core.words import harmless
from twofold.data.augment import Augment
from twofold.data.sources import Rows, Source
from twofold.data.traces import Trace

Where = Any  # a path, or an object in memory: an array, a data frame

Told = Literal["all"] | tuple[str, ...]
"""Which of the fields that are known a model is given: all, or those of these names."""


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor noticed, in one sentence.

    Args:
        level: `note` is worth knowing, `warning` was coped with (and how), `error` stops a fit.
        text: what, where, and what was or can be done; what in it could steer a terminal is
            escaped.

    >>> Finding("note", "column '\\x1b[2J' is empty").text
    "column '\\\\x1b[2J' is empty"
    """

    level: Literal["note", "warning", "error"]
    text: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", harmless(self.text))


def matching(asked: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Names as they are asked for, `*` and `?` standing for any letters; each once.

    Raises:
        UserError: a pattern that matches nothing. A plain name that is not there stays.

    >>> matching(("e*", "age"), ("e0", "age", "e1"))
    ('e0', 'e1', 'age')
    """
    found = {one: [name for name in names if fnmatchcase(name, one)] for one in asked}
    for one, matched in found.items():
        if not matched and set("*?") & set(one) and one not in names:
            raise UserError(f"data.given has {one!r}, which matches nothing; {nearest(one, names)}")
    return tuple(
        dict.fromkeys(
            name
            for one, matched in found.items()
            for name in ([one] if one in names else matched or [one])
        )
    )


def told(known: Space, names: Told) -> tuple[Space, Space]:
    """What is known, as what is given and what is left as factors.

    Raises:
        UserError: a name that is not known of these data.

    >>> from twofold.core.space import Category, Field, Real
    >>> known = Space((Field("label", Category(("a", "b"))), Field("size", Real())))
    >>> [[field.name for field in space.fields] for space in told(known, ("size",))]
    [['size'], ['label']]
    """
    fields = [field.name for field in known.fields]
    asked = fields if names == "all" else matching(names, fields)
    for name in asked:
        if name not in fields:
            raise UserError(f"data.given has {name!r}, which is not known; {nearest(name, fields)}")
    given = [replace(field, missing=True) for field in known.fields if field.name in asked]
    rest = [field for field in known.fields if field.name not in asked]
    return Space(tuple(given)), Space(tuple(rest))


class Kind(ABC):
    """The codec of one data set; final classes are frozen dataclasses, one a file."""

    name: ClassVar[str]
    """What the kind is called in lists and in `space.json`."""

    example: ClassVar[Space]
    """What one observation of such data may be, small: for lists of what trains on it."""

    fault: ClassVar[str] = "broke a constraint"
    """What is said of rows that are `broken`."""

    space: Space
    """What one observation is."""

    given: Space
    """What is known of it: labels, attributes; every field may be missing."""

    factors: Space = Space()
    """What is known of it and not given to a model: what measures of its code may look at."""

    copied: bool = False
    """Whether rows are noisy copies of scenes, several of each: what a model may learn from."""

    patient: str = ""
    """What says whose a row is, as the user asked; no split parts the rows of one patient."""

    augments: tuple[Augment, ...] = ()
    """Random changes that training applies to the values of a batch, in this order."""

    @property
    def had(self) -> Space:
        """What was known of the data that it was learnt from: missing where some of it was.

        In `given` every field may be missing, as a draw need not be told it.
        """
        return self.given

    @classmethod
    @abstractmethod
    def accepts(cls, where: Where) -> bool:
        """Whether a path or object looks like this kind, from names, suffixes and types alone."""

    @classmethod
    def reads(cls, where: Where) -> bool:
        """Whether a codec of this kind may open a path or object, by its type alone."""
        return isinstance(where, str | Path)

    @classmethod
    @abstractmethod
    def inspect(cls, where: Where) -> tuple[Self, list[Finding]]:
        """Learn the codec from data. Sub-classes add keyword options, the keys under `data`."""

    @abstractmethod
    def open(self, where: Where) -> Source:
        """Read data of the same form with this codec; what does not fit is a `UserError`."""

    def spelt(self, texts: Sequence[str]) -> Source:
        """Observations that are written out, one a text.

        Raises:
            UserError: these are not, or a text is none.
        """
        raise UserError(f"{self.name} cannot be written out; give their files instead of --of")

    def settled(self, rows: Rows) -> Rows:
        """Rows as they would be if they were written and read again: what measures compare."""
        return rows

    def broken(self, rows: Rows) -> Tensor:
        """Which rows these data cannot have, (B,): `sample` never hands them out."""
        return torch.zeros(len(rows), dtype=torch.bool)

    def number(self, name: str, words: str) -> float:
        """A number of the field or condition `name`, as a file would say it, as a value."""
        return float(words)

    def beyond(self, name: str, words: str) -> str:
        """That such a number of `name` lies outside of what was learnt from; empty elsewhere."""
        return ""

    @abstractmethod
    def native(self, rows: Rows) -> Any:
        """Rows in the user's own terms: a list of pictures, a data frame, an array."""

    def rewrite(self, rows: Rows, out: Path, names: Sequence[str] = ()) -> list[Path]:
        """Write what was made of observations; where each has a file of its own, by its name.

        Args:
            rows: what is written. out: the folder. names: what the user calls each; none is known.
        """
        return self.write(rows, out)

    @abstractmethod
    def write(self, rows: Rows, out: Path, across: int = 0) -> list[Path]:
        """Write rows as native files in a folder, and return them, the overview first.

        Args:
            rows: what is written. out: the folder.
            across: pictures in a row of an overview; 0 makes it as square as can be.
        """

    def gappy(self) -> Kind:
        """The same codec for data in which any value may be missing: it reads NaN there."""
        return self

    def lenient(self) -> Kind:
        """The same codec for data of which a run is asked: it passes over what it cannot read."""
        return self

    def rows(self, where: Where) -> list[int]:
        """The number of each row in the user's file; none where that is no list of rows."""
        return []

    def passed(self, where: Where) -> list[Finding]:
        """What of the data it passes over, and why."""
        return []

    def undivided(self) -> Kind:
        """The same codec for data that no split divides, of which no step may be passed over."""
        return self

    def names(self, where: Where) -> list[str]:
        """What the user calls each row: its file, its number; none where they have no names."""
        return []

    def trace(self, where: Where) -> Trace:
        """Where in its file each row is, where that takes more than its name."""
        return Trace()

    def left(self, where: Where, fields: Sequence[str]) -> dict[str, int]:
        """Cells that `complete` cannot fill, by column; of the fields named, those it passes over.

        Args:
            where: the data. fields: those whose every value is to be filled.
        """
        return {}

    def complete(self, where: Where, rows: Rows, gaps: Tensor, out: Path) -> list[Path]:
        """Write data again in a folder with some values put in; the others are as they were.

        Args:
            where: the data. rows: all of its rows, with the values to put in.
            gaps: which values those are, (N, F, *A).
        """
        return self.write(rows, out)

    @abstractmethod
    def draw(self, rows: Rows) -> Tensor:
        """Rows as small pictures: (B, 3, h, w) uint8, for previews and reports."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The codec as plain data; `from_dict` is its inverse."""

    @classmethod
    @abstractmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The codec from plain data."""
