"""Numbers that are asked for, and what each may be: its type says it, and one place checks it.

The parameter of a verb is annotated with what it counts or measures, and `in_range` refuses all
else before anything is read or written:

>>> @in_range
... def draw(n: Count, seed: Seed = 0) -> int:
...     return n
>>> draw(3)
3
>>> draw(0)
Traceback (most recent call last):
...
twofold.core.errors.UserError: n = 0 is no count; give -n a whole number of 1 or more
"""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from numbers import Integral, Real
from typing import Annotated, Any, ParamSpec, TypeVar

from pydantic import Field as Limits

from twofold.core.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")

LARGEST_SEED = 2**32 - 1
"""What every generator of random numbers takes that is asked: numpy's are the narrowest."""


@dataclass(frozen=True)
class Range:
    """What a number may be.

    Args:
        noun: what it is. least, most: its ends, both included. whole: whether it counts.
    """

    noun: str
    least: float
    most: float = math.inf
    whole: bool = True

    def __contains__(self, value: object) -> bool:
        sort = Integral if self.whole else Real
        return isinstance(value, sort) and self.least <= value <= self.most  # type: ignore[operator]

    def __str__(self) -> str:
        """In words.

        >>> print(Range("seed", 0, 9), Range("weight", 0, whole=False), sep="; ")
        a whole number from 0 to 9; a number of 0 or more
        """
        sort = "a whole number" if self.whole else "a number"
        if math.isinf(self.most):
            return f"{sort} of {self.least} or more"
        return f"{sort} from {self.least} to {self.most}"


Count = Annotated[int, Range("count", 1)]
"""How many of something."""
Ends = Annotated[int, Range("count", 2)]
"""How many from one end to another, both included."""
Extra = Annotated[int, Range("count", 0)]
"""How many beyond what is there anyway."""
Amount = Annotated[float, Range("amount", 0, whole=False)]
"""How much of something."""
Seed = Annotated[int, Range("seed", 0, LARGEST_SEED), Limits(ge=0, le=LARGEST_SEED)]
"""Where chance begins; a recipe asks the same of it."""


def in_range(verb: Callable[P, R]) -> Callable[P, R]:
    """A function that refuses numbers outside of the ranges that its annotations name.

    Raises:
        UserError: the number, and what it may be.
    """
    signature = inspect.signature(verb)

    @cache
    def ranges() -> Mapping[str, Range]:
        return ranges_of(verb)

    @wraps(verb)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind_partial(*args, **kwargs).arguments
        for name in ranges().keys() & given.keys():
            within(given[name], ranges()[name], name)
        return verb(*args, **kwargs)

    return checked


def ranges_of(function: Callable[..., Any]) -> dict[str, Range]:
    """The ranges that the annotations of a function name, by parameter."""
    hints = typing.get_type_hints(function, include_extras=True)
    return {
        name: note
        for name, hint in hints.items()
        for note in getattr(hint, "__metadata__", ())
        if isinstance(note, Range)
    }


def within(value: object, allowed: Range, name: str) -> None:
    """A number must lie in its range."""
    if value not in allowed:
        flag = f"-{name}" if len(name) == 1 else f"--{name}"
        raise UserError(f"{name} = {value} is no {allowed.noun}; give {flag} {allowed}")
