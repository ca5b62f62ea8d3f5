r"""GAIN: gaps are filled by a generator, and a critic tells cell by cell what was filled.

With m the mask (1 where a value is there), x̃ the row with its gaps, and z noise in them,

$$ \bar x = G(\tilde x, m, (1 - m) \odot z), \qquad
   \hat x = m \odot \tilde x + (1 - m) \odot \bar x. $$

The critic D says of each value of $\hat x$ with which probability $\hat m_i$ it was there. Told the
mask it would have nothing to do, and not told it, several generators would fool it: so it gets a
*hint* of all of it but one value a row, $h = b \odot m + \tfrac12 (1 - b)$, and is asked for that
one ($b_i = 0$), by §4 and Algorithm 1 of the paper:

$$ \mathcal L_D = -\sum_{i: b_i = 0} m_i \log \hat m_i + (1 - m_i) \log (1 - \hat m_i), $$
$$ \mathcal L_G = -\sum_{i: b_i = 0} (1 - m_i) \log \hat m_i
   + \alpha \sum_i m_i\, \ell(\tilde x_i, \bar x_i), $$

$\ell$ the squared error of a number and $-\log$ the probability of a category. A row has so many
fills as there are noises: that is multiple imputation, and a row of which nothing is known is a
sample.

Where a value is never missing in the data, nobody learns to fill it. `hide` therefore hides a share
of the values that are there in each batch, as if they were missing: neither player sees them. At 0
the game is the paper's.

Source: Yoon, Jordon & van der Schaar 2018, GAIN: Missing Data Imputation using Generative
Adversarial Nets, arXiv:1806.02920.

Notation: x, x̄, x̂ (B, C, *A); m, m̂, b, h (B, F, *A); D's logits are of m̂.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field as Limits
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.game import Fills, Model, Progress, Samples, Turn
from twofold.core.space import Category, Field, Space, Token, paste
from twofold.maths.missing import absent, channels_of
from twofold.nets.bodies import Architecture, Suited
from twofold.nets.critics import Judge
from twofold.nets.decoders import Relaxed

Share = Annotated[float, Limits(ge=0, le=1)]


class GAIN(Model, Samples, Fills):
    """The GAN imputer with hints, of a Space.

    Args:
        generator: the architecture of G.
        critic: the architecture of D.
        features: the width of the middle of both, between the way down and the way up.
        alpha: α, the weight of what is there.
        hint: the share of the mask that the critic is told, beside the value it is asked for.
        hide: the share of the values that are there, and are taken for missing in training.
        tau: the temperature of relaxed categories.

    >>> from twofold.core.space import Field, Real
    >>> gain = GAIN(Space((Field("a", Real(), missing=True), Field("b", Real()))), Space())
    >>> x, seen = torch.tensor([[0.0, 0.0, 3.0]]), torch.tensor([[False, True]])
    >>> gain.fill(x, seen, Given.none(1, Space()))[:, 1:].tolist()
    [[1.0, 3.0]]
    """

    def __init__(
        self,
        space: Space,
        given: Space,
        generator: Architecture = Suited(),
        critic: Architecture = Suited(),
        features: PositiveInt = 128,
        alpha: NonNegativeFloat = 10.0,
        hint: Share = 1.0,
        hide: Share = 0.2,
        tau: PositiveFloat = 0.5,
    ) -> None:
        super().__init__(space, given)
        self.alpha, self.hint, self.hide, self.tau = alpha, hint, hide, tau
        self.whole = Space(tuple(replace(f, missing=False) for f in space.fields), space.axes)
        self.masked = Space(tuple(replace(f, missing=True) for f in space.fields), space.axes)
        self.G = Middle(generator, self.masked, given, features, self.whole.width)
        self.D = Asked(critic, self.masked, given, features, space.size)

    def players(self) -> dict[str, Sequence[nn.Module]]:
        return {"critic": [self.D], "generator": [self.G]}

    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        given = batch.given
        x, m = self.values(batch.x), 1 - absent(self.space, batch.x).to(batch.x)
        m = m * (torch.rand_like(m) >= self.hide)
        b = self.told(m)
        h = b * m + (1 - b) / 2
        with torch.no_grad():
            x_hat = self.joined(x, m, self.generate(x, m, given).rsample())
        logits = self.judge_cells(x_hat, h, given)
        told_apart = F.binary_cross_entropy_with_logits(logits, m, reduction="none")
        yield Turn(critic=asked(told_apart, b))
        x_bar = self.generate(x, m, given)
        x_hat = self.joined(x, m, x_bar.rsample())
        logits = self.judge_cells(x_hat, h, given)
        adversarial = asked(-(1 - m) * F.logsigmoid(logits), b)
        kept = (m * self.misfit(x, x_bar.mean)).flatten(1).sum(1).mean()
        notes = {"adversarial": adversarial, "kept": kept}
        yield Turn(notes, generator=adversarial + self.alpha * kept)

    def told(self, m: Tensor) -> Tensor:
        """b: 0 at one value of each row, chosen at random, and where the hint leaves more out."""
        chance = torch.rand_like(m)
        first = chance.flatten(1).amax(1).reshape(-1, *[1] * (m.dim() - 1))
        return ((chance < first) & (torch.rand_like(m) < self.hint)).to(m)

    def generate(self, x: Tensor, m: Tensor, given: Given) -> Relaxed:
        """x̄ as what can be drawn with gradient, from values x (B, V, *A) where m is 1."""
        seen = channels_of(self.whole, m)
        noisy = seen * x + (1 - seen) * torch.randn_like(x)
        return Relaxed(self.G(self.shown(noisy, m), given.c), self.whole, self.tau)

    def joined(self, x: Tensor, m: Tensor, x_bar: Tensor) -> Tensor:
        """x̂: what is there as it is, and the rest from x̄."""
        return torch.where(channels_of(self.whole, m) > 0, x, x_bar)

    def judge_cells(self, x_hat: Tensor, h: Tensor, given: Given) -> Tensor:
        """The logits of m̂, (B, F, *A)."""
        logits: Tensor = self.D(self.shown(x_hat, h), given.c)
        return logits

    def misfit(self, x: Tensor, x_bar: Tensor) -> Tensor:
        """What each value costs, (B, F, *A)."""
        pairs = zip(self.whole.parts(x), self.whole.parts(x_bar), strict=True)
        return paste([misfit(field, a, b) for (field, a), (_, b) in pairs])

    def values(self, x: Tensor) -> Tensor:
        """The channels of the values, without those of their presence: (B, V, *A)."""
        return paste([field.split(part)[0] for field, part in self.space.parts(x)])

    def shown(self, x: Tensor, m: Tensor) -> Tensor:
        """Values with a mask or hint beside each, as where every value may be missing."""
        masks = m.split([field.size for field in self.whole.fields], 1)
        parts = zip(self.whole.parts(x), masks, strict=True)
        return torch.cat([t for (_, part), mask in parts for t in (part, mask)], 1)

    @torch.no_grad()
    def fill(self, x: Tensor, observed: Tensor, given: Given) -> Tensor:
        m = observed.to(x)
        values = self.values(x)
        drawn = self.joined(values, m, self.generate(values, m, given).sample())
        ones = torch.ones_like(m)
        parts = zip(self.space.fields, self.masked.parts(self.shown(drawn, ones)), strict=True)
        return paste([p if f.missing else self.masked[f.name].split(p)[0] for f, (_, p) in parts])

    def sample(self, given: Given) -> Tensor:
        """A row of which nothing is known, filled."""
        x = given.c.new_zeros(len(given), *self.space.shape)
        nothing = torch.zeros(len(x), self.space.size, *self.space.axes, dtype=torch.bool)
        return self.fill(x, nothing.to(x.device), given)


class Middle(nn.Module):
    """From channels (B, C, *A) down to features and up to as many channels as are asked for."""

    def __init__(
        self, architecture: Architecture, space: Space, given: Space, features: int, out: int
    ) -> None:
        super().__init__()
        self.down = architecture.down(space, given, features)
        self.up = architecture.up(features, given, out, space.axes)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        y: Tensor = self.up(F.leaky_relu(self.down(x, c), 0.2), c)
        return y


class Asked(Middle, Judge):
    """A critic that is asked of every value."""


def asked(terms: Tensor, b: Tensor) -> Tensor:
    """The sum of a row's terms of which b told nothing, as a mean over rows."""
    return (terms * (1 - b)).flatten(1).sum(1).mean()


def misfit(field: Field, x: Tensor, x_bar: Tensor) -> Tensor:
    """What each costs: −log the probability of a category, the squared error of a number."""
    if not isinstance(field.domain, Category | Token):
        return (x - x_bar).square()
    log_p = x_bar.clamp(min=1e-8).log()
    return -(x * log_p).unflatten(1, (field.size, -1)).sum(2)
