"""A file that grows, scored as it grows: each new row of a table, each new window of a series.

Only complete lines are read, and each once. A window ends at the newest line and needs those before
it, so that as many lines as a window has are remembered; none spans a gap in time. The threshold is
that of the run (`anomaly.py`), and does not move: what comes is judged by what was normal when the
run was trained, however long one listens.
"""

from __future__ import annotations

import csv
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from twofold.apps.anomaly import Detector
from twofold.apps.score import Asked, Blind, Scored, unseen_in
from twofold.core.errors import UserError
from twofold.core.words import plural
from twofold.data.kind import Kind, Where
from twofold.data.kinds.series import Series
from twofold.data.kinds.tables import Tables
from twofold.runs.run import Run

WAIT = 0.5
"""Seconds between two looks at the file."""
AT_ONCE = 64
"""Lines that are scored together, at most."""


@dataclass(frozen=True)
class Heard:
    """One new observation.

    Args:
        row: of its last line in the file, the header counted. when: the time in that line, or the
            clock's where the file has none.
    """

    row: int
    when: str
    score: float
    p: float
    abnormal: bool

    def __str__(self) -> str:
        return f"alarm  {self.when}  row {self.row}  score {self.score:.4g}  p {self.p:.3g}"


@dataclass
class Growing:
    """A text file that others append to: its complete lines, each once.

    Args:
        taken: bytes that were read. lines: that were.
    """

    path: Path
    taken: int = 0
    lines: int = 0

    def fresh(self) -> list[str]:
        """The lines that were completed since the last look.

        Raises:
            UserError: the file is shorter than it was.
        """
        with self.path.open("rb") as file:
            size = file.seek(0, 2)
            if size < self.taken:
                raise UserError(f"{self.path} is shorter than it was; start again on the new file")
            file.seek(self.taken)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        found = whole.decode("utf-8-sig" if not self.taken else "utf-8", "replace").splitlines()
        self.taken, self.lines = self.taken + len(whole), self.lines + len(found)
        return found


@dataclass
class Follower:
    """A run that listens to a file.

    Args:
        found: the detector. kind: of the data, one window a step. line: the threshold's value.
        header: the first line of the file, where it names the columns. before: lines that the next
            window needs.
    """

    found: Detector
    kind: Tables | Series
    blind: Blind
    asked: Asked
    growing: Growing
    header: tuple[str, ...]
    before: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls, found: Detector, run: Run, growing: Growing, there: Sequence[str], asked: Asked
    ) -> Follower:
        """Listen to a file, past the lines that were there."""
        kind = followed(run.kind, growing.path)
        named = int(kind.style.header)
        header, rest = there[:named], there[named:]
        blind = Blind.of(run.given, ("label", asked.labels))
        made = cls(found, kind, blind, asked, growing, tuple(header))
        made.remember(rest)
        return made

    @property
    def length(self) -> int:
        """Lines of one observation."""
        return self.kind.length if isinstance(self.kind, Series) else 1

    def remember(self, lines: Sequence[str]) -> None:
        """Keep as many lines as the next window begins with."""
        kept = self.length - 1
        self.before = [*self.before, *lines][-kept:] if kept else []

    def new(self, say: Callable[[str], None]) -> Iterator[Heard]:
        """Every observation that the file has got since the last look.

        Args:
            say: is told of lines that could not be read, which are passed over.
        """
        first = self.growing.lines + 1
        lines = [line for line in self.growing.fresh() if line.strip()]
        for start in range(0, len(lines), AT_ONCE):
            yield from self.careful(lines[start : start + AT_ONCE], first + start, say)

    def careful(self, lines: list[str], row: int, say: Callable[[str], None]) -> Iterator[Heard]:
        """What some lines add; where one of them cannot be read, line by line without it."""
        try:
            found = self.heard(lines, row, say)
        except UserError as error:
            if len(lines) > 1:
                for at, line in enumerate(lines):
                    yield from self.careful([line], row + at, say)
                return
            full = f"; nothing is scored until {self.length} lines have come after it"
            say(f"row {row} is passed over: {error}{full * (self.length > 1)}")
            self.before = []
            return
        self.remember(lines)
        yield from found

    def heard(self, lines: list[str], row: int, say: Callable[[str], None]) -> list[Heard]:
        """What some new lines add, the first of which has this number in the file.

        Args:
            say: is told of what was never seen in training; a row of it is abnormal, as in `score`.
        """
        text = [*self.before, *lines]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.growing.path.name
            path.write_text("\n".join([*self.header, *text]) + "\n", encoding="utf-8")
            try:
                if self.waits(path):
                    return []
                source = self.blind(self.kind.open(path))
                strange = unseen_in(self.kind, path, len(source)).any(1)
            except UserError as error:
                raise UserError(placed(str(error), path, self.growing.path, row)) from None
            last = self.last(path)
        for at in strange.nonzero().flatten().tolist():
            said = f"{self.growing.path} row {row + last[at] - len(self.before)}"
            say(f"{said} has a category that was never seen in training, and is abnormal")
        line = self.found.threshold(self.asked.threshold, self.asked.rate)
        judged = self.found.judged(source, strange, self.asked.threshold, self.asked.rate)["score"]
        times = [self.time(each) for each in text]
        return [
            Heard(row + at - len(self.before), times[at], score, p, score > line.value)
            for at, score, p in zip(last, judged.raw.tolist(), judged.p.tolist(), strict=True)
        ]

    def waits(self, path: Path) -> bool:
        """Whether lines that can be read are no window yet, or none since a gap in time.

        Raises:
            UserError: they cannot be read, or their time runs backwards.
        """
        if not isinstance(self.kind, Series):
            return False
        recordings = self.kind.laid(path)
        self.kind.numbers(recordings)
        if (recordings.rows[1:] < recordings.rows[:-1]).any():
            raise UserError(f"{path} row 0: its time is before that of the line above it")
        return max(self.kind.recordings(path).lengths) < self.length

    def last(self, path: Path) -> list[int]:
        """The line, from 0, at which each observation ends."""
        if not isinstance(self.kind, Series):
            return list(range(len(self.kind.open(path))))
        starts = self.kind.open(path).starts
        return (starts + self.length - 1).tolist()

    def time(self, line: str) -> str:
        """The time that a line says, or the clock's."""
        name = self.kind.how.time if isinstance(self.kind, Series) else ""
        if name and self.header:
            mark = self.kind.style.delimiter
            names, cells = csv.reader([*self.header, line], delimiter=mark)
            return dict(zip((one.strip() for one in names), cells, strict=False))[name].strip()
        return time.strftime("%Y-%m-%d %H:%M:%S")


