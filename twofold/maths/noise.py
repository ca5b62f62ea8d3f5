r"""Corruptions x̃ ~ c(x̃ | x): what an encoder sees of an observation while it learns to denoise.

With `noise`, the VAE encodes a corrupted observation and is scored on the one it came from: the
denoising criterion of Im et al. (2017, arXiv:1511.06406),

$$ \log p(x) \;\ge\; \mathbb E_{c(\tilde x|x)}\, \mathbb E_{q(z|\tilde x)} \log p(x \mid z)
 - \mathbb E_{c(\tilde x|x)}\, D\big(q(z \mid \tilde x) \,\|\, p(z)\big), $$

so that q(z | x̃) is the posterior of a clean observation given a noisy one. Where there is no clean
data, x is noisy itself and c adds more: the mean of independent noise of mean zero in a target is
the clean observation, and so is what a network scored on it learns (Lehtinen et al. 2018,
noise2noise, arXiv:1803.04189; with one copy of each, Moran et al. 2020, arXiv:1910.11908).

| noise | x̃ of a value x |
|---|---|
| `Clean` | $\tilde x = x$ |
| `Gaussian` | $\tilde x = x + \sigma \varepsilon,\; \varepsilon \sim \mathcal N(0, 1)$ |
| `Poisson` | $\tilde x = n / \lambda,\; n \sim \mathrm{Poisson}(\lambda x)$ |
| `SaltAndPepper` | 0 or 1, each with probability $s / 2$, else $\tilde x = x$ |
| `Masking` | $\tilde x = 0$, or missing where a value may be, with probability $s$, else $x$ |

σ is in units of x: of the range where the domain is bounded, of a standard deviation where it is
real. A bounded value stays within its bounds, as it would in a file. Values that are missing stay
so, and what a noise does not touch passes unchanged.

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
Change = Callable[[Tensor], Tensor]


class Noise(Part, ABC):
    """A corruption of x."""

    domains: ClassVar[tuple[type[Domain], ...]]
    """The values that it touches."""

    @abstractmethod
    def __call__(self, x: Tensor, space: Space) -> Tensor:
        """x̃ (B, C, *A) of x (B, C, *A), drawn from torch's global generator."""


@dataclass(frozen=True)
class Clean(Noise):
    """No noise.

    Source: Kingma & Welling 2014, arXiv:1312.6114.
    """

    domains = (Domain,)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        return x


@dataclass(frozen=True)
class Gaussian(Noise):
    """Independent normal noise.

    Args:
        sigma: its standard deviation σ, in units of x.

    Source: Im et al. 2017, arXiv:1511.06406.
    """

    sigma: NonNegativeFloat = 0.3
    domains = (Real, Bounded, Count)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        def change(value: Tensor) -> Tensor:
            return value + self.sigma * torch.randn_like(value)

        return touched(x, space, self.domains, change)


@dataclass(frozen=True)
class Poisson(Noise):
    """Photons that arrive at random, more where it is bright.

    Args:
        peak: λ, photons where x = 1.

    Source: Lehtinen et al. 2018, arXiv:1803.04189.
    """

    peak: PositiveFloat = 10.0
    domains = (Bounded,)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        def change(value: Tensor) -> Tensor:
            return torch.poisson(self.peak * value.clamp(min=0)) / self.peak

        return touched(x, space, self.domains, change)


@dataclass(frozen=True)
class SaltAndPepper(Noise):
    """Values that stick at an end of their range.

    Args:
        share: s of the values, half at each end.

    Source: Im et al. 2017, arXiv:1511.06406.
    """

    share: Share = 0.2
    domains = (Bounded,)

    def __call__(self, x: Tensor, space: Space) -> Tensor:
        def change(value: Tensor) -> Tensor:
            u = torch.rand_like(value)
            ends = (u < self.share / 2).to(value)
            return torch.where(u < self.share, ends, value)

        return touched(x, space, self.domains, change)


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
    if not any(isinstance(field.domain, noise.domains) for field in space.fields):
        kinds = ", ".join(kebab(domain.__name__) for domain in noise.domains)
        name = kebab(type(noise).__name__)
        raise UserError(
            f"{name} noise touches {kinds} values, and this data has none; choose another noise"
        )
