"""Charts and labelled pictures as pixels, for a PNG file beside what a verb writes.

The charts of a page are SVG (`charts`); a folder of results wants pictures that open anywhere. The
same frames, scales and palette are drawn here at three times the size and reduced, so that lines
and dots are smooth.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw
from torch import Tensor

from twofold.data.letters import LETTER, LINE, drawable, fitting, font_of, letters, wide
from twofold.data.pictures import grid, pil
from twofold.report.charts import Cloud, Curve, Frame, Labels
from twofold.report.scale import scale_of, short, usable
from twofold.report.style import COLOURS, LIGHT

FINE = 3
"""Pixels drawn for one that is shown, along each axis."""
NAMED = dict(re.findall(r"--(\w+):(#\w+)", LIGHT))
PALETTE = [NAMED[f"c{i}"] for i in range(COLOURS)]
GAP = 4


@dataclass(frozen=True)
class Paper:
    """A white sheet of width × height, drawn on in the units of the page."""

    width: float
    height: float
    image: Image.Image = field(init=False)
    pen: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        size = round(self.width * FINE), round(self.height * FINE)
        object.__setattr__(self, "image", Image.new("RGB", size, "white"))
        object.__setattr__(self, "pen", ImageDraw.Draw(self.image))

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float) -> None:
        """A line through points; one of fewer than two is none."""
        if len(points) > 1:
            places = [(x * FINE, y * FINE) for x, y in points]
            self.pen.line(places, NAMED.get(colour, colour), round(width * FINE), "curve")

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        box = [v * FINE for v in (x - radius, y - radius, x + radius, y + radius)]
        self.pen.ellipse(box, NAMED.get(colour, colour))

    def text(self, x: float, y: float, words: str, anchor: str = "ls", ink: str = "soft") -> None:
        """Words at a place; the anchor is PIL's, such as `ms` for the middle of the base line."""
        shown, place = drawable(words), (x * FINE, y * FINE)
        self.pen.text(place, shown, NAMED[ink], font_of(shown, LETTER * FINE), anchor)

    def done(self) -> Image.Image:
        """The sheet at its size."""
        return self.image.resize((round(self.width), round(self.height)), Image.Resampling.LANCZOS)


def scatter(clouds: Sequence[Cloud], labels: Labels) -> Image.Image:
    """Points, a colour a group, with the groups' names on the right."""
    every = [p for cloud in clouds for p in cloud.points if all(map(usable, p))]
    across, up = (scale_of(p[i] for p in every) for i in (0, 1))
    frame = Frame(across, up, width=680, height=480, right=150)
    paper = Paper(frame.width, frame.height)
    axes(paper, frame, labels)
    for cloud in clouds:
        for point in cloud.points:
            if frame.inside(frame.at(*point)):
                paper.dot(*frame.at(*point), 2.2, PALETTE[cloud.colour % COLOURS])
    for i, cloud in enumerate(clouds):
        y = frame.top + 8 + 17 * i
        paper.dot(frame.width - 136, y, 4.5, PALETTE[cloud.colour % COLOURS])
        paper.text(frame.width - 126, y + 4, f"{cloud.name[:18]} ({len(cloud.points)})", "ls")
    return paper.done()


def shaded(
    points: Sequence[tuple[float, float]], numbers: Sequence[float], labels: Labels, name: str
) -> Image.Image:
    """Points, each coloured by its number, with the scale on the right; grey without a number.

    The colours run between the 2 % and the 98 % quantile, so that a few do not bleach the rest.
    """
    known = sorted(n for n in numbers if usable(n))
    low, high = (known[round(q * (len(known) - 1))] for q in (0.02, 0.98)) if known else (0.0, 1.0)
    across, up = (scale_of(p[i] for p in points if all(map(usable, p))) for i in (0, 1))
    frame = Frame(across, up, width=680, height=480, right=150)
    paper = Paper(frame.width, frame.height)
    axes(paper, frame, labels)
    for point, number in zip(points, numbers, strict=True):
        if all(map(usable, point)) and frame.inside(frame.at(*point)):
            paper.dot(*frame.at(*point), 2.2, shade(number, low, high))
    for i in range(SHADES):
        y = frame.top + 30 + 4 * (SHADES - i)
        paper.line([(frame.width - 140, y), (frame.width - 122, y)], between(*ENDS, i / SHADES), 4)
    paper.text(frame.width - 140, frame.top + 14, name[:22])
    for number, at in ((high, SHADES), ((low + high) / 2, SHADES / 2), (low, 0)):
        paper.text(frame.width - 116, frame.top + 34 + 4 * (SHADES - at), short(number))
    return paper.done()


