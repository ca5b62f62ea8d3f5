"""How the numbers of a column are written: a unit before or after, thousands apart, a decimal mark.

`$1,234.50`, `-€ 12`, `45 %` and `1'000` are numbers, and `(1,234.50)` is one below zero, as in
books of accounts, where other numbers of the column stand without brackets. What a column has most
often is kept as its `Writing`, so that what is drawn is written in the same way; what has the unit
elsewhere, or none, is read all the same.

>>> way = Writing.of(["$1,234.50", "$7.00"], [1, 1])
>>> way.bare("-$1,234.50"), way.put("-98765.40"), way.put("5")
('-1234.50', '-$98,765.40', '$5')
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

CODES = "USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|CZK|HUF|AUD|CAD|NZD|BRL|ZAR|KRW"
SIGNS = r"[A-Z]{0,3}[$¢£¤¥֏؋৲৳฿₠-⃀]|kr\.?|zł|Kč|Ft|Fr\.?"
UNIT = f"(?:{CODES}|{SIGNS}|%|‰)"
SHAPE = re.compile(
    rf"(?P<out>-?)(?P<prefix>(?:{UNIT}\s*)?)(?P<inside>-?)"
    rf"(?P<digits>[0-9](?:[0-9.,' ’\u00a0\u202f]*[0-9])?)(?P<suffix>(?:\s*{UNIT})?)"
)
BRACKETS = re.compile(r"\((.+)\)")
MARKS = ("", ",", ".", " ", "\u00a0", "\u202f", "'", "’")
"""What may stand between thousands."""


@dataclass(frozen=True)
class Writing:
    """How a column writes its numbers.

    Args:
        unit: what is read with a number, anywhere; none where it is empty. prefix, suffix: where
            it is written, with its space. thousands: the mark between them. comma: whether the
            decimal mark is a comma. inside: whether a minus stands behind the prefix.
        brackets: whether brackets stand for a minus.
    """

    unit: str = ""
    prefix: str = ""
    suffix: str = ""
    thousands: str = ""
    comma: bool = False
    inside: bool = False
    brackets: bool = False

    @classmethod
    def of(cls, texts: Sequence[str], counts: Sequence[int], comma: bool = False) -> Self:
        """What distinct texts, of so many rows each, have most often; plain where they differ.

        Args:
            comma: whether other columns have a decimal comma, where these may be read both ways.
        """
        found = [(SHAPE.fullmatch(opened(t)), n) for t, n in zip(texts, counts, strict=True)]
        shapes = [(one, n) for one, n in found if one]
        brackets = len({opened(text) == text for text in texts}) == 2
        units = {unit_of(one) for one, _ in shapes} - {""}
        if not shapes or len(units) > 1:
            return cls(comma=comma)
        often = Counter[tuple[str, str]]()
        minus = Counter[bool]()
        for one, n in shapes:
            often[one["prefix"], one["suffix"]] += n
            minus[bool(one["inside"])] += n * bool(one["inside"] or (one["prefix"] and one["out"]))
        (prefix, suffix), _ = often.most_common(1)[0]
        inside = minus[True] > minus[False]
        ways = [
            cls("".join(units), prefix, suffix, mark, point, inside, brackets)
            for point in (comma, not comma)
            for mark in MARKS
            if mark != (",."[not point])
        ]
        return max(ways, key=lambda way: way.worth(shapes))

    def worth(self, shapes: Sequence[tuple[re.Match[str], int]]) -> tuple[int, bool]:
        """How many rows it reads, and whether money has no thousandths."""
        bare = [(self.digits(one["digits"]), n) for one, n in shapes]
        places = {len(text.partition(".")[2]) for text, _ in bare if text}
        money = self.unit not in ("", "%", "‰")
        return sum(n for text, n in bare if text), not (money and 3 in places <= {0, 3})

    @property
    def plain(self) -> bool:
        """Whether there is nothing to it but the decimal mark."""
        return not (self.unit or self.thousands or self.brackets)

    def bare(self, text: str) -> str:
        """The number in a text as a program writes it; empty where there is none of this column."""
        text = text.strip()
        one = SHAPE.fullmatch(opened(text) if self.brackets else text)
        if not one or unit_of(one) not in ("", self.unit):
            return ""
        signs = "-" * (self.brackets and opened(text) != text) + one["out"] + one["inside"]
        digits = self.digits(one["digits"])
        return signs + digits if digits and len(signs) < 2 else ""

    def digits(self, text: str) -> str:
        """Digits with their marks without those of thousands; empty where they are not so."""
        whole, point, rest = text.partition("," if self.comma else ".")
        mark = re.escape(self.thousands)
        if mark and re.fullmatch(rf"[0-9]{{1,3}}({mark}[0-9]{{3}})+", whole):
            whole = whole.replace(self.thousands, "")
        known = whole.isdecimal() and (rest.isdecimal() or not point)
        return f"{whole}.{rest}" if point and known else whole * known

    def put(self, bare: str) -> str:
        """A number as a program writes it, as this column does."""
        sign, rest = ("-", bare[1:]) if bare.startswith("-") else ("", bare)
        whole, point, places = rest.partition(".")
        if self.thousands and whole.isdecimal():
            whole = f"{int(whole):,}".replace(",", self.thousands)
        shown = whole + point.replace(".", "," if self.comma else ".") + places
        if sign and self.brackets:
            return f"({self.prefix}{shown}{self.suffix})"
        before = self.prefix + sign if self.inside else sign + self.prefix
        return before + shown + self.suffix


def opened(text: str) -> str:
    """A text without the brackets around it.

    >>> opened("($5)"), opened("(5) or (6"), opened("5")
    ('$5', '(5) or (6', '5')
    """
    one = BRACKETS.fullmatch(text)
    return one[1] if one else text


def unit_of(one: re.Match[str]) -> str:
    """The unit that stands with a number."""
    return (one["prefix"] + one["suffix"]).strip()


def units(texts: Sequence[str]) -> list[str]:
    """One text for each unit, where all texts are numbers and have several.

    >>> units(["$5", "€ 7", "$9"]), units(["$5", "9"]), units(["$5", "soon"])
    (['$5', '€ 7'], [], [])
    """
    found = [SHAPE.fullmatch(opened(text)) for text in texts]
    if not all(found):
        return []
    first: dict[str, str] = {}
    for one in found:
        if one and unit_of(one):
            first.setdefault(unit_of(one), one[0])
    return [*first.values()] if len(first) > 1 else []
