r"""Numbers that change over training, as functions of its fraction t in [0, 1].

A learning rate is the recipe's rate times a schedule's value: `Constant`, `Linear` to a final
factor, or `Cosine` (Loshchilov & Hutter 2017, arXiv:1608.03983), each after a linear warm-up.

Notation: t the fraction of training that is done.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from twofold.core.build import Part


class Schedule(Part, ABC):
    """A factor over the course of training."""

    @abstractmethod
    def __call__(self, t: float) -> float:
        """The factor at fraction t of training."""


@dataclass(frozen=True)
class Constant(Schedule):
    """One, throughout.

    $$ 1 $$

    >>> Constant()(0.5)
    1.0

    Source: ours.
    """

    def __call__(self, t: float) -> float:
        return 1.0


@dataclass(frozen=True)
class Linear(Schedule):
    r"""Up from zero during `warmup`, then straight down to `final`.

    $$ \min\big(\tfrac tw, 1\big)\, \big(1 - (1 - f)\, u\big), \qquad
     u = \max\big(\tfrac{t - w}{1 - w}, 0\big) $$

    Args:
        warmup: w, a share of training. final: f, the factor at the end.

    >>> Linear(final=0.5)(0.5)
    0.75

    Source: the warm-up of Goyal et al. 2017, arXiv:1706.02677.
    """

    warmup: float = 0.0
    final: float = 0.0

    def __call__(self, t: float) -> float:
        rising, rest = phases(t, self.warmup)
        return rising * (1 + (self.final - 1) * rest)


@dataclass(frozen=True)
class Cosine(Schedule):
    r"""Up from zero during `warmup`, then down to `final` along half a cosine.

    $$ \min\big(\tfrac tw, 1\big)\, \Big(f + \frac{1 - f}2 \big(1 + \cos \pi u\big)\Big), \qquad
     u = \max\big(\tfrac{t - w}{1 - w}, 0\big) $$

    Args:
        warmup: w, a share of training. final: f, the factor at the end.

    >>> Cosine()(0.0), round(Cosine()(1.0), 6)
    (1.0, 0.0)

    Source: Loshchilov & Hutter 2017, arXiv:1608.03983.
    """

    warmup: float = 0.0
    final: float = 0.0

    def __call__(self, t: float) -> float:
        rising, rest = phases(t, self.warmup)
        return rising * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * rest)))


def phases(t: float, warmup: float) -> tuple[float, float]:
    """How much of the warm-up is done, and how much of the rest."""
    rising = 1.0 if t >= warmup else (t + 1e-3) / (warmup + 1e-3)
    return rising, max(0.0, t - warmup) / (1 - warmup)
