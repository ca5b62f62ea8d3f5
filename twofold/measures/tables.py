r"""Whether drawn rows are like real ones: columns, pairs of them, and what can be learnt of them.

* **column_shapes**: the mean over columns of $1 - \sup_v |F_\text{real}(v) - F_\text{fake}(v)|$
  for numbers (Kolmogorov & Smirnov) and of $1 - \tfrac12 \sum_k |p_k - q_k|$ for categories. A
  missing cell is a value of its own, below all others, so missingness counts.
* **pair_trends**: the mean over pairs of columns of $1 - |\rho_\text{real} - \rho_\text{fake}|/2$
  for two numbers, where both are present, else of $1 - \tfrac12 \sum |P - Q|$ over the table of the
  two, a number in ten bins of equal mass, missing a level of its own.
* **tstr**: train on synthetic, test on real (Esteban et al. 2017, section 4.2): gradient boosting
  learns each category from all other columns of the drawn rows, and is tested on held-out ones.
  The floor of a distance is here a ceiling: the same, trained on real rows.

* **detection**: the area under the ROC curve with which gradient boosting tells drawn rows from
  held-out ones, each half judged by what the other has taught (a classifier two-sample test:
  Lopez-Paz & Oquab 2017, arXiv:1610.06545). ½ is that it cannot.
* **rare_coverage**: the mean over rare levels, those of categories that at most one held-out row
  in twenty has, of $\min(1, q_k / p_k)$: how often drawn rows have them, as far as they should.

The baseline beside each is *independent marginals*: training rows with every column shuffled on its
own. Its shapes are perfect and its trends are not; what a model adds to it is the dependence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.space import Category, Field, Space
from twofold.maths.statistics import ks_distance, total_variation
from twofold.measures.estimate import SHARES, Estimate, generator, interval, jackknifed, some
from twofold.measures.measure import Evidence, Figure, Measure

FEWEST = 20
COLUMNS = 256
BINS = 10
HALVINGS = 5
CLASSES = 10  # of a column that is worth predicting
TARGETS = 3
RARE = 0.05
RESAMPLES = 200
BASELINE = "independent marginals"
BELOW = -1e30  # where a missing number stands in an order

Statistic = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Sides:
    """Equally many rows of values, (n, F) each, NaN where missing.

    Args:
        fields: what the columns are, those that are given last.
        real: held-out; train: real, and disjoint; fake: drawn; simple: independent marginals.
    """

    fields: tuple[Field, ...]
    real: Tensor
    train: Tensor
    fake: Tensor
    simple: Tensor

    def floor(self, of: Statistic, seed: int) -> float:
        """A statistic of two halves of all that is real, over several halvings."""
        both, stream = torch.cat([self.real, self.train]), generator(seed)
        orders = [torch.randperm(len(both), generator=stream) for _ in range(HALVINGS)]
        n = len(self.real)
        return float(torch.stack([of(both[rows[:n]], both[rows[n:]]) for rows in orders]).mean())


def sides(evidence: Evidence, n: int) -> Sides:
    """At most n rows a side; without training rows, the held-out ones are halved."""
    n = equal(evidence, n)
    seed = evidence.seed
    real, train = some(evidence.real, n, seed), some(evidence.train, n, seed)
    if not len(evidence.train):
        both = some(evidence.real, 2 * n, seed)
        real, train = both[:n], both[n:]
    fake = some(evidence.fake, n, seed + 1)
    tables = [values(evidence, batch) for batch in (real, train, fake)]
    known = [i for i in range(tables[0].shape[1]) if not any(t[:, i].isnan().all() for t in tables)]
    fields = columns(evidence)
    a, b, c = (table[:, known] for table in tables)
    return Sides(tuple(fields[i] for i in known), a, b, c, shuffled(b, seed))


def equal(evidence: Evidence, n: int) -> int:
    """Rows a side: at most n, and as many as the smallest side has."""
    real = len(evidence.real)
    rest = (real, len(evidence.train)) if len(evidence.train) else (real // 2,)
    return min(n, len(evidence.fake), *rest)


def columns(evidence: Evidence) -> list[Field]:
    """One field a column: those of x, then those of what is given."""
    fields = (*evidence.space.fields, *evidence.given.fields)
    return [Field(field.name, field.domain) for field in fields for _ in range(field.size)]


def values(evidence: Evidence, batch: Batch) -> Tensor:
    """Rows (n, F) in float64, NaN where missing or not given."""
    spaces: tuple[tuple[Space, Tensor], ...] = (
        (evidence.space, batch.x),
        (evidence.given, batch.given.c),
    )
    return torch.cat([space.decode(x.detach().cpu().double()) for space, x in spaces], 1)


def shuffled(table: Tensor, seed: int) -> Tensor:
    """Every column of a table (n, F) in an order of its own."""
    stream = generator(seed)
    orders = [torch.randperm(len(table), generator=stream) for _ in range(table.shape[1])]
    return table.gather(0, torch.stack(orders, 1))


def refusal(evidence: Evidence) -> str:
    """Why two sides are no tables that can be compared; empty when they are."""
    if evidence.space.axes:
        return "it is for tables"
    if not 0 < evidence.space.size <= COLUMNS:
        return f"it is for tables of at most {COLUMNS} columns"
    n = equal(evidence, FEWEST)
    return "" if n >= FEWEST else f"it needs {FEWEST} rows a side; there are {n}"


@dataclass(frozen=True)
class Tabular(Measure):
    """How alike columns and pairs of columns are distributed.

    Args:
        n: at most so many rows a side.
    """

    n: int = 5000
    names = ("column_shapes", "pair_trends")
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        return refusal(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        compared = sides(evidence, self.n)
        every = {"column_shapes": shapes(compared.fields)}
        if len(compared.fields) > 1:
            every["pair_trends"] = Levels.of(compared).trends
        return [compare(evidence, compared, name, each) for name, each in every.items()]


def compare(evidence: Evidence, s: Sides, name: str, each: Statistic) -> Figure:
    """The mean of the similarities that `each` gives of two tables, with floor and baseline."""

    def of(a: Tensor, b: Tensor) -> Tensor:
        return each(a, b).mean()

    terms = each(s.real, s.fake)
    return evidence.figure(
        name,
        jackknifed(of, s.real, s.fake),
        len(s.real),
        "higher",
        floor=s.floor(of, evidence.seed),
        baseline=float(of(s.real, s.simple)),
        baseline_name=BASELINE,
        note=f"mean of {len(terms)}, the lowest {float(terms.min()):.3f}; 1 is the same",
        parts=tuple(terms.tolist()) if name == "column_shapes" else (),
    )


def shapes(fields: Sequence[Field]) -> Statistic:
    """The similarity of each column of two tables, (F,)."""

    def of(a: Tensor, b: Tensor) -> Tensor:
        return torch.stack([shape(f, a[:, i], b[:, i]) for i, f in enumerate(fields)])

    return of


def shape(field: Field, a: Tensor, b: Tensor) -> Tensor:
    """The similarity of two columns (n,), in [0, 1]."""
    if isinstance(field.domain, Category):
        width = field.domain.width
        counts = [torch.bincount(codes(column, width), minlength=width + 1) for column in (a, b)]
        return 1 - total_variation(*counts)
    return 1 - ks_distance(a.nan_to_num(BELOW), b.nan_to_num(BELOW))


def codes(column: Tensor, width: int) -> Tensor:
    """A category as its index, missing as the one after the last."""
    return column.nan_to_num(width).long()


@dataclass(frozen=True)
class Levels:
    """Every column of a table cut into levels, so that all pairs are counted by one product.

    Args:
        edges: for each number, the inner edges of its bins; empty for a category.
        widths: levels of each column, missing among them.
        numbers: which columns are numbers.
    """

    edges: tuple[Tensor, ...]
    widths: tuple[int, ...]
    numbers: Tensor

    @classmethod
    def of(cls, s: Sides) -> Levels:
        """Bins of equal mass among real values."""
        inner = torch.linspace(0, 1, BINS + 1, dtype=torch.float64)[1:-1]
        numeric = [not isinstance(field.domain, Category) for field in s.fields]
        edges = tuple(
            s.real[:, i].nanquantile(inner).unique() if one else torch.zeros(0)
            for i, one in enumerate(numeric)
        )
        widths = tuple(
            len(edge) + 2 if one else field.domain.width + 1
            for edge, one, field in zip(edges, numeric, s.fields, strict=True)
        )
        return cls(edges, widths, torch.tensor(numeric))

    def hot(self, table: Tensor) -> Tensor:
        """Rows (n, F) as (n, L): one of each column's levels is 1."""
        parts = []
        for i, (edge, width) in enumerate(zip(self.edges, self.widths, strict=True)):
            column = table[:, i].contiguous()
            bins = torch.searchsorted(edge, column, right=True) if self.numbers[i] else column
            level = torch.where(column.isnan(), width - 1, bins.nan_to_num(0)).long()
            parts.append(torch.nn.functional.one_hot(level, width).double())
        return torch.cat(parts, 1)

    def joint(self, table: Tensor) -> Tensor:
        """How often any two levels meet, as a share of rows: (L, L)."""
        hot = self.hot(table)
        return hot.T @ hot / len(table)

    def trends(self, a: Tensor, b: Tensor) -> Tensor:
        """The similarity of every pair of columns of two tables, (F (F − 1) / 2,)."""
        apart = (self.joint(a) - self.joint(b)).abs()
        starts = [0, *np.cumsum(self.widths).tolist()]
        rows = torch.stack([apart[i:j].sum(0) for i, j in pairwise(starts)])  # (F, L)
        tables = torch.stack([rows[:, i:j].sum(1) for i, j in pairwise(starts)], 1)  # (F, F)
        linear = (correlations(a) - correlations(b)).abs()
        both = self.numbers[:, None] & self.numbers
        upper = torch.triu_indices(len(both), len(both), 1)
        return 1 - (torch.where(both, linear, tables) / 2)[upper[0], upper[1]]


