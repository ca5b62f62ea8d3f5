"""Small changes to a batch that leave its meaning alone, drawn anew at every step.

An `Augment` maps values (B, F, H, W) to values of the same shape and type. It draws from torch's
global generator of the values' own device, which the loop seeds from (seed, step): what it does is
therefore a pure function of both, and a resumed run sees what an uninterrupted one would have seen.
Only training applies it:

    for change in kind.augments:
        values = change(values)

>>> torch.manual_seed(0)
<torch._C.Generator object at ...>
>>> Flip(1.0)(torch.tensor([[[[1, 2, 3]]]]))
tensor([[[[3, 2, 1]]]])
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.build import Part


class Augment(Part):
    """A random change of a batch of pictures; each row draws its own."""

    @abstractmethod
    def __call__(self, values: Tensor) -> Tensor:
        """Values (B, F, H, W), of any number type, changed."""


@dataclass(frozen=True)
class Flip(Augment):
    """Mirror left and right, each row with this probability."""

    probability: float = 0.5

    def __call__(self, values: Tensor) -> Tensor:
        chosen = torch.rand(len(values), 1, 1, 1, device=values.device) < self.probability
        return torch.where(chosen, values.flip(-1), values)


@dataclass(frozen=True)
class Crop(Augment):
    """Shift by up to this share of the height and width; what enters mirrors the border."""

    share: float = 0.125

    def __call__(self, values: Tensor) -> Tensor:
        count, _, height, width = values.shape
        i = reflect(self.window(count, height, values.device), height)  # (B, H)
        j = reflect(self.window(count, width, values.device), width)  # (B, W)
        b = torch.arange(count, device=values.device)
        # Indices apart from the slice put its axis last: (B, H, W, F)
        return values[b[:, None, None], :, i[:, :, None], j[:, None, :]].movedim(-1, 1)

    def window(self, count: int, size: int, device: torch.device) -> Tensor:
        """Positions (B, size) of windows shifted by whole steps."""
        most = int(self.share * size)
        shift = torch.randint(-most, most + 1, (count, 1), device=device)
        return shift + torch.arange(size, device=device)


def reflect(position: Tensor, size: int) -> Tensor:
    """Positions outside 0 … size − 1 mirrored back inside.

    >>> reflect(torch.arange(-2, 5), 3).tolist()
    [2, 1, 0, 1, 2, 1, 0]
    """
    period = max(2 * (size - 1), 1)
    folded = position.remainder(period)
    return torch.minimum(folded, period - folded) if size > 1 else folded
