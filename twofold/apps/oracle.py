"""An oracle that counts: how many distinct molecules were judged, and what it said.

One *call* is one distinct molecule, by its canonical SMILES, whatever is asked of it; asking again
is free and is answered from memory. A search may make so many calls and no more. Where several
searches stand side by side each has its own count, and they share what was answered, so that no
molecule is judged twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from twofold.apps.objectives import Array, Task

Answers = dict[str, tuple[float, ...]]


@dataclass
class Judge:
    """Who answers, and remembers for all searches.

    Args:
        task: what is asked. said: what was answered.
    """

    task: Task
    said: Answers = field(default_factory=dict)

    def __call__(self, smiles: Sequence[str]) -> None:
        """Judge molecules that were not yet."""
        fresh = [one for one in dict.fromkeys(smiles) if one not in self.said]
        columns = [objective(fresh) for objective in self.task.objectives]
        self.said.update(zip(fresh, zip(*columns, strict=True), strict=True))


@dataclass
class Oracle:
    """The calls of one search.

    Args:
        judge: who answers. budget: calls that may be made. asked: molecules, in the order of calls.

    >>> from twofold.apps.objectives import Aim, Computed
    >>> oracle = Oracle(Judge(Task((Aim(Computed("atoms", lambda m: m.GetNumAtoms()), 1),))), 2)
    >>> oracle.ask(["C", "CC", "C", "CCC"])
    >>> list(oracle.asked), oracle.left
    (['C', 'CC'], 0)
    """

    judge: Judge
    budget: int
    asked: dict[str, int] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """Calls that are left."""
        return self.budget - len(self.asked)

    def ask(self, smiles: Iterable[str]) -> None:
        """Have molecules judged, the first ones while calls are left; empty ones are none."""
        fresh = [one for one in dict.fromkeys(smiles) if one and one not in self.asked]
        fresh = fresh[: self.left]
        self.judge(fresh)
        for one in fresh:
            self.asked[one] = len(self.asked) + 1

    def answers(self, smiles: Iterable[str]) -> Array:
        """What was said of molecules that were asked for, (N, J); NaN of others."""
        unknown = (np.nan,) * len(self.judge.task.objectives)
        found = [self.judge.said[one] if one in self.asked else unknown for one in smiles]
        return np.array(found, np.float64).reshape(len(found), len(unknown))
