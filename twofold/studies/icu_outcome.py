r"""Who dies in the hospital, told by a VAE that filled in what nobody measured.

Of 3,996 stays in intensive care (Silva et al. 2012, the PhysioNet/Computing in Cardiology
challenge) there are two days of 37 variables, most of which nobody measured in most hours. A VAE
that knows no outcome learns the stays hour by hour; what it says of a stay is its code and its
completed hours, and logistic regression tells the outcome from them. Beside it stand what a
clinic would do without one: logistic regression on every hour, gaps filled by the variable's mean,
and gradient boosting on summaries of what was measured.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twofold.apps.imputation import Filling, completed
from twofold.core.game import Encodes
from twofold.data.doctor import Examination, examine
from twofold.data.named import find
from twofold.data.sources import Subset, whole
from twofold.maths.ranking import auroc
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies.garments import trained
from twofold.studies.iwae_order import differences
from twofold.studies.oneclass import shuffled
from twofold.studies.seeds import finding, gain
from twofold.studies.study import Budget, Row, Study

Array = NDArray[np.float64]
TABLE: Mapping[str, Any] = {"name": "physionet2012"}
OURS, MEANS, BOOSTED = "code and completed hours", "gaps by their mean", "boosted summaries"
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Of the penalty of logistic regression, the inverse; chosen on validation stays."""


@dataclass(frozen=True)
class Setting:
    """How much is done: stays at most, steps, and draws that fill a gap."""

    stays: int
    steps: int
    draws: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(200, 2, 2),
    "cpu": Setting(10_000, 1500, 10),
    "paper": Setting(10_000, 20_000, 100),
}


