"""Whose a row is, so that a split keeps the rows of one patient together.

Two pictures of one patient, or beats of one record, are alike: a model that trained on one of them
knows the other, and every figure on it flatters. Names say whose a row is: whole, or the part of
them that a pattern finds.

>>> numbered(["p1_a.png", "p1_b.png", "p2_a.png"], r"(p\\d+)_").tolist()
[0, 0, 1]
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from twofold.core.errors import UserError


def numbered(names: Sequence[str], pattern: str) -> Tensor:
    """A number for the patient of each name, (N,), in the order in which they come.

    Args:
        pattern: a regular expression that is searched for in a name; its first group, or all that
            it finds, is the patient. The whole name where it is empty, or finds nothing.
    """
    numbers: dict[str, int] = {}
    each = [numbers.setdefault(patient(name, pattern), len(numbers)) for name in names]
    return torch.tensor(each, dtype=torch.long)


def patient(name: str, pattern: str) -> str:
    """Whose a name is."""
    found = re.search(pattern, name) if pattern else None
    if not found:
        return name
    return found[1] if found.re.groups else found[0]


def check(names: Sequence[str], pattern: str) -> None:
    """Refuse a pattern that is none, or that does not find a patient in every name."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise UserError(f"data.patient = {pattern!r} is no regular expression: {error}") from None
    for name in names:
        if not re.search(pattern, name):
            raise UserError(f"data.patient = {pattern!r} finds nothing in {name!r}; change it")
