"""Words for people: counts with their nouns and verbs, and texts of users that do no harm."""

from __future__ import annotations

import re

STEERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal obeys, or cannot show: controls, marks that turn the direction of writing."""

ONE = {"are": "is", "were": "was", "have": "has"}
"""What a verb of several is of one; the others take an s."""


def plural(count: int, noun: str, verb: str = "") -> str:
    """How many of what a noun says, and the verb that goes with so many.

    >>> plural(1, "cell"), plural(2, "cell"), plural(1_000, "category"), plural(2, "batch")
    ('1 cell', '2 cells', '1,000 categories', '2 batches')
    >>> plural(1, "image", "were"), plural(2, "image", "were"), plural(1, "row", "lie")
    ('1 image was', '2 images were', '1 row lies')
    """
    what = f"{count:,} {numbered(count, noun)}"
    return f"{what} {verb if count != 1 else ONE.get(verb, f'{verb}s')}" if verb else what


def harmless(text: str, but: str = "") -> str:
    """A text in which what would steer a terminal is written out, but for some of it.

    >>> harmless("Bär\\x1b[31m\\n"), harmless("two\\nlines", but="\\n")
    ('Bär\\\\x1b[31m\\\\n', 'two\\nlines')
    """
    return STEERS.sub(lambda one: one[0] if one[0] in but else ascii(one[0])[1:-1], text)


def numbered(count: int, noun: str) -> str:
    """A noun as it is of so many."""
    return noun if count == 1 else many(noun)


def many(noun: str) -> str:
    """A noun of several.

    >>> many("row"), many("series"), many("day"), many("image of 8 × 8")
    ('rows', 'series', 'days', 'images of 8 × 8')
    """
    first, of, rest = noun.partition(" of ")
    if of:
        return many(first) + of + rest
    if noun.endswith("series"):
        return noun
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return noun + ("es" if noun.endswith(("s", "ch", "x")) else "s")
