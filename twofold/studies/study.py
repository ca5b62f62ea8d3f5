"""What a study is: a claim with its protocol, and rows of figures, ours beside the reported ones.

A row is a *bar*, with a target that it holds or not, or a *finding*, which answers a question
either way and has only an interval. Choices are made on validation data, never on the split that is
reported. A file of this package defines one `Study`; its name is the file's, with dashes.
"""

from __future__ import annotations

import json
import math
import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from twofold.core.build import classes_in
from twofold.core.errors import UserError, nearest
from twofold.runs.folder import free

Budget = Literal["smoke", "cpu", "paper"]
BUDGETS: tuple[Budget, ...] = ("smoke", "cpu", "paper")
UNJUDGED = "not judged at this budget"


@dataclass(frozen=True)
class Row:
    """One figure of a study.

    Args:
        measure: what is measured; kind: `bar` or `finding`.
        ours, low, high: the estimate and its 95 % interval over `n` runs or observations.
        split: of the data it is measured on.
        target: what a bar must reach; NaN for a finding.
        reported: the published figure, `source` where; NaN where there is none.
        floor, baseline: real against real, and a simple baseline; NaN where there is none.
        better: which way is good.
    """

    measure: str
    kind: Literal["bar", "finding"]
    ours: float
    low: float
    high: float
    n: int
    split: str
    better: Literal["higher", "lower"]
    target: float = math.nan
    reported: float = math.nan
    source: str = ""
    floor: float = math.nan
    baseline: float = math.nan

    @property
    def holds(self) -> bool | None:
        """Whether a bar reaches its target; a finding neither holds nor fails."""
        if self.kind == "finding":
            return None
        return self.ours >= self.target if self.better == "higher" else self.ours <= self.target

    def words(self, judged: bool = True) -> str:
        """The row as a line: the figure and its interval, the bar, and what was published.

        >>> row = Row("modes", "bar", 7.5, 7, 8, 5, "none", "higher", 8, 8, "Ours et al., Table 1")
        >>> row.words()
        'modes: 7.5 (7 … 8, n 5); bar at least 8: does not hold; reported 8 (Ours et al., Table 1)'
        """
        told = [beside(self), self.bar(judged), reported(self)]
        interval = "" if math.isnan(self.low) else f"{self.low:.4g} … {self.high:.4g}, "
        figure = f"{self.measure}: {self.ours:.4g} ({interval}n {self.n})"
        return "; ".join([figure, *filter(None, told)])

    def bar(self, judged: bool) -> str:
        """What it must reach, and whether it does."""
        if self.kind == "finding":
            return "finding, no bar"
        verdict = {True: "holds", False: "does not hold", None: ""}[self.holds]
        side = {"higher": "at least", "lower": "at most"}[self.better]
        return f"bar {side} {self.target:.4g}: {verdict if judged else UNJUDGED}"


def beside(row: Row) -> str:
    """Its floor and its baseline, as far as there are some."""
    both = {"floor": row.floor, "baseline": row.baseline}
    return ", ".join(f"{name} {one:.4g}" for name, one in both.items() if not math.isnan(one))


def reported(row: Row) -> str:
    """What was published, and where; nothing where nothing was."""
    return "" if math.isnan(row.reported) else f"reported {row.reported:.4g} ({row.source})"


@dataclass(frozen=True)
class Result:
    """What a study found."""

    name: str
    claim: str
    paper: str
    protocol: str
    budget: Budget
    seeds: int
    seconds: float
    rows: tuple[Row, ...]
    date: str = ""
    machine: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, null for what is not a number."""
        rows = [{**asdict(row), "holds": self.holds(row)} for row in self.rows]
        return clean({**asdict(self), "versions": versions(), "rows": rows})

    @property
    def judged(self) -> bool:
        """Whether its figures mean anything: `smoke` only proves that the study runs."""
        return self.budget != "smoke"

    def holds(self, row: Row) -> bool | None:
        """Whether a row reaches its bar, where it has one that is judged."""
        return row.holds if self.judged else None

    def __str__(self) -> str:
        """The rows as text."""
        head = f"{self.name} ({self.budget}, seeds {self.seeds}): {self.claim} ({self.paper})"
        return "\n".join([head, *(f"  {row.words(self.judged)}" for row in self.rows)])


class Study(ABC):
    """A claim that can be run; final classes are default-constructible."""

    claim: ClassVar[str]
    paper: ClassVar[str]
    protocol: ClassVar[str]

    @abstractmethod
    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        """Run the study; `out` is a folder of its own for runs and pictures, to be gone on with."""

    @property
    def name(self) -> str:
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    def run(self, budget: Budget, seeds: int, out: Path) -> Result:
        """Run the study, and write `NAME.BUDGET.json` into `out`."""
        if budget not in BUDGETS:
            raise UserError(f"budget {budget!r} is not known; {nearest(budget, BUDGETS)}")
        out.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        rows = tuple(self.rows(budget, seeds, folder_of(out, self.name, budget)))
        seconds = round(time.monotonic() - started, 1)
        date = datetime.now(UTC).date().isoformat()
        texts = (self.claim, self.paper, self.protocol)
        result = Result(self.name, *texts, budget, seeds, seconds, rows, date, machine())
        text = json.dumps(result.to_dict(), indent=1, ensure_ascii=False)
        (out / f"{self.name}.{budget}.json").write_text(text + "\n", encoding="utf-8")
        return result


def folder_of(out: Path, name: str, budget: Budget) -> Path:
    """Where a study keeps its runs.

    `paper` goes on with those of an earlier call, `cpu` with those of a call that did not come to
    its result; `smoke` and all else begin anew.
    """
    folder = out / f"{name}.{budget}"
    ended = folder.with_name(f"{folder.name}.json").is_file()
    goes_on = budget == "paper" or (budget == "cpu" and not ended)
    return folder if goes_on else free(folder)


def studies() -> dict[str, str]:
    """The studies by name, each with its claim."""
    return {name: every_study()[name].claim for name in every_study()}


def study(name: str) -> Study:
    """A study by name."""
    known = every_study()
    if name not in known:
        raise UserError(f"there is no study {name!r}; {nearest(name, known)}")
    return known[name]


def every_study() -> dict[str, Study]:
    """One of each study in this package."""
    found = [make() for make in classes_in("twofold.studies", Study)]
    return {one.name: one for one in sorted(found, key=lambda s: s.name)}


def versions() -> dict[str, str]:
    """What computed it."""
    import numpy
    import torch

    from twofold import __version__

    return {
        "twofold": __version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }


def machine() -> str:
    """The machine in plain words."""
    import torch

    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return f"{platform.machine()} {where}, {torch.get_num_threads()} threads, {platform.system()}"


def clean(thing: Any) -> Any:
    """Plain data with null for what is not a number."""
    if isinstance(thing, dict):
        return {k: clean(v) for k, v in thing.items()}
    if isinstance(thing, list | tuple):
        return [clean(item) for item in thing]
    return None if isinstance(thing, float) and not math.isfinite(thing) else thing
