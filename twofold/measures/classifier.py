"""The classifier that names modes: a support-vector machine on principal components.

Cortes & Vapnik (1995), *Support-vector networks*, with a Gaussian kernel on the leading components
of x. It is fitted in seconds, has no weights of its own to carry, and its held-out accuracy is
reported beside whatever it is used for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

COMPONENTS = 64
SOFTNESS = 10.0


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier of x (B, C, *A) into indices (B,).

    >>> x = torch.cat([torch.randn(20, 2), torch.randn(20, 2) + 9])
    >>> label = torch.arange(40) // 20
    >>> bool((Classifier.fit(x, label, 0)(x) == label).all())
    True
    """

    pipeline: Any

    @classmethod
    def fit(cls, x: Tensor, label: Tensor, seed: int) -> Self:
        """Fit on observations (N, C, *A) with labels (N,) of two classes at least."""
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import SVC

        flat = x.flatten(1).numpy()
        width = min(COMPONENTS, *flat.shape)
        parts = PCA(width, svd_solver="randomized", random_state=seed), SVC(C=SOFTNESS)
        return cls(make_pipeline(*parts).fit(flat, label.numpy()))

    def __call__(self, x: Tensor) -> Tensor:
        """The class of each observation."""
        return torch.from_numpy(self.pipeline.predict(x.flatten(1).numpy())).long()


@dataclass(frozen=True)
class Regressor:
    """A fitted regression of a number on x, by the same kernel (Drucker et al. 1997).

    >>> x = torch.linspace(-1, 1, 50).unsqueeze(1)
    >>> bool((Regressor.fit(x, 3 * x[:, 0], 0)(x) - 3 * x[:, 0]).abs().max() < 0.5)
    True
    """

    pipeline: Any
    mean: float
    std: float

    @classmethod
    def fit(cls, x: Tensor, number: Tensor, seed: int) -> Self:
        """Fit on observations (N, C, *A) with numbers (N,)."""
        from sklearn.decomposition import PCA
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import SVR

        flat = x.flatten(1).numpy()
        mean, std = float(number.mean()), float(number.std().clamp(min=1e-12))
        width = min(COMPONENTS, *flat.shape)
        parts = PCA(width, svd_solver="randomized", random_state=seed), SVR(C=SOFTNESS)
        return cls(make_pipeline(*parts).fit(flat, ((number - mean) / std).numpy()), mean, std)

    def __call__(self, x: Tensor) -> Tensor:
        """The number of each observation."""
        seen = torch.from_numpy(self.pipeline.predict(x.flatten(1).numpy()))
        return (seen * self.std + self.mean).to(x)
