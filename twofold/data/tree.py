"""What the folders and side files of a set say of its files: labels, attributes, official split.

The first folder below the root is the label. A folder that holds everything is no label and is
passed over; so are `train`, `validation` and `test` (and `val`, `valid`) when every file lies below
one of them: they are the publisher's own split. `labels.csv` and `attributes.csv` at the root give
more: their column `file` names a file, every other column is an attribute, a number where all of
its entries are numbers and more than ten differ, else a category. `embeddings.npy` or
`embeddings.npz` gives a vector a file (see `vectors`).
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Category, Field, Real, Space
from twofold.data import vectors
from twofold.data.files import Files
from twofold.data.vectors import Vectors, is_vector

PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
MOST_LABELS = 1000
SIDE_FILES = ("labels.csv", "attributes.csv")


@dataclass(frozen=True)
class Tree:
    """How the names of a set are built: `skip` folders hold everything, then perhaps the parts."""

    skip: int
    parted: bool

    @classmethod
    def of(cls, names: NDArray[np.bytes_]) -> Tree:
        """Find out from all names."""
        skip = 0
        while len(tops := {folder(name, skip) for name in names}) == 1 and "" not in tops:
            if PARTS.get(next(iter(tops)).lower()):
                break
            skip += 1
        return cls(skip, bool(tops) and all(top.lower() in PARTS for top in tops))

    def label(self, name: bytes) -> str:
        """The label of a file; empty where it lies in no folder of its own."""
        return folder(name, self.skip + self.parted)

    def part(self, name: bytes) -> str:
        """The official part that a file belongs to; empty where there is none."""
        return PARTS[folder(name, self.skip).lower()] if self.parted else ""


def folder(name: bytes, depth: int) -> str:
    """The folder of a name at some depth; empty where the file itself is there or above.

    >>> folder(b"a/b/c.png", 1), folder(b"a/b/c.png", 2)
    ('b', '')
    """
    parts = bytes(name).split(b"/")
    return parts[depth].decode("utf-8", "replace") if depth < len(parts) - 1 else ""


def unlabelled(name: bytes, tree: Tree) -> bytes:
    """A name without its ending and without the folder that would be its label.

    >>> unlabelled(b"train/first/owl.png", Tree(0, True))
    b'train/owl'
    """
    *folders, file = bytes(name).split(b"/")
    depth = tree.skip + tree.parted
    return b"/".join([*folders[:depth], *folders[depth + 1 :], file.rpartition(b".")[0]])


def official(names: NDArray[np.bytes_], tree: Tree) -> dict[str, Tensor]:
    """Row numbers of the publisher's own split, by part."""
    if not tree.parted:
        return {}
    parts = np.array([tree.part(name) for name in names])
    return {
        part: torch.from_numpy(np.flatnonzero(parts == part))
        for part in sorted(set(parts.tolist()))
    }


def label_counts(names: NDArray[np.bytes_], tree: Tree) -> Counter[str]:
    """How often each label occurs; files in no folder are not counted."""
    counts = Counter(tree.label(name) for name in names)
    counts.pop("", None)
    return counts


def label_column(names: NDArray[np.bytes_], tree: Tree, labels: Sequence[str]) -> Tensor:
    """The index of every file's label (N,); NaN where it has none of these."""
    number = {label: float(index) for index, label in enumerate(labels)}
    found = [number.get(known(name, tree, number), math.nan) for name in names]
    return torch.tensor(found, dtype=torch.float32)


def known(name: bytes, tree: Tree, labels: dict[str, float]) -> str:
    """The folder of a file that is a known label: its own first, else one that holds everything."""
    own = tree.label(name)
    above = (folder(name, depth) for depth in reversed(range(tree.skip)))
    return own if own in labels else next((top for top in above if top in labels), own)


@dataclass(frozen=True)
class Table:
    """A side file: its name, its columns, and the text of each by row of the set ("" if none)."""

    name: str
    columns: dict[str, NDArray[Any]]
    strays: int


def tables(files: Files, tree: Tree) -> list[Table]:
    """The side files of a set, at its root or in the folder that holds everything."""
    above = roof(files, tree)
    held = beside(files, above, SIDE_FILES)
    return [table(name, text, files, above) for name, text in held.items()]


