"""Searches in the latent of a VAE of molecules, beside simple ones with as many calls.

One VAE is trained; a seed is one of the search, which draws its own molecules to start from. What
is compared are the means of the hundred fittest molecules that a search proposes, none of them of
the data but where the data are screened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from twofold.apps.optimising import Asked, Found, optimise
from twofold.data.doctor import examine
from twofold.data.kind import Where
from twofold.data.named import find
from twofold.measures.estimate import Estimate
from twofold.measures.estimate import mean as averaged
from twofold.runs.recipe import load_recipe, merged
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import kept
from twofold.studies.seeds import over_seeds
from twofold.studies.study import Budget, Row

TOP = 100
LATENT = "bayes"
BESIDE = ("draws", "screening", "genetic")


@dataclass(frozen=True)
class Setting:
    """How long, on how much.

    Args:
        rows: of the file at most. train, model: changes to the recipe. oracle: calls a search.
    """

    rows: int
    train: Mapping[str, Any]
    model: Mapping[str, Any]
    oracle: int


NEAR = {"divergence": {"beta": 0.1}, "decoder": {"width": 128}}
"""Codes from which more molecules come back than from the recipe's own; these spell SELFIES."""
HEAD = {"properties": {"name": "predicted", "weight": 30.0, "width": 256}}
TINY = {"latent": 4, "encoder": {"name": "places", "width": 16}}
SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(200, {"steps": 2, "batch": 8}, TINY, 30),
    "cpu": Setting(100_000, {"steps": 4000}, {}, 5000),
    "paper": Setting(100_000, {"steps": 30_000}, {}, 5000),
}


def zinc(rows: int) -> Where:
    """The first rows of ZINC."""
    return find("zinc").where.head(rows)


def trained(
    where: Where, name: str, setting: Setting, given: Sequence[str], folder: Path, seed: int = 0
) -> tuple[Run, Material]:
    """A run of molecules that predicts what is given, gone on with where it was interrupted."""
    options: dict[str, Any] = {"form": "selfies", **({"given": list(given)} if given else {})}
    found = examine(where, "molecules", smiles="smiles", **options)
    data = Material.of(found.kind, found.source, (), {})
    train = {**setting.train, "seed": seed, "best": "none"}
    model = merged(NEAR, setting.model)
    recipe = merged(load_recipe("vae-molecules"), {"model": model, "train": train})
    table = {"name": name, "kind": "molecules", "smiles": "smiles", **options}
    return kept.trained(recipe, table, data, folder), data


def shared(out: Path, budget: Budget) -> Path:
    """Where the one run of ZINC is that the searches begin from: `paper` trains it once for all."""
    return (out.with_name("search-zinc.paper") if budget == "paper" else out) / "zinc"


Searched = Mapping[str, Found]


def searched(run: Run, where: Where, asked: Asked, seeds: int) -> list[Searched]:
    """Every search under each seed, by name."""
    made = [optimise(run, replace(asked, seed=seed), where) for seed in range(seeds)]
    return [{found.way: found for found in one.found} for one in made]


def tops(found: Found, name: str, top: int = TOP) -> list[float]:
    """An answer of the fittest molecules of a search, the fittest first."""
    return [one.answers[name] for one in found.proposals[:top]]


def compared(seen: Sequence[Searched], name: str) -> list[Row]:
    """The bar, that the latent is above draws of the model, and what the others found."""
    rows = [beyond(seen, name, "draws", "bar")]
    rows += [beyond(seen, name, other, "finding") for other in BESIDE[1:]]
    for way in (LATENT, *BESIDE):
        rows += [best(seen, name, way, top) for top in (TOP, 10, 3)]
    return rows


def beyond(seen: Sequence[Searched], name: str, other: str, kind: Any) -> Row:
    """How far the top of the latent search is above another's, rank by rank."""
    gaps = [
        [a - b for a, b in zip(tops(one[LATENT], name), tops(one[other], name), strict=False)]
        for one in seen
    ]
    found, n = pooled(gaps)
    value = found.low if kind == "bar" and math.isfinite(found.low) else found.value
    title = f"{name}, top-{TOP}: {LATENT} above {other}"
    title += ", lower end" if kind == "bar" else ""
    target = 0.0 if kind == "bar" else math.nan
    return Row(title, kind, value, found.low, found.high, n, "none", "higher", target)


def best(seen: Sequence[Searched], name: str, way: str, top: int) -> Row:
    """The mean of the top of one search."""
    found, n = pooled([tops(one[way], name, top) for one in seen])
    return Row(f"{name}, top-{top}, {way}", "finding", *found, n, "none", "higher")


def pooled(values: Sequence[Sequence[float]]) -> tuple[Estimate, int]:
    """The mean over seeds of means; of one seed, the interval is that of its molecules.

    >>> pooled([[1.0, 2.0], [2.0, 3.0]])[0].value
    2.0
    """
    full = [one for one in values if one]
    if not full:
        return Estimate(math.nan, math.nan, math.nan), 0
    if len(full) == 1:
        return averaged(torch.tensor(full[0], dtype=torch.float64), 0), len(full[0])
    return over_seeds([math.fsum(one) / len(one) for one in full]), len(full)
