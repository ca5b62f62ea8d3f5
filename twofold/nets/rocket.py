r"""Random convolutions of a series: ROCKET (Dempster, Petitjean & Webb 2020, arXiv:1910.13051).

Kernel i has a length l in {7, 9, 11}, weights from N(0, 1) less their mean, a bias
$b \sim U(-1, 1)$, a dilation $d = \lfloor 2^a \rfloor$ with $a \sim U(0, \log_2 \frac{T-1}{l-1})$
and a random set of channels. Its two features are the largest response
$\max_t (w *_d x + b)_t$ and the share of positive ones (ppv). Nothing is fitted: the kernels are a
function of the number of channels C and the length T. Unlike in the paper a series is not brought
to unit variance, as its level and amplitude are part of what is compared, and every kernel is
padded to the length of the series.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

KERNELS = 100
LENGTHS = (7, 9, 11)
SEED = 2020


@dataclass(frozen=True)
class Kernel:
    """One convolution: weight (1, C, l), bias (1,), and dilation."""

    weight: Tensor
    bias: Tensor
    dilation: int

    def __call__(self, x: Tensor) -> Tensor:
        """Series (B, C, T) to the maximum and the positive share, (B, 2)."""
        reach = self.dilation * (self.weight.shape[-1] // 2)
        weight, bias = self.weight.to(x), self.bias.to(x)
        y = F.conv1d(x, weight, bias, padding=reach, dilation=self.dilation)[:, 0]  # (B, T)
        return torch.stack([y.amax(1), (y > 0).to(y).mean(1)], 1)


def rocket(x: Tensor) -> Tensor:
    """Series (B, C, T) to features (B, 200).

    >>> rocket(torch.zeros(3, 2, 50)).shape
    torch.Size([3, 200])
    """
    return torch.cat([kernel(x) for kernel in kernels(x.shape[1], x.shape[2])], 1)


@lru_cache(maxsize=32)
def kernels(channels: int, length: int) -> tuple[Kernel, ...]:
    """The fixed kernels for C channels and T points in time."""
    stream = torch.Generator().manual_seed(SEED)
    return tuple(drawn(channels, length, stream) for _ in range(KERNELS))


def drawn(channels: int, length: int, stream: torch.Generator) -> Kernel:
    size = LENGTHS[int(torch.randint(len(LENGTHS), (), generator=stream))]
    u = torch.rand(3, generator=stream).tolist()
    dilation = int(2 ** (u[0] * math.log2(max(1, (length - 1) / (size - 1)))))
    heard = max(1, int(channels ** u[1]))
    chosen = torch.randperm(channels, generator=stream)[:heard]
    weight = torch.zeros(1, channels, size)
    weight[0, chosen] = torch.randn(heard, size, generator=stream)
    weight[0, chosen] -= weight[0, chosen].mean(1, keepdim=True)
    return Kernel(weight, torch.tensor([2 * u[2] - 1]), dilation)
