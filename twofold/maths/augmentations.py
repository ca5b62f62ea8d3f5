r"""Augmentations: what a critic is shown in place of an observation, real or drawn alike.

With little data a critic learns its real observations by heart. It cannot when it sees each through
a random *transformation* T; and while real and drawn pass through the same ones, and gradients pass
back through T to the generator, the game is

$$ \text{critic: } \ell\big(D(T(x)),\, D(T(G(z)))\big), \qquad
   \text{generator: } \ell\big(D(T(G(z)))\big), $$

whose equilibrium is still that of equal distributions wherever T, as a map of distributions, can be
inverted: then what T does never leaks into the draws.

* `DiffAugment` applies every transformation to every row (Zhao et al. 2020, arXiv:2006.10738).
* `Adaptive` applies each with a probability p, raised while the critic is too sure of real
  observations, $r = \mathbb E\,\operatorname{sign} D(x) > 0.6$, and lowered otherwise (Karras et
  al. 2020, arXiv:2006.06676, §3.1; D(x) less the mean of the drawn where the objective is
  relativistic): p moves by one over `span` thousand observations. It is a
  buffer: `observe` collects r over the parts of a batch, `advance` moves p once a step, so that
  parts and processes agree on it.

Pictures are changed in colour, moved, and cut out, or turned, slanted and drawn with another pen
where that is asked for;
series are shaken, moved and scaled; vectors are shaken. Values are in units of x, [0, 1] where the
domain is bounded; what enters from beyond the border is 0. A film moves as one picture does.

Notation: x (B, C, *A); each row draws its own T.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field as Limits
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part, kebab
from twofold.core.errors import UserError
from twofold.core.game import Progress

Share = Annotated[float, Limits(ge=0, le=1)]


class Transformation(Part, ABC):
    """A random change of observations that can be differentiated."""

    least: ClassVar[int] = 0
    """The fewest axes that an observation must have."""

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """x (B, C, *A) changed, each row by a draw of its own."""


@dataclass(frozen=True)
class Colour(Transformation):
    r"""Brightness, saturation and contrast, in this order.

    $$ x + b u_1, \quad \bar x_C + (1 + s u_2)(x - \bar x_C), \quad
     \bar x + (1 + k u_3)(x - \bar x), \quad u \sim U(-1, 1) $$

    Args:
        brightness: b.
        saturation: s, about the mean of the channels.
        contrast: k, about the mean of the picture.

    Source: Zhao et al. 2020, arXiv:2006.10738.
    """

    brightness: NonNegativeFloat = 0.25
    saturation: NonNegativeFloat = 1.0
    contrast: NonNegativeFloat = 0.5
    least = 2

    def __call__(self, x: Tensor) -> Tensor:
        x = x + self.brightness * uniform(x)
        if x.shape[1] > 1:
            x = stretched(x, x.mean(1, keepdim=True), self.saturation)
        return stretched(x, x.flatten(1).mean(1).reshape(rowwise(x)), self.contrast)


@dataclass(frozen=True)
class Translation(Transformation):
    r"""Moved by whole steps along each axis; 0 enters.

    $$ x_i \mapsto x_{i + d}, \quad d \sim U\{-m, \dots, m\} $$

    Args:
        share: m, as a share of the axis.

    Source: Zhao et al. 2020, arXiv:2006.10738.
    """

    share: Share = 0.125
    least = 1

    def __call__(self, x: Tensor) -> Tensor:
        for axis in spatial(x):
            x = moved(x, axis, round(self.share * x.shape[axis]))
        return x


@dataclass(frozen=True)
class Affine(Transformation):
    r"""A picture turned, scaled, slanted and moved, bilinearly; 0 enters.

    $$ x(p) \mapsto x(A p + t), \qquad A = e^{s u_1} \begin{pmatrix} \cos \theta & -\sin \theta \\
     \sin \theta & \cos \theta \end{pmatrix} \begin{pmatrix} 1 & k u_3 \\ 0 & 1 \end{pmatrix},
     \quad \theta = a u_2, \quad t = m (u_4, u_5), \quad u \sim U(-1, 1) $$

    p counts from the middle of the picture.

    Args:
        angle: a, in degrees.
        scale: s, of the logarithm.
        shear: k.
        share: m, as a share of each axis.

    Source: Simard, Steinkraus & Platt 2003, Best practices for convolutional neural networks; as
    augmentation of a critic, Karras et al. 2020, arXiv:2006.06676.
    """

    angle: NonNegativeFloat = 10.0
    scale: NonNegativeFloat = 0.1
    shear: NonNegativeFloat = 0.1
    share: Share = 0.05
    least = 2

    def __call__(self, x: Tensor) -> Tensor:
        if x.dim() > 4:  # a film moves as one picture does
            return self(x.flatten(1, 2)).unflatten(1, x.shape[1:3])
        B, (H, W) = len(x), x.shape[2:]
        u = 2 * torch.rand(B, 5, dtype=x.dtype, device=x.device) - 1
        theta, size = math.radians(self.angle) * u[:, 1], (self.scale * u[:, 0]).exp()
        cos, sin, k = size * theta.cos(), size * theta.sin(), self.shear * u[:, 2]
        t = 2 * self.share * u[:, 3:]  # the axes of a grid run from −1 to 1
        across = torch.stack([cos, (k * cos - sin) * H / W, t[:, 0]], 1)
        down = torch.stack([sin * W / H, k * sin + cos, t[:, 1]], 1)
        grid = F.affine_grid(torch.stack([across, down], 1), [B, 1, H, W], align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)


@dataclass(frozen=True)
class Thickness(Transformation):
    r"""Strokes drawn thicker, or thinner: part of the way to the brightest or darkest neighbour.

    $$ x_p + [u]_+ \big(\max_{q \in N(p)} x_q - x_p\big)
     - [-u]_+ \big(x_p - \min_{q \in N(p)} x_q\big), \quad u \sim U(-a, a) $$

    Grey dilation where u is positive, erosion where it is negative; bright strokes on dark ground
    grow or shrink, dark strokes on bright ground the other way.

    Args:
        share: a, of the way.
        reach: places from p to the border of its square N(p).

    Source: Serra 1982, Image Analysis and Mathematical Morphology, chapter 12.
    """

    share: Share = 1.0
    reach: PositiveInt = 1
    least = 2

    def __call__(self, x: Tensor) -> Tensor:
        flat = x.flatten(1, -3)  # (B, C, H, W), of a film its frames too
        u = self.share * uniform(flat)
        thicker, thinner = self.brightest(flat), -self.brightest(-flat)
        changed = flat + F.relu(u) * (thicker - flat) - F.relu(-u) * (flat - thinner)
        return changed.reshape(x.shape)

    def brightest(self, x: Tensor) -> Tensor:
        """The largest number in the square about each place, of x (B, C, H, W)."""
        return F.max_pool2d(x, 2 * self.reach + 1, stride=1, padding=self.reach)


@dataclass(frozen=True)
class Cutout(Transformation):
    r"""A box set to 0, wherever its middle falls.

    $$ x \odot (1 - \mathbb 1[|i - j| < a / 2]), \quad j \sim U $$

    Args:
        share: a, as a share of each axis.

    Source: DeVries & Taylor 2017, arXiv:1708.04552; Zhao et al. 2020, arXiv:2006.10738.
    """

    share: Share = 0.5
    least = 1

    def __call__(self, x: Tensor) -> Tensor:
        inside = torch.ones_like(x[:, :1])
        for axis in spatial(x):
            inside = inside * within(x, axis, self.share * x.shape[axis] / 2)
        return x * (1 - inside)


@dataclass(frozen=True)
class Jitter(Transformation):
    r"""Independent normal noise.

    $$ x + \sigma \varepsilon, \quad \varepsilon \sim \mathcal N(0, I) $$

    Args:
        sigma: σ, in units of x.

    Source: Um et al. 2017, arXiv:1706.00527.
    """

    sigma: NonNegativeFloat = 0.1

    def __call__(self, x: Tensor) -> Tensor:
        return x + self.sigma * torch.randn_like(x)


@dataclass(frozen=True)
class Scaling(Transformation):
    r"""Multiplied by a factor.

    $$ (1 + a u)\, x, \quad u \sim U(-1, 1) $$

    Args:
        share: a.

    Source: Um et al. 2017, arXiv:1706.00527.
    """

    share: Share = 0.25

    def __call__(self, x: Tensor) -> Tensor:
        return x * (1 + self.share * uniform(x))


Policy = tuple[Transformation, ...]

SUITED: dict[int, Policy] = {
    0: (Jitter(),),
    1: (Jitter(), Translation(), Scaling()),
    2: (Colour(), Translation(), Cutout()),
    3: (Colour(), Translation(), Cutout()),
}


def suited(axes: int) -> Policy:
    """The transformations that suit a layout of so many axes."""
    return SUITED[axes]


def applied(policy: Sequence[Transformation], x: Tensor) -> Tensor:
    """Every transformation, one after the other."""
    for transformation in policy:
        x = transformation(x)
    return x


class Augmenter(nn.Module, ABC):
    """An augmentation at work in a game."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """What the critic is shown of x (B, C, *A)."""

    def observe(self, real_logits: Tensor) -> None:
        """Hear what the critic thinks of real observations."""

    def advance(self, progress: Progress) -> dict[str, Tensor]:
        """Make ready for a step, once; returns what the log keeps."""
        return {}


class Augmentation(Part, ABC):
    """How a critic is kept from learning its observations by heart."""

    @abstractmethod
    def build(self, axes: int) -> Augmenter:
        """The augmenter of observations with so many axes."""


@dataclass(frozen=True)
class Unchanged(Augmentation):
    r"""The critic sees what there is.

    $$ T(x) = x $$

    Source: Goodfellow et al. 2014, arXiv:1406.2661.
    """

    def build(self, axes: int) -> Augmenter:
        return Always(())


@dataclass(frozen=True)
class DiffAugment(Augmentation):
    r"""Every row goes through every transformation.

    $$ T = T_K \circ \dots \circ T_1 $$

    Args:
        policy: the transformations; without any, those that suit the layout.

    Source: Zhao et al. 2020, arXiv:2006.10738.
    """

    policy: tuple[Transformation, ...] = ()

    def build(self, axes: int) -> Augmenter:
        return Always(checked(self.policy or suited(axes), axes))


@dataclass(frozen=True)
class Adaptive(Augmentation):
    r"""Each transformation comes with a probability that follows how sure the critic is.

    $$ p \leftarrow p + \frac{B}{1000\, s}\,
     \operatorname{sign}\big(\mathbb E \operatorname{sign} D(x) - r^*\big) $$

    Args:
        policy: the transformations; without any, those that suit the layout.
        target: r*.
        span: s, thousands of observations in which p can rise from 0 to 1.
        most: of p; beyond 0.8 transformations may leak.

    Source: Karras et al. 2020, arXiv:2006.06676.
    """

    policy: tuple[Transformation, ...] = ()
    target: Annotated[float, Limits(ge=-1, le=1)] = 0.6
    span: PositiveFloat = 500.0
    most: Share = 0.8

    def build(self, axes: int) -> Augmenter:
        return Adapting(self, checked(self.policy or suited(axes), axes))


class Always(Augmenter):
    """Every transformation for every row."""

    def __init__(self, policy: Policy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, x: Tensor) -> Tensor:
        return applied(self.policy, x)


class Adapting(Augmenter):
    """Each transformation with the probability `p`; `seen` has Σ sign D(x) and how many."""

    p: Tensor
    seen: Tensor
    shown: Tensor

    def __init__(self, part: Adaptive, policy: Policy) -> None:
        super().__init__()
        self.part, self.policy = part, policy
        self.register_buffer("p", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(2))
        self.register_buffer("shown", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        for transformation in self.policy:
            chosen = torch.rand_like(x.flatten(1)[:, 0]) < self.p
            x = torch.where(chosen.reshape(rowwise(x)), transformation(x), x)
        return x

    @torch.no_grad()
    def observe(self, real_logits: Tensor) -> None:
        signs = real_logits.sign()
        self.seen += torch.stack([signs.sum(), torch.ones_like(signs).sum()])

    @torch.no_grad()
    def advance(self, progress: Progress) -> dict[str, Tensor]:
        """Move p by what was seen before this step, unless it has been moved."""
        passed = progress.shown - int(self.shown)
        if passed:
            r = self.seen[0] / self.seen[1].clamp(min=1)
            self.p += (r - self.part.target).sign() * passed / (1000 * self.part.span)
            self.p.clamp_(0, self.part.most)
            self.seen.zero_()
            self.shown.fill_(progress.shown)
        return {"augmented": self.p.clone()}


def checked(policy: Policy, axes: int) -> Policy:
    """Refuse a transformation that needs axes which the data do not have.

    >>> checked((Cutout(),), 0)
    Traceback (most recent call last):
    ...
    twofold.core.errors.UserError: cutout changes data of 1 axes or more, and this has 0; ...
    """
    for transformation in policy:
        if transformation.least > axes:
            name = kebab(type(transformation).__name__)
            raise UserError(
                f"{name} changes data of {transformation.least} axes or more, and this has {axes}; "
                "leave it out"
            )
    return policy


def rowwise(x: Tensor) -> tuple[int, ...]:
    """The shape of a number a row that is to meet x (B, C, *A)."""
    return (-1, *[1] * (x.dim() - 1))


def uniform(x: Tensor) -> Tensor:
    """A draw from [−1, 1] for each row, (B, 1, …)."""
    return 2 * torch.rand_like(x.flatten(1)[:, 0]).reshape(rowwise(x)) - 1


def stretched(x: Tensor, middle: Tensor, most: float) -> Tensor:
    """x moved away from a middle, or towards it, by up to this share."""
    return middle + (x - middle) * (1 + most * uniform(x))


def spatial(x: Tensor) -> range:
    """The dimensions of x along which it may move: time of a series, height and width else."""
    return range(max(2, x.dim() - 2), x.dim())


def along(x: Tensor, axis: int, position: Tensor) -> Tensor:
    """Positions (B, n) or (n,) laid along an axis of x, (B, 1, …, n, …, 1)."""
    shape = [1] * x.dim()
    shape[0], shape[axis] = -1, x.shape[axis]
    return position.reshape(shape)


def moved(x: Tensor, axis: int, most: int) -> Tensor:
    """x moved along an axis by up to `most` steps either way; 0 enters."""
    size = x.shape[axis]
    u = torch.rand_like(x.flatten(1)[:, :1])  # (B, 1)
    step = (u * (2 * most + 1)).long().clamp(max=2 * most) - most
    source = along(x, axis, torch.arange(size, device=x.device) + step)
    there = ((source >= 0) & (source < size)).to(x.dtype)
    return x.gather(axis, source.clamp(0, size - 1).expand_as(x)) * there


def within(x: Tensor, axis: int, half: float) -> Tensor:
    """1 where a place lies within `half` of a random middle along an axis, (B, 1, …, n, …, 1)."""
    size = x.shape[axis]
    middle = size * torch.rand_like(x.flatten(1)[:, :1])  # (B, 1)
    place = torch.arange(size, device=x.device) + 0.5
    return along(x, axis, ((place - middle).abs() < half).to(x.dtype))
