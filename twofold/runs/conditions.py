"""What is asked of draws: conditions by name, as the values of what a model is given.

A condition is one value for all draws, or several that draws take in turn: a list, a column of a
file of rows, the rows of an array. A vector, such as an embedding, is an array (D,) or (N, D), the
path of a `.npy` that holds one, or the name of a row of the run's own data, whose vector it takes.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.core.errors import UserError, nearest
from twofold.core.space import Category, Field, Space
from twofold.data.kind import Kind

TABLES = (".csv", ".tsv", ".txt")
ARRAYS = (".npy", ".npz")
Vector = Callable[[str], Tensor]
"""The vector (D,) of a row of the run's own data, by the row's name."""


@dataclass(frozen=True)
class Asker:
    """What conditions are read with.

    Args:
        kind: the codec, for numbers as a file says them. vector: of a row by name.
        fields: those that may be asked.
    """

    kind: Kind
    vector: Vector
    fields: tuple[Field, ...]

    def __call__(self, n: int, asked: Mapping[str, Any]) -> Tensor:
        """What is asked of n draws, as values (n, G); NaN where nothing is.

        Raises:
            UserError: a name or a value that is not known.
        """
        for name in asked:
            if name not in [field.name for field in self.fields]:
                hint = nearest(name, [field.name for field in self.fields])
                raise UserError(f"{name!r} is not something this run can be given; {hint}")
        columns = [in_turn(self.values(field, asked), n) for field in self.fields]
        return torch.cat(columns, 1) if columns else torch.zeros(n, 0)

    def values(self, field: Field, asked: Mapping[str, Any]) -> Tensor:
        """What is asked of one field, (N, size)."""
        if field.name not in asked:
            return torch.full((1, field.size), math.nan)
        value = asked[field.name]
        if field.size > 1:
            return self.vectors(field, value)
        several = value if isinstance(value, list | tuple | np.ndarray) else [value]
        numbers = [condition(self.kind, field, {field.name: one}) for one in several]
        return torch.tensor(numbers, dtype=torch.get_default_dtype()).unsqueeze(1)

    def vectors(self, field: Field, value: Any) -> Tensor:
        """Vectors (N, D) from an array, a file of them, or the name of a row."""
        if isinstance(value, str | Path) and Path(value).suffix.lower() == ".npy":
            value = array_of(Path(value))[""]
        if isinstance(value, str | Path):
            return self.vector(str(value)).unsqueeze(0)
        rows = np.atleast_2d(np.asarray(value))
        if rows.ndim != 2 or rows.shape[1] != field.size or rows.dtype.kind not in "iuf":
            raise UserError(
                f"{field.name} should be vectors of {field.size} numbers, and these are "
                f"{rows.dtype} of shape {rows.shape}; give (N, {field.size})"
            )
        return torch.from_numpy(rows.astype(np.float32))


def in_turn(values: Tensor, n: int) -> Tensor:
    """n rows of (N, W): the first to the last, and again.

    >>> in_turn(torch.tensor([[1], [2]]), 3).tolist()
    [[1], [2], [1]]
    """
    if not len(values):
        raise UserError("a condition has no row; give one at least")
    return values[torch.arange(n) % len(values)]


def condition(kind: Kind, field: Field, values: Mapping[str, Any]) -> float:
    """What is said of a field, as a number; NaN when it is not named, or named with nothing."""
    if field.name not in values or str(values[field.name]) in ("", "None", "nan"):
        return math.nan
    domain, value = field.domain, values[field.name]
    if not isinstance(domain, Category):
        try:
            number = kind.number(field.name, str(value))
        except (TypeError, ValueError):
            number = math.nan
        if math.isnan(number):
            raise UserError(f"{field.name}={value} should be a number")
        return number
    if str(value) not in domain.labels:
        raise UserError(
            f"{field.name}={value} does not occur in the training data; "
            f"{nearest(str(value), domain.labels)}"
        )
    return float(domain.labels.index(str(value)))


def outside(kind: Kind, given: Mapping[str, Any]) -> tuple[str, ...]:
    """What is asked that lies outside of what was learnt from, each once."""
    each = [
        kind.beyond(name, str(one))
        for name, value in given.items()
        for one in (value if isinstance(value, list | tuple) else [value])
    ]
    return tuple(dict.fromkeys(filter(None, each)))


def check_guidance(weight: float, given: Space, null: float) -> None:
    """Whether a run can be guided by a weight.

    Args:
        weight: w. given: what the run is given. null: the share of rows that it was withheld from.

    Raises:
        UserError: it cannot.
    """
    ask = "train with train.null=0.1"
    rules = (
        (not (math.isfinite(weight) and weight >= 0), f"is {weight:g} and should be 0 or more; 1 "
         "is plain, 2 counts the condition twice"),
        (not given.fields, "needs a condition, and this run is given nothing; leave it out"),
        (null >= 1, f"needs a condition that was told, and train.null is {null:g}; {ask}"),
        (null <= 0, f"compares with and without the condition, which was never withheld here "
         f"(train.null is {null:g}); {ask}"),
    )  # fmt: skip
    for wrong, reason in rules:
        if wrong:
            raise UserError(f"--guidance {reason}")


# As they are written on the command line.


def of_pairs(pairs: Sequence[str], flag: str) -> dict[str, Any]:
    """Conditions from `name=value` pairs, and from files of rows.

    Raises:
        UserError: neither, or a name comes twice.
    """
    asked: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if equals:
            found: dict[str, Any] = {name.strip(): value.strip()}
        elif Path(pair).is_file():
            found = columns_of(Path(pair))
        elif Path(pair).suffix.lower() in (*TABLES, *ARRAYS):
            raise UserError(f"{flag} {pair} is not there; check the path of the file of rows")
        else:
            raise UserError(f"{flag} {pair} should read name=value, such as label=3")
        for name in found.keys() & asked.keys():
            raise UserError(
                f"{flag} says {name} twice; say it once, or give several as the rows of a .csv "
                f"with a column {name}, which are taken in turn"
            )
        asked |= found
    return asked


def columns_of(path: Path) -> dict[str, Any]:
    """The columns of a file of rows: of a table by its header, of a `.npz` by its arrays."""
    if path.suffix.lower() == ".npz":
        return {name: listed(array) for name, array in array_of(path).items()}
    if path.suffix.lower() not in TABLES:
        raise UserError(
            f"{path} is no file of rows; give a .csv whose header names conditions, a .npz, or "
            "name=FILE.npy for vectors"
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            lines, heads = list(table), table.fieldnames or ()
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is not a text table ({error}); save it as UTF-8 CSV") from None
    return {str(head): [line[head] or "" for line in lines] for head in heads}


def listed(array: np.ndarray[Any, Any]) -> Any:
    """A column of scalars as a list, vectors as they are."""
    return array.tolist() if array.ndim < 2 else array


def array_of(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of a file by name; the one of a `.npy` has none."""
    if not path.is_file():
        raise UserError(f"{path} is not there; check the path")
    try:
        with path.open("rb") as file:
            held = np.load(file, allow_pickle=False)
            return {"": held} if isinstance(held, np.ndarray) else {k: held[k] for k in held.files}
    except (ValueError, OSError, EOFError) as error:
        what = str(error).split("\n")[0][:100]
        raise UserError(f"{path} cannot be read as arrays ({what}); save it with numpy") from None


def named_row(names: Sequence[str], name: str, count: int) -> int:
    """The number of a row by its name, or by the number itself where rows have no names."""
    if name in names:
        return list(names).index(name)
    if not names and name.isdigit() and int(name) < count:
        return int(name)
    hint = nearest(name, names) if names else f"rows are numbered 0 … {count - 1}"
    raise UserError(f"{name} is neither a .npy file nor a row of the training data; {hint}")


def vector_of(space: Space, rows: Tensor, at: int) -> Tensor:
    """The vector of row `at` of what is given (N, G), which stands behind all else."""
    width = sum(field.size for field in space.fields if field.size > 1)
    found = rows[at, rows.shape[1] - width :]
    if found.isnan().all():
        raise UserError(f"row {at} of the training data has no vector; name another")
    return found
