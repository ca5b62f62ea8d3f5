"""The section of the game: how critic and generator stand, how they came there, what to turn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from twofold.measures.vitals import played
from twofold.report.charts import Curve, Labels, Mark, legend, lines
from twofold.report.page import NOTHING, Html, Section, figure, join, listed, tag
from twofold.report.seen import Seen
from twofold.runs.measuring import game_of
from twofold.train.record import Tick

SIDES = {"train": "training", "held_out": "held-out", "fake": "drawn"}
SPREADS = {"recall": "recall", "coverage": "coverage", "precision": "precision"}


def stood(seen: Seen) -> list[Section]:
    """The verdict on a game, its story while it trained, and what to turn."""
    if not played(seen.run.model):
        return []
    body = [listed(told(seen)), charts(seen)]
    return [Section("How the game went", join(body))]


def told(seen: Seen) -> Iterator[str]:
    """The verdict in words, what was said while it trained, and the switches to turn."""
    state = game_of(seen.run, seen.figures)
    yield f"The game is {state.found.words}: {state.found.because}."
    yield from (f"While it trained: {text}." for text in seen.said if text.startswith(SPOKEN))
    if state.turn:
        yield "To turn: " + ", or ".join(f"--set {text}" for text in state.turn) + "."


SPOKEN = ("the game is", "training diverged", "gradients were not finite")


def charts(seen: Seen) -> Html:
    """Accuracy and logits of the critic, and the spread of the draws, over training."""
    ticks = seen.ticks
    drawn = [
        chart(seen, ticks, "accuracy", SIDES, "Accuracy of the critic", ""),
        chart(seen, ticks, "judged", SIDES, "Mean logit of the critic", ""),
        chart(seen, ticks, "spread", SPREADS, "Draws among real observations", "share"),
    ]
    shown = [one for one in drawn if one]
    return tag("div", *shown, class_="charts") if shown else NOTHING


def chart(
    seen: Seen, ticks: Sequence[Tick], table: str, names: dict[str, str], title: str, unit: str
) -> Html:
    """The numbers of one table of the log against the step."""
    curves = [curve(ticks, table, name, colour) for colour, name in enumerate(names)]
    drawn = [one for one in curves if one.x]
    if not drawn:
        return NOTHING
    marks = [Mark(step, "rescued") for step in rescues(seen)]
    known = [(names[one.name], one.colour) for one in drawn]
    return figure(lines(drawn, Labels(title, "step", unit), marks, "never"), legend(known))


def curve(ticks: Sequence[Tick], table: str, name: str, colour: int) -> Curve:
    """One number of a table, at the ticks that have it."""
    pairs = [(tick["step"], tick[table][name]) for tick in ticks if name in tick.get(table, {})]
    values = [y if isinstance(y, int | float) else math.nan for _, y in pairs]
    return Curve(name, [float(x) for x, _ in pairs], values, colour)


def rescues(seen: Seen) -> list[int]:
    """The steps at which something was turned against a trouble of the game."""
    session = seen.session
    pairs = zip(session.get("rescued", []), session.get("against", []), strict=False)
    return [step for step, trouble in pairs if trouble != "unused"]
