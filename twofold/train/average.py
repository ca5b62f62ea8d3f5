r"""Averaged weights: an exponential moving average of every parameter.

$\bar\theta \leftarrow \bar\theta + (1 - \beta)(\theta - \bar\theta)$ with
$\beta = \min\big(2^{-B / h}, (1 + t) / (10 + t)\big)$ for a batch of B, a half-life of h
observations and step t: the average follows closely at first, so that it is of use from step 0
(Karras et al. 2018, arXiv:1710.10196, §A.1, for the half-life; the ramp is TensorFlow's).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from twofold.core.game import Model


class Average:
    """The averaged twin of a model.

    Args:
        model: the model that trains.
        half_life: in observations.
    """

    def __init__(self, model: Model, half_life: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.half_life = half_life
        self.mine: list[Tensor] = list(self.model.parameters())
        self.theirs: list[Tensor] = list(model.parameters())
        self.my_buffers, self.their_buffers = kept(self.model), kept(model)

    @torch.no_grad()
    def update(self, step: int, batch: int) -> None:
        """Follow the model after a step."""
        beta = min(0.5 ** (batch / self.half_life), (1 + step) / (10 + step))
        torch._foreach_lerp_(self.mine, self.theirs, 1 - beta)
        if self.my_buffers:
            torch._foreach_copy_(self.my_buffers, self.their_buffers)


def kept(module: nn.Module) -> list[Tensor]:
    """The buffers that are part of a module's state; the others are constants."""
    state = module.state_dict(keep_vars=True)
    return [buffer for name, buffer in module.named_buffers() if name in state]


def clone(module: nn.Module) -> dict[str, Tensor]:
    """A copy of a module's state, by name."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
