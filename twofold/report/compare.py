"""The page that compares runs: one table, draws side by side, curves together, what differs.

Two runs differ in a figure when their 95 % intervals do not overlap; only then is one of them
marked, and only then does the verdict call it better. What is said is found by rules: a figure, and
what it means to be ahead in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twofold.core.errors import UserError
from twofold.core.game import Samples
from twofold.core.words import plural
from twofold.data.sources import Rows
from twofold.measures.measure import Figure
from twofold.report import drawn, maps, training
from twofold.report.charts import Curve, Labels, legend, lines
from twofold.report.page import (
    NOTHING,
    Html,
    Section,
    figure,
    folded,
    join,
    listed,
    page,
    paragraph,
    table,
    tag,
)
from twofold.report.scale import short
from twofold.report.seen import Seen
from twofold.report.shots import COARSE, sheet
from twofold.report.words import data_in_words, family_in_words, observation_in_words
from twofold.runs.run import Run
from twofold.runs.training import material_of
from twofold.train.checkpoint import replace
from twofold.train.record import clock, numbers

AHEAD: dict[str, str] = {
    "fid": "draws closer to real data",
    "fd_": "draws closer to real data",
    "kid": "draws closer to real data",
    "kd_": "draws closer to real data",
    "sharpness_ratio": "is closer to real sharpness",
    "precision": "stays closer to the data",
    "density": "stays closer to the data",
    "recall": "has more variety",
    "coverage": "covers more of the data",
    "modes_covered": "covers more classes",
    "modes_reverse_kl": "draws the classes more evenly",
    "elbo": "gives held-out data more likelihood",
    "nll_is": "gives held-out data more likelihood",
    "reconstruction": "reconstructs better",
    "udr": "finds the same dimensions again with another seed",
    "copies": "copies less of its training data",
}
"""What it means to be ahead in a figure, by the beginning of its name, in the order it is said."""
IDEAL: dict[str, float] = {"sharpness_ratio": 1.0}
"""Figures that are neither better high nor low, but near a number."""
LOOKS = 36
CLOSER = (drawn.reconstructions, maps.latent, training.curves)
"""Sections of a run's own page that a comparison shows too."""


@dataclass(frozen=True)
class Contestant:
    """A run, what it is called here, and its figures by name."""

    run: Run
    name: str
    figures: Mapping[str, Figure]


