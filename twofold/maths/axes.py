r"""Directions of a code that are read off a generator, and how one is kept apart from others.

* *SeFa* (Shen & Zhou 2021, arXiv:2007.06600). Of the linear maps A that a code enters first,
  a step n changes what comes out by α A n, whatever the code. The steps that change it most are

  $$ \arg\max_{n^\top n = 1} \lVert A n \rVert_2^2 , $$

  the eigenvectors of $A^\top A$ in the order of their eigenvalues.
* *GANSpace* (Härkönen et al. 2020, arXiv:2004.02546). Principal axes V of early features y,
  over draws of z; with $x = V^\top (y - \mu)$ their coordinates, the code's directions are what
  least squares makes of them,

  $$ U = \arg\min_U \sum_j \lVert U x_j - z_j \rVert^2 . $$

  Of styles, y is w itself, and U is V.
* *Conditional* directions (Shen et al. 2020, InterFaceGAN, arXiv:1907.10786). A direction n
  that leaves others still is what is left of it outside of their span, $n - N N^\top n$ with N an
  orthonormal basis.

An eigenvector has no sign of its own: its largest number is made positive, so that a direction
learnt again points the same way.

Notation: n, z (D,); A (O, D); y (N, F); K directions are rows, (K, D), of length 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.maths.directions import LEAST, orthonormal


@dataclass(frozen=True)
class Axes:
    """K directions, the one that does most first.

    Args:
        rows: (K, D), each of length 1. shares: of the whole that each carries, (K,).
    """

    rows: Tensor
    shares: Tensor

    def __len__(self) -> int:
        return len(self.rows)


def sefa(A: Tensor, k: int) -> Axes:
    """The k steps that change A n most, A (O, D); shares are of the trace of AᵀA.

    >>> sefa(torch.diag(torch.tensor([1.0, 3.0])), 1).rows
    tensor([[0., 1.]])
    """
    values, vectors = torch.linalg.eigh(A.T @ A)
    shares = values.flip(0).clamp(min=0) / values.clamp(min=0).sum().clamp(min=1e-12)
    return Axes(signed(vectors.T.flip(0))[:k], shares[:k])


def ganspace(y: Tensor, z: Tensor, k: int) -> Axes:
    """The code's directions of the k principal axes of features y (N, F) of codes z (N, D).

    Shares are of the variance of y.
    """
    Y = (y - y.mean(0)).double()
    V, total = leading(Y, k), Y.square().sum()
    x = Y @ V.T  # (N, K)
    U = torch.linalg.lstsq(x, (z - z.mean(0)).double()).solution  # (K, D)
    shares = x.square().sum(0) / total.clamp(min=1e-12)
    return Axes(signed(torch.nn.functional.normalize(U).to(z)), shares.to(z))


def leading(Y: Tensor, k: int) -> Tensor:
    """The k leading principal axes of centred Y (N, F), as rows; solved on the smaller side."""
    n, f = Y.shape
    if f <= n:
        return torch.linalg.eigh(Y.T @ Y)[1].T.flip(0)[:k]
    inner = torch.linalg.eigh(Y @ Y.T)[1].T.flip(0)[:k]  # (K, N)
    return torch.nn.functional.normalize(inner @ Y)


def signed(rows: Tensor) -> Tensor:
    """Rows whose largest number is positive.

    >>> signed(torch.tensor([[1.0, -2.0]]))
    tensor([[-1.,  2.]])
    """
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    return rows * torch.where(largest < 0, -1.0, 1.0).to(rows)


def conditional(n: Tensor, others: Tensor) -> Tensor:
    """A direction (D,) that leaves others (M, D) still, of length 1.

    >>> conditional(torch.tensor([0.6, 0.8]), torch.tensor([[1.0, 0.0]]))
    tensor([0., 1.])

    Raises:
        UserError: the others hold nearly all of it.
    """
    still = orthonormal(others)  # (D, R)
    rest = n - still @ (still.T @ n)
    if rest.norm() < LEAST * n.norm():
        raise UserError(
            "what should change cannot be told apart from what should stay; keep fewer directions"
        )
    return rest / rest.norm()
