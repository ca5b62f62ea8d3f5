"""Series in files and arrays, as recordings: channels by time.

Four layouts are read. *wide*: a table with one row a step and one column a channel, perhaps with a
column of time and one that names the series. *long*: one row a measurement, with columns for time,
channel and value. *rows*: one line a series, its class first (the layout of the UCR archive, Dau et
al. 2019). *array*: (N, T, C) or (T, C), from memory, .npy or .npz.

A table is taken as *wide* of itself when one column is time (dates, or numbers under a name such as
`time`), it rises in equal steps in nine rows of ten (within each series), all other columns but one
that names the series are numbers, and there are at least 20 rows. Else it is a table, and the user
says otherwise with `layout`. The first 1,000 rows decide.
"""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from twofold.core.errors import UserError
from twofold.data.block import numbers
from twofold.data.columns import NUMBER, decimals, number
from twofold.data.delimited import content, decoded
from twofold.data.frames import Cells, Frame
from twofold.data.guess import MISSING, Look, blanks, few, signed, strangers
from twofold.data.kind import Finding
from twofold.data.moments import Clock, formats
from twofold.data.regular import Track, interval, regular
from twofold.data.writing import Writing

Layout = Literal["auto", "wide", "long", "rows", "array", "record"]
Array = NDArray[np.float64]

TIMES = ("time", "t", "timestamp", "date", "datetime", "ds", "step", "epoch", "seconds", "hour")
CHANNELS = ("channel", "variable", "parameter", "signal", "feature")
VALUES = ("value", "val", "measurement", "reading")
ARRAYS = ("x", "data", "series", "values", "x_train")
CLASSES = ("y", "label", "labels", "target", "y_train")
ENOUGH = 20
HEAD = 1000  # rows that decide
REGULAR = 0.9
GAP = 1.5  # steps apart are a gap, which no window crosses


@dataclass(frozen=True)
class Onward:
    """How time goes on after a last step, from one usual step to the next.

    Args:
        last: of the recording, in seconds where it is a date. step: the usual one.
        form: of a date, as in `strptime`; empty for a number. comma: whether its mark is a comma.

    >>> Onward(3.0, 0.5, "").texts(2), Onward(0.0, 86400.0, "%d.%m.%Y").texts(1)
    (['3.5', '4'], ['02.01.1970'])
    """

    last: float
    step: float
    form: str
    comma: bool = False

    def texts(self, steps: int) -> list[str]:
        """The times of so many steps, as a file says them."""
        times = [self.last + self.step * i for i in range(1, steps + 1)]
        if not self.form:
            way = Writing(comma=self.comma)
            return [way.put(f"{time:.10g}") for time in times]
        return Clock(self.form, 0.0, 1.0).texts(times)

    def until(self, steps: int) -> list[str]:
        """The times of the last so many steps, the end among them.

        >>> Onward(3.0, 0.5, "").until(2)
        ['2.5', '3']
        """
        return replace(self, last=self.last - self.step * steps).texts(steps)


UNTIMED = Onward(0.0, 1.0, "")
"""Steps are counted from 1."""


@dataclass(frozen=True)
class Recordings:
    """Series end to end.

    Args:
        title: what they are called in messages.
        channels: names, C of them.
        decimals: the most places after the point of each channel, (C,).
        fewest: the fewest, of a table.
        steps: (L, C), NaN where missing.
        lengths: steps of each recording, adding to L.
        given: what else is known of each step: columns of L cells.
        of: what each recording is a part of: a record, a series; empty where nothing says so.
        begins: the step of that at which each is named.
        onward: how time goes on after the end of each; none where there is no time.
        rows: of a table, the row that each step was read from, (L,).
        writings: of a table, how each channel writes its numbers, (C,).
    """

    title: str
    channels: tuple[str, ...]
    decimals: tuple[int, ...]
    steps: Array
    lengths: tuple[int, ...]
    given: tuple[Cells, ...] = ()
    of: tuple[str, ...] = ()
    begins: tuple[int, ...] = ()
    onward: tuple[Onward, ...] = ()
    rows: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    writings: tuple[Writing, ...] = ()
    fewest: tuple[int, ...] = ()


