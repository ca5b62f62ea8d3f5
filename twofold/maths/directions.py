r"""Directions of a latent space along which an attribute changes.

An attribute of an observation is a vector a: one-hot (W = K) for a category, the number itself
(W = 1) otherwise. From codes z and attributes of the training data, least squares both ways:

* the *effect* (W, D): the expected code for each value. For a category they are the class means,
  and a difference of two is the attribute vector of Larsen et al. (2016, arXiv:1512.09300); for a
  number it is $\operatorname{cov}(a, z) / \operatorname{var}(a)$, the code's change a unit.
* the *reading* (W, D): $\operatorname{cov}(a, z) \operatorname{cov}(z, z)^{-1}$, what a linear
  predictor sees of the attribute in a code.

To go from a to a' moves z by $(a' - a)\,E$. Where attributes go together in the data, this moves
the others too. Kept attributes are held still by leaving out the part of the shift that their
readings see (as Shen et al. 2020, InterFaceGAN, arXiv:1907.10786, do with the normals of two
classifiers), and what is left is lengthened until the reading of the attribute itself moves as far
as before.

Notation: z (N, D) codes, a (N, W) attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.errors import UserError

LEAST = 0.05
"""The share of its reading that a shift must keep beside what is held still."""


@dataclass(frozen=True)
class Direction:
    """How an attribute and a code go together.

    Args:
        effect, reading: (W, D) each. usual: the attribute's mean, (W,).
    """

    effect: Tensor
    reading: Tensor
    usual: Tensor

    @classmethod
    def of(cls, z: Tensor, a: Tensor) -> Direction:
        """Fitted on codes (N, D) and attributes (N, W), all of them known.

        >>> a = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
        >>> Direction.of(torch.cat([2 * a, -a], 1), a).effect
        tensor([[ 2., -1.]])
        """
        usual = a.mean(0)
        Z, A = z - z.mean(0), a - usual
        if a.shape[1] > 1:
            effect = (a.T @ z) / a.sum(0).clamp(min=1).unsqueeze(1)  # the mean code of each class
        else:
            effect = A.T @ Z / A.square().sum().clamp(min=1e-12)
        return cls(effect, (torch.linalg.pinv(Z) @ A).T, usual)


def shifts(toward: Direction, step: Tensor, kept: Sequence[Direction] = ()) -> Tensor:
    """How codes move, (B, D), for steps a' − a (B, W), with other attributes held still.

    Raises:
        UserError: the others hold nearly all of the direction.
    """
    shift = step @ toward.effect
    if not kept:
        return shift
    still = orthonormal(torch.cat([other.reading for other in kept]))  # (D, R)
    rest = shift - shift @ still @ still.T
    normal = step @ toward.reading  # (B, D): what sees each row's own step
    before, after = ((s * normal).sum(1, keepdim=True) for s in (shift, rest))
    moves = before.abs() > 1e-9
    share = torch.where(moves, after / torch.where(moves, before, 1.0), 1.0)
    if (share < LEAST).any():
        raise UserError(
            "what should change cannot be told apart from what should stay; keep fewer attributes"
        )
    return rest / share


def orthonormal(rows: Tensor) -> Tensor:
    """An orthonormal basis (D, R) of the span of rows (M, D).

    >>> orthonormal(torch.tensor([[3.0, 0.0], [1.0, 0.0]])).abs()
    tensor([[1.],
            [0.]])
    """
    _, s, vt = torch.linalg.svd(rows, full_matrices=False)
    return vt[s > 1e-6 * s.max().clamp(min=1e-12)].T