class IcuOutcome(Study):
    """Deaths told from completed stays, beside two ways without a model."""

    claim = "A VAE's code and completed hours tell the outcome no worse than filled means do."
    paper = "Silva et al. 2012, the PhysioNet/Computing in Cardiology challenge (data)"
    protocol = (
        "PhysioNet 2012, set A: 3,996 stays, 48 hours of 37 variables, each hour the mean of what "
        "was measured in it; 13.9 % died. Random splits, one a seed: 70 % of stays train, 10 % "
        "choose the strength of logistic regression among five, 20 % are judged by AUROC. The VAE "
        "sees no outcome: dense 2 × 256, latent 32, which values are missing being modelled too, "
        "1,500 steps of 64 (paper 20,000), Adam at 1e-3 with a cosine. Ours: logistic regression "
        "on the mean of the code and on every hour of every variable, gaps filled by the mean of "
        "10 weighted draws (100). Means: on the same hours, gaps filled by the variable's mean. "
        "Age, gender and height go with all. Boosting: 150 trees of 8 leaves on mean, least, "
        "greatest, last and count of what was measured. The bar is the lower end of ours minus "
        "means, split by split. Networks and features were chosen on splits of seeds 100 and 101."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        data = Stays.of(setting.stays)
        found = [judged(data, setting, seed, out / f"{seed}") for seed in range(seeds)]
        each = {name: [one[name] for one in found] for name in found[0]}
        bar = gain(f"AUROC: {OURS} minus {MEANS}", differences(each[OURS], each[MEANS]), "test")
        rest = [finding(f"AUROC, {name}", auc, "test", "higher") for name, auc in each.items()]
        return [bar, *rest]


@dataclass(frozen=True)
class Stays:
    """Stays and how they ended: died (N,)."""

    seen: Examination
    died: Tensor

    @classmethod
    def of(cls, most: int) -> Stays:
        """The named set, or its first stays."""
        found = find(str(TABLE["name"]))
        frame = found.where
        kept = frame["stay"].isin(frame["stay"].unique()[:most])
        seen = examine(frame[kept], "series", **found.options)
        ended = frame[kept].groupby("stay", sort=True)["died"].first() == "yes"
        return cls(seen, torch.tensor(ended.to_numpy()))


Parts = Mapping[str, Tensor]


def parted(rows: int, seed: int) -> Parts:
    """70 % that train, 10 % to choose by, 20 % that are judged."""
    order = shuffled(torch.arange(rows), seed)
    train, choose = round(0.7 * rows), round(0.8 * rows)
    return {"train": order[:train], "choose": order[train:choose], "judge": order[choose:]}


def judged(data: Stays, setting: Setting, seed: int, folder: Path) -> dict[str, float]:
    """AUROC of each way, on one split."""
    parts = parted(len(data.died), seed)
    run = fitted(data, setting, parts, seed, folder)
    rows = whole(data.seen.source)
    known = rows.given.nan_to_num().double().numpy()
    x = rows.values.double().numpy()
    filled = standard(completed_hours(run, data, setting, seed), x, parts["train"])
    told = {
        OURS: np.concatenate([codes(run, data), flat(filled)], 1),
        MEANS: flat(np.nan_to_num(standard(x, x, parts["train"]))),
        "completed hours alone": flat(filled),
        "the code alone": codes(run, data),
    }
    found = {
        name: regressed(np.concatenate([features, known], 1), data.died, parts)
        for name, features in told.items()
    }
    summaries = np.concatenate([summary(x), known], 1)
    return found | {BOOSTED: boosted(summaries, data.died, parts, seed)}


def fitted(data: Stays, setting: Setting, parts: Parts, seed: int, folder: Path) -> Run:
    """A VAE of the training stays."""
    net = {"name": "dense", "width": 256, "depth": 2}
    model = {"name": "vae", "latent": 32, "encoder": net, "decoder": net}
    train = {"steps": setting.steps, "batch": 64, "lr": 1e-3, "evaluate": setting.steps,
             "schedule": {"name": "cosine"}}  # fmt: skip
    learn, choose, judge = (
        Subset(data.seen.source, parts[name]) for name in ("train", "choose", "judge")
    )
    return trained(
        model, train, Material(data.seen.kind, learn, choose, judge), seed, folder, TABLE
    )


# What is known of a stay.


def completed_hours(run: Run, data: Stays, setting: Setting, seed: int) -> Array:
    """Every hour (N, C, T), with its gaps filled by the model."""
    rows, filling = whole(data.seen.source), Filling(samples=setting.draws, seed=seed)
    filled = completed(run.model, run.space, rows.values, run.known(rows.given), filling)
    return filled.fill.double().numpy()


def codes(run: Run, data: Stays) -> Array:
    """The mean of each stay's code, (N, D)."""
    model = run.role(Encodes, "this study")
    rows, found = whole(data.seen.source), []
    with torch.inference_mode():
        for part in torch.arange(len(rows)).split(run.chunk):
            x = run.space.encode(rows.values[part])
            found.append(model.encode(x, run.known(rows.given[part])).mean)
    return torch.cat(found).double().numpy()


def standard(x: Array, measured: Array, train: Tensor) -> Array:
    """Variables (N, C, T) by the mean and deviation of what was measured in training stays."""
    mean = np.nanmean(measured[train], axis=(0, 2), keepdims=True)
    std = np.nanstd(measured[train], axis=(0, 2), keepdims=True)
    return (x - mean) / np.where(std > 0, std, 1.0)


def flat(x: Array) -> Array:
    """Every hour of every variable beside each other, (N, C T)."""
    return x.reshape(len(x), -1)


def summary(x: Array) -> Array:
    """Mean, least, greatest, last and count of what was measured, (N, 5 C); NaN where nothing was.

    >>> summary(np.array([[[1.0, np.nan, 3.0, np.nan]]])).tolist()
    [[2.0, 1.0, 3.0, 3.0, 2.0]]
    """
    there = ~np.isnan(x)
    newest = x.shape[2] - 1 - there[:, :, ::-1].argmax(2)
    last = np.take_along_axis(x, newest[:, :, None], 2)[:, :, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of what was never measured
        each = [of(x, axis=2) for of in (np.nanmean, np.nanmin, np.nanmax)]
    return np.concatenate([*each, last, there.sum(2)], 1)


# Who tells the outcome.


def regressed(features: Array, died: Tensor, parts: Parts) -> float:
    """AUROC of logistic regression, of the strength that is best on the stays to choose by."""
    tried = [area(scores, died, parts) for scores in linear(features, died, parts)]
    return max(tried)[1]


def linear(features: Array, died: Tensor, parts: Parts) -> Iterator[Tensor]:
    """The scores of all stays, by each strength."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, truth = parts["train"].numpy(), died.numpy()
    for strength in STRENGTHS:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
        model.fit(features[train], truth[train])
        yield torch.from_numpy(model.decision_function(features))


def boosted(features: Array, died: Tensor, parts: Parts, seed: int) -> float:
    """AUROC of gradient boosting."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.05, max_leaf_nodes=8, random_state=seed
    )
    train = parts["train"].numpy()
    model.fit(features[train], died.numpy()[train])
    return area(torch.from_numpy(model.predict_proba(features)[:, 1]), died, parts)[1]


def area(scores: Tensor, died: Tensor, parts: Parts) -> tuple[float, float]:
    """AUROC among the stays to choose by, and among those that are judged."""
    found = [
        float(auroc(scores[rows][died[rows]], scores[rows][~died[rows]]))
        for rows in (parts["choose"], parts["judge"])
    ]
    return found[0], found[1]
