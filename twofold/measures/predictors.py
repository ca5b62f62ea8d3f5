r"""How factors can be predicted from a code: DCI, SAP, explicitness.

Predictors learn on two thirds of the observations and are judged on the rest.

* **DCI** (Eastwood & Williams 2018): gradient boosting predicts each factor from the code, and
  $R_{dk}$ is the importance of dimension d for factor k. With $P_{dk} = R_{dk} / \sum_k R_{dk}$ and
  $\tilde P_{dk} = R_{dk} / \sum_d R_{dk}$,

$$ \text{disentanglement} = \sum_d \rho_d \Big( 1 + \sum_k P_{dk} \log_K P_{dk} \Big), \quad
\text{completeness} = \frac1K \sum_k \Big( 1 + \sum_d \tilde P_{dk} \log_D \tilde P_{dk} \Big), $$

  $\rho_d \propto \sum_k R_{dk}$. *Informativeness* is how well it predicts: for a number $R^2$, for
  a category the accuracy above that of naming the most frequent one; 0 is chance, 1 is perfect. The
  paper has lasso and random forests, and reports the error; boosting is that of Locatello et al.
  2019 (arXiv:1811.12359), who classify numbers as well, by their values.
* **SAP**, the separated attribute predictability (Kumar et al. 2018, arXiv:1711.00848): the gap
  between the two dimensions that alone predict a factor best, the mean over factors. A number is
  predicted by a straight line ($R^2$), a category by thresholds (balanced accuracy). So a category
  of K values has a gap of 1 − 1/K at most. Locatello et al. take a linear support-vector machine
  for every factor instead; figures of the two ways do not compare.
* **Explicitness** (Ridgeway & Mozer 2018, arXiv:1802.05312): whether logistic regression on the
  whole code tells each value of a factor from the others: the area under the curve, with ½ made 0.
  The paper leaves the area as it is, so that its chance is ½: $(1 + e) / 2$ of ours; it judges the
  rows that the regression has learnt from.

The floor is the same score with the codes in another order.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from twofold.maths.information import xlogx
from twofold.measures.disentanglement import Score
from twofold.measures.estimate import jackknife
from twofold.measures.factors import Seen, look, unassessed
from twofold.measures.measure import Evidence, Figure, Measure


@dataclass(frozen=True)
class DCI(Measure):
    """Whether each dimension predicts one factor, each factor needs one, and how well.

    Args:
        n: at most so many observations.
        groups: of rows that are left out in turn for the interval, each a fit of its own.
    """

    n: int = 10_000
    groups: int = 5
    costly = True
    names = ("dci_disentanglement", "dci_completeness", "dci_informativeness")

    def refuses(self, evidence: Evidence) -> str:
        return unassessed(evidence.model, evidence.real, evidence.factors, least=2)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        return predicted(evidence, self, dci)


@dataclass(frozen=True)
class SAP(Measure):
    """How much better the best dimension alone predicts a factor than the second best.

    Args:
        n: at most so many observations.
        groups: of rows that are left out in turn for the interval, each a fit of its own.
    """

    n: int = 10_000
    groups: int = 5
    names = ("sap",)

    def refuses(self, evidence: Evidence) -> str:
        return unassessed(evidence.model, evidence.real, evidence.factors)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        return predicted(evidence, self, separation)


@dataclass(frozen=True)
class Explicitness(Measure):
    """Whether a linear classifier on the whole code tells the values of each factor apart.

    Args:
        n: at most so many observations.
        groups: of rows that are left out in turn for the interval, each a fit of its own.
    """

    n: int = 10_000
    groups: int = 5
    names = ("explicitness",)

    def refuses(self, evidence: Evidence) -> str:
        return unassessed(evidence.model, evidence.real, evidence.factors)

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        return predicted(evidence, self, explicitness)


NOTES = {
    "dci_disentanglement": "1 where each dimension is of use for one factor only",
    "dci_completeness": "1 where each factor is predicted from one dimension only",
    "dci_informativeness": "how well the factors can be predicted from the code at all",
    "sap": "the gap of the two best single predictors; of a category 1 − 1/K at most",
    "explicitness": "whether factors can be read off linearly, wherever in the code they are",
}


def predicted(
    evidence: Evidence, measure: DCI | SAP | Explicitness, scores: Callable[[Seen], Sequence[Score]]
) -> list[Figure]:
    """Figures of scores that need a fit, their floor those of shuffled codes."""
    seen = look(evidence.model, evidence.real, evidence.factors, measure.n, evidence.seed)

    def again(rows: Tensor) -> Tensor:
        return values(scores(seen.taken(rows)))

    floors = values(scores(seen.shuffled(evidence.seed))).tolist()
    found = scores(seen)
    spans = jackknife(again, values(found), len(seen.code), measure.groups)
    return [
        evidence.figure(
            name,
            span,
            len(seen.code),
            "higher",
            floor=floor,
            parts=tuple(score.parts.tolist()),
            note=NOTES[name],
        )
        for name, span, floor, score in zip(measure.names, spans, floors, found, strict=True)
    ]


def values(scores: Sequence[Score]) -> Tensor:
    """The values of scores, (S,)."""
    return torch.stack([score.value for score in scores])


class Halves(NamedTuple):
    """Codes (n, D) and a factor (n,) to learn on and to be judged by, as numpy arrays."""

    code: Any
    label: Any
    judged: Any
    right: Any


def halves(code: Tensor, label: Tensor) -> Halves:
    """Two thirds to learn on, the rest to be judged; the rows are in random order already."""
    cut = 2 * len(code) // 3
    parts = code[:cut], label[:cut], code[cut:], label[cut:]
    return Halves(*(part.numpy() for part in parts))


def fitted(model: Any, data: Halves) -> Any:
    """A model of scikit-learn after it learnt; that labels are many for few rows is known."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        return model.fit(data.code, data.label)


