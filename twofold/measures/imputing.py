r"""How wrong filled gaps are, and the simple ways to fill them that stand beside.

Where the truth is known, a number is judged by its error in standard deviations of the training
rows, root mean square over all gaps, a category by the share named wrongly. The baselines learn
from the same training rows as the model: `column_fill`, the mean of a number and the most frequent
category; `regression_fill`, every column regressed on the others in turn, from the filled table
again and again until it settles (van Buuren & Groothuis-Oudshoorn 2011), as scikit-learn has it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.space import Category, Field, Space, Token
from twofold.measures.estimate import Estimate
from twofold.measures.reconstruction import Tally, pooled

WIDEST = 200
"""Columns, categories counted by their levels, up to which regression is worth its time."""


@dataclass(frozen=True)
class Errors:
    """What filling costs.

    Args:
        way: how the gaps were filled.
        rmse: of numbers, in standard deviations of the training rows; NaN where there are none.
        wrong: share of categories; NaN where there are none.
        numbers, categories: how many gaps of each were judged.
    """

    way: str
    rmse: Estimate
    wrong: Estimate
    numbers: int
    categories: int


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
    nothing = Estimate(float("nan"), float("nan"), float("nan"))
    square = pooled(tallies[False], seed) if count[False] else nothing
    wrong = pooled(tallies[True], seed) if count[True] else nothing
    return Errors(way, Estimate(*(v**0.5 for v in square)), wrong, count[False], count[True])


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


def regression_fill(space: Space, train: Tensor, values: Tensor) -> Tensor:
    """The gaps of values (N, F) filled by iterated ridge regression of all columns on all.

    It sees the rows to fill with the training rows, as such ways do: it has no other way.
    """
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    model = IterativeImputer(random_state=0, keep_empty_features=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not settled after ten rounds
        both = model.fit_transform(design(space, torch.cat([train, values])).numpy())
    full = torch.from_numpy(both[len(train) :]).to(values)
    parts = zip(
        space.fields, full.split([columns(field) for field in space.fields], 1), strict=True
    )
    guess = torch.cat([back(field, part) for field, part in parts], 1)
    return torch.where(values.isnan(), guess, values)


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
