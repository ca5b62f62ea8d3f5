r"""The blocks that bodies are made of.

All of them work without batch statistics, so that a batch cut into parts is the batch whole, and
with double backward, so that a critic made of them can be penalised. A residual branch ends in a
convolution that starts at zero (fix-up, Zhang et al. 2019, arXiv:1901.09321), which replaces
normalisation; self-attention (Zhang et al. 2019, arXiv:1805.08318) enters through a gate that
starts at zero. What is given enters each block as a bias a channel; a Given of width 0 adds
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["leaky-relu", "relu", "silu", "gelu", "tanh"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky-relu": lambda: nn.LeakyReLU(0.2),
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
}
CONVOLUTIONS: dict[int, type[nn.Conv1d] | type[nn.Conv2d] | type[nn.Conv3d]] = {
    1: nn.Conv1d,
    2: nn.Conv2d,
    3: nn.Conv3d,
}


class Condition(nn.Module):
    """What is given, c (B, G), as a bias a channel, (B, channels); it starts at zero."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, width))

    def forward(self, c: Tensor) -> Tensor:
        return F.linear(c, self.weight)


class Add(nn.Module):
    """Add what is given to every place: h (B, C, *A) + bias (B, C)."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.condition = Condition(width, channels)
        self.width = width

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        if not self.width:  # nothing to add
            return h
        bias = self.condition(c)
        return h + bias.reshape(*bias.shape, *[1] * (h.dim() - 2))


class Modulate(nn.Module):
    """Scale and shift every channel by what is told: h (1 + γ(c)) + β(c), γ and β (B, C).

    Conditional batch normalisation (de Vries et al. 2017, arXiv:1707.00683) without the batch: each
    place is normalised over its channels first.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.condition = Condition(width, 2 * channels)

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        told = self.condition(c)
        gamma, beta = told.reshape(*told.shape, *[1] * (h.dim() - 2)).chunk(2, 1)
        size = (h.square().mean(1, keepdim=True) + 1e-8).sqrt()
        return h / size * (1 + gamma) + beta


class Noise(nn.Module):
    """h + σ ε while training, ε ~ N(0, I); h otherwise (Poole et al. 2014, arXiv:1406.1831)."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, h: Tensor) -> Tensor:
        return h + self.sigma * torch.randn_like(h) if self.training else h


def normalised(channels: int, groups: int) -> nn.Module:
    """Group normalisation in at most so many groups; nothing at all for none.

    Of one picture at a time, so that a batch cut into parts is the batch whole, where batch
    normalisation is not (Wu & He 2018, arXiv:1803.08494).
    """
    return nn.GroupNorm(math.gcd(groups, channels), channels) if groups else nn.Identity()


class Residual(nn.Module):
    """h + conv(act(conv(act(h + c)))), over 1, 2 or 3 axes, channels kept.

    `tell` makes the layer through which what is given enters, h + c or another. With `groups` each
    act follows a group normalisation.
    """

    def __init__(
        self,
        axes: int,
        channels: int,
        given: int,
        activation: Activation,
        tell: Callable[[int, int], nn.Module] = Add,
        groups: int = 0,
    ) -> None:
        super().__init__()
        conv = CONVOLUTIONS[axes]
        self.given = tell(given, channels)
        self.norms = nn.ModuleList(normalised(channels, groups) for _ in range(2))
        self.act = ACTIVATIONS[activation]()
        self.first = conv(channels, channels, 3, padding=1)
        self.second = conv(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor, c: Tensor) -> Tensor:
        before, between = self.norms
        inside = self.first(self.act(before(self.given(h, c))))
        return h + self.second(self.act(between(inside)))


class Attention(nn.Module):
    """Self-attention over all places of a grid, written out so that it can be differentiated twice.

    `maps(h)` returns the attention itself, (B, heads, P, P) over the P places.
    """

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = math.gcd(heads, channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.gate = nn.Parameter(torch.zeros(()))

    def split(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        tokens = h.flatten(2).transpose(1, 2)  # (B, P, C)
        tokens = F.layer_norm(tokens, tokens.shape[-1:])
        q, k, v = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v  # (B, heads, P, C / heads)

    def maps(self, h: Tensor) -> Tensor:
        q, k, _ = self.split(h)
        return (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).softmax(3)

    def forward(self, h: Tensor) -> Tensor:
        q, k, v = self.split(h)
        attention = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).softmax(3)
        mixed = (attention @ v).transpose(1, 2).flatten(2)  # (B, P, C)
        return h + self.gate * self.out(mixed).transpose(1, 2).reshape(h.shape)


class Resize(nn.Module):
    """Nearest-neighbour resampling of the axes to an exact size."""

    def __init__(self, size: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size

    def forward(self, h: Tensor) -> Tensor:
        return F.interpolate(h, size=self.size, mode="nearest")


class Unpatch(nn.Module):
    """Channels to patches: (B, C · p^n, *places) to (B, C, *axes) over n axes.

    Sub-pixel convolution's last step (Shi et al. 2016, arXiv:1609.05158), on any number of axes;
    what lies beyond the axes is cut.

    >>> Unpatch(2, (3,))(torch.tensor([[[0.0, 2.0], [1.0, 3.0]]]))
    tensor([[[0., 1., 2.]]])
    """

    def __init__(self, p: int, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.p, self.axes = p, axes

    def forward(self, h: Tensor) -> Tensor:
        if self.p == 1:
            return h
        n = len(self.axes)
        h = h.unflatten(1, (-1, *[self.p] * n))  # (B, C, p, …, P, …)
        order = [k for i in range(n) for k in (2 + n + i, 2 + i)]
        h = h.permute(0, 1, *order)  # (B, C, P, p, …)
        for i in range(n):
            h = h.flatten(2 + i, 3 + i).narrow(2 + i, 0, self.axes[i])
        return h
