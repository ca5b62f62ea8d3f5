r"""Why values are missing decides how they may be filled.

Half of the columns of a table have gaps: completely at random, at random (by what stays), or not at
random (what is above its mean is hidden). A model that leaves the mechanism out is right of the
first two and biased in the third: it has only ever seen the lower half. A model of the mask,
$p(s \mid x_o, x_m)$ beside $p(x)$ (not-MIWAE: Ipsen, Mattei & Frellsen 2021, arXiv:2006.12871), can
know better, the more so if it is told the direction. That is knowledge: told so of values
that are missing at random, it would be wrong, which is measured too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twofold.apps.imputation import Filling
from twofold.data.doctor import examine
from twofold.maths.bounds import IWAE
from twofold.maths.likelihoods import Gaussian
from twofold.nets.bodies import Dense
from twofold.nets.mechanisms import Agnostic, Ignorable, Mechanism, SelfMasking
from twofold.studies.gaps import (
    by_chance,
    by_itself,
    by_the_rest,
    filled_by,
    learnt,
    simply,
    squared,
    wine,
)
from twofold.studies.iwae_order import differences
from twofold.studies.seeds import finding, gain
from twofold.studies.study import Budget, Row, Study
from twofold.train.options import Training

MASKS: Mapping[str, Callable[[Tensor, int], Tensor]] = {
    "completely at random": by_chance,
    "at random": by_the_rest,
    "not at random": by_itself,
}
NET = Dense(128, 2, "tanh")
TRAINING = Training(batch=64, lr=3e-3, average=2.0)


def vae(missing: Mechanism) -> tuple[str, Mapping[str, Any]]:
    """The VAE with a model of the mask."""
    options = {"latent": 10, "encoder": NET, "decoder": NET, "bound": IWAE(10)}
    return "vae", {**options, "likelihood": (Gaussian("shared"),), "missing": missing}


GAN: tuple[str, Mapping[str, Any]] = (
    "gain",
    {"generator": Dense(128, 1), "critic": Dense(128, 1), "hide": 0.0},
)
TOLD, PLAIN = "not-MIWAE, told the direction", "VAE"
MODELS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    PLAIN: vae(Ignorable()),
    "GAN imputer": GAN,
    TOLD: vae(SelfMasking("high")),
    "not-MIWAE, each by itself": vae(SelfMasking()),
    "not-MIWAE, agnostic": vae(Agnostic()),
}


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        steps: of training. draws: to fill a row by. rows: at most; 0 for all. trees: of a forest.
    """

    steps: int
    draws: int
    rows: int
    trees: int = 100


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(2, 5, 60, 2),
    "cpu": Setting(1000, 100, 800),
    "paper": Setting(30_000, 10_000, 0),
}


class MissingMechanisms(Study):
    """Three mechanisms, and models that leave them out or not."""

    claim = "Where values are missing for what they are, a model of the mask fills them best."
    paper = "Ipsen, Mattei & Frellsen 2021, arXiv:2006.12871; Yoon et al. 2018, arXiv:1806.02920"
    protocol = (
        "UCI red wine, 11 numbers and the grade, standardised, the first 800 rows (paper all "
        "1,599); the first six columns have gaps, about half of their values: completely at "
        "random, at random by a logistic of the other six, or not at random, all that is above "
        "its mean. VAEs: latent 10, dense 2 × 128 tanh, Gaussian with one scale a column, bound "
        "of 10 draws, Adam at 3e-3, 1,000 steps of 64 rows (paper 30,000), averaged weights, 100 "
        "draws a row to fill (10,000); with the mask ignored, each value hidden by itself with "
        "the direction told (high) or not, or by a linear model of all. GAN imputer: dense, one "
        "hidden layer of 128 each way, α 10, hints of all but one value, as many steps. Simple "
        "ways as scikit-learn has them. Root mean squared error of what was hidden, of the table "
        "that was learnt from; masks and training from seeds 0 and up; under the third mechanism "
        "the mask is one, and training differs. Rate and steps were chosen on white wines."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        x = wine("red")[: SETTINGS[budget].rows or None]
        return [
            row
            for name in MASKS
            for row in of_mechanism(
                name, [of_mask(x, name, SETTINGS[budget], seed) for seed in range(seeds)]
            )
        ]


def of_mechanism(name: str, every: Sequence[Mapping[str, float]]) -> list[Row]:
    """The error of each way under one mechanism, and under the last what the model of it gains."""
    found = {way: [one[way] for one in every] for way in every[0]}
    rows = [finding(f"{name}, RMSE: {way}", values, "hidden", "lower")
            for way, values in found.items()]  # fmt: skip
    rivals = [way for way in found if not way.startswith("not-MIWAE")]
    if name != "not at random":
        return rows
    return rows + [
        gain(f"{name}, RMSE: {way} minus {TOLD}", differences(found[way], found[TOLD]), "hidden")
        for way in rivals
    ]


def of_mask(x: Tensor, name: str, setting: Setting, seed: int) -> dict[str, float]:
    """The root mean squared error of each way to fill one mask."""
    mask = MASKS[name](x, seed)
    values = x.masked_fill(mask, torch.nan)
    space, values = examine(values.numpy()).kind.space, values.float()
    training = replace(TRAINING, steps=setting.steps, seed=seed)
    filling = Filling(samples=setting.draws, seed=seed)
    fills = {
        way: filled_by(learnt(family, options, space, values, training), space, values, filling)
        for way, (family, options) in MODELS.items()
    }
    ways = {way: one.fill for way, one in fills.items()} | simply(space, values, setting.trees)
    return {way: squared(x, guess, mask) ** 0.5 for way, guess in ways.items()}
