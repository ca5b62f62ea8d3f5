"""Solubility that was measured, as a column of the user's.

ESOL (Delaney 2004) has 1,128 molecules. Half of them, with molecules of ZINC whose solubility is
unknown, teach a VAE with a property head; the other half judges. First the head: how well it
predicts, and whether its intervals hold what they promise. Then a search: poorly soluble molecules
are to become more soluble and stay similar, and what the head believes it found is judged by a
regressor that learnt from the other half, on descriptors and fingerprints and not on codes.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from twofold.apps.foretelling import foretell
from twofold.apps.objectives import Array, bits, regressed
from twofold.apps.optimising import Asked, optimise, predictor
from twofold.apps.predicting import Asking
from twofold.apps.searching import Latent
from twofold.data.named import find
from twofold.data.sources import Source
from twofold.maths.chemistry import Unreadable, cleaned, rdkit
from twofold.maths.descriptors import measurements
from twofold.measures.estimate import mean as averaged
from twofold.measures.measure import Evidence, figures
from twofold.measures.properties import spearman
from twofold.runs import measuring
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies.molecule_search import HEAD, SETTINGS, pooled, trained, zinc
from twofold.studies.seeds import over_seeds
from twofold.studies.study import Budget, Row, Study

MEASURED = "measured log solubility in mols per litre"
COLUMN = "solubility"
SIMILARITY = 0.4
TREES = 200
LEVELS = (50, 80, 95)
COVERAGE = tuple(f"property_coverage_{level}" for level in LEVELS)
Frame = Any  # of pandas
Known = dict[str, float]
"""Solubilities by canonical SMILES."""


@dataclass(frozen=True)
class Sizes:
    """Molecules of ESOL and of ZINC, molecules to improve, and calls for each."""

    measured: int
    others: int
    starts: int
    calls: int


SIZES = {
    "smoke": Sizes(60, 60, 1, 30),
    "cpu": Sizes(2000, 5000, 5, 300),
    "paper": Sizes(2000, 24_000, 20, 1000),
}


class EsolSearch(Study):
    """Solubility, predicted and raised."""

    claim = "A measured column is predicted with an uncertainty that can be trusted, and searched."
    paper = "Delaney 2004; Gómez-Bombarelli et al. 2018, arXiv:1610.02415"
    protocol = (
        "ESOL in halves by a seed. The first, with 5,000 molecules of ZINC whose solubility is "
        "unknown (paper 24,000), trains vae-molecules with solubility predicted as in "
        "property-latent; a random forest on Morgan fingerprints of the same half stands beside "
        "it. Errors and coverage are on the second half, which trained neither, as far as its "
        "tokens are known: of the head's own intervals, and of those of `predict`, which "
        "validation molecules correct (conformal). From the 5 least soluble molecules of the "
        "first half (paper 20) of ten heavy atoms or more, the head is raised with 300 calls each "
        "(paper 1,000) under a similarity of 0.4. The three fittest of each are judged by a random "
        "forest on RDKit's descriptors and fingerprints of the second half; a gain is over what is "
        "said of the start. Nothing was chosen on the second half."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        folder = out
        every = [of_seed(budget, folder, seed) for seed in range(seeds)]
        return [together(rows) for rows in zip(*every, strict=True)]


def of_seed(budget: Budget, folder: Path, seed: int) -> list[Row]:
    """The rows of one division."""
    sizes, plain = SIZES[budget], SETTINGS[budget]
    first, second = halves(dict(list(esol().items())[: sizes.measured]), seed)
    where = folder / f"{seed}.csv"
    write(where, first, sizes.others, second)
    setting = replace(plain, model={**plain.model, **HEAD})
    run, data = trained(where, "esol", setting, (COLUMN,), folder / str(seed), seed)
    return [
        *predicted(run, data, first, second, seed),
        *raised(run, where, first, second, sizes, seed),
    ]


def esol() -> Known:
    """What was measured; of a molecule that is there twice, the first."""
    found = Known()
    with Path(find("esol").where).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                found.setdefault(cleaned(row["smiles"].strip()), float(row[MEASURED]))
            except Unreadable:
                continue
    return found


def halves(known: Known, seed: int) -> tuple[Known, Known]:
    """Two halves, by a seed.

    >>> [len(half) for half in halves({"C": 0.0, "CC": 1.0, "CCC": 2.0}, 0)]
    [1, 2]
    """
    smiles = list(known)
    order = np.random.default_rng(seed).permutation(len(smiles)).tolist()
    sides = order[: len(order) // 2], order[len(order) // 2 :]
    one, other = ({smiles[at]: known[smiles[at]] for at in side} for side in sides)
    return one, other


def write(path: Path, known: Known, others: int, hidden: Known) -> None:
    """A table of molecules, those of ZINC without solubility; none that is hidden."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drugs = [one for one in zinc(others)["smiles"] if one not in known and one not in hidden]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["smiles", COLUMN])
        table.writerows([*known.items(), *((one, "") for one in drugs)])


# The head.


