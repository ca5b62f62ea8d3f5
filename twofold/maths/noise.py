r"""Corruptions x̃ ~ c(x̃ | x): what an encoder sees of an observation while it learns to denoise.

With `noise`, the VAE encodes a corrupted observation and is scored on the one it came from: the
denoising criterion of Im et al. (2017, arXiv:1511.06406),

$$ \log p(x) \;\ge\; \mathbb E_{c(\tilde x|x)}\, \mathbb E_{q(z|\tilde x)} \log p(x \mid z)
 - \mathbb E_{c(\tilde x|x)}\, D\big(q(z \mid \tilde x) \,\|\, p(z)\big), $$

so that q(z | x̃) is the posterior of a clean observation given a noisy one. Where there is no clean
data, the mean of independent noise of mean zero in a target is the clean observation, and so is
what a network that is scored on it learns. With two noisy copies of each scene, one is seen and the
other is the target (noise2noise, Lehtinen et al. 2018, arXiv:1803.04189): that is for the data to
say (`data.copies`), and needs no noise here. With one copy, x is noisy itself and c adds the same
noise `Again` (noisier2noise, Moran et al. 2020, arXiv:1910.11908).

| noise | x̃ of a value x |
|---|---|
| `Clean` | $\tilde x = x$ |
| `Gaussian` | $\tilde x = x + \sigma \varepsilon,\; \varepsilon \sim \mathcal N(0, 1)$ |
| `Poisson` | $\tilde x = n / \lambda,\; n \sim \mathrm{Poisson}(\lambda x)$ |
| `SaltAndPepper` | 0 or 1, each with probability $s / 2$, else $\tilde x = x$ |
| `Masking` | $\tilde x = 0$, or missing where a value may be, with probability $s$, else $x$ |
| `BlindGaussian` | as `Gaussian`, $\log \sigma$ uniform, drawn for each observation |
| `Again` | $\tilde x \sim c(\tilde x \mid x)$ of another noise, x having it already |

σ is in units of x: of the range where the domain is bounded, of a standard deviation where it is
real. A bounded value stays within its bounds, as it would in a file. Values that are missing stay
so, and what a noise does not touch passes unchanged.

`log_prob` is the law c(x̃ | x) of single values, for whoever knows x̃ and asks for x
(`maths/restoring.py`). A bounded x̃ stands for all that is read as it: the cell x̃ ± h, h half a
step, and at either end everything beyond.

Notation: x an observation as networks see it, x̃ the corrupted one, both (B, C, *A).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field as Limits
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from twofold.core.build import Part, kebab
from twofold.core.errors import UserError
from twofold.core.space import (
    Bounded,
    Category,
    Count,
    Domain,
    Field,
    Real,
    Space,
    Token,
    together,
)

Share = Annotated[float, Limits(ge=0, le=1)]
LEAST = 1e-30  # of a probability
TIE = 1e-6  # a count on the border of two cells is in both
Change = Callable[[Tensor], Tensor]


class Noise(Part, ABC):
    """A corruption of x."""

    domains: ClassVar[tuple[type[Domain], ...]]
    """The values that it touches."""

    informs: ClassVar[tuple[type[Domain], ...]] = ()
    """The values of which its law says what x̃ tells of x."""

    @abstractmethod
    def __call__(self, x: Tensor, space: Space) -> Tensor:
        """x̃ (B, C, *A) of x (B, C, *A), drawn from torch's global generator."""

    @abstractmethod
    def log_prob(self, seen: Tensor, x: Tensor, half: float) -> Tensor:
        """log c(x̃ ± half | x) of values in [0, 1], broadcast; 0 where nothing is known of it."""

    @abstractmethod
    def at(self, level: float) -> Noise:
        """The same noise of another strength: its own number, whichever it has."""


@dataclass(frozen=True)
class Clean(Noise):
    """No noise.

    Source: Kingma & Welling 2014, arXiv:1312.6114.
    """

    domains = (Domain,)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        return x

    def log_prob(self, seen: Tensor, x: Tensor, half: float) -> Tensor:
        return torch.zeros_like(seen - x)

    def at(self, level: float) -> Noise:
        raise UserError("this run was trained without noise, which has no level; leave it out")


