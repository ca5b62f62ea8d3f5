"""Properties read from the code of a VAE.

Where a property is predicted from the code while the VAE learns, its code must hold it. How well
it orders molecules that were held out is asked here, whether its intervals hold what they promise,
and whether the code is a good place to look for neighbours: a regression by the ten nearest codes
beside one by the ten most similar fingerprints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from twofold.apps.objectives import bits
from twofold.core.batch import Batch
from twofold.maths.descriptors import BLOCK, tanimoto
from twofold.measures.estimate import jackknifed
from twofold.measures.measure import Evidence, Figure, figures
from twofold.measures.molecules import strings
from twofold.measures.properties import NEIGHBOURS, by_neighbours, seen, spearman
from twofold.runs import measuring
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies.molecule_search import HEAD, SETTINGS, Setting, trained, zinc
from twofold.studies.seeds import over_seeds
from twofold.studies.study import Budget, Row, Study

GIVEN = ("logP", "qed")
BARS = {"Spearman logP, head": 0.9, "Spearman qed, head": 0.8}
COVERAGE = ("property_coverage_50", "property_coverage_80", "property_coverage_95")
HELD = 1000
"""Test molecules."""
KNOWN = 10_000
"""Training molecules among which neighbours are looked for."""


class PropertyLatent(Study):
    """LogP and QED, predicted from the code."""

    claim = "A property that is predicted from the code orders molecules that were held out."
    paper = "Gómez-Bombarelli et al. 2018, arXiv:1610.02415"
    protocol = (
        "ZINC, a tenth each for validation and test; the packaged recipe vae-molecules of "
        "SELFIES, with β of 0.1 and a decoder of 128 units, logP and QED predicted from the code, "
        "weighed 30, by 256 units, 4,000 steps (paper 30,000). Spearman's correlation between the "
        "property and what the head expects of the mean code, on 1,000 test molecules, and the "
        "coverage of its central intervals. Neighbours are the ten nearest of 10,000 training "
        "molecules, by the Euclidean distance of codes, and by the Tanimoto similarity of Morgan "
        "fingerprints. The weight was chosen on validation molecules."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        plain = SETTINGS[budget]
        setting = replace(plain, model={**plain.model, **HEAD})
        found = [of_seed(setting, out / str(seed), seed) for seed in range(seeds)]
        return [row_of(name, [one[name] for one in found]) for name in found[0]]


def of_seed(setting: Setting, folder: Path, seed: int) -> dict[str, Figure]:
    """The figures of one run."""
    run, data = trained(zinc(setting.rows), "zinc", setting, GIVEN, folder, seed)
    evidence = evidence_of(run, data)
    covered = {one.name: one for one in figures(evidence, COVERAGE)[0]}
    return {**correlations(evidence), **covered}


def evidence_of(run: Run, data: Material) -> Evidence:
    """Held-out molecules and training ones."""
    held = measuring.batch_of(run.kind, data.test, HELD, 0)
    train = measuring.batch_of(run.kind, data.train, KNOWN, 0)
    return Evidence(run.space, run.given, held, train, held[:0], run.model, "test", 0)


def correlations(evidence: Evidence) -> dict[str, Figure]:
    """Spearman's correlation of the head, of neighbours by code, and by fingerprint."""
    with torch.inference_mode():
        z, y, foretold = seen(evidence, evidence.real)
        beside, known, _ = seen(evidence, evidence.train)
    guesses = {
        "head": foretold,
        f"{NEIGHBOURS} nearest codes": by_neighbours(z, beside, known),
        f"{NEIGHBOURS} most similar": by_fingerprint(evidence, evidence.real, known),
    }
    return {
        f"Spearman {name}, {way}": figure(evidence, y[:, at : at + 1], guess[:, at : at + 1])
        for at, name in enumerate(GIVEN)
        for way, guess in guesses.items()
    }


def figure(evidence: Evidence, truth: Tensor, guess: Tensor) -> Figure:
    """A correlation with its interval."""
    estimate = jackknifed(lambda a, b: spearman(a, b).mean(), truth, guess)
    return evidence.figure("spearman", estimate, len(truth), "higher")


def by_fingerprint(evidence: Evidence, held: Batch, known: Tensor) -> Tensor:
    """The mean of what is known of the most similar training molecules, (N, F)."""
    here, there = (bits(strings(evidence.space, side.x)) for side in (held, evidence.train))
    k = min(NEIGHBOURS, len(there))
    parts = [tanimoto(part, there).topk(k).indices for part in here.split(BLOCK)]
    return known[torch.cat(parts)].nanmean(1)


def row_of(name: str, found: Sequence[Figure]) -> Row:
    """A row; of the head, a bar."""
    first = found[0]
    value, low, high = over_seeds([one.value for one in found])
    if len(found) == 1:
        low, high = first.low, first.high
    row = Row(name, "finding", value, low, high, first.n, "test", "higher")
    target = BARS.get(name, math.nan)
    return row if math.isnan(target) else replace(row, kind="bar", target=target)
