"""The page of a run: `report.html`, one file that stands alone.

The page is a list of section functions. Each is given what there is to see and returns its
sections, none where it does not apply; a new section is one more line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from twofold.core.words import plural
from twofold.measures.measure import Figure
from twofold.report import (
    about,
    attention,
    code,
    drawn,
    game,
    maps,
    measured,
    series,
    tables,
    training,
)
from twofold.report.page import Html, Section, page, tag
from twofold.report.seen import Seen
from twofold.report.words import article, data_in_words, family_in_words, trained
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.train.checkpoint import replace

SECTIONS: tuple[Callable[[Seen], list[Section]], ...] = (
    measured.judged,
    drawn.samples,
    tables.rows_drawn,
    series.windows,
    drawn.reconstructions,
    tables.marginals,
    tables.together,
    series.past,
    measured.figures,
    game.stood,
    code.used,
    maps.latent,
    attention.looked_at,
    maps.coverage,
    drawn.interpolations,
    training.curves,
    drawn.film,
    about.data,
    about.facts_of,
)
SMALL_PRINT = (
    "This page shows held-out observations of the data: share it as you would share the data. "
    "It needs no network and runs no script."
)


def write(
    run: Run,
    figures: Sequence[Figure],
    refused: Mapping[str, str],
    material: Material,
    folder: Path,
    seed: int = 0,
) -> Path:
    """Write `report.html` and return its path.

    Args:
        run: the run. material: its data.
        figures: what was measured. refused: what was not, and why.
        folder: where the page goes, mostly the run's own.
        seed: of every draw.
    """
    path = folder / "report.html"
    replace(path, rendered(Seen(run, figures, refused, material, seed)).encode())
    return path


def rendered(seen: Seen) -> str:
    """The page as text."""
    sections = [section for make in SECTIONS for section in make(seen)]
    when = datetime.now(UTC).strftime("%-d %B %Y, %H:%M UTC")
    return page(seen.run.path.name, sections, lead(seen), f"Written on {when}. {SMALL_PRINT}")


def lead(seen: Seen) -> Html:
    """What was trained on what, in a sentence."""
    run = seen.run
    family = article(family_in_words(run))
    sizes = plural(len(seen.material.train), "observation")
    return tag(
        "p",
        family[:1].upper() + family[1:],
        " that learned ",
        tag("strong", data_in_words(run)),
        f" from {sizes}: {trained(seen)}.",
        class_="lead",
    )