@dataclass(frozen=True)
class Timeline:
    """Which column of a table is time, which names the series, and which are channels.

    A part that the table does not have is the empty text.

    Args:
        every: the length of a step, as asked, where measurements come at any time; else empty.
    """

    time: str
    series: str
    channels: tuple[str, ...]
    every: str = ""


def timeline(frame: Frame) -> tuple[Timeline, ...]:
    """How a table is read as a wide series: one way, or none where it is no series."""
    if len(frame) < ENOUGH:
        return ()
    frame = frame.head(HEAD)
    looks = [Look(frame, cells, blanks(MISSING)) for cells in frame.columns]
    others = [look for look in looks if not numeric(look)]
    times = [look for look in looks if could_be_time(look)]
    for time in times[:1]:
        names = [look for look in others if look is not time]
        ids = names or [look for look in looks if named_series(look) and look is not time]
        series = ids[0].cells if ids else one_series(frame)
        channels = tuple(
            look.cells.name for look in looks if look is not time and look.cells is not series
        )
        if len(names) <= 1 and channels and steady(ticks(frame, time.cells), series.codes):
            return (Timeline(time.cells.name, ids[0].cells.name if ids else "", channels),)
    return ()


def numeric(look: Look) -> bool:
    """Whether a column is missing, or numbers but for signs such as `---`."""
    return not look.texts or look.share == 1 or (look.share > 0 and signed(look))


def could_be_time(look: Look) -> bool:
    """Dates, or numbers under a name of time; never missing."""
    if look.missing or len(look.texts) < ENOUGH:
        return False
    if numeric(look):
        return look.cells.name.casefold() in TIMES
    return bool(formats(look.texts))


def named_series(look: Look) -> bool:
    """A column of few numbers that is called an id."""
    return bool(re.search(r"(^|[\W_])id$", look.cells.name, re.I)) and (
        2 * len(look.texts) <= look.rows or few(look)
    )


def one_series(frame: Frame) -> Cells:
    """The column that would name the series, if there were more than one."""
    return Cells("", ("",), np.zeros(len(frame), np.intp))


def ticks(frame: Frame, cells: Cells) -> Array:
    """Time of each row as a number, seconds where it is a date."""
    numbers = counted(frame, cells)
    if np.isfinite(numbers).all():
        return numbers[cells.codes]
    if not formats(cells.texts):
        row = cells.first(~np.isfinite(numbers))
        raise UserError(f"{frame.place(cells, row)}: {cells.texts[cells.codes[row]]!r} is no time")
    clock = Clock.fit(cells.texts)
    return (clock.step * clock.numbers(cells.texts))[cells.codes]


def steady(time: Array, series: NDArray[np.intp]) -> bool:
    """Whether time rises everywhere within a series, and nearly everywhere in equal steps."""
    inside = np.diff(series) == 0
    steps = np.diff(time)[inside]
    if not len(steps) or (steps <= 0).any() or len(np.unique(series)) > inside.sum():
        return False
    return bool((np.abs(steps - np.median(steps)) <= 0.01 * np.median(steps)).mean() >= REGULAR)


def wide(frame: Frame, how: Timeline, given: Sequence[str]) -> tuple[Recordings, list[Finding]]:
    """A table with one row a step, sorted by series and time, cut at gaps."""
    series = frame[how.series] if how.series else one_series(frame)
    time = ticks(frame, frame[how.time]) if how.time else np.arange(len(frame), dtype=float)
    order = np.lexsort((time, series.codes))
    found = [] if (np.diff(order) > 0).all() or how.series else [Finding(
        "warning", f"{frame.title} is not in the order of {how.time!r}; it is sorted"
    )]  # fmt: skip
    interleaved(frame, how, time)
    cells = [frame[name] for name in how.channels]
    looks = [Look(frame, one, blanks(MISSING)) for one in cells]
    steps = np.stack([measured(look)[order] for look in looks], 1)  # (L, C)
    found = [*found, *(one for look in looks for one in unknown(look))]
    track = Track(series.codes[order], time[order], steps, order)
    return laid(frame, how, given, how.channels, [*map(Ways.of, looks)], track), found


