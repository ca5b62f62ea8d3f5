r"""Half of a table is gone: what a VAE makes of the rest, beside trees, neighbours and ridges.

Wines, whose twelve numbers hang together loosely, have half of their values hidden completely at
random, and each way fills them from what is left, without a single complete row to learn from. The
VAE maximises the importance-weighted bound of what is there (MIWAE, Mattei & Frellsen 2019,
arXiv:1812.02633) and fills by the weighted mean of its draws. Heart patients and credit clients
have numbers and categories; there an error is normalised (after Nazabal et al. 2020,
arXiv:1807.03653),

$$ \frac1D \sum_j e_j, \qquad e_j = \begin{cases}
 \sqrt{\tfrac1n \sum_i (x_{ij} - \hat x_{ij})^2} \,/\, (\max_j - \min_j) & \text{of numbers} \\
 \text{share wrong} & \text{of categories,} \end{cases} $$

in the units of the file, over the hidden values of each of D columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from twofold.apps.imputation import Filling
from twofold.core.errors import UserError
from twofold.data.doctor import examine
from twofold.data.named import find, folders
from twofold.data.sources import Rows, whole
from twofold.maths.bounds import IWAE
from twofold.maths.likelihoods import Gaussian
from twofold.maths.schedules import Cosine
from twofold.measures.imputing import WAYS
from twofold.nets.bodies import Dense
from twofold.nets.mechanisms import Ignorable
from twofold.studies.gaps import (
    OURS,
    at_random,
    contest,
    filled_by,
    learnt,
    of_contest,
    simply,
    wine,
)
from twofold.studies.seeds import finding
from twofold.studies.study import Budget, Row, Study
from twofold.train.options import Training

NET = Dense(128, 2, "tanh")
OPTIONS: Mapping[str, Any] = {
    "latent": 10, "encoder": NET, "decoder": NET, "bound": IWAE(5),
    "likelihood": (Gaussian("predicted"),), "missing": Ignorable(),
}  # fmt: skip
TRAINING = Training(batch=128, lr=2e-3, schedule=Cosine(warmup=0.02), average=2.0)
MASK = 1234
"""The seed of the first mask; each further one counts on."""
FORESTS: Mapping[str, float] = {"red": 0.742, "white": 0.797}
"""What missForest's likeness was measured to leave, on another mask: the target."""


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        steps: of training on wines. mixed: on tables of mixed types. draws: to fill a row by.
        rows: of each wine, at most; 0 for all. short: of each other table.
        trees: of a forest.
    """

    steps: int
    mixed: int
    draws: int
    rows: int
    short: int
    trees: int = 100


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(2, 2, 5, 60, 60, 2),
    "cpu": Setting(4000, 1500, 200, 0, 1000),
    "paper": Setting(30_000, 30_000, 10_000, 0, 0),
}


class UciImputation(Study):
    """Wines, heart patients and credit clients, completed."""

    claim = "With half of its values gone a VAE completes a table better than iterated forests."
    paper = "Mattei & Frellsen 2019, arXiv:1812.02633; Nazabal et al. 2020, arXiv:1807.03653"
    protocol = (
        "UCI red (1,599) and white (4,898) wine, 11 numbers and the grade, standardised by all of "
        "their values; exactly half of all values hidden completely at random by numpy's "
        "RandomState of 1234 and up, a mask and a seed each. The VAE: latent 10, dense 2 × 128 "
        "tanh, Gaussian with predicted scale, importance-weighted bound of 5 draws on what is "
        "there, Adam at 2e-3 with a cosine, 4,000 steps of 128 rows (paper 30,000), averaged "
        "weights; a gap is the weighted mean of 200 draws (10,000). What is filled is what was "
        "learnt from, for every way, as in the paper. Forests are 100 extremely randomised trees "
        "of depth 8, three rounds. The target was measured for such forests on another mask; they "
        "are measured on these masks, too. Heart: 303 patients, 14 columns, a fifth hidden at "
        "random. Credit: 24 columns, the published 50 % mask, the first 1,000 clients (paper all "
        "30,000). There steps are 1,500 (30,000), and the error is normalised, in the units of the "
        "file. Likelihood, draws, steps, "
        "rate and the rounds of forests were chosen on masks of 1000."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        wines = [row for colour in FORESTS for row in of_wine(colour, setting, seeds)]
        tables = [row for name in TABLES for row in of_table(name, setting, seeds)]
        return [*wines, *tables]


# Wines.


def of_wine(colour: str, setting: Setting, seeds: int) -> list[Row]:
    """The errors of each way, and the bars of ours."""
    x = wine(colour)[: setting.rows or None]
    every = [of_mask(x, MASK + seed, setting, seed) for seed in range(seeds)]
    return of_contest(f"{colour} wine", every, FORESTS[colour])


def of_mask(x: Tensor, mask_seed: int, setting: Setting, seed: int) -> dict[str, float]:
    """The mean squared error of each way on one mask, and the share inside our intervals."""
    training = replace(TRAINING, steps=setting.steps, seed=seed)
    filling = Filling(samples=setting.draws, interval=0.9, seed=seed)
    return contest(x, at_random(x.shape, 0.5, mask_seed), OPTIONS, training, filling, setting.trees)


# Tables of mixed types.


def heart(setting: Setting, seed: int) -> tuple[Any, Mapping[str, str], np.ndarray[Any, Any]]:
    """Heart patients, the types of their columns, and a fifth of the cells."""
    found = find("heart-cleveland")
    frame = found.where.head(setting.short or None)
    return frame, found.options["types"], at_random(frame.shape, 0.2, MASK + seed).numpy()


def credit(setting: Setting, seed: int) -> tuple[Any, Mapping[str, str], np.ndarray[Any, Any]]:
    """Credit clients, the types of their columns, and the mask that was published."""
    found = find("credit-default")
    frame = found.where.head(setting.short or len(found.where))
    mask = published(len(found.where), frame.shape[1])[: len(frame)]
    payments = {name: "number" for name in frame.columns if name.startswith("PAY_")}
    return frame, {**found.options["types"], **payments}, mask


def published(rows: int, columns: int) -> np.ndarray[Any, Any]:
    """The mask of half of the cells in a file of rows and columns, counted from 1."""
    places = [folder / "credit-default" / "missing50_1.csv.gz" for folder in folders()]
    for path in places:
        if path.is_file():
            cells = np.loadtxt(path, delimiter=",", dtype=int) - 1
            mask = np.zeros((rows, columns), bool)
            mask[cells[:, 0], cells[:, 1]] = True
            return mask
    raise UserError(
        f"the published mask is not there; put missing50_1.csv.gz of "
        f"https://github.com/probabilistic-learning/HI-VAE into {places[-1].parent}"
    )


Cut = Callable[[Setting, int], tuple[Any, Mapping[str, str], "np.ndarray[Any, Any]"]]
TABLES: Mapping[str, Cut] = {"heart": heart, "credit": credit}


def of_table(name: str, setting: Setting, seeds: int) -> list[Row]:
    """The normalised error of each way."""
    every = [of_cut(TABLES[name], setting, seed) for seed in range(seeds)]
    return [
        finding(f"{name}, normalised error: {way}", [one[way] for one in every], "the hidden cells",
                "lower")
        for way in (OURS, *WAYS)
    ]  # fmt: skip


def of_cut(cut: Cut, setting: Setting, seed: int) -> dict[str, float]:
    """The normalised error of each way to fill one table."""
    frame, types, mask = cut(setting, seed)
    found = examine(frame.mask(mask), types=dict(types))
    kind, rows = found.kind, whole(found.source)
    training = replace(TRAINING, steps=setting.mixed, seed=seed)
    model = learnt("vae", OPTIONS, kind.space, rows.values, training)
    ours = filled_by(model, kind.space, rows.values, Filling(samples=setting.draws, seed=seed))
    ways = {OURS: ours.fill, **simply(kind.space, rows.values, setting.trees)}
    return {
        way: normalised(frame, kind.native(Rows(guess, rows.given)), mask, types)
        for way, guess in ways.items()
    }


def normalised(
    truth: Any, guess: Any, mask: np.ndarray[Any, Any], types: Mapping[str, str]
) -> float:
    """The mean over columns of the error in their hidden cells, which were there.

    >>> import pandas
    >>> frame = pandas.DataFrame({"a": [0.0, 10.0], "b": ["x", "y"]})
    >>> other = pandas.DataFrame({"a": [5.0, 10.0], "b": ["y", "y"]})
    >>> round(normalised(frame, other, np.ones((2, 2), bool), {"b": "category"}), 6)
    0.426777
    """
    errors = []
    for at, name in enumerate(truth.columns):
        here = mask[:, at] & truth[name].notna().to_numpy()
        a, b = truth[name][here], guess[name][here]
        if not len(a):
            continue
        if types.get(name) == "category":
            errors.append(float(np.mean([str(u) != str(v) for u, v in zip(a, b, strict=True)])))
        else:
            reach = truth[name].max() - truth[name].min()
            gap = a.to_numpy(float) - b.to_numpy(float)
            errors.append(float(np.sqrt((gap**2).mean()) / reach))
    return float(np.mean(errors))
