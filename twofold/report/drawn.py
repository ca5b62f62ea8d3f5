"""The sections one looks at first: draws, reconstructions, ways between, the run as a film."""

from __future__ import annotations

from collections.abc import Sequence

from twofold.data.sources import whole
from twofold.report.page import Html, Section, figure, join, paragraph, tag
from twofold.report.seen import Seen
from twofold.report.shots import COARSE, preview, sheet, strips

CLASSES = 12
"""Rows of labelled draws, at most."""
ACROSS = 12
"""Pictures in a row."""
FRAMES = 8
"""Previews in the film."""


def drawable(seen: Seen) -> bool:
    """Whether pictures of observations say something to a person."""
    return seen.is_picture


def coarse(seen: Seen) -> bool:
    """Whether pictures are so small that their pixels should stay sharp."""
    return max(seen.run.space.axes) <= COARSE


def samples(seen: Seen) -> list[Section]:
    """Draws: a row a class where there are classes, else a sheet; real ones below."""
    if not (drawable(seen) and seen.samples):
        return []
    name, labels = seen.labels
    few = 1 < len(labels) <= CLASSES
    drawn = by_label(seen, name, labels) if few else at_random(seen)
    told = [paragraph(f"{text[:1].upper()}{text[1:]}.") for text in seen.run.said]
    return [Section("Draws", join([*told, drawn, real_ones(seen)]))]


def by_label(seen: Seen, name: str, labels: Sequence[str]) -> Html:
    """A row of draws for each label."""
    rows = [(one, seen.run.draw(ACROSS, {name: one}, seen.seed)) for one in labels]
    body = strips([(f"{name} {one}", seen.run.kind.draw(r)) for one, r in rows], coarse(seen))
    text = f"Drawn afresh with seed {seen.seed}, {ACROSS} for each {name}; none is picked by hand."
    return figure(body, text)


def at_random(seen: Seen) -> Html:
    """A sheet of draws."""
    rows = seen.run.draw(64, {}, seen.seed)
    body = sheet(seen.run.kind.draw(rows), "64 draws of the model", 8, coarse(seen))
    return figure(body, f"64 drawn afresh with seed {seen.seed}; none is picked by hand.")


def real_ones(seen: Seen) -> Html:
    """Held-out observations, to compare with."""
    rows = whole(seen.some(2 * ACROSS))
    body = sheet(seen.run.kind.draw(rows), "real observations", ACROSS, coarse(seen))
    return figure(body, f"Real ones to compare with, from the {seen.held_name}.")


def reconstructions(seen: Seen) -> list[Section]:
    """Held-out observations above what comes back of them."""
    if not (drawable(seen) and seen.encodes and seen.decodes):
        return []
    held = seen.some(2 * ACROSS)
    real, again = whole(held), seen.run.reconstructed(held)
    kind = seen.run.kind
    pairs = zip(kind.draw(real).split(ACROSS), kind.draw(again).split(ACROSS), strict=True)
    rows = [pair for a, b in pairs for pair in (("original", a), ("reconstructed", b))]
    text = (
        f"Observations of the {seen.held_name}, encoded to the mean of their code and decoded "
        "again. What is lost here, the latent does not hold."
    )
    return [Section("Reconstructions", figure(strips(rows, coarse(seen)), text))]


def interpolations(seen: Seen) -> list[Section]:
    """Ways between held-out observations, or between draws where the model does not encode."""
    if not (drawable(seen) and seen.decodes):
        return []
    ends = seen.some(8) if seen.encodes and len(seen.held[1]) > 1 else ()
    rows = seen.run.between(ends, ACROSS, 4, "spherical", {}, seen.seed)
    drawn = seen.run.kind.draw(rows).split(ACROSS)
    named = [(f"way {i + 1}", pictures) for i, pictures in enumerate(drawn)]
    between = f"observations of the {seen.held_name}" if ends else "draws of the prior"
    text = (
        f"From left to right between two {between}, along the sphere. A smooth way without "
        "blurred or broken middles means that the latent has no holes there."
    )
    return [Section("Between two", figure(strips(named, coarse(seen)), text))]


def film(seen: Seen) -> list[Section]:
    """The same latents through the run."""
    if not seen.previews:
        return []
    every = seen.previews
    chosen = sorted({round(i * (len(every) - 1) / (FRAMES - 1)) for i in range(FRAMES)})
    frames = [preview(every[i]) for i in chosen]
    text = "The same latents and conditions, drawn by the averaged model as it learnt."
    return [Section("Through the run", figure(tag("div", *frames, class_="film"), text))]