def interleaved(frame: Frame, how: Timeline, time: Array) -> None:
    """Refuse a table of one series in which most times come again: it has several, unnamed.

    Where steps are laid out anew, measurements of one time are allowed.
    """
    again = len(time) - len(np.unique(time))
    if not how.time or how.series or how.every or again <= (1 - REGULAR) * len(time):
        return
    likely = [cells for cells in frame.columns if parts_time(cells, time, how)]
    name = likely[0].name if likely else "NAME"
    told = f"column {name!r} looks like the one that says which" if likely else "none says which"
    raise UserError(
        f"{frame.title}: {again:,} of {len(time):,} rows have a time in {how.time!r} that another "
        f"row has, so several series are mixed, and {told}; fit on it anew with "
        f"data.series={name}, or give a file of each series"
    )


def parts_time(cells: Cells, time: Array, how: Timeline) -> bool:
    """Whether a column may name series: it is no channel, and no time comes twice in one of it."""
    pairs = np.unique(np.stack([cells.codes.astype(float), time], 1), axis=0)
    spare = cells.name != how.time and cells.name not in how.channels
    return spare and 1 < len(cells.texts) <= len(time) // 2 and len(pairs) == len(time)


def laid(
    frame: Frame,
    how: Timeline,
    given: Sequence[str],
    channels: tuple[str, ...],
    ways: Sequence[Ways],
    track: Track,
) -> Recordings:
    """Series of a table, at equal steps where that is asked, cut at gaps."""
    if how.every:
        track = regular(track, interval(how.every, is_dated(frame, how.time)))
    series = frame[how.series] if how.series else one_series(frame)
    lengths = cut(track.time, track.series)
    known = tuple(sorted_cells(frame[name], track.rows) for name in given)
    of = parts_of(series, track.series, lengths)
    ends = onwards(frame, how.time, track.time, lengths) if how.time else ()
    return Recordings(
        frame.title,
        channels,
        tuple(way.decimals for way in ways),
        track.steps,
        lengths,
        known,
        of,
        onward=ends,
        rows=track.rows,
        writings=tuple(way.writing for way in ways),
        fewest=tuple(way.fewest for way in ways),
    )


def is_dated(frame: Frame, name: str) -> bool:
    """Whether a column of time has dates, so that it counts in seconds."""
    if not name:
        raise UserError(f"{frame.title} has no column of time for data.every; name it by data.time")
    return not np.isfinite(counted(frame, frame[name])).all()


def counted(frame: Frame, cells: Cells) -> Array:
    """Each distinct text of a column of time as a number, NaN where it is none."""
    return np.array([number(text, frame.style.comma) for text in cells.texts], np.float64)


def onwards(frame: Frame, name: str, time: Array, lengths: Sequence[int]) -> tuple[Onward, ...]:
    """How each stretch of sorted times goes on."""
    texts = frame[name].texts
    form = next(iter(formats(texts)), "") if is_dated(frame, name) else ""
    start = Clock.fit(texts).origin if form else 0.0
    stretches = np.split(time, np.cumsum(lengths)[:-1])
    steps = np.concatenate([np.diff(one) for one in stretches])
    usual = float(np.median(steps)) if len(steps) else 1.0
    comma = frame.style.comma
    return tuple(Onward(start + float(one[-1]), usual, form, comma) for one in stretches)


def parts_of(series: Cells, codes: NDArray[np.intp], lengths: Sequence[int]) -> tuple[str, ...]:
    """The name of the series that each stretch is of."""
    first = np.cumsum([0, *lengths[:-1]])
    return tuple(series.texts[code] for code in codes[first])


def sorted_cells(cells: Cells, order: NDArray[np.intp]) -> Cells:
    return Cells(cells.name, cells.texts, cells.codes[order], cells.dtype)


def cut(time: Array, series: NDArray[np.intp]) -> tuple[int, ...]:
    """Lengths of the stretches without a gap: a new series, or a step of 1.5 usual ones."""
    step, fresh = np.diff(time), np.diff(series) != 0
    usual = np.median(step[~fresh]) if (~fresh).any() else 1.0
    ends = np.flatnonzero(fresh | (step > GAP * usual)) + 1
    return tuple(np.diff([0, *ends.tolist(), len(time)]).tolist())


