r"""Company: what a critic sees of the other observations beside one.

A generator that has collapsed draws the same thing again and again; a critic that looks at one
observation at a time cannot tell. A `Company` is a layer of its features φ (B, F) that lets each
row see the batch it came with, real ones among real and drawn among drawn:

* `Discrimination` (Salimans et al. 2016, arXiv:1606.03498, §3.2): with $M_i = T\varphi_i$, K
  matrices' rows of d numbers, $o_k(i) = \operatorname{mean}_{j \ne i} \exp(-\|M_{i,k} - M_{j,k}\|_1)$;
  the mean, where the paper sums, so that it does not depend on the size of the batch.
* `Deviation` (Karras et al. 2018, arXiv:1710.10196, §3): the standard deviation of each feature
  over the batch, averaged to one number.

What it finds stands beside φ before one more layer. It is a statistic of a part of the batch: a
batch in parts sees the company of its part. What also lets a critic see several at once is packing
(`pac`, in `critics`).
"""  # noqa: E501

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part


class Company(Part, ABC):
    """What each row sees of the others."""

    @abstractmethod
    def build(self, features: int) -> nn.Module:
        """A layer from φ (B, features) to as many."""


@dataclass(frozen=True)
class Alone(Company):
    r"""Nothing of the others.

    $$ \varphi \mapsto \varphi $$

    Source: Goodfellow et al. 2014, arXiv:1406.2661.
    """

    def build(self, features: int) -> nn.Module:
        return nn.Identity()


@dataclass(frozen=True)
class Discrimination(Company):
    r"""How near the others are.

    $$ o_k(i) = \operatorname{mean}_{j \ne i} \exp(-\|M_{i,k} - M_{j,k}\|_1), \quad
     M_i = T \varphi_i $$

    Args:
        kernels: K, the distances.
        width: d, the numbers of each.

    Source: Salimans et al. 2016, arXiv:1606.03498.
    """

    kernels: PositiveInt = 16
    width: PositiveInt = 8

    def build(self, features: int) -> nn.Module:
        return Beside(Nearness(features, self.kernels, self.width), features, self.kernels)


@dataclass(frozen=True)
class Deviation(Company):
    r"""How much the rows differ.

    $$ o(i) = \operatorname{mean}_f \sqrt{\operatorname{var}_j \varphi_{j,f}} $$

    Source: Karras et al. 2018, arXiv:1710.10196.
    """

    def build(self, features: int) -> nn.Module:
        return Beside(Spread(), features, 1)


class Beside(nn.Module):
    """φ and a statistic (B, extra) of its batch, mixed to as many features."""

    def __init__(self, statistic: nn.Module, features: int, extra: int) -> None:
        super().__init__()
        self.statistic = statistic
        self.mix = nn.Linear(features + extra, features)

    def forward(self, phi: Tensor) -> Tensor:
        return F.leaky_relu(self.mix(torch.cat([phi, self.statistic(phi)], 1)), 0.2)


class Nearness(nn.Module):
    """o (B, K): how near the others are to each row, from 0 to 1."""

    def __init__(self, features: int, kernels: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(features, kernels * width, bias=False)  # T
        self.kernels = kernels

    def forward(self, phi: Tensor) -> Tensor:
        M = self.project(phi).unflatten(1, (self.kernels, -1))  # (B, K, d)
        distance = (M.unsqueeze(0) - M.unsqueeze(1)).abs().sum(3)  # (B, B, K)
        others = 1 - torch.eye(len(phi), dtype=phi.dtype, device=phi.device).unsqueeze(2)
        return ((-distance).exp() * others).sum(1) / max(len(phi) - 1, 1)


class Spread(nn.Module):
    """The standard deviation over the rows, averaged over the features, for each row, (B, 1)."""

    def forward(self, phi: Tensor) -> Tensor:
        deviation = (phi.var(0, correction=0) + 1e-8).sqrt().mean()
        return deviation.expand(len(phi), 1)
