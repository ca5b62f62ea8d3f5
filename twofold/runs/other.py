"""Other data than a run's own, of which it is asked something, row by row.

What cannot be read, or is like nothing that the run knows, is passed over and told with its place;
a row that comes twice is answered twice. Each answer can be laid beside the user's file by the
number of its row there.
"""

from __future__ import annotations

from dataclasses import dataclass

from twofold.data.doctor import fitting
from twofold.data.kind import Kind, Where
from twofold.data.sources import Source
from twofold.runs.run import Run


def titles(run: Run, where: Where, source: Source) -> list[str]:
    """What the user calls the observation of each row; nothing where they have no names.

    Args:
        run: the run. where: the data. source: its rows, or some of them.
    """
    if isinstance(where, Source):
        return []
    return Other(run.kind, fitting(where, run.kind).where).titles(source)


def numbers(run: Run, where: Where, n: int) -> list[int]:
    """The number of each of n observations in its file; its place where that has none."""
    found = () if isinstance(where, Source) else run.kind.rows(fitting(where, run.kind).where)
    return list(found) if len(found) == n else list(range(1, n + 1))


@dataclass(frozen=True)
class Other:
    """Observations.

    Args:
        kind: how they are read. where: the path, or the object in memory.
    """

    kind: Kind
    where: Where

    @classmethod
    def of(cls, run: Run, where: Where) -> Other:
        """Data that a run is asked of."""
        kind = run.kind.lenient()
        return cls(kind, fitting(where, kind).where)

    def open(self) -> Source:
        """Their rows."""
        return self.kind.open(self.where)

    def names(self, count: int) -> list[str]:
        """What the user calls each of so many rows, its number where it has no name."""
        return self.kind.names(self.where) or [str(row) for row in range(1, count + 1)]

    def titles(self, source: Source) -> list[str]:
        """What the user calls the observation of each row; nothing where they have no names."""
        names, at = self.kind.names(self.where), source.pieces()[:, 0].tolist()
        return [names[i] for i in at] if max(at, default=0) < len(names) else []

    def rows(self) -> list[int]:
        """The number of each row in its file; none where that is no list of rows."""
        return self.kind.rows(self.where)

    def passed(self) -> list[str]:
        """What is passed over, and why."""
        return [found.text for found in self.kind.passed(self.where)]