def measured(look: Look) -> Array:
    """A channel as numbers (L,), NaN where missing or a sign; anything else is an error by row."""
    look.finite()
    cells = look.cells
    numbers = np.array([look.number(text) for text in cells.texts], np.float64)
    wrong = np.isnan(numbers) & look.present & (not signed(look))
    if wrong[cells.codes].any():
        row = cells.first(wrong)
        raise UserError(
            f"{look.frame.place(cells, row)}: {cells.texts[cells.codes[row]]!r} is no "
            "number; name the columns that are with data.channels"
        )
    return numbers[cells.codes]


def unknown(look: Look) -> list[Finding]:
    """What to say of texts among the numbers of a channel."""
    return strangers(look, ~np.isnan(look.numbers))


@dataclass(frozen=True)
class Ways:
    """How the numbers of a channel are written.

    Args:
        decimals, fewest: places after the point, at most and at least. writing: all else.
    """

    decimals: int
    fewest: int
    writing: Writing

    @classmethod
    def of(cls, look: Look) -> Self:
        """As a column of a table has them most often."""
        plain = (look.bare(text).replace(",", ".") for text in look.texts)
        places = [decimals(text) for text in plain if NUMBER.fullmatch(text)] or [0]
        comma = Writing(comma=look.frame.style.comma)
        writing = comma if look.writing.plain else look.writing
        return cls(max(places), min(places), writing)


def is_long(frame: Frame) -> bool:
    """Whether a table has a column for the channel and one for the value."""
    names = [name.casefold() for name in frame.names]
    return any(n in CHANNELS for n in names) and any(n in VALUES for n in names)


def long(frame: Frame, how: Timeline, given: Sequence[str]) -> tuple[Recordings, list[Finding]]:
    """A table with one row a measurement, as the wide table of the same numbers.

    The channels of `how` are two columns: that of names and that of values.
    """
    names, values = (frame[name] for name in how.channels)
    series = frame[how.series] if how.series else one_series(frame)
    time = ticks(frame, frame[how.time])
    keys, first, row = np.unique(
        np.stack([series.codes.astype(float), time], 1), axis=0,
        return_index=True, return_inverse=True,
    )  # fmt: skip
    order = np.argsort(names.texts)
    rank = np.argsort(order)
    steps = np.full((len(keys), len(names.texts)), np.nan)
    look = Look(frame, values, blanks(MISSING))
    steps[row.ravel(), rank[names.codes]] = measured(look)
    twice = len(frame) - len(np.unique(row.ravel() * len(order) + names.codes))
    said = f"{frame.title}: {twice} measurements of the same time and channel; the last is taken"
    channels = tuple(names.texts[i] for i in order)
    ways = [Ways.of(look)] * len(channels)
    found = [*([Finding("warning", said)] if twice else []), *unknown(look)]
    track = Track(keys[:, 0].astype(np.intp), keys[:, 1], steps, first)
    return laid(frame, how, given, channels, ways, track), found


def lengthened(recordings: Recordings, least: int) -> Recordings:
    """Recordings of `least` steps or more: shorter ones go on with steps that are missing.

    >>> short = Recordings("x", ("a",), (0,), np.ones((3, 1)), (1, 2))
    >>> lengthened(short, 2).steps[:, 0].tolist(), lengthened(short, 2).lengths
    ([1.0, nan, 1.0, 1.0], (2, 2))
    """
    wanted = [max(least, length) for length in recordings.lengths]
    begins = np.cumsum([0, *recordings.lengths[:-1]])
    told = zip(begins, recordings.lengths, wanted, strict=True)
    places = [begin + np.minimum(np.arange(long), length - 1) for begin, length, long in told]
    beyond = np.concatenate([np.arange(n) for n in wanted]) >= np.repeat(recordings.lengths, wanted)
    rows = np.concatenate(places)
    steps = np.where(beyond[:, None], np.nan, recordings.steps[rows])
    known = tuple(sorted_cells(one, rows) for one in recordings.given)
    return replace(recordings, steps=steps, lengths=tuple(wanted), given=known)


