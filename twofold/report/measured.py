"""The sections of evidence: the verdict in plain words, and the table of all figures."""

from __future__ import annotations

import math
from collections.abc import Mapping

from twofold.measures.measure import Figure
from twofold.measures.verdict import verdict
from twofold.report.charts import KEY, interval
from twofold.report.page import Html, Section, folded, join, listed, paragraph, table, tag
from twofold.report.scale import short
from twofold.report.seen import Seen

HEAD = ("Measure", "Value and 95 % interval", "Floor", "Baseline", "Good is", "n")


def judged(seen: Seen) -> list[Section]:
    """The verdict."""
    return [Section("Verdict", listed(verdict(list(seen.figures))))]


def figures(seen: Seen) -> list[Section]:
    """Every figure beside its floor and its baseline, and what was not measured."""
    if not seen.figures:
        return [Section("Measures", join([paragraph("Nothing was measured."), why(seen.refused)]))]
    splits = ", ".join(sorted({f.split for f in seen.figures}))
    seeds = ", ".join(sorted({str(f.seed) for f in seen.figures}))
    caption = f"Measured on the {splits} split with seed {seeds}; n is observations a side."
    text = paragraph(
        "A number means little alone. The floor is the same measure of real observations against "
        "other real ones: nobody does better but by chance. The baseline is a simple method."
    )
    lines = [line(figure) for figure in seen.figures]
    body = [text, KEY, table(caption, HEAD, lines, "measures"), why(seen.refused)]
    return [Section("Measures", join(body))]


def line(figure: Figure) -> list[str]:
    """A figure as a row."""
    name = join([figure.name, tag("small", figure.note)]) if figure.note else figure.name
    compared = math.isfinite(figure.floor) or math.isfinite(figure.baseline)
    drawn = picture(figure) if compared else Html("")
    good = "–" if figure.better == "neither" else figure.better
    value = join([spelled(figure), drawn])
    return [name, value, short(figure.floor), baseline(figure), good, f"{figure.n:,}"]


def picture(figure: Figure) -> Html:
    """A figure beside what it is compared with."""
    return interval(figure.value, figure.low, figure.high, figure.floor, figure.baseline)


def spelled(figure: Figure) -> Html:
    """A value with its unit and interval."""
    value = tag("strong", short(figure.value))
    unit = f" {figure.unit}" if figure.unit else ""
    if math.isnan(figure.low) or math.isnan(figure.high):
        return join([value, unit])
    return join([value, unit, f" [{short(figure.low)}, {short(figure.high)}]"])


def baseline(figure: Figure) -> str:
    """A baseline and its name."""
    if math.isnan(figure.baseline):
        return "–"
    return join([short(figure.baseline), tag("small", figure.baseline_name)])


def why(refused: Mapping[str, str]) -> Html:
    """What was not measured, grouped by the reason."""
    if not refused:
        return Html("")
    reasons = sorted(set(refused.values()))
    named = [
        (", ".join(n for n, r in refused.items() if r == reason), reason) for reason in reasons
    ]
    items = listed(join([tag("strong", names), f": {reason}"]) for names, reason in named)
    return folded(f"{len(refused)} measures do not apply, and why", items)
