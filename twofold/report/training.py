"""The section of training: losses, and the number on held-out data by which the best was kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

from twofold.report.charts import Curve, Labels, Mark, legend, lines
from twofold.report.page import Html, Section, figure, join, tag
from twofold.report.seen import Seen
from twofold.train.record import Tick, numbers


def curves(seen: Seen) -> list[Section]:
    """One chart of the players' losses, then one for each other number."""
    ticks = seen.ticks
    if not ticks:
        return []
    names = list(dict.fromkeys(name for tick in ticks for name in numbers(tick)))
    players = [name for name in names if name in seen.run.model.players()]
    others = [name for name in names if name not in players]
    charts = [together(ticks, players)] if players else []
    charts += [alone(seen, ticks, name) for name in others]
    text = "Means between ticks over the batches shown; losses are of the training data."
    return [Section("Training", join([tag("p", text), tag("div", *charts, class_="charts")]))]


def together(ticks: Sequence[Tick], players: Sequence[str]) -> Html:
    """The losses of all players, which play against each other, over one axis."""
    drawn = [curve(ticks, name, colour) for colour, name in enumerate(players)]
    title = "Loss of the " + players[0] if len(players) == 1 else "Losses of the players"
    names = legend(zip(players, range(len(players)), strict=True)) if len(players) > 1 else Html("")
    return figure(lines(drawn, Labels(title, "step")), names)


def alone(seen: Seen, ticks: Sequence[Tick], name: str) -> Html:
    """One number, with the best step where it chose the best checkpoint."""
    session = seen.session
    chosen = name == session.get("best_name")
    marks = [Mark(session["best_step"], f"best: step {session['best_step']:,}")] if chosen else []
    title = f"{name}, held-out" if chosen else name
    return figure(lines([curve(ticks, name, 2 if chosen else 0)], Labels(title, "step"), marks), "")


def curve(ticks: Sequence[Tick], name: str, colour: int) -> Curve:
    """A number of the log against the step; lines that lack it are passed over."""
    pairs = [(tick["step"], number(tick[name])) for tick in ticks if name in tick]
    return Curve(name, [x for x, _ in pairs], [y for _, y in pairs], colour)


def number(value: object) -> float:
    """A number of the log; NaN where it is none."""
    return float(value) if isinstance(value, int | float) else math.nan
