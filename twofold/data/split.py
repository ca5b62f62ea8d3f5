"""Which rows train, which validate, which test: a pure function of the data and a seed.

By shares: rows are shuffled by the seed, sorted by label, and taken at even distances, so that
every label is divided in the same shares, to within one row. A label that is seen once trains. With
groups (patients, speakers), whole groups go to one part. In order (series), the first rows train
and the last test. The publisher's own split wins over all of this; what it lacks is cut from its
training rows, by groups where there are any.

>>> split(10, validation=0.2, test=0.1).sizes
{'train': 7, 'validation': 2, 'test': 1}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.ranges import Seed
from twofold.core.space import Category, Space
from twofold.core.words import plural
from twofold.data.kind import Finding

NOTHING: Mapping[str, Tensor] = MappingProxyType({})
NO_ROWS = torch.zeros(0, dtype=torch.long)


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, sorted, and what is worth saying of them."""

    train: Tensor
    validation: Tensor
    test: Tensor
    findings: tuple[Finding, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """How many rows each part has."""
        return {part: len(getattr(self, part)) for part in ("train", "validation", "test")}


def split(
    rows: int,
    *,
    validation: float = 0.1,
    test: float = 0.1,
    seed: Seed = 0,
    labels: Tensor = NO_ROWS,
    groups: Tensor = NO_ROWS,
    ordered: bool = False,
    gap: int = 0,
    official: Mapping[str, Tensor] = NOTHING,
) -> Split:
    """Divide `rows` rows.

    Args:
        rows: how many there are.
        validation, test: shares of all rows (of the official training rows where there are such).
        seed: of the shuffle.
        labels: (N,) of which every label is divided in the same shares; empty for none.
        groups: (N,) of which every group stays whole; wins over labels; where every row has its
            own, or it is empty, there are none.
        ordered: the first rows train, the last test.
        gap: rows left out between ordered parts, so that windows that overlap do not straddle.
        official: row numbers of a given split, by part.
    """
    if min(validation, test) < 0 or validation + test >= 1:
        raise UserError(
            f"data.split.validation = {validation} and data.split.test = {test} leave nothing to "
            f"train on; their sum must be below 1"
        )
    if official:
        return from_official(rows, official, validation, test, seed, labels, groups)
    if rows < 3:
        return undivided(rows, f"{plural(rows, 'row', 'are')} too few to divide")
    held, tested = round_up(rows, validation), round_up(rows, test)
    if ordered:
        return in_order(rows, held, tested, gap)
    if len(groups) and len(groups.unique()) < rows:
        return by_group(groups, held, tested, seed)
    return by_label(labels if len(labels) else torch.zeros(rows), held, tested, seed)


def undivided(rows: int, why: str) -> Split:
    """Every row in every part, said so."""
    every = torch.arange(rows)
    text = f"{why}: all rows train, validate and test, so measures flatter the model"
    return Split(every, every, every, (Finding("warning", text),))


def round_up(rows: int, share: float) -> int:
    """The nearest number of rows to a share, one at least unless the share is zero."""
    return max(1, round(rows * share)) if share else 0


def shuffled(rows: int, seed: int) -> Tensor:
    """A permutation that only the seed decides."""
    return torch.randperm(rows, generator=torch.Generator().manual_seed(seed))


def evenly(rows: int, taken: int) -> Tensor:
    """`taken` of `rows` positions at even distances, as a mask.

    >>> evenly(5, 2).tolist()
    [False, True, False, True, False]
    """
    edge = (torch.arange(rows + 1) * taken + rows // 2) // max(rows, 1)
    return edge[1:] > edge[:-1]


def by_label(labels: Tensor, validation: int, test: int, seed: int) -> Split:
    """Every label in the same shares; labels that are seen once train."""
    _, label, counts = labels.nan_to_num(-1).unique(return_inverse=True, return_counts=True)
    order = shuffled(len(labels), seed)
    order = order[label[order].argsort(stable=True)]
    free = order[counts[label[order]] > 1]
    if len(free) < validation + test + 1:  # nearly every label is seen once: they cannot all train
        free = shuffled(len(labels), seed)
    chosen = evenly(len(free), test)
    tested, rest = free[chosen], free[~chosen]
    validated = rest[evenly(len(rest), validation)]
    return parts(len(labels), validated, tested)


def parts(rows: int, validation: Tensor, test: Tensor) -> Split:
    """The rest trains."""
    train = torch.ones(rows, dtype=torch.bool)
    train[validation] = train[test] = False
    return Split(train.nonzero()[:, 0], validation.sort().values, test.sort().values)


def by_group(groups: Tensor, validation: int, test: int, seed: int) -> Split:
    """Whole groups, in shuffled order: the first test, the next validate, the rest train."""
    _, group, counts = groups.unique(return_inverse=True, return_counts=True)
    if len(counts) < 3:
        return undivided(len(groups), f"{len(counts)} groups are too few to divide")
    order = shuffled(len(counts), seed)
    middle = counts[order].cumsum(0) - counts[order] / 2
    part = torch.zeros(len(counts), dtype=torch.long)
    part[order[middle < test + validation]] = 1
    part[order[middle < test]] = 2
    for number, wanted in ((2, test), (1, validation)):  # each part that is asked for gets a group
        if wanted and not (part == number).any():
            part[order[2 - number]] = number
    if not (part == 0).any():
        part[order[-1]] = 0
    of = part[group]
    train, held, tested = ((of == number).nonzero()[:, 0] for number in range(3))
    return Split(train, held, tested)


def in_order(rows: int, validation: int, test: int, gap: int) -> Split:
    """The first rows train, the next validate, the last test."""
    last = rows - test
    middle = last - (gap if test else 0)
    first = middle - validation
    end = first - (gap if validation else 0)
    if end < 1:
        raise UserError(f"{rows} rows with gaps of {gap} leave nothing to train on; reduce either")
    every = torch.arange(rows)
    return Split(every[:end], every[first:middle], every[last:])


def from_official(
    rows: int,
    official: Mapping[str, Tensor],
    validation: float,
    test: float,
    seed: int,
    labels: Tensor,
    groups: Tensor,
) -> Split:
    """The publisher's parts; those it lacks are cut from its training rows."""
    taken = torch.zeros(rows, dtype=torch.bool)
    for part in ("validation", "test"):
        taken[official.get(part, NO_ROWS)] = True
    train = official.get("train", (~taken).nonzero()[:, 0])
    if not len(train):
        raise UserError("the data's own split has no rows to train on; move some there")
    shares = {"validation": validation, "test": test}
    lack = {part: 0.0 if part in official else share for part, share in shares.items()}
    if not any(lack.values()):
        inner = Split(torch.arange(len(train)), NO_ROWS, NO_ROWS)
    else:
        own, of = (each[train] if len(each) else NO_ROWS for each in (labels, groups))
        inner = split(
            len(train),
            validation=lack["validation"],
            test=lack["test"],
            seed=seed,
            labels=own,
            groups=of,
        )
    found = {part: official.get(part, train[getattr(inner, part)]) for part in shares}
    text = f"the data's own split is kept: {', '.join(sorted(official))}"
    notes = (Finding("note", text), *parted(groups, official), *inner.findings)
    return Split(train[inner.train], **found, findings=notes)


def parted(groups: Tensor, official: Mapping[str, Tensor]) -> list[Finding]:
    """What to say where the publisher's own parts share a group."""
    if not len(groups):
        return []
    every = torch.cat([groups[rows].unique() for rows in official.values()])
    shared = int((every.unique(return_counts=True)[1] > 1).sum())
    text = f"{shared:,} patients or groups are in several parts of it, so that figures flatter"
    return [Finding("warning", text)] if shared else []


def only(made: Split, normal: Tensor) -> Split:
    """The same split, in which rows that are not normal (N,) neither train nor validate.

    >>> kept = only(split(10, validation=0.2, test=0.2), torch.arange(10) != 3)
    >>> 3 in kept.train.tolist() + kept.validation.tolist()
    False
    """
    train, validation = (rows[normal[rows]] for rows in (made.train, made.validation))
    gone = len(made.train) + len(made.validation) - len(train) - len(validation)
    if not len(train):
        raise UserError("data.split.normal leaves no row to train on; name a label that occurs")
    are = "is" if gone == 1 else "are"
    text = f"{plural(gone, 'row')} that {are} not normal {are} left out of training and validation"
    return Split(train, validation, made.test, (*made.findings, Finding("note", text)))


def labelled(given: Space, labels: Tensor, names: Sequence[str]) -> Tensor:
    """Which rows have one of these labels, (N,), by the first category of what is given.

    Raises:
        UserError: nothing is known of the rows, or no row has such a label.
    """
    each = strata(given, labels)
    if not len(each):
        raise UserError(
            "data.split.normal needs data with labels, and these are given none; "
            "name the field that says it in data.given"
        )
    known = next(f.domain.labels for f in given.fields if isinstance(f.domain, Category))
    for name in names:
        if name not in known:
            raise UserError(f"data.split.normal: no row is labelled {name!r}, only {listed(known)}")
    return torch.isin(each, torch.tensor([float(known.index(name)) for name in names]))


def listed(labels: Sequence[str]) -> str:
    """The first labels, in words."""
    return ", ".join(labels[:8]) + (", …" if len(labels) > 8 else "")


def strata(given: Space, labels: Tensor) -> Tensor:
    """The first category of what is given (N, G), which a split keeps in shares; empty if none."""
    at = 0
    for field in given.fields:
        if isinstance(field.domain, Category) and field.size == 1:
            return labels[:, at]
        at += field.size
    return NO_ROWS
