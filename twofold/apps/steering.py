"""Codes moved along directions that were learnt: edits of observations, of codes, of fresh draws.

A strength is in standard deviations of the codes along the direction, so that 3 is as far as codes
go. Directions that are held still take their part out of each that moves (see `maths/axes.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from twofold.apps import projecting
from twofold.apps.cells import cells
from twofold.apps.discovering import codes_of
from twofold.apps.editing import ALL, Edited
from twofold.core.errors import UserError
from twofold.core.game import Encodes
from twofold.data.sources import Rows
from twofold.runs.codes import Codes, decoded, space_of
from twofold.runs.learnt import Learnt, by_name, fresh, pushed
from twofold.runs.run import Run
from twofold.train.chance import seed_all

STRENGTHS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""What a sheet shows, in deviations."""
SHOWN = 6
"""Rows of a sheet."""
STEPS = 200
"""Of a projection, where there is no encoder."""


@dataclass(frozen=True)
class Push:
    """A direction, and how far to move along it."""

    along: Learnt
    strength: float

    @property
    def words(self) -> str:
        return f"{self.along.name} {self.strength:+g}"


def pushes(run: Run, found: Sequence[Learnt], words: Sequence[str], strength: float) -> list[Push]:
    """What is asked for by `NAME` or `NAME:STRENGTH`, checked."""
    return [push(run, found, text, strength) for text in words]


def push(run: Run, found: Sequence[Learnt], text: str, strength: float) -> Push:
    """One of them."""
    name, colon, number = text.rpartition(":")
    if not colon:
        return Push(fresh(run, by_name(found, text)), strength)
    try:
        return Push(fresh(run, by_name(found, name)), float(number))
    except ValueError:
        raise UserError(f"--direction {text}: {number!r} should be a number") from None


def held_still(found: Sequence[Learnt], keep: Sequence[str], moved: Sequence[Push]) -> list[Learnt]:
    """The directions to hold still, or all others of the same spaces."""
    moving = {one.along.name for one in moved}
    spaces = {one.along.space for one in moved}
    names = [one.name for one in found if one.space in spaces] if ALL in keep else keep
    return [by_name(found, name) for name in names if name not in moving]


def steer(
    run: Run, seen: Rows, codes: Codes, moved: Sequence[Push], still: Sequence[Learnt]
) -> Edited:
    """Codes decoded as they are and moved along some directions, those of z first."""
    before = decoded(run, codes)
    for one in sorted(moved, key=lambda one: one.along.space, reverse=True):
        codes = pushed(run, codes, one.along, one.strength, still)
    return Edited(seen, before, decoded(run, codes), "direction")


def codes_for(run: Run, seen: Rows, moved: Sequence[Push], seed: int) -> tuple[Codes, list[str]]:
    """The codes of observations: of an encoder, or by projection, which is said."""
    blind = any(one.along.blind for one in moved)
    styles = all(one.along.space == "w" for one in moved)
    if isinstance(run.model, Encodes):
        return codes_of(run, seen, blind), []
    asked = projecting.Asked("w" if styles else "z", STEPS, seed=seed)
    known = Rows(seen.values, torch.full_like(seen.given, torch.nan)) if blind else seen
    made = projecting.project(run, known, asked)
    far = float(made.residual.mean())
    words = f"there is no encoder: projected into {asked.space}, {STEPS} steps, residual {far:.3g}"
    return made.codes, [f"{words}; twofold project takes more"]


def draws(run: Run, n: int, moved: Sequence[Push], seed: int) -> Codes:
    """Fresh codes of z."""
    run.room_for(n)
    seed_all(torch.device("cpu"), seed)
    given = run.conditions(n, {}, seed)
    with torch.no_grad():
        codes = Codes("z", space_of(run, "z").draw(run.known(given)), given)
    return codes.blind if any(one.along.blind for one in moved) else codes


def sheet(run: Run, codes: Codes, one: Learnt) -> tuple[Rows, list[str]]:
    """Some rows, each at `STRENGTHS`, row after row; and a name for each."""
    some = codes[:SHOWN]
    every = [decoded(run, pushed(run, some, one, strength)) for strength in STRENGTHS]
    values, given = (
        torch.stack([getattr(rows, part) for rows in every], 1).flatten(0, 1)
        for part in ("values", "given")
    )
    return Rows(values, given), [f"row {i + 1}" for i in range(len(some))]


def steps(run: Run, rows: Rows, names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """A sheet of rows without axes as a table: the row, its strength, and its columns."""
    own = cells(run, rows)
    heads = [[name, f"{strength:g}"] for name in names for strength in STRENGTHS]
    lines = zip(heads, zip(*own.values(), strict=True), strict=True)
    return ["row", "strength", *own], [[*head, *line] for head, line in lines]
