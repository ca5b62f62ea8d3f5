"""The page of an optimisation: every search at as many calls, how it went, what it proposes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from twofold.data import places
from twofold.data.pictures import pil
from twofold.measures.measure import Figure
from twofold.report.charts import Curve, Labels, legend, lines
from twofold.report.page import Html, Section, figure, join, listed, page, table, tag
from twofold.report.scale import short
from twofold.report.shots import image

SHOWN = 24
"""Molecules of a search that are drawn."""


@dataclass(frozen=True)
class Side:
    """One search.

    Args:
        name: of it. calls, distinct: what it made, and how many molecules it may propose.
        figures: of what was asked. curve: calls, and the mean fitness of the best ten then.
        shown: the first proposals: what is said of each, by name. drawn: each, (N, 3, h, w).
    """

    name: str
    calls: int
    distinct: int
    figures: Sequence[Figure]
    curve: Sequence[tuple[int, float]]
    shown: Sequence[Mapping[str, str]]
    drawn: Tensor


def write(path: Path, asked: str, said: Sequence[str], sides: Sequence[Side]) -> Path:
    """The page, as a new file.

    Args:
        asked: what was asked for. said: sentences on the whole.
    """
    sections = [
        Section("Asked", listed([asked, *said])),
        Section("Side by side", join([beside(sides), course(sides)])),
        *(Section(f"Proposed by {side.name}", cards(side)) for side in sides if side.shown),
    ]
    with places.new(path) as file:
        file.write(page("Molecules found", sections).encode())
    return path


def beside(sides: Sequence[Side]) -> Html:
    """A row a search."""
    names = [figure.name.split(", ")[0] for figure in sides[0].figures]
    head = ["Search", "Calls", "May be proposed", *names]
    rows = [[side.name, f"{side.calls:,}", f"{side.distinct:,}", *values(side, names)]
            for side in sides]  # fmt: skip
    caption = (
        "Each search had the same calls; top-10 is the mean of the ten fittest. Screening proposes "
        "molecules of the data, the others none of them."
    )
    return table(caption, head, rows)


def values(side: Side, names: Sequence[str]) -> list[str]:
    """The figures of a search by name."""
    by_name = {figure.name.split(", ")[0]: short(figure.value) for figure in side.figures}
    return [by_name.get(name, "–") for name in names]


def course(sides: Sequence[Side]) -> Html:
    """The best ten over the calls."""
    curves = [
        Curve(side.name, [n for n, _ in side.curve], [y for _, y in side.curve], colour=i)
        for i, side in enumerate(sides)
    ]
    drawn = lines(curves, Labels("The best ten so far", "calls", "fitness"), log="never")
    key = legend((side.name, i) for i, side in enumerate(sides))
    text = "Fitness is in units of the spread among the molecules of the start."
    return figure(join([key, tag("div", drawn, class_="sheet")]), text)


def cards(side: Side) -> Html:
    """Molecules, each with what is said of it below."""
    pairs = zip(side.drawn, side.shown, strict=True)
    return tag("div", *(card(picture, facts) for picture, facts in pairs), class_="film")


def card(picture: Tensor, facts: Mapping[str, str]) -> Html:
    """A molecule, with a line a fact."""
    told = [tag("small", f"{name} {value}", tag("br")) for name, value in facts.items() if value]
    return tag("figure", image(pil(picture), facts["smiles"]), tag("figcaption", *told))
