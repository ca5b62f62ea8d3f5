"""Dates and times as numbers, and back in the format they were written in.

A column of moments is written in one `format` of `strptime`, found by trying each of `FORMATS` on
every distinct text. As a number a moment is a count of `step`s after an `origin`, the earliest of
the column; the step is the greatest common divisor of all distances, so that hourly records come
back on the hour and weekly ones on their day of the week.

>>> clock = Clock.fit(["2024-01-01", "2024-01-15", "2024-01-08"])
>>> clock.format, clock.step / 86400, clock.numbers(["2024-01-15"]).tolist()
('%Y-%m-%d', 7.0, [2.0])
>>> clock.texts([0.9])
['2024-01-08']
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%d %H:%M:%S+00:00",
    "%Y-%m-%dT%H:%M:%S+00:00",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d-%m-%Y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%H:%M",
    "%H:%M:%S",
)
"""Tried in this order; where day and month may be either, the month is first, and it is said."""

EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)
LAST = (datetime.max - EPOCH) // MICROSECOND
"""The last moment that can be written."""


@dataclass(frozen=True)
class Clock:
    """How a column of moments counts: `step` seconds at a time from `origin`, seconds of 1970."""

    format: str
    origin: float
    step: float

    @classmethod
    def fit(cls, texts: Sequence[str], format: str = "") -> Self:
        """Learn from texts that are all of one format; `ValueError` where there is none."""
        form = format or next(iter(formats(texts)), "")
        ticks = sorted({microseconds(text, form) for text in texts})
        step = math.gcd(*(tick - ticks[0] for tick in ticks)) or 1_000_000
        return cls(form, ticks[0] / 1e6, step / 1e6)

    def numbers(self, texts: Iterable[str]) -> NDArray[np.float64]:
        """Steps from the origin, NaN for what is not of the format."""
        return np.array([self.number(text) for text in texts], np.float64)

    def number(self, text: str) -> float:
        try:
            ticks = microseconds(text, self.format)
        except ValueError:
            return math.nan
        return (ticks - round(self.origin * 1e6)) / (self.step * 1e6)

    def texts(self, numbers: ArrayLike) -> list[str]:
        """Finite steps from the origin as texts, on the nearest whole step."""
        start, step = round(self.origin * 1e6), round(self.step * 1e6)
        whole = np.asarray(numbers, np.float64).round().tolist()
        return [moment(start + int(n) * step, self.format) for n in whole]


def formats(texts: Sequence[str]) -> list[str]:
    """The formats that every text is of; the first few texts refuse most."""
    if not texts:
        return []
    few = [form for form in FORMATS if all(fits(text, form) for text in texts[:20])]
    return [form for form in few if all(fits(text, form) for text in texts)]


def several(texts: Sequence[str]) -> list[str]:
    """The formats that texts are of between them; none where some text is no date at all.

    >>> several(["2024-03-01", "March 3, 2024"]), several(["2024-03-01", "soon"])
    (['%Y-%m-%d', '%B %d, %Y'], [])
    """
    found = dict.fromkeys(next((f for f in FORMATS if fits(text, f)), "") for text in texts[:20])
    if "" in found or not all(any(fits(text, f) for f in FORMATS) for text in texts):
        return []
    return [*found]


def fits(text: str, form: str) -> bool:
    try:
        microseconds(text, form)
    except ValueError:
        return False
    return True


def moment(ticks: int, form: str) -> str:
    """A text of this format, of microseconds since 1970."""
    return (EPOCH + ticks * MICROSECOND).strftime(form)


def microseconds(text: str, form: str) -> int:
    """Since 1970, of a text of this format; `ValueError` where it is not."""
    return (datetime.strptime(text, form).replace(tzinfo=None) - EPOCH) // MICROSECOND
