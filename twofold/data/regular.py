r"""Measurements at any time, as steps that are equally far apart.

Time is cut into intervals of one length δ, and a step of a series is what was measured in one of
them: the mean of a channel's measurements there, or missing where there was none,

$$ x_k = \frac1{|M_k|} \sum_{i \in M_k} m_i, \qquad
 M_k = \{ i : k \delta \le t_i < (k + 1)\, \delta \}. $$

A model of series whose values may be missing is then one of series that are measured irregularly,
and filling its gaps is telling a channel at times at which nobody measured it. Intervals begin at
multiples of δ, and a series has those from its first measurement to its last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twofold.core.errors import UserError

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

MOST = 200_000_000
"""Numbers that are held at most."""
UNITS = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
EVERY = re.compile(r"\s*([\d.]+)\s*(s|min|h|d)?\s*")
HAIR = 1e-6  # of an interval: 0.3 / 0.1 is to be three


@dataclass(frozen=True)
class Track:
    """Steps of several series, in the order of series and time.

    Args:
        series: the number of each step's series, (L,). time: of each step, (L,).
        steps: (L, C), NaN where missing. rows: where in the file the rest of a step is, (L,).
    """

    series: Rows
    time: Array
    steps: Array
    rows: Rows


def interval(text: str, dates: bool) -> float:
    """δ, in seconds where time is dates and else in the units of the column.

    >>> interval("15min", dates=True), interval("0.5", dates=False)
    (900.0, 0.5)
    """
    found = EVERY.fullmatch(text)
    if found is None or not found[1].strip(".") or not float(found[1]) > 0:
        raise UserError(f"data.every = {text!r} is no length of time, such as 15min, 1h or 0.5")
    if found[2] and not dates:
        raise UserError(
            f"data.every = {text!r}: the time of this file is numbers; say how many of them make a "
            "step, without a unit"
        )
    return float(found[1]) * UNITS[found[2] or ""]


def regular(track: Track, every: float) -> Track:
    """The same series at steps that are `every` apart.

    >>> track = Track(np.zeros(3, int), np.array([0.1, 0.2, 2.0]), np.array([[1.0], [3.0], [5.0]]),
    ...               np.arange(3))
    >>> regular(track, 1.0).steps[:, 0].tolist(), regular(track, 1.0).rows.tolist()
    ([2.0, nan, 5.0], [0, 0, 2])
    """
    tick = np.floor(track.time / every + HAIR).astype(np.int64)
    first = np.flatnonzero(np.diff(track.series, prepend=track.series[0] - 1))
    last = np.append(first[1:], len(tick)) - 1
    lengths = tick[last] - tick[first] + 1
    limited(int(lengths.sum()), track.steps.shape[1], every)
    begin = np.cumsum(lengths) - lengths
    of = np.repeat(np.arange(len(first)), last - first + 1)
    place = begin[of] + tick - tick[first][of]
    kept = np.repeat(np.arange(len(first)), lengths)
    time = (tick[first][kept] + np.arange(len(kept)) - begin[kept]) * every
    steps = averaged(track.steps, place, len(kept))
    return Track(track.series[first][kept], time, steps, track.rows[newest(place, len(kept))])


def limited(steps: int, channels: int, every: float) -> None:
    """Refuse a length of steps of which there would be too many."""
    if steps * channels > MOST:
        raise UserError(
            f"steps of {every:g} would be {steps:,} of {channels} channels, too many to hold; "
            "set a longer data.every"
        )


def averaged(steps: Array, place: Rows, length: int) -> Array:
    """The mean of the steps (L, C) at each place, (length, C); NaN where there is none."""
    found = np.full((length, steps.shape[1]), np.nan)
    for channel, values in enumerate(steps.T):
        there = ~np.isnan(values)
        total = np.bincount(place[there], values[there], length)
        count = np.bincount(place[there], minlength=length)
        np.divide(total, count, out=found[:, channel], where=count > 0)
    return found


def newest(place: Rows, length: int) -> Rows:
    """For each place the first step at it, or at the last place before it that has one."""
    found = np.full(length, -1)
    found[place[::-1]] = np.arange(len(place))[::-1]
    return np.maximum.accumulate(found)
