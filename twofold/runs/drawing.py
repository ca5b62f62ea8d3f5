"""Draws that a user asks for: some fields known, and nothing that breaks a constraint.

What is asked of a draw is a condition where the model was trained with it as one. Any other field
of a row (no image, no series) may be asked as well: by importance sampling of the code where the
model has a likelihood (`maths/partly.py`), else by drawing rows until enough of them are as asked,
which is slow where that is rare; how slow is said. Rows that break a constraint of the table, and
SMILES that are no molecule, are drawn again, and how many is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from twofold.core.errors import UserError, nearest
from twofold.core.space import Space
from twofold.data.kind import Kind
from twofold.data.sources import Rows
from twofold.maths.partly import Asked, Partly, partly
from twofold.runs.conditions import Asker

if TYPE_CHECKING:
    from twofold.runs.run import Run

Draw = Callable[[int, int], "Drawn"]
"""How n rows are drawn, and with which seed."""
TRIED = 200
"""Rows that are drawn in vain for one that is kept, at most."""
FEW = 16
"""Rows kept, of fewer of which nothing is concluded."""
AT_ONCE = 4096
RARE = 0.02
"""A share of equal draws among weighted ones below which it is said that they are few."""
CLOSE = 1e-5
"""Of two numbers in their own units of spread that are the same."""


@dataclass(frozen=True)
class Drawn:
    """Rows, and what is to be said of how they were drawn."""

    rows: Rows
    said: tuple[str, ...] = ()


def divided(run: Run, asked: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is asked, as conditions that the model was trained with, and as fields of a row."""
    own = [] if run.space.axes else [field.name for field in run.space.fields]
    names = [*(field.name for field in run.given.fields), *own]
    for name in asked:
        if name not in names:
            hint = nearest(name, names)
            raise UserError(f"{name!r} is not something this run can be given; {hint}")
    fields = {name: value for name, value in asked.items() if name in own}
    return {name: value for name, value in asked.items() if name not in fields}, fields


def asked_rows(run: Run, n: int, fields: Mapping[str, Any]) -> tuple[Tensor, list[str]]:
    """What is asked of the fields of n rows, (n, F), NaN elsewhere; and the names of those."""
    values = Asker(run.kind, run.vector, run.space.fields)(n, fields)
    known = ~values.isnan()
    if (known.any(0) & ~known.all(0)).any():
        raise UserError(
            "a column that is asked for has no value in some rows; leave those out, or ask for "
            "them in another call"
        )
    return values, [f.name for f, one in zip(run.space.fields, known.all(0), strict=True) if one]


def of_fields(run: Run, n: int, asked: Mapping[str, Any], seed: int, plain: Draw) -> Drawn:
    """n rows in which some fields are as asked.

    Args:
        run: the run. n: how many. asked: conditions, and values of fields, by name. seed: of all.
        plain: how rows are drawn when no field is asked, under the same conditions.
    """
    told, fields = divided(run, asked)
    values, names = asked_rows(run, n, fields)
    for way in partly(run.model, run.space, run.given):
        return weighed(run, way, values, names, told, seed)
    return awaited(run.space, run.kind.settled, values, names, plain, seed)


