r"""How one of K tokens is chosen from logits, when a sequence is drawn token by token.

$$ p_k \propto \exp(\ell_k / \tau), \quad \text{kept for the smallest set of the likeliest tokens
   whose probabilities sum to at least } P. $$

At temperature τ = 1 and P = 1 a draw is one of the model. A lower τ, or a lower P (nucleus or top-p
sampling), makes likelier and less varied sequences; τ = 0 takes the likeliest token each time.

Source: nucleus sampling, Holtzman et al. 2020, The Curious Case of Neural Text Degeneration,
arXiv:1904.09751.

Notation: \ell (B, K) logits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.errors import UserError


@dataclass(frozen=True)
class Choice:
    """A rule by which a token is drawn.

    Args:
        temperature: τ. top_p: P.

    Raises:
        UserError: a negative temperature, or a share that is none.

    >>> Choice(temperature=0.0)(torch.tensor([[0.0, 2.0, 1.0]]))
    tensor([1])
    >>> Choice(top_p=0.6)(torch.tensor([[0.0, 2.0, 1.0]]))
    tensor([1])
    """

    temperature: float = 1.0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise UserError(f"temperature {self.temperature:g} is none; give 0 or more")
        if not 0 < self.top_p <= 1:
            raise UserError(f"top-p {self.top_p:g} is no share; give one above 0, at most 1")

    def __call__(self, logits: Tensor) -> Tensor:
        """An index a row, (B,)."""
        if not self.temperature:
            return logits.argmax(1)
        p = (logits / self.temperature).softmax(1)
        p = p if self.top_p == 1 else nucleus(p, self.top_p)
        return torch.multinomial(p, 1).squeeze(1)


def nucleus(p: Tensor, share: float) -> Tensor:
    """Probabilities (B, K) with all set to zero but the likeliest, which sum to a share or more.

    >>> nucleus(torch.tensor([[0.5, 0.3, 0.2]]), 0.6)
    tensor([[0.5000, 0.3000, 0.0000]])
    """
    likely, order = p.sort(dim=1, descending=True)
    before = likely.cumsum(1) - likely
    return torch.zeros_like(p).scatter_(1, order, likely.masked_fill(before >= share, 0.0))
