r"""How wrong filled gaps are, and the simple ways to fill them that stand beside.

Where the truth is known, a number is judged by its error in standard deviations of the training
rows, root mean square over all gaps, a category by the share named wrongly. That favours the best
single guess, which varies less than the truth does. Whether what was filled is *distributed* like
it is another question, asked of each column by the Wasserstein distance of the filled values $x'$
from the hidden ones $x$, of numbers in the same deviations,

$$ W_1 = \frac1n \sum_i |x_{(i)} - x'_{(i)}|, \qquad
   W_1 = \frac12 \sum_k |p_k - p'_k| \text{ of categories}, $$

which is the total variation of their shares. `usefulness` asks what the completed rows are good
for: one column is told from the others, by logistic or ridge regression in five folds.

The baselines learn from the same training rows as the model:

| way | |
|---|---|
| mean or most frequent | of the column |
| 5 nearest neighbours | their mean or most frequent (Troyanskaya et al. 2001) |
| iterated ridge regression | every column regressed on the others in turn, from the filled table again and again (van Buuren & Groothuis-Oudshoorn 2011) |
| iterated forests | the same by 100 extremely randomised trees of depth 8, in three rounds, as more make it worse (like missForest, which stops early: Stekhoven & Bühlmann 2012) |

as scikit-learn has them. They see the rows to fill with the training rows, having no other way.
"""  # noqa: E501

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from twofold.core.space import Category, Field, Space, Token
from twofold.measures.estimate import Estimate, mean, resampled
from twofold.measures.reconstruction import Tally, pooled

