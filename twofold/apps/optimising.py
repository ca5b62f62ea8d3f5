r"""Optimisation of molecules: searches side by side, each with as many calls of the oracle.

What a search *proposes* is what it had judged, best first, without molecules of the data and
without what breaks a bound; each is there once. Screening looks at the data and proposes them.
Beside every proposal stand what was asked, its QED, its synthetic accessibility (1 easy, 10 hard),
its alerts (PAINS, Brenk), the similarity to the nearest molecule of the data, and the call at which
it was found. Of a search stand there the best, the mean of the best ten and hundred, the mean over
all calls of the best ten so far (Gao et al. 2022, arXiv:2206.12411), and how many calls it made.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.apps.objectives import (
    COLUMN,
    Aim,
    Array,
    Objective,
    Similar,
    Task,
    bits,
    column,
    limit,
    objective,
    regressed,
    similar,
)
from twofold.apps.oracle import Judge, Oracle
from twofold.apps.searching import AT_START, WAYS, Latent, Search, begun, ordered, run_way
from twofold.core.errors import UserError, nearest
from twofold.core.game import Decodes, Encodes, Foretells
from twofold.data import places
from twofold.data.columns import Number
from twofold.data.doctor import fitting
from twofold.data.kind import Where
from twofold.data.kinds.molecules import Molecules, drawn
from twofold.data.molecules import Sheet
from twofold.maths import descriptors
from twofold.maths.chemistry import rdkit
from twofold.measures.measure import Figure
from twofold.runs.run import Run
from twofold.runs.training import data_of

TOPS = (1, 10, 100)


@dataclass(frozen=True)
class Asked:
    """What a user asks for, as written.

    Args:
        maximize, minimize: objectives. where: bounds. similar_to: `SMILES:SIMILARITY`.
        by: searches in the latent. beside: others. oracle: calls, each. seed: of every choice.
    """

    maximize: tuple[str, ...] = ()
    minimize: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    similar_to: tuple[str, ...] = ()
    by: tuple[str, ...] = ("bayes",)
    beside: tuple[str, ...] = ("genetic", "screening", "draws")
    oracle: int = 1000
    seed: int = 0

    @property
    def ways(self) -> tuple[str, ...]:
        """The searches, those in the latent first."""
        return tuple(dict.fromkeys((*self.by, *self.beside)))


@dataclass(frozen=True)
class Proposal:
    """A molecule, and what is known of it.

    Args:
        smiles: canonical. fitness: in spreads at the start. answers: to what was asked, by name.
        call: the call at which it was judged. qed, sa, logp: computed by RDKit.
        alerts: names of the patterns it has. similarity: to the nearest molecule of the data.
    """

    smiles: str
    fitness: float
    answers: dict[str, float]
    call: int
    qed: float
    sa: float
    logp: float
    alerts: tuple[str, ...]
    similarity: float


@dataclass(frozen=True)
class Found:
    """What one search found.

    Args:
        way: the search. calls: it made. distinct: molecules that may be proposed.
        proposals: the best of them. curve: calls made, and the mean fitness of the best ten then.
        figures: of the aims.
    """

    way: str
    calls: int
    distinct: int
    proposals: tuple[Proposal, ...]
    curve: tuple[tuple[int, float], ...]
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Optimised:
    """Every search, the first being the one that was asked for.

    Args:
        task: what was asked. found: by each search. judged: distinct molecules in all.
    """

    task: Task
    found: tuple[Found, ...]
    judged: int


def optimise(run: Run, asked: Asked, where: Where = "") -> Optimised:
    """Search, and let others search beside it.

    Raises:
        UserError: the run is not of molecules, or what is asked is not known.
    """
    check(run, asked)
    read = sheet_of(run, where)
    task = task_of(run, read, asked)
    judge, latent = Judge(task), Latent(run)
    targets = [one.objective for one in task.limits if isinstance(one.objective, Similar)]
    order = ordered(read.smiles, targets, asked.seed)
    starting = max(20, round(AT_START * asked.oracle))
    found = []
    for way in asked.ways:
        oracle = Oracle(judge, asked.oracle)
        search = run_way(way, begun(oracle, latent, order, starting, asked.seed))
        found.append(proposed(way, search, read.smiles))
    return Optimised(task, tuple(found), len(judge.said))


def check(run: Run, asked: Asked) -> None:
    """Refuse what cannot be searched."""
    if not isinstance(run.kind, Molecules):
        raise UserError(f"optimize is for molecules, and {run.path} is of {run.kind.name}")
    if not asked.maximize and not asked.minimize:
        raise UserError("optimize needs something to --maximize or to --minimize, such as qed")
    names = [one.removeprefix(COLUMN) for one in (*asked.maximize, *asked.minimize)]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name} is asked for twice; --maximize or --minimize it once")
    if asked.oracle < 20:
        raise UserError(f"--oracle {asked.oracle}: a search needs 20 calls at least")
    for way in asked.ways:
        if way not in WAYS:
            raise UserError(f"{way!r} is no search; {nearest(way, list(WAYS))}")
    run.role(Encodes, "optimize")
    run.role(Decodes, "optimize")


def sheet_of(run: Run, where: Where) -> Sheet:
    """The molecules of the run's data."""
    kind = run.kind
    assert isinstance(kind, Molecules)
    return kind.sheet(fitting(data_of(run, where), kind).where)


