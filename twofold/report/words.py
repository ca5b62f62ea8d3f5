"""A run in plain words: what learned what, from how much, for how long."""

from __future__ import annotations

import inspect
import sys

from twofold.data.doctor import in_words
from twofold.report.scale import short
from twofold.report.seen import Seen
from twofold.runs.run import Run
from twofold.train.record import clock


def family_in_words(run: Run) -> str:
    """What the model is, from the first line of its file.

    A family's file opens with its name, such as "The variational autoencoder."
    """
    text = inspect.getdoc(sys.modules[type(run.model).__module__]) or run.recipe["model"]["name"]
    line = text.splitlines()[0].rstrip(".")
    return line.removeprefix("The ").removeprefix("A ").removeprefix("An ")


def article(noun: str) -> str:
    """A noun with its article.

    >>> article("autoencoder"), article("model")
    ('an autoencoder', 'a model')
    """
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def data_in_words(run: Run) -> str:
    """What the data is called."""
    data = run.recipe["data"]
    return str(data.get("name") or data.get("path") or "an object in memory")


def observation_in_words(run: Run) -> str:
    """What one observation is; a long list of fields is cut short."""
    words = in_words(run.space)
    return words if len(words) < 180 else words[:170].rsplit(",", 1)[0] + ", …"


def parameters(run: Run) -> int:
    """How many numbers were learnt."""
    return sum(p.numel() for p in run.model.parameters())


def speed(seen: Seen) -> float:
    """Observations a second, checkpoints and measurements included; NaN before the first tick."""
    last = seen.ticks[-1:] or [{"shown": 0, "seconds": 0.0}]
    seconds = float(last[0].get("seconds", 0.0))
    return float(last[0].get("shown", 0)) / seconds if seconds else float("nan")


def story(seen: Seen) -> list[tuple[str, str]]:
    """The facts of a run, by name."""
    run, session = seen.run, seen.session
    material = seen.material
    sizes = (material.train, material.validation, material.test)
    parts = zip(sizes, ("to train", "to choose by", "to measure on"), strict=True)
    training = run.plan.training
    given = ", ".join(f.name for f in run.given.fields) or "nothing"
    return [
        ("Data", data_in_words(run)),
        ("Observations", ", ".join(f"{len(rows):,} {use}" for rows, use in parts)),
        ("One observation", observation_in_words(run)),
        ("Given", given),
        ("Model", f"{family_in_words(run)}, {short(parameters(run))} parameters"),
        ("Trained", trained(seen)),
        *sampler(run),
        ("Speed", f"{short(speed(seen))} observations a second"),
        ("Ended", str(session.get("ended") or "not yet")),
        ("Seed", f"{training.seed} of training, {seen.seed} of this page"),
        *best(seen),
    ]


def trained(seen: Seen) -> str:
    """Steps, observations shown, time."""
    record = seen.run.record
    took = clock(float(seen.session.get("seconds", 0.0)))
    return f"{record['step']:,} steps, {short(record['shown'])} observations shown, {took}"


def sampler(run: Run) -> list[tuple[str, str]]:
    """The density that was fitted to the codes, where one is kept, and whether it is drawn from."""
    kept = zip(run.kept, run.said, strict=True)
    return [("Fitted prior", f"{density.name}, {density.fitted}; {said}") for density, said in kept]


def best(seen: Seen) -> list[tuple[str, str]]:
    """The best checkpoint, where held-out data chose one."""
    session = seen.session
    if not session.get("best_name"):
        return []
    value = short(float(session["best_value"]))
    return [("Best checkpoint", f"step {session['best_step']:,}: {session['best_name']} {value}")]
