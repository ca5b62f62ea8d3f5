r"""The simple models that stand beside a figure: principal components, and marginals.

Tipping & Bishop (1999), *Probabilistic principal component analysis*: the linear latent model

$$z \sim N(0, I_q), \qquad x \mid z \sim N(W z + \mu, \sigma^2 I_D)$$

has a closed-form maximum-likelihood fit. With $\lambda_i, u_i$ the eigenpairs of the training
covariance, $\sigma^2$ is the mean of the $D - q$ eigenvalues left out, and
$W = U_q (\Lambda_q - \sigma^2 I)^{1/2}$. At $q = D - 1$ it is the full-covariance Gaussian; the
reconstruction from its first q coordinates is that of PCA. It draws samples, has an exact density
and reconstructs, so one fit serves as baseline for distances, densities and reconstructions.

Where x is a matter of levels (pixels, categories) a likelihood is a probability, which no density
can be compared with; there the baseline is `Marginals`, a histogram for every number on its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from twofold.core.space import Bounded, Category, Field, Space, Token

LEAST = 1e-6  # of the mean variance: below it a direction is rounding, not data


@dataclass(frozen=True)
class PPCA:
    """A fitted probabilistic PCA over x of any shape.

    Args:
        mean: (D,); axes U (D, q); spread λ (q,); noise σ².
        shape: (C, *A), with D numbers.
    """

    mean: Tensor
    axes: Tensor
    spread: Tensor
    noise: float
    shape: torch.Size

    @classmethod
    def fit(cls, x: Tensor, width: int) -> Self:
        """The maximum-likelihood fit with q = width, at most what the data can tell apart.

        >>> PPCA.fit(torch.randn(50, 4), 2).sample(3, torch.Generator()).shape
        torch.Size([3, 4])
        """
        flat = x.detach().flatten(1).double().cpu()  # (N, D)
        n, D = flat.shape
        q = max(0, min(width, D - 1, n - 1))
        mean = flat.mean(0)
        values, axes = principal(flat - mean, q)
        total = float((flat - mean).square().sum()) / n
        noise = max((total - float(values.sum())) / (D - q), LEAST * total / D, 1e-12)
        return cls(mean, axes, values.clamp(min=noise), noise, x.shape[1:])

    def sample(self, rows: int, generator: torch.Generator) -> Tensor:
        """Draws (rows, C, *A)."""
        D, q = self.axes.shape
        z = torch.randn(rows, q, generator=generator, dtype=torch.float64)
        noise = torch.randn(rows, D, generator=generator, dtype=torch.float64)
        W = self.axes * (self.spread - self.noise).sqrt()
        x = self.mean + z @ W.T + math.sqrt(self.noise) * noise  # (rows, D)
        return x.reshape(-1, *self.shape).float()  # (rows, C, *A)

    def log_density(self, x: Tensor) -> Tensor:
        """log p(x) in nats, (B,), in float64."""
        d = x.detach().flatten(1).double().cpu() - self.mean
        D, q = self.axes.shape
        code = d @ self.axes  # (B, q)
        inside = (code.square() / self.spread).sum(1)
        outside = (d.square().sum(1) - code.square().sum(1)) / self.noise
        logdet = float(self.spread.log().sum()) + (D - q) * math.log(self.noise)
        return -0.5 * (inside + outside + logdet + D * math.log(2 * math.pi))

    def reconstruct(self, x: Tensor) -> Tensor:
        """PCA's nearest point to each x (B, C, *A) on the plane of the q axes."""
        d = x.detach().flatten(1).double().cpu() - self.mean
        return (self.mean + d @ self.axes @ self.axes.T).reshape(x.shape).to(x.dtype)


def principal(centred: Tensor, q: int) -> tuple[Tensor, Tensor]:
    """The q largest eigenvalues of the covariance of centred (N, D), and their axes (D, q).

    Solved on the smaller side: the covariance, or the Gram matrix of the rows.
    """
    n, D = centred.shape
    if n >= D:
        values, axes = torch.linalg.eigh(centred.T @ centred / n)
        return values.flip(0)[:q].clamp(min=0), axes.flip(1)[:, :q]
    values, rows = torch.linalg.eigh(centred @ centred.T / n)
    values, rows = values.flip(0)[:q].clamp(min=0), rows.flip(1)[:, :q]
    axes = centred.T @ rows / (n * values).clamp(min=1e-12).sqrt()
    return values, axes


def canonical(space: Space, x: Tensor) -> Tensor:
    """x as it is when written to a file and read again: pixels rounded, categories decided.

    What is compared must have passed through the same rounding on both sides.
    """
    return space.encode(space.decode(x.detach().float().cpu()))


STRENGTHS = (1.0, 10.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Marginals:
    r"""Every number of x on its own: a histogram a field and place, for values with levels.

    A histogram of N observations is drawn towards that of all places, $\bar p$, as if κ more had
    been seen: $p_k = (c_k + \kappa \bar p_k) / (N + \kappa)$, with the κ that predicts each
    training value best from the others.

    Args:
        tables: for each field, log p of each level, (L, size, *A).
    """

    space: Space
    tables: tuple[Tensor, ...]

    @classmethod
    def fit(cls, space: Space, x: Tensor) -> Self:
        """Count the levels of x (N, C, *A)."""
        fields = space.parts(x.detach().cpu())
        return cls(space, tuple(histogram(levels(f, part), count(f)) for f, part in fields))

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, (B,): a probability, not a density."""
        fields = zip(self.space.parts(x.detach().cpu()), self.tables, strict=True)
        logs = [table.gather(0, levels(f, part)).flatten(1).sum(1) for (f, part), table in fields]
        return torch.stack(logs).sum(0)


def countable(space: Space) -> bool:
    """Whether every value has finitely many levels, and none can be missing."""
    return all(count(field) and not field.missing for field in space.fields)


def count(field: Field) -> int:
    """The levels of a field; 0 when there is no end of them."""
    if isinstance(field.domain, Category | Token):
        return field.domain.width
    return field.domain.levels if isinstance(field.domain, Bounded) else 0


def levels(field: Field, x: Tensor) -> Tensor:
    """Channels (B, size · width, *A) as the index of the level of each value, (B, size, *A)."""
    if isinstance(field.domain, Bounded):
        return (x.clamp(0, 1) * (field.domain.levels - 1)).round().long()
    return field.domain.decode(x).long()


def histogram(index: Tensor, size: int) -> Tensor:
    """log p of each level, (L, F, *A), from the levels (N, F, *A)."""
    ones = torch.ones_like(index, dtype=torch.float64)
    seen = torch.zeros(size, *index.shape[1:], dtype=torch.float64).scatter_add(0, index, ones)
    pooled = (seen.flatten(1).sum(1) + 1) / (seen.sum() + size)
    pooled = pooled.reshape(-1, *[1] * (index.dim() - 1))  # (L, 1, …)

    def left_out(strength: float) -> float:
        rest = ((seen - 1).clamp(min=0) + strength * pooled) / (len(index) - 1 + strength)
        return float((seen * rest.log()).sum())

    best = max(STRENGTHS, key=left_out)
    return ((seen + best * pooled) / (len(index) + best)).log()
