"""The card of a run, `card.md`: what it is, what it was made from, what is known of it, its limits.

It follows the headings of model cards (Mitchell et al. 2019, arXiv:1810.03993) as far as there is
evidence. What nobody has looked at is not left out: it is listed as *not assessed*.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from twofold.data.doctor import in_words
from twofold.measures.measure import Figure
from twofold.measures.verdict import verdict
from twofold.report.scale import short
from twofold.report.words import article, data_in_words, family_in_words, parameters, sampler
from twofold.runs.run import Run
from twofold.train.checkpoint import replace
from twofold.train.record import clock

QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "Fidelity: are draws like real data": (
        "fid",
        "fd_",
        "kid",
        "kd_",
        "precision",
        "shapes",
        "discr",
    ),
    "Variety: is all of the data reached": ("recall", "coverage", "modes_covered"),
    "Likelihood of held-out data": ("elbo", "nll_"),
    "Reconstruction": ("reconstruction_",),
    "The game of critic and generator": ("critic_", "birthday_", "draws_apart"),
    "Copies of training observations": ("copies_",),
    "Use of the latent": ("active_units", "kl", "code_"),
    "Privacy: membership and attribute inference": ("audit_",),
    "Fairness: differences between groups": ("fairness_",),
    "Behaviour on data of another origin": ("shift_",),
}
"""What a reader should ask, and how the names begin of the figures that answer."""


def write(run: Run, figures: Sequence[Figure], folder: Path) -> Path:
    """Write `card.md` and return its path."""
    path = folder / "card.md"
    replace(path, card(run, figures).encode())
    return path


def card(run: Run, figures: Sequence[Figure]) -> str:
    """The card as Markdown."""
    parts = (what(run), data(run), training(run), evidence(figures), limits(figures))
    return f"# {escaped(run.path.name)}\n\n" + "\n\n".join(parts) + "\n"


def what(run: Run) -> str:
    """What the model is and is for."""
    family = article(family_in_words(run))
    given = ", ".join(escaped(f.name) for f in run.given.fields)
    known = f"Draws can be conditioned on: {given}." if given else "Draws are unconditional."
    made = f"{family[:1].upper() + family[1:]} with {short(parameters(run))} parameters"
    seen = f"One observation is {escaped(in_words(run.space))}."
    return f"## What it is\n\n{made}, trained with Twofold. {seen} {known}"


def data(run: Run) -> str:
    """What it was trained on, and what was found in it."""
    sizes = heading(run)
    said = [str(tick["say"]) for tick in run.log if "say" in tick]
    found = [text for text in said if text.split(":")[0] in ("note", "warning", "error")]
    listed = (
        bullets([escaped(text) for text in found]) if found else "Findings: none were recorded."
    )
    return f"## Data\n\n{escaped(data_in_words(run))} ({escaped(sizes)}).\n\n{listed}"


def heading(run: Run) -> str:
    """The first line of the recipe: the kind of data and the sizes of its splits."""
    first = (run.path / "recipe.toml").read_text().partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else run.kind.name


def training(run: Run) -> str:
    """How it was trained."""
    record, session = run.record, run.record.get("session", {})
    options = run.plan.training
    took = clock(float(session.get("seconds", 0.0)))
    facts = [
        f"{record['step']:,} steps of {options.batch} observations, "
        f"{record['shown']:,} shown, {took}",
        f"seed {options.seed}, learning rate {options.lr:g}",
        f"ended: {escaped(str(session.get('ended') or 'not yet'))}",
        *(escaped(f"{name}: {text}") for name, text in sampler(run)),
        "the complete recipe is `recipe.toml`, beside this card",
    ]
    return f"## Training\n\n{bullets(facts)}"


def evidence(figures: Sequence[Figure]) -> str:
    """What was measured."""
    if not figures:
        return "## Measures\n\n*Not assessed.*"
    head = "| measure | value | 95 % interval | floor | baseline | good is | n | split |"
    rule = "|---|---|---|---|---|---|---|---|"
    said = bullets([escaped(text) for text in verdict(list(figures))])
    return "\n".join([f"## Measures\n\n{said}\n", head, rule, *map(line, figures)])


def line(figure: Figure) -> str:
    """A figure as a row."""
    value = f"{short(figure.value)} {figure.unit}".strip()
    bounds = "–" if math.isnan(figure.low) else f"{short(figure.low)} … {short(figure.high)}"
    base = (
        "–" if math.isnan(figure.baseline) else f"{short(figure.baseline)} ({figure.baseline_name})"
    )
    cells = (figure.name, value, bounds, short(figure.floor), base, figure.better,
             f"{figure.n:,}", figure.split)  # fmt: skip
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def limits(figures: Sequence[Figure]) -> str:
    """What the evidence does not reach."""
    names = [figure.name for figure in figures]
    unknown = [
        f"{question}: *not assessed*"
        for question, heads in QUESTIONS.items()
        if not any(name.startswith(heads) for name in names)
    ]
    general = (
        "What is measured holds for data like the training data and for the split named; draws are "
        "synthetic and are no evidence about any single person or thing."
    )
    return f"## Limits\n\n{general}" + (f"\n\n{bullets(unknown)}" if unknown else "")


def bullets(items: Sequence[str]) -> str:
    """A list of Markdown."""
    return "\n".join(f"- {item}" for item in items)


def escaped(text: str) -> str:
    r"""Text that Markdown and HTML take literally.

    >>> escaped("a|b <script> *x*")
    'a\\|b &lt;script> \\*x\\*'
    """
    out = text.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    for sign in "|*`[]":
        out = out.replace(sign, "\\" + sign)
    return " ".join(out.split())
