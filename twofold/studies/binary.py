"""Pictures whose pixels are coins: dynamically binarised MNIST, and the digits of scikit-learn.

A grey level in [0, 1] is taken as the probability that a pixel is on, and every showing of a
picture in training is a new draw (Salakhutdinov & Murray 2008), so that a likelihood in nats is
defined and can be compared. Held-out pictures are drawn once, with a fixed seed, the same for all
models. A likelihood of dynamically binarised pictures is not comparable with one of the statically
binarised set.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.game import Model, Scores
from twofold.core.space import Bounded, Field, Space
from twofold.data.named import find
from twofold.data.sources import Memory
from twofold.data.split import split
from twofold.measures.estimate import steady
from twofold.measures.likelihood import importance_weighted
from twofold.models.vae import VAE
from twofold.studies.remembered import hold
from twofold.train import checkpoint
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

CPU = torch.device("cpu")
LEVELS = {"digits": 16.0}
"""The brightest level of a set that is not of bytes."""

PASS = 6_400_000
"""Numbers of x in one pass of the likelihood: more is slower, as caches are what they are."""

DRAWS = 4
"""Draws a picture of which a distortion is the mean."""


@dataclass(frozen=True)
class Pictures:
    """Grey pictures to train on, (N, 1, H, W) in [0, 1], and binary ones held out."""

    train: Tensor
    validation: Tensor
    test: Tensor

    @property
    def space(self) -> Space:
        """A binary pixel at each place."""
        return Space((Field("pixel", Bounded(0, 1, 2)),), tuple(self.train.shape[2:]))


def pictures(name: str, validation: float = 0.1, test: float = 0.2, shrink: int = 1) -> Pictures:
    """A named set, divided as its publisher did or else by shares.

    Args:
        name: `mnist`, `fashion-mnist` or `digits`.
        validation: the share of the training pictures that is held out to choose by.
        test: the share of all pictures to report on, where the publisher has no such split.
        shrink: pixels along each axis that are averaged into one.
    """
    block = find(name).where
    grey = torch.from_numpy(block.rows[:]).unsqueeze(1) / LEVELS.get(name, 255.0)
    grey = F.avg_pool2d(grey, shrink)
    official = {part: torch.from_numpy(rows) for part, rows in block.official.items()}
    made = split(
        len(grey),
        validation=validation,
        test=0.0 if official else test,
        labels=torch.from_numpy(block.labels),
        official=official,
    )
    return Pictures(grey[made.train], tossed(grey[made.validation], 1), tossed(grey[made.test], 2))


def tossed(grey: Tensor, seed: int) -> Tensor:
    """Binary pictures, one draw each, always the same."""
    return torch.bernoulli(grey, generator=torch.Generator().manual_seed(seed))


def loop_of(model: Model, grey: Tensor, training: Training) -> Loop:
    """The loop over grey pictures, tossed anew at every showing."""
    feed = Feed(
        Memory(grey, grey.new_zeros(len(grey), 0)),
        model.space,
        Space(),
        training.batch,
        training.seed,
        CPU,
        augment=(torch.bernoulli,),
    )
    return Loop(model, feed, training)


def trained(loop: Loop, folder: Path, every: int = 2000) -> Model:
    """Train to the end, from the folder's last checkpoint if it has one; the averaged model.

    Raises:
        UserError: what is in the folder was asked otherwise.
    """
    shapes = {name: list(p.shape) for name, p in loop.model.named_parameters()}
    hold(folder, {"train": repr(loop.training), "model": shapes})
    if (folder / checkpoint.RECORD).is_file():
        loop.load(checkpoint.load(folder)[0])
    folder.mkdir(parents=True, exist_ok=True)
    while not loop.done:
        loop.advance()
        if loop.step % every == 0 or loop.done:
            checkpoint.save(folder, loop.keep(), {}, {})
    return loop.averaged


def nll(model: Model, x: Tensor, samples: int, seed: int = 0) -> Tensor:
    """−log p(x) of each picture from exactly so many importance-weighted draws, (N,), in nats."""
    assert isinstance(model, Scores)
    at_once = min(samples, 1000)
    rows = max(1, PASS // (x[0].numel() * at_once))
    with steady(model, seed):
        parts = [importance_weighted(model, Batch.of(p), samples, at_once) for p in x.split(rows)]
    return -torch.cat(parts)


def mean_nll(model: Model, x: Tensor, samples: int, seed: int = 0) -> float:
    """Its mean over pictures."""
    return float(nll(model, x, samples, seed).mean())


class Point(NamedTuple):
    """Rate and distortion, in nats a picture; minus their sum is the ELBO."""

    rate: float
    distortion: float

    @property
    def elbo(self) -> float:
        return -self.rate - self.distortion


def measured(vae: VAE, x: Tensor) -> Point:
    """Rate and distortion of pictures."""
    given = Given.none(len(x), Space())
    with steady(vae, 0):
        q = vae.encode(x, given)
        log_px = [vae.decode(q.sample(), given).log_prob(x) for _ in range(DRAWS)]
        return Point(float(vae.rate(x, given).sum(1).mean()), -float(torch.stack(log_px).mean()))
