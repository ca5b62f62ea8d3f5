r"""A class-conditional GAN in the manner of BigGAN, and what truncation trades.

Brock, Donahue & Simonyan (2019, arXiv:1809.11096) let the class modulate every block of the
generator, give the code to each of them, and keep its filters from overlapping,

$$ \beta \, \big\lVert W^\top W \odot (1 - I) \big\rVert_F^2 , $$

so that codes of which values beyond a threshold are not drawn still decode to pictures: the lower
the threshold, the more faithful each draw and the less varied all of them (§3.1).

An *independent* classifier, fitted to real pictures, says whether a draw is of the class that was
asked for. Fidelity is that share, variety the mean distance between draws of one class in the
features of `tiny-v1`, over that between real pictures of one class.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from twofold.data.pictures import grid, png
from twofold.data.sources import Source, whole
from twofold.measures.baselines import canonical
from twofold.measures.classifier import Classifier
from twofold.measures.fidelity import gauge
from twofold.nets import extractors
from twofold.runs import measuring
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import garments
from twofold.studies.seeds import SHARES, finding, over_seeds
from twofold.studies.study import Budget, Row, Study

CLASSES = 10
ACCURACY = 0.9
THRESHOLDS = (math.inf, 1.0, 0.5, 0.25)
ARMS: Mapping[str, float] = {"orthogonal": 1e-4, "free": 0.0}


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        side: of the pictures. width: channels at full size. steps: of training.
        each: draws of a class. fitted: pictures that the classifier is fitted to.
    """

    side: int
    width: int
    steps: int
    each: int
    fitted: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(7, 4, 2, 6, 200),
    "cpu": Setting(14, 16, 2500, 200, 10_000),
    "paper": Setting(28, 32, 40_000, 1000, 54_000),
}


