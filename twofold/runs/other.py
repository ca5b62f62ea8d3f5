"""Other data than a run's own, of which it is asked something, row by row.

What cannot be read, or is like nothing that the run knows, has no row and is told with its place; a
row that comes twice is answered twice. Each answer can be laid beside the user's file by the number
of its row there.
"""

from __future__ import annotations

from dataclasses import dataclass

from twofold.data.doctor import locate
from twofold.data.kind import Where
from twofold.data.sources import Source
from twofold.runs.run import Run


@dataclass(frozen=True)
class Other:
    """Observations.

    Args:
        source: they. names: what the user calls each. rows: the number of each in their file; none
            where a file is no list of rows. said: what has no row here, and why.
    """

    source: Source
    names: tuple[str, ...]
    rows: tuple[int, ...] = ()
    said: tuple[str, ...] = ()


def other(run: Run, where: Where) -> Other:
    """Open data that a run is asked of."""
    if isinstance(where, Source):
        return Other(where, numbers(where))
    kind = run.kind.lenient()
    place = locate(where, kind.name).where
    source = kind.open(place)
    said = tuple(found.text for found in kind.passed(place))
    return Other(source, tuple(kind.names(place)) or numbers(source), tuple(kind.rows(place)), said)


def numbers(source: Source) -> tuple[str, ...]:
    """Rows by their number, from 1."""
    return tuple(str(row) for row in range(1, len(source) + 1))
