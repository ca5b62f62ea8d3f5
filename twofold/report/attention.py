"""The section of attention: what the networks look at, laid over the observations.

The heat is the mean over heads and over all places that look; from a single place it can be asked
for with `run.attended(data, layer, at)`.
"""

from __future__ import annotations

from twofold.data.pictures import heated
from twofold.data.sources import whole
from twofold.nets.attention import attends
from twofold.report.page import Section, figure
from twofold.report.seen import Seen
from twofold.report.shots import strips

ACROSS = 10
"""Observations in a row."""


def looked_at(seen: Seen) -> list[Section]:
    """A row of observations, and below it the same with what each block looks at."""
    if not ((seen.is_picture or seen.is_series) and attends(seen.run.model)):
        return []
    held = seen.some(ACROSS)
    looks = seen.run.looks(held)
    drawn = seen.run.kind.draw(whole(held))
    rows = [("observations", drawn)]
    rows += [(name, heated(drawn, look.heat())) for name, look in looks.items()]
    text = (
        f"Observations of the {seen.held_name}, and what each block of attention looks at while it "
        "reads or decodes them: the mean over its heads and places, warm where it is more than "
        "spread evenly. Attention knows of places only what the convolutions before it tell."
    )
    return [Section("Where it looks", figure(strips(rows), text))]
