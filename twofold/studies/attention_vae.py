r"""Does attention help a VAE where what belongs together lies far apart?

Self-attention lets each place of a grid read every other,

$$ \operatorname{softmax}\big(Q K^\top / \sqrt{d}\big)\, V, $$

where a convolution sees its neighbours (Vaswani et al. 2017, arXiv:1706.03762; for pictures Zhang
et al. 2019, arXiv:1805.08318). It costs parameters and time; so the question is asked at equal
parameters, the plain network being given more channels for them, and on two sets: *pairs*, in which
a random glyph stands somewhere in the left half and the same glyph, at another place, in the right
one; and garments, whose sleeves, legs and soles match. The code of a VAE is global, and each half
of a pair can be drawn from it alone: it is not said beforehand that attention has to help.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from twofold.core.space import Space
from twofold.maths.schedules import Cosine
from twofold.models.vae import VAE
from twofold.nets.bodies import Conv
from twofold.studies.binary import CPU, Pictures, loop_of, measured, pictures, trained
from twofold.studies.seeds import finding
from twofold.studies.study import Budget, Row, Study
from twofold.train.chance import seed_all
from twofold.train.options import Training

Arm = Literal["attention", "none"]
ARMS: tuple[Arm, ...] = ("attention", "none")
LATENT, BATCH, RATE = 16, 64, 2e-3
NEAR = 8
"""Places attend to each other where no axis is longer: at half and at quarter size."""


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        steps: of training. scale: of the channels. train, test: pictures of pairs; of the
            garments, all and as many as `test`.
    """

    steps: int
    scale: int
    train: int
    test: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(2, 1, 100, 20),
    "cpu": Setting(250, 1, 20_000, 1000),
    "paper": Setting(20_000, 3, 200_000, 10_000),
}


class AttentionVae(Study):
    """Convolutional VAEs with and without attention."""

    claim = "At equal parameters, attention changes the ELBO where structure is of long range."
    paper = "Vaswani et al. 2017, arXiv:1706.03762; Zhang et al. 2019, arXiv:1805.08318"
    protocol = (
        "Binary pictures under a Bernoulli likelihood. Pairs: 16 × 16, a glyph of 3 × 3 random "
        "cells of 2 × 2 pixels in each half, the same in both, at places of their own; made by "
        "seed, 20,000 to train on, 1,000 to test. Garments: Fashion-MNIST averaged to 14 × 14, "
        "dynamically binarised; 1,000 test pictures. Convolutional VAE, latent 16, three sizes, "
        "one residual block each; with attention at half and quarter size (channels 8, 16, 24), "
        "or without (7, 14, 28): the parameters differ by 0.8 % (paper 2.5 %). 250 steps of "
        "64 (paper: 20,000, three times the channels, ten times the pictures; it can be "
        "interrupted, and goes on with its runs), Adam at 2e-3 with a cosine, nothing chosen; "
        "averaged weights. ELBO of test pictures, the rate in closed form, the distortion from 4 "
        "draws. A difference is pair by pair over seeds; above zero, attention is better. The "
        "floor of pairs is the entropy of what they are made of."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        sets = {"pairs": pairs(setting.train, setting.test), "garments": garments(setting.test)}
        return [
            row for name, data in sets.items() for row in compared(name, data, setting, seeds, out)
        ]


# Data.

SIDE, CELLS, CELL = 16, 3, 2
ROWS, COLUMNS = SIDE - CELLS * CELL + 1, SIDE // 2 - CELLS * CELL + 1
"""Places of a glyph within its half."""

ENTROPY = CELLS**2 * math.log(2) + 2 * math.log(ROWS * COLUMNS)
"""Of a pair, in nats: no likelihood is better on average, save for glyphs that look alike."""


def pairs(train: int, test: int) -> Pictures:
    """Pictures of pairs, (N, 1, 16, 16)."""
    made = [paired(count, seed) for seed, count in enumerate((train, test, test))]
    return Pictures(*made)


def paired(count: int, seed: int) -> Tensor:
    """So many pairs."""
    chance = torch.Generator().manual_seed(seed)
    bits = torch.randint(2, (count, CELLS, CELLS), generator=chance).float()
    glyph = bits.repeat_interleave(CELL, 1).repeat_interleave(CELL, 2)  # (N, 6, 6)
    x = torch.zeros(count, SIDE, SIDE)
    size, every = torch.arange(CELLS * CELL), torch.arange(count)[:, None, None]
    for half in (0, SIDE // 2):
        row = torch.randint(ROWS, (count, 1, 1), generator=chance) + size[None, :, None]
        column = torch.randint(COLUMNS, (count, 1, 1), generator=chance) + size[None, None, :]
        x[every, row, half + column] = glyph
    return x.unsqueeze(1)


def garments(test: int) -> Pictures:
    """Fashion-MNIST at half its size, (N, 1, 14, 14)."""
    whole = pictures("fashion-mnist", shrink=2)
    return replace(whole, test=whole.test[:test])


# Arms.


def vae_of(space: Space, arm: Arm, scale: int) -> VAE:
    """A convolutional VAE of one arm."""
    net = {
        "attention": Conv(width=8 * scale, growth=3, attention=NEAR),
        "none": Conv(width=7 * scale, growth=4),
    }[arm]
    return VAE(space, Space(), LATENT, net, net)


def size(vae: VAE) -> int:
    return sum(parameter.numel() for parameter in vae.parameters())


def elbo(data: Pictures, arm: Arm, setting: Setting, seed: int, folder: Path) -> float:
    """The test ELBO of a trained arm, in nats."""
    seed_all(CPU, seed)
    vae = vae_of(data.space, arm, setting.scale)
    training = Training(setting.steps, BATCH, seed=seed, lr=RATE, schedule=Cosine(warmup=0.02))
    made = trained(loop_of(vae, data.train, training), folder)
    assert isinstance(made, VAE)
    return measured(made, data.test).elbo


def compared(name: str, data: Pictures, setting: Setting, seeds: int, folder: Path) -> list[Row]:
    """The rows of one set."""
    found: dict[Arm, list[float]] = {
        arm: [
            elbo(data, arm, setting, seed, folder / f"{name}-{arm}-{seed}") for seed in range(seeds)
        ]
        for arm in ARMS
    }
    gains = [a - b for a, b in zip(found["attention"], found["none"], strict=True)]
    sizes = [size(vae_of(data.space, arm, setting.scale)) for arm in ARMS]
    floor = -ENTROPY if name == "pairs" else math.nan
    rows = [
        replace(finding(f"{name}: ELBO, {arm}, nats", values, "test", "higher"), floor=floor)
        for arm, values in found.items()
    ]
    return [
        *rows,
        finding(f"{name}: ELBO with attention minus without, nats", gains, "test", "higher"),
        finding(f"{name}: parameters with attention over those without", [sizes[0] / sizes[1]],
                "none", "lower"),
    ]  # fmt: skip