def predicted(run: Run, data: Material, first: Known, second: Known, seed: int) -> list[Row]:
    """How far the head is off, and what its intervals hold, beside a forest."""
    (head,) = predictor(run, COLUMN)
    forest = regressed(COLUMN, list(first), np.array(list(first.values())), seed)
    ours = np.array(head(list(second)))
    told = np.isfinite(ours)
    truth, ours = np.array(list(second.values()))[told], ours[told]
    theirs, n = np.array(forest(list(second)))[told], len(truth)
    return [
        Row("RMSE of the head", "finding", *rmse(truth, ours), n, "test", "lower",
            baseline=rmse(truth, theirs)[0]),
        Row("Spearman of the head", "finding", correlation(truth, ours), math.nan, math.nan, n,
            "test", "higher", baseline=correlation(truth, theirs)),
        *coverage(run, data, second),
    ]  # fmt: skip


def rmse(truth: Array, guess: Array) -> tuple[float, float, float]:
    """The root of the mean squared error, with its interval."""
    found = averaged(torch.from_numpy((truth - guess) ** 2), 0)
    value, low, high = (math.sqrt(max(0.0, one)) for one in found)
    return value, low, high


def correlation(a: Array, b: Array) -> float:
    """Spearman's."""
    return float(spearman(torch.from_numpy(a).unsqueeze(1), torch.from_numpy(b).unsqueeze(1)))


def coverage(run: Run, data: Material, second: Known) -> list[Row]:
    """The share of measured solubilities inside the head's intervals, and those of `predict`."""
    import pandas

    fits = [one for one in second if Latent(run).cut(one)]
    frame = pandas.DataFrame({"smiles": fits, COLUMN: [str(second[one]) for one in fits]})
    source = run.kind.open(frame)
    held = measuring.batch_of(run.kind, source, len(fits), 0)
    evidence = Evidence(run.space, run.given, held, held, held[:0], run.model, "test", 0)
    return [
        Row(f.name, "finding", f.value, f.low, f.high, f.n, "test", "higher")
        for f in figures(evidence, COVERAGE)[0]
    ] + [conformal(run, data, source, frame, level) for level in LEVELS]


def conformal(run: Run, data: Material, source: Source, frame: Frame, level: int) -> Row:
    """The share inside the intervals that validation molecules have widened."""
    found = foretell(run, source, Asking(interval=level / 100), [data], check=False)
    truth = torch.tensor([float(y) for y in frame[COLUMN]]).double()
    inside = (found.ends[0, :, 0] <= truth) & (truth <= found.ends[1, :, 0])
    return Row(f"share inside {level} % intervals of predict", "finding",
               *averaged(inside.double(), 0), len(truth), "test", "higher")  # fmt: skip


# The search.


def raised(
    run: Run, where: Path, first: Known, second: Known, sizes: Sizes, seed: int
) -> list[Row]:
    """What is gained, as the head believes and as the judge does."""
    (head,) = predictor(run, COLUMN)
    judges: dict[str, Callable[[Sequence[str]], list[float]]] = {
        "believed by the head": head, "judged": judging(second, seed),
    }  # fmt: skip
    gains = {name: list[float]() for name in judges}
    for start in poorest(first, sizes.starts):
        asked = Asked(maximize=(COLUMN,), similar_to=(f"{start}:{SIMILARITY}",), beside=(),
                      oracle=sizes.calls, seed=seed)  # fmt: skip
        (found,) = optimise(run, asked, where).found
        best = [one.smiles for one in found.proposals[:3]]
        for name, judge in judges.items():
            before, *after = judge([start, *best])
            gains[name] += [y - before for y in after]
    return [gained(name, values) for name, values in gains.items()]


def poorest(known: Known, n: int) -> list[str]:
    """The least soluble molecules of ten heavy atoms or more."""
    large = [one for one in known if rdkit().MolFromSmiles(one).GetNumHeavyAtoms() >= 10]
    return sorted(large, key=lambda one: known[one])[:n]


def judging(known: Known, seed: int) -> Callable[[Sequence[str]], list[float]]:
    """A forest on descriptors and fingerprints."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(TREES, max_features=0.3, random_state=seed)
    forest.fit(features(list(known)), list(known.values()))
    return lambda smiles: [float(y) for y in forest.predict(features(smiles))]


def features(smiles: Sequence[str]) -> Array:
    """Descriptors and fingerprints (N, C)."""
    molecules = [rdkit().MolFromSmiles(one) for one in smiles]
    numbers = [[float(of(one)) for of in measurements().values()] for one in molecules]
    return np.concatenate([np.array(numbers), bits(smiles).numpy()], 1)


def gained(name: str, values: Sequence[float]) -> Row:
    """A gain, over the molecules that were found."""
    found, n = pooled([values])
    return Row(f"gain in solubility, {name}", "finding", *found, n, "none", "higher")


def together(rows: Sequence[Row]) -> Row:
    """One row of those of several seeds; of one, itself."""
    known = [row for row in rows if math.isfinite(row.ours)]
    if len(known) < 2:
        return (known or rows)[0]
    ours = over_seeds([row.ours for row in known])
    baseline = over_seeds([row.baseline for row in known]).value
    return replace(
        known[0], ours=ours.value, low=ours.low, high=ours.high, baseline=baseline, n=len(known)
    )
