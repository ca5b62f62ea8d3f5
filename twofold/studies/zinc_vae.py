r"""Molecules of ZINC by a VAE whose code is used.

A VAE of molecules can look good by its draws while its code is ignored: it is then an
autoregressive model with a detour, and nothing can be searched in its latent. So what is asked here
comes in pairs: draws by the measures of MOSES (Polykovskiy et al. 2020, arXiv:1811.12823) and
GuacaMol (Brown et al. 2019, arXiv:1811.09621), and the code by how many held-out molecules come
back exactly and how many of its dimensions are active. Draws are of the prior, and of a mixture
that was fitted to the codes.

MOSES reports figures of 1.6 million training molecules, lighter ones, and of 30,000 draws: they
stand beside ours and cannot be compared with them, but through the floors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from twofold.data.doctor import examine
from twofold.data.named import find
from twofold.measures.measure import Evidence, Figure, figures
from twofold.nets.expost import Gmm
from twofold.runs import measuring
from twofold.runs.recipe import load_recipe, merged
from twofold.runs.refit import refit
from twofold.runs.run import From, Run
from twofold.runs.training import Material
from twofold.studies import kept
from twofold.studies.seeds import over_seeds
from twofold.studies.study import Budget, Row, Study

SPLIT = {"validation": 0.05, "test": 0.1}
OF_DRAWS = (
    "mol_valid", "mol_unique", "mol_novel", "mol_size", "mol_snn", "mol_frag", "mol_scaf",
    "mol_diversity", "mol_clean", "mol_w1_atoms", "mol_w1_logp", "mol_w1_sa", "mol_w1_qed",
    "mol_w1_weight", "mol_kl_score", "fcd",
)  # fmt: skip
OF_CODES = ("mol_reconstruction", "kl", "active_units", "mutual_information")
MOSES = "MOSES' README, {}: 1.6 M training molecules, 30,000 draws; not comparable"
REPORTED: Mapping[str, Mapping[str, float]] = {
    "VAE": {"mol_valid": 0.9767, "mol_novel": 0.6949, "mol_snn": 0.6257, "mol_frag": 0.9994,
            "mol_scaf": 0.9386, "mol_diversity": 0.8558, "fcd": 0.099},
    "CharRNN": {"mol_valid": 0.9748, "mol_novel": 0.8419, "mol_snn": 0.6015, "mol_frag": 0.9998,
                "mol_scaf": 0.9242, "mol_diversity": 0.8562, "fcd": 0.0732},
}  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A model of molecules.

    Args:
        title: in the rows. recipe: packaged. data: options of the codec. reported: MOSES' model.
        bars: by measure, what must be reached; `fcd` in floors.
    """

    title: str
    recipe: str
    data: Mapping[str, Any]
    reported: str
    bars: Mapping[str, float]


DRAWS = {"mol_unique": 0.99, "mol_novel": 0.9}
SELFIES = Way(
    "SELFIES VAE", "vae-molecules", {"form": "selfies"}, "VAE", {**DRAWS, "mol_valid": 1.0}
)
SMILES = Way("SMILES VAE", "vae-molecules", {"form": "smiles"}, "VAE", {"mol_valid": 0.7})
WAYS = (
    SELFIES,
    SMILES,
    Way("SMILES VAE, enumerated", "vae-molecules", {"form": "smiles", "enumerate": True}, "VAE",
        {"mol_valid": 0.85}),
    Way("SELFIES, no latent", "autoregressive-molecules", {"form": "selfies"}, "CharRNN", {}),
    Way("SMILES, no latent", "autoregressive-molecules", {"form": "smiles"}, "CharRNN", {}),
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """How long, how wide, on how much, judged by how many.

    Args:
        ways: the models. rows: of the file at most. train: changes to the recipe's `train`.
        model: changes to the recipe's `model`, by its family. n: draws.
        reconstruction: the bar. floors: the most that FCD may be, in floors; inf for a finding.
    """

    ways: Sequence[Way]
    rows: int
    train: Mapping[str, Any]
    model: Mapping[str, Mapping[str, Any]]
    n: int
    reconstruction: float
    floors: float


WIDE = {"name": "gru", "width": 512, "embed": 64, "guide": 128}
SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting((SELFIES,), 300, {"steps": 2}, {}, 24, 0.35, math.inf),
    "cpu": Setting((SELFIES, replace(SMILES, bars={})), 100_000, {}, {}, 1000, 0.35, math.inf),
    "paper": Setting(
        WAYS,
        100_000,
        {"steps": 30_000, "batch": 128, "lr": 1e-3},
        {"vae": {"decoder": WIDE, "encoder": {"width": 1024, "depth": 2}},
         "autoregressive": {"decoder": WIDE}},
        10_000,
        0.6,
        8.0,
    ),
}  # fmt: skip