def task_of(run: Run, read: Sheet, asked: Asked) -> Task:
    """What is asked, with those who answer it."""
    assert isinstance(run.kind, Molecules)
    named = [name for name in read.frame.names if name != run.kind.column]

    def known(name: str) -> Objective:
        headed = predictor(run, name)
        return headed[0] if headed else regressed(name, read.smiles, column(read, name), asked.seed)

    def made(text: str) -> Objective:
        return objective(text, named, known)

    aims = [Aim(made(one), 1) for one in asked.maximize]
    aims += [Aim(made(one), -1) for one in asked.minimize]
    limits = [limit(one, named, known) for one in asked.where]
    limits += [similar(one) for one in asked.similar_to]
    return Task(tuple(aims), tuple(limits))


@dataclass(frozen=True)
class Headed(Objective):
    """A column as the property head predicts it from the code of a molecule, in its own units."""

    name: str
    latent: Latent
    column: Number
    at: int

    def __call__(self, smiles: Sequence[str]) -> list[float]:
        if not smiles:
            return []
        z, kept = self.latent.encode(smiles)
        model = self.latent.run.model
        assert isinstance(model, Foretells)
        with torch.inference_mode():
            y = model.foretell(z).mean[:, self.at : self.at + 1].double().numpy()
        found = np.full(len(smiles), math.nan)
        found[kept] = self.column.values(y)
        return list(found)


def predictor(run: Run, name: str) -> list[Headed]:
    """The property head of a column, where the run has one."""
    model, kind = run.model, run.kind
    assert isinstance(kind, Molecules)
    if not isinstance(model, Foretells):
        return []
    widths = [field.domain.width for field in model.foretold.fields]
    return [
        Headed(name, Latent(run), one, sum(widths[:place]))
        for place, one in enumerate(kind.conditions[: len(widths)])
        if one.name == name and isinstance(one, Number)
    ]


# What came out.


def proposed(way: str, search: Search, data: Sequence[str]) -> Found:
    """What a search proposes."""
    task, asked = search.oracle.judge.task, list(search.oracle.asked)
    answers = search.oracle.answers(asked)
    fit = task.fitness(answers, search.scale)
    allowed = task.keeps(answers)
    if way != "screening":
        known = set(data)
        allowed &= np.array([one not in known for one in asked], bool)
    order = [at for at in np.argsort(-fit, kind="stable").tolist() if allowed[at]]
    best = order[: TOPS[-1]]
    proposals = described(task, [asked[at] for at in best], fit[best], answers[best], best, data)
    curve = best_so_far(np.where(allowed, fit, -np.inf))
    figures = [one for aim in task.aims for one in told(way, aim, task, answers[order], len(asked))]
    figures.append(area(way, curve, len(asked)))
    return Found(way, len(asked), len(order), tuple(proposals), curve, tuple(figures))


def described(
    task: Task, smiles: Sequence[str], fit: Array, y: Array, at: Sequence[int], data: Sequence[str]
) -> list[Proposal]:
    """Molecules with all that stands beside them."""
    if not smiles:
        return []
    names = [one.name for one in task.objectives]
    nearest_one = descriptors.nearest(bits(smiles), bits(data)).tolist()
    formulas = descriptors.measurements()
    made = []
    for place, one in enumerate(smiles):
        molecule = rdkit().MolFromSmiles(one)
        qed, sa, logp = (float(formulas[name](molecule)) for name in ("qed", "sa", "logp"))
        answers = dict(zip(names, y[place].tolist(), strict=True))
        made.append(
            Proposal(one, float(fit[place]), answers, at[place] + 1, qed, sa, logp,
                     alerts_of(molecule), nearest_one[place])
        )  # fmt: skip
    return made


def alerts_of(molecule: Any) -> tuple[str, ...]:
    """The names of the alerts that a molecule has, each once."""
    matches = descriptors.alerts().GetMatches(molecule)
    return tuple(dict.fromkeys(str(match.GetDescription()) for match in matches))


