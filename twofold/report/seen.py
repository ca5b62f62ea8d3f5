"""What a report looks at: a run, its figures, its data, and what is drawn from it afresh.

Everything is computed when a section first asks, once, from one seed: writing a report twice gives
the same pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twofold.core.game import Decodes, Encodes, Samples
from twofold.core.space import Category
from twofold.data.sources import Rows, Source, Subset
from twofold.measures.measure import Figure
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.train.record import Tick

MANY = 1000
"""Observations a side for maps, histograms and correlations."""


@dataclass(frozen=True)
class Seen:
    """A run as a report sees it.

    Args:
        run: the run. figures: what was measured. refused: what was not, and why.
        material: its data. seed: of every draw.
    """

    run: Run
    figures: Sequence[Figure]
    refused: Mapping[str, str]
    material: Material
    seed: int = 0
    many: int = field(default=MANY)

    @property
    def is_picture(self) -> bool:
        """Whether an observation can be looked at as it is."""
        return len(self.run.space.axes) == 2

    @property
    def is_series(self) -> bool:
        return len(self.run.space.axes) == 1 and self.run.space.layout == "grid"

    @property
    def is_vector(self) -> bool:
        return not self.run.space.axes

    @property
    def samples(self) -> bool:
        return isinstance(self.run.model, Samples)

    @property
    def encodes(self) -> bool:
        return isinstance(self.run.model, Encodes)

    @property
    def decodes(self) -> bool:
        return isinstance(self.run.model, Decodes)

    @cached_property
    def held(self) -> tuple[str, Source]:
        """Observations that did not train, and of which split: the first that has any."""
        splits = {
            "test": self.material.test,
            "validation": self.material.validation,
            "training": self.material.train,
        }
        return next(
            (name, rows) for name, rows in splits.items() if len(rows) or name == "training"
        )

    @property
    def held_name(self) -> str:
        """Held-out observations in words."""
        name = self.held[0]
        return f"{name} split" if name != "training" else "training data (nothing was held out)"

    def some(self, n: int) -> Source:
        """At most n held-out observations, spread by the seed."""
        source = self.held[1]
        chance = torch.Generator().manual_seed(self.seed)
        return Subset(source, torch.randperm(len(source), generator=chance)[:n])

    @cached_property
    def real(self) -> Rows:
        """Many held-out rows."""
        source = self.some(self.many)
        return source.read(torch.arange(len(source)))

    @cached_property
    def fake(self) -> Rows:
        """As many rows drawn, their labels as often as in training."""
        return self.run.draw(len(self.real), {}, self.seed)

    @cached_property
    def labels(self) -> tuple[str, Sequence[str]]:
        """The first category that is given: its name and its labels; empty where there is none."""
        return labels_of(self.run)

    def label_of(self, given: Tensor) -> list[int]:
        """The label of each row (B, G), by its number; −1 where it is not known."""
        return numbers_of(self.run, given)

    @property
    def ticks(self) -> list[Tick]:
        """The lines of the log that hold numbers."""
        return [tick for tick in self.run.log if "step" in tick]

    @property
    def said(self) -> list[str]:
        """The sentences of the log."""
        return [str(tick["say"]) for tick in self.run.log if "say" in tick]

    @property
    def session(self) -> Mapping[str, Any]:
        """What training remembers of itself."""
        return dict(self.run.record.get("session", {}))

    @property
    def previews(self) -> list[Path]:
        return sorted((self.run.path / "previews").glob("*.png"))


def labels_of(run: Run) -> tuple[str, Sequence[str]]:
    """The first category that is given in a run: its name and its labels, or nothing."""
    for one in run.given.fields:
        if isinstance(one.domain, Category) and one.size == 1:
            return one.name, one.domain.labels
    return "", ()


def numbers_of(run: Run, given: Tensor) -> list[int]:
    """That category in each row (B, G), by its number; −1 where it is not known."""
    name, labels = labels_of(run)
    if not labels:
        return [-1] * len(given)
    at = [one.name for one in run.given.fields].index(name)
    return [int(v) for v in given[:, at].nan_to_num(-1)]