SHADES = 32
ENDS = ("#2b3a8c", "#f6a53a")
"""The colours of the lowest and of the highest number."""
UNKNOWN = "#c8c8c8"


def shade(number: float, low: float, high: float) -> str:
    """The colour of a number between two."""
    if not usable(number):
        return UNKNOWN
    return between(*ENDS, min(max((number - low) / max(high - low, 1e-12), 0), 1))


def lines(curves: Sequence[Curve], labels: Labels) -> Image.Image:
    """Curves over a common axis, from the palette's first colour to its second."""
    values = [v for curve in curves for v in curve.y]
    frame = Frame(scale_of((v for c in curves for v in c.x), pad=0), scale_of(values))
    paper = Paper(frame.width, frame.height)
    axes(paper, frame, labels)
    for i, curve in enumerate(curves):
        colour = between(PALETTE[0], PALETTE[1], i / max(len(curves) - 1, 1))
        places = [frame.at(x, y) for x, y in zip(curve.x, curve.y, strict=True)]
        for run in unbroken(places, frame):
            paper.line(run, colour, 1.3)
    return paper.done()


def unbroken(
    places: Sequence[tuple[float, float]], frame: Frame
) -> list[list[tuple[float, float]]]:
    """A curve in pieces that have a place on the paper."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for place in places:
        if frame.inside(place):
            pieces[-1].append(place)
        elif pieces[-1]:
            pieces.append([])
    return pieces


def between(a: str, b: str, share: float) -> str:
    """A colour between two.

    >>> between("#000000", "#ff8000", 0.5)
    '#804000'
    """
    pairs = [(int(a[i : i + 2], 16), int(b[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(low + share * (high - low)):02x}" for low, high in pairs)


def axes(paper: Paper, frame: Frame, labels: Labels) -> None:
    """Grid lines with their numbers, the title and the names of the axes."""
    base, right = frame.height - frame.bottom, frame.width - frame.right
    for t in frame.y.ticks(4):
        y = frame.at(frame.x.low, t)[1]
        paper.line([(frame.left, y), (right, y)], "grid", 1)
        paper.text(frame.left - 6, y, short(t), "rm")
    for t in frame.x.ticks(5):
        paper.text(frame.at(t, frame.y.low)[0], base + 15, short(t), "ms")
    paper.line([(frame.left, base), (right, base)], "soft", 1)
    paper.text(frame.left, 15, labels.title, "ls", "ink")
    paper.text((frame.left + right) / 2, frame.height - 5, labels.x, "ms")
    paper.text(right, 15, labels.y, "rs")


def stacked(rows: Sequence[tuple[str, Image.Image]], heads: Sequence[str] = ()) -> Image.Image:
    """Pictures below one another, each with its name before it.

    Args:
        heads: what stands above each of as many columns of equal width, in two lines at most.
    """
    margin = round(max(wide(name) for name, _ in rows)) + 2 * GAP
    width = max(image.width for _, image in rows)
    above = [fitting(head, width / len(heads) - GAP) for head in heads]
    top = LINE * max((len(lines) for lines in above), default=0)
    height = top + sum(image.height + GAP for _, image in rows)
    sheet = Image.new("RGB", (margin + width, height), "white")
    for i, lines in enumerate(above):
        for at, line in enumerate(lines):
            place = margin + (i + 0.5) * width / len(heads), at * LINE + 2
            letters(sheet, place, line, "ma")
    for name, image in rows:
        sheet.paste(image, (margin, top))
        letters(sheet, (GAP, top + image.height / 2), name, "lm")
        top += image.height + GAP
    return sheet


def strip(pictures: Tensor) -> Image.Image:
    """Pictures (B, 3, h, w) in a row."""
    return pil(grid(pictures, len(pictures)))


def there_and_back(pictures: Tensor, steps: int) -> list[Image.Image]:
    """Ways (W · T, 3, h, w) of T pictures each as the frames of a film that goes on for ever.

    All ways move at once, side by side, to their ends and back.

    >>> import torch
    >>> len(there_and_back(torch.zeros(8, 3, 2, 2, dtype=torch.uint8), steps=4))
    6
    """
    frames = [pil(grid(pictures[t::steps])) for t in range(steps)]
    return [*frames, *frames[-2:0:-1]]


def side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one height in a row."""
    sheet = Image.new("RGB", (sum(i.width for i in images), images[0].height), "white")
    left = 0
    for image in images:
        sheet.paste(image, (left, 0))
        left += image.width
    return sheet
