"""Charts, written as SVG: curves, points, shares, a heat map, an interval beside its floor.

Every chart is a pure function from numbers to markup. Numbers that are not finite are left out, and
a curve is broken there; a chart of nothing says so. Colours are classes of the page's style sheet
(`s0` … strokes, `f0` … fills), so that one chart serves a bright page and a dark one.

>>> lines([Curve("loss", (1, 2), (3.0, 2.0))], Labels("loss")).startswith("<svg")
True
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from twofold.report.page import Html, join, tag
from twofold.report.scale import Scale, scale_of, short, usable, wants_log
from twofold.report.style import COLOURS

MOST = 500
"""Points of a curve that are drawn; a longer one is thinned."""
SETTLED = 0.1
"""The share of a curve's beginning that may leave the frame, where it would squeeze the rest."""


@dataclass(frozen=True)
class Curve:
    """A named curve; colour i is the i-th of the palette, a faint one is one of a bundle."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int = 0
    faint: bool = False


@dataclass(frozen=True)
class Cloud:
    """Named points (x, y)."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: int = 0


@dataclass(frozen=True)
class Mark:
    """A vertical line at x, and what happened there."""

    x: float
    text: str


@dataclass(frozen=True)
class Labels:
    """What a chart is called, and its axes."""

    title: str
    x: str = ""
    y: str = ""


