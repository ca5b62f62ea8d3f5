r"""A few molecules, each written in many ways.

A molecule has one canonical SMILES and many others, one for each order in which its atoms can be
walked. A model of strings that sees each molecule of a small set in another order every time sees
several times as many strings, and learns the grammar rather than the set (Arús-Pous et al. 2019).
Asked here are the share of draws that are molecules, and how far these are from held-out ones by
the Fréchet ChemNet distance, as a multiple of its floor: what as many real molecules have.

A model that has learnt its set by heart is near in that distance, so that the share of molecules
that are not of the set stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from twofold.apps.searching import apart
from twofold.core.batch import Given
from twofold.core.game import Samples
from twofold.data.doctor import examine
from twofold.data.named import find
from twofold.maths.chemistry import written
from twofold.maths.statistics import frechet_from_moments
from twofold.nets import chemnet
from twofold.runs.recipe import load_recipe, merged
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import kept
from twofold.studies.binary import CPU
from twofold.studies.seeds import finding, gain
from twofold.studies.study import Budget, Row, Study
from twofold.train.chance import seed_all

SPLIT = {"validation": 0.1, "test": 0.0}
WRITTEN = {"canonical": False, "enumerated": True}
ROUND = 1000
"""Draws at once; validity is of the first of them."""


@dataclass(frozen=True)
class Setting:
    """How long, on how many, judged by how many.

    Args:
        sizes: of the sets. train, model: changes to the recipe. held: molecules held out.
        molecules: that are compared with them. rounds: of draws to find these in, at most.
    """

    sizes: Sequence[int]
    train: Mapping[str, Any]
    model: Mapping[str, Any]
    held: int
    molecules: int
    rounds: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting((60,), {"steps": 2, "batch": 8}, {"decoder": {"name": "gru", "width": 8}},
                     40, 20, 1),
    "cpu": Setting((1000, 5000), {"steps": 4000, "batch": 64},
                   {"decoder": {"name": "gru", "width": 128}}, 2000, 500, 20),
    "paper": Setting((1000, 5000), {"steps": 10_000, "batch": 128}, {}, 5000, 5000, 100),
}  # fmt: skip


@dataclass(frozen=True)
class Held:
    """Molecules that no model sees.

    Args:
        reference: moments of them. floor: the distance of as many others as are compared.
    """

    reference: chemnet.Moments
    floor: float


@dataclass(frozen=True)
class Judged:
    """One model: shares that are valid, and of the valid distinct and new; FCD over its floor."""

    valid: float
    unique: float
    novel: float
    fcd: float


class SmallSet(Study):
    """Small sets of ZINC, with and without other writings of their molecules."""

    claim = (
        "Of a small set, a model that sees each molecule written in another way every time draws "
        "more valid molecules, and nearer ones, than one of canonical SMILES."
    )
    paper = "Arús-Pous et al. 2019, Journal of Cheminformatics 11, 71"
    protocol = (
        "1,000 and 5,000 molecules of ZINC by a seed, a tenth of them for validation; the packaged "
        "recipe autoregressive-molecules on SMILES, of 128 units and 4,000 steps of 64 (paper 256 "
        "and 10,000 of 128), the weights with the best likelihood of canonical validation "
        "strings; with the canonical SMILES of each, and with a random one at every showing. "
        "Validity, uniqueness and novelty of 1,000 raw draws, none of which is drawn again for "
        "being no molecule. FCD of the first 500 valid molecules drawn (paper 5,000), of at most "
        "20,000 draws (paper 100,000), against 2,000 others of ZINC (paper 5,000), in units of the "
        "FCD of as many more of ZINC against the same; where fewer are valid, there is none. The "
        "bars are the lower ends of the differences, enumerated less canonical for validity and "
        "canonical less enumerated for FCD, the same seeds in both. The paper used GDB-13 and "
        "ChEMBL, larger LSTMs, and other measures beside validity; its figures are not comparable "
        "and only the direction is asked. After 1,000 steps of 32, the first setting, neither bar "
        "held at either size; the steps were then chosen with 1,000 molecules of seed 100. Nothing "
        "was chosen on held-out molecules."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        held = held_out(setting)
        return [row for size in setting.sizes for row in of_size(setting, size, held, seeds, out)]


def of_size(setting: Setting, size: int, held: Held, seeds: int, folder: Path) -> list[Row]:
    """The rows of sets of one size."""
    seen = {
        name: [judged(setting, size, name, seed, held, folder) for seed in range(seeds)]
        for name in WRITTEN
    }
    return compared(f"{size:,} molecules", seen["canonical"], seen["enumerated"])


def compared(title: str, plain: Sequence[Judged], many: Sequence[Judged]) -> list[Row]:
    """The bars, and what each way of writing has."""
    pairs = [*zip(plain, many, strict=True)]
    near = [a.fcd - b.fcd for a, b in pairs if math.isfinite(a.fcd - b.fcd)]
    rows = [gain(f"{title}: validity", [b.valid - a.valid for a, b in pairs], "none")]
    rows += [gain(f"{title}: FCD over its floor", near, "test")] if near else []
    for name, side in (("canonical", plain), ("enumerated", many)):
        rows += [
            finding(f"{title}, {name}: validity", [one.valid for one in side], "none", "higher"),
            finding(f"{title}, {name}: uniqueness", [one.unique for one in side], "none", "higher"),
            finding(f"{title}, {name}: novelty", [one.novel for one in side], "none", "higher"),
        ]
        known = [one.fcd for one in side if math.isfinite(one.fcd)]
        title_of = f"{title}, {name}: FCD over its floor"
        rows += [finding(title_of, known, "test", "lower")] if known else []
    return rows


def shuffled(seed: int) -> Any:
    """ZINC in an order of its own, without what is held out: a frame for each."""
    frame = find("zinc").where
    order = torch.randperm(len(frame), generator=torch.Generator().manual_seed(seed)).tolist()
    return frame.iloc[order].reset_index(drop=True)


def held_out(setting: Setting) -> Held:
    """The molecules that no model sees, by seed 0."""
    smiles = [written(one) for one in shuffled(0)["smiles"][: setting.held + setting.molecules]]
    reference = chemnet.moments(smiles[: setting.held])
    return Held(reference, distance(chemnet.moments(smiles[setting.held :]), reference))


def distance(one: chemnet.Moments, other: chemnet.Moments) -> float:
    """The Fréchet ChemNet distance."""
    moments = (one.mean, one.covariance, other.mean, other.covariance)
    return float(frechet_from_moments(*moments))


def judged(setting: Setting, size: int, name: str, seed: int, held: Held, folder: Path) -> Judged:
    """Train one model, and draw from it."""
    rest = shuffled(0).iloc[setting.held + setting.molecules :]
    rows = rest.sample(size, random_state=seed).reset_index(drop=True)
    run, data = trained(setting, rows, WRITTEN[name], seed, folder / f"{name}-{size}-{seed}")
    known = set(data.kind.names(rows))
    first = drawn(run, seed, 0)
    valid = [one for one in first if one]
    many, distinct = len(valid), {*valid}
    for turn in range(1, setting.rounds):
        if len(valid) < setting.molecules:
            valid += [one for one in drawn(run, seed, turn) if one]
    found = valid[: setting.molecules]
    enough = len(found) == setting.molecules
    fcd = distance(chemnet.moments(found), held.reference) / held.floor if enough else math.nan
    return Judged(
        many / len(first),
        len(distinct) / max(1, many),
        len(distinct - known) / max(1, len(distinct)),
        fcd,
    )


def drawn(run: Run, seed: int, turn: int) -> list[str]:
    """Canonical SMILES of a round of raw draws, empty for what is no molecule.

    `Run.draw` would draw what is no molecule again, and everything would be valid.
    """
    seed_all(CPU, apart(seed, turn))
    model, nothing = run.role(Samples, "measure"), Given.none(ROUND, run.given)
    with torch.inference_mode():
        x = torch.cat([model.sample(Given(c)) for c in nothing.c.split(run.chunk)])
    found: list[str] = run.kind.molecules(run.space.decode(x))  # type: ignore[attr-defined]
    return found


def trained(
    setting: Setting, rows: Any, enumerated: bool, seed: int, folder: Path
) -> tuple[Run, Material]:
    """A run with the best weights that it had, gone on with where it was interrupted."""
    options: dict[str, Any] = {"form": "smiles", "smiles": "smiles", "enumerate": enumerated}
    found = examine(rows, "molecules", **options)
    data = Material.of(found.kind, found.source, (), {"split": SPLIT})
    train = {**setting.train, "seed": seed, "evaluate": max(1, setting.train["steps"] // 10)}
    change = {"model": setting.model, "train": train}
    table = {"kind": "molecules", **options, "split": SPLIT}
    run = kept.trained(merged(load_recipe("autoregressive-molecules"), change), table, data, folder)
    return Run.open(run.path, weights="best"), data
