"""How a run is trained: the `train` table of a recipe, and its entries a player."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field as Limits
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from twofold.core.build import Part
from twofold.maths.schedules import Constant, Schedule

Share = Annotated[float, Limits(ge=0, le=1)]


@dataclass(frozen=True)
class Player:
    """What one player may have of its own: a factor on the rate, and moments of Adam."""

    lr: PositiveFloat = 1.0
    betas: tuple[float, float] | None = None


@dataclass(frozen=True)
class Training(Part):
    """The `train` table.

    Args:
        steps: steps to take; with `minutes`, whichever comes first.
        batch: observations a step, over all processes.
        split: parts that a process cuts its share of the batch into, to save memory.
        seed: of everything that is drawn.
        lr: the learning rate of every player; `players.NAME.lr` is a factor on it.
        betas: the moments of Adam.
        schedule: how the rate changes over training.
        clip: the largest norm of a player's gradient.
        average: the half-life of the averaged weights, in thousands of observations; 0 keeps none.
        checkpoint, tick, evaluate: steps between checkpoints, log lines, held-out measurements.
        best: the measure by which the best checkpoint is kept; `auto` picks by family and data.
        patience: evaluations without improvement before training stops.
        rescue: answer a code that has fallen out of use, or a game that goes wrong, by what the
            family knows against it.
        minutes: of wall clock.
        precision: of the networks' arithmetic; `auto` is a fixed table.
        device: where to train.
        compile: compile the networks, where that works.
        balance: show every label equally often, or with `log` as often as the logarithm of its
            count says (training by sampling: Xu et al. 2019, arXiv:1907.00503, section 4.3).
        null: the share of rows whose condition is withheld, so that the model learns to do without.
        labels: training rows whose label is told, of each label as many; 0 for all that are known.
        labelled: the share of a batch that is drawn from rows with a label; 0 for as they come.
        tensorboard: write TensorBoard events too.
    """

    steps: PositiveInt = 2000
    batch: PositiveInt = 128
    split: PositiveInt = 1
    seed: NonNegativeInt = 0
    lr: PositiveFloat = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    schedule: Schedule = Constant()
    clip: PositiveFloat = math.inf
    average: NonNegativeFloat = 10.0
    checkpoint: PositiveInt = 500
    tick: PositiveInt = 100
    evaluate: PositiveInt = 500
    best: str = "auto"
    patience: PositiveInt = 1_000_000
    rescue: bool = False
    minutes: PositiveFloat = math.inf
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    device: str = "auto"
    compile: bool = False
    balance: bool | Literal["log"] = False
    null: float = 0.1
    labels: NonNegativeInt = 0
    labelled: Share = 0.0
    tensorboard: bool = False
    players: dict[str, Player] = field(default_factory=dict)

    def rate(self, player: str) -> float:
        return self.lr * self.players.get(player, Player()).lr

    def moments(self, player: str) -> tuple[float, float]:
        return self.players.get(player, Player()).betas or self.betas
