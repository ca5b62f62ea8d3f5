r"""What is asked of a molecule: numbers to raise or lower, bounds to keep, and who answers.

| written | is |
|---|---|
| `qed`, `logp`, `plogp`, … | computed by RDKit |
| a column of the run's data | as the property head predicts it, or, without one, a forest |
| `column:qed` | the same, of a column that is called as what is computed |
| `module:function` | a Python function from one SMILES to a number |
| `python dock.py --fast` | a command: SMILES come in, one a line, and as many numbers go out |

The head predicts from the code of the molecule; the random forest, fitted to the molecules of the
file, from its Morgan fingerprint.

The penalised logP (Gómez-Bombarelli et al. 2018, arXiv:1610.02415; as JT-VAE, arXiv:1802.04364,
normalises it) is

$$ \frac{\log P - 2.457}{1.434} - \frac{\mathrm{SA} - 3.053}{0.834}
   - \frac{\max(0, c - 6) - 0.0486}{0.286}, $$

c the size of the largest ring. It rewards long greasy chains; a high one says little of a drug.

A `Task` makes one number of all that is asked, the *fitness*: each aim in units of how far the
molecules at the start are spread, raised or lowered, less a penalty for each bound that is broken.
"""

from __future__ import annotations

import importlib
import math
import re
import shlex
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from operator import ge, gt, le, lt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twofold.core.errors import UserError, nearest
from twofold.data.guess import MISSING
from twofold.data.molecules import Sheet
from twofold.maths.chemistry import parsed, rdkit, written
from twofold.maths.descriptors import BITS, fingerprints, measurements, tanimoto

PENALTY = 3.0
"""What breaking a bound costs, in spreads, before how far it is broken."""
TREES = 200
COLUMN = "column:"
FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
BOUND = re.compile(r"(.+?)\s*(<=|>=|<|>)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)")
LOGP, SA, CYCLE = (2.457, 1.434), (3.053, 0.834), (0.0486, 0.286)

Array = NDArray[np.float64]


class Objective(ABC):
    """A number of each molecule."""

    name: str

    @abstractmethod
    def __call__(self, smiles: Sequence[str]) -> list[float]:
        """A number each; NaN where there is none."""


@dataclass(frozen=True)
class Computed(Objective):
    """A formula of RDKit's molecule."""

    name: str
    formula: Callable[[Any], float]

    def __call__(self, smiles: Sequence[str]) -> list[float]:
        return [float(self.formula(rdkit().MolFromSmiles(one))) for one in smiles]


def penalised_logp(molecule: Any) -> float:
    """The penalised logP."""
    rings = [len(ring) for ring in molecule.GetRingInfo().AtomRings()]
    found = measurements()
    excess = max(0, max(rings, default=0) - 6)
    return (
        (found["logp"](molecule) - LOGP[0]) / LOGP[1]
        - (found["sa"](molecule) - SA[0]) / SA[1]
        - (excess - CYCLE[0]) / CYCLE[1]
    )


@cache
def formulas() -> dict[str, Callable[[Any], float]]:
    """What can be computed, by name."""
    return {**measurements(), "plogp": penalised_logp}


@dataclass(frozen=True)
class Similar(Objective):
    """The similarity to one molecule (Tanimoto of Morgan fingerprints, radius 2)."""

    to: str

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"similarity to {self.to}"

    def __call__(self, smiles: Sequence[str]) -> list[float]:
        found: list[float] = tanimoto(bits([self.to]), bits(smiles))[0].tolist()
        return found


def bits(smiles: Sequence[str]) -> Tensor:
    """Fingerprints (N, 1024)."""
    made = [fingerprints().GetFingerprintAsNumPy(rdkit().MolFromSmiles(one)) for one in smiles]
    return torch.from_numpy(np.array(made, np.uint8).reshape(len(made), BITS))


@dataclass(frozen=True)
class Function(Objective):
    """A Python function of the user's."""

    name: str
    function: Callable[[str], float]

    def __call__(self, smiles: Sequence[str]) -> list[float]:
        return [self.one(each) for each in smiles]

    def one(self, smiles: str) -> float:
        try:
            return float(self.function(smiles))
        except Exception as error:
            raise UserError(
                f"{self.name} failed at {smiles}: {type(error).__name__}: {error}; "
                "let it return nan for what it cannot judge"
            ) from error


