r"""A critic whose middle layer is a measure of likeness.

The body is in two halves: x goes down to features $\text{Dis}_l(x)$ at a few places, which keep
where things are, and these go on to a logit. Between observations the features of layer l say how
alike they look to the critic (Larsen et al. 2016, arXiv:1512.09300). A vector has one place.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from twofold.core.space import Field, Real, Space
from twofold.nets.bodies import Architecture
from twofold.nets.critics import Judge, Look


class SimilarityCritic(Judge):
    """Dis_l(x), (B, F, *places), and the logit of Dis(x), (B,).

    Args:
        architecture: of both halves. features: F. places: the most of them in layer l.

    >>> import torch
    >>> from twofold.nets.bodies import Dense
    >>> critic = SimilarityCritic(Dense(), Space((Field("v", Real(), 3),)), Space(), 8, 64)
    >>> look = critic(torch.randn(5, 3), torch.zeros(5, 0))
    >>> look.phi.shape, look.logits.shape
    (torch.Size([5, 8]), torch.Size([5]))
    """

    def __init__(
        self, architecture: Architecture, space: Space, given: Space, features: int, places: int
    ) -> None:
        super().__init__()
        grid = architecture.coarse(space.axes, places) if space.axes else ()
        layer = Space((Field("phi", Real(), features),), grid)
        self.lower = architecture.down_grid(space, Space(), features, grid)
        self.upper = architecture.down(layer, given, 1)

    def forward(self, x: Tensor, c: Tensor) -> Look:
        phi = F.leaky_relu(self.lower(x, c[:, :0]), 0.2)
        return Look(phi, self.upper(phi, c).squeeze(1))
