r"""Rare classes made as frequent as the common one: by drawn rows, or between neighbours.

`smote` is the synthetic minority over-sampling technique (Chawla et al. 2002, section 4.2; its
mixed variant, section 6.1): a row of the rare class, one of its k nearest neighbours in that class,
and a point between them, u ~ U(0, 1) of the way, for numbers; each category is the one most common
among the k neighbours. Distances are between channels as networks see them. `drawn` asks a model
instead for rows of the class, by condition or by importance sampling.

`compared` says whether either helps: gradient boosting learns the class from the real training rows
as they are, from them and SMOTE's, and from them and drawn ones, and is judged on real rows that
none of them saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from twofold.core.errors import UserError, nearest
from twofold.core.space import Category, Field, Modal, Real, Space
from twofold.data.sources import Rows, whole
from twofold.maths.ranking import auroc
from twofold.measures.estimate import Estimate
from twofold.measures.tables import Trial, bootstrapped, macro_f1, trial
from twofold.runs.run import Run
from twofold.runs.training import material_of

NEIGHBOURS = 5
TREES = 100


def smote(space: Space, values: Tensor, n: int, seed: int, k: int = NEIGHBOURS) -> Tensor:
    """n new rows between neighbours of one class, (n, F).

    Args:
        space: of the rows, without axes. values: rows of that class, (N, F), N of 2 or more.
        n: how many. seed: of all chance. k: neighbours that are chosen among.

    >>> space = Space((Field("a", Real()), Field("b", Category(("x", "y")))))
    >>> rows = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    >>> new = smote(space, rows, 4, 0)
    >>> bool(((new[:, 0] >= 0) & (new[:, 0] <= 1) & (new[:, 1] == 1)).all())
    True
    """
    chance = torch.Generator().manual_seed(seed)
    x = plain(space).encode(values).flatten(1)
    k = min(k, len(values) - 1)
    near = torch.cdist(x, x).fill_diagonal_(torch.inf).topk(k, largest=False).indices  # (N, k)
    base = torch.randint(len(values), (n,), generator=chance)
    other = near[base, torch.randint(k, (n,), generator=chance)]
    u = torch.rand(n, 1, generator=chance)
    between = values[base] + u * (values[other] - values[base])
    labels = torch.tensor([isinstance(f.domain, Category) for f in space.fields])
    common = values[near[base]].mode(1).values  # (n, F)
    return torch.where(labels, common, between)


def plain(space: Space) -> Space:
    """The space with numbers as themselves, not by their mode."""
    return Space(
        tuple(replace(f, domain=Real()) if isinstance(f.domain, Modal) else f for f in space.fields)
    )


def joined(run: Run) -> Space:
    """What is drawn and what is given, as the fields of one row."""
    return Space((*run.space.fields, *run.given.fields))


def table(rows: Rows) -> Tensor:
    """Values and what is given of them, (N, F)."""
    return torch.cat([rows.values, rows.given], 1)


def class_of(run: Run, by: str) -> int:
    """The number of the column that says the class.

    Raises:
        UserError: there is none of that name, or it is no category.
    """
    fields = joined(run).fields
    names = [field.name for field in fields]
    if by not in names:
        raise UserError(f"--by {by}: there is no such column; {nearest(by, names)}")
    if not isinstance(fields[names.index(by)].domain, Category):
        raise UserError(f"--by {by} is a number; name a column of categories")
    return names.index(by)


def lacking(label: Tensor, more: int = 0) -> dict[int, int]:
    """How many rows each class lacks to be `more` than the commonest, of labels (N,).

    >>> lacking(torch.tensor([0.0, 0.0, 1.0]))
    {1: 1}
    >>> lacking(torch.tensor([0.0, 0.0, 1.0]), more=5)
    {0: 5, 1: 6}
    """
    levels, counts = label[~label.isnan()].long().unique(return_counts=True)
    most = int(counts.max()) + more
    return {int(k): most - int(c) for k, c in zip(levels, counts, strict=True) if c < most}


def balanced(run: Run, by: str, real: Rows, seed: int, more: int = 0) -> Rows:
    """Rows drawn by a model, as many of each class as it lacks."""
    at = class_of(run, by)
    labels = joined(run).fields[at].domain.labels  # type: ignore[attr-defined]
    lacks = lacking(table(real)[:, at], more)
    parts = [run.draw(n, {by: labels[k]}, seed + k) for k, n in lacks.items()]
    if not parts:
        raise UserError(f"every class of {by} is as frequent as any other; ask for --more of each")
    return Rows(torch.cat([p.values for p in parts]), torch.cat([p.given for p in parts]))


def between_neighbours(run: Run, by: str, real: Rows, seed: int, more: int = 0) -> Tensor:
    """As `balanced`, by SMOTE: rows (n, F) of values and what is given."""
    at, space, rows = class_of(run, by), joined(run), table(real)
    made = []
    for k, n in lacking(rows[:, at], more).items():
        mine = rows[rows[:, at] == k]
        made.append(smote(space, mine, n, seed + k) if len(mine) > 1 else mine.expand(n, -1))
    return torch.cat(made)


@dataclass(frozen=True)
class Way:
    """How well a class is told with some rows added: macro F1, and AUROC where there are two."""

    name: str
    added: int
    f1: Estimate
    auc: Estimate


def compared(run: Run, by: str, seed: int, rows: Rows, more: int = 0) -> list[Way]:
    """Nothing added, SMOTE's rows, and drawn ones `rows`, judged on held-out real ones.

    Raises:
        UserError: no rows were held out.
    """
    material = material_of(run, "")
    held = material.test if len(material.test) else material.validation
    if len(held) < 20:
        raise UserError("augment judges on rows that were held out; train with data.split.test=0.1")
    at, real, judged = class_of(run, by), whole(material.train), table(whole(held)).double()
    known = table(real).double()
    ways = {
        "nothing added": known[:0],
        "SMOTE": between_neighbours(run, by, real, seed, more).double(),
        "ours": table(run.kind.settled(rows)).double(),
    }
    fields = joined(run).fields
    return [
        judge(name, torch.cat([known, added]), judged, at, fields, len(added), seed)
        for name, added in ways.items()
    ]


@dataclass(frozen=True)
class Augmented:
    """What `augment` did.

    Args:
        paths: the drawn rows. by: the column that was made even. ways: what each way is worth.
        said: what is to be said of the draws.
    """

    paths: tuple[Path, ...]
    by: str
    ways: tuple[Way, ...]
    said: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"{self.by} of held-out real rows, told by what was learnt of training rows and:"
        lines = [
            f"  {way.name:<14} {way.added:>7,} rows   F1 {way.f1.value:.3f} ({way.f1.low:.3f} … "
            f"{way.f1.high:.3f})   AUC {way.auc.value:.3f} ({way.auc.low:.3f} … {way.auc.high:.3f})"
            for way in self.ways
        ]
        return "\n".join([*self.said, head, *lines, *map(str, self.paths)])


def augment(run: Run, by: str, more: int, seed: int, out: Path) -> Augmented:
    """Draw what the rarer classes lack, write it, and say what it is worth; see `verbs.augment`."""
    if run.space.axes:
        raise UserError(
            f"augment is for tables and texts, and {run.path} is of another kind of data"
        )
    class_of(run, by)
    made = balanced(run, by, whole(material_of(run, "").train), seed, more)
    ways = compared(run, by, seed, made, more)
    return Augmented(tuple(run.kind.write(made, out)), by, tuple(ways))


def judge(
    name: str,
    rows: Tensor,
    judged: Tensor,
    at: int,
    fields: Sequence[Field],
    added: int,
    seed: int,
) -> Way:
    """What is learnt of rows, on rows that were held out."""
    one = trial(rows, judged, at, fields, TREES, seed)
    scores = {"f1": macro_f1, "auc": area}
    found: Mapping[str, Estimate] = {
        key: bootstrapped([one], score, score(one), seed) for key, score in scores.items()
    }
    return Way(name, added, **found)


def area(one: Trial) -> float:
    """AUROC of the rarest class."""
    counts = torch.bincount(one.truth, minlength=one.p.shape[1])
    k = int(torch.where(counts > 0, counts, len(one.truth) + 1).argmin())
    mine = one.truth == k
    return float(auroc(one.p[mine, k], one.p[~mine, k])) if 0 < mine.sum() < len(mine) else 0.5
