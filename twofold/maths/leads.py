r"""Whether the encoder learns ahead of the decoder, or beside it.

Early in training q(z | x) lags behind the true posterior of a decoder that still changes; the
decoder then learns to do without the code before the encoder has put anything into it. *Aggressive*
training lets the encoder φ catch up before each step of the decoder θ, for as long as that matters:

$$ \phi \leftarrow \phi + \nabla_\phi \mathcal L(x; \theta, \phi) \text{ several times, then }
   \theta \leftarrow \theta + \nabla_\theta \mathcal L(x; \theta, \phi); \qquad
   \text{later both at once.} $$

Source: He, Spokoyny, Neubig & Berg-Kirkpatrick 2019, Lagging Inference Networks and Posterior
Collapse, arXiv:1901.05534, Algorithm 1. There the encoder goes on until the bound of fresh batches
rises no more, and is aggressive until the mutual information of held-out data stops to climb; a
game does not branch on its data, so both are numbers here, and the turns are of one batch with new
draws of z.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from pydantic import PositiveInt

from twofold.core.build import Part


class Lead(Part, ABC):
    """How many turns the encoder has for itself; `parts` says that it is a player of its own."""

    parts: ClassVar[bool] = False

    @abstractmethod
    def turns(self, step: int) -> int:
        """The encoder's turns before the decoder's at a step; 0 is one turn of both."""


@dataclass(frozen=True)
class Together(Lead):
    r"""Encoder and decoder learn at once.

    $$ (\phi, \theta) \leftarrow (\phi, \theta) + \nabla_{\phi, \theta} \mathcal L $$

    Source: Kingma & Welling 2014, arXiv:1312.6114.
    """

    def turns(self, step: int) -> int:
        return 0


@dataclass(frozen=True)
class Aggressive(Lead):
    r"""The encoder has k turns before each of the decoder's, for the first steps.

    $$ \underbrace{\phi \leftarrow \phi + \nabla_\phi \mathcal L}_{k \text{ times}}, \quad
     \theta \leftarrow \theta + \nabla_\theta \mathcal L \qquad (t < T) $$

    Args:
        k: the encoder's turns. steps: T; from there on both learn at once.

    Source: He et al. 2019, arXiv:1901.05534, Algorithm 1.

    >>> [Aggressive(k=5, steps=10).turns(step) for step in (0, 9, 10)]
    [5, 5, 0]
    """

    k: PositiveInt = 5
    steps: PositiveInt = 500
    parts = True

    def turns(self, step: int) -> int:
        return self.k if step < self.steps else 0
