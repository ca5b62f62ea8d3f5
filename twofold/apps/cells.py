"""Rows without axes in the words of a file: cells by column, and by what is modelled.

A table says them as it would write them. A vector has numbers, in six digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from twofold.core.space import Field
from twofold.data.kinds.tables import Tables
from twofold.data.sources import Rows
from twofold.runs.run import Run


def cells(run: Run, rows: Rows) -> Mapping[str, Sequence[str]]:
    """What a file would say of rows without axes, by column; nothing of others."""
    if isinstance(run.kind, Tables):
        return run.kind.told(rows)
    return {} if run.space.axes else by_field(run, rows)


def by_field(run: Run, rows: Rows) -> Mapping[str, Sequence[str]]:
    """What each field of rows without axes is, in the words of a file."""
    if isinstance(run.kind, Tables):
        return run.kind.told_by_field(rows)
    flat = run.kind.settled(rows).values
    return {
        n: [worded(v) for v in flat[:, i].tolist()] for i, n in enumerate(columns(run.space.fields))
    }


def columns(fields: Sequence[Field]) -> list[str]:
    """A name for each value of a row."""
    return [
        field.name if field.size == 1 else f"{field.name} {i + 1}"
        for field in fields
        for i in range(field.size)
    ]


def worded(value: float) -> str:
    """One number in six digits; nothing where it is missing."""
    return "" if math.isnan(value) else f"{value:.6g}"
