r"""Few labels among many observations: the game that uses all, and the same network without it.

What a semi-supervised method is worth is what it adds to the labels. So beside the classifier that
the game of `ssgan` (Salimans et al. 2016, arXiv:1606.03498) trains on n labels and all observations
stands the very network that is its critic, trained by cross-entropy on the n labels alone,

$$ \min_\theta\; -\tfrac1n \textstyle\sum_i \log p_\theta(y_i \mid T(x_i)), $$

with the same noise and the same random changes T of what it sees. Both are judged on rows that
neither has seen; which rows have a label is drawn anew, as many of each label, for every seed, so
that an interval over seeds holds the luck of that draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from twofold.core.batch import Given
from twofold.core.game import Classifies, Model
from twofold.core.space import Space
from twofold.data.few import Told as Withheld
from twofold.data.few import few
from twofold.data.sources import Memory, Rows, Source
from twofold.data.split import shuffled
from twofold.measures.estimate import steady
from twofold.models.ssgan import SSGAN
from twofold.nets.fit import fit
from twofold.studies.binary import CPU
from twofold.train.chance import seed_all
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

AT_ONCE = 2000


@dataclass(frozen=True)
class Told:
    """Observations to learn from, of which some have a label, and others to be judged by.

    Args:
        space, given: what they are; the label is the only category that is given.
        train: all that is learnt from. judged: rows with their labels.
        even: as many labelled rows of each label; else any rows, whatever their label.
    """

    space: Space
    given: Space
    train: Memory
    judged: Rows
    even: bool = True

    def tell(self, count: int, seed: int) -> Source:
        """The training rows with so many labels."""
        if self.even:
            return few(self.train, count, seed)
        some = torch.zeros(len(self.train), dtype=torch.bool)
        some[shuffled(len(some), seed)[:count]] = True
        return Withheld(self.train, some)

    def known(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """The observations whose label is told, x (n, C, *A), and those labels (n,)."""
        label = self.tell(count, seed).labels()[:, 0]
        rows = (~label.isnan()).nonzero()[:, 0]
        return self.space.encode(self.train.read(rows).values), label[rows].long()

    def errors(self, p: Tensor) -> float:
        """The share of judged rows whose most probable label, by p (N, K), is not theirs."""
        return float((p.argmax(1) != self.judged.given[:, 0]).double().mean())


def loop_of(model: Model, told: Told, count: int, training: Training) -> Loop:
    """The loop over all training rows, of which so many have a label."""
    source = told.tell(count, training.seed)
    feed = Feed(
        source,
        told.space,
        told.given,
        training.batch,
        training.seed,
        CPU,
        labelled=training.labelled,
    )
    return Loop(model, feed, training)


def ssgan(told: Told, options: Mapping[str, Any], seed: int) -> SSGAN:
    """A fresh one with these options."""
    seed_all(CPU, seed)
    return SSGAN(told.space, told.given, **options)


def judged(model: Model, told: Told) -> float:
    """The error of a classifier."""
    assert isinstance(model, Classifies)
    with steady(model, 0):
        x = told.space.encode(told.judged.values)
        p = [model.classify(part, Given.none(len(part), told.given)).mean
             for part in x.split(AT_ONCE)]  # fmt: skip
    return told.errors(torch.cat(p))


@dataclass(frozen=True)
class Lesson:
    """How the network is trained on labels alone.

    Args:
        steps, batch, rate: of Adam.
    """

    steps: int
    batch: int = 100
    rate: float = 1e-3


class Taught(nn.Module):
    """The critic of a fresh ssgan as a plain classifier: logits of what it is shown in training."""

    def __init__(self, model: SSGAN) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        seen = self.model.shown(x, 0.0) if self.training else x
        return self.model.look(seen, Given.none(len(x), self.model.given)).l


def alone(told: Told, options: Mapping[str, Any], count: int, lesson: Lesson, seed: int) -> float:
    """The error of the same network after the labels alone."""
    x, y = told.known(count, seed)
    net = Taught(ssgan(told, options, seed))
    fit(net, x, y, F.cross_entropy, steps=lesson.steps, batch=lesson.batch, lr=lesson.rate,
        seed=seed)  # fmt: skip
    return judged(net.model.eval(), told)


def played(told: Told, options: Mapping[str, Any], count: int, training: Training) -> float:
    """The error after the game, of the averaged weights."""
    loop = loop_of(ssgan(told, options, training.seed), told, count, training)
    while not loop.done:
        loop.advance()
    return judged(loop.averaged, told)


def seeded(training: Training, seed: int) -> Training:
    """The same training from another seed."""
    return replace(training, seed=seed)
