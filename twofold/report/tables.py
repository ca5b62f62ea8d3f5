r"""The sections of a table: how each column is distributed, how columns hang together, some rows.

How much two columns have to do with each other is one number in [0, 1] for any pair of types: the
first canonical correlation (Hotelling 1936) between their channels, as networks see them. For two
numbers it is |r|, for a number and a category the correlation ratio η, for two categories the
largest correlation of their scores. With orthonormal bases Q_a, Q_b of the centred channels,

    \rho(a, b) = \sigma_{\max}(Q_a^\top Q_b).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from twofold.core.space import Space
from twofold.data.sources import Rows
from twofold.report.charts import Labels, bars, heat, legend, steps
from twofold.report.page import Html, Section, figure, join, table, tag
from twofold.report.scale import short
from twofold.report.seen import Seen

COLUMNS = 30
"""Columns that are shown, at most."""
BINS = 24
COMMON = 8
"""Categories of a column that are shown; the rest are one bar."""
SHOWN = 8
"""Rows that are printed."""
SIDES = [("real, held out", 0), ("drawn", 1)]


@dataclass(frozen=True)
class Column:
    """A column on both sides: numbers, or texts; None where a cell is missing."""

    name: str
    real: Sequence[Any]
    fake: Sequence[Any]
    numeric: bool


def applies(seen: Seen) -> bool:
    return seen.is_vector and seen.samples and len(seen.real) > 1


def marginals(seen: Seen) -> list[Section]:
    """Each column's distribution, real and drawn."""
    if not applies(seen):
        return []
    columns = list(columns_of(seen))
    charts = [figure(chart(column), missing(column)) for column in columns[:COLUMNS]]
    more = f" The first {COLUMNS} of {len(columns)} columns." if len(columns) > COLUMNS else ""
    text = (
        f"{len(seen.real):,} rows of the {seen.held_name} and as many drawn, in the units of the "
        f"file.{more}"
    )
    body = join([tag("p", text), legend(SIDES), tag("div", *charts, class_="charts")])
    return [Section("Column by column", body)]


def columns_of(seen: Seen) -> Iterator[Column]:
    """The columns in the user's own units: of a data frame, or of an array by field."""
    real, fake = (seen.run.kind.native(rows) for rows in (seen.real, seen.fake))
    if hasattr(real, "columns"):
        for name in real.columns:
            yield framed(str(name), cells(real[name]), cells(fake[name]))
        return
    names = [f"{f.name} {i + 1}" if f.size > 1 else f.name for f in seen.run.space.fields
             for i in range(f.size)]  # fmt: skip
    for name, a, b in zip(
        names, seen.real.values.unbind(1), seen.fake.values.unbind(1), strict=True
    ):
        yield Column(name, gaps(a), gaps(b), True)


def cells(series: Any) -> list[Any]:
    """A column of a frame, None where missing."""
    return [None if gone else value for value, gone in zip(series, series.isna(), strict=True)]


def gaps(values: Tensor) -> list[Any]:
    return [None if math.isnan(v) else v for v in values.tolist()]


def framed(name: str, real: Sequence[Any], fake: Sequence[Any]) -> Column:
    """A column of a frame; it is numeric where every cell is a number, or a moment."""
    if stamps := as_stamps(real, fake):
        return Column(name, *stamps, True)
    every = [v for v in (*real, *fake) if v is not None]
    plain = all(isinstance(v, int | float) or hasattr(v, "__float__") for v in every)
    numeric = plain and not any(isinstance(v, bool | str) for v in every) and bool(every)
    few = len(set(every)) <= 2
    return Column(name, real, fake, numeric and not few)


def as_stamps(real: Sequence[Any], fake: Sequence[Any]) -> tuple[list[Any], list[Any]] | None:
    """Moments as years, or nothing where a cell is no moment."""
    every = [v for v in (*real, *fake) if v is not None]
    if not every or not all(hasattr(v, "timestamp") for v in every):
        return None
    year = 365.2425 * 86400
    a, b = ([v if v is None else 1970 + v.timestamp() / year for v in s] for s in (real, fake))
    return a, b


def chart(column: Column) -> Html:
    """A histogram of numbers, or bars of categories."""
    return (histogram if column.numeric else shares)(column)


def histogram(column: Column) -> Html:
    """Shares by bin; the bins hold the middle 99 % of the real values, ends included."""
    a, b = (torch.tensor([float(v) for v in s if v is not None], dtype=torch.float64)
            for s in (column.real, column.fake))  # fmt: skip
    if not len(a):
        return bars(["all missing"], [[1.0]], Labels(column.name))
    low, high = (float(a.quantile(q)) for q in (0.005, 0.995))
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = torch.linspace(low, high, BINS + 1, dtype=torch.float64)
    counted = [torch.histogram(s.clamp(low, high), edges)[0] / max(1, len(s)) for s in (a, b)]
    return steps(edges.tolist(), [share.tolist() for share in counted], Labels(column.name))