def best_so_far(fit: Array, points: int = 100) -> tuple[tuple[int, float], ...]:
    """Calls made, and the mean of the best ten fitnesses by then; where there are ten.

    >>> best_so_far(np.arange(11.0), points=11)
    ((10, 4.5), (11, 5.5))
    """
    at = np.unique(np.linspace(1, len(fit), min(points, len(fit))).astype(int)).tolist()
    means = [(n, float(np.sort(fit[:n])[-10:].mean())) for n in at if n >= 10]
    return tuple((n, mean) for n, mean in means if math.isfinite(mean))


def told(way: str, aim: Aim, task: Task, y: Array, calls: int) -> list[Figure]:
    """The best of an aim, and the mean of the best, among what is proposed (N, J), best first."""
    found, better = y[:, task.at(aim.objective)], "higher" if aim.sign > 0 else "lower"
    nan = math.nan
    return [
        Figure(f"{aim.objective.name} top-{top}, {way}", float(found[:top].mean()), nan, nan, calls,
               better, split="none", note=f"of {calls:,} calls")  # type: ignore[arg-type]
        for top in TOPS
        if len(found) >= top
    ]  # fmt: skip


def area(way: str, curve: Sequence[tuple[int, float]], calls: int) -> Figure:
    """The mean over calls of the best ten so far, in spreads at the start."""
    value = float(np.mean([mean for _, mean in curve])) if curve else math.nan
    note = "mean over calls of the mean fitness of the best ten so far, in spreads at the start"
    return Figure(f"auc top-10, {way}", value, math.nan, math.nan, calls, "higher", split="none",
                  note=note)  # fmt: skip


def verdict(made: Optimised) -> list[str]:
    """Which search has the fittest ten; none where no search has ten."""
    full = {one.way: ten(one) for one in made.found if len(one.proposals) >= 10}
    if not full:
        return [
            "No search found ten molecules that may be proposed; loosen the bounds or call more."
        ]
    best = max(full, key=lambda way: full[way])
    return [f"The fittest ten, on average, are those of {best}."]


def ten(found: Found) -> float:
    """The mean fitness of the first ten proposals."""
    return float(np.mean([one.fitness for one in found.proposals[:10]]))


def drawings(smiles: Sequence[str]) -> Tensor:
    """Structures (N, 3, h, w)."""
    return torch.stack([drawn(one) for one in smiles]) if smiles else torch.zeros(0, 3, 1, 1)


# Files.


def columns_of(task: Task) -> dict[str, Callable[[Proposal], str]]:
    """The columns of a table of proposals."""
    asked = {
        one.name: (lambda p, name=one.name: f"{p.answers[name]:.6g}") for one in task.objectives
    }
    beside: dict[str, Callable[[Proposal], str]] = {
        "qed": lambda p: f"{p.qed:.4f}",
        "sa": lambda p: f"{p.sa:.3f}",
        "logp": lambda p: f"{p.logp:.3f}",
        "alerts": lambda p: "; ".join(p.alerts),
        "similarity to data": lambda p: f"{p.similarity:.3f}",
        "fitness": lambda p: f"{p.fitness:.4f}",
        "call": lambda p: str(p.call),
    }
    return {"smiles": lambda p: p.smiles, **asked, **beside}


def as_csv(task: Task, found: Found) -> str:
    """The proposals of a search as CSV."""
    file, columns = io.StringIO(), columns_of(task)
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["rank", *columns])
    for rank, one in enumerate(found.proposals, 1):
        table.writerow([rank, *(of(one) for of in columns.values())])
    return file.getvalue()


def as_sdf(task: Task, found: Found) -> str:
    """The proposals of a search as an SDF, with coordinates in the plane."""
    from rdkit.Chem import AllChem

    file, columns = io.StringIO(), columns_of(task)
    writer = rdkit().SDWriter(file)
    for rank, one in enumerate(found.proposals, 1):
        molecule = rdkit().MolFromSmiles(one.smiles)
        AllChem.Compute2DCoords(molecule)
        molecule.SetProp("_Name", f"{found.way}-{rank}")
        for name, of in columns.items():
            molecule.SetProp(name, of(one))
        writer.write(molecule)
    writer.close()
    return file.getvalue()


FORMS = {"csv": as_csv, "sdf": as_sdf}


def write(made: Optimised, folder: Path) -> list[Path]:
    """The proposals of every search, as CSV and as SDF."""
    paths = []
    for found in made.found:
        for form, of in FORMS.items():
            path = places.folder(folder) / f"{found.way}.{form}"
            with places.new(path) as file:
                file.write(of(made.task, found).encode())
            paths.append(path)
    return paths
