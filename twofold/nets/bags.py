r"""What helps a code of sentences to be used: to say which words there are, in no order.

A decoder that sees the words before learns the next one from them sooner than from the code, which
then falls out of use. So the code alone is asked, besides, for the *bag of words*: all tokens of
the sentence from one distribution,

$$ \log p(x_{\text{bow}} \mid z, c) = \sum_{t \le L} \log \operatorname{softmax}\big(f(z, c)
   \big)_{x_t}, $$

L the place of the end. It is no part of the bound, and nothing that is drawn or scored sees it: an
auxiliary loss, which gives the encoder a way to learn that no decoder can shorten.

Source: Zhao, Zhao & Eskenazi 2017, arXiv:1703.10960, section 3.3.

Notation: z (B, D), c (B, G), x (B, K, T) one-hot tokens.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.core.errors import UserError
from twofold.core.space import Space
from twofold.nets.bodies import Dense, join
from twofold.nets.sequences import up_to_the_end


class Aid(nn.Module, ABC):
    """An auxiliary loss of a code."""

    @abstractmethod
    def forward(self, z: Tensor, c: Tensor, x: Tensor) -> Tensor:
        """What is lost on each row, in nats, (B,)."""


class Auxiliary(Part, ABC):
    """What a code is asked for besides the bound."""

    @abstractmethod
    def build(self, latent: int, space: Space, given: Space) -> Aid:
        """The loss of codes of `latent` dimensions."""


@dataclass(frozen=True)
class Nothing(Auxiliary):
    r"""Nothing.

    $$ 0 $$

    Source: the bound is all there is, Kingma & Welling 2014, arXiv:1312.6114.
    """

    def build(self, latent: int, space: Space, given: Space) -> Aid:
        return NoAid()


@dataclass(frozen=True)
class BagOfWords(Auxiliary):
    r"""Which tokens there are, in no order, from the code alone.

    $$ -w \sum_{t \le L} \log \operatorname{softmax}\big(f(z, c)\big)_{x_t} $$

    Args:
        weight: w. width, depth: of the network f.

    Source: Zhao, Zhao & Eskenazi 2017, arXiv:1703.10960, section 3.3.
    """

    weight: PositiveFloat = 1.0
    width: PositiveInt = 256
    depth: NonNegativeInt = 1

    def build(self, latent: int, space: Space, given: Space) -> Aid:
        if space.layout != "tokens" or space.size != 1:
            raise UserError("bag-of-words is for tokens, and these data are none; leave it out")
        return Bag(self, latent, space, given)


class NoAid(Aid):
    """Nothing is asked for."""

    def forward(self, z: Tensor, c: Tensor, x: Tensor) -> Tensor:
        return z.new_zeros(len(z))


class Bag(Aid):
    """The bag of words by a dense network."""

    def __init__(self, part: BagOfWords, latent: int, space: Space, given: Space) -> None:
        super().__init__()
        self.weight = part.weight
        self.net = Dense(part.width, part.depth).layers(latent + given.width, space.width)

    def forward(self, z: Tensor, c: Tensor, x: Tensor) -> Tensor:
        k = x.argmax(1)  # (B, T)
        log_p: Tensor = self.net(join(z, c)).log_softmax(1).gather(1, k)
        return -self.weight * torch.where(up_to_the_end(k), log_p, 0.0).sum(1)