def shares(column: Column) -> Html:
    """How often the commonest categories occur."""
    sides = [Counter(str(v) for v in s if v is not None) for s in (column.real, column.fake)]
    ranked = [name for name, _ in (sides[0] + Counter()).most_common(COMMON)]
    names = ranked or [name for name, _ in sides[1].most_common(COMMON)]
    sized = [[side[n] / max(1, side.total()) for n in names] for side in sides]
    if any(set(side) - set(names) for side in sides):
        names = [*names, "all others"]
        sized = [[*share, 1 - sum(share)] for share in sized]
    return bars(names, sized, Labels(column.name))


def missing(column: Column) -> str:
    """What is missing on both sides, where something is."""
    a, b = (sum(v is None for v in s) / max(1, len(s)) for s in (column.real, column.fake))
    return f"missing {a:.1%} real, {b:.1%} drawn" if a or b else ""


def together(seen: Seen) -> list[Section]:
    """How columns hang together, real beside drawn."""
    space = seen.run.space
    if not applies(seen) or not len(space.fields) > 1:
        return []
    kept = space.fields[:COLUMNS]
    short_space, names = Space(kept), [field.name for field in kept]
    real, fake = (
        association(short_space, rows.values[:, : short_space.size])
        for rows in (seen.real, seen.fake)
    )
    off = (real - fake).abs()
    i, j = divmod(int(off.argmax()), len(kept))
    mean = float(off.sum()) / (len(kept) * (len(kept) - 1))
    maps = [
        figure(heat(m.tolist(), names, Labels(title)), "")
        for m, title in ((real, "real, held out"), (fake, "drawn"))
    ]
    text = (
        "How much two columns have to do with each other, from 0 (pale) to 1 (deep): the first "
        "canonical correlation of their values, for any pair of types. The two maps differ by "
        f"{short(mean)} on average, and most, by {short(float(off[i, j]))}, between {names[i]} "
        f"and {names[j]}."
    )
    return [Section("Columns together", join([tag("p", text), tag("div", *maps, class_="pair")]))]


def association(space: Space, values: Tensor) -> Tensor:
    """The first canonical correlation between any two fields: (B, F) to (fields, fields)."""
    x = space.encode(values.double())
    bases = [basis(channels) for _, channels in space.parts(x)]
    rho = torch.eye(len(bases), dtype=torch.float64)
    for i, a in enumerate(bases):
        for j, b in enumerate(bases[:i]):
            rho[i, j] = rho[j, i] = leading(a, b)
    return rho


def basis(channels: Tensor) -> Tensor:
    """An orthonormal basis (B, r) of the centred channels (B, C)."""
    u, s, _ = torch.linalg.svd(channels - channels.mean(0), full_matrices=False)
    return u[:, s > 1e-9 * max(float(s[0]), 1e-30)] if float(s[0]) > 1e-12 else u[:, :0]


def leading(a: Tensor, b: Tensor) -> float:
    """The largest singular value of aᵀ b; 0 where a side does not vary."""
    if not a.shape[1] or not b.shape[1]:
        return 0.0
    return float(torch.linalg.matrix_norm(a.T @ b, 2).clamp(0, 1))


def rows_drawn(seen: Seen) -> list[Section]:
    """Some rows as they would be written."""
    if not (seen.is_vector and seen.samples):
        return []
    head, lines = printed(seen, seen.run.draw(SHOWN, {}, seen.seed))
    if not head:
        return []
    text = f"{SHOWN} rows drawn afresh with seed {seen.seed}; none is picked by hand."
    return [Section("Draws", table(text, head, lines, "rows"))]


def printed(seen: Seen, rows: Rows) -> tuple[list[str], list[list[str]]]:
    """Rows of a data frame, or of an array, as texts under their names."""
    native = seen.run.kind.native(rows)
    if hasattr(native, "columns"):
        names = [str(name) for name in native.columns]
        columns = [cells(native[name]) for name in native.columns]
        lines = [list(line) for line in zip(*columns, strict=True)]
    else:
        names = [f.name for f in seen.run.space.fields for _ in range(f.size)]
        lines = [gaps(row) for row in rows.values]
    return ["", *names], [[str(i + 1), *map(shown, line)] for i, line in enumerate(lines)]


def shown(cell: Any) -> str:
    """A cell as text; a missing one is a dash."""
    if cell is None:
        return "–"
    return f"{cell:.6g}" if isinstance(cell, float) else str(cell)
