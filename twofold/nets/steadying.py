r"""What an adversarial game can do about its troubles while it is played.

Some switches of a game are in the shape of its networks (packing, minibatch discrimination) and are
turned by training anew. Others are in how it is played, and can be turned between two steps:

| trouble | what is turned, one after the other while it lasts |
|---|---|
| collapsing | heavier slopes, a slower generator, instance noise |
| critic too strong | a slower critic, instance noise, heavier slopes |
| overfitting | DiffAugment, heavier slopes |
| diverged | slower players, heavier slopes |

*Heavier slopes*: every penalty of the critic counts ten times as much; a critic without any pays R1
and R2 (Mescheder et al. 2018, arXiv:1801.04406), without which a plain game need not converge. *A
slower player* goes at a quarter of its rate (two time-scales: Heusel et al. 2017,
arXiv:1706.08500). *Instance noise* is on all that the critic sees, and fades (Sønderby et al. 2017,
arXiv:1610.04490). *DiffAugment* shows it everything changed (Zhao et al. 2020, arXiv:2006.10738).

What a game has is seen from its parts: the penalties that the model or a critic of codes holds, an
augmenter, instance noise. Rates may be lowered again and again, the others are turned once; what
was turned least comes first, then this order. So a model made anew and told the same troubles plays
the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from twofold.core.game import Rescues, Trouble
from twofold.maths.augmentations import Always, DiffAugment
from twofold.maths.penalties import R1, R2
from twofold.maths.varying import Linear
from twofold.nets.critics import critics

HEAVIER = 10.0
SLOWER = 0.25
SIGMA, FADING = 0.2, 2000
"""Of instance noise: its deviation at first, and the steps after which it is gone."""


class Steadied(Rescues):
    """A game whose troubles are answered by what its parts allow."""

    turned: tuple[str, ...] = ()
    """What has been turned, in order."""

    def remedy(self, trouble: Trouble) -> str:
        left = self.left(trouble)
        return left[0].words if left else ""

    def rescue(self, trouble: Trouble, step: int) -> None:
        answer = self.left(trouble)[0]
        answer.turn(self, step)
        self.turned = (*self.turned, answer.words)

    def left(self, trouble: Trouble) -> list[Answer]:
        """What can still be turned, the next first."""
        usable = [
            answer
            for answer in ANSWERS.get(trouble, ())
            if self.turned.count(answer.words) < answer.times and answer.fits(self)
        ]
        return sorted(usable, key=lambda answer: self.turned.count(answer.words))


class Answer(ABC):
    """Something that can be turned between two steps."""

    words: ClassVar[str]
    times: ClassVar[int] = 1
    """How often it can be turned."""

    @abstractmethod
    def fits(self, model: Any) -> bool:
        """Whether a model has what is turned."""

    @abstractmethod
    def turn(self, model: Any, step: int) -> None:
        """Turn it, from a step on."""


@dataclass(frozen=True)
class Heavier(Answer):
    """The critic pays more for its slopes."""

    words = "heavier slope penalties"

    def fits(self, model: Any) -> bool:
        return bool(payers(model))

    def turn(self, model: Any, step: int) -> None:
        for payer in payers(model):
            dearer = tuple(penalty.times(HEAVIER) for penalty in payer.penalties)
            payer.penalties = dearer or (R1(), R2())


@dataclass(frozen=True)
class SlowerCritic(Answer):
    """Critics at a share of their rate."""

    words = f"a critic at {SLOWER:g} of its rate"
    times = 3

    def fits(self, model: Any) -> bool:
        return bool(critics(model))

    def turn(self, model: Any, step: int) -> None:
        model.paces = slowed(model, critics(model))


@dataclass(frozen=True)
class SlowerGenerator(Answer):
    """All but the critics at a share of their rate."""

    words = f"a generator at {SLOWER:g} of its rate"
    times = 3

    def fits(self, model: Any) -> bool:
        return bool(critics(model))

    def turn(self, model: Any, step: int) -> None:
        model.paces = slowed(model, [n for n in model.players() if n not in critics(model)])


@dataclass(frozen=True)
class SlowerPlayers(Answer):
    """Everyone at a share of their rate."""

    words = f"players at {SLOWER:g} of their rates"
    times = 3

    def fits(self, model: Any) -> bool:
        return True

    def turn(self, model: Any, step: int) -> None:
        model.paces = slowed(model, list(model.players()))


@dataclass(frozen=True)
class Noisy(Answer):
    """Instance noise that fades."""

    words = "instance noise"

    def fits(self, model: Any) -> bool:
        return getattr(model, "instance_noise", 1.0) == 0

    def turn(self, model: Any, step: int) -> None:
        model.instance_noise = Linear(SIGMA, 0.0, FADING, step)


@dataclass(frozen=True)
class Augmented(Answer):
    """The critic sees everything changed, where it saw it as it is."""

    words = "DiffAugment"

    def fits(self, model: Any) -> bool:
        augmenter = getattr(model, "augmenter", nn.Identity())
        return isinstance(augmenter, Always) and not augmenter.policy

    def turn(self, model: Any, step: int) -> None:
        model.augmenter = DiffAugment().build(len(model.space.axes))


ANSWERS: Mapping[Trouble, tuple[Answer, ...]] = {
    "collapsing": (Heavier(), SlowerGenerator(), Noisy()),
    "critic too strong": (SlowerCritic(), Noisy(), Heavier()),
    "overfitting": (Augmented(), Heavier()),
    "diverged": (SlowerPlayers(), Heavier()),
}


def payers(model: Any) -> list[Any]:
    """The parts of a model that hold the penalties of a critic."""
    return [part for part in model.modules() if isinstance(getattr(part, "penalties", 0), tuple)]


def slowed(model: Any, names: list[str]) -> dict[str, float]:
    """The paces of a model's players, those of some a share of what they were."""
    return {**model.paces, **{name: SLOWER * model.paces.get(name, 1.0) for name in names}}
