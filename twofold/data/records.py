"""WFDB records: signals with a rate and units, and what was annotated of them.

A record is a header, `100.hea`, which names the files of its signals and says how their samples are
stored; and perhaps annotations, `100.atr`, a symbol at a sample: of a beat its sort (`N` normal,
`V` ventricular, …), else rhythm, noise or a comment. Samples are integers; in physical units they
are (sample − baseline) / gain. The formats 16, 61, 80 and 212 are read, with the offset that lets a
`.mat` of PhysioNet be one; the checksum of each signal is compared. Records of several segments, or
with more than one sample a frame, are told so in one sentence.

Source: the WFDB Applications Guide, header(5), signal(5), annot(5); Goldberger et al. 2000,
PhysioBank, PhysioToolkit, and PhysioNet, Circulation 101.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.core.errors import UserError

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

HERTZ = 250.0
"""Where a header does not say."""
GAIN = 200.0
SYMBOLS = dict(enumerate("NLRaVFJASEj/Q~", 1)) | {
    16: "|", 18: "s", 19: "T", 20: "*", 21: "D", 22: '"', 23: "=", 24: "p", 25: "B", 26: "^",
    27: "t", 28: "+", 29: "u", 30: "?", 31: "!", 32: "[", 33: "]", 34: "e", 35: "n", 36: "@",
    37: "x", 38: "f", 39: "(", 40: ")", 41: "r",
}  # fmt: skip
BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""The symbols that are beats."""
SKIP, AUX = 59, 63


@dataclass(frozen=True)
class Signal:
    """One line of a header.

    Args:
        file: of the samples. format: how they are stored. offset: bytes before them.
        gain, baseline: of the units. checksum: the sum of the samples, modulo 2¹⁶.
    """

    file: str
    format: str
    offset: int
    gain: float
    baseline: float
    checksum: tuple[int, ...]
    units: str
    name: str


@dataclass(frozen=True)
class Record:
    """A record in physical units.

    Args:
        name: of the header, without its ending. hertz: samples a second.
        channels: names, C of them. units: of each.
        samples: (L, C), NaN where a sample says that it is not valid.
        at: samples that are annotated, (A,). symbols: what as, A of them.
    """

    name: str
    hertz: float
    channels: tuple[str, ...]
    units: tuple[str, ...]
    samples: Array
    at: Integers
    symbols: tuple[str, ...]

    @property
    def beats(self) -> tuple[Integers, tuple[str, ...]]:
        """The annotations that are beats."""
        kept = [i for i, symbol in enumerate(self.symbols) if symbol in BEATS]
        return self.at[kept], tuple(self.symbols[i] for i in kept)


def records_in(where: Path) -> list[Path]:
    """The headers of a path: itself, or those in a folder, by name."""
    return [where] if where.is_file() else sorted(where.glob("*.hea"))


def read(header: Path) -> Record:
    """A record with its annotations.

    Raises:
        UserError: a file that is not there, is cut short or damaged, or of a form not read here.
    """
    hertz, length, signals = parsed(header)
    files = dict.fromkeys(one.file for one in signals)
    columns: list[Array] = []
    for file in files:
        group = [one for one in signals if one.file == file]
        columns += physical(header.parent / file, group, length)
    names = unique([one.name or f"signal_{i}" for i, one in enumerate(signals, 1)])
    order = [i for file in files for i, one in enumerate(signals) if one.file == file]
    samples = np.stack(columns, 1)[:, np.argsort(order)]
    notes = header.with_suffix(".atr")
    at, symbols = annotated(notes) if notes.is_file() else (np.zeros(0, np.int64), ())
    units = tuple(one.units for one in signals)
    return Record(header.stem, hertz, tuple(names), units, samples, at, symbols)


def unique(names: list[str]) -> list[str]:
    """Names, each once: a second one is numbered."""
    return [
        f"{name}_{names[:i].count(name) + 1}" if name in names[:i] else name
        for i, name in enumerate(names)
    ]


# The header.


def parsed(header: Path) -> tuple[float, int, list[Signal]]:
    """Samples a second, samples in all (0 where not said), and the signals of a header."""
    lines = [
        line.split()
        for line in text_of(header).splitlines()
        if line.strip() and not line.startswith("#")
    ]
    try:
        name, count, *rest = lines[0]
        if "/" in name:
            raise UserError(f"{header} is of several segments; give the header of each of them")
        hertz = float(re.split(r"[/(]", rest[0])[0]) if rest else HERTZ
        length = int(rest[1]) if len(rest) > 1 else 0
        return hertz, length, [signal(line) for line in lines[1 : int(count) + 1]]
    except UserError as error:
        raise UserError(str(error).replace("HEADER", str(header))) from None
    except (ValueError, IndexError):
        raise UserError(f"{header} is no header of a WFDB record; check the file") from None


