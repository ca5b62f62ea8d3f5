r"""Feature matching, minibatch discrimination and label smoothing, each on and off.

Salimans et al. 2016 (arXiv:1606.03498, §3) proposed them for the plain game, in which

$$ \ell_D = -\mathbb E \log D(x) - \mathbb E \log(1 - D(\hat x)), \qquad
   \ell_G = -\mathbb E \log D(\hat x), $$

runs away or collapses. *Feature matching* adds $\|\mathbb E\,\varphi(x) - \mathbb E\,\varphi(\hat
x)\|^2$ to what the generator pays, φ the critic's features; *minibatch discrimination* lets the
critic see how near the other rows of its batch are; *smoothing* asks it for 1 − α of real rows
rather than 1. What each does by itself, and all three together, is measured beside the game without
them, seed by seed, and beside the same game with R1 (Mescheder et al. 2018, arXiv:1801.04406), as
a later remedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twofold.data.doctor import examine
from twofold.runs import measuring
from twofold.runs.training import Material
from twofold.studies import kept
from twofold.studies.iwae_order import differences
from twofold.studies.seeds import AMOUNTS, SHARES, Better, finding
from twofold.studies.study import Budget, Row, Study

NETWORK = {"name": "dense", "width": 128, "depth": 2}
PLAIN = "the plain game"
TECHNIQUES: Mapping[str, Mapping[str, Any]] = {
    PLAIN: {},
    "feature matching": {"matching": 1.0},
    "minibatch discrimination": {"company": "discrimination"},
    "smoothing": {"objective": {"name": "non-saturating", "smoothing": 0.1}},
    "all three": {
        "matching": 1.0,
        "company": "discrimination",
        "objective": {"name": "non-saturating", "smoothing": 0.1},
    },
    "R1": {"penalties": [{"name": "r1", "gamma": 0.1}]},
}
QUESTIONS: Mapping[str, Better] = {
    "fd_tiny-v1": "lower",
    "precision": "higher",
    "recall": "higher",
    "modes_reverse_kl": "lower",
}
POSSIBLE = dict.fromkeys(QUESTIONS, AMOUNTS) | {"precision": SHARES, "recall": SHARES}
STEPS: Mapping[Budget, int] = {"smoke": 3, "cpu": 1500, "paper": 10_000}
LOOKED: Mapping[Budget, int] = {"smoke": 60, "cpu": 2048, "paper": 2048}
"""Test digits, at most, that the figures are of."""


class ImprovedTechniques(Study):
    """Three techniques of 2016, each on and off."""

    claim = "Feature matching, minibatch discrimination and smoothing each steady the plain game."
    paper = "Salimans et al. 2016, arXiv:1606.03498"
    protocol = (
        "scikit-learn's digits (8 × 8, 17 levels), 80 / 10 / 10 by label, conditional on the "
        "label; the cross-entropy of the plain game without a penalty, dense networks 2 × 128, "
        "latent 16, batch 64, 1,500 steps (paper 10,000), Adam at 5e-4 with β₁ = 0.5, averaged "
        "weights. Feature matching of weight 1 is added to the generator's own loss; "
        "discrimination has 16 kernels of 8 numbers and takes the mean over the batch; α = 0.1; R1 "
        "of γ = 0.1. Nothing was searched for. On the test split with as many draws; a difference "
        "is from the plain game of the same seed."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        data = {"name": "digits", "split": {"validation": 0.1, "test": 0.1, "seed": 0}}
        examination = examine("digits")
        material = Material.of(examination.kind, examination.source, (), data)
        found = {
            name: [measured(name, material, data, budget, seed, out) for seed in range(seeds)]
            for name in TECHNIQUES
        }
        return [row for question in QUESTIONS for row in answers(question, found)]


def measured(
    name: str, material: Material, data: Mapping[str, Any], budget: Budget, seed: int, out: Path
) -> dict[str, float]:
    """The figures of one game."""
    steps = STEPS[budget]
    model = {
        "name": "gan", "latent": 16, "generator": NETWORK, "critic": NETWORK, "penalties": [],
        "objective": "non-saturating", **TECHNIQUES[name],
    }  # fmt: skip
    train = {
        "steps": steps, "batch": 64, "lr": 5e-4, "betas": [0.5, 0.99], "seed": seed,
        "checkpoint": steps, "evaluate": steps, "best": "none",
    }  # fmt: skip
    folder = out / f"{name.replace(' ', '-')}-{seed}"
    run = kept.trained({"model": model, "train": train}, data, material, folder)
    evidence = measuring.evidence_of_run(
        run, material.train, material.test, LOOKED[budget], 0, "test"
    )
    figures = measuring.measured(evidence, list(QUESTIONS))[0]
    return {figure.name: figure.value for figure in figures}


def answers(question: str, found: Mapping[str, Sequence[Mapping[str, float]]]) -> list[Row]:
    """A figure of every game, and what each technique changes in it."""
    values = {name: [seed[question] for seed in by_seed] for name, by_seed in found.items()}
    better = QUESTIONS[question]
    return [
        *(finding(f"{question}, {name}", v, "test", better, POSSIBLE[question])
          for name, v in values.items()),
        *(
            finding(f"{question}: what {name} changes", differences(v, values[PLAIN]), "test",
                    better)
            for name, v in values.items()
            if name != PLAIN
        ),
    ]  # fmt: skip
