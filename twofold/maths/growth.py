r"""When a network grows: its stage, and how far that stage has faded in, as functions of progress.

A generator that grows paints a coarse picture first; with each *stage* comes the next size, which
*fades in* (Karras et al. 2018, arXiv:1710.10196, §2). `Grown` is where it is. At a fade of 0 a new
stage is the one before, enlarged; so where it begins, the old stage counts, and nothing jumps.

Nothing is remembered: a run that is resumed in mid-fade is where it was.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import accumulate
from typing import Annotated

from pydantic import Field as Limits
from pydantic import PositiveFloat

from twofold.core.build import Part
from twofold.core.errors import UserError


@dataclass(frozen=True)
class Grown:
    """At `stage`, from 0, of which a share `fade`, above 0 and up to 1, is there."""

    stage: int
    fade: float


class Growth(Part, ABC):
    """How training is divided among stages."""

    @abstractmethod
    def __call__(self, t: float, stages: int) -> Grown:
        """Where the network is at a fraction t of training."""


@dataclass(frozen=True)
class Even(Growth):
    r"""The same time for each stage, of which it spends a share fading in; the first is there.

    $$ s = \lceil t S \rceil - 1, \qquad \alpha = \min\big(1, (t S - s) / f\big) $$

    Args:
        fade: f, the share of a stage's time in which it fades in.

    Source: Karras et al. 2018, arXiv:1710.10196.

    >>> [Even(fade=0.5)(t, 2) for t in (0.0, 0.5, 0.625, 0.75)]
    [Grown(stage=0, fade=1.0), Grown(stage=0, fade=1.0), Grown(stage=1, fade=0.5), Grown(stage=1, fade=1.0)]
    """  # noqa: E501

    fade: Annotated[float, Limits(ge=0, le=1)] = 0.5

    def __call__(self, t: float, stages: int) -> Grown:
        return divided(t, [1.0] * stages, self.fade)


@dataclass(frozen=True)
class Shares(Growth):
    r"""Shares of training from the coarsest stage on; further stages have each that of the last.

    $$ \alpha = \min\Big(1, \frac{t - t_s}{f \, (t_{s+1} - t_s)}\Big), \qquad
       t_s = \sum_{i < s} w_i \Big/ \sum_i w_i $$

    Args:
        shares: w, of each stage.
        fade: f, the share of a stage's time in which it fades in.

    Source: Karras et al. 2018, arXiv:1710.10196, with stages of unequal length.

    >>> Shares((1.0, 2.0), fade=0.5)(0.5, 3)
    Grown(stage=1, fade=1.0)
    """

    shares: tuple[PositiveFloat, ...] = (1.0, 2.0, 4.0)
    fade: Annotated[float, Limits(ge=0, le=1)] = 0.5

    def __post_init__(self) -> None:
        if not self.shares:
            raise UserError("shares divides training among stages, and has none; give one or more")

    def __call__(self, t: float, stages: int) -> Grown:
        shares = [*self.shares, *[self.shares[-1]] * stages][:stages]
        return divided(t, shares, self.fade)


@dataclass(frozen=True)
class AtOnce(Growth):
    r"""All stages from the start: no growing.

    $$ s = S - 1, \qquad \alpha = 1 $$

    Source: Goodfellow et al. 2014, arXiv:1406.2661.

    >>> AtOnce()(0.0, 3)
    Grown(stage=2, fade=1.0)
    """

    def __call__(self, t: float, stages: int) -> Grown:
        return Grown(stages - 1, 1.0)


def divided(t: float, shares: list[float], fade: float) -> Grown:
    """Where t falls among stages with shares of the whole."""
    ends = [end / sum(shares) for end in accumulate(shares)]
    stage = next((i for i, end in enumerate(ends) if t <= end), len(shares) - 1)
    if stage == 0:
        return Grown(0, 1.0)
    start, end = ends[stage - 1], ends[stage]
    way = (t - start) / (end - start)  # above 0
    return Grown(stage, 1.0 if way >= fade else way / fade)