def correlations(table: Tensor) -> Tensor:
    """Pearson's ρ of every pair of columns over the rows where both are present; 0 where none.

    >>> correlations(torch.tensor([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]]).double()).round()
    tensor([[1., 1.],
            [1., 1.]], dtype=torch.float64)
    """
    here = (~table.isnan()).double()
    x = (table - table.nanmean(0)).nan_to_num(0)  # (n, F), 0 where missing
    n = (here.T @ here).clamp(min=1)
    mean = x.T @ here / n  # (F, F): of a column, where the other is present
    covariance = x.T @ x / n - mean * mean.T
    variance = x.square().T @ here / n - mean.square()
    scale = (variance * variance.T).clamp(min=0).sqrt()
    return torch.where(scale > 1e-12, covariance / scale.clamp(min=1e-12), 0.0).clamp(-1, 1)


@dataclass(frozen=True)
class TrainOnSynthetic(Measure):
    """How well a classifier of real rows is learnt from drawn ones.

    Args:
        n: at most so many rows a side.
        target: the column to predict; empty for up to three that can be: given ones, then the last.
        trees: rounds of boosting.
    """

    n: int = 5000
    target: str = ""
    trees: int = 40
    names = ("tstr_f1", "tstr_accuracy", "tstr_auc")
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        reason = refusal(evidence)
        return reason or ("" if self.targets(evidence) else "no column is a category to predict")

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        compared = sides(evidence, self.n)
        wanted = {field.name for field in self.targets(evidence)}
        at = [i for i, field in enumerate(compared.fields) if field.name in wanted]
        at = [i for i in at if can_be_learnt(compared, i)]
        trials = [list(self.trials(compared, i, evidence.seed)) for i in at]  # (targets, sides)
        titles = [compared.fields[i].name for i in at]
        return [tstr(evidence, compared, name, trials, titles) for name in self.names if trials]

    def targets(self, evidence: Evidence) -> list[Field]:
        """The columns to predict."""
        fields = [*reversed(evidence.given.fields), *reversed(evidence.space.fields)]
        good = [f for f in fields if isinstance(f.domain, Category) and f.size == 1]
        fair = [f for f in good if 1 < f.domain.width <= CLASSES]
        named = [f for f in good if f.name == self.target]
        return named if self.target else fair[:TARGETS]

    def trials(self, s: Sides, at: int, seed: int) -> Iterator[Trial]:
        """A classifier of column `at`, from drawn, real and independent rows, on held-out ones."""
        for rows in (s.fake, s.train, s.simple):
            yield trial(rows, s.real, at, s.fields, self.trees, seed)


