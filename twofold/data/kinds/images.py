"""Images: a folder, a zip or one file; any size, 1 to 4 channels, 8 or 16 bits, mixed.

Every image becomes one `Form` (see `pixels`), found by rule from the files' headers:

* **channels**: colour if any image has colour, opacity if any has opacity; so grey, grey with
  opacity, colour, or colour with opacity;
* **levels**: 65,536 where a 16-bit grey image occurs and neither colour nor opacity does, else 256;
  2 where every pixel looked at is black or white;
* **size**: the size that at least half of the images have, else the median height and the median
  width; reduced in proportion where a side is above `SIDE`. `data.size` overrules all of it.

Of more than `LOOK` images, that many, evenly spread, are looked at; what is read later must only be
readable. One observation is one field, `pixel`, of as many values as channels, over (H, W); given
are the label (the first sub-folder), the attributes of `labels.csv` and `attributes.csv`, and the
vectors of `embeddings.npy`.

Noisy copies of scenes, several of each, are told apart by `data.copies`: `folder`, where files of
one name in different sub-folders are one scene (`first/owl.png`, `second/owl.png`), so that
sub-folders are no labels; `number`, where names that differ in their last number alone are
(`owl_1.png`, `owl_2.png`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache, partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category, Field, Space
from twofold.core.words import plural
from twofold.data import pictures, pixels, places, tree
from twofold.data.augment import Augment, Crop, Flip
from twofold.data.files import Files, Wanted, files_of, names_of, spread
from twofold.data.kind import Finding, Kind, Told, Where, told
from twofold.data.patients import check, numbered
from twofold.data.pixels import Form, Header
from twofold.data.sources import Copies, Memory, Rows, Source, Streamed, Together, known
from twofold.data.tiles import Tiles

LOOK = 4096
"""Images whose headers are looked at."""
BUDGET = 1 << 28
"""Pixels, as stored, that are decoded to look at them."""
SIDE = 256
"""The longest side by rule; a larger one is for the user to ask for."""
KEEP = 1 << 30
"""Bytes of decoded images that are kept in memory; more are streamed."""
THREADS = 4
ARRAYS = (".npy", ".npz")
OVERVIEW = re.compile(
    r"(grid|edits|projected|denoised|traverse|neighbours|mixed)(-\d+)?\.png|way(-\d+)?\.gif"
)
NUMBERED = re.compile(r"\d{6}(-.*)?\.png")
"""Names of draws; an overview of them that lies beside is no draw itself."""

Crops = Literal["centre", "random", "none"]
Streams = Literal["auto", "always", "never"]
Copied = Literal["none", "folder", "number"]
T = TypeVar("T")


UNKNOWN = Space()
"""Nothing is given."""


@dataclass(frozen=True)
class Images(Kind):
    """The codec of one set of images; `inspect` finds it.

    Args:
        space: one field `pixel` over (H, W).
        given: label and attributes, each may be missing. factors: those that are not given.
        crop, flip, skip_bad, stream, files, copies, patient, tiles, overlap: as asked of `inspect`.
    """

    space: Space
    given: Space = UNKNOWN
    crop: Crops = "centre"
    flip: bool = False
    skip_bad: bool = False
    stream: Streams = "auto"
    files: str = "*"
    factors: Space = UNKNOWN
    copies: Copied = "none"
    patient: str = ""
    tiles: int = 0
    overlap: float = 0.25

    name = "images"
    example = Space((Field("pixel", Bounded(0, 255, 256), 3),), (16, 12))

    @property
    def form(self) -> Form:
        """What every image becomes."""
        domain = self.space.fields[0].domain
        assert isinstance(domain, Bounded)
        height, width = self.space.axes
        stretch = self.crop == "none"
        return Form(height, width, self.space.fields[0].size, domain.levels, stretch)

    @property
    def copied(self) -> bool:  # type: ignore[override]
        return self.copies != "none"

    @property
    def augments(self) -> tuple[Augment, ...]:  # type: ignore[override]
        parts: dict[Augment, bool] = {Crop(): self.crop == "random", Flip(): self.flip}
        return tuple(part for part, wanted in parts.items() if wanted)

    @classmethod
    def accepts(cls, where: Where) -> bool:
        """A folder or zip with an image somewhere in it, or an image file."""
        if not isinstance(where, str | Path) or not Path(where).exists():
            return False
        path, wanted = Path(where), wanted_of("*", Path(where))
        if path.is_file() and path.suffix.lower() != ".zip":
            return wanted(path.name.encode())
        return any(map(wanted, names_of(path)))

    @classmethod
    def reads(cls, where: Where) -> bool:
        """Files of pictures; arrays are read by `arrays`, whose runs read such files too."""
        return isinstance(where, str | Path) and Path(where).suffix.lower() not in ARRAYS

    @classmethod
    def inspect(
        cls,
        where: Where,
        *,
        size: int | tuple[int, int] = 0,
        channels: int = 0,
        levels: Literal[0, 2, 256, 65536] = 0,
        crop: Crops = "centre",
        flip: bool = False,
        files: str = "*",
        skip_bad: bool = False,
        stream: Streams = "auto",
        given: Told = "all",
        copies: Copied = "none",
        patient: str = "",
        tiles: int = 0,
        overlap: float = 0.25,
    ) -> tuple[Self, list[Finding]]:
        """Learn the codec from a folder, a zip or a file.

        Args:
            where: the path.
            size: pixels a side, or (height, width); 0 is by rule.
            channels: 1 grey, 2 grey and opacity, 3 colour, 4 colour and opacity; 0 is by rule.
            levels: grey levels, 65,536 for one channel only; 0 is by rule.
            crop: keep the `centre` when the shape differs; `random` also shifts by up to an eighth
                while training; `none` stretches instead.
            flip: mirror half of the images, left to right, while training.
            files: only files whose name or path matches this pattern, such as `*.jpg`.
            skip_bad: leave out images that cannot be read, instead of stopping at the first.
            stream: read images when they are needed; `auto` does so above 1 GB decoded.
            given: the label and attributes that a model is given, `all` or by name; the others are
                kept for measures.
            copies: noisy copies of one scene have one name in several sub-folders (`folder`), or
                names that differ in their last number (`number`).
            patient: a pattern of file names whose group says whose a picture is, such as
                `(p[0-9]+)_`: no split parts the pictures of one.
            tiles: cut pictures at their full size into tiles of so many pixels a side; 0 for none.
            overlap: the share of a tile that the next one may overlap.
        """
        if tiles:
            check_tiles(tiles, overlap, size, copies)
        asked = Asked(shape_of(tiles or size), channels, levels, crop == "none")
        asked.check()
        found = found_in(where, files)
        rows = spread(len(found), LOOK)
        heads = headers(found, rows, skip_bad)
        form = form_of(list(heads.values()), asked)
        unread = bad_rows(found, form) if skip_bad else np.zeros(0, np.int64)
        read = np.setdiff1d(np.arange(len(found)), unread)
        shape = tree.Tree.of(found.names)
        every, noticed = given_space(found, shape, read, labelled=copies != "folder")
        split = told(every, given)
        if patient:
            check([found.name(row) for row in range(len(found))], patient)
        how = (crop, flip, skip_bad, stream, files, split[1], copies, patient, tiles, overlap)
        kind = cls(space_of(form), split[0], *how)
        look = looked_at(found, heads, read, form)
        if not levels and form.channels == 1 and look.two_valued():
            kind = cls(space_of(binary(form)), split[0], *how)
        findings = [
            *(
                tile_findings(heads, kind, len(read))
                if tiles
                else size_findings(heads, form, asked, len(read), crop)
            ),
            *tone_findings(heads, kind.form, asked),
            *look.findings(kind.form, asked),
            *bad_findings(found, unread),
            *unknown_findings(Path(where), files),
            *copy_findings(found.names[read], shape, copies),
            *noticed,
        ]
        return kind, findings

    def open(self, where: Where) -> Source:
        found = found_in(where, self.files)
        shape = tree.Tree.of(found.names)
        form = self.form
        rows = np.arange(len(found))
        if self.skip_bad:
            rows = np.setdiff1d(rows, bad_rows(found, form))
        official = {
            part: torch.from_numpy(np.flatnonzero(np.isin(rows, of)))
            for part, of in tree.official(found.names, shape).items()
        }
        given, factors = (
            tree.given_of(found, shape, space)[torch.from_numpy(rows)]
            for space in (self.given, self.factors)
        )
        if self.tiles:
            return self.tiled(found, rows, given, factors, official)
        streamed = Streamed(Reader(found, form, rows), given, THREADS, official)
        keep = len(rows) * form.bytes <= KEEP
        source: Source = in_memory(streamed, form) if KEPT[self.stream](keep) else streamed
        if self.copied:
            source = Copies(source, scenes_of(found.names[rows], shape, self.copies))
        if self.patient:
            names = [found.name(row) for row in rows.tolist()]
            source = Together(source, numbered(names, self.patient))
        return known(source, factors)

    def tiled(
        self,
        found: Files,
        rows: NDArray[np.int64],
        given: Tensor,
        factors: Tensor,
        official: dict[str, Tensor],
    ) -> Source:
        """Tiles of these files; all decoded pictures are kept where they are not too many."""
        heads = headers(found, rows, False)
        sizes = [native(heads[row], self.tiles) for row in rows.tolist()]
        read = Natural(found, self.form, rows, tuple(sizes))
        kept = KEPT[self.stream](sum(h * w for h, w in sizes) * self.form.channels <= KEEP)
        pictures = [read(i) for i in range(len(rows))] if kept else []
        source: Source = Tiles.of(
            pictures.__getitem__ if kept else read, sizes, given, self.tiles, self.overlap, official
        )
        each = source.groups()
        if self.patient:
            names = [found.name(row) for row in rows.tolist()]
            source = Together(source, numbered(names, self.patient)[each])
        return known(source, factors[each])

    def names(self, where: Where) -> list[str]:
        found = found_in(where, self.files)
        bad = bad_rows(found, self.form) if self.skip_bad else np.zeros(0, np.int64)
        return [found.name(row) for row in np.setdiff1d(np.arange(len(found)), bad).tolist()]

    def native(self, rows: Rows) -> list[Image.Image]:
        """The rows as PIL images."""
        levels = self.form.levels
        return [pixels.image_of(values, levels) for values in rows.values]

    def write(self, rows: Rows, out: Path, across: int = 0) -> list[Path]:
        """`grid.png`, and a PNG a row, numbered on from those that are there, named by label."""
        return self.saved(rows, out, self.labels(rows.given), across)

    def rewrite(self, rows: Rows, out: Path, names: Sequence[str] = ()) -> list[Path]:
        labels, stems = self.labels(rows.given), [f"-{plain(Path(name).stem)}" for name in names]
        called = [a + b for a, b in zip(labels, stems or [""] * len(rows), strict=True)]
        return self.saved(rows, out, called)

    def complete(self, where: Where, rows: Rows, gaps: Tensor, out: Path) -> list[Path]:
        return self.rewrite(rows, out, self.names(where) if not self.tiles else ())

    def saved(self, rows: Rows, out: Path, called: Sequence[str], across: int = 0) -> list[Path]:
        """The overview and a PNG a row, each with its number and what it is called."""
        first = places.free_number(places.folder(out))
        names = [f"{first + i:06d}{name}.png" for i, name in enumerate(called)]
        overview, paths = places.free_name(out, "grid.png"), [out / name for name in names]
        sheet = pictures.pil(pictures.grid(self.draw(rows), across))
        for path, image in zip([overview, *paths], [sheet, *self.native(rows)], strict=True):
            with places.new(path) as file:
                image.save(file, "PNG")
        return [overview, *paths]

    def labels(self, given: Tensor) -> list[str]:
        """The label of each row as a part of a file name; empty where it is not known."""
        names = [field.name for field in self.given.fields]
        if "label" not in names:
            return [""] * len(given)
        at = names.index("label")
        domain = self.given.fields[at].domain
        assert isinstance(domain, Category)
        names = [plain(label) for label in domain.labels]
        return ["" if i.isnan() else f"-{names[int(i)]}" for i in given[:, at]]

    def draw(self, rows: Rows) -> Tensor:
        return pictures.readable(pictures.shown(rows.values, 0, self.form.high))

    def to_dict(self) -> dict[str, Any]:
        return {
            "space": self.space.to_dict(),
            "given": self.given.to_dict(),
            "crop": self.crop,
            "flip": self.flip,
            "skip_bad": self.skip_bad,
            "stream": self.stream,
            "files": self.files,
            "factors": self.factors.to_dict(),
            "copies": self.copies,
            "patient": self.patient,
            "tiles": self.tiles,
            "overlap": self.overlap,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        names = ("space", "given", "factors")
        spaces = {key: Space.from_dict(data[key]) for key in names if key in data}
        return cls(**{**data, **spaces})


def plain(name: str) -> str:
    """A name as a part of that of a file.

    >>> plain("a red/blue Bär"), plain("🐶?")
    ('a_red_blue_Bär', '🐶_')
    """
    return re.sub(r"[^\w.\-\u200d\u2190-\u2bff\ufe0f\U0001f000-\U0001faff]+", "_", name)


KEPT: dict[Streams, Callable[[bool], bool]] = {
    "auto": lambda small: small,
    "always": lambda small: False,
    "never": lambda small: True,
}


@dataclass(frozen=True)
class Asked:
    """What the user overrules; zeros are by rule."""

    shape: tuple[int, int]
    channels: int
    levels: int
    stretch: bool

    def check(self) -> None:
        """Refuse what no image can have."""
        if min(self.shape) < 0 or max(self.shape) > 8192:
            raise UserError(f"data.size = {self.shape} is not within 1 … 8192; change it")
        if self.channels not in range(5):
            raise UserError(f"data.channels = {self.channels} is not one of 0 … 4; change it")
        if (self.levels == 65536 and self.channels > 1) or (self.levels == 2 and self.channels > 1):
            raise UserError(f"data.levels = {self.levels} needs data.channels = 1; change either")


@dataclass(frozen=True)
class Reader:
    """The rows of a set, decoded one at a time."""

    files: Files
    form: Form
    rows: NDArray[np.int64]

    def __call__(self, row: int) -> Tensor:
        at = int(self.rows[row])
        return pixels.decode(file_of(self.files, at), self.files.name(at), self.form)


@dataclass(frozen=True)
class Natural:
    """The pictures of a set at their own sizes, (H, W) each, decoded one at a time."""

    files: Files
    form: Form
    rows: NDArray[np.int64]
    sizes: tuple[tuple[int, int], ...]

    def __call__(self, row: int) -> Tensor:
        at, (height, width) = int(self.rows[row]), self.sizes[row]
        form = replace(self.form, height=height, width=width, stretch=True)
        return pixels.decode(file_of(self.files, at), self.files.name(at), form)


def native(head: Header, side: int) -> tuple[int, int]:
    """The size of a picture; one that is smaller than a tile is enlarged to hold it.

    >>> native(Header(50, 200, False, False, False, False), 100)
    (100, 400)
    """
    scale = max(1.0, side / min(head.height, head.width))
    return max(side, round(head.height * scale)), max(side, round(head.width * scale))


def check_tiles(side: int, overlap: float, size: object, copies: Copied) -> None:
    """Refuse tiles that cannot be, and options that do not go with them."""
    if not 8 <= side <= 8192 or not 0 <= overlap < 1:
        raise UserError(
            f"data.tiles = {side} is within 8 … 8192, and data.overlap = {overlap} from 0 to below "
            "1; change either"
        )
    if size or copies != "none":
        raise UserError("data.tiles cuts pictures as they are: leave out data.size and data.copies")


def tile_findings(heads: Mapping[int, Header], kind: Images, total: int) -> list[Finding]:
    """How many pictures are cut, and how many are smaller than a tile."""
    side = kind.tiles
    text = f"{plural(total, 'image', 'are')} cut at full size into tiles of {side} × {side} pixels"
    small = sum(min(h.height, h.width) < side for h in heads.values())
    more = f"{plural(small, 'image', 'were')} found smaller than a tile: these are enlarged"
    return [Finding("note", text), *([Finding("warning", more)] if small else [])]


def file_of(files: Files, row: int) -> Any:
    """A file to read; what the disk says against it is for the user."""
    try:
        return files.open(row)
    except OSError as error:
        name, why = files.name(row), error.strerror
        raise UserError(f"{name} cannot be opened ({why}); check it") from None


def wanted_of(pattern: str, path: Path) -> Wanted:
    """Which file names of a path are images and match a pattern; no overview of draws is."""
    drawn = cache(partial(folders_of_draws, path))

    def wanted(name: bytes) -> bool:
        dot = name.rfind(b".")
        if dot < 0 or name[dot:].lower() not in pixels.SUFFIXES:
            return False
        text = name.decode("utf-8", "replace")
        last = text.rpartition("/")[2]
        named = fnmatchcase(text, pattern) or fnmatchcase(last, pattern)
        return named and not (OVERVIEW.fullmatch(last) and text.rpartition("/")[0] in drawn())

    return wanted


def folders_of_draws(path: Path) -> set[str]:
    """The folders of a path that hold numbered pictures, as `write` leaves them."""
    if path.is_file() and path.suffix.lower() != ".zip":  # asked for by itself
        return set()
    names = (name.decode("utf-8", "replace").rpartition("/") for name in names_of(path))
    return {folder for folder, _, last in names if NUMBERED.fullmatch(last)}


def found_in(where: Where, pattern: str) -> Files:
    """The images of a path; none at all is the user's mistake."""
    path = Path(where)
    if not path.exists():
        raise UserError(f"{path} is not there; check the path")
    files = files_of(path, wanted_of(pattern, path))
    if not len(files):
        asked = "" if pattern == "*" else f" that matches {pattern!r}"
        raise UserError(f"{path} holds no image{asked}; give a folder or zip of PNG or JPEG files")
    return files