def text_of(path: Path) -> str:
    """A header as text; what the disk says against it is for the user."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check it") from None


def signal(words: list[str]) -> Signal:
    """A line of a header: file, format, gain, bits, zero, first value, checksum, block, name."""
    file, form, *rest = words
    kind = re.fullmatch(r"(\d+)(?:x(\d+))?(?::\d+)?(?:\+(\d+))?", form)
    if not kind or kind[1] not in FORMATS or int(kind[2] or 1) != 1:
        raise UserError(
            f"HEADER: signals of format {form} are not read here, only {', '.join(FORMATS)} with "
            "one sample a frame; convert the record (xform, or the wfdb package)"
        )
    gain = re.fullmatch(r"([-\d.eE+]+)(?:\((-?\d+)\))?(?:/(\S+))?", rest[0]) if rest else None
    zero = float(rest[2]) if len(rest) > 2 else 0.0
    known = tuple(int(word) for word in rest[4:5])
    return Signal(
        file,
        kind[1],
        int(kind[3] or 0),
        (float(gain[1]) if gain else 0.0) or GAIN,
        float(gain[2]) if gain and gain[2] else zero,
        known,
        (gain[3] if gain else "") or "mV",
        " ".join(rest[6:]),
    )


# The samples.


def twos(dtype: str, offset: int = 0, invalid: int = -(1 << 15)) -> Callable[[bytes], Integers]:
    """Samples of whole bytes, less an offset; the lowest says that there is none."""

    def read(data: bytes) -> Integers:
        size = np.dtype(dtype).itemsize
        found = np.frombuffer(data[: len(data) // size * size], dtype).astype(np.int64) - offset
        return np.where(found == invalid, NONE, found)

    return read


NONE = -(1 << 40)
"""A sample that is not valid."""


def twelve(data: bytes) -> Integers:
    """Format 212: two samples of 12 bits in three bytes.

    >>> twelve(bytes([0xE3, 0x33, 0xF3])).tolist()
    [995, 1011]
    """
    bytes_ = np.frombuffer(data[: len(data) // 3 * 3], np.uint8).astype(np.int64).reshape(-1, 3)
    first = bytes_[:, 0] | (bytes_[:, 1] & 0x0F) << 8
    second = bytes_[:, 2] | (bytes_[:, 1] & 0xF0) << 4
    both = np.stack([first, second], 1).ravel()
    signed = both - ((both & 0x800) << 1)
    return np.where(signed == -(1 << 11), NONE, signed)


FORMATS: Mapping[str, Callable[[bytes], Integers]] = {
    "16": twos("<i2"),
    "61": twos(">i2"),
    "80": twos("u1", 128, -128),
    "212": twelve,
}


def physical(path: Path, group: list[Signal], length: int) -> Iterator[Array]:
    """The signals of one file, in their units."""
    try:
        data = path.read_bytes()[group[0].offset :]
    except OSError as error:
        raise UserError(
            f"{path}, which a header names, cannot be read ({error.strerror})"
        ) from None
    found = FORMATS[group[0].format](data)
    frames = length or len(found) // len(group)
    if len(found) < frames * len(group):
        raise UserError(
            f"{path} holds {len(found) // len(group):,} samples a signal where its header says "
            f"{frames:,}; it is cut short, get it again"
        )
    table = found[: frames * len(group)].reshape(frames, len(group))
    for one, column in zip(group, table.T, strict=True):
        check(path, one, column)
        volts = (column - one.baseline) / one.gain
        yield np.where(column == NONE, np.nan, volts)


def check(path: Path, one: Signal, column: Integers) -> None:
    """A signal whose samples do not sum to what its header says is damaged."""
    plain = np.where(column == NONE, INVALID[one.format], column)
    total = int(plain.sum()) & 0xFFFF
    if one.checksum and one.checksum[0] & 0xFFFF not in (0, total):
        raise UserError(
            f"{path}: the samples of {one.name or 'a signal'} do not sum to what the header says; "
            "it is damaged, get it again"
        )


INVALID = {"16": -(1 << 15), "61": -(1 << 15), "80": -128, "212": -(1 << 11)}


# The annotations.


def annotated(path: Path) -> tuple[Integers, tuple[str, ...]]:
    """Samples and symbols of an annotation file."""
    try:
        words = np.frombuffer(path.read_bytes(), "<u2").tolist()
        found = list(noted(words))
    except (OSError, ValueError, IndexError):
        raise UserError(f"{path} is no annotation of a WFDB record; check the file") from None
    at = np.array([sample for sample, _ in found], np.int64)
    return at, tuple(symbol for _, symbol in found)


def noted(words: list[Any]) -> Iterator[tuple[int, str]]:
    """Each annotation: six bits of what it is, and ten of the samples since the one before.

    >>> list(noted([(1 << 10) | 77, (5 << 10) | 300, 0]))
    [(77, 'N'), (377, 'V')]
    """
    sample, i = 0, 0
    while i < len(words) and words[i]:
        code, since = words[i] >> 10, words[i] & 0x3FF
        i += 1
        if code == SKIP:  # an interval of 32 bits, the high word first
            far = words[i] << 16 | words[i + 1]
            sample += far - (1 << 32) * (far >> 31)
            i += 2
        elif code == AUX:  # a text of so many bytes
            i += (since + 1) // 2
        elif code in SYMBOLS:
            sample += since
            yield sample, SYMBOLS[code]
