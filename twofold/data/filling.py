"""Series of a table written again, step by step, with numbers put into gaps.

A number that was measured is written as it is, by the shortest text that is exactly it; one that
was put in has the decimals of its channel. What is neither stays empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twofold.data.columns import written
from twofold.data.frames import Frame
from twofold.data.recordings import Recordings, Timeline
from twofold.data.writing import Writing

Texts = Sequence[str]


def step_texts(
    steps: Tensor, put: Tensor, ways: Sequence[tuple[Callable[[float], str], Writing]]
) -> list[Texts]:
    """Each channel's numbers as texts.

    Args:
        steps: as they were measured, (L, C) in float64, NaN in a gap. put: what is put in, (L, C),
            NaN elsewhere. ways: of each channel, how what is put in is written, and what else
            there is to how its numbers are, (C,).

    >>> nan, way = float("nan"), ("{:.1f} %".format, Writing(suffix=" %"))
    >>> measured, put = torch.tensor([[35.25], [nan], [nan]]), torch.tensor([[nan], [3.14], [nan]])
    >>> step_texts(measured, put, [way])
    [['35.25 %', '3.1 %', '']]
    """
    channels = zip(steps.T.tolist(), put.T.tolist(), ways, strict=True)
    return [
        [
            way.put(exact(a)) if a == a else text(b) if b == b else ""
            for a, b in zip(*pair, strict=True)
        ]
        for *pair, (text, way) in channels
    ]


def exact(number: float) -> str:
    """The shortest text that is exactly a number."""
    return written(number, 17, 0)


def put_in(starts: Tensor, values: Tensor, gaps: Tensor, length: int) -> Tensor:
    """What windows have in their gaps, at its steps: (L, C), NaN elsewhere.

    Args:
        starts: the first step of each window, (N,). values, gaps: (N, C, T). length: L.
    """
    found = torch.full((length, values.shape[1]), torch.nan, dtype=torch.float64)
    steps = (starts[:, None] + torch.arange(values.shape[2])).flatten()  # (N T,)
    shown, holes = (x.movedim(1, 2).flatten(0, 1) for x in (values.double(), gaps))  # (N T, C)
    at, channel = holes.nonzero(as_tuple=True)
    found[steps[at], channel] = shown[at, channel]
    return found


def in_rows(
    frame: Frame, rows: NDArray[np.intp], columns: Mapping[str, Texts], put: Tensor
) -> list[Texts]:
    """Every column of a table, with texts put into cells that had gaps.

    Args:
        rows: of the table, of each step, (L,). columns: texts of every step, by column.
        put: numbers in gaps, in the order of those columns, (L, C).
    """
    whole = {cells.name: cells.lines() for cells in frame.columns}
    for at, (name, texts) in enumerate(columns.items()):
        for step in (~put[:, at].isnan()).nonzero()[:, 0].tolist():
            whole[name][rows[step]] = texts[step]
    return list(whole.values())


def heads(recordings: Recordings, how: Timeline) -> dict[str, Texts]:
    """What stands before the channels of each step: its series, its time, what is known of it."""
    lengths = recordings.lengths
    times = zip(recordings.onward, lengths, strict=True)
    named = [
        name for name, length in zip(recordings.of, lengths, strict=True) for _ in range(length)
    ]
    head: dict[str, Texts] = {how.series: named} if how.series else {}
    head[how.time] = [text for one, length in times for text in one.until(length)]
    return head | {one.name: one.lines() for one in recordings.given}


def unlengthened(short: Recordings, long: Recordings) -> NDArray[np.intp]:
    """Where the steps of recordings are among those of the same, made longer."""
    begins = np.cumsum([0, *long.lengths[:-1]])
    pairs = zip(begins, short.lengths, strict=True)
    return np.concatenate([np.arange(begin, begin + length) for begin, length in pairs])