def embeddings(files: Files, tree: Tree) -> tuple[Vectors, ...]:
    """The vectors of a set, from the first of their side files that is there."""
    above = roof(files, tree)
    held = beside(files, above, vectors.SIDE_FILES)
    return tuple(
        vectors.read(name, content, len(files), lambda one: place_of(files, one, above))
        for name, content in held.items()
    )[:1]


def roof(files: Files, tree: Tree) -> str:
    """The folder that holds everything; empty where the root does."""
    return b"/".join(bytes(files.names[0]).split(b"/")[: tree.skip]).decode("utf-8", "replace")


def beside(files: Files, above: str, names: Sequence[str]) -> dict[str, bytes]:
    """What side files hold, of those that are there: at the root, or in the folder above all."""
    held = {name: files.find(name) or files.find(f"{above}/{name}") for name in names}
    return {name: content for name, content in held.items() if content}


def table(name: str, text: bytes, files: Files, above: str) -> Table:
    """Read a side file and match its rows to the files of the set by name."""
    try:
        lines = csv.reader(io.StringIO(text.decode("utf-8-sig")), strict=True)
        heads = next(lines, [])
        if "file" not in heads:
            raise UserError(f"{name} has no column 'file'; name the column of file names so")
        key, strays = heads.index("file"), 0
        cells = np.full((len(files), len(heads)), "", dtype=object)
        for row in lines:
            if len(row) != len(heads):
                raise UserError(
                    f"{name}, line {lines.line_num}: {len(row)} cells, not {len(heads)}; mend it"
                )
            at = place_of(files, row[key], above)
            strays += at < 0
            if at >= 0:
                cells[at] = [cell.strip() for cell in row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{name} is not a text table ({error}); save it as UTF-8 CSV") from None
    columns = {head: cells[:, i] for i, head in enumerate(heads) if i != key and head}
    return Table(name, columns, strays)


def place_of(files: Files, name: str, above: str) -> int:
    """The row of a file, named with or without the folder that holds everything; −1 if none."""
    for whole in (name, f"{above}/{name}"):
        word = np.bytes_(whole.replace("\\", "/").encode())
        at = int(np.searchsorted(files.names, word))
        if at < len(files) and files.names[at] == word:
            return at
    return -1


Sort = Literal["real", "category", "text"]


def sort_of(cells: NDArray[Any]) -> Sort:
    """What a column of text holds."""
    filled = [cell for cell in cells if cell]
    distinct = set(filled)
    if len(distinct) > 10 and all(finite(cell) for cell in distinct):
        return "real"
    return "category" if 0 < len(distinct) <= min(MOST_LABELS, len(filled)) else "text"


def finite(cell: str) -> bool:
    """Whether a cell is a number."""
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def field_of(name: str, cells: NDArray[Any]) -> Field:
    """The field of a column, learnt from its cells."""
    if sort_of(cells) == "category":
        return Field(name, Category(tuple(sorted({cell for cell in cells if cell}))), missing=True)
    numbers = torch.tensor([float(cell) for cell in cells if cell])
    std = float(numbers.std(correction=0)) or 1.0
    return Field(name, Real(float(numbers.mean()), std), missing=True)


def column(field: Field, cells: NDArray[Any]) -> Tensor:
    """A column of text as values (N,), NaN where empty or not known."""
    if isinstance(field.domain, Category):
        number = {label: float(index) for index, label in enumerate(field.domain.labels)}
        values = [number.get(cell, math.nan) for cell in cells]
    else:
        values = [float(cell) if finite(cell) else math.nan for cell in cells]
    return torch.tensor(values, dtype=torch.float32)


def given_of(files: Files, tree: Tree, space: Space) -> Tensor:
    """What is given of every file (N, G), in the order of the space's fields."""
    columns = (
        {name: cells for side in tables(files, tree) for name, cells in side.columns.items()}
        if space.fields
        else {}
    )
    scalars = [field for field in space.fields if not is_vector(field)]
    told = embeddings(files, tree) if len(scalars) < len(space.fields) else ()
    values = [
        column(field, columns[field.name])
        if field.name in columns
        else label_column(files.names, tree, field.domain.labels)
        if field.name == "label" and isinstance(field.domain, Category)
        else torch.full((len(files),), math.nan)
        for field in scalars
    ]
    known = torch.stack(values, 1) if values else torch.zeros(len(files), 0)
    return torch.cat([known, vectors.given(told, space, len(files))], 1)
