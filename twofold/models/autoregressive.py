r"""A model of sequences without a latent: each token from those before it.

$$ \log p(x \mid c) = \sum_{t \le L} \log p(x_t \mid x_1, \dots, x_{t-1}, c), $$

L the place of the end. It is the baseline of every sequence VAE: the same decoder, and no code. A
VAE whose bound is no better, and whose code is used, has bought its latent at that price; one whose
code is unused *is* this model, with a detour. Its likelihood is exact.

What is given, c, is seen at every place.

Source: with a recurrent network over characters, Graves 2013, Generating Sequences With Recurrent
Neural Networks, arXiv:1308.0850; of molecules, Segler et al. 2018, arXiv:1701.01329; as the
baseline of a VAE, Bowman et al. 2016, arXiv:1511.06349.

Notation: x (B, K, T) one-hot tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Model, Progress, Samples, Scores, Turn
from twofold.core.space import Space
from twofold.maths.likelihoods import Observation, ObservationSpec
from twofold.nets.sequences import Gru, SequenceDecoder, Sequential


class Autoregressive(Model, Samples, Scores):
    """The autoregressive model of a Space of tokens.

    Args:
        decoder: what spells the tokens.

    Raises:
        UserError: the data are no tokens.

    >>> from twofold.core.space import Field, Token
    >>> words = Space((Field("word", Token(("", "a", "b"))),), (7,))
    >>> Autoregressive(words, Space()).sample(Given.none(3, Space())).shape
    torch.Size([3, 3, 7])
    """

    def __init__(self, space: Space, given: Space, decoder: Sequential = Gru()) -> None:
        super().__init__(space, given)
        self.p = SequenceDecoder(decoder, 0, given, ObservationSpec(space))

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"model": [self.p]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        cost = -self.spelt(batch.given).log_prob(batch.x).mean()
        yield Turn({"distortion": cost}, model=cost)

    def spelt(self, given: Given) -> Observation:
        """p(x | given)."""
        nothing = given.c.new_zeros(len(given), 0)
        return self.p(nothing, given.c)

    @torch.no_grad()
    def sample(self, given: Given) -> Tensor:
        return self.spelt(given).sample()

    def log_likelihood(self, x: Tensor, given: Given, samples: int) -> Tensor:
        return self.spelt(given).log_prob(x)
