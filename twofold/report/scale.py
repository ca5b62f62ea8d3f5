r"""From numbers to places on a chart, and the round numbers an axis is labelled with.

A `Scale` maps [low, high] to [0, 1], linearly or by the logarithm. Ticks are the multiples of 1, 2
or 5 times a power of ten inside the scale, or whole decades of a logarithmic one. What is not a
finite number has no place: its position is NaN, and the charts leave it out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LARGE, SMALL = 1e150, 1e-100
"""Numbers beyond have no place; differences below are none."""
SPAN = 30.0
"""Positive numbers that span more than so many times their least are shown by the logarithm."""


@dataclass(frozen=True)
class Scale:
    """The map of one axis; low < high, both positive where it is logarithmic."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value, 0 at low and 1 at high; NaN where it has none.

        >>> Scale(0, 4)(1), Scale(1, 100, log=True)(10)
        (0.25, 0.5)
        """
        if not usable(value, self.log):
            return math.nan
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Round numbers inside, at most about `wanted` of them.

        >>> Scale(0, 1).ticks(), Scale(1, 1000, log=True).ticks()
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [1.0, 10.0, 100.0, 1000.0])
        """
        decades = self.decades() if self.log else []
        if len(decades) > 1:
            return decades[:: math.ceil(len(decades) / (wanted + 1))]
        step = round_step((self.high - self.low) / wanted)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(i * step, 12) for i in range(first, last + 1)]

    def decades(self) -> list[float]:
        """The powers of ten inside."""
        first, last = (math.log10(self.low) - 1e-9, math.log10(self.high) + 1e-9)
        return [10.0**i for i in range(math.ceil(first), math.floor(last) + 1)]


def round_step(least: float) -> float:
    """The smallest of 1, 2, 5 × a power of ten that is not below `least`."""
    decade = 10.0 ** math.floor(math.log10(least))
    return next(decade * m for m in (1, 2, 5, 10) if decade * m >= least * (1 - 1e-9))


def usable(value: float, log: bool = False) -> bool:
    """Whether a number has a place: it is finite and not beyond all measure.

    >>> usable(1.0), usable(float("inf")), usable(-1.0, log=True)
    (True, False, False)
    """
    return abs(value) < LARGE and (not log or value > SMALL)


def scale_of(values: Iterable[float], log: bool = False, pad: float = 0.04) -> Scale:
    """A scale that holds all finite values, with a little room; of none at all, [0, 1].

    >>> scale_of([1.0, float("nan"), 3.0], pad=0)
    Scale(low=1.0, high=3.0, log=False)
    """
    finite = [v for v in values if usable(v, log)]
    if not finite:
        return Scale(1.0, 10.0, True) if log else Scale()
    low, high = min(finite), max(finite)
    if log:
        room = max(high / low, 1.1) ** pad
        return Scale(low / room, high * room, True)
    wide = high - low > max(1e-12 * max(abs(low), abs(high)), SMALL)
    room = pad * (high - low) if wide else abs(low) / 2 if abs(low) > SMALL else 0.5
    return Scale(low - room, high + room)


def wants_log(values: Sequence[float]) -> bool:
    """Whether values are all positive and span so much that a line would hide most of them."""
    finite = [v for v in values if usable(v)]
    return bool(finite) and min(finite) > SMALL and max(finite) > SPAN * min(finite)


def short(value: float) -> str:
    """A number as it is read: three significant digits, no needless zeros.

    >>> [short(v) for v in (0.0, 12345.0, 0.1234, 2e-7, float("nan"), 1_500_000.0)]
    ['0', '12.3k', '0.123', '2e-07', '–', '1.5M']
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    unit, name = next(((u, n) for u, n in UNITS if abs(value) >= u), (1.0, ""))
    digits = f"{value / unit:.3g}".replace("e+0", "e").replace("-", "−", 1)
    return digits.replace("e−", "e-") + name


UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
