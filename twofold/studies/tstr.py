r"""Train on synthetic, test on real: what classifiers learn from drawn rows of a table.

The protocol of Xu et al. 2019 (arXiv:1907.00503, section 5), for a table with a yes or no to
predict: a decision tree, AdaBoost and a logistic regression are fitted to drawn rows, and judged on
real rows by F1 of the positive class at threshold ½ and by the area under the ROC curve. They see
numbers standardised and categories one-hot, a missing cell as a level of its own; scale and levels
are those of the real training rows. Beside them stands histogram gradient boosting, which is what
one would use today and no part of the mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Frame = Any  # of pandas
Array = NDArray[np.float64]


def tree() -> Any:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(max_depth=20, random_state=0)


def adaboost() -> Any:
    from sklearn.ensemble import AdaBoostClassifier

    return AdaBoostClassifier(random_state=0)


def logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000)


def boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=0)


JUDGES: Mapping[str, Callable[[], Any]] = {
    "tree": tree,
    "boosting": adaboost,
    "logistic": logistic,
}
"""Whose mean is reported."""
BESIDE: Mapping[str, Callable[[], Any]] = {"gradient boosting": boosting}


@dataclass(frozen=True)
class Utility:
    """How well classifiers do on real rows, a number a classifier."""

    f1: Mapping[str, float]
    auc: Mapping[str, float]

    @property
    def mean_f1(self) -> float:
        """Over the classifiers of the paper."""
        return float(np.mean([self.f1[name] for name in JUDGES]))

    @property
    def mean_auc(self) -> float:
        return float(np.mean([self.auc[name] for name in JUDGES]))


@dataclass(frozen=True)
class Judge:
    """How rows become what a classifier sees.

    Args:
        target: the column to predict. positive: the text that counts as yes.
        scales: the median, mean and deviation of each number. levels: of each category.
    """

    target: str
    positive: str
    scales: Mapping[str, tuple[float, float, float]]
    levels: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, real: Frame, target: str, positive: str) -> Self:
        """Learn scales and levels from real training rows."""
        from pandas.api.types import is_numeric_dtype

        names = [name for name in real.columns if name != target]
        numbers = [name for name in names if is_numeric_dtype(real[name])]
        scales = {
            name: (real[name].median(), real[name].mean(), real[name].std() or 1.0)
            for name in numbers
        }
        levels = {
            name: tuple(real[name].astype(str).unique()) for name in names if name not in numbers
        }
        return cls(target, positive, scales, levels)

    def x(self, rows: Frame) -> Array:
        """(N, D)."""
        columns = [
            (rows[name].astype(float).fillna(median) - mean) / std
            for name, (median, mean, std) in self.scales.items()
        ]
        hot = [
            rows[name].astype(str) == level
            for name, levels in self.levels.items()
            for level in levels
        ]
        return np.stack([np.asarray(one, np.float64) for one in (*columns, *hot)], 1)

    def y(self, rows: Frame) -> NDArray[np.bool_]:
        return np.asarray(rows[self.target].astype(str) == self.positive)

    def __call__(self, train: Frame, test: Frame) -> Utility:
        """What is learnt from some rows, judged on real ones that nothing was learnt from."""
        from sklearn.metrics import f1_score, roc_auc_score

        x, y, seen, truth = self.x(train), self.y(train), self.x(test), self.y(test)
        f1, auc = {}, {}
        for name, make in {**JUDGES, **BESIDE}.items():
            p = likely(make(), x, y, seen)
            f1[name] = float(f1_score(truth, p > 0.5, zero_division=0))
            auc[name] = float(roc_auc_score(truth, p))
        return Utility(f1, auc)


def likely(method: Any, x: Array, y: NDArray[np.bool_], seen: Array) -> Array:
    """p(yes) of rows (M,); of rows to learn from that are all alike, their answer."""
    if y.all() or not y.any():
        return np.full(len(seen), float(y.all()))
    p: Array = method.fit(x, y).predict_proba(seen)[:, 1]
    return p


def shuffled(rows: Frame, seed: int) -> Frame:
    """Every column in an order of its own: the marginals alone."""
    chance = np.random.default_rng(seed)
    return rows.apply(lambda column: column.to_numpy()[chance.permutation(len(column))])
