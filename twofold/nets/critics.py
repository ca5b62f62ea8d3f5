r"""A critic: x, with what is given, to a logit.

The body sees x alone; what is given enters by projection (Miyato & Koyama 2018, arXiv:1802.05637):
$D(x, c) = w^\top \phi(x) + (V c)^\top \phi(x)$, which is plain when nothing is given.

`spectral` divides each weight by its largest singular value, tracked by power iteration (Miyato et
al. 2018, arXiv:1802.05957). The iteration advances once a *turn*, not once a forward, so that a
batch cut into parts sees the same weights as the whole.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from twofold.core.space import Space
from twofold.nets.blocks import Condition
from twofold.nets.bodies import Architecture


class Critic(nn.Module):
    """D(x, given), (B,): high for what looks real.

    Args:
        architecture: of the body. features: the width of φ. spectral: normalise every weight.
    """

    def __init__(
        self, architecture: Architecture, space: Space, given: Space, features: int, spectral: bool
    ) -> None:
        super().__init__()
        self.body = architecture.down(space, Space(), features)
        self.read = nn.Linear(features, 1)
        self.condition = Condition(given.width, features)
        if spectral:
            normalise(self)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        phi = F.leaky_relu(self.body(x, c[:, :0]), 0.2)
        logit: Tensor = self.read(phi).squeeze(1)
        return logit + (phi * self.condition(c)).sum(1) if c.shape[1] else logit


class SpectralNorm(nn.Module):
    """W / σ(W), σ by power iteration from the last turn's singular vectors."""

    u: Tensor
    v: Tensor
    turn: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("u", F.normalize(torch.ones(len(matrix)).to(matrix), dim=0))
        self.register_buffer("v", F.normalize(matrix.T @ self.u, dim=0))
        self.register_buffer("turn", torch.tensor(-1))

    @torch.no_grad()
    def advance(self, weight: Tensor, turn: int) -> None:
        """One power iteration, unless this turn has had it."""
        if turn != int(self.turn):
            matrix = weight.flatten(1)
            self.u.copy_(F.normalize(matrix @ self.v, dim=0))
            self.v.copy_(F.normalize(matrix.T @ self.u, dim=0))
            self.turn.fill_(turn)

    def forward(self, weight: Tensor) -> Tensor:
        return weight / (self.u @ weight.flatten(1) @ self.v)


def normalise(module: nn.Module) -> None:
    """Give every layer with a matrix the spectral norm."""
    for layer in list(module.modules()):
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            if not layer.weight.any():  # a zero-initialised branch has no spectrum to divide by
                nn.init.orthogonal_(layer.weight)
            parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.weight))


def advance(module: nn.Module, turn: int) -> None:
    """Advance every power iteration of a module to a turn."""
    for layer in module.modules():
        if isinstance(layer, parametrize.ParametrizationList):
            for norm in layer:
                assert isinstance(norm, SpectralNorm)
                norm.advance(layer.original, turn)
