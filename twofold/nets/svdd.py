r"""Deep SVDD: a network that maps what is normal near one point.

$$ \min_W \; \frac1n \sum_i \big\| \varphi(x_i; W) - c \big\|^2 + \frac\lambda2 \|W\|^2, \qquad
   s(x) = \big\| \varphi(x; W^*) - c \big\|^2 $$

The centre c is the mean of $\varphi(x_i; W_0)$, the network as it was drawn, and stays; numbers of
it too near nought are moved away, as a weight of nought would reach them. No layer has a bias: with
one, the network could answer c to everything (Propositions 1 to 3 of the paper: the hypersphere
collapses). The activations are unbounded for the same reason.

Source: Ruff, Vandermeulen, Goernitz, Deecke, Siddiqui, Binder, Müller & Kloft 2018, Deep One-Class
Classification, ICML.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twofold.core.space import Space
from twofold.nets.bodies import Architecture
from twofold.nets.fit import fit

NOUGHT = 0.1
"""No number of c is nearer to nought."""
DECAY = 1e-6
"""λ."""


class SVDD(nn.Module):
    """φ, with its centre c: x (B, C, *A) to φ(x) − c, (B, D).

    >>> from twofold.core.space import Field, Real
    >>> from twofold.nets.bodies import Dense
    >>> net = SVDD(Dense(8, 1), Space((Field("v", Real(), 3),)), 4)
    >>> net.distance(torch.zeros(2, 3)).tolist()  # nought stays nought; c is still nought
    [0.0, 0.0]
    """

    centre: Tensor

    def __init__(self, architecture: Architecture, space: Space, features: int) -> None:
        super().__init__()
        self.phi = unbiased(architecture.down(space, Space(), features))
        self.register_buffer("centre", torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        phi: Tensor = self.phi(x, x.new_zeros(x.shape[0], 0))
        return phi - self.centre

    def distance(self, x: Tensor) -> Tensor:
        """s(x), (B,)."""
        return self(x).square().sum(1)


def unbiased(body: nn.Module) -> nn.Module:
    """The module without a bias in any of its layers."""
    for layer in body.modules():
        if getattr(layer, "bias", None) is not None:
            layer.register_parameter("bias", None)
    return body


def fitted(net: SVDD, x: Tensor, *, steps: int, lr: float = 1e-3, seed: int = 0) -> SVDD:
    """Fix the centre by the fresh network, and draw the rows x (N, C, *A) to it, in place."""
    with torch.no_grad():
        c = net(x).mean(0) + net.centre
        sign = torch.where(c < 0, -1.0, 1.0)
        net.centre.copy_(torch.where(c.abs() < NOUGHT, sign * NOUGHT, c))

    def loss(off: Tensor, target: Tensor) -> Tensor:
        size = sum((w.square().sum() for w in net.parameters()), off.new_zeros(()))
        return (off - target).square().sum(1).mean() + DECAY / 2 * size

    goal = x.new_zeros(len(x), len(net.centre))
    return fit(net, x, goal, loss, steps=steps, lr=lr, seed=seed)
