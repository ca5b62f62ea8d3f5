"""Write docs/speed.md from the results of the benchmarks.

python benchmarks/table.py
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import RESULTS

PAGE = Path(__file__).parents[1] / "docs" / "speed.md"
ORDER = ("loop", "pythae_speed", "time_to_elbo", "nll", "gan_loop", "memory", "startup")
HEAD = """# Speed

Ratios, each of two sides that did the same work in one run: they take turns, and a figure is the
median over rounds of one side's time by the other's, with the least and greatest round in
brackets. Times are the processor's, of one thread unless it is said otherwise. pythae 0.1.2 is
the peer, with its own trainer, in an environment of its own, beside the same PyTorch. This page
is written by `python benchmarks/table.py` from what the programs in `benchmarks/` measured; each
says in its first lines what it compares and how to run it.
"""
COLUMNS = """| comparison | Twofold | the other side | figure | bar | |
| --- | --- | --- | --- | --- | --- |"""
Result = Mapping[str, Any]


def section(result: Result) -> str:
    """A benchmark: what it measures, its table, the machine."""
    rows = "\n".join(line(row) for row in result["rows"])
    parts = [f"## {result['title']}", result["protocol"], f"{COLUMNS}\n{rows}", *notes(result)]
    return "\n\n".join([*parts, *curves(result), machine(result)])


def line(row: Result) -> str:
    """A row of the table."""
    unit = row["unit"]
    sides = (f"{row[side]:.3g} {unit}" for side in ("ours", "theirs"))
    sign = "≤" if row["better"] == "lower" else "≥"
    bar = f"{sign} {row['target']:g}{f' {unit}' if row['absolute'] else ''}"
    verdict = "holds" if row["holds"] else "**missed**"
    return f"| {' | '.join([row['what'], *sides, figure(row), bar, verdict])} |"


def figure(row: Result) -> str:
    """The median and its range."""
    ratio = row["ratio"]
    middle, low, high = (f"{ratio[key]:.2f}" for key in ("middle", "low", "high"))
    after = f" {row['unit']}" if row["absolute"] else " ×"
    return f"{middle}{after} ({low}–{high}, {ratio['rounds']} rounds)"


def notes(result: Result) -> list[str]:
    """What else was found, a line a comparison."""
    said = [f"- {row['what']}: {row['note']}." for row in result["rows"] if row["note"]]
    return ["\n".join(said)] if said else []


def curves(result: Result) -> list[str]:
    """Both curves of the first race, an epoch a row."""
    return [curve(race) for race in result.get("curves", [])[:1]]


def curve(race: Result) -> str:
    head = "| epoch | pythae | ELBO | Twofold | ELBO |\n| --- | --- | --- | --- | --- |"
    ours, theirs = race["ours"], race["theirs"]
    cells = [f"{s:.0f} s | {e:.2f}" for s, e in ours] + [" | "] * (len(theirs) - len(ours))
    lines = [
        f"| {n} | {s:.0f} s | {e:.2f} | {cell} |"
        for n, ((s, e), cell) in enumerate(zip(theirs, cells, strict=True), 1)
    ]
    return "\n".join([head, *lines])


def machine(result: Result) -> str:
    at = result["machine"]
    native = "with" if at["bfloat16"] else "without"
    return (
        f"Measured on {result['date']}: {at['processor']}, {at['cores']} cores {native} native "
        f"bfloat16, {at['threads']} thread, load {at['load']}; Python {at['python']}, "
        f"PyTorch {at['torch']}."
    )


def main() -> None:
    found = [path for name in ORDER if (path := RESULTS / f"{name}.json").is_file()]
    sections = [section(json.loads(path.read_text())) for path in found]
    PAGE.write_text("\n".join([HEAD, *(f"{part}\n" for part in sections)]))


if __name__ == "__main__":
    main()
