"""The sections at the end: what the data is like, what the recipe was, how to do it again."""

from __future__ import annotations

import shlex

from twofold.report.page import Section, facts, folded, join, listed, paragraph, tag
from twofold.report.seen import Seen
from twofold.report.words import story

LEVELS = ("error", "warning", "note")


def data(seen: Seen) -> list[Section]:
    """What the doctor found, and what training said."""
    said = findings(seen)
    items = listed(join([tag("span", level, class_="level"), f": {text}"]) for level, text in said)
    body = items if said else paragraph("The doctor found nothing worth saying.")
    return [Section("The data", body)]


def findings(seen: Seen) -> list[tuple[str, str]]:
    """Findings by level, the gravest first, from the log and from the data as it is now."""
    logged = [tuple(text.partition(": ")[::2]) for text in seen.said]
    now = [(f.level, f.text) for f in seen.material.findings]
    every = dict.fromkeys((str(level), str(text)) for level, text in [*logged, *now])
    kept = [pair for pair in every if pair[0] in LEVELS]
    return sorted(kept, key=lambda pair: LEVELS.index(pair[0]))


def facts_of(seen: Seen) -> list[Section]:
    """The run in facts, its recipe, and the commands that repeat it."""
    text = (seen.run.path / "recipe.toml").read_text()
    body = [
        facts(story(seen)),
        folded("The recipe, complete", tag("pre", text)),
        tag("h3", "How to repeat it"),
        tag("pre", commands(seen)),
        paragraph(
            "The same recipe, seed and versions on the same machine give the same weights, bit "
            "for bit. Loading the run executes no code from it."
        ),
    ]
    return [Section("The run", join(body))]


def commands(seen: Seen) -> str:
    """What to type."""
    path = shlex.quote(str(seen.run.path))
    recipe = shlex.quote(str(seen.run.path / "recipe.toml"))
    return "\n".join(
        [
            f"twofold fit {recipe}                 # train it again, into a new run",
            f"twofold measure {path}    # measure it again",
            f"twofold sample {path} -n 64 --seed {seen.seed}",
            "",
            "import twofold",
            f"run = twofold.load({str(seen.run.path)!r})",
            f"run.sample(64, seed={seen.seed})",
        ]
    )
