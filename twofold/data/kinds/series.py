"""Multivariate series: windows of T steps of C channels.

`inspect` reads recordings (`recordings.py` has the layouts, and the rule by which a table is taken
as a series), standardises each channel by its mean and deviation, and cuts windows (`windows.py`).
Steps that are missing are NaN in the values; a channel with any has a field that may be missing.
Rows are written in the layout that was read, in the original units and decimals.

>>> import numpy as np
>>> kind, found = Series.inspect(np.sin(np.arange(300.0)).reshape(300, 1), window=24)
>>> kind.space.shape, len(kind.open(np.zeros((50, 1))))
((1, 24), 27)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twofold.core.errors import UserError, nearest
from twofold.core.space import Field, Real, Space
from twofold.core.words import plural
from twofold.data.block import Block, holds_series, is_array
from twofold.data.columns import Column, beyond, describe, recall, valued, written
from twofold.data.delimited import write_text
from twofold.data.filling import heads, in_rows, put_in, step_texts, unlengthened
from twofold.data.frames import (
    Frame,
    Style,
    is_table,
    library,
    may_be_table,
    pandas,
    read_frame,
    suffix,
)
from twofold.data.guess import MISSING, Look, blanks, learn
from twofold.data.kind import Finding, Kind, Where, matching
from twofold.data.monitors import FEWEST, Beats, Cutting, clock, is_record, monitored
from twofold.data.patients import check, numbered
from twofold.data.places import folder
from twofold.data.recordings import (
    CHANNELS,
    CLASSES,
    TIMES,
    UNTIMED,
    VALUES,
    Layout,
    Onward,
    Recordings,
    Timeline,
    array,
    is_long,
    lengthened,
    lines,
    long,
    timeline,
    wide,
)
from twofold.data.sources import Rows
from twofold.data.traces import Trace
from twofold.data.windows import Windows, behind
from twofold.data.writing import Writing

WINDOW = 24  # steps of a window of a long recording, as in Yoon et al. 2019, unless it is said
TALL, BROAD = 64, 96  # pixels of a drawing
INK = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189),
       (140, 86, 75), (227, 119, 194), (127, 127, 127))  # fmt: skip


@dataclass(frozen=True)
class Channel:
    """One channel.

    Args:
        mean, std: of what is known of it. decimals: places after the point, at most.
        missing: whether it has gaps. writing: what else there is to how its numbers are written.
        places: after the point, written always.
    """

    name: str
    mean: float
    std: float
    decimals: int = 17
    missing: bool = False
    writing: Writing = Writing()
    places: int = 0

    def text(self, value: float) -> str:
        """A number as the channel writes it.

        >>> Channel("price", 0.0, 1.0, 2, writing=Writing("$", "$", "", ",")).text(1234.567)
        '$1,234.57'
        """
        return self.writing.put(written(value, self.decimals, self.places))

    @classmethod
    def recall(cls, data: Mapping[str, Any]) -> Self:
        """From plain data."""
        return cls(**{**data, "writing": Writing(**data.get("writing", {}))})


class Ends(NamedTuple):
    """Where N series end.

    Args:
        names: what each is called. given: what is known there, (N, G). times: how each goes on.
    """

    names: tuple[str, ...]
    given: Tensor
    times: tuple[Onward, ...]


@final
@dataclass(frozen=True)
class Series(Kind):
    """The codec of windows of series.

    Args:
        channels: in the order of the Space.
        length: steps of a window, T.
        stride: steps from one window to the next.
        conditions: what is given of a window, by its first step.
        layout: how the files are laid out.
        how: in a table, the columns of time and of the series' name, and those that are read.
        style: how the table was written.
        cutting: how WFDB records are cut. patient: what says whose a row is, as asked.
        past: steps before a window that are given of it, P.
        throughout: windows hold every step, and none is kept apart for a split.
    """

    name = "series"
    example = Space((Field("lead", Real(), missing=True), Field("pulse", Real())), (24,))
    channels: tuple[Channel, ...]
    length: int
    stride: int
    conditions: tuple[Column, ...]
    layout: Layout
    how: Timeline
    style: Style
    cutting: Cutting = Cutting()
    patient: str = ""
    past: int = 0
    throughout: bool = False
    space: Space = field(init=False)
    given: Space = field(init=False)

    def __post_init__(self) -> None:
        fields = (Field(c.name, Real(c.mean, c.std), missing=c.missing) for c in self.channels)
        known = (Field(f.name, f.domain, missing=True) for c in self.conditions for f in c.fields)
        before = self.channels if self.past else ()
        behind = (Field(f"{c.name} before", Real(c.mean, c.std), self.past, True) for c in before)
        object.__setattr__(self, "space", Space(tuple(fields), (self.length,)))
        object.__setattr__(self, "given", Space((*known, *behind)))

    @classmethod
    def accepts(cls, where: Where) -> bool:
        """Records, arrays of three axes, .txt.gz by type; of a table its first rows are read."""
        if isinstance(where, str | Path) and suffix(Path(where)) == ".txt":
            return Path(where).suffix.lower() == ".gz"
        if is_record(where) or holds_series(where):
            return True
        if not is_table(where):
            return False
        try:
            frame = read_frame(where)
        except UserError:
            return False
        return is_long(frame) or bool(timeline(frame))

    @classmethod
    def reads(cls, where: Where) -> bool:
        held = is_array(where) and not isinstance(where, Block)
        return may_be_table(where) or is_record(where) or held

    @classmethod
    def inspect(
        cls,
        where: Where,
        *,
        window: int = 0,
        stride: int = 1,
        channels: tuple[str, ...] = (),
        given: tuple[str, ...] = (),
        time: str = "",
        series: str = "",
        layout: Layout = "auto",
        beats: Beats = "auto",
        patient: str = "",
        past: int = 0,
        every: str | float = "",
    ) -> tuple[Self, list[Finding]]:
        """Learn channels and windows.

        Args:
            where: a table (.csv, .parquet, a data frame), .txt, .npy, .npz, an array, a WFDB record
                (.hea) or a folder of records.
            window: steps of a window; 0 for all of short series, 24 of long recordings, 1.4 usual
                intervals of beats.
            stride: steps from one window to the next.
            channels: the columns to model; all numbers where empty.
            given: columns that are conditions, by name or pattern, by their value at a window's
                first step; the column that names the series where it is called a label and nothing
                is named.
            time: the column of time; found out where empty.
            series: the column that names the series; found out where empty.
            layout: `wide`, `long`, `rows`, `array`, `record`, or `auto` to find out.
            beats: cut records beat by beat, at R-peaks that are `annotated`, or `found` in the
                first signal; `none` for windows of the whole; `auto` where all are annotated.
            patient: whose a row is, so that no split parts the rows of one: of a table the column
                that names the series, of records a pattern of their names whose group says it.
            past: steps before a window that are given of it: what `predict` goes on from.
            every: how far steps are apart, such as 15min or 1h, or a number where time is numbers,
                for measurements that come at any time; series are then as long as a window at
                least, and what was not measured is missing.
        """
        form, frame = opened(where, layout)
        given = matching(given, frame[0].names) if frame else given
        asked = Timeline(time, series or named(frame, patient), channels, str(every))
        how = planned(form, frame, asked, given)
        given = given or labelling(how)
        cutting = Cutting.of(Path(where), beats, window) if form == "record" else Cutting()
        recordings, found = recorded(form, where, frame, how, given, cutting)
        length = window or (cutting.length if by_beat(cutting) else usual(form, recordings))
        recordings = long_enough(recordings, how, past + length)
        fits(recordings, length, stride, past)
        learnt = [channel(recordings, i) for i in range(len(recordings.channels))]
        kept = tuple(c for c in learnt if not math.isnan(c.mean))
        if not kept:
            raise UserError(f"{recordings.title} has no channel with a number in it")
        known = tuple(condition(recordings, i) for i in range(len(recordings.given)))
        style = frame[0].style if frame else Style("csv", " ", False)
        kind = cls(kept, length, stride, known, form, how, style, cutting, patient, past)
        if patient and form == "record":
            check(recordings.of, patient)
        whose(kind, recordings)
        return kind, found + said(kind, recordings)

    def open(self, where: Where) -> Windows:
        return self.windows(self.recordings(where))

    def recordings(self, where: Where) -> Recordings:
        """What a path or object holds; where time was laid out anew, of a window at least."""
        return long_enough(self.laid(where), self.how, self.past + self.length)

    def laid(self, where: Where) -> Recordings:
        """What a path or object holds, in the layout of this codec."""
        return self.told(where)[0]

    def told(self, where: Where) -> tuple[Recordings, list[Finding]]:
        """The same, and what is to be said of it."""
        form, frame = opened(where, self.layout)
        given = [column.name for column in self.conditions] if frame else []
        needed = [name for name in (self.how.time, self.how.series, *self.how.channels) if name]
        for table in frame:
            if not table.style.header and not {*needed} & {*table.names}:
                raise UserError(
                    f"{table.title} has no header (its first row looks like data), and this run "
                    f"knows columns by name; give it a first row with {', '.join(needed)}"
                )
        return recorded(form, where, frame, self.how, given, self.cutting)

    def passed(self, where: Where) -> list[Finding]:
        found = self.told(where)[1] if self.layout in ("wide", "long") else []
        return [one for one in found if one.level == "warning"]

    def windows(self, recordings: Recordings) -> Windows:
        """Their windows; those of one patient are one block."""
        fits(recordings, self.length, self.stride, self.past)
        steps = self.numbers(recordings).split(list(recordings.lengths))
        lay = Windows.throughout if self.throughout else Windows.of
        found = lay(steps, self.known(recordings), self.length, self.stride, self.past)
        if recordings.of:  # stretches between gaps are of one series
            found = replace(found, series=numbered(recordings.of, "")[found.series])
        each = whose(self, recordings)
        return (
            replace(found, block=each[found.recording(recordings.lengths)]) if len(each) else found
        )

    def numbers(self, recordings: Recordings) -> Tensor:
        """Every step, (L, C), in the order of the channels."""
        return torch.from_numpy(recordings.steps[:, self.places(recordings)]).float()

    def ends(self, where: Where) -> Ends:
        """The last steps of each recording, to go on from.

        Raises:
            UserError: none has as many steps as are given.
        """
        recordings = self.recordings(where)
        long = [i for i, length in enumerate(recordings.lengths) if length >= self.past]
        if not long:
            raise UserError(
                f"{recordings.title} has no {self.past} steps without a gap, which this run goes "
                "on from; give a longer series"
            )
        stops = torch.tensor(recordings.lengths).cumsum(0)[long]
        given = self.known(recordings)[stops - 1]
        before = behind(self.numbers(recordings), stops, self.past)
        names = [recordings.of[i] if recordings.of else "" for i in long]
        times = [recordings.onward[i] if recordings.onward else UNTIMED for i in long]
        return Ends(tuple(names), torch.cat([given, before], 1), tuple(times))

    def names(self, where: Where) -> list[str]:
        """Each window's series, time and row; of a beat its record and the time of its R-peak."""
        if self.layout != "record":
            return self.trace(where).names()
        recordings = self.recordings(where)
        found = self.windows(recordings)
        of = found.recording(recordings.lengths)
        first = torch.tensor([0, *recordings.lengths]).cumsum(0)[of]
        steps = torch.tensor(recordings.begins)[of] + found.starts - first
        names = zip(of.tolist(), steps.tolist(), strict=True)
        return [f"{recordings.of[i]} {clock(step / self.cutting.hertz)}" for i, step in names]

    def trace(self, where: Where) -> Trace:
        """Of a table, the row, time and series of every step."""
        _, frame = opened(where, self.layout)
        if not frame:
            return Trace()
        recordings = self.recordings(where)
        cells: dict[str, Sequence[str]] = {}
        if self.how.series:
            named = zip(recordings.of, recordings.lengths, strict=True)
            cells["series"] = [name for name, length in named for _ in range(length)]
        if self.how.every:
            cells["time"] = times_of(self.laid(where), recordings)
        else:
            cells["row"] = [str(row) for row in frame[0].rows[recordings.rows].tolist()]
        if self.how.time and not self.how.every:
            cells["time"] = frame[0][self.how.time].lines(recordings.rows)
        return Trace(cells, self.windows(recordings).starts, self.length)

    def gappy(self) -> Series:
        """Also end to end: only the last window of a series may share steps with another."""
        channels = tuple(replace(one, missing=True) for one in self.channels)
        return replace(self.undivided(), channels=channels, stride=self.length)

    def undivided(self) -> Series:
        """With windows that hold every step."""
        return replace(self, throughout=True)

    def places(self, recordings: Recordings) -> list[int]:
        """Where in a recording each channel of the codec is."""
        for one in self.channels:
            if one.name not in recordings.channels:
                hint = nearest(one.name, recordings.channels)
                raise UserError(f"{recordings.title} has no channel {one.name!r}; {hint}")
        where = [recordings.channels.index(one.name) for one in self.channels]
        for one, at in zip(self.channels, where, strict=True):
            if not one.missing and np.isnan(recordings.steps[:, at]).any():
                step = int(np.isnan(recordings.steps[:, at]).argmax())
                raise UserError(
                    f"{recordings.title}: channel {one.name!r} is missing at step "
                    f"{step}, which it never was in training; fill it first with twofold impute "
                    "RUN FILE, or fit anew"
                )
        return where

    def known(self, recordings: Recordings) -> Tensor:
        """What is given of each step, (L, G); NaN where the file does not say."""
        cells = {one.name: one for one in recordings.given}
        known = np.full((len(recordings.steps), len(self.conditions)), np.nan)
        for at, column in enumerate(self.conditions):
            if column.name in cells:
                known[:, at] = column.numbers(cells[column.name].texts)[cells[column.name].codes, 0]
        return torch.from_numpy(known).float()

    def number(self, name: str, words: str) -> float:
        """Of a condition, as its column tells it; of a channel before a window, as it is."""
        if name in [column.name for column in self.conditions]:
            return valued(self.conditions, name, words)
        return float(words)

    def beyond(self, name: str, words: str) -> str:
        return beyond(self.conditions, name, words)

    def left(self, where: Where, fields: Sequence[str]) -> dict[str, int]:
        """Those of stretches that are shorter than a window."""
        recordings = self.laid(where)
        steps = torch.from_numpy(recordings.steps[:, self.places(recordings)])
        short = self.short(where)[: len(steps)]
        named = torch.tensor([name in fields for name in self.titles])
        counts = (short[:, None] & (steps.isnan() | named)).sum(0).tolist()
        found = dict(zip(self.titles, counts, strict=True))
        return {name: count for name, count in found.items() if count}

    def short(self, where: Where) -> Tensor:
        """Which steps are of stretches that are shorter than a window, (L,)."""
        return self.windows(self.recordings(where)).outside()

    def complete(self, where: Where, rows: Rows, gaps: Tensor, out: Path) -> list[Path]:
        """`completed.csv`: of a table that has every step, itself with its gaps filled.

        Where steps were laid out anew, it is a table of them: of each its series, its time, what is
        known of it, and its channels. A number that was measured is as it was; steps that are in
        no window keep their gaps.
        """
        form, frame = opened(where, self.layout)
        if not frame:
            return self.write(rows, out)
        short, long = self.laid(where), self.recordings(where)
        steps = torch.from_numpy(long.steps[:, self.places(long)])
        put = put_in(self.windows(long).starts, rows.values, gaps, len(steps))
        ways = [(one.text, one.writing) for one in self.channels]
        texts = step_texts(steps.masked_fill(~put.isnan(), torch.nan), put, ways)
        columns = dict(zip(self.titles, texts, strict=True))
        path, style = folder(out) / "completed.csv", frame[0].style
        if form == "wide" and not self.how.every:
            write_text(path, frame[0].names, in_rows(frame[0], long.rows, columns, put), style)
        else:
            at = unlengthened(short, long)
            table = heads(short, self.how) | {n: [t[i] for i in at] for n, t in columns.items()}
            write_text(path, [*table], [*table.values()], Style("csv", style.delimiter))
        return [path]

    @property
    def titles(self) -> list[str]:
        """The channels' names."""
        return [one.name for one in self.channels]

    @property
    def plain(self) -> Series:
        """The same, writing numbers as a program does."""
        return replace(self, channels=tuple(replace(c, writing=Writing()) for c in self.channels))

    def native(self, rows: Rows) -> Any:
        """Windows as they came: a frame with one row a step, or an array (B, T, C)."""
        if self.layout in ("rows", "array"):
            return rows.values.detach().movedim(1, 2).cpu().numpy()  # (B, C, T) to (B, T, C)
        table = pandas()
        columns = dict(zip(self.header(), self.plain.cells(rows), strict=True))
        numbers = {one.name for one in self.channels} | {"window", self.clock(), "value"}
        return table.DataFrame({
            name: table.to_numeric(table.Series(texts).replace("", None))
            if name in numbers else texts
            for name, texts in columns.items()
        })  # fmt: skip

    def clock(self) -> str:
        """What the column is called that counts the steps of a window."""
        return self.how.time if self.how.time not in ("", "window") else "step"

    def header(self) -> list[str]:
        """The columns of a written table."""
        given = [column.name for column in self.conditions]
        if self.layout == "long":
            return ["window", self.clock(), *given, *self.how.channels]
        return ["window", self.clock(), *given, *(one.name for one in self.channels)]

    def cells(self, rows: Rows) -> list[list[str]]:
        """The columns of a written table, as texts: one row a step, or in `long` a measurement."""
        count = len(rows)
        repeat = len(self.channels) if self.layout == "long" else 1
        steps = [[str(i) for i in range(count) for _ in range(self.length)],
                 [str(t) for _ in range(count) for t in range(self.length)]]  # fmt: skip
        given = [[t for t in texts for _ in range(self.length)] for texts in self.labelled(rows)]
        head = [[t for t in texts for _ in range(repeat)] for texts in steps + given]
        shown = self.shown(rows)
        if self.layout == "wide":
            return head + shown
        names = [one.name for one in self.channels] * (count * self.length)
        return [*head, names, [text for step in zip(*shown, strict=True) for text in step]]

    def shown(self, rows: Rows) -> list[list[str]]:
        """Each channel's numbers as texts, window after window; missing is empty."""
        steps = rows.values.detach().cpu().float().movedim(1, 0).flatten(1)  # (C, B T)
        return [
            ["" if math.isnan(v) else one.text(float(str(v))) for v in line]
            for one, line in zip(self.channels, steps.numpy(), strict=True)
        ]

    def labelled(self, rows: Rows) -> list[list[str]]:
        """Each condition's texts, one a window; unknown is empty."""
        given = rows.given.detach().cpu().double().numpy()
        return [texts_of(column, given[:, i]) for i, column in enumerate(self.conditions)]

    def write(self, rows: Rows, out: Path, across: int = 0) -> list[Path]:
        """`samples.csv`, `.txt` (one line a series) or `.npz`; never over another file."""
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"samples{SUFFIXES[self.layout]}"
        if path.exists():
            raise UserError(f"{path} is already there; name another --out")
        if self.layout == "array":
            write_arrays(path, self.native(rows), self.labelled(rows))
        elif self.layout == "rows":
            numbers = [text or "NaN" for text in self.shown(rows)[0]]
            steps = [numbers[t :: self.length] for t in range(self.length)]
            write_text(path, [], self.labelled(rows) + steps, self.style)
        else:
            style = Style("csv", self.style.delimiter)
            write_text(path, self.header(), self.cells(rows), style)
        return [path]

    def draw(self, rows: Rows) -> Tensor:
        """Lines over time, a colour a channel, in deviations from its mean: ±3 fill the height."""
        mean = torch.tensor([one.mean for one in self.channels])[:, None]
        std = torch.tensor([one.std for one in self.channels])[:, None]
        return plot((rows.values.float() - mean) / (6 * std) + 0.5)

    def to_dict(self) -> dict[str, Any]:
        return {
            "channels": [asdict(one) for one in self.channels],
            "length": self.length,
            "stride": self.stride,
            "conditions": [describe(column) for column in self.conditions],
            "layout": self.layout,
            "how": asdict(self.how),
            "style": asdict(self.style),
            "cutting": asdict(self.cutting),
            "patient": self.patient,
            "past": self.past,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        how = data["how"]
        return cls(
            tuple(Channel.recall(one) for one in data["channels"]),
            data["length"],
            data["stride"],
            tuple(recall(column) for column in data["conditions"]),
            data["layout"],
            Timeline(how["time"], how["series"], tuple(how["channels"]), how.get("every", "")),
            Style(**data["style"]),
            Cutting(**data.get("cutting", {})),
            data.get("patient", ""),
            data.get("past", 0),
        )


SUFFIXES: dict[Layout, str] = {
    "wide": ".csv", "long": ".csv", "rows": ".txt", "array": ".npz", "record": ".csv",
}  # fmt: skip


def opened(where: Where, layout: Layout) -> tuple[Layout, tuple[Frame, ...]]:
    """The layout, and the table where it is one."""
    named = isinstance(where, str | Path)
    form = layout
    if form == "auto" and not library(where):
        form = LAYOUTS.get(suffix(Path(where)), "auto") if named else "array"
        form = "record" if is_record(where) else form
    if form in ("rows", "array", "record"):
        return form, ()
    frame = read_frame(where)
    return (form if form != "auto" else "long" if is_long(frame) else "wide"), (frame,)


# What a codec asks of recordings.


def by_beat(cutting: Cutting) -> bool:
    """Whether records are cut beat by beat."""
    return cutting.beats != "none"


def named(frames: tuple[Frame, ...], patient: str) -> str:
    """The column that names the series, where that is the one that says whose a row is."""
    return patient if frames else ""


def whose(kind: Series, recordings: Recordings) -> Tensor:
    """A number for the patient of each recording, (R,); none where each is for itself.

    Records are kept whole where there are at least `FEWEST`.
    """
    records = kind.layout == "record"
    if kind.patient and not recordings.of:
        raise UserError(
            f"data.patient = {kind.patient!r}: {recordings.title} does not say whose a series is; "
            "give a table with a column for it"
        )
    if records and (kind.patient or len(set(recordings.of)) >= FEWEST):
        return numbered(recordings.of, kind.patient)
    return numbered(recordings.of, "") if kind.patient else torch.zeros(0)


LAYOUTS: dict[str, Layout] = {".npy": "array", ".npz": "array", ".txt": "rows"}


def planned(
    form: Layout, frames: tuple[Frame, ...], asked: Timeline, given: Sequence[str]
) -> Timeline:
    """Which columns are what: as asked, and found out where nothing was."""
    if not frames and asked.every:
        raise UserError("data.every is for tables with a column of time, and this is none")
    if not frames:
        return asked
    frame = frames[0]
    for name in (asked.time, asked.series, *asked.channels, *given):
        if name:
            frame[name]
    rest = frame.only([name for name in frame.names if name not in given])
    if form == "long":
        return long_plan(rest, asked)
    found = (*timeline(rest), Timeline("", "", rest.names))[0]
    clock = called(rest, TIMES) if asked.every else ()
    time = asked.time or found.time or next(iter(clock), "")
    series = asked.series or found.series
    channels = asked.channels or tuple(n for n in found.channels if n not in (time, series))
    return Timeline(time, series, channels, asked.every)


def labelling(how: Timeline) -> tuple[str, ...]:
    """The column that names the series, where its name says that it is a label."""
    return (how.series,) if how.series.casefold() in CLASSES else ()


def long_plan(frame: Frame, asked: Timeline) -> Timeline:
    """The columns of a long table by their names; the first of the others names the series."""
    channel, value = (one_of(frame, names) for names in (CHANNELS, VALUES))
    time = asked.time or one_of(frame, TIMES)
    left = [name for name in frame.names if name not in (channel, value, time)]
    series = asked.series or (left[0] if left else "")
    return Timeline(time, series, (channel, value), asked.every)


def one_of(frame: Frame, names: Sequence[str]) -> str:
    """The column that has one of some names, in any letter case."""
    found = called(frame, names)
    if not found:
        raise UserError(f"{frame.title} has no column called {' or '.join(names)}; rename one")
    return found[0]


def called(frame: Frame, names: Sequence[str]) -> list[str]:
    """The columns that have one of some names, in any letter case."""
    return [name for name in frame.names if name.casefold() in names]


def recorded(
    form: Layout,
    where: Where,
    frames: tuple[Frame, ...],
    how: Timeline,
    given: Sequence[str],
    cutting: Cutting,
) -> tuple[Recordings, list[Finding]]:
    """Read in one of the layouts."""
    if form == "record":
        return monitored(Path(where), cutting)
    if form == "array":
        return array(where), []
    if form == "rows":
        return lines(Path(where)), []
    return (long if form == "long" else wide)(frames[0], how, given)


def long_enough(recordings: Recordings, how: Timeline, least: int) -> Recordings:
    """As they are; where measurements come at any time, each as long as a window at least."""
    return lengthened(recordings, least) if how.every else recordings


def times_of(short: Recordings, long: Recordings) -> list[str]:
    """The time of each step of recordings that were lengthened."""
    told = zip(short.onward, short.lengths, long.lengths, strict=True)
    return [
        text
        for one, length, whole in told
        for text in [*one.until(length), *one.texts(whole - length)]
    ]


def usual(form: Layout, recordings: Recordings) -> int:
    """The window where none is asked: all of many short series, else 24 steps."""
    lengths = recordings.lengths
    short = form in ("rows", "array") and len(lengths) > 1
    return min(lengths) if short else min(WINDOW, max(lengths))


def fits(recordings: Recordings, length: int, stride: int, past: int) -> None:
    """Windows must be positive, and at least one recording long enough."""
    if length < 1 or stride < 1 or past < 0:
        raise UserError(
            f"data.window = {length}, data.stride = {stride}, data.past = {past}: the first two "
            "must be at least 1, the last no less than 0"
        )
    if max(recordings.lengths) < past + length:
        before = f" with {past} steps before it" if past else ""
        raise UserError(
            f"{recordings.title} has at most {max(recordings.lengths)} steps without a "
            f"gap, fewer than a window of {length}{before}; set data.window"
        )


def channel(recordings: Recordings, at: int) -> Channel:
    """What is learnt of one channel; its mean is NaN where it is missing everywhere."""
    steps = recordings.steps[:, at]
    known = steps[~np.isnan(steps)]
    name, places = recordings.channels[at], recordings.decimals[at]
    writing = recordings.writings[at] if recordings.writings else Writing()
    always = recordings.fewest[at] if recordings.fewest else 0
    if not len(known):
        return Channel(name, math.nan, 1.0)
    std = float(known.std())
    scale = std if std > 1e-9 * float(np.abs(known).max()) else 1.0
    gaps = len(known) < len(steps)
    return Channel(name, float(known.mean()), scale, places, gaps, writing, always)


def condition(recordings: Recordings, at: int) -> Column:
    """The codec of something given."""
    cells = recordings.given[at]
    frame = Frame(recordings.title, (cells,), np.arange(1, len(cells) + 1))
    asked = "category" if cells.name == "label" else ""
    column, _ = learn(Look(frame, cells, blanks(MISSING)), asked)
    if not column.fields:
        raise UserError(
            f"data.given: column {cells.name!r} is {describe(column)['type']}, "
            "which tells nothing; leave it out"
        )
    return column


def said(kind: Series, recordings: Recordings) -> list[Finding]:
    """How the data was read, and what was left out."""
    kept = {one.name for one in kind.channels}
    gone = [name for name in recordings.channels if name not in kept]
    why = {
        "wide": f"column {kind.how.time!r} rises in equal steps and the channels are numbers"
        if kind.how.time else "its layout was named, one row a step",
        "long": "it has columns for channel and value",
        "rows": "each line is one series",
        "array": "it is an array of time and channels",
        "record": "it is a WFDB record",
    }[kind.layout]  # fmt: skip
    count, total = len(recordings.lengths), len(recordings.steps)
    text = (
        f"read as series ({kind.layout}) since {why}: {plural(count, 'piece')} without a gap, "
        f"{plural(total, 'step')}, windows of {kind.length}"
    )
    flat = [one.name for one in kind.channels if constant(recordings, one.name)]
    instead = '; as a table instead: data.kind = "tables"' if kind.layout != "record" else ""
    return [
        Finding("note", text + instead),
        *(Finding("warning", f"channel {name!r} is always missing; left out") for name in gone),
        *(Finding("warning", f"channel {name!r} is the same at every step") for name in flat),
    ]


def constant(recordings: Recordings, name: str) -> bool:
    steps = recordings.steps[:, recordings.channels.index(name)]
    return len(np.unique(steps[~np.isnan(steps)])) == 1


def texts_of(column: Column, values: NDArray[np.float64]) -> list[str]:
    """Values (B,) as texts, empty where unknown."""
    known = ~np.isnan(values)
    texts = iter(column.texts(values[known, None]))
    return [next(texts) if one else "" for one in list(known)]


def write_arrays(path: Path, x: NDArray[np.float32], labels: Sequence[Sequence[str]]) -> None:
    """A .npz with the windows, x (B, T, C), and with their labels, y (B,), where there are any."""
    if labels:
        np.savez_compressed(path, x=x, y=np.array(labels[0]))
    else:
        np.savez_compressed(path, x=x)


def plot(height: Tensor) -> Tensor:
    """Lines at heights (B, C, T), 0 the bottom and 1 the top, as pictures (B, 3, TALL, BROAD)."""
    canvas = torch.full((len(height), 3, TALL, BROAD), 250.0)
    at = torch.linspace(0, height.shape[2] - 1, BROAD + 1)
    left = at.floor().long().clamp(max=height.shape[2] - 1)
    right = (left + 1).clamp(max=height.shape[2] - 1)
    line = height[..., left] + (at - left) * (height[..., right] - height[..., left])  # (B, C, W+1)
    row = (1 - line).clamp(0, 1) * (TALL - 1)
    top = torch.minimum(row[..., 1:], row[..., :-1]) - 0.5  # (B, C, W)
    foot = torch.maximum(row[..., 1:], row[..., :-1]) + 0.5
    rows = torch.arange(TALL)[:, None]
    for i in range(height.shape[1]):
        inked = (rows >= top[:, i, None]) & (rows <= foot[:, i, None])  # (B, H, W), NaN nowhere
        ink = torch.tensor(INK[i % len(INK)], dtype=canvas.dtype).reshape(1, 3, 1, 1)
        canvas = torch.where(inked[:, None], ink, canvas)
    return canvas.to(torch.uint8)
