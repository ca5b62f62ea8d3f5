"""Rows of structures with words below each, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from twofold.data.kinds.molecules import SIDE, drawn
from twofold.data.letters import LINE, letters
from twofold.data.pictures import pil
from twofold.report.raster import GAP, side_by_side, stacked


@dataclass(frozen=True)
class Structure:
    """A molecule, and lines of what is said of it; empty SMILES draw an empty sheet."""

    smiles: str
    lines: tuple[str, ...]


def sheet(rows: Sequence[tuple[str, Sequence[Structure]]]) -> Image.Image:
    """Named rows of structures below one another."""
    return stacked([(name, side_by_side([cell(one) for one in row])) for name, row in rows])


def cell(one: Structure, lines: int = 2) -> Image.Image:
    """A structure with its lines below."""
    made = Image.new("RGB", (SIDE + GAP, SIDE + lines * LINE + GAP), "white")
    made.paste(pil(drawn(one.smiles)), (0, 0))
    for at, line in enumerate(one.lines[:lines]):
        letters(made, (SIDE / 2, SIDE + at * LINE + 2), line, "ma")
    return made