@dataclass(frozen=True)
class Frame:
    """The rectangle that the data is drawn in, and its two scales."""

    x: Scale
    y: Scale
    width: float = 340
    height: float = 210
    left: float = 46
    right: float = 12
    top: float = 26
    bottom: float = 36

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point on the paper, y upwards."""
        wide, high = self.width - self.left - self.right, self.height - self.top - self.bottom
        return self.left + self.x(x) * wide, self.height - self.bottom - self.y(y) * high

    def inside(self, place: tuple[float, float]) -> bool:
        """Whether a place is in the rectangle; what has no place is not."""
        x, y = place
        across = self.left - 0.01 <= x <= self.width - self.right + 0.01
        return across and self.top - 0.01 <= y <= self.height - self.bottom + 0.01


def svg(frame: Frame, labels: Labels, *parts: Html) -> Html:
    """A drawing with its name for those who cannot see it."""
    return tag(
        "svg",
        tag("title", labels.title),
        text(frame.left, 15, labels.title, class_="name") if frame.top > 20 else Html(""),
        *parts,
        viewBox=f"0 0 {frame.width:g} {frame.height:g}",
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def text(x: float, y: float, words: str, **how: str | float) -> Html:
    return tag("text", words, x=x, y=y, **how)


def axes(frame: Frame, labels: Labels) -> Html:
    """Grid lines with their numbers, and the names of the axes."""
    base = frame.height - frame.bottom
    rows = [(t, frame.at(frame.x.low, t)[1]) for t in frame.y.ticks(4)]
    columns = [(t, frame.at(t, frame.y.low)[0]) for t in frame.x.ticks(5)]
    across, along = frame.width - frame.right, (frame.left + frame.width - frame.right) / 2
    return join(
        chain(
            (tag("path", d=f"M{frame.left:g} {y:.1f}H{across:g}", class_="grid") for _, y in rows),
            (text(frame.left - 6, y + 3.5, short(t), text_anchor="end") for t, y in rows),
            (text(x, base + 15, short(t), text_anchor="middle") for t, x in columns),
            [tag("path", d=f"M{frame.left:g} {base:g}H{across:g}", class_="axis")],
            [text(along, frame.height - 4, labels.x, text_anchor="middle")],
            [text(across, 15, labels.y, text_anchor="end")],
        )
    )


def lines(
    curves: Sequence[Curve], labels: Labels, marks: Sequence[Mark] = (), log: str = "auto"
) -> Html:
    """Curves over a common axis.

    Args:
        curves: each in its colour; the legend names the first of each name.
        labels: what it shows. marks: what happened where.
        log: `auto` shows a wide span of positive numbers by the logarithm, `never` does not.
    """
    values = [v for curve in curves for v in curve.y]
    if not any(map(usable, values)):
        return nothing(labels)
    steep = log == "auto" and wants_log(values)
    kept = values if steep or log == "never" else list(settled(curves))
    xs = [v for curve in curves for v in curve.x]
    frame = Frame(scale_of(xs, pad=0), scale_of(kept, steep))
    parts = [path(frame, curve) for curve in curves]
    seen = [mark for mark in marks if 0 <= frame.x(mark.x) <= 1]
    return svg(frame, labels, axes(frame, labels), *(flag(frame, m) for m in seen), *parts)


def settled(curves: Sequence[Curve]) -> Iterator[float]:
    """The values to scale by: without the beginnings, where these are most of the span."""
    every = [v for c in curves for v in c.y if usable(v)]
    late = [v for c in curves for v in c.y[int(len(c.y) * SETTLED) :] if usable(v)]
    squeezed = late and max(every) - min(every) > 3 * (max(late) - min(late)) > 0
    yield from late if squeezed else every


def path(frame: Frame, curve: Curve) -> Html:
    """A curve, broken where it has no place in the frame."""
    stride = max(1, math.ceil(len(curve.x) / MOST))
    pairs = list(zip(curve.x, curve.y, strict=True))
    kept = pairs[::stride] + (pairs[-1:] if (len(pairs) - 1) % stride else [])
    d, pen = [], "M"
    for place in (frame.at(x, y) for x, y in kept):
        if frame.inside(place):
            d.append(f"{pen}{place[0]:.1f} {place[1]:.1f}")
        pen = "L" if frame.inside(place) else "M"
    look = f"curve s{curve.colour % COLOURS}{' faint' if curve.faint else ''}"
    if len(d) == 1:
        return dot(frame, kept[-1], curve)
    return tag("path", tag("title", curve.name), d="".join(d), class_=look)


def dot(frame: Frame, point: tuple[float, float], curve: Curve) -> Html:
    """A curve of a single point."""
    x, y = frame.at(*point)
    if not frame.inside((x, y)):
        return Html("")
    return tag("circle", tag("title", curve.name), cx=x, cy=y, r=3, class_=f"f{curve.colour}")


def flag(frame: Frame, mark: Mark) -> Html:
    """A vertical line with its words on the side where there is room."""
    x = frame.at(mark.x, frame.y.low)[0]
    left = frame.x(mark.x) > 0.6
    shift, anchor = (-5, "end") if left else (5, "start")
    line = tag("path", d=f"M{x:.1f} {frame.top:g}V{frame.height - frame.bottom:g}", class_="mark")
    return join([line, text(x + shift, frame.top + 9, mark.text, text_anchor=anchor)])


def nothing(labels: Labels) -> Html:
    """A chart of nothing."""
    frame = Frame(Scale(), Scale())
    words = text(frame.width / 2, frame.height / 2, "no numbers to show", text_anchor="middle")
    return svg(frame, labels, words)


def scatter(clouds: Sequence[Cloud], labels: Labels, named: bool = False) -> Html:
    """Points, a colour a group.

    Args:
        clouds: the groups, drawn in turn. labels: what it shows.
        named: write the name of each group at its median.
    """
    every = [p for cloud in clouds for p in cloud.points if all(map(usable, p))]
    if not every:
        return nothing(labels)
    frame = Frame(
        scale_of(p[0] for p in every), scale_of(p[1] for p in every), width=560, height=440
    )
    spots = [circle(frame, p, cloud) for cloud in clouds for p in cloud.points]
    names = [centre(frame, cloud) for cloud in clouds if named and cloud.points]
    return svg(frame, labels, axes(frame, labels), *spots, *names)


def circle(frame: Frame, point: tuple[float, float], cloud: Cloud) -> Html:
    x, y = frame.at(*point)
    if not frame.inside((x, y)):
        return Html("")
    return tag("circle", cx=x, cy=y, r=2.6, class_=f"dot f{cloud.colour % COLOURS}")


def centre(frame: Frame, cloud: Cloud) -> Html:
    """A group's name at its median."""
    finite = [p for p in cloud.points if all(map(usable, p))]
    if not finite:
        return Html("")
    x, y = (sorted(p[i] for p in finite)[len(finite) // 2] for i in (0, 1))
    px, py = frame.at(x, y)
    return text(px, py + 4, clipped(cloud.name, 16), text_anchor="middle", class_="halo")


def legend(names: Iterable[tuple[str, int]]) -> Html:
    """Which colour is what."""
    return tag("div", *(entry(name, colour) for name, colour in names), class_="key")


def entry(name: str, colour: int) -> Html:
    spot = tag("circle", cx=8, cy=7, r=5, class_=f"f{colour % COLOURS}")
    return tag("span", tag("svg", spot, viewBox="0 0 16 14", aria_hidden="true"), name)


def steps(edges: Sequence[float], shares: Sequence[Sequence[float]], labels: Labels) -> Html:
    """Histograms over the same bins: the first filled, the others as outlines.

    Args:
        edges: of the bins, one more than bins.
        shares: of each histogram, by bin.
    """
    top = max((v for share in shares for v in share if usable(v)), default=0.0)
    if not top:
        return nothing(labels)
    frame = Frame(scale_of(edges, pad=0), Scale(0, top * 1.06), height=170, left=40)
    drawn = [outline(frame, edges, share, i) for i, share in enumerate(shares)]
    return svg(frame, labels, axes(frame, labels), *drawn)


def outline(frame: Frame, edges: Sequence[float], share: Sequence[float], colour: int) -> Html:
    """One histogram as a staircase."""
    x0, base = frame.at(edges[0], 0)
    stairs = (
        f"V{frame.at(0, v if usable(v) else 0)[1]:.1f}H{frame.at(e, 0)[0]:.1f}"
        for v, e in zip(share, edges[1:], strict=True)
    )
    d = f"M{x0:.1f} {base:.1f}" + "".join(stairs) + f"V{base:.1f}"
    look = f"band f{colour}" if colour == 0 else f"step s{colour}"
    return tag("path", d=d, class_=look)


def bars(names: Sequence[str], shares: Sequence[Sequence[float]], labels: Labels) -> Html:
    """Shares by category, a bar each, one histogram below the other.

    Args:
        names: of the categories. shares: of each histogram, by category.
    """
    top = max((v for share in shares for v in share if usable(v)), default=0.0)
    if not top:
        return nothing(labels)
    tall = 26 + 22 * len(names) + 24
    frame = Frame(Scale(0, top * 1.05), Scale(), height=tall, left=112, bottom=22)
    ticks = [(t, frame.at(t, 0)[0]) for t in frame.x.ticks(4)]
    feet = [text(x, tall - 6, f"{t:.0%}", text_anchor="middle") for t, x in ticks]
    lanes = [lane(frame, i, name, [s[i] for s in shares]) for i, name in enumerate(names)]
    return svg(frame, labels, *lanes, *feet)


def lane(frame: Frame, index: int, name: str, shares: Sequence[float]) -> Html:
    """One category: its name and its bars."""
    y, thick = frame.top + 22 * index + 3, 16 / max(1, len(shares))
    name_ = text(frame.left - 6, y + 12, clipped(name, 16), text_anchor="end")
    drawn = [
        tag(
            "rect",
            tag("title", f"{name}: {share:.1%}"),
            x=frame.left,
            y=y + i * thick,
            width=max(0.0, frame.at(share, 0)[0] - frame.left),
            height=thick - 1,
            class_=f"f{i}",
        )
        for i, share in enumerate(shares)
        if usable(share)
    ]
    return join([name_, *drawn])


def heat(matrix: Sequence[Sequence[float]], names: Sequence[str], labels: Labels) -> Html:
    """A square matrix of numbers in [0, 1], the deeper the more."""
    side, margin = max(8.0, min(26.0, 300 / max(1, len(names)))), 92.0
    width = margin + side * len(names) + 46
    frame = Frame(Scale(), Scale(), width, 30 + side * len(names) + 62, left=margin, top=26)
    cells = [
        cell(frame, i, j, side, value, f"{names[i]}, {names[j]}")
        for i, line in enumerate(matrix)
        for j, value in enumerate(line)
    ]
    rows = [
        text(margin - 5, frame.top + side * (i + 0.5) + 3.5, clipped(n, 15), text_anchor="end")
        for i, n in enumerate(names)
    ]
    foot = frame.top + side * len(names) + 10
    columns = [turned(margin + side * (i + 0.5), foot, clipped(n, 12)) for i, n in enumerate(names)]
    return svg(frame, labels, *cells, *rows, *columns)


def cell(frame: Frame, i: int, j: int, side: float, value: float, words: str) -> Html:
    """One place of a heat map; nothing where there is no number."""
    if not usable(value):
        return Html("")
    return tag(
        "rect",
        tag("title", f"{words}: {value:.2f}"),
        x=frame.left + j * side,
        y=frame.top + i * side,
        width=side - 1,
        height=side - 1,
        class_="f0",
        fill_opacity=0.04 + 0.96 * min(1.0, abs(value)),
    )


def turned(x: float, y: float, words: str) -> Html:
    """Words that lean, to stand close together."""
    return text(x, y, words, text_anchor="start", transform=f"rotate(40 {x:.1f} {y:.1f})")


def clipped(words: str, most: int) -> str:
    """Words that fit.

    >>> clipped("hours-per-week", 8)
    'hours-p…'
    """
    return words if len(words) <= most else words[: most - 1] + "…"


def interval(value: float, low: float, high: float, floor: float, baseline: float) -> Html:
    """A figure on a line of its own: its interval, its floor (bar) and its baseline (diamond)."""
    numbers = [v for v in (value, low, high, floor, baseline) if usable(v)]
    ends = f", interval {short(low)} to {short(high)}" if usable(low) or usable(high) else ""
    labels = Labels(short(value) + ends)
    scale = scale_of(numbers, wants_log(numbers), 0.1)
    frame = Frame(scale, Scale(), 150, 26, left=8, right=8, top=4, bottom=4)
    at = {v: frame.at(v, 0.5)[0] for v in numbers}
    parts = [tag("path", d="M8 13H142", class_="grid")]
    if low in at and high in at:
        parts.append(tag("path", d=f"M{at[low]:.1f} 13H{at[high]:.1f}", class_="span"))
    if floor in at:
        parts.append(tag("path", d=f"M{at[floor]:.1f} 5V21", class_="floor"))
    if baseline in at:
        x = at[baseline]
        parts.append(tag("path", d=f"M{x:.1f} 7l5 6l-5 6l-5 -6z", class_="base"))
    if value in at:
        parts.append(tag("circle", cx=at[value], cy=13, r=4, class_="value"))
    return tag("div", svg(frame, labels, *parts), class_="inline")


KEY = tag(
    "div",
    tag(
        "span",
        tag(
            "svg",
            tag("path", d="M2 7H22", class_="span"),
            tag("circle", cx=12, cy=7, r=3.5, class_="value"),
            viewBox="0 0 24 14",
            aria_hidden="true",
        ),
        "the model, with its 95 % interval",
    ),
    tag(
        "span",
        tag(
            "svg",
            tag("path", d="M12 1V13", class_="floor"),
            viewBox="0 0 24 14",
            aria_hidden="true",
        ),
        "the floor: real against real",
    ),
    tag(
        "span",
        tag(
            "svg",
            tag("path", d="M12 2l5 5l-5 5l-5 -5z", class_="base"),
            viewBox="0 0 24 14",
            aria_hidden="true",
        ),
        "a simple baseline",
    ),
    class_="key",
)
"""What the signs of `interval` mean."""