@dataclass(frozen=True)
class Gaussian(Noise):
    """Independent normal noise.

    Args:
        sigma: its standard deviation σ, in units of x.

    Source: Im et al. 2017, arXiv:1511.06406.
    """

    sigma: NonNegativeFloat = 0.3
    domains = (Real, Bounded, Count)
    informs = (Real, Bounded)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        def change(value: Tensor) -> Tensor:
            return value + self.sigma * torch.randn_like(value)

        return touched(x, space, self.domains, change)

    def log_prob(self, seen: Tensor, x: Tensor, half: float) -> Tensor:
        low, high = cell(seen, half)
        return log_between((low - x) / self.scale, (high - x) / self.scale)

    @property
    def scale(self) -> float:
        """σ, or what is as good as none."""
        return max(self.sigma, 1e-6)

    def at(self, level: float) -> Gaussian:
        return Gaussian(level)


@dataclass(frozen=True)
class BlindGaussian(Noise):
    """Independent normal noise, whose σ is drawn for each observation: one model for any level.

    Args:
        low, high: the logarithm of σ is uniform between theirs.

    Source: Zhang et al. 2017, arXiv:1608.03981, who train one network for a range of levels.
    """

    low: PositiveFloat = 0.05
    high: PositiveFloat = 0.5
    domains = (Real, Bounded, Count)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        u = torch.rand(len(x), *[1] * (x.dim() - 1), dtype=x.dtype, device=x.device)
        sigma = self.low * (self.high / self.low) ** u

        def change(value: Tensor) -> Tensor:
            return value + sigma * torch.randn_like(value)

        return touched(x, space, self.domains, change)

    def log_prob(self, seen: Tensor, x: Tensor, half: float) -> Tensor:
        return torch.zeros_like(seen - x)

    def at(self, level: float) -> Gaussian:
        return Gaussian(level)


@dataclass(frozen=True)
class Again(Noise):
    """A noise on observations that have the same one already, there being no clean ones.

    What a decoder learns from them is their mean, and not how far clean values lie from it: so x̃
    is no evidence of x.

    Args:
        noise: what they have, and get once more.

    Source: Moran et al. 2020, arXiv:1910.11908.
    """

    noise: Noise = Gaussian()
    domains = (Domain,)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        return self.noise(x, space)

    def log_prob(self, seen: Tensor, x: Tensor, half: float) -> Tensor:
        return torch.zeros_like(seen - x)

    def at(self, level: float) -> Again:
        return Again(self.noise.at(level))


@dataclass(frozen=True)
class Poisson(Noise):
    """Photons that arrive at random, more where it is bright.

    Args:
        peak: λ, photons where x = 1.

    Source: Lehtinen et al. 2018, arXiv:1803.04189.
    """

    peak: PositiveFloat = 10.0
    domains = (Bounded,)
    informs = (Bounded,)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        def change(value: Tensor) -> Tensor:
            return torch.poisson(self.peak * value.clamp(min=0)) / self.peak

        return touched(x, space, self.domains, change)

    def log_prob(self, seen: Tensor, x: Tensor, half: float) -> Tensor:
        low, high = cell(seen, half + TIE)
        below, upto = (self.peak * low).ceil() - 1, (self.peak * high).floor()
        mass = at_most(upto, self.peak * x) - at_most(below, self.peak * x)
        return mass.clamp(min=LEAST).log()

    def at(self, level: float) -> Poisson:
        return Poisson(level)


@dataclass(frozen=True)
class SaltAndPepper(Noise):
    """Values that stick at an end of their range.

    Args:
        share: s of the values, half at each end.

    Source: Im et al. 2017, arXiv:1511.06406.
    """

    share: Share = 0.2
    domains = (Bounded,)
    informs = (Bounded,)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        def change(value: Tensor) -> Tensor:
            u = torch.rand_like(value)
            ends = (u < self.share / 2).to(value)
            return torch.where(u < self.share, ends, value)

        return touched(x, space, self.domains, change)

    def log_prob(self, seen: Tensor, x: Tensor, half: float) -> Tensor:
        passed, stuck = (seen - x).abs() < half, (seen < half) | (seen > 1 - half)
        return ((1 - self.share) * passed + self.share / 2 * stuck).clamp(min=LEAST).log()

    def at(self, level: float) -> SaltAndPepper:
        return SaltAndPepper(level)


