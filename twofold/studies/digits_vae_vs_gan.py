"""The survey's comparison of the two families, in small, on real digits.

A survey of VAEs and GANs says: VAEs reconstruct, have a likelihood and train steadily, and their
samples are blurred; GANs draw sharp samples, may drop modes, and vary from run to run. Here both
are trained on the 1,797 digits that come with scikit-learn, with dense networks of the same widths
and the same batches, over several seeds, and each claim becomes a number with an interval over
seeds. Nothing is tuned on the test split.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from twofold.data.doctor import examine
from twofold.measures.measure import Figure
from twofold.runs import measuring
from twofold.runs.training import Material
from twofold.studies import kept
from twofold.studies.study import Budget, Row, Study

FAMILIES = ("vae", "gan")
NETWORK = {"name": "dense", "width": 256, "depth": 3}
MODELS: Mapping[str, Mapping[str, Any]] = {
    "vae": {"name": "vae", "latent": 16, "encoder": NETWORK, "decoder": NETWORK},
    "gan": {
        "name": "gan",
        "latent": 16,
        "generator": NETWORK,
        "critic": NETWORK,
        "penalties": [{"name": "r1", "gamma": 0.1}, {"name": "r2", "gamma": 0.1}],
    },
}
TRAIN: Mapping[str, Mapping[str, Any]] = {
    "vae": {"lr": 1e-3, "average": 20.0},
    "gan": {"lr": 5e-4, "average": 20.0, "betas": [0.0, 0.99]},
}
STEPS: Mapping[Budget, int] = {"smoke": 5, "cpu": 2000, "paper": 10000}
LOOKED: Mapping[Budget, int] = {"smoke": 60, "cpu": 2048, "paper": 2048}
"""Test digits, at most, that the figures are of."""
QUESTIONS = {
    "fd_tiny-v1": "distance to real digits",
    "precision": "how many draws look real",
    "recall": "how much of the real is drawn",
    "sharpness_ratio": "sharpness, 1 is real",
    "modes_reverse_kl": "reverse KL of the classes drawn",
    "reconstruction_mse": "error of reconstruction",
    "nll_is100": "negative log-likelihood, nats",
}


class DigitsVaeVsGan(Study):
    """A VAE and a GAN on the same digits."""

    claim = "VAEs reconstruct, have a likelihood and are steady; GANs are sharper and cover less."
    paper = "The comparison of the two families in surveys of VAEs and GANs"
    protocol = (
        "scikit-learn's digits (8 × 8, 17 levels, 1,797 of 43 writers), 80 / 10 / 10 by label; "
        "dense networks 3 × 256, latent 16, batch 128, the same number of steps, conditional on "
        "the label, averaged weights; every figure on the test split with as many draws under the "
        "same labels. The interval is over seeds by Student's t; steadiness is the standard "
        "deviation over seeds divided by the mean."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        examination = examine("digits")
        data = {"name": "digits", "split": {"validation": 0.1, "test": 0.1, "seed": 0}}
        material = Material.of(examination.kind, examination.source, (), data)
        return [
            row
            for family in FAMILIES
            for row in of_family(family, material, data, budget, seeds, out)
        ]


def of_family(
    family: str, material: Material, data: Mapping[str, Any], budget: Budget, seeds: int, out: Path
) -> list[Row]:
    """The figures of one family over seeds; of several, how steady the distance is too."""
    by_seed = [one_run(family, material, data, budget, seed, out) for seed in range(seeds)]
    merged = measuring.over_seeds(by_seed) if seeds > 1 else by_seed[0]
    rows = [as_row(family, figure, seeds) for figure in merged if figure.name in QUESTIONS]
    distances = [f.value for figures in by_seed for f in figures if f.name == "fd_tiny-v1"]
    return [*rows, steadiness(family, distances)] if seeds > 1 else rows


def one_run(
    family: str, material: Material, data: Mapping[str, Any], budget: Budget, seed: int, out: Path
) -> list[Figure]:
    """Train and measure one seed."""
    steps = STEPS[budget]
    train = {**TRAIN[family], "steps": steps, "seed": seed, "checkpoint": steps, "best": "none"}
    recipe = {"model": MODELS[family], "train": train}
    run = kept.trained(recipe, data, material, out / f"{family}-{seed}")
    evidence = measuring.evidence_of_run(
        run, material.train, material.test, LOOKED[budget], 0, "test"
    )
    return measuring.measured(evidence, list(QUESTIONS))[0]


def as_row(family: str, figure: Figure, seeds: int) -> Row:
    """A figure as a finding."""
    better: Literal["lower", "higher"] = "lower" if figure.better == "lower" else "higher"
    name = f"{family}: {QUESTIONS[figure.name]} ({figure.name})"
    return Row(name, "finding", figure.value, figure.low, figure.high, seeds, "test", better,
               floor=figure.floor, baseline=figure.baseline)  # fmt: skip


def steadiness(family: str, values: Sequence[float]) -> Row:
    """The spread of a figure over seeds as a share of its mean, with its 95 % interval.

    The interval of a standard deviation is by the χ² distribution; it takes two seeds or more.
    """
    from scipy.stats import chi2

    n = len(values)
    mean = sum(values) / n
    sd = math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1))
    low, high = (sd * math.sqrt((n - 1) / chi2.ppf(q, n - 1)) for q in (0.975, 0.025))
    name = f"{family}: spread of fd_tiny-v1 over seeds, share of its mean"
    return Row(name, "finding", sd / mean, low / mean, high / mean, n, "test", "lower")