class ZincVae(Study):
    """A VAE of ZINC, by its draws and by its code."""

    claim = "A VAE of molecules draws as the data are and has a code from which they come back."
    paper = "Polykovskiy et al. 2020, arXiv:1811.12823; Brown et al. 2019, arXiv:1811.09621"
    protocol = (
        "29,415 molecules of ZINC, cleaned, a twentieth for validation and a tenth for test, by "
        "seed 0. The packaged recipes vae-molecules and autoregressive-molecules; cpu as they "
        "are, SELFIES and SMILES; paper 30,000 steps of 128 at 1e-3, decoders of 512 units, and "
        "enumerated SMILES and models without a latent beside them. Averaged weights. Draws are "
        "of the prior, and of a mixture of at most 16 Gaussians fitted to codes of the training "
        "molecules and chosen on those for validation; 1,000 draws (paper 10,000), all but "
        "validity measured on those that are molecules, against as many test molecules, the floor "
        "being as many training molecules in their place. Novelty is against those training "
        "molecules that are looked at. Reconstruction is of 1,000 test molecules from the mean of "
        "their code, spelt greedily, equal as canonical SMILES. The bar of the active units is "
        "half of the dimensions. Intervals are over seeds, or of one seed those of the measure. β "
        "of 0.25 and a decoder of 256 units were chosen among 0.1 and 0.3, 128 and 256, by "
        "reconstruction and FCD of validation molecules, SMILES, seed 100; nothing was chosen on "
        "test molecules. paper can be interrupted, and goes on with its runs."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        return [row for way in setting.ways for row in of_way(way, setting, seeds, out)]


def of_way(way: Way, setting: Setting, seeds: int, folder: Path) -> list[Row]:
    """The rows of one model."""
    data = opened(way, setting.rows)
    place = folder / way.title.lower().replace(",", "").replace(" ", "-")
    seen = [measured(way, data, setting, seed, place) for seed in range(seeds)]
    return [row_of(way, setting, name, [one[name] for one in seen]) for name in seen[0]]


def opened(way: Way, rows: int) -> Material:
    """ZINC, divided."""
    found = examine(find("zinc").where.head(rows), "molecules", smiles="smiles", **way.data)
    return Material.of(found.kind, found.source, (), {"split": SPLIT})


def measured(
    way: Way, data: Material, setting: Setting, seed: int, place: Path
) -> dict[str, Figure]:
    """The figures of one seed by their names in the rows."""
    run = trained(way, data, setting, seed, place.with_name(f"{place.name}-{seed}"))
    found = {f.name: f for f in of_codes(run, data, setting)}
    found |= {f.name: f for f in of_draws(run, data, setting, "own")}
    if way.recipe.startswith("vae"):
        refit(run, data.train, data.validation, Gmm(16, 10_000), seed, drawn=False)
        drawn = of_draws(Run.open(run.path), data, setting, "fitted")
        found |= {f"{f.name}, mixture": f for f in drawn}
    return found


def trained(way: Way, data: Material, setting: Setting, seed: int, folder: Path) -> Run:
    """A run, gone on with where it was interrupted."""
    recipe = load_recipe(way.recipe)
    family = setting.model.get(recipe["model"]["name"], {})
    change = {"model": family, "train": {**setting.train, "seed": seed, "best": "none"}}
    table = {"name": "zinc", "kind": "molecules", **way.data, "split": SPLIT}
    return kept.trained(merged(recipe, change), table, data, folder)


def of_codes(run: Run, data: Material, setting: Setting) -> list[Figure]:
    """Figures of the code; none of a model without one."""
    held = measuring.batch_of(run.kind, data.test, max(1000, setting.n // 10), 0)
    evidence = replace(seen_by(run, data, 1), real=held)
    return figures(evidence, OF_CODES)[0]


def of_draws(run: Run, data: Material, setting: Setting, prior: From) -> list[Figure]:
    """Figures of draws."""
    return figures(seen_by(replace(run, prior=prior), data, setting.n), OF_DRAWS)[0]


def seen_by(run: Run, data: Material, n: int) -> Evidence:
    return measuring.evidence_of_run(run, data.train, data.test, n, 0, "test")


def row_of(way: Way, setting: Setting, name: str, found: Sequence[Figure]) -> Row:
    """A row, a bar where one is set."""
    first = found[0]
    value, low, high = over_seeds([one.value for one in found])
    if len(found) == 1:
        low, high = first.low, first.high
    better: Literal["higher", "lower"] = "lower" if first.better == "lower" else "higher"
    reported = REPORTED[way.reported].get(name, math.nan)
    source = MOSES.format(way.reported) if not math.isnan(reported) else ""
    title = f"{way.title}: {name}"
    row = Row(title, "finding", value, low, high, first.n, "test", better, reported=reported,
              source=source, floor=over_seeds([one.floor for one in found]).value)  # fmt: skip
    target = bar_of(way, setting, first, name)
    return row if math.isnan(target) else replace(row, kind="bar", target=target)


def bar_of(way: Way, setting: Setting, figure: Figure, name: str) -> float:
    """What a figure must reach; NaN for a finding."""
    if way.recipe.startswith("vae"):
        others = {
            "mol_reconstruction": setting.reconstruction,
            "active_units": len(figure.parts) / 2,
            **({"fcd": setting.floors * figure.floor} if setting.floors < math.inf else {}),
        }
        return {**way.bars, **others}.get(name, math.nan)
    return math.nan