# DCI.


def dci(seen: Seen) -> list[Score]:
    """Disentanglement by dimension, completeness and informativeness by factor."""
    pairs = zip(seen.index.T, seen.ordered, strict=True)
    fits = [boosted(halves(seen.code, factor), ordered) for factor, ordered in pairs]
    R = torch.stack([importance for importance, _ in fits], 1)  # (D, K)
    informed = torch.stack([score for _, score in fits])
    rho = R.sum(1) / R.sum().clamp(min=1e-12)
    D, C = concentration(R), concentration(R.T)
    return [Score((rho * D).sum(), D), Score(C.mean(), C), Score(informed.mean(), informed)]


def boosted(data: Halves, ordered: bool) -> tuple[Tensor, Tensor]:
    """How important each dimension is for a factor, (D,), and how well it is predicted."""
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    make = GradientBoostingRegressor if ordered else GradientBoostingClassifier
    if len(set(data.label.tolist())) < 2:
        return torch.zeros(data.code.shape[1], dtype=torch.float64), torch.zeros(()).double()
    model = fitted(make(random_state=0), data)
    error, trivial = ERRORS[ordered](data, model.predict(data.judged))
    score = torch.tensor(1 - error / trivial if trivial > 0 else 0.0, dtype=torch.float64)
    return torch.from_numpy(model.feature_importances_).double(), score.clamp(0, 1)


def squared_errors(data: Halves, guess: Any) -> tuple[float, float]:
    """Of the prediction, and of the mean."""
    return ((data.right - guess) ** 2).mean(), ((data.right - data.label.mean()) ** 2).mean()


def wrong_names(data: Halves, guess: Any) -> tuple[float, float]:
    """The share of wrong names of the prediction, and of the most frequent name."""
    most = max(set(data.label.tolist()), key=data.label.tolist().count)
    return (data.right != guess).mean(), (data.right != most).mean()


ERRORS: dict[bool, Callable[[Halves, Any], tuple[float, float]]] = {
    True: squared_errors,
    False: wrong_names,
}


def concentration(R: Tensor) -> Tensor:
    """1 minus the entropy of each row of importances, in units of its largest: 1 is one alone."""
    total = R.sum(1, keepdim=True)
    if R.shape[1] < 2:
        return (total[:, 0] > 0).double()
    p = R / torch.where(total > 0, total, 1)
    log = torch.tensor(float(R.shape[1])).double().log()
    return torch.where(total[:, 0] > 0, 1 + xlogx(p).sum(1) / log, 0)


# SAP.


def separation(seen: Seen) -> list[Score]:
    """SAP; its parts are the gaps by factor."""
    pairs = zip(seen.index.T, seen.ordered, strict=True)
    S = torch.stack([ALONE[ordered](seen.code, f) for f, ordered in pairs], 1)  # (D, K)
    padded = torch.cat([S, S.new_zeros(1, S.shape[1])])
    best, second = padded.topk(2, 0).values
    return [Score((best - second).mean(), best - second)]


def straight_line(code: Tensor, factor: Tensor) -> Tensor:
    """R² of a straight line from each dimension to a number, (D,)."""
    z, v = code - code.mean(0), factor.double() - factor.double().mean()
    spread = z.square().sum(0) * v.square().sum()
    return (z * v[:, None]).sum(0).square() / torch.where(spread > 0, spread, 1)


def thresholds(code: Tensor, factor: Tensor) -> Tensor:
    """Balanced accuracy of the best thresholds on each dimension for a category, (D,)."""
    from sklearn.tree import DecisionTreeClassifier

    K = int(factor.max()) + 1
    out = []
    for z in code.T:
        data = halves(z[:, None], factor)
        tree = DecisionTreeClassifier(max_leaf_nodes=K, class_weight="balanced", random_state=0)
        guess = fitted(tree, data).predict(data.judged)
        values = sorted(set(data.right.tolist()))
        hits = [(guess[data.right == value] == value).mean() for value in values]
        out.append(sum(hits) / len(hits))
    return torch.tensor(out, dtype=torch.float64)


ALONE: dict[bool, Callable[[Tensor, Tensor], Tensor]] = {True: straight_line, False: thresholds}


# Explicitness.


def explicitness(seen: Seen) -> list[Score]:
    """Explicitness; its parts are the factors."""
    parts = torch.stack([readable(halves(seen.code, factor)) for factor in seen.index.T])
    return [Score(parts.mean(), parts)]


def readable(data: Halves) -> Tensor:
    """The area under the curve, averaged over the values of a factor; ½ is made 0.

    The regression is multinomial: of a number, one value against the rest is not linear in it.
    """
    from scipy.stats import rankdata
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000, tol=1e-3))
    if len(set(data.label.tolist())) < 2:
        return torch.zeros((), dtype=torch.float64)
    chances = fitted(model, data).predict_proba(data.judged)
    areas = []
    for column, value in enumerate(model.classes_):
        positive = data.right == value
        some, rest = int(positive.sum()), int((~positive).sum())
        if some and rest:
            above = rankdata(chances[:, column])[positive].sum() - some * (some + 1) / 2
            areas.append(above / (some * rest))
    mean = sum(areas) / max(len(areas), 1)
    return torch.tensor(2 * mean - 1, dtype=torch.float64).clamp(0, 1)
