r"""A running mean that belongs to a game.

Of what a batch shows, a game may remember a mean: $\bar v \leftarrow \bar v + \alpha (v - \bar v)$
once a step, v the mean over all rows of the last step that showed any. The parts of a batch, and
processes, must agree on it: what they `observe` is summed, and the mean moves when the next step
begins (`advance`), so that all of a step sees the same. At first it is the plain mean of what came.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Running(nn.Module):
    """The running mean of values of one shape.

    Args:
        shape: of a value. decay: 1 − α.

    >>> running = Running((), decay=0.5)
    >>> for step, v in enumerate((2.0, 4.0)):
    ...     running.advance(step)
    ...     running.observe(torch.tensor([v]))
    >>> running.advance(2)
    >>> running.mean
    tensor(3.)
    """

    mean: Tensor
    total: Tensor
    rows: Tensor
    moves: Tensor
    step: Tensor

    def __init__(self, shape: tuple[int, ...], decay: float) -> None:
        super().__init__()
        self.decay = decay
        for name in ("mean", "total"):
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("rows", torch.zeros(()))
        for name in ("moves", "step"):
            self.register_buffer(name, torch.tensor(-(name == "step")))

    @torch.no_grad()
    def observe(self, values: Tensor) -> None:
        """Take in values (B, *shape)."""
        self.total += values.sum(0)
        self.rows += len(values)

    @torch.no_grad()
    def advance(self, step: int) -> None:
        """Move by what earlier steps have shown, unless this step has done so."""
        if step != int(self.step) and self.rows > 0:
            self.moves += 1
            alpha = max(1 - self.decay, 1 / int(self.moves))
            self.mean.lerp_(self.total / self.rows, alpha)
            self.total.zero_()
            self.rows.zero_()
        self.step.fill_(step)
