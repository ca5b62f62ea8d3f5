r"""What self-attention looks at, laid over the observations, as files.

A block of attention gives each of the P places of its grid weights over all of them, a row of
$A \in \mathbb R^{P \times P}$ a head (`nets/attention.py`). What is drawn is how much each place is
looked at, the mean of A over heads and over the places that look: over a picture, warm where it is
more than spread evenly; below a series, a strip over its time. Over time a place is a span of as
many steps as the grid is shorter than the series.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from twofold.data.pictures import grid, heated, png
from twofold.data.places import new
from twofold.data.sources import Source, Subset, whole
from twofold.nets.attention import Look
from twofold.runs.run import Run

MOST, ACROSS = 64, 10
"""Observations that are looked at, from the first; those of the overview."""


@dataclass(frozen=True)
class Attended:
    """Observations and what each block of attention looks at in them.

    Args:
        drawn: the observations as pictures, (N, 3, h, w). looks: by network and size of the grid.
    """

    drawn: Tensor
    looks: dict[str, Look]

    def write(self, folder: Path) -> list[Path]:
        """The overview, a picture an observation and block, and the weights, in a new folder."""
        folder.mkdir(parents=True)
        every = {name: heated(self.drawn, look.heat()) for name, look in self.looks.items()}
        rows = [grid(row[:ACROSS], len(row[:ACROSS])) for row in (self.drawn, *every.values())]
        pictures = {"attention": torch.cat(rows, 1)} | {
            f"{name.replace(' ', '-')}-{i:02}": one
            for name, row in every.items()
            for i, one in enumerate(row)
        }
        kept = [kept_as(folder / f"{name}.png", png(one)) for name, one in pictures.items()]
        return [*kept, self.weights(folder / "attention.npz"), self.heats(folder)]

    def weights(self, path: Path) -> Path:
        """Every weight by place: (N, heads, *axes, *axes), from where, then to where."""
        arrays = {name: look.grid.numpy() for name, look in self.looks.items()}
        with new(path) as file:
            np.savez(file, allow_pickle=False, **arrays)
        return path

    def heats(self, folder: Path) -> Path:
        """What is drawn, as numbers: by block, how much each place of each observation is seen."""
        heats = {name: look.heat().tolist() for name, look in self.looks.items()}
        return kept_as(folder / "attention.json", json.dumps(heats).encode())


def kept_as(path: Path, data: bytes) -> Path:
    """A new file of these bytes."""
    with new(path) as file:
        file.write(data)
    return path


def attend(run: Run, source: Source) -> Attended:
    """What a run looks at in the first observations.

    Raises:
        UserError: the model has no attention.
    """
    few = Subset(source, torch.arange(min(len(source), MOST)))
    looks = run.looks(few)
    return Attended(run.kind.draw(whole(few)), looks)
