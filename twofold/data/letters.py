"""Letters on pictures: a font that has them, or words for those that none has.

PIL brings a font of plain Latin letters. Text beyond it is drawn in the first font of this machine,
among those that systems commonly bring, that has all of it. Where none has, an accent is left out,
and any other sign is written out by its name or its number in Unicode. Words at a small picture are
cut to its width, so that their beginning and their end are left.

>>> drawable("a − b"), drawable("plain")
('a - b', 'plain')
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

from PIL import Image, ImageDraw, ImageFont

COMMON = (
    "DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial Unicode.ttf",
    "Arial.ttf", "arial.ttf", "segoeui.ttf", "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf",
    "wqy-microhei.ttc", "DroidSansFallback.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc",
    "msyh.ttc", "msgothic.ttc", "malgun.ttf", "NotoEmoji-Regular.ttf", "seguiemj.ttf",
    "Symbola.ttf",
)  # fmt: skip
"""Files of fonts, found by PIL where a system keeps its own."""
PLAIN = str.maketrans("−₁₂…", "-12.")
"""Signs of ours that PIL's own font lacks, by some that it has."""
NONE = "\uffff"
"""No letter at all: what a font shows for it, it shows for all that it lacks."""
UNSEEN = ("Mn", "Me", "Cf", "Zs", "Cc")
"""Sorts of signs that need no shape of their own."""
SHORT = 24
"""Letters of a sign's name, at most; longer ones say less than its number."""

LETTER = 11
LINE = LETTER + 4
"""The height of letters, and of a line of them, in pixels."""
INK, GAPS = "#1c2430", " /_-"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def fonts() -> tuple[str, ...]:
    """The common fonts that are here, after PIL's own, whose name is empty."""
    return ("", *(name for name in COMMON if is_here(name)))


def is_here(name: str) -> bool:
    """Whether a font can be opened."""
    try:
        ImageFont.truetype(name, 11)
    except OSError:
        return False
    return True


@cache
def sized(name: str, size: int) -> Font:
    """A font at a size."""
    return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)


@cache
def has(name: str, letter: str) -> bool:
    """Whether a font has a letter: it looks unlike what it lacks."""
    if letter.isascii() or unicodedata.category(letter) in UNSEEN:
        return True
    font = sized(name, 20)
    return bytes(font.getmask(letter)) != bytes(font.getmask(NONE))


def lacking(name: str, text: str) -> int:
    """How many letters of a text a font has not."""
    return sum(not has(name, letter) for letter in text)


def best(text: str) -> str:
    """The first font that lacks the fewest letters of a text."""
    return min(fonts(), key=lambda name: lacking(name, text))


def font_of(text: str, size: int) -> Font:
    """The font in which a text is drawn."""
    return sized(best(text), size)


def drawable(text: str) -> str:
    """A text that can be drawn in one font of this machine."""
    plain = text.translate(PLAIN)
    font = best(plain)
    return "".join(letter if has(font, letter) else spelt(letter) for letter in plain)


def spelt(letter: str) -> str:
    """A letter that no font has, by what it has.

    >>> spelt("ü"), spelt("猫"), spelt("🐶")
    ('u', '(U+732B)', '(dog face)')
    """
    parts = [part for part in unicodedata.normalize("NFKD", letter) if part.isascii()]
    name = unicodedata.name(letter, "").lower()
    number = f"U+{ord(letter):04X}"
    return "".join(parts) or f"({name if name and len(name) <= SHORT else number})"


def letters(sheet: Image.Image, place: tuple[float, float], words: str, anchor: str) -> None:
    """Words on a sheet, at its own size."""
    text = airy(words)
    ImageDraw.Draw(sheet).text(place, text, INK, font_of(text, LETTER), anchor)


def wide(words: str) -> float:
    """How wide words are, in pixels."""
    text = airy(words)
    return font_of(text, LETTER).getlength(text)


def airy(words: str) -> str:
    """Words as they are drawn small: a space of PIL's own font, two pixels, parts no words.

    >>> airy("coarse of it")
    'coarse  of  it'
    """
    return "  ".join(drawable(words).split())


def fitting(words: str, width: float) -> list[str]:
    """Words in two lines that are no wider than this: their beginning, and the end, which differs.

    >>> fitting("0.5", 100), len(fitting("a photograph of the 1st of May", 40))
    (['0.5'], 2)
    """
    text = drawable(words)
    first = at_a_gap(text, longest((text[:n] for n in range(len(text), 0, -1)), width))
    rest = text[len(first) :].lstrip()
    ends = (f"…{rest[n:]}" for n in range(1, len(rest)))
    return [first, *([rest] if wide(rest) <= width else [longest(ends, width)])][: 1 + bool(rest)]


def at_a_gap(text: str, begun: str) -> str:
    """The beginning of a text, up to its last gap between words where that is past its middle.

    >>> at_a_gap("left lung upright", "left lung upr"), at_a_gap("photograph", "photo")
    ('left lung ', 'photo')
    """
    gaps = [n for n in range(len(begun) // 2 + 1, len(begun) + 1) if begun[n - 1] in GAPS]
    return begun[: gaps[-1]] if gaps and begun != text else begun


def longest(texts: Iterable[str], width: float) -> str:
    """The first of texts that is no wider than this; empty where none is."""
    return next((text for text in texts if wide(text) <= width), "")
