"""Answers on the terminal: tables for people, JSON for programs, both on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from twofold.core.plain import plain
from twofold.core.words import STEERS, harmless


def as_json(thing: Any) -> None:
    """Print a thing as JSON, null for what is not a number."""
    text = json.dumps(plain(thing), indent=1, ensure_ascii=False)
    print(STEERS.sub(lambda one: one[0] if one[0] == "\n" else f"\\u{ord(one[0]):04x}", text))


def say(thing: object, file: TextIO | None = None) -> None:
    """Print a thing in words; nothing of the user's data in it reaches the terminal but as text."""
    print(harmless(str(thing), but="\n\t"), file=file)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], whole: Sequence[str] = ()) -> None:
    """Print rows under headings; as wide as the terminal, plain where there is none.

    Args:
        whole: columns besides the first whose cells stay on one line.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    unbroken = (columns[0], *whole)  # names are read, searched and typed again
    heads = [Column(harmless(name), no_wrap=name in unbroken) for name in columns]
    made = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        made.add_row(*map(harmless, row))
    console = Console()
    console.width = max(console.width, 100)
    console.print(made, highlight=False, markup=False)


def figures(found: Sequence[Any], refused: Mapping[str, str] = {}) -> None:
    """Print figures with their intervals, floors and baselines, where any has one."""
    from twofold.measures.figures import Figures

    table(*Figures(found).table(), ("95 % interval",))
    for name, reason in refused.items():
        say(f"  {name}: not measured, {reason}")


def games(path: Path) -> None:
    """Say on standard error what the written measures say of a game of critic and generator."""
    for game in json.loads(path.read_text()).get("games", []):
        say(game["said"], file=sys.stderr)


def absent(path: Path, named: Sequence[str]) -> None:
    """Say on standard error why the written measures lack some that were named."""
    refused = json.loads(path.read_text()).get("refused", {})
    for name in [name for name in named if name in refused]:
        say(f"{name} does not apply: {refused[name]}", file=sys.stderr)
