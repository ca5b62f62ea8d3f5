"""A number of each observation by its name, to colour a map by.

Of any data it is what is given or a field of a row; of molecules any numeric column of the file
too, or a property that RDKit computes (`apps/objectives.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor

from twofold.apps.objectives import Computed, column, formulas
from twofold.core.errors import UserError, nearest
from twofold.core.space import Category, Space
from twofold.data.doctor import fitting
from twofold.data.kind import Where
from twofold.data.kinds.molecules import Molecules
from twofold.data.sources import whole
from twofold.runs.run import Run


def numbers(run: Run, where: Where, name: str) -> Tensor:
    """A number an observation, (N,); NaN where there is none.

    Raises:
        UserError: these data have no such number.
    """
    if isinstance(run.kind, Molecules):
        return of_molecules(run.kind.lenient(), where, name)
    source = run.source(where)
    if name in single(run.given):
        return source.labels()[:, single(run.given)[name]]
    fields = {} if run.space.axes else single(run.space)
    if name in fields:
        return whole(source).values[:, fields[name]]
    known = [*single(run.given), *fields]
    raise UserError(f"{name!r} is no number of these data; {nearest(name, known)}")


def single(space: Space) -> dict[str, int]:
    """The place of each field that is one number, by name."""
    found, at = {}, 0
    for field in space.fields:
        if field.size == 1 and not isinstance(field.domain, Category):
            found[field.name] = at
        at += field.size
    return found


def of_molecules(kind: Molecules, where: Where, name: str) -> Tensor:
    """A column of their file, or a property."""
    read = kind.sheet(fitting(where, kind).where)
    if name in read.frame.names:
        return torch.from_numpy(column(read, name))
    if name in formulas():
        return torch.tensor(Computed(name, formulas()[name])(read.smiles))
    known = [*read.frame.names, *formulas()]
    raise UserError(f"{name!r} is no column and no property; {nearest(name, known)}")
