r"""Half of the measurements of tumours are gone: the example that MIWAE's authors published.

The 569 tumours of the Wisconsin Diagnostic Breast Cancer data have 30 numbers that say nearly the
same in many ways: ten features, each by its mean, its error and its worst value. So much of what is
hidden can be told from the rest. The authors' notebook (Mattei & Frellsen 2019, arXiv:1812.02633;
https://github.com/pamattei/miwae) hides exactly half by numpy's seed 1234, learns from what is
left, and fills it; the same cells are hidden here, so that its figure and ours can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twofold.apps.imputation import Filling
from twofold.data.named import find
from twofold.maths.bounds import IWAE
from twofold.maths.likelihoods import Gaussian
from twofold.maths.schedules import Cosine
from twofold.nets.bodies import Dense
from twofold.nets.mechanisms import Ignorable
from twofold.studies.gaps import INSIDE, at_random, contest, of_contest
from twofold.studies.seeds import exact
from twofold.studies.study import Budget, Row, Study
from twofold.train.options import Training

NET = Dense(64, 1, "tanh")
OPTIONS: Mapping[str, Any] = {
    "latent": 10, "encoder": NET, "decoder": NET, "bound": IWAE(20),
    "likelihood": (Gaussian("shared"),), "missing": Ignorable(),
}  # fmt: skip
TRAINING = Training(batch=64, lr=1e-3, schedule=Cosine(warmup=0.02), average=2.0)
MASK = 1234
"""The notebook's seed."""
NOTEBOOK, BAR = 0.2867, 0.287
"""The error in the notebook's own output, and the target."""
LEVEL, OFF = 0.9, 0.05
"""What intervals promise, and by how much the share that they hold may differ from it."""


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        steps: of training. draws: to fill a row by. rows: at most; 0 for all. trees: of a forest.
    """

    steps: int
    draws: int
    rows: int = 0
    trees: int = 100


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(2, 5, 60, 2),
    "cpu": Setting(5000, 1000),
    "paper": Setting(5000, 10_000),
}


class WdbcImputation(Study):
    """Tumours, completed on the mask that was published."""

    claim = "A VAE fills the half of a table that is hidden as well as MIWAE's authors published."
    paper = "Mattei & Frellsen 2019, arXiv:1812.02633"
    protocol = (
        "scikit-learn's breast_cancer, 569 rows of 30 numbers, standardised by all of them; "
        "half of all values hidden completely at random by numpy's RandomState of 1234, which are "
        "the notebook's cells. The VAE: latent 10, dense 1 × 64 tanh each way, Gaussian with one "
        "scale a column, importance-weighted bound of 20 draws on what is there, Adam at 1e-3 with "
        "a cosine, 5,000 steps of 64 rows, averaged weights; a gap is the weighted mean of 1,000 "
        "draws (paper 10,000), its interval their quantiles. The notebook has 2 × 128, Student's t "
        "and 36,000 steps of 16. What is filled is what was learnt from, for every way. Forests "
        "are 100 extremely randomised trees of depth 8, three rounds. Seeds are of the network; "
        "the mask is one. Network, likelihood and steps were chosen on the mask of 1000."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        x = tumours()[: setting.rows or None]
        every = [of_seed(x, setting, seed) for seed in range(seeds)]
        bar, *rest = of_contest("tumours", every, BAR)
        off = [abs(one[INSIDE] - LEVEL) for one in every]
        return [
            replace(bar, reported=NOTEBOOK, source="MIWAE's notebook, its own output"),
            exact("tumours: what intervals of 90 % hold, off by at most", off, OFF, bar.split),
            *rest,
        ]


def tumours() -> Tensor:
    """The 30 measurements of each tumour, standardised: (569, 30)."""
    x = find("breast-cancer").where.iloc[:, :-1].to_numpy(float)
    return torch.from_numpy((x - x.mean(0)) / x.std(0))


def of_seed(x: Tensor, setting: Setting, seed: int) -> dict[str, float]:
    """The mean squared error of each way on the published mask, and the share in our intervals."""
    training = replace(TRAINING, steps=setting.steps, seed=seed)
    filling = Filling(samples=setting.draws, interval=LEVEL, seed=seed)
    return contest(x, at_random(x.shape, 0.5, MASK), OPTIONS, training, filling, setting.trees)
