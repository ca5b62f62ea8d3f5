"""WFDB records as recordings: whole, to be cut into windows, or beat by beat.

`records.py` reads the files, `beats.py` finds R-peaks. Leads are in their physical units, and all
records of a codec at one rate: one of another is resampled (`scipy.signal.resample_poly`). Of a
beat its symbol is known, where the record is annotated, as `label`; it is named after the record
and the time of its R-peak.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from twofold.core.errors import UserError
from twofold.data.beats import BEFORE, SPAN, cut, r_peaks
from twofold.data.frames import Cells
from twofold.data.kind import Finding
from twofold.data.recordings import Recordings
from twofold.data.records import Record, read, records_in

Beats = Literal["auto", "annotated", "found", "none"]
DECIMALS = 6
FEWEST = 3
"""Records of which each is kept whole by a split."""


@dataclass(frozen=True)
class Cutting:
    """How records are cut.

    Args:
        beats: `annotated` or `found` beat by beat, `none` as they are.
        length: steps of a beat. hertz: of every record, resampled where it has another rate.
    """

    beats: Beats = "none"
    length: int = 0
    hertz: float = 0.0

    @classmethod
    def of(cls, where: Path, beats: Beats, window: int) -> Self:
        """As asked; where `auto`, by beats if every record has them annotated.

        A beat is as long as the usual interval says.
        """
        every = [read(header) for header in headers(where)]
        annotated = all(len(one.beats[0]) for one in every)
        if beats == "annotated" and not annotated:
            lacking = next(one.name for one in every if not len(one.beats[0]))
            raise UserError(
                f"record {lacking} has no annotated beats (a .atr beside its .hea); set "
                "data.beats=found"
            )
        by_beat: Beats = ("annotated" if annotated else "none") if beats == "auto" else beats
        hertz = every[0].hertz
        if by_beat == "none":
            return cls(by_beat, window, hertz)
        return cls(by_beat, window or round(SPAN * interval(every, by_beat) * hertz), hertz)


def is_record(where: object) -> bool:
    """Whether a path is a header of a record, or a folder with one.

    >>> is_record("100.hea"), is_record("100.csv")
    (True, False)
    """
    if not isinstance(where, str | Path):
        return False
    path = Path(where)
    return path.suffix.lower() == ".hea" or (path.is_dir() and any(path.glob("*.hea")))


def headers(where: Path) -> list[Path]:
    """The headers of a path; none at all is the user's mistake."""
    found = records_in(where) if where.exists() else []
    if not found:
        raise UserError(f"{where} is no header of a WFDB record (.hea), nor a folder with one")
    return found


def monitored(where: Path, how: Cutting) -> tuple[Recordings, list[Finding]]:
    """All records of a path, end to end; channels are those of the first."""
    every = [at_rate(read(header), how.hertz) for header in headers(where)]
    channels = every[0].channels
    for one in every:
        if missing := [name for name in channels if name not in one.channels]:
            raise UserError(f"record {one.name} has no signal {missing[0]!r}, as others have")
    pieces = [piece for one in every for piece in pieces_of(one, channels, how)]
    if not pieces:
        raise UserError(f"{where} has no beat that lies whole within a record")
    steps = np.concatenate([piece.steps for piece in pieces])
    lengths = tuple(len(piece.steps) for piece in pieces)
    texts = [piece.label for piece in pieces for _ in range(len(piece.steps))]
    given = (Cells.of("label", texts),) if how.beats == "annotated" else ()
    return Recordings(
        str(where), channels, (DECIMALS,) * len(channels), steps, lengths, given,
        tuple(piece.record for piece in pieces), tuple(piece.begin for piece in pieces),
    ), list(noted(every, how))  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """Part of a record: which, the steps (T, C), what it is, and the step at which it is named."""

    record: str
    steps: NDArray[np.float64]
    label: str
    begin: int


def pieces_of(one: Record, channels: tuple[str, ...], how: Cutting) -> Iterator[Piece]:
    """A record as one piece, or as one a beat."""
    samples = one.samples[:, [one.channels.index(name) for name in channels]]
    if how.beats == "none":
        yield Piece(one.name, samples, "", 0)
        return
    peaks, labels = beats_of(one, how.beats)
    beats, whole = cut(samples, peaks, how.length)
    kept = (labels[i] for i in np.flatnonzero(whole))
    for beat, peak, label in zip(beats, peaks[whole].tolist(), kept, strict=True):
        yield Piece(one.name, beat, label, peak)


def beats_of(one: Record, beats: Beats) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """R-peaks with what each is: as annotated, or as found in the first signal."""
    if beats == "annotated":
        return one.beats
    peaks = r_peaks(one.samples[:, 0], one.hertz)
    return peaks, ("",) * len(peaks)


def interval(every: list[Record], beats: Beats) -> float:
    """The usual time from one beat to the next, in seconds: the median."""
    apart = [np.diff(beats_of(one, beats)[0]) / one.hertz for one in every]
    seconds = np.concatenate(apart)
    if not len(seconds):
        raise UserError(f"record {every[0].name} has no two beats; set data.beats=none")
    return float(np.median(seconds))


def at_rate(one: Record, hertz: float) -> Record:
    """A record resampled to so many samples a second."""
    if one.hertz == hertz:
        return one
    from scipy.signal import resample_poly

    ratio = Fraction(hertz / one.hertz).limit_denominator(1000)
    flat = np.where(np.isnan(one.samples), np.nanmean(one.samples, 0), one.samples)
    samples = resample_poly(flat, ratio.numerator, ratio.denominator, axis=0)
    at = np.round(one.at * float(ratio)).astype(np.int64)
    return Record(one.name, hertz, one.channels, one.units, samples, at, one.symbols)


def noted(every: list[Record], how: Cutting) -> Iterator[Finding]:
    """What is worth saying of records: how they are cut, and which were resampled."""
    leads = ", ".join(
        f"{name} in {unit}" for name, unit in zip(every[0].channels, every[0].units, strict=True)
    )
    count = f"{len(every):,} record{'s' if len(every) > 1 else ''}"
    yield Finding("note", f"{count} at {how.hertz:g} samples a second: {leads}")
    if how.beats != "none":
        seconds = how.length / how.hertz
        yield Finding(
            "note",
            f"cut at {how.beats} R-peaks, {seconds:.2g} s a beat, {BEFORE:.0%} of it before the "
            "peak; data.beats=none takes windows of the whole record",
        )


def clock(seconds: float) -> str:
    """A time since the beginning.

    >>> clock(3723.5)
    '1:02:03.50'
    """
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:05.2f}"