def shape_of(size: int | tuple[int, int]) -> tuple[int, int]:
    """(height, width) from one number or two."""
    return (size, size) if isinstance(size, int) else size


def space_of(form: Form) -> Space:
    """The space of images of a form."""
    domain = Bounded(0, form.high, form.levels)
    return Space((Field("pixel", domain, form.channels),), (form.height, form.width))


def binary(form: Form) -> Form:
    """The same form with two levels."""
    return Form(form.height, form.width, form.channels, 2, form.stretch)


# What the headers say.


def blocks(items: Iterable[T], size: int = 1024) -> Iterator[list[T]]:
    """Items in lists of at most `size`, so that no more than that many wait for a thread."""
    rest = iter(items)
    while block := list(islice(rest, size)):
        yield block


def headers(files: Files, rows: NDArray[np.int64], skip: bool) -> dict[int, Header]:
    """The header of each row that has one; without `skip` the first that has none is an error."""

    def look(row: int) -> Header | UserError:
        try:
            return pixels.header(file_of(files, row), files.name(row))
        except UserError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        seen = dict(zip(rows.tolist(), pool.map(look, rows.tolist()), strict=True))
    errors = [head for head in seen.values() if isinstance(head, UserError)]
    good = {row: head for row, head in seen.items() if isinstance(head, Header)}
    if errors and (not skip or not good):
        raise errors[0]
    return good


