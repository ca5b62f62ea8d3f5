"""Figures together, as a table: what `measure` returns, and what a terminal and a notebook show.

Columns in which no figure has anything, such as a floor where none has a meaning, are left out.
"""

from __future__ import annotations

import html
import math
from typing import final

from twofold.core.errors import UserError, nearest
from twofold.measures.measure import Figure

HEADS = ("measure", "value", "95 % interval", "floor", "baseline", "better", "n")
NONE = "–"


def number(value: float) -> str:
    """A figure with four digits; a dash for none."""
    return f"{value:.4g}" if math.isfinite(value) else NONE


def between(low: float, high: float) -> str:
    """An interval; a dash where there is none, as of a single observation.

    >>> between(0.25, 0.5), between(math.nan, math.nan)
    ('0.25 … 0.5', '–')
    """
    known = math.isfinite(low) or math.isfinite(high)
    return f"{number(low)} … {number(high)}" if known else NONE


def row(figure: Figure) -> tuple[str, ...]:
    """The cells of one figure, under `HEADS`."""
    baseline = f"{number(figure.baseline)} {figure.baseline_name}".strip(f" {NONE}")
    return (
        figure.name,
        number(figure.value),
        between(figure.low, figure.high),
        number(figure.floor),
        baseline or NONE,
        figure.better,
        str(figure.n),
    )


@final
class Figures(list[Figure]):
    """Figures in their order.

    >>> made = Figures([Figure("recall", 0.5, 0.4, 0.6, 100, "higher", floor=0.9)])
    >>> made
    measure  value  95 % interval  floor  better  n
    recall   0.5    0.4 … 0.6      0.9    higher  100
    >>> made.named("recall").value
    0.5
    """

    def named(self, name: str) -> Figure:
        """The figure of this name.

        Raises:
            UserError: there is none.
        """
        for figure in self:
            if figure.name == name:
                return figure
        raise UserError(f"no figure {name!r}; {nearest(name, [figure.name for figure in self])}")

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Heads and rows, of the columns in which some figure has something."""
        rows = [row(figure) for figure in self]
        kept = [at for at in range(len(HEADS)) if not rows or any(one[at] != NONE for one in rows)]
        return [HEADS[at] for at in kept], [[one[at] for at in kept] for one in rows]

    def __repr__(self) -> str:
        heads, rows = self.table()
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in (heads, *rows)
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        heads, rows = self.table()
        lines = [
            "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in line)
            for tag, line in (("th", heads), *(("td", one) for one in rows))
        ]
        return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
