r"""Likeness of whole images: scores that a decoder may raise, and no densities.

The *structural similarity* of two images compares means, variances and covariance inside a
Gaussian window (Wang, Bovik, Sheikh & Simoncelli 2004), at every place

$$ l = \frac{2 \mu_x \mu_y + C_1}{\mu_x^2 + \mu_y^2 + C_1}, \qquad
   cs = \frac{2 \sigma_{xy} + C_2}{\sigma_x^2 + \sigma_y^2 + C_2}, \qquad
   C_1 = 0.01^2,\; C_2 = 0.03^2 $$

for images in [0, 1]. *MS-SSIM* takes it at several scales, each half the one before, the luminance
l at the last alone (Wang, Simoncelli & Bovik 2003):

$$ \overline{l_M cs_M}^{\,w_M} \prod_{j<M} \overline{cs_j}^{\,w_j}, \qquad
   w = 0.0448,\, 0.2856,\, 0.3001,\, 0.2363,\, 0.1333. $$

The window has 11 pixels a side and σ = 1.5. Images too small for five scales take as many as keep
the short side at 11 pixels or more, with the weights of those made to sum to one; one smaller than
the window takes one scale, with the largest odd window that fits. A mean below zero, which has no
power, counts as nearly none.

A `Whole` is what stands in an `Observation` in place of independent values: one number an
observation, which must not be read as a log-likelihood.

Notation: x, y (B, C, H, W) in [0, 1].
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat
from torch import Tensor

from twofold.core.space import Bounded, Domain, Field
from twofold.maths.likelihoods import Elementwise, Likelihood, logit

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LEAST = 1e-6


class Whole(Elementwise):
    """All values of an observation in one score; `log_prob` is (B, 1)."""

    @abstractmethod
    def log_prob(self, x: Tensor) -> Tensor:
        """The score of each row, (B, 1), the higher the more alike."""

    def sample(self) -> Tensor:
        """The mean: without a density there is no noise to draw."""
        return self.mean


class Likeness(Likelihood):
    """A score of a whole image, in place of a likelihood."""

    domains = (Bounded,)

    def suits(self, field: Field, axes: tuple[int, ...]) -> bool:
        """Of images of one to four channels, none of whose pixels may be missing."""
        image = len(axes) == 2 and field.size <= 4 and not field.missing
        return image and super().suits(field, axes)

    def near(self, mean: Tensor, domain: Domain) -> Tensor:
        return logit(mean)


@dataclass(frozen=True)
class MsSsim(Likeness):
    r"""−`weight` (1 − MS-SSIM) a value, for images: shapes and contrasts rather than pixels.

    $$ -w\, N\, \big(1 - \text{MS-SSIM}(x, \hat x)\big), \qquad
     \text{MS-SSIM} = \overline{l_M cs_M}^{\,w_M} \prod_{j<M} \overline{cs_j}^{\,w_j} $$

    N is the number of values of the image.

    Args:
        weight: w.

    Source: Wang, Simoncelli & Bovik 2003, Multiscale structural similarity.
    """

    weight: PositiveFloat = 1.0

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        return MsSsimValues(raw, self.weight)


@dataclass(frozen=True)
class MsSsimValues(Whole):
    logits: Tensor
    weight: float

    def log_prob(self, x: Tensor) -> Tensor:
        unlike = 1 - ms_ssim(self.mean, x)
        return -self.weight * x[0].numel() * unlike.unsqueeze(1)

    @property
    def mean(self) -> Tensor:
        return self.logits.sigmoid()


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """The multi-scale structural similarity of images (B, C, H, W), a mean over channels: (B,).

    >>> x = torch.rand(2, 1, 28, 28)
    >>> ms_ssim(x, x)
    tensor([1., 1.])
    """
    weights = x.new_tensor(WEIGHTS[: scales(x.shape[2:])])
    factors: list[Tensor] = []
    for weight in weights / weights.sum():
        luminance, structure = terms(x, y)
        last = len(factors) == len(weights) - 1
        kept = (luminance * structure if last else structure).mean((2, 3))  # (B, C)
        factors.append(kept.clamp(min=LEAST) ** weight)
        x, y = halved(x), halved(y)
    return torch.stack(factors).prod(0).mean(1)


def terms(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance l, and contrast and structure cs, at every place where the window fits."""
    window = gaussian(x)
    mu_x, mu_y = blurred(x, window), blurred(y, window)
    var_x = blurred(x.square(), window) - mu_x.square()
    var_y = blurred(y.square(), window) - mu_y.square()
    cov = blurred(x * y, window) - mu_x * mu_y
    luminance = (2 * mu_x * mu_y + C1) / (mu_x.square() + mu_y.square() + C1)
    return luminance, (2 * cov + C2) / (var_x.clamp(min=0) + var_y.clamp(min=0) + C2)


def gaussian(x: Tensor) -> Tensor:
    """The window along one axis: of `WINDOW` pixels, or the largest odd number that fits."""
    short = min(WINDOW, *x.shape[2:])
    size = short - 1 + short % 2
    at = torch.arange(size, device=x.device, dtype=x.dtype) - size // 2
    window = (-0.5 * (at / SIGMA).square()).exp()
    return window / window.sum()


def blurred(x: Tensor, window: Tensor) -> Tensor:
    """Means under the window, where it fits: (B, C, H, W) to (B, C, H − k + 1, W − k + 1)."""
    flat = x.flatten(0, 1).unsqueeze(1)  # (B · C, 1, H, W)
    down = F.conv2d(flat, window.reshape(1, 1, -1, 1))
    both = F.conv2d(down, window.reshape(1, 1, 1, -1))
    return both.squeeze(1).unflatten(0, x.shape[:2])


def halved(x: Tensor) -> Tensor:
    """Means of two by two; of an odd side the last is alone."""
    return F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


def scales(sides: torch.Size) -> int:
    """How many scales an image has: as many as keep its short side at `WINDOW` or more.

    >>> [scales(torch.Size((side, 300))) for side in (5, 11, 21, 28, 170, 1000)]
    [1, 1, 2, 2, 5, 5]
    """
    found, short = 1, -(-min(sides) // 2)
    while short >= WINDOW and found < len(WEIGHTS):
        found, short = found + 1, -(-short // 2)
    return found
