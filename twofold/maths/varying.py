r"""Numbers that change while training goes on.

Where a part of a model asks for a `Number`, a recipe may give a plain one, or a table that says how
it moves from step to step: KL warm-up (Bowman et al. 2016, arXiv:1511.06349), the cyclic weight of
Fu et al. 2019 (arXiv:1903.10145), the rising capacity of Burgess et al. 2018 (arXiv:1804.03599):

    divergence = {name = "kl", beta = {name = "cyclic", period = 2000}}

A part holds such numbers as they were written; `at` gives the part with the numbers of one step.

Notation: t the step, counted from 0.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Annotated, ClassVar, Self, TypeVar, cast

from pydantic import Field as Limits
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from twofold.core.build import Part
from twofold.core.game import Progress

P = TypeVar("P", bound=Part)


class Varying(Part, ABC):
    """A number as a function of the step, which goes from some of its numbers to others."""

    levels: ClassVar[tuple[str, ...]] = ("start", "end")
    """Which those are; the others are of time."""

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The number at a step."""

    def times(self, factor: float) -> Self:
        """So many times as much at every step."""
        levels = {name: scaled(getattr(self, name), factor) for name in self.levels}
        return replace(self, **levels)  # type: ignore[type-var]


Number = Annotated[float, Varying, Limits(ge=0)]
"""A weight or a size that may vary: a float wherever it is used, which is after `at`."""


@dataclass(frozen=True)
class Linear(Varying):
    r"""From `start` to `end` in a straight line of `steps`, beginning `after` that many.

    $$ a + (b - a)\, \min\big(\max\big(\tfrac{t - t_0}{T}, 0\big), 1\big) $$

    Args:
        start: a. end: b. steps: T. after: t_0.

    >>> Linear(0, 4, steps=100)(25)
    1.0

    Source: as KL warm-up, Bowman et al. 2016, arXiv:1511.06349.
    """

    start: NonNegativeFloat = 0.0
    end: NonNegativeFloat = 1.0
    steps: PositiveInt = 1000
    after: NonNegativeInt = 0

    def __call__(self, step: int) -> float:
        return self.start + (self.end - self.start) * way(step, self.after, self.steps)


@dataclass(frozen=True)
class Cosine(Varying):
    r"""From `start` to `end` along half a cosine of `steps`, beginning `after` that many.

    $$ a + \frac{b - a}2 \big(1 - \cos \pi u\big), \qquad
     u = \min\big(\max\big(\tfrac{t - t_0}{T}, 0\big), 1\big) $$

    Args:
        start: a. end: b. steps: T. after: t_0.

    >>> round(Cosine(0, 4, steps=100)(50), 6)
    2.0

    Source: the curve of Loshchilov & Hutter 2017, arXiv:1608.03983.
    """

    start: NonNegativeFloat = 0.0
    end: NonNegativeFloat = 1.0
    steps: PositiveInt = 1000
    after: NonNegativeInt = 0

    def __call__(self, step: int) -> float:
        risen = 0.5 - 0.5 * math.cos(math.pi * way(step, self.after, self.steps))
        return self.start + (self.end - self.start) * risen


@dataclass(frozen=True)
class Sigmoid(Varying):
    r"""From `start` to `end` along a logistic curve, halfway at `middle`, `width` steps a unit.

    $$ a + \frac{b - a}{1 + e^{-(t - m) / w}} $$

    Args:
        start: a. end: b. middle: m. width: w.

    >>> Sigmoid(0, 4, middle=500)(500)
    2.0

    Source: as KL warm-up, Bowman et al. 2016, arXiv:1511.06349.
    """

    start: NonNegativeFloat = 0.0
    end: NonNegativeFloat = 1.0
    middle: NonNegativeInt = 1000
    width: PositiveInt = 100

    def __call__(self, step: int) -> float:
        risen = 0.5 + 0.5 * math.tanh((step - self.middle) / (2 * self.width))
        return self.start + (self.end - self.start) * risen


@dataclass(frozen=True)
class Cyclic(Varying):
    r"""Again and again: up in a straight line for a share `rise` of each period, then level.

    A period begins at the step `after`.

    $$ a + (b - a)\, \min\Big(\frac{(t - t_0) \bmod P}{R\,P}, 1\Big) $$

    Args:
        start: a. end: b. period: P, in steps. rise: R, a share of it. after: t_0.

    >>> [Cyclic(period=100)(step) for step in (0, 25, 50, 99, 100)]
    [0.0, 0.5, 1.0, 1.0, 0.0]

    Source: Fu et al. 2019, arXiv:1903.10145.
    """

    start: NonNegativeFloat = 0.0
    end: NonNegativeFloat = 1.0
    period: PositiveInt = 2000
    rise: float = 0.5
    after: NonNegativeInt = 0

    def __call__(self, step: int) -> float:
        rising = max(self.rise * self.period, 1.0)
        phase = (step - self.after) % self.period
        return self.start + (self.end - self.start) * min(phase / rising, 1.0)


@dataclass(frozen=True)
class Switched(Varying):
    r"""One number `before` a step, and another `then`, each of which may vary by itself.

    $$ \begin{cases} a(t) & t < s \\ b(t) & t \ge s \end{cases} $$

    Args:
        step: s. before: a. then: b.

    >>> [Switched(10, 4.0, Linear(steps=20))(step) for step in (0, 9, 10, 20)]
    [4.0, 4.0, 0.5, 1.0]

    Source: ours; it is what eases a divergence from some step on.
    """

    step: NonNegativeInt = 0
    before: Number = 0.0
    then: Number = 1.0
    levels = ("before", "then")

    def __call__(self, step: int) -> float:
        return value(self.before if step < self.step else self.then, step)


def switched(step: int, before: Number, then: float | Varying) -> Number:
    """A number that is another from a step on."""
    return cast(float, Switched(step, before, cast(float, then)))


def value(number: Number, step: int) -> float:
    """A number at a step, whether it varies or not.

    >>> value(2.0, 7), value(Linear(steps=14), 7)
    (2.0, 0.5)
    """
    return number(step) if isinstance(number, Varying) else number


def scaled(number: Number, factor: float) -> Number:
    """So many times a number, whether it varies or not.

    >>> scaled(2.0, 3), scaled(Linear(1, 2), 3)(500)
    (6.0, 4.5)
    """
    return cast(float, number.times(factor)) if isinstance(number, Varying) else factor * number


def way(step: int, after: int, steps: int) -> float:
    """How much of a way of so many steps is behind."""
    return min(max((step - after) / steps, 0.0), 1.0)


def at(part: P, progress: Progress) -> P:
    """A part with each number that varies at its value now.

    >>> @dataclass(frozen=True)
    ... class Weight(Part):
    ...     weight: Number = 1.0
    >>> at(Weight(Linear()), Progress(step=250))
    Weight(weight=0.25)
    """
    moving = varying(part)
    now = {name: number(progress.step) for name, number in moving.items()}
    return replace(part, **now) if now else part  # type: ignore[type-var]


@lru_cache(maxsize=256)
def varying(part: Part) -> dict[str, Varying]:
    """The numbers of a part that vary, by name; asked at every step, and found once."""
    values = {field.name: getattr(part, field.name) for field in fields(part)}  # type: ignore[arg-type]
    return {name: value for name, value in values.items() if isinstance(value, Varying)}