def weighed(
    run: Run,
    way: Partly,
    values: Tensor,
    names: list[str],
    told: Mapping[str, Any],
    seed: int,
) -> Drawn:
    """By importance sampling of the code."""
    n, k = len(values), way.draws
    rows = torch.arange(n).repeat_interleave(k)
    conditions = run.conditions(n, told, seed)[rows] if told else run.usual(n * k, seed)
    x, known, effective = [], [], []
    for part in torch.arange(n).split(max(1, run.chunk // k)):
        here = conditions[int(part[0]) * k : (int(part[-1]) + 1) * k]
        made = way(Asked.of(run.space, values[part], names), run.known(here))
        x.append(made.x)
        known.append(here[made.rows])
        effective.append(made.effective)
    share = float(torch.cat(effective).mean()) / k
    drawn = run.space.decode(torch.cat(x))
    asked = torch.tensor([field.name in names for field in run.space.fields])
    drawn = torch.where(asked, values, drawn)  # as it was asked, to the bit
    text = (
        f"{', '.join(names)} by importance sampling: {k} draws of the code a row, worth "
        f"{share * k:.0f} equal ones on average"
        + (
            "; what is asked for is rare, or unlike anything the model knows"
            if share < RARE
            else ""
        )
    )
    return Drawn(Rows(drawn, torch.cat(known)), (text,))


def awaited(
    space: Space,
    settled: Callable[[Rows], Rows],
    values: Tensor,
    names: list[str],
    plain: Draw,
    seed: int,
) -> Drawn:
    """By drawing until enough rows are as asked: the last resort."""
    asked = torch.tensor([field.name in names for field in space.fields])
    left, kept, drawn = torch.arange(len(values)), dict[int, tuple[Tensor, Tensor]](), 0
    while len(left):
        if drawn > TRIED * max(AT_ONCE, len(values)):
            raise UserError(
                f"of {drawn:,} rows drawn, {len(kept):,} were as asked in {', '.join(names)}; "
                "train with those columns as data.given, or use a model with a likelihood"
            )
        some = plain(AT_ONCE, seed + 1 + drawn // AT_ONCE).rows
        drawn += len(some)
        seen = settled(some).values
        for row, given, shown in zip(some.values, some.given, seen, strict=True):
            fits = alike(values[left], shown)[:, asked].all(1).nonzero()[:1, 0]
            for at in fits.tolist():
                number = int(left[at])
                kept[number] = (torch.where(asked, values[number], row), given)
                left = torch.cat([left[:at], left[at + 1 :]])
            if not len(left):
                break
    rows = [kept[i] for i in range(len(values))]
    text = (
        f"{', '.join(names)} by drawing until it fits, as this model has no likelihood: "
        f"{len(values):,} of {drawn:,} rows were kept"
    )
    given = torch.stack([given for _, given in rows])
    return Drawn(Rows(torch.stack([row for row, _ in rows]), given), (text,))


def alike(values: Tensor, row: Tensor) -> Tensor:
    """Which values (N, F) are those of a row (F,)."""
    return (values - row).abs() <= CLOSE * (1 + row.abs())


def unbroken(n: int, seed: int, draw: Draw, kind: Kind, alike: bool) -> Drawn:
    """n rows of which none is broken: those that are are drawn again.

    Args:
        n: how many. seed: of the draw. draw: how rows are drawn. kind: what says which are broken.
        alike: whether a row may stand in any place, the same being asked of all.

    Raises:
        UserError: hardly any row is kept.
    """
    first = draw(n, seed)
    rows, drawn, turn = first.rows, n, 0
    bad = kind.broken(rows)
    count = int(bad.sum())
    while bad.any():
        kept, turn = n - int(bad.sum()), turn + 1
        if drawn > TRIED * max(kept, min(n, FEW)):
            raise UserError(
                f"{kept:,} of {n:,} rows are there after {drawn:,} draws: all others {kind.fault}; "
                "train for longer, or ask for something else"
            )
        fresh = draw(n - kept if alike else n, seed + 7919 * turn).rows
        drawn += len(fresh)
        rows, bad = mended(rows, bad, fresh, ~kind.broken(fresh), alike)
    text = f"{count:,} of {n:,} draws {kind.fault}, and were drawn again until none was left"
    text += f": {drawn:,} draws in all" if drawn > n else ""
    return Drawn(rows, (*first.said, text)) if count else first


def mended(rows: Rows, bad: Tensor, fresh: Rows, good: Tensor, alike: bool) -> tuple[Rows, Tensor]:
    """Rows whose bad ones, (B,), are good fresh ones, as far as these go; and what is bad yet."""
    here = good.nonzero()[:, 0] if alike else (bad & good).nonzero()[:, 0]
    there = bad.nonzero()[: len(here), 0] if alike else here  # each where it was asked for
    values, given, left = rows.values.clone(), rows.given.clone(), bad.clone()
    values[there], given[there], left[there] = fresh.values[here], fresh.given[here], False
    return Rows(values, given), left
