"""What the figures say together, in a few plain sentences.

Every sentence is a rule that reads some figures and, where they cross a limit of `LIMITS`, says so
with the numbers. A rule whose figures are absent is silent, and so is one whose figure is no worse
than real data would be: what is said is what a reader should act on, and what went well where it
is worth knowing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from twofold.measures.measure import Figure

Figures = Mapping[str, Figure]


@dataclass(frozen=True)
class Limits:
    """Where a number begins to mean something.

    Args:
        distance: a Fréchet distance of so many floors is close to real data, and of so many far.
        blur, noise: a sharpness ratio below and above which draws look blurred or noisy.
        kl: reverse KL, in nats beyond its floor, at which the classes are uneven.
        accuracy: of the classifier, below which class modes cannot be judged.
        recall: share of the floor's, below which draws lack variety.
        precision: share of the floor's, below which draws lie outside the data.
        active: share of active dimensions below which most of the latent is idle.
        even: perplexity of a codebook, as a share of its entries, below which use is uneven.
        shapes: how far column shapes may fall below those of real rows.
        told: AUC of a classifier above which drawn rows of a table are easily told.
    """

    near: float = 2.0
    far: float = 10.0
    blur: float = 0.7
    noise: float = 1.3
    kl: float = 0.1
    accuracy: float = 0.7
    recall: float = 0.7
    precision: float = 0.7
    active: float = 0.5
    even: float = 0.25
    shapes: float = 0.05
    told: float = 0.8


LIMITS = Limits()


def verdict(figures: Sequence[Figure]) -> list[str]:
    """Plain sentences, the most important first; at least one.

    >>> verdict([])
    ['There is too little to judge by.']
    """
    by_name = {figure.name: figure for figure in figures}
    said = [sentence for rule in RULES for sentence in rule(by_name) if sentence]
    return said or ["There is too little to judge by."]


def copying(figures: Figures) -> list[str]:
    """Draws that are training observations."""
    exact, closer = figures.get("copies_exact"), figures.get("copies_closer")
    if exact and exact.low > exact.floor:
        return [
            f"{exact.value:.1%} of the draws are exact copies of training observations "
            f"({exact.floor:.1%} of real ones are)."
        ]
    if closer and closer.low > closer.floor:
        return [
            f"Likely copies: {closer.value:.0%} of the draws lie nearer to a training than to a "
            "held-out observation, where 50% is expected."
        ]
    return []


def distance(figures: Figures) -> list[str]:
    """How far the draws are from real data, in floors, and against the baseline."""
    found = [f for name, f in figures.items() if name == "fid" or name.startswith("fd_")]
    return [sentence for figure in found for sentence in (floors(figure), against(figure))]


def floors(figure: Figure) -> str:
    """A distance in units of its floor."""
    if not figure.floor > 0:
        return ""
    times = figure.value / figure.floor
    word = "close to real data" if times <= LIMITS.near else "far from real data"
    word = word if not LIMITS.near < times < LIMITS.far else "some way from real data"
    return (
        f"{figure.name} is {figure.value:.3g}, {times:.1f} times the {figure.floor:.3g} of real "
        f"against real: {word}."
    )


def against(figure: Figure) -> str:
    """Better or worse than the simple baseline."""
    if math.isnan(figure.baseline) or figure.better == "neither":
        return ""
    sign = 1 if figure.better == "lower" else -1
    if figure.low <= figure.baseline <= figure.high:
        word = "no better than"
    else:
        word = "better than" if sign * (figure.baseline - figure.value) > 0 else "worse than"
    return (
        f"In {figure.name} the model is {word} {figure.baseline_name} "
        f"({figure.value:.3g} against {figure.baseline:.3g})."
    )


def look(figures: Figures) -> list[str]:
    """Sharpness and variety in one breath: what a GAN gains is often what it drops."""
    sharp, modes = figures.get("sharpness_ratio"), figures.get("modes_covered")
    seen = sharpness(sharp) if sharp else ""
    few = bool(modes and modes.value < modes.floor - 0.5)
    if not sharp and not few:
        return []
    join = "but" if few and seen == "sharp" else "and"
    parts = [f"are {seen} (sharpness {sharp.value:.2f} of real)"] if sharp else []
    parts += [f"cover {modes.value:.0f} of {modes.floor:.0f} classes"] if modes else []
    return ["The draws " + f" {join} ".join(parts) + "."]


def sharpness(figure: Figure) -> str:
    """A sharpness ratio in a word."""
    if figure.value < LIMITS.blur:
        return "blurred"
    return "noisier than real ones" if figure.value > LIMITS.noise else "sharp"


def evenness(figures: Figures) -> list[str]:
    """Whether the classes come as often as in the data."""
    kl, accuracy = figures.get("modes_reverse_kl"), figures.get("modes_accuracy")
    if accuracy and accuracy.value < LIMITS.accuracy:
        return [
            f"Class modes cannot be judged: the classifier is right on {accuracy.value:.0%} of "
            "held-out observations only."
        ]
    if kl and kl.low > kl.floor + LIMITS.kl:
        return [
            f"Some classes are drawn too often and others too rarely: the reverse KL is "
            f"{kl.value:.2f} nats, where chance alone gives {kl.floor:.3f}."
        ]
    return []


def variety(figures: Figures) -> list[str]:
    """Whether draws lie in the data, and reach all of it."""
    said = {
        "recall": ("too little variety", LIMITS.recall),
        "precision": ("many draws lie outside the data", LIMITS.precision),
    }
    return [
        f"{word.capitalize()}: {name} is {figures[name].value:.2f}, where real data reach "
        f"{figures[name].floor:.2f}."
        for name, (word, limit) in said.items()
        if name in figures and figures[name].high < limit * figures[name].floor
    ]


def fit(figures: Figures) -> list[str]:
    """Likelihood and reconstruction against their baselines."""
    names = [n for n in figures if n == "elbo" or n.startswith(("nll_is", "reconstruction_"))]
    return [sentence for name in names if (sentence := against(figures[name]))]


def latent(figures: Figures) -> list[str]:
    """Whether the code is used."""
    active = figures.get("active_units")
    if not active:
        return []
    size = len(active.parts)
    if active.value == 0:
        return [
            "The latent is unused: the decoder ignores its code (posterior collapse). Train with "
            "--rescue, lower the divergence's beta, or give it free_bits."
        ]
    if active.value < LIMITS.active * size:
        word = f"Most of the latent is idle: {active.value:.0f} of {size} dimensions are active"
        lost = figures.get("reconstruction_mse")
        pressed = lost and lost.value > lost.baseline
        return [f"{word}, and more is lost than need be: lower the divergence's beta." if pressed
                else f"{word}."]  # fmt: skip
    return [f"The latent is used: {active.value:.0f} of {size} dimensions are active."]


def codebook(figures: Figures) -> list[str]:
    """Whether the entries of a codebook are used, and the order of indices learnt."""
    use, rate = figures.get("code_perplexity"), figures.get("code_rate")
    said = []
    if use and use.value < LIMITS.even * len(use.parts):
        said.append(
            f"The codebook is used unevenly: as if by {use.value:.0f} of {len(use.parts)} entries."
        )
    if rate and rate.low > rate.baseline:
        said.append(
            "The prior of the codes is worse than independent indices: it has learnt its training "
            "codes by heart, or too little yet."
        )
    return said


def prior(figures: Figures) -> list[str]:
    """Whether draws of the prior lie where the codes do."""
    far = [
        f.name
        for name, f in figures.items()
        if (name == "fid" or name.startswith("fd_")) and f.value >= LIMITS.far * f.floor > 0
    ]
    kept, active = figures.get("reconstruction_mse"), figures.get("active_units")
    if far and active and active.value and kept and kept.value < kept.baseline:
        return [
            f"Observations come back well from their codes, but draws are far off in {far[0]}: the "
            "prior draws where no codes are. Give the model a prior that learns, such as "
            "model.prior=vamp."
        ]
    return []


def rows(figures: Figures) -> list[str]:
    """Whether rows of a table are like real ones, and what can be learnt of them."""
    shapes, found, rare = (figures.get(n) for n in ("column_shapes", "detection", "rare_coverage"))
    learnt = figures.get("tstr_f1")
    said = [against(learnt)] if learnt else []
    if shapes and shapes.value < shapes.floor - LIMITS.shapes:
        said.append(
            f"Some columns are distributed otherwise than in the data: column_shapes is "
            f"{shapes.value:.3f}, where real rows reach {shapes.floor:.3f}."
        )
    if found and found.low > LIMITS.told:
        said.append(
            f"Drawn rows can be told from real ones: a classifier is right on "
            f"{found.value:.0%} of pairs, where {found.floor:.0%} is chance."
        )
    if rare and rare.high < LIMITS.recall * rare.floor:
        said.append(
            f"Rare categories come too seldom: {rare.value:.0%} as often as they should, where "
            f"other real rows have {rare.floor:.0%}."
        )
    return said


RULES: tuple[Callable[[Figures], list[str]], ...] = (
    copying,
    distance,
    look,
    evenness,
    variety,
    fit,
    latent,
    codebook,
    prior,
    rows,
)
