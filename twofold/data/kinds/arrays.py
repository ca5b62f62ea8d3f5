"""Arrays: vectors and images that are numbers already, from Python, `.npy` or `.npz`.

The first axis counts the rows. By rule, from shape and type:

* (N,) and (N, D) are **vectors**: one field a column, real and standardised; above `COLUMNS`
  columns all share one mean and one standard deviation, and whole numbers of 8 bits or less are
  bounded;
* (N, H, W) of whole numbers or of more than 64 columns, (N, H, W, C) and (N, C, H, W) with
  C ≤ 4 are **images**: bounded by their type (8 or 16 bits), by [0, 1] or [−1, 1] where they lie
  in there, else by their own extremes;
* (N, T, C) of floating-point numbers with C ≤ 64 is a series, and is left to that kind;
  `data.layout = "image"` overrules this.

A label beside each row, in a `.npz`, is given, and so is a vector beside it, in a file
`X.embeddings.npy` beside `X.npy` or `X.npz` (see `vectors`).

With `data.copies = true` the second axis counts noisy copies of one scene, and the rest is as
above: (N, M, H, W) are M copies of each of N images.

A run on arrays of pictures also reads pictures, a file or a folder of them (see `images`): they are
brought to its size, its channels and its range of values.

NaN is missing; an infinite value is an error that names its place. Written files have the type of
the input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, final

import numpy as np
import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category, Domain, Field, Real, Space
from twofold.core.words import plural
from twofold.data import pictures, places, vectors
from twofold.data.block import (
    Array,
    Block,
    Flat,
    OnDisk,
    Store,
    flattened,
    holds_series,
    is_array,
    load,
)
from twofold.data.kind import Finding, Kind, Told, Where, told
from twofold.data.kinds.images import Images, space_of
from twofold.data.pixels import Form
from twofold.data.sources import Copies, Made, Memory, Rows, Source, Streamed, known
from twofold.data.vectors import Vectors

COLUMNS = 256
KEEP = 1 << 30
"""Bytes that are kept in memory; a larger `.npy` is streamed."""

Layout = Literal["auto", "image", "vector"]
Place = Literal["none", "only", "last", "first"]
Streams = Literal["auto", "always", "never"]


@final
@dataclass(frozen=True)
class Arrays(Kind):
    """The codec of one array.

    Args:
        space, given: what a row is, and its label and vector. factors: those that are not given.
        dtype: the number type of the input.
        place: where the channels of an image are: `last`, `first`, or `only` one; `none` of a
            vector.
        key, stream, copied: as asked of `inspect`.
    """

    space: Space
    given: Space
    dtype: str
    place: Place
    key: str = ""
    stream: Streams = "auto"
    factors: Space = Space()
    copied: bool = False

    name = "arrays"
    example = Space((Field("v", Real(), 8),))

    @classmethod
    def accepts(cls, where: Where) -> bool:
        """An array, a tensor, a `.npy` or `.npz`, unless all it holds is series."""
        return is_array(where) and not holds_series(where)

    @classmethod
    def reads(cls, where: Where) -> bool:
        return is_array(where) or isinstance(where, str | Path)

    @classmethod
    def inspect(
        cls,
        where: Where,
        *,
        layout: Layout = "auto",
        levels: int = 0,
        key: str = "",
        stream: Streams = "auto",
        given: Told = "all",
        copies: bool = False,
    ) -> tuple[Self, list[Finding]]:
        """Learn what a row is.

        Args:
            where: an array, a tensor, or a path.
            layout: `image` or `vector` where the rule would say otherwise.
            levels: how many whole values, from 0 on, an image takes; 0 is by rule.
            key: the array of a `.npz` to take.
            stream: read a `.npy` row by row; `auto` does so above 1 GB.
            given: `all`, or by name: `label`, `embedding`; the others are kept for measures.
            copies: the second axis counts noisy copies of one scene.
        """
        block = COPIES[copies](load(where, key))
        place = place_of(block.rows.shape, layout)
        seen = Extremes.of(block.rows)
        fields, notes = LEARN[place == "none"](block, seen, levels)
        axes = axes_of(block.rows.shape[1:], place)
        label = Field("label", Category(block.names), missing=True)
        aside = beside(where, len(block.rows))
        every = (*((label,) if block.names else ()), *(one.field for one in aside))
        split = told(Space(every), given)
        dtype = block.rows.dtype.str
        kind = cls(Space(fields, axes), split[0], dtype, place, key, stream, split[1], copies)
        what = f"{len(block.rows):,} {WORD[place]} of {by(block.rows.shape[1:])} {block.rows.dtype}"
        head = [Finding("note", what)]
        if len(block.rows) == 1:
            head.append(Finding("warning", "there is a single row; a model can only copy it"))
        if block.names:
            head.append(
                Finding(
                    "note", f"{plural(len(block.names), 'label')}: {', '.join(block.names[:10])}"
                )
            )
        head += [one.found for one in aside]
        return kind, head + [Finding("warning", text) for text in (*block.notes, *notes)]

    def open(self, where: Where) -> Source:
        if self.pictured(where):
            return self.of_pictures(self.pictures.open(where))
        block = self.block(where)
        shape = (self.space.size, *self.space.axes)
        rows = block.rows[0:1]
        if place_of(block.rows.shape, WANT[self.place]) != self.place or (
            self.tensor(rows).shape[1:] != shape
        ):
            raise UserError(
                f"rows of shape {block.rows.shape[1:]} do not fit {shape}; reshape them"
            )
        aside, official = beside(where, len(block.rows)), tensors(block.official)
        given, factors = (told_of(space, block, aside) for space in (self.given, self.factors))
        large = block.rows.nbytes > KEEP and isinstance(block.rows, OnDisk)
        if {"auto": large, "always": True, "never": False}[self.stream]:
            streamed = Streamed(Row(self, block.rows), given, official=official)
            return known(self.paired(streamed, block), factors)
        parts = [self.tensor(finite(part, start)) for start, part in block.rows.ranges()]
        whole = parts[0] if len(parts) == 1 else torch.cat(parts)
        return known(self.paired(Memory(whole, given, official), block), factors)

    def pictured(self, where: Where) -> bool:
        """Whether these are files of pictures, and no array, for a codec of pictures."""
        drawn = Images.accepts(where) and not is_array(where)
        return drawn and self.place != "none" and not any(Path(where).glob("*.np[yz]"))

    @property
    def pictures(self) -> Images:
        """The codec of files of such pictures."""
        domain = self.space.fields[0].domain
        assert isinstance(domain, Bounded)
        channels = self.space.fields[0].size
        levels = domain.levels if (domain.levels, channels) in ((2, 1), (65536, 1)) else 256
        height, width = self.space.axes
        form = Form(height, width, channels, levels)
        return Images(space_of(form), self.given, stream=self.stream)

    def of_pictures(self, source: Source) -> Source:
        """Pictures in the range of these arrays, from black to white."""
        domain, high = self.space.fields[0].domain, self.pictures.form.high
        assert isinstance(domain, Bounded)
        levels = domain.levels
        kind = self.tensor(np.zeros((1, *[1] * (AXES[self.place] - 1)), self.dtype)).dtype

        def read(rows: Tensor) -> Tensor:
            unit = source.read(rows).values.double() / high
            steps = (unit * (levels - 1)).round() / (levels - 1) if levels else unit
            return (domain.low + (domain.high - domain.low) * steps).to(kind)

        return Made(read, source.labels())

    def names(self, where: Where) -> list[str]:
        return self.pictures.names(where) if self.pictured(where) else []

    def complete(self, where: Where, rows: Rows, gaps: Tensor, out: Path) -> list[Path]:
        """The data with what was put in, as it came; of pictures, as an array."""
        if self.pictured(where):
            return self.write(rows, out)
        return self.filled(where, rows, gaps, out)

    def block(self, where: Where) -> Block:
        """The array with copies laid out as rows; one without their axis has one copy of each."""
        block = load(where, self.key)
        return COPIES[self.copied and len(block.rows.shape) > AXES[self.place]](block)

    def paired(self, source: Source, block: Block) -> Source:
        """A source that knows which of its rows are copies of one scene."""
        if not isinstance(block.rows, Flat):
            return source
        return Copies(source, torch.arange(len(source)) // block.rows.copies)

    def tensor(self, rows: Array) -> Tensor:
        """Rows of the input as values (B, F, *A)."""
        wide: Any = (
            np.uint8
            if is_small(rows.dtype)
            else np.int32
            if rows.dtype == np.uint16
            else np.float32
        )
        values = torch.from_numpy(np.array(rows, wide))  # a copy: it outlives the buffer
        return placed(values, self.place)

    def native(self, rows: Rows) -> Array:
        """The rows as an array of the input's shape and type."""
        dtype = np.dtype(self.dtype)
        array = self.laid(rows.values)
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            array = array.astype(np.float64).round().clip(info.min, info.max)
        return array.astype(dtype)

    def laid(self, values: Tensor) -> Array:
        """Values (B, F, *A), or a mask of them, in the shape of the input."""
        if self.place == "last":
            values = values.movedim(1, -1)
        if self.place == "only":
            values = values[:, 0]
        array: Array = values.cpu().numpy()
        return array

    def filled(self, where: Where, rows: Rows, gaps: Tensor, out: Path) -> list[Path]:
        """`completed.npy` in the type and shape of the data, bit for bit where nothing was put."""
        block = load(where, self.key)
        whole = np.array(block.rows[:])
        put = self.laid(gaps).reshape(whole.shape)
        whole[put] = self.native(rows).reshape(whole.shape)[put]
        path = places.free_name(places.folder(out), "completed.npy")
        with places.new(path) as file:
            np.save(file, whole, allow_pickle=False)
        return [path]

    def write(self, rows: Rows, out: Path, across: int = 0) -> list[Path]:
        """`grid.png`; `samples.npy`, or `samples.npz` with `x` and `y` if there are labels.

        Of images there is a PNG a row as well, as from a folder of pictures.
        """
        overview, *each = self.seen(rows, places.folder(out), across)
        labelled = bool(labels_of(self.given))
        path = places.free_name(out, "samples.npz" if labelled else "samples.npy")
        with places.new(path) as file:
            if labelled:
                np.savez(file, x=self.native(rows), y=self.label_names(rows.given))
            else:
                np.save(file, self.native(rows), allow_pickle=False)
        return [overview, path, *each]

    def seen(self, rows: Rows, out: Path, across: int) -> list[Path]:
        """What one can look at: the overview, and a picture a row of images."""
        if self.place != "none":
            return self.pictures.write(self.as_pictures(rows), out, across)
        overview = places.free_name(out, "grid.png")
        with places.new(overview) as file:
            file.write(pictures.png(pictures.grid(self.draw(rows), across)))
        return [overview]

    def as_pictures(self, rows: Rows) -> Rows:
        """Rows as the values of files of pictures, from black to white."""
        domain, form = self.space.fields[0].domain, self.pictures.form
        assert isinstance(domain, Bounded)
        unit = (rows.values.double() - domain.low) / (domain.high - domain.low)
        whole = (unit.nan_to_num().clamp(0, 1) * form.high).round()
        return Rows(whole.to(DEPTH[form.levels > 256]), rows.given)

    def label_names(self, given: Tensor) -> Array:
        """The label of each row, empty where it is not known."""
        labels = labels_of(self.given)
        return np.array(["" if i.isnan() else labels[int(i)] for i in given[:, 0]])

    def draw(self, rows: Rows) -> Tensor:
        """Images as they are, vectors as a bar a column, around their middle."""
        if self.place == "none":
            return bars(self.space, rows.values)
        domain = self.space.fields[0].domain
        assert isinstance(domain, Bounded)
        return pictures.readable(pictures.shown(rows.values, domain.low, domain.high))

    def to_dict(self) -> dict[str, Any]:
        return {
            "space": self.space.to_dict(),
            "given": self.given.to_dict(),
            "dtype": self.dtype,
            "place": self.place,
            "key": self.key,
            "stream": self.stream,
            "factors": self.factors.to_dict(),
            "copied": self.copied,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        names = ("space", "given", "factors")
        spaces = {name: Space.from_dict(data[name]) for name in names if name in data}
        return cls(**{**data, **spaces})


def told_of(space: Space, block: Block, aside: tuple[Vectors, ...]) -> Tensor:
    """The label of every row, then its vector, (N, G), NaN where they are not known."""
    vector = vectors.given(aside, space, len(block.rows))
    return torch.cat([label_of(labels_of(space), block), vector], 1)


def beside(where: Where, count: int) -> tuple[Vectors, ...]:
    """The vectors in the file beside a file of so many rows, if it is there."""
    path = Path(where).with_suffix(".embeddings.npy") if isinstance(where, str | Path) else None
    if path is None or not path.is_file():
        return ()
    return (vectors.read(path.name, path.read_bytes(), count, lambda name: -1),)


def labels_of(space: Space) -> tuple[str, ...]:
    """The labels of what is given; none where it has none."""
    domains = [field.domain for field in space.fields]
    return next((domain.labels for domain in domains if isinstance(domain, Category)), ())


def label_of(labels: tuple[str, ...], block: Block) -> Tensor:
    """The label of every row (N, 1), NaN where it is not one of these; (N, 0) without any."""
    if not labels:
        return torch.zeros(len(block.rows), 0)
    known = {name: float(i) for i, name in enumerate(labels)}
    index = [known.get(name, np.nan) for name in block.names] + [np.nan]  # −1 is the last
    which = block.labels if len(block.labels) else np.full(len(block.rows), -1)
    return torch.tensor(index, dtype=torch.float32)[torch.from_numpy(which)][:, None]


@dataclass(frozen=True)
class Row:
    """One row of a store as values (F, *A)."""

    kind: Arrays
    rows: Store

    def __call__(self, row: int) -> Tensor:
        return self.kind.tensor(finite(self.rows[row : row + 1], row))[0]


WORD: Mapping[Place, str] = {
    "none": "vectors", "only": "images", "last": "images", "first": "images",
}  # fmt: skip
WANT: Mapping[Place, Layout] = {
    "none": "vector", "only": "image", "last": "image", "first": "image",
}  # fmt: skip


def by(shape: tuple[int, ...]) -> str:
    """A shape in words.

    >>> by((28, 28)), by(())
    ('28 × 28', '1')
    """
    return " × ".join(map(str, shape)) or "1"


def place_of(shape: tuple[int, ...], layout: Layout) -> Place:
    """Where the channels of an image are, from the shape of the whole array."""
    if layout == "vector" or (layout == "auto" and len(shape) <= 2):
        return "none"
    if len(shape) == 3:
        return "only"
    if len(shape) == 4 and min(shape[3], shape[1]) <= 4:
        return "last" if shape[3] <= 4 else "first"
    raise UserError(
        f"an array of shape {shape} is neither vectors (N, D) nor images (N, H, W), (N, H, W, C) "
        f"or (N, C, H, W) with at most 4 channels; reshape it"
    )


def axes_of(shape: tuple[int, ...], place: Place) -> tuple[int, ...]:
    """The axes of one row of this shape."""
    return {"none": (), "only": shape, "last": shape[:2], "first": shape[1:]}[place]


def placed(values: Tensor, place: Place) -> Tensor:
    """Values of the array's shape as (B, F, *A)."""
    if place == "none":
        return values.reshape(len(values), -1)
    if place == "only":
        return values.unsqueeze(1)
    return values.movedim(-1, 1).contiguous() if place == "last" else values


def tensors(official: Mapping[str, Array]) -> dict[str, Tensor]:
    return {part: torch.from_numpy(np.asarray(rows)) for part, rows in official.items()}


def finite(rows: Array, start: int) -> Array:
    """The rows; an infinite value among them is an error that names its place."""
    if rows.dtype.kind == "f" and np.isinf(rows).any():
        row, *column = np.argwhere(np.isinf(rows))[0].tolist()
        where = f"row {start + row}, column {by(tuple(column))}"
        raise UserError(f"the array is infinite at {where}; correct it, or use NaN for missing")
    return rows


@dataclass(frozen=True)
class Extremes:
    """What one pass over the rows shows; a mean and so on for each number of a row."""

    low: Array
    high: Array
    mean: Array
    std: Array
    missing: Array
    two: bool

    @classmethod
    def of(cls, rows: Store) -> Extremes:
        """One pass over all ranges; whole numbers of 8 bits need no moments."""
        width = int(np.prod(rows.shape[1:], dtype=np.int64))
        low, high = np.full(width, np.inf), np.full(width, -np.inf)
        sums, distinct = np.zeros((3, width)), set[float]()
        origin = np.nan_to_num(rows[0:1].reshape(1, -1).astype(np.float64))
        for start, part in rows.ranges(1 << 22):
            flat = finite(part, start).reshape(len(part), -1)
            low, high = np.fmin(low, np.fmin.reduce(flat)), np.fmax(high, np.fmax.reduce(flat))
            if not is_small(rows.dtype):
                sums += moments(flat, origin)
            if len(distinct) <= 2:
                distinct |= set(np.unique(flat[~np.isnan(flat)]).tolist())
        count, first, second = sums
        some = np.maximum(count, 1)
        std = np.sqrt(np.maximum(second / some - (first / some) ** 2, 0))
        missing = np.zeros(width) if is_small(rows.dtype) else len(rows) - count
        std = np.where(low < high, std, 0)
        return cls(low, high, origin[0] + first / some, std, missing, len(distinct) == 2)


def is_small(dtype: np.dtype[Any]) -> bool:
    """Whole numbers of at most 8 bits, none below 0."""
    return dtype.itemsize == 1 and dtype.kind in "bu"


def moments(flat: Array, origin: Array) -> Array:
    """Count, sum and sum of squares of what is not missing, (3, D), around an origin.

    Double precision and the origin keep what large numbers with small differences would lose.
    """
    seen = ~np.isnan(flat)
    centred = np.where(seen, flat - origin, 0)
    return np.stack([seen.sum(0), centred.sum(0), (centred**2).sum(0)])


def vector_fields(block: Block, seen: Extremes, levels: int) -> tuple[tuple[Field, ...], list[str]]:
    """The fields of vectors."""
    width, notes = len(seen.mean), []
    gaps = seen.missing > 0
    if is_small(block.rows.dtype):
        return image_fields(block, seen, levels, width)
    constant = int((seen.low == seen.high).sum())
    if constant:
        notes.append(f"{constant} of {plural(width, 'column', 'are')} constant, and kept")
    if empty := int((seen.missing == len(block.rows)).sum()):
        notes.append(f"{empty} of {plural(width, 'column', 'are')} all missing, and kept")
    if gaps.any():
        notes.append(f"{int(seen.missing.sum()):,} values are missing (NaN); they are modelled so")
    if width > COLUMNS:
        mean, std = float(seen.mean.mean()), total_std(seen)
        notes.append(f"{width} columns share one mean and standard deviation")
        return (Field("x", Real(mean, std), width, bool(gaps.any())),), notes
    each = zip(seen.mean.tolist(), seen.std.tolist(), gaps.tolist(), strict=True)
    fields = (Field(f"x{i}", Real(m, s or 1.0), missing=gap) for i, (m, s, gap) in enumerate(each))
    return tuple(fields), notes


def total_std(seen: Extremes) -> float:
    """The standard deviation of all numbers together."""
    return float(np.sqrt((seen.std**2).mean() + seen.mean.var())) or 1.0


def image_fields(
    block: Block, seen: Extremes, levels: int, size: int = 0
) -> tuple[tuple[Field, ...], list[str]]:
    """The field of images, or of `size` bounded whole numbers."""
    low, high = float(seen.low.min()), float(seen.high.max())
    if not np.isfinite(low):
        raise UserError("every value of the array is missing; give data")
    domain, note = bounded(block.rows.dtype, low, high, levels or block.levels, seen.two)
    notes = [note] if note else []
    if missing := int(seen.missing.sum()):
        notes.append(f"{missing:,} values are missing (NaN); they are modelled so")
    if low == high:
        notes.append(f"every value is {low:g}: there is nothing to learn")
    shape, place = block.rows.shape, 0 if size else len(block.rows.shape)
    channels = size or (1 if place == 3 else shape[3] if shape[3] <= 4 else shape[1])
    return (Field("x" if size else "pixel", domain, channels, missing > 0),), notes


def bounded(
    dtype: np.dtype[Any], low: float, high: float, levels: int, two: bool
) -> tuple[Bounded, str]:
    """The domain of an image from its type and extremes, and what is worth saying of it."""
    whole = dtype.kind in "biu"
    if levels:
        if low < 0 or high > levels - 1:
            raise UserError(f"values from {low:g} to {high:g} do not fit {levels} levels from 0 on")
        return Bounded(0, levels - 1, levels), ""
    if two and low == 0 and high in (1, 255, 65535):
        return Bounded(0, high, 2), f"every value is 0 or {high:g}: taken as binary"
    full = {("u", 1): 256, ("u", 2): 65536}.get((dtype.kind, dtype.itemsize), 0)
    if full:
        dim = f"the largest value is {high:g} of {full - 1:,}; data.levels tells a smaller range"
        return Bounded(0, full - 1, full), dim if high < full / 4 else ""
    if whole and low >= 0 and high <= 255:
        return Bounded(0, 255, 256), ""
    for bottom in (0, -1):
        if not whole and bottom <= low and high <= 1:
            return Bounded(bottom, 1), ""
    top = high if high > low else low + 1
    steps = int(top - low) + 1 if whole and top - low < 65536 else 0
    return Bounded(low, top, steps), f"values are taken as bounded by {low:g} and {top:g}"


AXES: dict[Place, int] = {"none": 2, "only": 3, "last": 4, "first": 4}
"""Axes of an array whose channels are there, its rows being the first."""
DEPTH = {False: torch.uint8, True: torch.int32}
"""What the values of pictures are kept in, of 8 bits or of more."""
COPIES: dict[bool, Callable[[Block], Block]] = {True: flattened, False: lambda block: block}
LEARN = {True: vector_fields, False: image_fields}


def bars(space: Space, values: Tensor) -> Tensor:
    """Vectors (B, F) as pictures (B, 3, 32, w): a bar a field, up or down from its middle."""
    heights = [
        height_of(field.domain, part)
        for field, part in zip(
            space.fields, values.float().split([f.size for f in space.fields], 1), strict=True
        )
    ]
    unit = torch.cat(heights, 1).nan_to_num(0.5).clamp(0, 1)  # (B, F)
    unit = unit[:, torch.linspace(0, unit.shape[1] - 1, min(unit.shape[1], 64)).long()]
    unit = unit.repeat_interleave(max(1, 32 // unit.shape[1]), 1)[:, None]  # (B, 1, w)
    y = (1 - torch.arange(32) / 31)[None, :, None]
    inside = (y <= unit.clamp(min=0.5)) & (y >= unit.clamp(max=0.5))  # (B, 32, w)
    ink = torch.tensor([45, 100, 170], dtype=torch.uint8)[None, :, None, None]
    return torch.where(inside[:, None], ink, torch.tensor(250, dtype=torch.uint8))


def height_of(domain: Domain, values: Tensor) -> Tensor:
    """Where values lie between the bottom and the top of a bar; three deviations fill it."""
    x = domain.encode(values)
    return x / 6 + 0.5 if isinstance(domain, Real) else x
