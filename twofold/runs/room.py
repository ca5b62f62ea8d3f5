"""Room: how many rows this machine can hold at once.

What is drawn stands in memory three times before it is written: as the parts that a model gives, as
those joined, and as values in the units of the file. More rows than there is memory for are refused
before the first is drawn.
"""

from __future__ import annotations

import math
import os

from twofold.core.errors import UserError
from twofold.core.space import Space

COPIES = 3
NUMBER = 4
"""Bytes of a number."""


def memory() -> int:
    """The bytes of memory that this machine has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def fits(space: Space, given: Space, bytes_: int) -> int:
    """How many rows so much memory holds.

    >>> from twofold.core.space import Field, Real
    >>> fits(Space((Field("a", Real()),)), Space(), 120)
    10
    """
    return bytes_ // (NUMBER * max(1, COPIES * space.numel + given.size))


def room_for(rows: int, space: Space, given: Space) -> None:
    """Refuse more rows than there is memory for.

    Raises:
        UserError: with how many there is room for.
    """
    most = fits(space, given, memory())
    if rows > most:
        raise UserError(
            f"{rows:,} observations at once are more than this machine's memory holds; ask for "
            f"{rounded(most):,} at most, and for others with another --seed"
        )


def rounded(most: int) -> int:
    """A number with one digit that is not 0, and not above it.

    >>> rounded(123456), rounded(7)
    (100000, 7)
    """
    unit = 10 ** int(math.log10(max(1, most)))
    return most // unit * unit
