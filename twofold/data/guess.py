"""What a column is, from its texts: the first of `GUESSES` that holds.

* constant: one text in every row, or none but missing ones;
* id: whole numbers that count up by one, or a name with the word `id`, `uuid`, … (or `index`, `key`
  alone) and more than half of the rows distinct;
* category: whole numbers, at most 12 of them, with five rows each on average (two: always);
* number: every text is one, with a currency or percent and marks of thousands or without
  (`writing.py`); or nineteen of twenty rows are, or half of them and all but three texts (`k. A.`,
  `unknown`), more than 12 distinct: the rest are taken as missing, and it is said;
* date: every text is of one format of `moments.py`;
* text: more than 64 distinct texts of four words or more, or 80 letters, on average;
* id: at least ten rows, nineteen of twenty of them distinct;
* category: any other texts. Of more than 64, those of ten rows or more, at most 999 and at least
  the 63 most frequent, and one level for all others. A column of hundreds of levels is shown
  one-hot as any other: the first layer of a network has a vector for each, which is its embedding
  (Guo & Berkhahn 2016, arXiv:1604.06737).

>>> Look.of(["1", "2", "2", "?"] * 5).guess()
'category'
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from twofold.core.errors import UserError, nearest
from twofold.core.words import numbered, plural
from twofold.data.columns import (
    COLUMNS,
    ZEROS,
    Column,
    Constant,
    Identifier,
    Label,
    Moment,
    Number,
    Prose,
    decimals,
    number,
    read_so,
    way_of,
)
from twofold.data.frames import Cells, Frame
from twofold.data.kind import Finding
from twofold.data.modes import Modes
from twofold.data.moments import Clock, fits, formats, several
from twofold.data.scores import LARGEST, NormalScores
from twofold.data.writing import Writing, units

MISSING = ("", "?", "NA", "N/A", "#N/A", "<NA>", "NaN", "NaT", "null", "None")
"""Cells taken as missing, in any letter case; the option `missing_values` replaces them."""

FEW = 12  # whole numbers that are rather labels
LEVELS = 64  # of a category, however rare
SEEN, HIGHEST = 10, 1000  # rows of a level beyond these, and levels in all
RARE = 1000  # texts beyond these levels that are kept to be written again
MOST = 0.95
WORDS, HALF = 3, 0.5  # distinct texts among numbers that rather say that there is none
NAMED = re.compile(
    r"(?:.*[\W_])?(?:id|uuid|guid|rowid)(?:[\W_].*)?|index|idx|key|unnamed: \d+", re.I | re.ASCII
)

Found = list[Finding]
Coding = Literal["scores", "modes"]
CODINGS: dict[str, type[NormalScores | Modes]] = {"scores": NormalScores, "modes": Modes}
"""How a number is told: by its rank, or by its mode."""


@dataclass(frozen=True)
class Look:
    """One column, looked at: its distinct texts that are not missing, and how often each comes."""

    frame: Frame
    cells: Cells
    blanks: frozenset[str]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Self:
        """A column alone."""
        cells = Cells.of("column", texts)
        return cls(Frame("the frame", (cells,), np.arange(len(texts))), cells, blanks(MISSING))

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """For each distinct text, whether it is not missing."""
        return np.array([text.casefold() not in self.blanks for text in self.cells.texts], bool)

    @cached_property
    def texts(self) -> list[str]:
        """The distinct texts that come in some row and are not missing."""
        return [self.cells.texts[i] for i in np.flatnonzero(self.present & (self.count > 0))]

    @cached_property
    def count(self) -> NDArray[np.intp]:
        """How many rows have each distinct text of the column."""
        return np.bincount(self.cells.codes, minlength=len(self.cells.texts))

    @cached_property
    def counts(self) -> NDArray[np.intp]:
        """How many rows have each of `texts`."""
        return self.count[self.present & (self.count > 0)]

    @property
    def rows(self) -> int:
        """Rows that are not missing."""
        return int(self.counts.sum())

    @property
    def missing(self) -> bool:
        return self.rows < len(self.cells)

    @property
    def blank(self) -> str:
        """The most frequent text of a missing cell; empty where none is missing."""
        often = np.where(self.present, 0, self.count)
        return self.cells.texts[int(often.argmax())] if self.missing else ""

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """Each of `texts` as a number, infinite ones included, NaN where it is none."""
        return np.array([self.number(text) for text in self.texts], np.float64)

    def number(self, text: str) -> float:
        """A text as a number."""
        return read_so(text, self.writing, self.frame.style.comma)

    def bare(self, text: str) -> str:
        """A number as it is without what its column writes beside it."""
        return text if self.writing.plain else self.writing.bare(text) or text

    @cached_property
    def writing(self) -> Writing:
        """How numbers are written: plainly, unless more of them can be read otherwise."""
        return way_of(self.texts, self.counts.tolist(), self.frame.style.comma)

    def finite(self) -> None:
        """An infinite number is an error."""
        far = np.abs(self.numbers) > LARGEST
        if far.any():
            text = self.texts[int(far.argmax())]
            raise UserError(f"{self.place(text)} is infinite: {text!r}; replace or remove it")

    def place(self, text: str) -> str:
        """Where a text comes first."""
        row = self.cells.first(np.array(self.cells.texts) == text)
        return self.frame.place(self.cells, row)

    @property
    def whole(self) -> bool:
        """Whether every text is a whole number, each written in one way."""
        known = self.numbers
        return bool((known == np.round(known)).all()) and len(np.unique(known)) == len(known)

    @property
    def share(self) -> float:
        """Of the rows, those that are numbers."""
        return float(self.counts[~np.isnan(self.numbers)].sum() / max(1, self.rows))

    def guess(self) -> str:
        return next(title for title, holds in GUESSES if holds(self))


def blanks(missing_values: Sequence[str]) -> frozenset[str]:
    """The texts that mean missing; the empty one always does."""
    return frozenset(text.casefold() for text in (*missing_values, ""))


def constant(look: Look) -> bool:
    return not look.texts or (len(look.texts) == 1 and not look.missing)


def counting(look: Look) -> bool:
    """Whether whole numbers count up by one, row after row."""
    if (
        not (look.whole and look.writing.plain)
        or look.missing
        or look.rows < 10
        or len(look.texts) != look.rows
    ):
        return False
    return bool((np.diff(look.numbers[look.cells.codes]) == 1).all())


def named_id(look: Look) -> bool:
    name = re.sub(r"(?<=[a-z])(?=I[dD]$)", "_", look.cells.name)
    distinct = 2 * len(look.texts) > look.rows
    return bool(NAMED.fullmatch(name)) and distinct and (look.whole or look.share < 1)


def few(look: Look) -> bool:
    distinct = len(look.texts)
    return look.whole and (distinct <= 2 or (distinct <= FEW and look.rows >= 5 * distinct))


def numeric(look: Look) -> bool:
    mostly = look.share >= MOST or excused(look)
    numbers = int((~np.isnan(look.numbers)).sum())
    return look.share == 1 or (mostly and numbers > FEW and not coded(look))


def excused(look: Look) -> bool:
    """Whether what is no number are a few texts that may say why there is none."""
    return signed(look) or (len(strange(look)) <= WORDS and look.share >= HALF)


def signed(look: Look) -> bool:
    """Whether what is no number are a few texts of signs alone, without a letter or a digit.

    >>> signed(Look.of(["7", "---", "---"])), signed(Look.of(["7", "off", "8"]))
    (True, False)
    """
    signs = "".join(strange(look))
    return len(strange(look)) <= WORDS and not any(one.isalnum() for one in signs)


def strange(look: Look) -> list[str]:
    """The distinct texts that are no numbers."""
    return [look.texts[at] for at in np.flatnonzero(np.isnan(look.numbers))]


def coded(look: Look) -> bool:
    """Whether some text is digits that begin with a zero."""
    return any(ZEROS.match(text) and text.isdigit() for text in look.texts)


def dated(look: Look) -> bool:
    return bool(formats(look.texts))


def prose(look: Look) -> bool:
    words = np.mean([len(text.split()) for text in look.texts])
    letters = np.mean([len(text) for text in look.texts])
    spaced = any(" " in text for text in look.texts)
    return len(look.texts) > LEVELS and bool(words >= 4 or (spaced and letters >= 80))


def unlike(look: Look) -> bool:
    return look.rows >= 10 and len(look.texts) >= MOST * look.rows


def always(look: Look) -> bool:
    return True


GUESSES: tuple[tuple[str, Callable[[Look], bool]], ...] = (
    ("constant", constant),
    ("id", counting),
    ("id", named_id),
    ("category", few),
    ("number", numeric),
    ("date", dated),
    ("text", prose),
    ("id", unlike),
    ("category", always),
)


def learn(look: Look, asked: str, numbers: Coding = "scores") -> tuple[Column, Found]:
    """A column from its texts, of the type that was asked, or guessed where that is empty.

    Args:
        look: the column. asked: its type. numbers: how a number is told, unless `asked` says it.
    """
    title, _, form = asked.partition(" ")
    guessed = not title
    title = title or look.guess()
    if title not in COLUMNS:
        where = f"data.types.{look.cells.name} = {asked!r}"
        raise UserError(f"{where} is not known; {nearest(title, COLUMNS)}")
    if title in NEEDS_ROWS and not look.texts:
        title = "constant"
    column, found = MAKE[title](look, form or (numbers if title == "number" else ""))
    return column, found + (misdated(look, title) + mixed(look, title) if guessed else [])


def mixed(look: Look, title: str) -> Found:
    """What to say of a column of numbers with several units, which are no numbers together."""
    several_units = units(look.texts) if title in ("category", "id", "text") else []
    if not several_units:
        return []
    text = (
        f"column {look.cells.name!r} has numbers of several units, such as {several_units[0]!r} "
        f"and {several_units[1]!r}, so it is read as {'an id' if title == 'id' else f'a {title}'}; "
        "write them in one"
    )
    return [Finding("warning", text)]


def misdated(look: Look, title: str) -> Found:
    """What to say of a column of dates that were written in more than one way."""
    forms = [] if title in ("number", "date", "constant") else several(look.texts)
    if len(forms) < 2:
        return []
    shown = " and ".join(repr(next(t for t in look.texts if fits(t, form))) for form in forms[:2])
    text = (
        f"column {look.cells.name!r} has dates in {len(forms)} formats, such as {shown}, so it is "
        f"read as {'an id' if title == 'id' else f'a {title}'}; write them in one"
    )
    return [Finding("warning", text)]


def make_number(look: Look, form: str) -> tuple[Column, Found]:
    look.finite()
    known = ~np.isnan(look.numbers)
    if not known.any():
        raise UserError(f"{look.place(look.texts[0])} is no number: {look.texts[0]!r}")
    texts = [look.bare(text) for text, one in zip(look.texts, known, strict=True) if one]
    if form not in CODINGS:
        where = f"data.types.{look.cells.name} = 'number {form}'"
        raise UserError(f"{where} is not known; {nearest(form, CODINGS)}")
    scores = CODINGS[form].fit(np.repeat(look.numbers[known], look.counts[known]))
    places = [decimals(text) for text in texts]
    missing = look.missing or not known.all()
    whole = max(places) == 0 and not missing
    column = Number(
        **common(look, "str" if not look.writing.plain else "int64" if whole else "float64"),
        missing=missing,
        gone=excuses(look, known),
        scores=scores,
        decimals=max(map(needed, texts)),
        places=min(places),
        comma=look.frame.style.comma,
        writing=look.writing,
    )
    return column, strangers(look, known) + otherwise(look, known)


def excuses(look: Look, known: NDArray[np.bool_]) -> tuple[str, ...]:
    """The texts that stand for a missing number, where they are few: what else there is are slips.

    >>> look = Look.of(["1", "2.5", "k. A.", "n. b."])
    >>> excuses(look, ~np.isnan(look.numbers))
    ('k. A.', 'n. b.')
    """
    found = tuple(text for text, one in zip(look.texts, known, strict=True) if not one)
    return found * (len(found) <= WORDS)


def needed(text: str) -> int:
    """Places after the point that a number needs: fewer than it is written with where it ends in 0.

    >>> needed("40.0"), needed("2.50"), needed("7"), needed("1.5e-3")
    (0, 1, 0, 4)
    """
    return decimals(text if set("eE") & set(text) else re.sub(r"([.,]\d*?)0+$", r"\1", text))


def strangers(look: Look, known: NDArray[np.bool_]) -> Found:
    """What to say of a column of numbers that has a few texts."""
    if known.all():
        return []
    text = look.texts[int((~known).argmax())]
    count = int(look.counts[~known].sum())
    return [taken_as_missing(f"{look.place(text)} is no number: {text!r}", count)]


def taken_as_missing(what: str, cells: int) -> Finding:
    """What to say of cells that nothing can be made of."""
    return Finding(
        "warning", f"{what}; {cells} {numbered(cells, 'cell')} of the column taken as missing"
    )


def otherwise(look: Look, known: NDArray[np.bool_]) -> Found:
    """What to say of numbers that are written in another way than most of their column."""
    texts = [text for text, one in zip(look.texts, known, strict=True) if one]
    ways = {text: look.writing.put(look.bare(text)) for text in texts}
    other = [text for text, most in ways.items() if text != most]
    if look.writing.plain or not other:
        return []
    said = (
        f"column {look.cells.name!r} has numbers in several writings; all are read, and such as "
        f"{other[0]!r} are written as {ways[other[0]]!r}"
    )
    return [Finding("warning", said)]


def make_date(look: Look, form: str) -> tuple[Column, Found]:
    forms = [form] if form else formats(look.texts)
    wrong = [text for text in look.texts if not forms or not fits(text, forms[0])]
    if wrong:
        raise UserError(
            f"{look.place(wrong[0])} is no date: {wrong[0]!r}; say the format, "
            f'data.types.{look.cells.name} = "date %d/%m/%Y"'
        )
    clock = Clock.fit(look.texts, forms[0])
    scores = NormalScores.fit(np.repeat(clock.numbers(look.texts), look.counts))
    dates = common(look, "datetime64[us]" if "%Y" in forms[0] else "str")
    column = Moment(**dates, missing=look.missing, scores=scores, clock=clock)
    text = (
        f"column {look.cells.name!r} may be month/day or day/month; the month is taken first; "
        f'else say data.types.{look.cells.name} = "date {forms[-1]}"'
    )
    return column, [Finding("warning", text)] if len(forms) > 1 else []


def make_category(look: Look, form: str) -> tuple[Column, Found]:
    order = np.argsort(-look.counts, kind="stable")
    kept = order[: own_levels(look.counts)]
    labels = sorted((look.texts[i] for i in kept), key=natural)
    rare = order[len(kept) :][:RARE]
    column = Label(
        **common(look, label_type(look)),
        missing=look.missing,
        labels=tuple(labels),
        others=tuple(look.texts[i] for i in rare),
        shares=tuple((look.counts[rare] / look.rows).tolist()),
    )
    return column, levels_said(look, len(kept))


def own_levels(counts: NDArray[np.int64]) -> int:
    """How many texts, the most frequent first, are a level of their own.

    >>> own_levels(np.array([1] * 64)), own_levels(np.array([1] * 65))
    (64, 63)
    >>> own_levels(np.array([10] * 300)), own_levels(np.array([10] * 100 + [9] * 100))
    (300, 100)
    """
    if len(counts) <= LEVELS:
        return len(counts)
    often = int((counts >= SEEN).sum())
    if often == len(counts) <= HIGHEST:
        return often
    return max(LEVELS - 1, min(often, HIGHEST - 1))  # the others have one together


def levels_said(look: Look, kept: int) -> Found:
    """What to say of a category: levels put together, levels seen once."""
    name, found = look.cells.name, []
    rare = len(look.texts) - kept
    if rare:
        text = (
            f"column {name!r} has {len(look.texts)} levels; the {kept} most frequent are kept, "
            f"the others are one level, written back by their frequency"
        )
        found.append(Finding("warning", text))
    once = int((look.counts == 1).sum())
    if once and not rare:
        text = f"column {name!r}: {plural(once, 'level')} seen in one row only"
        found.append(Finding("note", text))
    return found


def make_constant(look: Look, form: str) -> tuple[Column, Found]:
    text = look.texts[0] if look.texts else look.blank
    what = f"is {text!r} in every row" if look.texts else "is missing in every row"
    said = f"column {look.cells.name!r} {what}; it is left out, and restored in what is written"
    return Constant(**common(look, label_type(look)), text=text), [Finding("warning", said)]


def make_id(look: Look, form: str) -> tuple[Column, Found]:
    whole = look.whole and look.writing.plain
    after = int(max(look.numbers, default=0)) if whole else 0
    said = (
        f"column {look.cells.name!r} looks like an identifier ({len(look.texts)} distinct of "
        f"{look.rows}); it is left out, and fresh ones are written"
    )
    kind = common(look, "int64" if whole else "str")
    return Identifier(**kind, after=after, prefix="" if whole else "new-"), [Finding("note", said)]


def make_text(look: Look, form: str) -> tuple[Column, Found]:
    said = (
        f"column {look.cells.name!r} is free text; it is left out, and written as missing (to "
        f"model its sentences: data.kind=text with data.text={look.cells.name!r})"
    )
    return Prose(**common(look, "str")), [Finding("warning", said)]


MAKE: dict[str, Callable[[Look, str], tuple[Column, Found]]] = {
    "number": make_number,
    "date": make_date,
    "category": make_category,
    "constant": make_constant,
    "id": make_id,
    "text": make_text,
}
NEEDS_ROWS = ("number", "date", "category")


def common(look: Look, natural: str) -> dict[str, str]:
    """What all columns have; `natural` is the type in a data frame of text from a file."""
    dtype = natural if look.cells.dtype == "text" else look.cells.dtype
    return {"name": look.cells.name, "blank": look.blank, "dtype": dtype}


def label_type(look: Look) -> str:
    """The natural type of labels: whole numbers, truth values, or texts."""
    if {text.casefold() for text in look.texts} == {"true", "false"} and not look.missing:
        return "bool"
    if look.texts and look.share == 1 and look.writing.plain:
        whole = not look.missing and not any(decimals(text) for text in look.texts)
        return "int64" if whole else "float64"
    return "str"


def natural(text: str) -> tuple[float, str]:
    """Labels in order of their numbers, texts after them in order of the alphabet."""
    value = number(text)
    return (math.inf if math.isnan(value) else value, text)
