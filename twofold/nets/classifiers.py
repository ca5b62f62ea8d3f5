r"""A critic that knows labels: x, with what is given, to a logit for each of K labels.

Its head is linear in the features φ, so that what a generator matches there is what labels are read
from. There is no further logit for drawn observations: the sum of the exponentials of the K is the
odds of real to drawn (Salimans et al. 2016, arXiv:1606.03498, §5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from twofold.core.space import Space
from twofold.maths.distributions import Categories
from twofold.nets.bodies import Architecture
from twofold.nets.critics import Judge


@dataclass(frozen=True)
class Seen:
    """What the critic makes of B observations: features `phi` (B, F) and logits `l` (B, K)."""

    phi: Tensor
    l: Tensor  # noqa: E741

    @property
    def log_Z(self) -> Tensor:  # noqa: N802
        """The logit of D(x), (B,)."""
        return self.l.logsumexp(1)

    @property
    def p(self) -> Categories:
        """p(y | x, y ≤ K)."""
        return Categories(self.l)


class LabelCritic(Judge):
    """φ(x) and l(x), with what is given.

    Args:
        architecture: of the body. given: what it sees beside x. features: F. labels: K.

    >>> import torch
    >>> from twofold.core.space import Field, Real
    >>> from twofold.nets.bodies import Dense
    >>> critic = LabelCritic(Dense(), Space((Field("v", Real(), 3),)), Space(), 8, 10)
    >>> seen = critic(torch.randn(5, 3), torch.zeros(5, 0))
    >>> seen.phi.shape, seen.l.shape
    (torch.Size([5, 8]), torch.Size([5, 10]))
    """

    def __init__(
        self, architecture: Architecture, space: Space, given: Space, features: int, labels: int
    ) -> None:
        super().__init__()
        self.body = architecture.down(space, given, features)
        self.read = nn.Linear(features, labels)

    def forward(self, x: Tensor, c: Tensor) -> Seen:
        phi = F.leaky_relu(self.body(x, c), 0.2)
        return Seen(phi, self.read(phi))
