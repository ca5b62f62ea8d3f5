r"""Layers with an equalised learning rate.

Weights are drawn from $\mathcal N(0, 1)$ and divided by the root of what a unit sums over when they
are used, not when they are drawn: $\hat w = g \, w / \sqrt{\text{fan-in}}$ (Karras et al. 2018,
arXiv:1710.10196, §4.1). An optimiser that is blind to scale, as Adam is, then moves every layer
alike. `rate` slows a layer down: it is drawn so much larger and used so much smaller. A gain
$g = \sqrt 2$ belongs before a rectifier; `rectified` has it in itself.

`unit` divides by the root of the mean square over the channels: a code before it is mapped, and the
features of each place in a progressive generator (§4.2 there).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONVOLVE: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


class EqualLinear(nn.Module):
    """g · w h / √inputs + b.

    Args:
        gain: g. rate: how fast it learns beside others. bias: where b starts.

    >>> EqualLinear(3, 2, bias=1.0)(torch.zeros(1, 3))
    tensor([[1., 1.]], grad_fn=<AddmmBackward0>)
    """

    def __init__(
        self, inputs: int, outputs: int, gain: float = 1.0, rate: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate = gain * rate / math.sqrt(inputs), rate

    def forward(self, h: Tensor) -> Tensor:
        return F.linear(h, self.weight * self.scale, self.bias * self.rate)


class EqualConv(nn.Module):
    """A convolution of odd size that keeps the places, over 1, 2 or 3 axes.

    >>> EqualConv(1, 2, 4, 3)(torch.zeros(1, 2, 5)).shape
    torch.Size([1, 4, 5])
    """

    def __init__(self, axes: int, inputs: int, outputs: int, size: int, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *[size] * axes))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * size**axes)
        self.convolve, self.padding = CONVOLVE[axes], size // 2

    def forward(self, h: Tensor) -> Tensor:
        return self.convolve(h, self.weight * self.scale, self.bias, padding=self.padding)


def unit(h: Tensor) -> Tensor:
    """h (B, C, …) over the root of its mean square over C.

    >>> unit(torch.tensor([[3.0, -3.0]]))
    tensor([[ 1., -1.]])
    """
    return h * (h.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def rectified(h: Tensor) -> Tensor:
    """√2 · leaky ReLU, which keeps the size of what is normal."""
    return F.leaky_relu(h, 0.2) * math.sqrt(2)


def rowwise(s: Tensor, h: Tensor) -> Tensor:
    """Numbers s (B, C) as they meet features h (B, C, *A)."""
    return s.reshape(*s.shape, *[1] * (h.dim() - 2))
