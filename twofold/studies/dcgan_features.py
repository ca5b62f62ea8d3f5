r"""What a critic has learnt without labels, asked with few of them.

Radford, Metz & Chintala (2016, arXiv:1511.06434, §5.1) use the critic of a GAN as an extractor: the
features of all its convolutions, each brought to a grid of 4 × 4 by its largest value in a cell,
side by side, under a linear classifier,

$$ \varphi(x) = \big( \operatorname{pool}_{4 \times 4} h_1(x), \dots,
   \operatorname{pool}_{4 \times 4} h_L(x) \big). $$

The same classifier on raw pixels says what it would have done without. So does, and more sharply,
the same network before it was trained: features of random convolutions are better than pixels by
themselves, and what is learnt is what is left above them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.data.few import chosen
from twofold.data.sources import Source, Subset
from twofold.models.gan import GAN
from twofold.nets.bodies import ConvDown
from twofold.nets.critics import Critic
from twofold.runs.training import Material
from twofold.studies import garments
from twofold.studies.seeds import finding, gain
from twofold.studies.study import Budget, Row, Study
from twofold.train.chance import seed_all

LABELS = (100, 1000)
CELLS = 4
SOFTNESS = tuple(np.logspace(-1, 6, 15))
"""Weights of the classifier's squared norm, of which it takes the best by leaving one out."""

