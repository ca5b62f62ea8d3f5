"""Vectors beside data: an embedding a row, which a model is given.

`embeddings.npy` beside the images of a folder, or `X.embeddings.npy` beside the array `X.npy` or
`X.npz`, has one row a row of the data: (N, D) real numbers, in the order of the data. The order of
images is that of their names (whole paths below the folder, byte by byte). `embeddings.npz` names
its rows instead: an array `names` (N,), in any order, beside the one of vectors. A row that
is NaN, or has no entry, is not known.

All numbers of all vectors share one mean and one deviation, so that the angles and the relative
distances of an embedding, which are what it says, stay what they were.

>>> known = Vectors(np.array([[0.0, 2.0], [np.nan, np.nan]], np.float32))
>>> known.field
Field(name='embedding', domain=Real(mean=1.0, std=1.0), size=2, missing=True)
>>> known.of(known.field).tolist()
[[0.0, 2.0], [nan, nan]]
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Field, Real, Space
from twofold.data.kind import Finding

NAME = "embedding"
"""What it is called where it is given."""
SIDE_FILES = ("embeddings.npz", "embeddings.npy")

Array = NDArray[Any]
Place = Callable[[str], int]
"""The row of a named file; −1 where there is none."""


@dataclass(frozen=True)
class Vectors:
    """A vector a row of some data, (N, D), NaN where it is not known."""

    rows: Array

    @property
    def field(self) -> Field:
        """What they are, learnt from all that is known."""
        seen = self.rows[np.isfinite(self.rows)].astype(np.float64)
        std = float(seen.std()) or 1.0
        return Field(NAME, Real(float(seen.mean()), std), self.rows.shape[1], missing=True)

    @property
    def found(self) -> Finding:
        """What is worth saying of them."""
        known = int((~np.isnan(self.rows)).all(1).sum())
        of = f"{known:,} of {len(self.rows):,} rows"
        return Finding("note", f"{NAME}: a vector of {self.rows.shape[1]} numbers, known of {of}")

    def of(self, field: Field) -> Tensor:
        """As values of a field, (N, D)."""
        if self.rows.shape[1] != field.size:
            raise UserError(
                f"embeddings of {self.rows.shape[1]} numbers do not fit {field.size}, which they "
                "were in training; give those of the same network"
            )
        return torch.from_numpy(self.rows)


def read(name: str, content: bytes, count: int, place: Place) -> Vectors:
    """Vectors of `count` rows from what a side file holds.

    Raises:
        UserError: it is damaged, or does not fit the rows.
    """
    try:
        held = np.load(io.BytesIO(content), allow_pickle=False)
        arrays = {"": held} if isinstance(held, np.ndarray) else {k: held[k] for k in held.files}
    except (ValueError, OSError, EOFError, KeyError) as error:
        what = str(error).split("\n")[0][:100]
        raise UserError(f"{name} cannot be read as arrays ({what}); save it with numpy") from None
    names = arrays.pop("names", np.zeros(0, str))
    vectors = checked(name, arrays)
    return placed(name, vectors, names, count, place) if names.size else whole(name, vectors, count)


def checked(name: str, arrays: Mapping[str, Array]) -> Array:
    """The one array of vectors in a file."""
    if len(arrays) != 1:
        listed = ", ".join(sorted(arrays)) or "none"
        raise UserError(f"{name} should hold one array of vectors; it holds {listed}")
    vectors = next(iter(arrays.values()))
    if vectors.ndim != 2 or vectors.shape[1] < 2 or vectors.dtype.kind not in "iuf":
        is_ = f"{vectors.dtype} of shape {vectors.shape}"
        raise UserError(f"{name} should hold real numbers (N, D), D of 2 or more; it holds {is_}")
    if np.isinf(vectors).any():
        row = int(np.isinf(vectors).any(1).argmax())
        raise UserError(f"{name} is infinite in row {row}; use NaN for what is not known")
    if np.isnan(vectors).all():
        raise UserError(f"{name} holds no number; leave it out")
    return vectors.astype(np.float32)


def whole(name: str, vectors: Array, count: int) -> Vectors:
    """Vectors in the order of the rows."""
    if len(vectors) != count:
        raise UserError(
            f"{name} has {len(vectors):,} rows for {count:,} of the data; give one each, NaN where "
            "it is not known, in the order of the data"
        )
    return Vectors(vectors)


def placed(name: str, vectors: Array, names: Array, count: int, place: Place) -> Vectors:
    """Vectors by the names of their files."""
    if names.shape != (len(vectors),):
        raise UserError(f"{name} has {names.size:,} names for {len(vectors):,} vectors; match them")
    at = np.array([place(str(one)) for one in names.tolist()])
    rows = np.full((count, vectors.shape[1]), np.nan, np.float32)
    if not (at >= 0).any():
        raise UserError(f"{name} names no file that is there, such as {names[0]}; mend its names")
    rows[at[at >= 0]] = vectors[at >= 0]
    return Vectors(rows)


def given(found: tuple[Vectors, ...], space: Space, count: int) -> Tensor:
    """The columns of a vector field, if a space has one: (N, D), or (N, 0)."""
    fields = [field for field in space.fields if is_vector(field)]
    if not fields:
        return torch.zeros(count, 0)
    unknown = torch.full((count, fields[0].size), math.nan)
    return found[0].of(fields[0]) if found else unknown


def is_vector(field: Field) -> bool:
    """Whether a field of what is given is a vector.

    Vectors stand behind all other fields, so that those are numbered as their columns are.
    """
    return field.size > 1
