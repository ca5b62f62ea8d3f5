"""Chest X-rays: a model of normal ones alone, asked which are of pneumonia.

What a detector is for is to find what nobody labelled. The pictures are PneumoniaMNIST's (Yang et
al. 2023), of 28 × 28 pixels; only normal ones train and calibrate. A PCA of the same pictures is
the least that a model must not fall below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.studies.iwae_order import differences
from twofold.studies.oneclass import (
    Labelled,
    Rows,
    among,
    areas,
    fitted,
    gathered,
    learnt,
    scores,
    shuffled,
    simple,
)
from twofold.studies.seeds import finding, gain
from twofold.studies.study import Budget, Row, Study

NORMAL = 0
BARRED = "neighbours"
TERMS = (
    "negative_log_likelihood", "error", "standardised_error", "unexpected_error",
    "latent_distance", "neighbours",
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """How much is done: steps of training, and the width and the code of the networks."""

    steps: int
    width: int
    latent: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(5, 16, 4),
    "cpu": Setting(1500, 256, 16),
    "paper": Setting(20_000, 512, 32),
}


class Pneumonia(Study):
    """AUROC of scores learnt from normal chest X-rays."""

    claim = (
        "What is learnt from normal chest X-rays alone finds pneumonia no worse than a PCA does."
    )
    paper = "Yang et al. 2023, MedMNIST v2 (data); Roth et al. 2022, arXiv:2106.08265"
    protocol = (
        "PneumoniaMNIST in a balanced subset, its own split: normal training pictures train (a "
        "random tenth of them calibrates, another for each seed), test pictures of both sorts are "
        "judged. A dense VAE a seed (2 × 256, latent 16, Gaussian of one learnt scale), 1,500 "
        "steps of 128. The score that is held to the bar, the nearest neighbour of patches by "
        "place, is the one that was chosen on digits; nothing was tuned on these pictures. The "
        "gain is over the PCA of the same training pictures, seed by seed; intervals are over "
        "seeds. Small pictures of children of one hospital: no claim for a clinic."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        known = Labelled.of("pneumoniamnist", {"name": "pneumoniamnist"})
        found = [measured(known, setting, seed, out / f"{seed}") for seed in range(seeds)]
        by_name = dict(gathered(found))
        better = differences(by_name[BARRED], by_name["pca"])
        return [
            gain(f"AUROC of {BARRED} minus that of PCA", better, "test"),
            *(
                finding(f"AUROC, {name}", values, "test", "higher")
                for name, values in by_name.items()
            ),
        ]


def measured(known: Labelled, setting: Setting, seed: int, folder: Path) -> dict[str, float]:
    """AUROC of each score and each baseline."""
    rows = parted(known, seed)
    net = {"name": "dense", "width": setting.width, "depth": 2}
    model = {"name": "vae", "latent": setting.latent, "encoder": net, "decoder": net}
    train = {"steps": setting.steps, "batch": 128, "seed": seed, "lr": 2e-3}
    run = fitted(known, rows, {**model, "likelihood": [{"name": "gaussian"}]}, train, folder)
    each = scores(learnt(known, rows, [run], TERMS), known, rows)
    return areas(each | simple(run, known, rows), rows.abnormal)


def parted(known: Labelled, seed: int) -> Rows:
    """Normal training pictures, a tenth of them held out; test pictures of both sorts."""
    normal = shuffled(among(known.label, known.official["train"], [NORMAL]), seed)
    judged = known.official["test"]
    cut = len(normal) // 10
    return Rows(normal[cut:], normal[:cut], judged, known.label[judged] != NORMAL)