def function(name: str) -> Function:
    """`module:function`, or `module.py:function`, looked for in this folder too."""
    file, _, called = name.partition(":")
    module = file.removesuffix(".py")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), called, ())
    except ImportError as error:
        raise UserError(f"{name}: the module {module} cannot be imported ({error})") from None
    finally:
        sys.path.remove(str(Path.cwd()))
    if not callable(found):
        raise UserError(f"{name}: {module} has no function {called}")
    return Function(name, found)


@dataclass(frozen=True)
class Command(Objective):
    """A command that reads SMILES, one a line, and writes as many numbers."""

    name: str

    def __call__(self, smiles: Sequence[str]) -> list[float]:
        if not smiles:
            return []
        try:
            done = subprocess.run(
                shlex.split(self.name), input="\n".join(smiles) + "\n", capture_output=True,
                text=True, check=False,
            )  # fmt: skip
        except OSError as error:
            raise UserError(f"{self.name} cannot be run ({error.strerror})") from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise UserError(f"{self.name} ended with {done.returncode}: {last}")
        return self.numbers(done.stdout.split(), len(smiles))

    def numbers(self, found: Sequence[str], asked: int) -> list[float]:
        if len(found) != asked:
            raise UserError(
                f"{self.name} wrote {len(found)} numbers for {asked} molecules; it should write "
                "one a line, nan where there is none"
            )
        try:
            return [float(one) for one in found]
        except ValueError as error:
            raise UserError(f"{self.name} wrote what is no number ({error})") from None


@dataclass(frozen=True)
class Regressed(Objective):
    """A column of a file, by a random forest on the fingerprints of its molecules."""

    name: str
    forest: Any

    def __call__(self, smiles: Sequence[str]) -> list[float]:
        return list(self.forest.predict(bits(smiles).numpy())) if smiles else []


def regressed(name: str, smiles: Sequence[str], y: Array, seed: int) -> Regressed:
    """A forest fitted to numbers (N,), NaN where unknown."""
    from sklearn.ensemble import RandomForestRegressor

    known = ~np.isnan(y)
    if known.sum() < 10:
        raise UserError(f"the column {name} has {int(known.sum())} numbers; ten are needed")
    forest = RandomForestRegressor(TREES, max_features=0.3, min_samples_leaf=2, random_state=seed)
    chosen = [one for one, there in zip(smiles, known.tolist(), strict=True) if there]
    return Regressed(name, forest.fit(bits(chosen).numpy(), y[known]))


def column(read: Sheet, name: str) -> Array:
    """A column of a file as numbers, one a molecule that was kept; NaN where there is none."""
    cells = read.frame[name]
    each = np.array([number(text) for text in cells.texts])
    return each[cells.codes[list(read.kept)]]


def number(text: str) -> float:
    """A text as a number; NaN for what is missing or none."""
    try:
        return math.nan if text.casefold() in MISSING else float(text)
    except ValueError:
        return math.nan


# What is asked.


@dataclass(frozen=True)
class Aim:
    """A number to raise (`sign` 1) or to lower (−1)."""

    objective: Objective
    sign: int

    @property
    def words(self) -> str:
        return f"{'maximize' if self.sign > 0 else 'minimize'} {self.objective.name}"


@dataclass(frozen=True)
class Limit:
    """A bound to keep: `objective` `relation` `bound`."""

    objective: Objective
    relation: str
    bound: float

    @property
    def words(self) -> str:
        return f"{self.objective.name} {self.relation} {self.bound:g}"

    def kept(self, y: Array) -> NDArray[np.bool_]:
        """Whether numbers keep it, (N,)."""
        found: NDArray[np.bool_] = RELATIONS[self.relation](y, self.bound)
        return found

    def excess(self, y: Array) -> Array:
        """How far numbers are beyond it, (N,), 0 where they are not."""
        beyond = y - self.bound if "<" in self.relation else self.bound - y
        return np.maximum(beyond, 0.0)