WIDEST = 200
"""Columns, categories counted by their levels, up to which regression is worth its time."""
MOST = 40_000
"""Cells, of all rows and such columns, up to which forests are worth theirs."""
NEIGHBOURS, TREES, DEPTH, FOLDS = 5, 100, 8, 5
ROUNDS, FEW = 10, 3
"""Of regression, and of forests."""
NOTHING = Estimate(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Column:
    """What filling costs in one column.

    Args:
        error: of numbers, root mean square in standard deviations; of categories, the share wrong.
        w1: the distance of what was filled from the truth, as a distribution.
        number: gaps that were judged.
    """

    name: str
    error: float
    w1: float
    number: int


@dataclass(frozen=True)
class Errors:
    """What filling costs.

    Args:
        way: how the gaps were filled.
        rmse: of numbers, in standard deviations of the training rows; NaN where there are none.
        wrong: share of categories; NaN where there are none.
        numbers, categories: how many gaps of each were judged.
        columns: the same column by column.
        use: how well a column is told from completed rows, where that was asked.
    """

    way: str
    rmse: Estimate
    wrong: Estimate
    numbers: int
    categories: int
    columns: tuple[Column, ...] = ()
    use: Estimate = NOTHING


def errors(
    way: str, space: Space, truth: Tensor, guess: Tensor, judged: Tensor, train: Tensor, seed: int
) -> Errors:
    """Compare values (N, F, *A) where `judged` is true; `train` gives the standard deviations."""
    tallies: dict[bool, list[Tally]] = {False: [], True: []}
    for at, field in places(space):
        labelled, one = isinstance(field.domain, Category | Token), slice(at, at + 1)
        miss, shown = truth[:, one] - guess[:, one], judged[:, one]
        terms = (miss != 0) if labelled else (miss / spread(train[:, one])).square()
        terms = torch.where(shown, terms.double(), 0)  # NaN where it is not judged
        tallies[labelled].append(Tally.of(terms, shown))
    count = {kind: sum(int(t.number.sum()) for t in found) for kind, found in tallies.items()}
    square = pooled(tallies[False], seed) if count[False] else NOTHING
    wrong = pooled(tallies[True], seed) if count[True] else NOTHING
    rmse = Estimate(*(v**0.5 for v in square))
    columns = tuple(by_column(space, truth, guess, judged, train))
    return Errors(way, rmse, wrong, count[False], count[True], columns)


def by_column(
    space: Space, truth: Tensor, guess: Tensor, judged: Tensor, train: Tensor
) -> Iterator[Column]:
    """The same comparison, of each value of the space in which something is judged."""
    for name, (at, field) in zip(names(space), places(space), strict=True):
        shown = judged[:, at]
        a, b = truth[:, at][shown], guess[:, at][shown]
        if len(a):
            error, w1 = JUDGES[isinstance(field.domain, Category | Token)](a, b, train[:, at])
            yield Column(name, error, w1, len(a))


def of_numbers(a: Tensor, b: Tensor, train: Tensor) -> tuple[float, float]:
    """Error and distance of numbers (n,), in standard deviations of the training rows."""
    std = spread(train)
    error = ((a - b) / std).double().square().mean().sqrt()
    return float(error), float((a.sort().values - b.sort().values).abs().double().mean() / std)


def of_categories(a: Tensor, b: Tensor, train: Tensor) -> tuple[float, float]:
    """Error and distance of categories (n,).

    >>> of_categories(torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 1.0, 0.0]), torch.zeros(1))
    (0.6666666666666666, 0.0)
    """
    count = int(torch.cat([a, b]).max()) + 1
    shares = [torch.bincount(v.long(), minlength=count).double() / len(v) for v in (a, b)]
    return float((a != b).double().mean()), float((shares[0] - shares[1]).abs().sum() / 2)


JUDGES = {True: of_categories, False: of_numbers}


def names(space: Space) -> list[str]:
    """A name for each value of the space: the field's, numbered where it has several."""
    return [
        field.name if field.size == 1 else f"{field.name}_{i}"
        for field in space.fields
        for i in range(field.size)
    ]


def places(space: Space) -> list[tuple[int, Field]]:
    """Each value of the space with its field: (F) of them."""
    fields = [field for field in space.fields for _ in range(field.size)]
    return list(enumerate(fields))


def spread(values: Tensor) -> float:
    """The standard deviation of what is known; 1 where it does not vary."""
    known = values[~values.isnan()]
    return float(known.double().std()) or 1.0 if len(known) > 1 else 1.0


def column_fill(space: Space, train: Tensor, values: Tensor) -> Tensor:
    """The gaps of values (N, F, *A) filled by the mean, or the most frequent category."""
    usual = [
        train[:, at].nan_to_num(-1).mode(0).values.clamp(min=0)
        if isinstance(field.domain, Category | Token)
        else train[:, at].nanmean(0).nan_to_num()
        for at, field in places(space)
    ]
    return torch.where(values.isnan(), torch.stack(usual).unsqueeze(0), values)


def regressible(space: Space) -> bool:
    """Whether rows are few enough columns wide to be regressed on each other."""
    return not space.axes and sum(f.size * f.domain.width for f in space.fields) <= WIDEST


def growable(space: Space, rows: int) -> bool:
    """Whether rows are few enough, too, to grow forests on."""
    return regressible(space) and rows * sum(map(columns, space.fields)) <= MOST


def neighbour_fill(space: Space, train: Tensor, values: Tensor) -> Tensor:
    """The gaps of values (N, F) filled from the nearest rows in which the column is there."""
    from sklearn.impute import KNNImputer

    return by_imputer(KNNImputer(n_neighbors=NEIGHBOURS, keep_empty_features=True),
                      space, train, values)  # fmt: skip


def regression_fill(space: Space, train: Tensor, values: Tensor) -> Tensor:
    """The gaps of values (N, F) filled by iterated ridge regression of all columns on all."""
    return iterated(None, ROUNDS, space, train, values)


def forest_fill(space: Space, train: Tensor, values: Tensor, trees: int = TREES) -> Tensor:
    """The gaps of values (N, F) filled by iterated forests of all columns on all."""
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(trees, max_depth=DEPTH, random_state=0)
    return iterated(forest, FEW, space, train, values)


def iterated(estimator: Any, rounds: int, space: Space, train: Tensor, values: Tensor) -> Tensor:
    """The gaps of values (N, F) filled column by column, by an estimator of scikit-learn."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    imputer = IterativeImputer(estimator, max_iter=rounds, random_state=0, keep_empty_features=True)
    return by_imputer(imputer, space, train, values)


def by_imputer(imputer: Any, space: Space, train: Tensor, values: Tensor) -> Tensor:
    """The gaps of values (N, F) filled by an imputer that is fitted to all rows, as columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not settled after so many rounds
        both = imputer.fit_transform(design(space, torch.cat([train, values])).numpy())
    full = torch.from_numpy(both[len(train) :]).to(values)
    parts = zip(
        space.fields, full.split([columns(field) for field in space.fields], 1), strict=True
    )
    guess = torch.cat([back(field, part) for field, part in parts], 1)
    return torch.where(values.isnan(), guess, values)


class Way(NamedTuple):
    """A simple way to fill: `fill(space, train, values)`, where `suits(space, rows)` allows."""

    fill: Callable[[Space, Tensor, Tensor], Tensor]
    suits: Callable[[Space, int], bool]


WAYS: Mapping[str, Way] = {
    "mean or most frequent": Way(column_fill, lambda space, rows: True),
    f"{NEIGHBOURS} nearest neighbours": Way(neighbour_fill, lambda space, rows: regressible(space)),
    "iterated ridge regression": Way(regression_fill, lambda space, rows: regressible(space)),
    "iterated forests": Way(forest_fill, growable),
}


def simple_fills(space: Space, train: Tensor, values: Tensor) -> dict[str, Tensor]:
    """The gaps of values (N, F, *A) filled by each simple way that suits them."""
    rows = len(train) + len(values)
    return {
        name: way.fill(space, train, values) for name, way in WAYS.items() if way.suits(space, rows)
    }


def usefulness(space: Space, at: int, truth: Tensor, completed: Tensor, seed: int) -> Estimate:
    """How well column `at` (its `truth` (N,)) is told from the others of completed rows (N, F).

    Accuracy of a category, share of the variance explained of a number (R²), in five folds; NaN
    where there are too few rows.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    label = isinstance(places(space)[at][1].domain, Category | Token)
    known = ~truth.isnan()
    y = truth[known].double()
    if len(y) < 2 * FOLDS or y.min() == y.max():
        return NOTHING
    rest = Space(tuple(replace(field, size=1) for i, field in places(space) if i != at))
    x = design(rest, torch.cat([completed[:, :at], completed[:, at + 1 :]], 1)[known]).numpy()
    model = LogisticRegression(max_iter=1000) if label else Ridge()
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a fold has not settled
        told = cross_val_predict(make_pipeline(StandardScaler(), model), x, y.numpy(), cv=folds)
    guess = torch.from_numpy(told)
    if label:
        return mean((guess == y).double(), seed)
    terms = torch.stack([(y - guess).square(), (y - y.mean()).square()], 1)
    return resampled(terms, lambda means: 1 - means[0] / means[1], seed)


def columns(field: Field) -> int:
    """Columns that a field is regressed by: a category has one less than its levels.

    With all of them each would be what the others leave, and no regression would look further.
    """
    return field.size * max(1, field.domain.width - 1)


def design(space: Space, values: Tensor) -> Tensor:
    """Values (N, F) as columns to regress, NaN in every gap."""
    parts = zip(space.fields, values.split([f.size for f in space.fields], 1), strict=True)
    return torch.cat([forth(field, part) for field, part in parts], 1)


def forth(field: Field, values: Tensor) -> Tensor:
    """Values (N, size) of one field as columns; the last level of a category is all zeros."""
    shown = field.domain.encode(values.nan_to_num()).unflatten(1, (field.size, -1))
    short = shown[:, :, : max(1, field.domain.width - 1)]  # (N, size, columns of a value)
    return short.masked_fill(values.isnan().unsqueeze(2), float("nan")).flatten(1)


def back(field: Field, columns: Tensor) -> Tensor:
    """The inverse of `forth`."""
    each = columns.unflatten(1, (field.size, -1))
    if field.domain.width > 1:
        each = torch.cat([each, 1 - each.sum(2, keepdim=True)], 2)
    return field.domain.decode(each.flatten(1))