def lines(path: Path) -> Recordings:
    """One line a series, its class first where that is a whole number; all of one length."""
    text, _ = decoded(path, content(path))
    rows = [(i, line.replace(",", " ").split()) for i, line in enumerate(text.splitlines(), 1)]
    rows = [(i, cells) for i, cells in rows if cells]
    width = len(rows[0][1])
    for i, cells in rows:
        if len(cells) != width:
            raise UserError(f"{path} row {i} has {len(cells)} numbers where the first has {width}")
    numbers = np.array([[value(path, i, j, cell) for j, cell in enumerate(cells, 1)]
                        for i, cells in rows])  # fmt: skip
    classed = width > 1 and bool((numbers[:, 0] == np.round(numbers[:, 0])).all())
    series = numbers[:, 1:] if classed else numbers  # (N, T)
    most = max(decimals(cell) for _, cells in rows[:100] for cell in cells[classed:])
    labels = [f"{label:g}" for label in numbers[:, 0]] if classed else []
    return stacked(str(path), series[:, :, None], ("value",), (most,), labels)


def value(path: Path, row: int, column: int, cell: str) -> float:
    """One number of a line; NaN is missing."""
    if cell.casefold() in blanks(MISSING):
        return math.nan
    found = number(cell)
    if not math.isfinite(found):
        what = "no number" if math.isnan(found) else "infinite"
        raise UserError(f"{path} row {row}, column {column}: {cell!r} is {what}")
    return found


def stacked(
    title: str, series: Array, channels: tuple[str, ...], places: tuple[int, ...],
    labels: Sequence[str],
) -> Recordings:  # fmt: skip
    """An array (N, T, C) as N recordings of T steps, with a label each where there are any."""
    number, length, width = series.shape
    steps = series.reshape(number * length, width)  # (N, T, C) to (N T, C)
    cells = (Cells.of("label", np.repeat(np.array(labels, str), length).tolist()),)
    lengths = (length,) * number
    return Recordings(title, channels, places, steps, lengths, cells if len(labels) else ())


def array(where: Any) -> Recordings:
    """An array (N, T, C) or (T, C), or a file of one, with labels where a .npz has them."""
    title = str(where) if isinstance(where, str | Path) else "the array"
    data, labels = loaded(where) if isinstance(where, str | Path) else (numbers(where), [])
    if data.dtype.kind not in "fiub" or data.ndim not in (2, 3) or not data.size:
        raise UserError(
            f"{title} is {data.dtype} of shape {data.shape}; a series is numbers of "
            "shape (number, time, channels) or (time, channels)"
        )
    series = data.astype(np.float64).reshape(-1, *data.shape[-2:])  # (N, T, C)
    if np.isinf(series).any():
        row, step, channel = np.argwhere(np.isinf(series))[0].tolist()
        raise UserError(f"{title} is infinite at series {row}, step {step}, channel {channel}")
    if len(labels) not in (0, len(series)):
        raise UserError(f"{title} has {len(labels)} labels for {len(series)} series")
    names = tuple(f"channel_{i + 1}" for i in range(series.shape[2]))
    whole = 0 if data.dtype.kind != "f" else 17
    return stacked(title, series, names, (whole,) * len(names), labels)


def loaded(where: str | Path) -> tuple[NDArray[Any], list[str]]:
    """The array in a .npy or .npz, and its labels."""
    path = Path(where)
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            return (found, []) if isinstance(found, np.ndarray) else named(found)
    except FileNotFoundError:
        raise UserError(f"{path} is not there; check the path") from None
    except (OSError, ValueError, EOFError, StopIteration, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{path} holds no array that can be read: {error}") from None


def named(arrays: Any) -> tuple[NDArray[Any], list[str]]:
    """The series among the arrays of a .npz, and their labels."""
    names = {name.casefold(): name for name in arrays.files}
    key = next((names[n] for n in ARRAYS if n in names), next(iter(names.values())))
    tag = next((names[n] for n in CLASSES if n in names), "")
    return arrays[key], [str(label) for label in arrays[tag].ravel()] if tag else []
