"""Simple anomaly scores beside a model's: what no network is needed for.

| baseline | is |
|---|---|
| `pca` | squared distance from the plane of the principal axes, as many as the code has dimensions, and no more than hold nine tenths of the variance |
| `nearest_neighbour` | distance from the nearest training row |
| `isolation_forest` | how few random cuts isolate a row (Liu, Ting & Zhou 2008), as scikit-learn has it |
| `mean_distance` | distance from the mean of the training rows |

They learn from the same rows and are calibrated on the same as the model's scores. They are fitted
when data are scored and are not kept: a run does not carry its training rows. What they see of a
sequence of tokens is how often each occurs: word by word, two sentences of which one has a word
more at its start have nothing in common, and a few hundred thousand columns take minutes.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from twofold.core.space import Space
from twofold.measures.baselines import PPCA, principal

Scorer = Callable[[Tensor], Tensor]

KEPT = 0.9
"""The share of variance that the axes of the PCA hold."""
ROWS = 256


def seen(space: Space, x: Tensor) -> Tensor:
    """What baselines see of x (N, C, *A): itself, and of tokens (N, C, T) their counts (N, C).

    >>> from twofold.core.space import Field, Token
    >>> space = Space((Field("word", Token(("", "a", "b"))),), (3,))
    >>> seen(space, space.encode(torch.tensor([[[2.0, 1.0, 1.0]]]))).tolist()
    [[0.0, 2.0, 1.0]]
    """
    return x.sum(2) if space.layout == "tokens" else x


def pca(x: Tensor, width: int, seed: int) -> Scorer:
    """The squared distance of x from the plane of the training rows' principal axes."""
    plane = PPCA.fit(x, min(width, axes_holding(KEPT, x)))
    return lambda x: (x - plane.reconstruct(x)).flatten(1).square().sum(1)


def axes_holding(share: float, x: Tensor) -> int:
    """The fewest principal axes that hold a share of the variance of x (N, C, *A); at least one."""
    flat = x.flatten(1).double()
    most = min(len(flat) - 1, flat.shape[1])
    values, _ = principal(flat - flat.mean(0), most)
    held = values.cumsum(0) / values.sum().clamp(min=1e-12)
    return min(int((held < share).sum()) + 1, max(1, flat.shape[1] // 2))


def nearest_neighbour(x: Tensor, width: int, seed: int) -> Scorer:
    """The distance of x from the nearest training row."""
    known = x.flatten(1)

    def score(x: Tensor) -> Tensor:
        parts = x.flatten(1).split(ROWS)
        return torch.cat([torch.cdist(part, known).min(1).values for part in parts])

    return score


def isolation_forest(x: Tensor, width: int, seed: int) -> Scorer:
    """How few random cuts isolate x from the training rows."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(random_state=seed).fit(x.flatten(1).numpy())
    return lambda x: torch.from_numpy(-forest.score_samples(x.flatten(1).numpy()))


def mean_distance(x: Tensor, width: int, seed: int) -> Scorer:
    """The distance of x from the mean of the training rows."""
    mean = x.flatten(1).mean(0)
    return lambda x: (x.flatten(1) - mean).norm(dim=1)


BASELINES: dict[str, Callable[[Tensor, int, int], Scorer]] = {
    "pca": pca,
    "nearest_neighbour": nearest_neighbour,
    "isolation_forest": isolation_forest,
    "mean_distance": mean_distance,
}


def baselines(x: Tensor, width: int, seed: int) -> dict[str, Scorer]:
    """Each baseline, taught by training rows x (N, C, *A), with a code of `width` dimensions."""
    return {name: make(x, width, seed) for name, make in BASELINES.items()}