class Biggan(Study):
    """Classes, truncation, and filters that do not overlap."""

    claim = "Draws are of the class asked for; truncation trades variety for fidelity."
    paper = "Brock et al. 2019, arXiv:1809.11096"
    protocol = (
        "Fashion-MNIST averaged to 14 × 14 (paper 28 × 28), conditional on the label. Generator: "
        "a residual block at each size, modulated by the class and the code, 16 channels at full "
        "size (paper 32), group normalisation for that of a batch; critic: strided convolutions "
        "of as many, with projection; hinge loss with R1 of 0.1, 2,500 steps of 32 (paper 40,000), "
        "Adam at 5e-4, averaged weights; with orthogonal regularisation of 1e-4 and without. "
        "Neither the size nor the spectral norms of the publication: those train too slowly for a "
        "core. The normalisation was chosen with seeds 100 and 101: without it draws are black in "
        "most seeds. The classifier is a support-"
        "vector machine on 64 principal components of 10,000 training pictures; its accuracy on "
        "test pictures is the floor. 200 draws of each class (1,000) at each threshold of the "
        "code. Bars: accuracy of plain draws of the regularised network, at least 0.9, the mean "
        "over seeds; and in every seed each lower threshold has no lower fidelity and lower "
        "variety (the least step over seeds is above zero; for fidelity, not under it). "
        "fd_tiny-v1 is to as many test pictures."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        data = garments.opened(setting.side, labels=True)
        judge = Judge.of(data, setting)
        found = {
            arm: [of_seed(arm, data, judge, setting, seed, out) for seed in range(seeds)]
            for arm in ARMS
        }
        return [
            *bars(found["orthogonal"], judge),
            *(row for arm in ARMS for row in of_arm(arm, found[arm], judge)),
        ]


class Seen(NamedTuple):
    """Draws at one threshold."""

    fidelity: float
    variety: float
    distance: float


@dataclass(frozen=True)
class Judge:
    """What is asked of draws.

    Args:
        classifier: fitted to real pictures. accuracy: of it, on test pictures.
        spread: of real pictures of one class. data: the set. each: draws of a class.
    """

    classifier: Classifier
    accuracy: float
    spread: float
    data: Material
    each: int

    @classmethod
    def of(cls, data: Material, setting: Setting) -> Judge:
        x, y = labelled(data, data.train, setting.fitted)
        classifier = Classifier.fit(x, y, 0)
        x, y = labelled(data, data.test, CLASSES * setting.each)
        right = float((classifier(x) == y).double().mean())
        return cls(classifier, right, spread(x, y), data, setting.each)

    def __call__(self, run: Run, threshold: float) -> Seen:
        """Draws of every class, at a threshold."""
        x, y = draws(run, self.each, threshold)
        right = float((self.classifier(x) == y).double().mean())
        held = measuring.batch_of(run.kind, self.data.test, len(x), 0)
        return Seen(right, spread(x, y) / self.spread, gauge(run.space, held)[1](x))


def labelled(data: Material, source: Source, n: int) -> tuple[Tensor, Tensor]:
    """The first n pictures of a source, as a file would hold them, and their labels."""
    rows, space = whole(source, n), data.kind.space
    return canonical(space, space.encode(rows.values)), rows.given[:, 0].long()


def draws(run: Run, each: int, threshold: float) -> tuple[Tensor, Tensor]:
    """So many draws of every class, and the classes."""
    names = [*run.given.fields[0].domain.labels]  # type: ignore[attr-defined]
    rows = run.draw(CLASSES * each, {"label": names}, 0, truncation=threshold)
    return canonical(run.space, run.space.encode(rows.values)), rows.given[:, 0].long()


def spread(x: Tensor, y: Tensor) -> float:
    """The mean distance of two pictures of one class, in the features of tiny-v1."""
    phi = extractors.features(extractors.extractor("tiny-v1"), x)
    return math.fsum(apart(phi[y == label]) for label in range(CLASSES)) / CLASSES


def apart(phi: Tensor) -> float:
    """The mean distance of two different rows; 0 of fewer than two.

    >>> apart(torch.tensor([[0.0], [1.0], [2.0]]))
    1.3333333333333333
    """
    n = len(phi)
    return float(torch.cdist(phi.double(), phi.double()).sum()) / max(n * (n - 1), 1)


def of_seed(
    arm: str, data: Material, judge: Judge, setting: Setting, seed: int, folder: Path
) -> list[Seen]:
    """Train one seed of an arm; what it draws at each threshold."""
    run = garments.trained(
        model_of(arm, setting), train_of(setting), data, seed, folder / f"{arm}-{seed}"
    )
    for threshold in (THRESHOLDS[0], THRESHOLDS[-2]):
        sheet(run, threshold, folder / f"{arm}-{seed}-{threshold:g}.png")
    return [judge(run, threshold) for threshold in THRESHOLDS]


def model_of(arm: str, setting: Setting) -> dict[str, Any]:
    net = {"name": "conv", "width": setting.width}
    return {
        "name": "gan",
        "latent": 32,
        "objective": "hinge",
        "penalties": [{"name": "r1", "gamma": 0.1}],
        "orthogonal": ARMS[arm],
        "generator": {**net, "modulated": True, "skip": True, "activation": "relu", "groups": 8},
        "critic": {**net, "blocks": 0},
    }


def train_of(setting: Setting) -> dict[str, Any]:
    return {
        "steps": setting.steps,
        "batch": 32,
        "lr": 5e-4,
        "betas": [0.0, 0.99],
        "average": 2.0,
        "null": 0.0,
    }


def sheet(run: Run, threshold: float, path: Path) -> None:
    """Four draws of each class, a class a row."""
    names = [*run.given.fields[0].domain.labels]  # type: ignore[attr-defined]
    label = [name for name in names for _ in range(4)]
    rows = run.draw(len(label), {"label": label}, 0, truncation=threshold)
    path.write_bytes(png(grid(run.kind.draw(rows), columns=4)))


# Rows.


def bars(by_seed: Sequence[Sequence[Seen]], judge: Judge) -> list[Row]:
    """Accuracy of plain draws, and the two orders."""
    right = over_seeds([seen[0].fidelity for seen in by_seed])
    n = len(by_seed)
    accuracy = Row("orthogonal: class accuracy of draws", "bar", right.value, right.low, right.high,
                   n, "none", "higher", ACCURACY, floor=judge.accuracy)  # fmt: skip
    rises = [steps([one.fidelity for one in seen]) for seen in by_seed]
    falls = [steps([-one.variety for one in seen]) for seen in by_seed]
    return [
        accuracy,
        ordered("orthogonal: least rise of fidelity from threshold to threshold", rises),
        ordered("orthogonal: least fall of variety from threshold to threshold", falls),
    ]


def steps(values: Sequence[float]) -> float:
    """The least rise from one value to the next.

    >>> steps([1.0, 3.0, 4.0])
    1.0
    """
    return min(b - a for a, b in pairwise(values))


def ordered(measure: str, least: Sequence[float]) -> Row:
    """A bar: none of the least rises, a seed each, is under zero."""
    return Row(measure, "bar", min(least), min(least), max(least), len(least), "none", "higher",
               0.0)  # fmt: skip


def of_arm(arm: str, by_seed: Sequence[Sequence[Seen]], judge: Judge) -> list[Row]:
    """What each threshold gives."""
    return [
        row
        for place, threshold in enumerate(THRESHOLDS)
        for row in at_threshold(
            f"{arm}, {named(threshold)}", [seen[place] for seen in by_seed], judge
        )
    ]


def named(threshold: float) -> str:
    return "plain" if math.isinf(threshold) else f"truncated at {threshold:g}"


def at_threshold(title: str, seen: Sequence[Seen], judge: Judge) -> list[Row]:
    right = finding(f"{title}: fidelity, class accuracy", [s.fidelity for s in seen], "none",
                    "higher", SHARES)  # fmt: skip
    return [
        replace(right, floor=judge.accuracy),
        finding(f"{title}: variety over that of real pictures", [s.variety for s in seen], "none",
                "higher"),
        finding(f"{title}: fd_tiny-v1", [s.distance for s in seen], "test", "lower"),
    ]  # fmt: skip