def write(
    runs: Sequence[Run], figures: Sequence[Sequence[Figure]], out: Path, seed: int = 0
) -> Path:
    """Write the page and return its path.

    Args:
        runs: the runs. figures: what was measured of each, in the same order.
        out: the file. seed: of the draws.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    replace(out, rendered(contestants(runs, figures), seed).encode())
    return out


def said(runs: Sequence[Run], figures: Sequence[Sequence[Figure]]) -> list[str]:
    """The verdict of the page, a sentence each; the arguments are those of `write`."""
    return sentences(contestants(runs, figures))


def contestants(runs: Sequence[Run], figures: Sequence[Sequence[Figure]]) -> list[Contestant]:
    """Runs with names that tell them apart."""
    names = [run.path.name for run in runs]
    named = names if len(set(names)) == len(names) else [str(run.path) for run in runs]
    return [
        Contestant(run, name, {one.name: one for one in found})
        for run, name, found in zip(runs, named, figures, strict=True)
    ]


def rendered(rivals: Sequence[Contestant], seed: int) -> str:
    """The page as text."""
    made = (verdict(rivals), figures_of(rivals), draws(rivals, seed), curves(rivals),
            closer(rivals, seed), speed(rivals), recipes(rivals))  # fmt: skip
    when = datetime.now(UTC).strftime("%-d %B %Y, %H:%M UTC")
    title = " and ".join(rival.name for rival in rivals) if len(rivals) == 2 else "Runs compared"
    lead = tag(
        "p",
        f"{plural(len(rivals), 'run')} on {', '.join(places(rivals))}, side by side.",
        class_="lead",
    )
    foot = f"Written on {when}. It needs no network and runs no script."
    return page(title, [section for several in made for section in several], lead, foot)


def closer(rivals: Sequence[Contestant], seed: int) -> list[Section]:
    """What only one run at a time can show: reconstructions, the latent map, its own curves.

    A run whose data is not on this machine is passed over.
    """
    sections = []
    for rival in rivals:
        with suppress(UserError):
            material = material_of(rival.run, "")
            seen = Seen(rival.run, [*rival.figures.values()], {}, material, seed)
            found = [section for make in CLOSER for section in make(seen)]
            sections += [Section(f"{rival.name}: {one.title}", one.body) for one in found]
    return sections


def places(rivals: Sequence[Contestant]) -> list[str]:
    """The data of the runs, each named once."""
    return list(dict.fromkeys(data_in_words(rival.run) for rival in rivals))


# What is better.


def apart(a: Figure, b: Figure) -> bool:
    """Whether two intervals do not overlap; without intervals nothing is said."""
    bounds = (a.low, a.high, b.low, b.high)
    return all(map(math.isfinite, bounds)) and (a.low > b.high or b.low > a.high)


def goodness(figure: Figure) -> float:
    """A number that grows with how good a figure is; NaN where neither way is."""
    if figure.name in IDEAL:
        return -abs(figure.value - IDEAL[figure.name])
    sign = {"higher": 1.0, "lower": -1.0, "neither": math.nan}[figure.better]
    best = sign * figure.floor if math.isfinite(figure.floor) else math.inf
    return min(sign * figure.value, best)  # beyond the floor is luck


def winner(found: Sequence[Figure]) -> list[Figure]:
    """The one figure that is ahead of all others beyond their intervals; none where none is.

    >>> a, b = (Figure("recall", v, v - 0.1, v + 0.1, 9, "higher") for v in (0.5, 0.8))
    >>> [figure.value for figure in winner([a, b])], winner([a, a])
    ([0.8], [])
    """
    ranked = sorted((f for f in found if math.isfinite(goodness(f))), key=goodness, reverse=True)
    if len(ranked) < 2 or not all(apart(ranked[0], other) for other in ranked[1:]):
        return []
    return ranked[:1]


def measured(rivals: Sequence[Contestant]) -> list[str]:
    """The names of all figures, in order."""
    return list(dict.fromkeys(name for rival in rivals for name in rival.figures))


def shared(rivals: Sequence[Contestant], name: str) -> list[tuple[Contestant, Figure]]:
    """Who has a figure, and which."""
    return [(rival, rival.figures[name]) for rival in rivals if name in rival.figures]


def verdict(rivals: Sequence[Contestant]) -> list[Section]:
    """What the figures say of the runs together."""
    return [Section("Verdict", listed(sentences(rivals)))]


def sentences(rivals: Sequence[Contestant]) -> list[str]:
    """The same, a sentence each: first why to take care, then who is ahead in what."""
    said = unfair(rivals) + list(ahead(rivals))
    if even := level(rivals):
        said.append(f"Within their intervals, and so not told apart: {', '.join(even)}.")
    return said or ["The runs share no figure to compare by."]


def ahead(rivals: Sequence[Contestant]) -> Iterator[str]:
    """A sentence for each thing that one run does better than all others, and its evidence."""
    won: dict[tuple[str, str], list[str]] = {}
    for name in measured(rivals):
        pairs = shared(rivals, name)
        for best in winner([found for _, found in pairs]):
            who = next(rival.name for rival, found in pairs if found is best)
            others = ", ".join(short(f.value) for r, f in pairs if r.name != who)
            proof = f"{name} {short(best.value)} against {others}"
            won.setdefault((who, meaning(name)), []).append(proof)
    order = list(dict.fromkeys(AHEAD.values()))
    for (who, what), proofs in sorted(won.items(), key=lambda item: rank(order, item[0][1])):
        yield f"{who} {what} ({'; '.join(proofs)})."


def rank(order: Sequence[str], what: str) -> int:
    """The place of a meaning; an unknown one comes last."""
    return order.index(what) if what in order else len(order)


def meaning(name: str) -> str:
    """What it means to be ahead in a figure.

    >>> meaning("nll_is100"), meaning("shapes")
    ('gives held-out data more likelihood', 'is better in shapes')
    """
    return next(
        (text for head, text in AHEAD.items() if name.startswith(head)), f"is better in {name}"
    )


def level(rivals: Sequence[Contestant]) -> list[str]:
    """Figures that several runs have and none is ahead in."""
    both = [[f for _, f in shared(rivals, name)] for name in measured(rivals)]
    judged = [found for found in both if len(found) > 1 and math.isfinite(goodness(found[0]))]
    return [found[0].name for found in judged if not winner(found)]


def unfair(rivals: Sequence[Contestant]) -> list[str]:
    """Why figures may not be comparable, and where codes come from if not from the own prior."""
    said = []
    if len(places(rivals)) > 1:
        said.append("The runs were trained on different data: read every difference with care.")
    forms = list(dict.fromkeys(observation_in_words(rival.run) for rival in rivals))
    if len(forms) > 1:
        said.append(
            "The runs do not see the same observations, and a distance or an error of one says "
            f"little beside another's: {'; '.join(forms)}. Compare each with its own floor."
        )
    sizes = {f.n for rival in rivals for f in rival.figures.values()}
    if any(len({f.n for _, f in shared(rivals, name)}) > 1 for name in measured(rivals)):
        counts = ", ".join(f"{n:,}" for n in sorted(sizes))
        said.append(f"The runs were measured on different numbers of observations ({counts}).")
    return [*said, *(f"{rival.name}: {text}." for rival in rivals for text in rival.run.said)]


def figures_of(rivals: Sequence[Contestant]) -> list[Section]:
    """A figure a row, a run a column."""
    names = measured(rivals)
    if not names:
        return []
    rows = [row(rivals, name) for name in names]
    head = ["Measure", *(rival.name for rival in rivals), "Floor", "Good is"]
    caption = (
        "Values with 95 % intervals. ✓ marks a run that is ahead of all others beyond the "
        "intervals; where none is marked, the difference may be chance."
    )
    return [Section("Measures", table(caption, head, rows, "measures"))]


def row(rivals: Sequence[Contestant], name: str) -> list[str]:
    """A figure of all runs."""
    pairs = shared(rivals, name)
    best = winner([found for _, found in pairs])
    first = pairs[0][1]
    unit = join([name, tag("small", first.unit)]) if first.unit else name
    floors = list(dict.fromkeys(short(f.floor) for _, f in pairs if math.isfinite(f.floor)))
    cells = [cell(rival.figures[name], best) if name in rival.figures else "–" for rival in rivals]
    good = "near 1" if name in IDEAL else first.better.replace("neither", "–")
    return [unit, *cells, " / ".join(floors) or "–", good]


def cell(figure: Figure, best: Sequence[Figure]) -> Html:
    """A value over its interval, where it has one."""
    look = "best" if any(figure is one for one in best) else "value"
    value = tag("span", short(figure.value), class_=look)
    if math.isnan(figure.low) or math.isnan(figure.high):
        return value
    bounds = f"[{short(figure.low)}, {short(figure.high)}]"
    return join([value, tag("small", bounds)])


# What is seen.


def draws(rivals: Sequence[Contestant], seed: int) -> list[Section]:
    """Draws of every run, with the same seed, where they are pictures."""
    seen = [r for r in rivals if len(r.run.space.axes) == 2 and isinstance(r.run.model, Samples)]
    figures = [figure(looks(rival.run, seed), rival.name) for rival in seen]
    text = f"{LOOKS} draws of each, with seed {seed}; none is picked by hand."
    body = join([paragraph(text), tag("div", *figures, class_="pair")])
    return [Section("Draws", body)] if seen else []


def looks(run: Run, seed: int) -> Html:
    """A sheet of draws."""
    rows: Rows = run.draw(LOOKS, {}, seed)
    coarse = max(run.space.axes) <= COARSE
    return sheet(run.kind.draw(rows), f"{LOOKS} draws of {run.path.name}", 6, coarse)


def curves(rivals: Sequence[Contestant]) -> list[Section]:
    """The numbers that several runs logged, over observations shown."""
    logs = [[tick for tick in rival.run.log if "step" in tick] for rival in rivals]
    names = [name for log in logs for name in dict.fromkeys(k for t in log for k in numbers(t))]
    common = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    charts = []
    for name in common:
        drawn = [
            Curve(r.name, *over_shown(log, name), i)
            for i, (r, log) in enumerate(zip(rivals, logs, strict=True))
        ]
        charts.append(figure(lines(drawn, Labels(name, "observations shown")), NOTHING))
    if not charts:
        return []
    names_ = legend((rival.name, i) for i, rival in enumerate(rivals))
    return [Section("Training", join([names_, tag("div", *charts, class_="charts")]))]


def over_shown(log: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    """A number of the log against the observations shown."""
    pairs = [(float(t["shown"]), t[name]) for t in log if name in t]
    kept = [(x, float(y)) for x, y in pairs if isinstance(y, int | float)]
    return [x for x, _ in kept], [y for _, y in kept]


# What it took, and what differs.


def speed(rivals: Sequence[Contestant]) -> list[Section]:
    """What each run took."""
    head = ["Run", "Model", "Parameters", "Steps", "Shown", "Time", "Observations / s"]
    caption = "What each run took; time includes measuring and saving on the way."
    return [Section("Cost", table(caption, head, [cost(rival) for rival in rivals]))]


def cost(rival: Contestant) -> list[str]:
    """A run as a row: its size and its time."""
    run, record = rival.run, rival.run.record
    seconds = float(record.get("session", {}).get("seconds", 0.0))
    size = sum(p.numel() for p in run.model.parameters())
    pace = record["shown"] / seconds if seconds else math.nan
    return [rival.name, family_in_words(run), short(size), f"{record['step']:,}",
            short(record["shown"]), clock(seconds), short(pace)]  # fmt: skip


def recipes(rivals: Sequence[Contestant]) -> list[Section]:
    """The keys of the recipes that differ; those that only some runs have are folded away."""
    every = [flat(rival.run.recipe) for rival in rivals]
    keys = list(dict.fromkeys(key for one in every for key in one))
    differ = [key for key in keys if len({repr(one.get(key, "–")) for one in every}) > 1]
    both = [key for key in differ if all(key in one for one in every)]
    some = [key for key in differ if key not in both]
    head = ["Key", *(rival.name for rival in rivals)]
    parts = [
        table("Keys of the recipes that differ; the others are the same.", head, keyed(both, every))
        if both
        else paragraph("The keys that all recipes have are the same."),
        folded(f"{len(some)} keys that only some have", table("", head, keyed(some, every)))
        if some
        else NOTHING,
    ]
    return [Section("Recipes", join(parts))]


def keyed(keys: Sequence[str], every: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A key a row, a recipe a column."""
    return [[key, *(str(one.get(key, "–")) for one in every)] for key in keys]


def flat(recipe: Mapping[str, Any], head: str = "") -> dict[str, Any]:
    """A recipe as dotted keys.

    >>> flat({"model": {"name": "vae", "prior": {"name": "standard"}}})
    {'model.name': 'vae', 'model.prior.name': 'standard'}
    """
    out: dict[str, Any] = {}
    for key, value in recipe.items():
        out |= flat(value, f"{head}{key}.") if isinstance(value, Mapping) else {head + key: value}
    return out