def can_be_learnt(s: Sides, at: int) -> bool:
    """Whether real rows of both sides have at least two classes of a column."""
    return all(len(side[:, at][~side[:, at].isnan()].unique()) > 1 for side in (s.train, s.real))


@dataclass(frozen=True)
class Trial:
    """What a classifier says of n held-out rows: p (n, K), and the truth (n,)."""

    p: Tensor
    truth: Tensor

    def again(self, rows: Tensor) -> Trial:
        return Trial(self.p[rows], self.truth[rows])


def trial(
    rows: Tensor, held_out: Tensor, at: int, fields: Sequence[Field], trees: int, seed: int
) -> Trial:
    """Fit on rows (n, F), predict column `at` of held-out ones from all others."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, held_out = (side[~side[:, at].isnan()] for side in (rows, held_out))
    others = [i for i in range(len(fields)) if i != at]
    wide = [isinstance(fields[i].domain, Category) for i in others]
    truth = held_out[:, at].long()
    p = torch.zeros(len(truth), fields[at].domain.width, dtype=torch.float64)
    seen = rows[:, at].unique().long()
    if len(seen) < 2 or not others:
        p[:, seen] = 1.0
        return Trial(p, truth)
    model: Any = HistGradientBoostingClassifier(
        max_iter=trees, early_stopping=False, categorical_features=wide, random_state=seed
    )
    model.fit(rows[:, others].numpy(), rows[:, at].numpy())
    p[:, seen] = torch.from_numpy(model.predict_proba(held_out[:, others].numpy()))
    return Trial(p, truth)


def accuracy(one: Trial) -> float:
    """The share of rows whose most probable class is the true one."""
    return float((one.p.argmax(1) == one.truth).double().mean())


def macro_f1(one: Trial) -> float:
    """The mean over classes that occur of F1 = 2 TP / (2 TP + FP + FN)."""
    guess, width = one.p.argmax(1), one.p.shape[1]
    right = torch.bincount(one.truth[guess == one.truth], minlength=width).double()
    both = torch.bincount(one.truth, minlength=width) + torch.bincount(guess, minlength=width)
    occurs = torch.bincount(one.truth, minlength=width) > 0
    return float((2 * right / both.clamp(min=1))[occurs].mean())


def auc(one: Trial) -> float:
    """The mean over classes of the chance that one of its rows is ranked above another (ties ½)."""
    found = []
    for k in one.truth.unique().tolist():
        mine, others = one.p[one.truth == k, k], one.p[one.truth != k, k].sort().values
        if len(others):
            below = torch.searchsorted(others, mine) + torch.searchsorted(others, mine, right=True)
            found.append(float(below.double().mean()) / (2 * len(others)))
    return float(np.mean(found)) if found else 0.5


SCORES: dict[str, Callable[[Trial], float]] = {
    "tstr_f1": macro_f1,
    "tstr_accuracy": accuracy,
    "tstr_auc": auc,
}


def tstr(
    evidence: Evidence, s: Sides, name: str, trials: list[list[Trial]], titles: Sequence[str]
) -> Figure:
    """The mean over targets of one score; its interval resamples held-out rows."""
    score = SCORES[name]
    table = [[score(one) for one in several] for several in trials]  # (targets, sides)
    ours, real, simple = (float(np.mean(column)) for column in zip(*table, strict=True))
    each = [f"{t} {row[0]:.3f} (real {row[1]:.3f})" for t, row in zip(titles, table, strict=True)]
    return evidence.figure(
        name,
        bootstrapped([several[0] for several in trials], score, ours, evidence.seed),
        len(s.real),
        "higher",
        floor=real,
        baseline=simple,
        baseline_name=BASELINE,
        note=f"trained on drawn, tested on held-out rows: {', '.join(each)}; floor: on real rows",
        parts=tuple(row[0] for row in table),
    )


def bootstrapped(
    trials: Sequence[Trial], score: Callable[[Trial], float], value: float, seed: int
) -> Estimate:
    """The mean score over trials, and its interval over held-out rows drawn again."""
    stream = generator(seed)
    means = []
    for _ in range(RESAMPLES):
        draws = [torch.randint(len(t.truth), (len(t.truth),), generator=stream) for t in trials]
        again = [score(one.again(rows)) for one, rows in zip(trials, draws, strict=True)]
        means.append(float(np.mean(again)))
    return interval(value, torch.tensor(means, dtype=torch.float64))


@dataclass(frozen=True)
class Detection(Measure):
    """How well a classifier tells drawn rows from real ones.

    Args:
        n: at most so many rows a side. trees: rounds of boosting.
    """

    n: int = 2500
    trees: int = 40
    names = ("detection",)
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        return refusal(evidence)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        s = sides(evidence, self.n)
        rows = (s.fake, s.train, s.simple)
        ours, real, simple = (told_apart(s.real, b, s, self.trees, evidence.seed) for b in rows)
        value = auc(ours)
        return [
            evidence.figure(
                "detection",
                bootstrapped([ours], auc, value, evidence.seed),
                len(s.real),
                "lower",
                floor=auc(real),
                baseline=auc(simple),
                baseline_name=BASELINE,
                note="AUC of a classifier that tells drawn rows from held-out ones; ½ is that it "
                "cannot",
            )
        ]


def told_apart(a: Tensor, b: Tensor, s: Sides, trees: int, seed: int) -> Trial:
    """A classifier of two tables (n, F), each half of the rows judged by what the other taught."""
    which = torch.cat([torch.zeros(len(a)), torch.ones(len(b))]).double()
    table = torch.cat([torch.cat([a, b]), which[:, None]], 1)
    table = table[torch.randperm(len(table), generator=generator(seed))]
    halves, at = table.chunk(2), table.shape[1] - 1
    fields = (*s.fields, Field("drawn", Category(("no", "yes"))))
    made = [trial(halves[i], halves[1 - i], at, fields, trees, seed) for i in range(2)]
    return Trial(torch.cat([t.p for t in made]), torch.cat([t.truth for t in made]))


@dataclass(frozen=True)
class RareLevels(Measure):
    """Whether rare levels of categories come as often as they should.

    Args:
        n: at most so many rows a side. below: the share of held-out rows that a rare level has.
    """

    n: int = 5000
    below: float = RARE
    names = ("rare_coverage",)
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        if why := refusal(evidence):
            return why
        return "" if self.rare(sides(evidence, self.n)) else "no category has a rare level"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        s = sides(evidence, self.n)
        rare = self.rare(s)

        def covered(real: Tensor, fake: Tensor) -> Tensor:
            each = [share(fake, one) / max(share(real, one), 1 / len(real)) for one in rare]
            return torch.tensor(each, dtype=torch.float64).clamp(max=1).mean()

        lost = [(s.fields[i].name, k) for i, k in rare if not share(s.fake, (i, k))]
        return [
            evidence.figure(
                "rare_coverage",
                jackknifed(covered, s.real, s.fake),
                len(s.real),
                "higher",
                floor=float(covered(s.real, s.train)),
                baseline=float(covered(s.real, s.simple)),
                baseline_name=BASELINE,
                note=f"of {len(rare)} levels that at most {self.below:.0%} of rows have; "
                f"{len(lost)} are never drawn",
            )
        ]

    def rare(self, s: Sides) -> list[tuple[int, int]]:
        """The levels that few held-out rows have."""
        return [level for level in levels_of(s) if 0 < share(s.real, level) <= self.below]


def levels_of(s: Sides) -> list[tuple[int, int]]:
    """Every level of every category, as its column and its number."""
    return [
        (i, k)
        for i, field in enumerate(s.fields)
        if isinstance(field.domain, Category)
        for k in range(field.domain.width)
    ]


def share(table: Tensor, level: tuple[int, int]) -> float:
    """How often rows (n, F) have a level."""
    column, k = level
    return float((table[:, column] == k).double().mean())
