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

Where texts are asked for, one alone is a text and not its letters:

>>> @in_range
... def name(of: Sequence[str]) -> list[str]:
...     return list(of)
>>> name("CCO")
['CCO']
"""

from __future__ import annotations

import inspect
import math
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from numbers import Integral, Real
from pathlib import Path
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

    A text where several are asked for is taken as the one that it is.

    Raises:
        UserError: the number, and what it may be.
    """
    signature = inspect.signature(verb)

    @cache
    def ranges() -> Mapping[str, Range]:
        return ranges_of(verb)

    @cache
    def several() -> frozenset[str]:
        return several_of(verb)

    @wraps(verb)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind_partial(*args, **kwargs)
        given = bound.arguments
        for name in ranges().keys() & given.keys():
            within(given[name], ranges()[name], name)
        for name in several() & given.keys():
            given[name] = (given[name],) if isinstance(given[name], str | Path) else given[name]
        return verb(*bound.args, **bound.kwargs)

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


def several_of(function: Callable[..., Any]) -> frozenset[str]:
    """The parameters of a function that are several texts."""
    return frozenset(
        name
        for name, hint in typing.get_type_hints(function).items()
        for one in (hint, *typing.get_args(hint))
        if typing.get_origin(one) is Sequence and one in (Sequence[str], Sequence[str | Path])
    )


def within(value: object, allowed: Range, name: str) -> None:
    """A number must lie in its range."""
    if value not in allowed:
        flag = f"-{name}" if len(name) == 1 else f"--{name}"
        raise UserError(f"{name} = {value} is no {allowed.noun}; give {flag} {allowed}")
