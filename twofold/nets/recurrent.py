r"""Series step by step: states that follow one another, and what is observed of each.

A `Recurrence` is gated recurrent units over time,

$$ h_t = \operatorname{gru}\big([x_t, c], h_{t-1}\big), \qquad h_0 = 0, $$

(Cho et al. 2014, arXiv:1406.1078), whose state lies in (−1, 1). It is *causal*, $h_t$ has seen
nothing behind t; and one step of it can be asked from any state, which is how a model learns to
go on from the states that data have. `Emission` is p(x | h): each step is observed through its own
state alone.

Notation: x (B, C, T), c (B, G) what is given, h (B, W, T).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twofold.maths.likelihoods import Observation, ObservationSpec


class Recurrence(nn.Module):
    """Numbers (B, C, T) to states (B, W, T), with what is given c (B, G) at every step.

    Args:
        inputs: C. given: G. width: W.

    >>> moves = Recurrence(2, 0, 5)
    >>> x, c = torch.randn(3, 2, 4), torch.zeros(3, 0)
    >>> h = moves(x, c)
    >>> h.shape
    torch.Size([3, 5, 4])
    >>> torch.allclose(moves.step(x[:, :, 1:], h[:, :, :-1], c), h[:, :, 1:], atol=1e-6)
    True
    """

    def __init__(self, inputs: int, given: int, width: int) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs + given, width, batch_first=True)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        states, _ = self.gru(beside(x, c))
        return states.transpose(1, 2)  # (B, T, W) to (B, W, T)

    def step(self, x: Tensor, h: Tensor, c: Tensor) -> Tensor:
        """Each state (B, W, T) one step on: h_{t+1} of every h_t at once."""
        inputs = beside(x, c).flatten(0, 1).unsqueeze(1)  # (B, T, C + G) to (B T, 1, C + G)
        before = h.transpose(1, 2).flatten(0, 1).unsqueeze(0)  # (B, W, T) to (1, B T, W)
        _, after = self.gru(inputs, before.contiguous())
        return (
            after.squeeze(0).unflatten(0, (h.shape[0], -1)).transpose(1, 2)
        )  # (B T, W) to (B, W, T)


def beside(x: Tensor, c: Tensor) -> Tensor:
    """Numbers (B, C, T) with c (B, G) at every step, (B, T, C + G)."""
    steps = x.transpose(1, 2)
    return torch.cat([steps, c.unsqueeze(1).expand(-1, steps.shape[1], -1)], 2)


SWIFT = 10.0
"""How much faster than a weight a shared scale is learnt: Adam moves a number by its rate a step at
most, and at 1e-3 the logarithm of a scale would need 4,600 steps from 1 to a hundredth."""


class Emission(nn.Module):
    """p(x | h): the likelihoods of a Space, step by step, from states (B, W, T).

    Args:
        width: W. spec: the likelihoods of x.
    """

    def __init__(self, width: int, spec: ObservationSpec) -> None:
        super().__init__()
        self.spec = spec
        self.read = nn.Sequential(
            nn.Conv1d(width, width, 1), nn.LeakyReLU(0.2), nn.Conv1d(width, spec.predicted, 1)
        )
        self.shared = nn.Parameter(torch.zeros(spec.shared))

    def forward(self, h: Tensor) -> Observation:
        return self.spec(self.read(h), SWIFT * self.shared)
