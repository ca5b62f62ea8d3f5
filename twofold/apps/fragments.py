r"""Draws of molecules that contain a fragment, or begin with one.

*Containing*: draws are made until enough of them have the fragment as a substructure; what comes is
a draw of $p(x \mid \text{x contains it})$, exactly, and the share of draws that did is told, for
it is what the model makes of the fragment by itself. *Beginning*: the tokens of the fragment, in
the order in which it is written, stand before those that are drawn, so that the rest grows from its
last atom. A model without a latent then draws exactly from $p(\text{rest} \mid \text{beginning})$;
one with a latent draws its code without knowing of the fragment. What follows may close a ring into
the fragment: the share that contains it is told as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch

from twofold.core.errors import UserError
from twofold.data.kinds.molecules import Molecules
from twofold.data.sources import Rows
from twofold.maths.chemistry import Unreadable, parsed, rdkit, tokens
from twofold.nets.sequences import beginning
from twofold.runs.drawing import Draw, Drawn
from twofold.runs.run import Run

SMARTS = re.compile(r"[~!,;&$*]|\[[^\]]*#")
MOST = 200
"""Draws for each molecule that is wanted, at most."""


@dataclass(frozen=True)
class Wanted:
    """What draws should have.

    Args:
        containing: a fragment as SMILES or SMARTS. begin: one as SMILES; either may be empty.
    """

    containing: str = ""
    begin: str = ""

    def __bool__(self) -> bool:
        return bool(self.containing or self.begin)


def drawn(run: Run, wanted: Wanted, n: int, seed: int, draw: Draw) -> Drawn:
    """n draws that have what is wanted, and how many draws that took.

    Raises:
        UserError: the run is not of molecules, or has not the tokens.
    """
    kind = run.kind
    if not isinstance(kind, Molecules):
        raise UserError(f"--containing and --begin are for molecules, not for {kind.name}")
    with beginning(run.model, opening(kind, wanted.begin)):
        if wanted.containing:
            return found(kind, wanted, n, seed, draw)
        made = draw(n, seed)
    rows, pattern = made.rows, pattern_of(wanted.begin)
    many = sum(has(one, pattern) for one in kind.molecules(rows.values))
    said = f"{many:,} of {n:,} draws that begin with {wanted.begin} contain it ({many / n:.1%})"
    return Drawn(rows, (*made.said, said))


def found(kind: Molecules, wanted: Wanted, n: int, seed: int, draw: Draw) -> Drawn:
    """Draws until n contain the fragment, or there were too many."""
    pattern, kept, tried, turn = pattern_of(wanted.containing), list[Rows](), 0, 0
    while sum(map(len, kept)) < n and tried < MOST * n:
        rows = draw(max(n, 100), (seed << 16) + turn).rows
        there = torch.tensor([has(one, pattern) for one in kind.molecules(rows.values)])
        kept.append(Rows(rows.values[there], rows.given[there]))
        tried, turn = tried + len(rows), turn + 1
    many = sum(map(len, kept))
    if not many:
        raise UserError(
            f"none of {tried:,} draws contains {wanted.containing}; try --begin, a fragment that "
            "the data have, or --given"
        )
    values, given = (torch.cat([getattr(one, k) for one in kept])[:n] for k in ("values", "given"))
    rate = f"{many:,} of {tried:,} draws contain {wanted.containing} ({many / tried:.2%})"
    short = () if many >= n else (f"{many:,} were found of {n:,} that were asked for",)
    return Drawn(Rows(values, given), (rate, *short))


def opening(kind: Molecules, begin: str) -> tuple[int, ...]:
    """The tokens of a beginning, in the order in which it is written."""
    if not begin:
        return ()
    try:
        parsed(begin)
        cut = tokens(kind.form, begin)
    except Unreadable as error:
        raise UserError(f"--begin {begin}: {error}") from None
    kind.fits_one(f"--begin {begin}", cut)
    return tuple(kind.words.place[one] for one in cut)


def pattern_of(fragment: str) -> Any:
    """A fragment as what is looked for: SMILES, or SMARTS where it has what these alone mean.

    Raises:
        UserError: it is neither.

    >>> has("Cn1ccc2ccccc21", pattern_of("c1ccc2[nH]ccc2c1")), has("CN", pattern_of("[#6]~[#7]"))
    (True, True)
    """
    read = rdkit().MolFromSmarts if SMARTS.search(fragment) else rdkit().MolFromSmiles
    made = read(fragment)
    if made is None or not made.GetNumAtoms():
        raise UserError(f"{fragment!r} is neither SMILES nor SMARTS of a fragment")
    return made


def has(smiles: str, pattern: Any) -> bool:
    """Whether a molecule has a fragment; what is no molecule has none."""
    return bool(smiles) and bool(rdkit().MolFromSmiles(smiles).HasSubstructMatch(pattern))
