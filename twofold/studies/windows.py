r"""Drawn windows of series, ours beside TimeGAN's, by one set of measures.

Published scores of series come from another judge in each paper, and TimeGAN's own (Yoon et al.
2019) is known to read lower in its own code than elsewhere. So every row here is measured anew, by
the product's judge, and beside it stand the same figure of real windows against other real ones,
which should be near nothing, and of real windows whose time is shuffled, which should be high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twofold.measures.measure import Figure
from twofold.runs.recipe import load_recipe, merged
from twofold.runs.training import Material
from twofold.studies.garments import judged, trained
from twofold.studies.seeds import AMOUNTS, finding, over_seeds
from twofold.studies.study import Budget, Row

FIGURES = ("discriminative_gru", "predictive_gru", "autocorrelation")
RIVAL = "timegan-series"
NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Setting:
    """How much is done: windows of a figure; steps of ours, and of the rival."""

    n: int
    steps: int
    rival: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(40, 2, 2),
    "cpu": Setting(2000, 5000, 1500),
    "paper": Setting(2000, 20_000, 10_000),
}

Found = Sequence[Mapping[str, Figure]]
"""The figures of each seed, by name."""


def measured(
    recipe: str,
    steps: int,
    data: Material,
    table: Mapping[str, Any],
    n: int,
    seeds: int,
    folder: Path,
    model: Mapping[str, Any] = NOTHING,
    train: Mapping[str, Any] = NOTHING,
) -> Found:
    """A packaged recipe as it is but for its steps, and for what is said of its tables."""
    change = {"train": {"steps": steps, **train}, "model": model}
    made = merged(load_recipe(recipe), change)
    found = []
    for seed in range(seeds):
        run = trained(made["model"], made["train"], data, seed, folder / recipe / f"{seed}", table)
        found.append(judged(run, data, n, FIGURES))
    return found


def values(found: Found, name: str) -> list[float]:
    """A figure, a seed each."""
    return [one[name].value for one in found]


def told(recipe: str, found: Found) -> list[Row]:
    """Every figure of a recipe, beside real windows and shuffled ones."""
    return [beside(f"{name}, {recipe}", found, name) for name in FIGURES]


def beside(measure: str, found: Found, name: str) -> Row:
    """A figure with its two controls."""
    row = finding(measure, values(found, name), "test", "lower", AMOUNTS)
    floor, baseline = (
        over_seeds([getattr(one[name], control) for one in found]).value
        for control in ("floor", "baseline")
    )
    return replace(row, floor=floor, baseline=baseline)
