"""Arrays of rows, wherever they lie: in memory, in a `.npy`, in a `.npz`.

A `Block` is N rows of one shape, perhaps with a label each and the publisher's own split. The rows
of a `.npy` are read one range at a time by `os.pread`, so that a file of any size costs no memory.
Pickled objects are never read (`allow_pickle=False`), whatever a file says.

A `.npz` holds one array, or rows and labels under one of the usual pairs of names, with or without
parts: `x`, `y`; `train_images`, `train_labels`, `val_images`, … (MedMNIST); `x_train`, `y_train`, …
(Keras).
"""

from __future__ import annotations

import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from twofold.core.errors import UserError
from twofold.data.files import handle

Array = NDArray[Any]
NONE: Array = np.zeros(0, np.int64)
MOST_LABELS = 1000
SERIES = 64
"""The most channels that an array of real numbers with three axes may have to be a series."""


class Store(ABC):
    """N rows that can be read by range."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.float64)) * self.dtype.itemsize

    @abstractmethod
    def __getitem__(self, rows: slice) -> Array:
        """The rows of a range."""

    def ranges(self, most: int = 1 << 25) -> Iterator[tuple[int, Array]]:
        """All rows in ranges of at most about 32 MB, each with the number of its first row."""
        step = max(1, most // max(1, self.nbytes // max(1, len(self))))
        for start in range(0, len(self), step):
            yield start, self[start : start + step]


class InMemory(Store):
    """Rows of an array."""

    def __init__(self, array: Array) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, rows: slice) -> Array:
        found: Array = self.array[rows]
        return found


class OnDisk(Store):
    """Rows of a `.npy` file in C order."""

    def __init__(self, path: Path) -> None:
        with damaged(path), path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version not in READ_HEADER:
                raise ValueError(f"version {version} of .npy")
            self.shape, fortran, self.dtype = READ_HEADER[version](file)
            self.start = file.tell()
        if self.dtype.hasobject:
            raise UserError(f"{path} holds Python objects; save numbers of one type")
        whole = self.start + self.nbytes
        if path.stat().st_size < whole:
            raise UserError(f"{path} is cut short: {path.stat().st_size:,} of {whole:,} bytes")
        if fortran and len(self.shape) > 1:
            raise UserError(f"{path} is in Fortran order; save numpy.ascontiguousarray(a)")
        self.handle = handle(self, path)

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(len(self))
        count = max(0, stop - start)
        size = self.nbytes // max(1, len(self))
        data = pread(self.handle, count * size, self.start + start * size)
        return np.frombuffer(data, self.dtype).reshape(count, *self.shape[1:])


class Flat(Store):
    """The M copies of each of N rows as N · M rows, a row's copies one after the other."""

    def __init__(self, rows: Store) -> None:
        self.rows, self.copies = rows, rows.shape[1]
        self.shape = (rows.shape[0] * self.copies, *rows.shape[2:])
        self.dtype = rows.dtype

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(len(self))
        first = start // self.copies
        found = self.rows[slice(first, -(-stop // self.copies))]
        flat: Array = found.reshape(-1, *self.shape[1:])
        return flat[start - first * self.copies : stop - first * self.copies]


READ_HEADER: Mapping[tuple[int, int], Callable[[Any], Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def pread(file: int, count: int, start: int) -> bytes:
    """`count` bytes, in as many reads as the system needs."""
    parts: list[bytes] = []
    while count > 0 and (part := os.pread(file, count, start)):
        parts.append(part)
        count, start = count - len(part), start + len(part)
    if count > 0:
        raise UserError("the array's file became shorter while it was read; start again")
    return parts[0] if len(parts) == 1 else b"".join(parts)


@dataclass(frozen=True)
class Block:
    """N rows with what is known of them.

    Args:
        rows: where they are; the first axis counts them.
        labels: (N,) the index of each row's label, −1 where there is none; empty without labels.
        names: the labels.
        official: row numbers of the publisher's own split.
        levels: how many whole values, from 0 on, an image may take; 0 when not known.
        notes: what is worth saying of it.
    """

    rows: Store
    labels: Array = field(default_factory=lambda: NONE)
    names: tuple[str, ...] = ()
    official: Mapping[str, Array] = field(default_factory=dict)
    levels: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Array, labels: Array = NONE, **known: Any) -> Block:
        """Rows in memory, with labels of any type.

        >>> Block.of(np.zeros((3, 2)), np.array(["b", "a", "b"])).names
        ('a', 'b')
        """
        index, names, notes = labelled(labels, rows.shape[0] if rows.shape else 0)
        return replace(cls(InMemory(rows), index, names, notes=notes), **known)


def flattened(block: Block) -> Block:
    """A block of N rows of M copies each as one of N · M rows."""
    if len(block.rows.shape) < 3:
        raise UserError(
            f"data.copies needs a second axis that counts copies, and {block.rows.shape} has none"
        )
    copies = block.rows.shape[1]
    each = {
        part: (rows[:, None] * copies + np.arange(copies)).ravel()
        for part, rows in block.official.items()
    }
    labels = np.repeat(block.labels, copies)
    return replace(block, rows=Flat(block.rows), labels=labels, official=each)


def labelled(labels: Array, count: int) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:
    """Labels of any type as indices and names, and what was noticed."""
    flat = labels.reshape(len(labels), -1)[:, 0] if labels.size else NONE
    if not labels.size:
        return NONE, (), ()
    if labels.size != count:
        return NONE, (), (f"labels of shape {labels.shape} do not fit {count:,} rows: not used",)
    values, index = np.unique(flat, return_inverse=True)
    whole = values.dtype.kind in "biuUS" or bool((values == np.round(values)).all())
    if not whole or len(values) > MOST_LABELS:
        return NONE, (), (f"{len(values):,} different targets are no labels: not used",)
    text = values.astype(int) if values.dtype.kind in "biuf" else values
    return index.astype(np.int64), tuple(str(name) for name in text.tolist()), ()


def load(where: Any, key: str = "") -> Block:
    """A block from an array, a tensor, a block, or the path of a `.npy` or `.npz`.

    Raises:
        UserError: what cannot be read, or holds objects or no rows.
    """
    if isinstance(where, Block):
        block = where
    elif isinstance(where, np.ndarray | torch.Tensor):
        block = Block.of(numbers(where))
    else:
        path = Path(where)
        if not path.exists():
            raise UserError(f"{path} is not there; check the path")
        if path.suffix.lower() not in LOAD or not path.is_file():
            raise UserError(f"{path} is no array; name a .npy or .npz file")
        block = LOAD[path.suffix.lower()](path, key)
    return usable(block, where)


def numbers(where: Array | torch.Tensor) -> Array:
    """An array, or a tensor as one: from wherever it lies, without gradient, bfloat16 as float32.

    What a masked array hides is missing, NaN.

    >>> numbers(torch.ones(2, dtype=torch.bfloat16, requires_grad=True)).dtype
    dtype('float32')
    """
    if isinstance(where, np.ma.MaskedArray) and np.ma.is_masked(where):
        wide = np.result_type(where.dtype, np.float32)
        return np.ma.filled(where.astype(wide), np.nan)
    if not isinstance(where, torch.Tensor):
        return np.asarray(where)
    here = where.detach().cpu().to_dense()
    array: Array = (here.float() if here.dtype == torch.bfloat16 else here).numpy()
    return array


def usable(block: Block, where: Any) -> Block:
    """Refuse what has no rows or no numbers."""
    named = where if isinstance(where, str | Path) else "the array"
    kind = block.rows.dtype.kind
    if kind not in "biuf":
        raise UserError(f"{named} holds {block.rows.dtype}, not real numbers; convert it")
    if not block.rows.shape or not np.prod(block.rows.shape, dtype=np.float64):
        raise UserError(f"{named} has shape {block.rows.shape}, without a row; give data")
    return block


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file raises into one sentence that names it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # numpy and zipfile raise anything at all on damaged files
        what = str(error).split("\n")[0][:120] or type(error).__name__
        if "allow_pickle" in what or "Object arrays" in what:
            what = "it holds Python objects; save numbers of one type"
        raise UserError(f"{path} cannot be read as arrays ({what})") from None


def from_npy(path: Path, key: str) -> Block:
    return Block(OnDisk(path))


PARTS = {"train": "train", "val": "validation", "valid": "validation", "test": "test"}
PAIRS = (
    ("images", "labels"), ("x", "y"), ("X", "y"), ("X", "Y"), ("data", "labels"),
    ("data", "target"), ("data", "y"), ("features", "labels"), ("arr_0", "arr_1"),
)  # fmt: skip


def from_npz(path: Path, key: str) -> Block:
    """The rows of a `.npz`: those named `key`, else by the usual names, else its only array."""
    # numpy leaves a file open that it cannot read; ours is closed
    with damaged(path), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        names = set(arrays.files)
        if key and key not in names:
            raise UserError(f"{path} has no array {key!r}; it has {listed(names)}")
        if key:
            return Block.of(arrays[key])
        for make in ("{part}_{name}", "{name}_{part}"):
            parted = parts_of(arrays, names, make)
            if parted.rows.shape != (0,):
                return parted
        for x, y in PAIRS:
            if {x, y} <= names:
                return Block.of(arrays[x], arrays[y])
        single = sorted(names & {x for x, _ in PAIRS}) if len(names) > 1 else sorted(names)
        if len(single) != 1:
            raise UserError(f"{path} has arrays {listed(names)}; choose one with data.key")
        return Block.of(arrays[single[0]])


def listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def parts_of(arrays: Any, names: set[str], make: str) -> Block:
    """The parts of a publisher's split, one after the other; without rows where there are none."""
    for x, y in PAIRS:
        found = [part for part in PARTS if make.format(part=part, name=x) in names]
        if not found:
            continue
        rows = [arrays[make.format(part=part, name=x)] for part in found]
        keys = [make.format(part=part, name=y) for part in found]
        labels = [arrays[key] for key in keys] if names >= set(keys) else [NONE]
        ends = np.cumsum([0, *(len(part) for part in rows)])
        official = {PARTS[part]: np.arange(ends[i], ends[i + 1]) for i, part in enumerate(found)}
        return Block.of(np.concatenate(rows), np.concatenate(labels), official=official)
    return Block(InMemory(NONE))


LOAD: Mapping[str, Callable[[Path, str], Block]] = {".npy": from_npy, ".npz": from_npz}


def is_array(where: Any) -> bool:
    """Whether this is an array, or the path of a file of arrays."""
    if isinstance(where, str | Path):
        return Path(where).suffix.lower() in LOAD
    return isinstance(where, Block | np.ndarray | torch.Tensor)


def holds_series(where: Any) -> bool:
    """Whether an array, or one of a file's, is (N, T, C) of real numbers with few channels.

    >>> holds_series(np.zeros((5, 24, 3))), holds_series(np.zeros((5, 28, 28), np.uint8))
    (True, False)
    """
    if isinstance(where, str | Path):
        shapes = shapes_in(Path(where)) if is_array(where) else []
    elif isinstance(where, np.ndarray | torch.Tensor):
        shapes = [(tuple(where.shape), numbers(where).dtype)]
    else:
        shapes = []
    return any(len(s) == 3 and dtype.kind == "f" and s[2] <= SERIES for s, dtype in shapes)


def shapes_in(path: Path) -> list[tuple[tuple[int, ...], np.dtype[Any]]]:
    """The shapes and types of the arrays of a file, from their headers alone; none if damaged."""
    try:
        if path.suffix.lower() == ".npy":
            store = OnDisk(path)
            return [(store.shape, store.dtype)]
        with zipfile.ZipFile(path) as archive:
            return [header_of(archive, name) for name in archive.namelist()]
    except Exception:  # whoever reads the file in earnest says what is wrong with it
        return []


def header_of(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type of one array of a `.npz`."""
    with archive.open(name) as file:
        shape, _, dtype = READ_HEADER[np.lib.format.read_magic(file)](file)
    return shape, dtype