Extractor = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        side: of the pictures. width: channels at full size.
        steps: of training. test: pictures to classify. times: draws of which labels are told.
    """

    side: int
    width: int
    steps: int
    test: int
    times: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(7, 4, 2, 100, 1),
    "cpu": Setting(14, 16, 1200, 10_000, 3),
    "paper": Setting(28, 64, 40_000, 10_000, 10),
}


class DcganFeatures(Study):
    """A linear classifier on a critic's features."""

    claim = "With few labels a linear classifier is better on a critic's features than on pixels."
    paper = "Radford et al. 2016, arXiv:1511.06434, §5.1"
    protocol = (
        "Fashion-MNIST averaged to 14 × 14 (paper 28 × 28), 54,000 training pictures without "
        "labels for the GAN; the recipe dcgan: strided convolutions, 16 channels at full size "
        "(paper 64), group normalisation in the generator and R1 of 0.1 in place of batch "
        "normalisation, non-saturating loss, 1,200 "
        "steps of 64 (paper 40,000), Adam 2e-4 with β1 of 0.5; averaged weights. "
        "Features: every convolution of the critic, after its rectifier, the largest value in each "
        "of 4 × 4 cells, standardised by the told pictures. "
        "100 or 1,000 training pictures are told their label, of each as many, "
        "3 draws a seed (paper 10), their mean counts. The classifier is least squares on one "
        "against all with a penalty on its norm, which it chooses by leaving one told picture out, "
        "on pixels and on features alike (the publication has a linear SVM). Error on the 10,000 "
        "test pictures. A bar is on the gain over pixels, pair by pair over seeds. The untrained "
        "network is the same one at its first step. Nothing was chosen on the test split."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        data = garments.opened(setting.side)
        labelled = garments.opened(setting.side, labels=True)
        found = [of_seed(data, labelled, setting, seed, out) for seed in range(seeds)]
        return [row for count in LABELS for row in of_count(count, found)]


Errors = Mapping[str, Mapping[int, float]]
"""Per cent, by what is classified and by how many labels are told."""


def of_seed(
    data: Material, labelled: Material, setting: Setting, seed: int, folder: Path
) -> Errors:
    """Train a GAN without labels, and classify by what its critic sees."""
    place = folder / f"dcgan-{seed}"
    run = garments.trained(model_of(setting), train_of(setting), data, seed, place)
    garments.picture(run, folder / f"dcgan-{seed}.png")
    assert isinstance(run.model, GAN)
    seed_all(torch.device("cpu"), seed)
    untrained = run.plan.build(run.space, run.given)
    assert isinstance(untrained, GAN)
    space = data.kind.space
    extractors: Mapping[str, Extractor] = {
        "pixels": lambda x: space.encode(x).flatten(1),
        "untrained critic": lambda x: features(untrained.critic, space.encode(x)),
        "critic": lambda x: features(run.model.critic, space.encode(x)),  # type: ignore[arg-type]
    }
    return {
        name: {count: errors(extract, labelled, setting, count, seed) for count in LABELS}
        for name, extract in extractors.items()
    }


def model_of(setting: Setting) -> dict[str, Any]:
    """The recipe `dcgan` at a width."""
    net = {"name": "conv", "width": setting.width, "blocks": 0}
    return {
        "name": "gan",
        "latent": 100,
        "objective": "non-saturating",
        "penalties": [{"name": "r1", "gamma": 0.1}],
        "generator": {**net, "activation": "relu", "groups": 8},
        "critic": net,
    }


def train_of(setting: Setting) -> dict[str, Any]:
    return {"steps": setting.steps, "batch": 64, "lr": 2e-4, "betas": [0.5, 0.999]}


@torch.no_grad()
def features(critic: Critic, x: Tensor) -> Tensor:
    """φ(x), (B, F): every size of the critic's body in 4 × 4 cells."""
    assert isinstance(critic.body, ConvDown)
    none = x.new_zeros(len(x), 0)
    levels = critic.body.levels(x, none)
    return torch.cat([F.adaptive_max_pool2d(h, CELLS).flatten(1) for h in levels], 1)


def errors(
    extract: Extractor, labelled: Material, setting: Setting, count: int, seed: int
) -> float:
    """The mean error over draws of which pictures are told, per cent."""
    test = Subset(labelled.test, torch.arange(min(setting.test, len(labelled.test))))
    x, y = seen(extract, test)
    found = []
    for time in range(setting.times):
        told = chosen(labelled.train.labels(), count, 1000 * seed + time).nonzero().flatten()
        found.append(error(*seen(extract, Subset(labelled.train, told)), x, y))
    return math.fsum(found) / len(found)


def seen(extract: Extractor, source: Source) -> tuple[Tensor, Tensor]:
    """Features (N, F) and labels (N,) of a source."""
    rows = source.read(torch.arange(len(source)))
    parts = [extract(part) for part in rows.values.split(1000)]
    return torch.cat(parts), rows.given[:, 0].long()


def error(x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor) -> float:
    """Of a linear classifier fitted to (x, y), on others, per cent.

    >>> x, y = torch.eye(4).repeat(5, 1), torch.arange(4).repeat(5)
    >>> error(x, y, x, y)
    0.0
    """
    from sklearn.linear_model import RidgeClassifierCV

    middle, spread = x.mean(0), x.std(0) + 1e-3 * x.std()
    told, asked = (((part - middle) / spread).double().numpy() for part in (x, x_test))
    guess = RidgeClassifierCV(SOFTNESS).fit(told, y.numpy()).predict(asked)
    return 100 * float((torch.from_numpy(guess) != y_test).double().mean())


# Rows.


def of_count(count: int, by_seed: Sequence[Errors]) -> list[Row]:
    """The errors with so many labels, and the bar on the gain over pixels."""
    columns = {name: [seed[name][count] for seed in by_seed] for name in by_seed[0]}
    pixels, critic = columns["pixels"], columns["critic"]
    rows = [
        finding(f"{count} labels, {name}: error, %", values, "test", "lower")
        for name, values in columns.items()
    ]
    baseline = math.fsum(pixels) / len(pixels)
    gains = [p - c for p, c in zip(pixels, critic, strict=True)]
    over = [u - c for u, c in zip(columns["untrained critic"], critic, strict=True)]
    return [
        *[replace(row, baseline=baseline) for row in rows],
        gain(f"{count} labels, critic: points below the error on pixels", gains, "test"),
        finding(f"{count} labels, critic: points below the error of the untrained critic", over,
                "test", "higher"),
    ]  # fmt: skip
