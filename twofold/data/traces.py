"""Where in a file observations are: the row that an editor counts, the time, the series.

>>> trace = Trace({"row": ["2", "3", "4"]}, torch.tensor([0, 1]), 2)
>>> trace.columns(), trace.span(1, 0, 1)
({'row': ['2', '3'], 'last_row': ['3', '4']}, {'row': '3', 'last_row': '3'})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Trace:
    """Windows of steps, each of which has its place in a file.

    Args:
        cells: what is known of every step, by name: `series`, `row`, `time`, as far as the file
            tells; without any, observations are known by their numbers.
        starts: the first step of each window, (N,). length: steps of a window.
    """

    cells: Mapping[str, Sequence[str]] = field(default_factory=dict)
    starts: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.long))
    length: int = 1

    def of(self, rows: Tensor) -> Trace:
        """Some of the windows."""
        return replace(self, starts=self.starts[rows]) if self.cells else self

    def span(self, window: int, start: int, end: int) -> dict[str, str]:
        """From which place to which some steps of a window are, the last one included."""
        first = int(self.starts[window]) + start if self.cells else 0
        found = {}
        for name, texts in self.cells.items():
            found[name] = texts[first]
            if name != "series":
                found[f"last_{name}"] = texts[first + end - start - 1]
        return found

    def columns(self) -> dict[str, list[str]]:
        """Where each whole window is, column by column."""
        every = [self.span(i, 0, self.length) for i in range(len(self.starts))]
        return {name: [one[name] for one in every] for name in (every[0] if every else {})}

    def names(self) -> list[str]:
        """What each window is called: its series, its first time, its first row."""
        marks = {"series": "{}", "time": "{}", "row": "row {}"}
        return [
            " ".join(
                marks[name].format(self.cells[name][start])
                for name in marks
                if name in self.cells and self.cells[name][start]
            )
            for start in (self.starts.tolist() if self.cells else [])
        ]