def placed(text: str, path: Path, own: Path, row: int) -> str:
    """What is wrong with a line, by the file and row that it was read from and not by its copy."""
    return re.sub(re.escape(str(path)) + r"( row \d+)?", lambda _: f"{own} row {row}", text)


def followed(kind: Kind, path: Path) -> Tables | Series:
    """The codec of a file that can be followed: one row, or one step, a line."""
    wide = isinstance(kind, Series) and kind.layout == "wide" and not kind.how.series
    if not (wide or isinstance(kind, Tables)) or path.suffix.lower() in (".gz", ".parquet", ".pq"):
        raise UserError(
            f"--follow {path}: only a table, or one series with a row a step, as plain text grows "
            "line by line"
        )
    assert isinstance(kind, Tables | Series)
    if isinstance(kind, Series):
        return replace(kind.undivided(), stride=1)
    return kind.with_strangers()


def growing(run: Run, where: Where) -> Growing:
    """A file to listen to, of the form that the run knows."""
    if not isinstance(where, str | Path) or not Path(where).is_file():
        raise UserError(f"--follow needs a file, and {where} is none")
    followed(run.kind, Path(where))
    return Growing(Path(where))


def follow(
    follower: Follower,
    scored: Scored,
    out: Path,
    say: Callable[[str], None],
    wait: float = WAIT,
) -> None:
    """Say each alarm and write it into `alarms.csv`, until the user stops it (Ctrl-C)."""
    path, count, alarms = out / "alarms.csv", 0, 0
    heard = plural(len(scored.names), "observation")
    say(f"listening to {follower.growing.path}, past {heard}; Ctrl-C stops")
    with path.open("x", encoding="utf-8", newline="", buffering=1) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["time", "row", "score", "p"])
        try:
            while True:
                for one in follower.new(say):
                    count += 1
                    if one.abnormal:
                        alarms += 1
                        writer.writerow([one.when, one.row, f"{one.score:.6g}", f"{one.p:.6g}"])
                        say(str(one))  # what was said is in the file, whenever it is stopped
                time.sleep(wait)
        except KeyboardInterrupt:
            say(f"stopped after {count:,} new observations, {alarms:,} alarms: {path}")