RELATIONS: dict[str, Callable[[Any, Any], Any]] = {"<": lt, ">": gt, "<=": le, ">=": ge}


@dataclass(frozen=True)
class Task:
    """All that is asked.

    Args:
        aims: what to raise or lower. limits: what to keep.
    """

    aims: tuple[Aim, ...]
    limits: tuple[Limit, ...] = ()

    @cached_property
    def objectives(self) -> tuple[Objective, ...]:
        """What is to be answered of each molecule, each once."""
        every = [aim.objective for aim in self.aims] + [one.objective for one in self.limits]
        return tuple({one.name: one for one in every}.values())

    @property
    def words(self) -> str:
        return ", ".join([aim.words for aim in self.aims] + [one.words for one in self.limits])

    def at(self, objective: Objective) -> int:
        """Where its answers stand."""
        return [one.name for one in self.objectives].index(objective.name)

    def keeps(self, y: Array) -> NDArray[np.bool_]:
        """Which answers (N, J) break no bound and are all numbers, (N,)."""
        kept = [one.kept(y[:, self.at(one.objective)]) for one in self.limits]
        sound: NDArray[np.bool_] = np.logical_and.reduce([np.isfinite(y).all(axis=1), *kept])
        return sound

    def fitness(self, y: Array, spread: Array) -> Array:
        """One number of answers (N, J), (N,); −∞ where one is missing.

        Args:
            y: the answers. spread: their centre and their spread at the start, (2, J).
        """
        z = (y - spread[0]) / spread[1]
        raised = sum(one.sign * z[:, self.at(one.objective)] for one in self.aims)
        total = np.zeros(len(y)) + raised
        for limit in self.limits:
            at = self.at(limit.objective)
            excess = limit.excess(y[:, at]) / spread[1, at]
            total -= np.where(limit.kept(y[:, at]), 0.0, PENALTY + excess)
        return np.where(np.isfinite(y).all(1), total, -np.inf)


def spread(y: Array) -> Array:
    """The median of answers (N, J) and the width of their middle half, (2, J)."""
    sound = y[np.isfinite(y).all(1)]
    if not len(sound):
        raise UserError("no molecule at the start has a number for all that is asked")
    low, middle, high = np.quantile(sound, [0.25, 0.5, 0.75], axis=0)
    wide = np.where(high > low, high - low, sound.std(0))
    return np.stack([middle, np.where(wide > 0, wide, 1.0)])


Known = Callable[[str], Objective]
"""A column of the user's data by its name."""


def objective(text: str, columns: Sequence[str], known: Known) -> Objective:
    """What a user wrote, as an objective.

    Raises:
        UserError: it is nothing that is known.
    """
    column, named = text.removeprefix(COLUMN), text.startswith(COLUMN)
    if text in formulas():
        return Computed(text, formulas()[text])
    if column in columns:
        return known(column)
    if FUNCTION.fullmatch(text) and not named:
        return function(text)
    if " " in text.strip() or Path(text).is_file():
        return Command(text)
    names = [*formulas(), *columns]
    raise UserError(
        f"{text!r} is neither a property ({', '.join(formulas())}) nor a numeric column of the "
        f"data, a module:function or a command; {nearest(text, names)}"
    )


def limit(text: str, columns: Sequence[str], known: Known) -> Limit:
    """A bound such as `logp<5`."""
    match = BOUND.fullmatch(text.strip())
    if match is None:
        raise UserError(f"--where {text!r} should be NAME<NUMBER, NAME<=NUMBER, > or >=")
    return Limit(objective(match[1], columns, known), match[2], float(match[3]))


def similar(text: str) -> Limit:
    """`SMILES:0.4`, as a bound."""
    smiles, colon, least = text.rpartition(":")
    try:
        bound = float(least)
        parsed(smiles)
    except ValueError as error:
        why = error if colon else "there is no colon"
        raise UserError(f"--similar-to {text!r} should be SMILES:SIMILARITY ({why})") from None
    if not 0 < bound <= 1:
        raise UserError(f"--similar-to {text!r}: a similarity is above 0 and at most 1")
    return Limit(Similar(written(smiles)), ">=", bound)
