"""Headings: the names of columns, where one of two tables of the same form has none.

A run knows its columns by name. A table whose first row looks like data has no names, and neither
do the columns of a run that was trained on such a table. Then columns are taken in their order, and
that is said; but only where there are as many, and each holds what the run knows of it. Two tables
that both have names are never matched by order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twofold.core.errors import UserError
from twofold.data.columns import Column, Label, Modelled
from twofold.data.frames import Frame
from twofold.data.kind import Finding

ENOUGH = 0.5
"""The share of the cells of a column that must be as the run knows them."""

SAID = {
    True: ("has a header, and the data of this run had none", "take its first row out"),
    False: ("has no header (its first row looks like data)", "give it the first row {}"),
}
"""What is wrong with a table that has a header, or none, and what to do."""


def names_data(frame: Frame, columns: Sequence[Column]) -> bool:
    """Whether the first row of a table without a header holds nothing that its columns could."""
    known = {column.name: column for column in columns if isinstance(column, Modelled)}
    pairs = [(known[c.name], c.texts[c.codes[0]]) for c in frame.columns if c.name in known]
    return bool(pairs) and not any(text in held(column, [text]) for column, text in pairs)


def by_order(frame: Frame, columns: Sequence[Column], blank: frozenset[str]) -> Frame:
    """A table whose columns are called as a run calls them, one after the other.

    Args:
        frame: the table. columns: of the run. blank: the texts that mean missing.

    Raises:
        UserError: there are not as many, or one holds something else.
    """
    names = [column.name for column in columns]
    why, do = SAID[frame.style.header]
    do = do.format(frame.style.delimiter.join(names))
    if len(names) != len(frame.columns):
        raise UserError(
            f"{frame.title} {why}, and {len(frame.columns)} columns where the run knows "
            f"{len(names)}; {do}"
        )
    for cells, column in zip(frame.columns, columns, strict=True):
        texts = [text for text in cells.texts if text.casefold() not in blank]
        if isinstance(column, Modelled) and len(held(column, texts)) < ENOUGH * len(texts):
            raise UserError(
                f"{frame.title} {why}, and its columns are not in the order of the run: "
                f"{texts[0]!r} is no {column.name!r}; {do}"
            )
    said = f"{frame.title} {why}; its columns are taken in their order: {', '.join(names)}"
    called = tuple(replace(c, name=name) for c, name in zip(frame.columns, names, strict=True))
    found = (*frame.findings, Finding("warning", said))
    return replace(frame, columns=called, heads=frame.names, findings=found)


def held(column: Column, texts: Sequence[str]) -> list[str]:
    """Those of some texts that a column can hold as they are."""
    if isinstance(column, Label):
        return [text for text in texts if text in {*column.labels, *column.others}]
    known = ~np.isnan(column.numbers(texts)).any(axis=1)
    return [texts[at] for at in np.flatnonzero(known).tolist()]