@dataclass(frozen=True)
class Masking(Noise):
    """Values that are lost; where one may be missing, it is.

    Args:
        share: s of the values.

    Source: Vincent et al. 2008, Extracting and Composing Robust Features.
    """

    share: Share = 0.3
    domains = (Real, Bounded, Count, Category, Token)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        return together([self.mask(field, part) for field, part in space.parts(x)], x)

    def mask(self, field: Field, part: Tensor) -> Tensor:
        """The channels of one field with values and their presence set to 0."""
        value, presence = field.split(part)
        kept = (torch.rand_like(value[:, : field.size]) >= self.share).to(value)  # (B, size, *A)
        shown = value * kept.repeat_interleave(field.domain.width, 1)
        return shown if presence is None else torch.cat([shown, presence * kept], 1)

    def log_prob(self, seen: Tensor, x: Tensor, half: float) -> Tensor:
        return torch.zeros_like(seen - x)

    def at(self, level: float) -> Masking:
        return Masking(level)


def cell(seen: Tensor, half: float) -> tuple[Tensor, Tensor]:
    """From where to where values in [0, 1] are read as x̃; an end takes all that lies beyond it."""
    low, high = seen - half, seen + half
    low = low.masked_fill(seen < half, -torch.inf)
    return low, high.masked_fill(seen > 1 - half, torch.inf)


def log_between(low: Tensor, high: Tensor) -> Tensor:
    """log[Φ(high) − Φ(low)], from the tail on whose side they are.

    >>> log_between(torch.tensor([-torch.inf, 8.0]), torch.tensor([0.0, 9.0]))
    tensor([ -0.6931, -35.0136])
    """
    swap = low > 0
    low, high = torch.where(swap, -high, low), torch.where(swap, -low, high)
    upper, lower = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
    return upper + torch.log(-torch.expm1((lower - upper).clamp(max=-1e-7)))


def at_most(count: Tensor, mean: Tensor) -> Tensor:
    """P(k ≤ count) of a Poisson k, broadcast."""
    count, mean = torch.broadcast_tensors(count, mean.clamp(min=1e-12))
    some = torch.special.gammaincc(count.clamp(0, 1e6) + 1, mean)
    return torch.where(count < 0, 0.0, torch.where(count.isinf(), 1.0, some))


def touched(x: Tensor, space: Space, domains: tuple[type[Domain], ...], change: Change) -> Tensor:
    """x with a change of the values of some domains that are there.

    Args:
        change: from the values of a field, (B, size, *A), to others.
    """
    return together([changed(field, part, domains, change) for field, part in space.parts(x)], x)


def changed(
    field: Field, part: Tensor, domains: tuple[type[Domain], ...], change: Change
) -> Tensor:
    """The channels of one field, changed where its domain is meant."""
    if not isinstance(field.domain, domains):
        return part
    value, presence = field.split(part)
    shown = change(value)
    if isinstance(field.domain, Bounded):
        shown = shown.clamp(0, 1)
    return shown if presence is None else torch.cat([shown * presence, presence], 1)


def check(noise: Noise, space: Space) -> None:
    """Refuse a noise that would leave everything as it is.

    >>> check(Poisson(), Space((Field("a", Real()),)))
    Traceback (most recent call last):
    ...
    twofold.core.errors.UserError: poisson noise touches bounded values, and this data has none; ...
    """
    if isinstance(noise, Again):
        check(noise.noise, space)
    if not any(isinstance(field.domain, noise.domains) for field in space.fields):
        kinds = ", ".join(kebab(domain.__name__) for domain in noise.domains)
        name = kebab(type(noise).__name__)
        raise UserError(
            f"{name} noise touches {kinds} values, and this data has none; choose another noise"
        )
