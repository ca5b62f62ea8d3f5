"""A pyramid of GANs against one GAN at the full size, for equal time.

Denton et al. (2015, arXiv:1506.05751) draw a coarse picture and refine it, level by level, each
with a game of its own. The rival is a GAN that paints the full size at once, with the same kind of
layers and the same objective. Which of them is nearer to held-out pictures after the same time is a
finding: no bar is set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twofold.measures.measure import Figure
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import garments
from twofold.studies.seeds import finding
from twofold.studies.study import Budget, Row, Study

ARMS = ("lapgan", "gan")
FIGURES = {"fd_tiny-v1": "lower", "recall": "higher", "sharpness_ratio": "higher"}


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        side: of the pictures. coarsest: size of the pyramid. width: channels at full size.
        steps: of each arm, so that they take the same time. n: pictures a side of a figure.
    """

    side: int
    coarsest: int
    width: int
    steps: Mapping[str, int]
    n: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(14, 7, 4, {"lapgan": 2, "gan": 3}, 60),
    "cpu": Setting(14, 7, 16, {"lapgan": 800, "gan": 860}, 2048),
    "paper": Setting(28, 7, 32, {"lapgan": 40_000, "gan": 43_000}, 10_000),
}


class Lapgan(Study):
    """The pyramid against a single scale."""

    claim = "What a Laplacian pyramid of GANs is worth against one GAN, for equal time."
    paper = "Denton et al. 2015, arXiv:1506.05751"
    protocol = (
        "Fashion-MNIST averaged to 14 × 14 (paper 28 × 28), without labels. lapgan: coarsest 7 × "
        "7, a strided generator of 16 channels (paper 32) there, a refiner of as many and two "
        "residual blocks above; gan: a strided generator of 16 channels (32) at the full size; "
        "all critics strided, of 16 channels (32); relativistic with R1 and R2 of 0.1, batch 32, "
        "Adam at 5e-4, averaged weights. 800 steps of lapgan and 860 of gan (40,000 and "
        "43,000), which took the same processor time where the ratio was measured; seconds are "
        "told. Figures between 2,048 test pictures (10,000) and as many draws. Nothing was chosen "
        "by these figures."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        data = garments.opened(setting.side)
        runs = {
            arm: [trained(arm, data, setting, seed, out) for seed in range(seeds)] for arm in ARMS
        }
        found = {
            arm: [garments.judged(run, data, setting.n, FIGURES) for run in made]
            for arm, made in runs.items()
        }
        return [
            *(row for arm in ARMS for row in of_arm(arm, found[arm], runs[arm])),
            nearer(found["lapgan"], found["gan"]),
        ]


def trained(arm: str, data: Material, setting: Setting, seed: int, folder: Path) -> Run:
    """One seed of an arm."""
    steps = setting.steps[arm]
    train = {"steps": steps, "batch": 32, "lr": 5e-4, "betas": [0.0, 0.99], "average": 2.0}
    run = garments.trained(model_of(arm, setting), train, data, seed, folder / f"{arm}-{seed}")
    garments.picture(run, folder / f"{arm}-{seed}.png")
    return run


def model_of(arm: str, setting: Setting) -> dict[str, Any]:
    net = {"name": "conv", "width": setting.width, "blocks": 0}
    penalties = [{"name": name, "gamma": 0.1} for name in ("r1", "r2")]
    alike = {"name": arm, "generator": net, "critic": net, "penalties": penalties}
    own: Mapping[str, Mapping[str, Any]] = {
        "lapgan": {
            "coarsest": setting.coarsest,
            "noise": 32,
            "refiner": {"width": setting.width},
        },
        "gan": {"latent": 32},
    }
    return alike | dict(own[arm])


# Rows.


def of_arm(arm: str, by_seed: Sequence[Mapping[str, Figure]], runs: Sequence[Run]) -> list[Row]:
    """The figures of one arm, and what its training took."""
    seconds = [run.log[-1]["seconds"] for run in runs]
    return [
        *(
            replace(
                finding(f"{arm}: {name}", [seen[name].value for seen in by_seed], "test", better),  # type: ignore[arg-type]
                floor=by_seed[0][name].floor,
                baseline=by_seed[0][name].baseline,
            )
            for name, better in FIGURES.items()
        ),
        finding(f"{arm}: seconds of training", seconds, "none", "lower"),
    ]


def nearer(pyramid: Sequence[Mapping[str, Figure]], single: Sequence[Mapping[str, Figure]]) -> Row:
    """How much nearer the pyramid is, pair by pair over seeds."""
    pairs = zip(pyramid, single, strict=True)
    less = [g["fd_tiny-v1"].value - p["fd_tiny-v1"].value for p, g in pairs]
    return finding("lapgan: fd_tiny-v1 below that of gan", less, "test", "higher")