def form_of(heads: Sequence[Header], asked: Asked) -> Form:
    """The form of a set from its headers, by the rules at the top of this file."""
    colour, opacity = any(h.colour for h in heads), any(h.opacity for h in heads)
    channels = asked.channels or (3 if colour else 1) + opacity
    deep = channels == 1 and not colour and any(h.deep for h in heads)
    levels = asked.levels or (65536 if deep else 256)
    if channels > 1 and levels != 256:
        raise UserError(f"data.levels = {levels} needs one channel; set data.channels = 1")
    height, width = asked.shape if asked.shape[0] else reduced(*common_size(heads))
    return Form(height, width, channels, levels, asked.stretch)


def common_size(heads: Sequence[Header]) -> tuple[int, int]:
    """The size of at least half of the images, else the medians."""
    size, count = Counter((h.height, h.width) for h in heads).most_common(1)[0]
    if 2 * count >= len(heads):
        return size
    return int(np.median([h.height for h in heads])), int(np.median([h.width for h in heads]))


def reduced(height: int, width: int) -> tuple[int, int]:
    """A size in proportion whose longest side is at most `SIDE`.

    >>> reduced(300, 600), reduced(30, 60)
    ((128, 256), (30, 60))
    """
    scale = min(1.0, SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


# What the pixels say.


@dataclass(frozen=True)
class Look:
    """A set's images as decoded to look at them: (N, C, H, W), of `total` in all."""

    values: Tensor
    total: int

    def two_valued(self) -> bool:
        """Whether every value is 0 or the largest, and both occur."""
        low, high = self.values.min(), self.values.max()
        ends = (self.values == 0) | (self.values == 255)
        return bool(low == 0 and high == 255 and ends.all())

    def findings(self, form: Form, asked: Asked) -> list[Finding]:
        """What is worth saying of the pixels."""
        count = len(self.values)
        whose = f"the {count:,} looked at" if count < self.total else f"{count:,}"
        found = [
            Finding("note", f"{len(self.values):,} of {self.total:,} images were decoded to look")
            if count < self.total
            else Finding(
                "note", f"{'all ' * (count > 1)}{plural(count, 'image', 'were')} decoded to look"
            ),
            *self.twins(whose),
            *self.flat(whose),
            *self.tones(form, asked),
        ]
        if self.total == 1:
            found.append(Finding("warning", "there is a single image; a model can only copy it"))
        return found

    def twins(self, whose: str) -> list[Finding]:
        """Images that equal another one."""
        prints = Counter(blake2b(v.numpy().data, digest_size=8).digest() for v in self.values)
        copies = sum(prints.values()) - len(prints)
        text = f"{copies:,} of {whose} images equal another one pixel for pixel; they were kept"
        return [Finding("warning", text)] if copies else []

    def flat(self, whose: str) -> list[Finding]:
        """Images of a single tone."""
        flat = self.values.flatten(2)
        count = int((flat.amin(2) == flat.amax(2)).all(1).sum())
        text = f"{count:,} of {whose} images are of one constant tone; they were kept"
        return [Finding("warning", text)] if count else []

    def tones(self, form: Form, asked: Asked) -> list[Finding]:
        """Channels and levels that say nothing."""
        v, found = self.values, []
        if form.levels == 2 and not asked.levels:
            found.append(
                "every pixel is black or white: taken as binary, a grey pixel in other "
                "files is rounded (data.levels = 256 keeps grey)"
            )
        if form.channels >= 3 and bool((v[:, :1] == v[:, 1:3]).all()):
            found.append("colour images hold only greys; data.channels = 1 is enough")
        if form.channels in (2, 4) and bool((v[:, -1] == form.high).all()):
            found.append("every image is opaque; data.channels without opacity is enough")
        if form.levels > 256 and int(v.max()) < 8192:
            used = f"the largest of 65,536 levels in use is {int(v.max()):,}"
            found.append(f"{used}: images are dark; scale them to the full range")
        return [Finding("note", text) for text in found]


def looked_at(
    files: Files, heads: Mapping[int, Header], read: NDArray[np.int64], form: Form
) -> Look:
    """Decode as many of the looked-at images as the budget allows, evenly spread."""
    rows = np.intersect1d(np.array(list(heads), np.int64), read)
    if not len(rows):
        raise UserError("no image can be read; repair them or give another folder")
    stored = np.mean([h.height * h.width + form.height * form.width for h in heads.values()])
    rows = rows[spread(len(rows), max(16, int(BUDGET / stored)))]
    seen = Streamed(Reader(files, form, rows), torch.zeros(len(rows), 0), THREADS)
    return Look(in_memory(seen, form).values, len(read))


def in_memory(source: Streamed, form: Form) -> Memory:
    """All rows of a source in one tensor."""
    dtype = torch.int32 if form.high > 255 else torch.uint8
    values = torch.empty(len(source), form.channels, form.height, form.width, dtype=dtype)
    for rows in torch.arange(len(source)).split(1024):
        values[rows[0] : rows[-1] + 1] = source.read(rows).values
    return Memory(values, source.given, source.official)


def bad_rows(files: Files, form: Form) -> NDArray[np.int64]:
    """Rows that cannot be decoded, found by decoding them all."""
    read = Reader(files, form, np.arange(len(files)))

    def bad(row: int) -> bool:
        try:
            read(row)
        except UserError:
            return True
        return False

    with ThreadPoolExecutor(THREADS) as pool:
        marks = [mark for block in blocks(range(len(files))) for mark in pool.map(bad, block)]
    if all(marks):
        raise UserError("no image can be read; repair them or give another folder")
    return np.flatnonzero(marks)


# What is said.


def size_findings(
    heads: Mapping[int, Header], form: Form, asked: Asked, total: int, crop: Crops
) -> list[Finding]:
    """How many images, of which sizes, and what becomes of them."""
    sizes = Counter((h.height, h.width) for h in heads.values())
    target = f"{form.height} × {form.width}"
    text = f"{plural(total, 'image')} of {target} pixels (height × width)"
    if set(sizes) == {(form.height, form.width)}:
        return [Finding("note", text)]
    low, high = min(sizes), max(sizes)
    span = f"{len(sizes)} sizes from {low[0]} × {low[1]} to {high[0]} × {high[1]}"
    stored = span if len(sizes) > 1 else f"{low[0]} × {low[1]} pixels"
    kept = crop == "none" or (len(sizes) == 1 and low[0] * form.width == low[1] * form.height)
    how = "resized" if kept else "resized and centre-cropped"
    why = "as asked" if asked.shape[0] else f"by rule, sides up to {SIDE}; data.size changes it"
    return [
        Finding(
            "warning", f"{plural(total, f'image of {stored}', 'are')} {how} to {target} ({why})"
        )
    ]


def tone_findings(heads: Mapping[int, Header], form: Form, asked: Asked) -> list[Finding]:
    """Which sorts of image there are, and what becomes of them."""
    sorts = Counter(sort_of(h) for h in heads.values())
    found = []
    if len(sorts) > 1 or asked.channels or asked.levels:
        listed = ", ".join(f"{count:,} {sort}" for sort, count in sorts.most_common())
        text = (
            f"images are {listed}: all become {CHANNELS[form.channels]} of {form.levels:,} levels"
        )
        found.append(Finding("warning" if len(sorts) > 1 else "note", text))
    if any(h.cut for h in heads.values()):
        text = "16-bit colour is read with 8 bits a channel; bring .npy to keep all 16"
        found.append(Finding("warning", text))
    return found


CHANNELS = {1: "grey", 2: "grey with opacity", 3: "colour", 4: "colour with opacity"}


def sort_of(head: Header) -> str:
    """A header in words."""
    depth = "16-bit " if head.deep or head.cut else ""
    return depth + CHANNELS[(3 if head.colour else 1) + head.opacity]


def bad_findings(files: Files, unread: NDArray[np.int64]) -> list[Finding]:
    """Which images were left out."""
    if not len(unread):
        return []
    named = ", ".join(files.name(row) for row in unread[:5])
    more = f" and {len(unread) - 5:,} more" if len(unread) > 5 else ""
    return [
        Finding(
            "warning", f"{plural(len(unread), 'unreadable image', 'were')} left out: {named}{more}"
        )
    ]


UNREAD = frozenset(
    b".heic .heif .avif .jxl .jp2 .psd .svg .raw .dng .cr2 .cr3 .nef .arw .orf .rw2 .raf "
    b".mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .wmv".split()
)
"""Endings of pictures, raw ones and films that are not read."""


def unknown_findings(path: Path, pattern: str) -> list[Finding]:
    """Pictures and films among the files that are not read: a person thinks that they are."""
    counts = Counter(
        name[name.rfind(b".") :].lower().decode()
        for name in names_of(path)
        if fnmatchcase(name.decode("utf-8", "replace").rpartition("/")[2], pattern)
        and name[name.rfind(b".") :].lower() in UNREAD
    )
    if not counts:
        return []
    sorts = ", ".join(f"{suffix} {n:,}" for suffix, n in counts.most_common())
    text = (
        f"{plural(counts.total(), 'file', 'were')} passed over, of pictures and films that "
        f"are not read ({sorts}); write them as PNG or JPEG, a film frame by frame"
    )
    return [Finding("warning", text)]


def given_space(
    files: Files, shape: tree.Tree, read: NDArray[np.int64], labelled: bool = True
) -> tuple[Space, list[Finding]]:
    """What is given of every image, and what is worth saying of it.

    Args:
        read: the rows that can be read; the others say nothing.
        labelled: whether sub-folders are labels.
    """
    fields, findings = {}, []
    names = files.names[read]
    counts = tree.label_counts(names, shape) if labelled else Counter[str]()
    if len(counts) > tree.MOST_LABELS:
        text = f"{len(counts):,} sub-folders are too many for labels; their names were not used"
        findings.append(Finding("warning", text))
    elif counts:
        fields["label"] = Field("label", Category(tuple(sorted(counts))), missing=True)
        findings += label_findings(counts, len(names))
    for side in tree.tables(files, shape):
        told = {name: tree.sort_of(cells[read]) for name, cells in side.columns.items()}
        used = {name for name, sort in told.items() if sort != "text"}
        fields |= {name: tree.field_of(name, side.columns[name][read]) for name in used}
        findings += side_findings(side, sorted(used), sorted(set(told) - used))
    if shape.parted:
        parts = ", ".join(sorted({tree.folder(name, shape.skip) for name in names}))
        findings.append(Finding("note", f"the folders {parts} are kept as the official split"))
    vectors = [replace(one, rows=one.rows[read]) for one in tree.embeddings(files, shape)]
    findings += [one.found for one in vectors]
    known = (*(fields[name] for name in sorted(fields)), *(one.field for one in vectors))
    return Space(known), findings


SCENES: dict[Copied, Callable[[bytes, tree.Tree], bytes]] = {
    "none": lambda name, shape: name,
    "folder": lambda name, shape: tree.unlabelled(name, shape),
    "number": lambda name, shape: re.sub(rb"[ _.-]?\d+$", b"", name.rpartition(b".")[0]),
}
"""What the names of the copies of one scene have in common."""


def scenes_of(names: NDArray[np.bytes_], shape: tree.Tree, copies: Copied) -> Tensor:
    """The number of each file's scene, (N,)."""
    keys = np.array([SCENES[copies](bytes(name), shape) for name in names])
    return torch.from_numpy(np.unique(keys, return_inverse=True)[1])


def copy_findings(names: NDArray[np.bytes_], shape: tree.Tree, copies: Copied) -> list[Finding]:
    """How many copies the scenes have; that folders might hold copies; none found is an error."""
    if copies == "none":
        return [Finding("note", ALIKE)] if alike(names, shape) else []
    _, counts = scenes_of(names, shape, copies).unique(return_counts=True)
    if counts.max() == 1:
        raise UserError(
            f"data.copies = {copies!r} finds no two files of one scene; {ALIKE_IN[copies]}"
        )
    least, most = int(counts.min()), int(counts.max())
    each = f"{least}" if least == most else f"{least} to {most}"
    return [
        Finding(
            "note",
            f"{len(names):,} files are {each} noisy copies of {plural(len(counts), 'scene')}",
        )
    ]


ALIKE = (
    "sub-folders hold files of the same names; if these are noisy copies of one scene, set "
    "data.copies=folder"
)
ALIKE_IN: dict[Copied, str] = {
    "folder": "give them the same name in different sub-folders",
    "number": "name them like owl_1.png and owl_2.png",
}


def alike(names: NDArray[np.bytes_], shape: tree.Tree) -> bool:
    """Whether every file has one of the same name in another sub-folder, and no name is a number.

    Exports of labelled sets count their files anew in each folder.
    """
    if any(bytes(name).rpartition(b"/")[2].partition(b".")[0].isdigit() for name in names):
        return False
    _, counts = scenes_of(names, shape, "folder").unique(return_counts=True)
    return bool(counts.min() > 1)


def label_findings(counts: Counter[str], total: int) -> list[Finding]:
    """Which labels there are, how uneven, and which are seen once."""
    listed = ", ".join(f"{label} {count:,}" for label, count in counts.most_common(8))
    more = f" and {len(counts) - 8} more" if len(counts) > 8 else ""
    found = [Finding("note", f"sub-folders are {plural(len(counts), 'label')}: {listed}{more}")]
    single = sorted(label for label, count in counts.items() if count == 1)
    if single:
        text = f"labels seen once: {', '.join(single[:8])}; they were kept, in the training part"
        found.append(Finding("warning", text))
    if (bare := total - counts.total()) > 0:
        found.append(
            Finding(
                "note", f"{plural(bare, 'image', 'lie')} in no sub-folder, and so without a label"
            )
        )
    return found


def side_findings(side: tree.Table, used: list[str], left: list[str]) -> list[Finding]:
    """What a side file gave."""
    found = [Finding("note", f"{side.name} gives {', '.join(used) or 'nothing'}")]
    if left:
        text = f"{side.name}: {', '.join(left)} hold free text or nothing; they were left out"
        found.append(Finding("warning", text))
    if side.strays:
        text = f"{side.name} names {side.strays:,} files that are not there; they were passed over"
        found.append(Finding("warning", text))
    return found
