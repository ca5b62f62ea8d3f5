"""How a game goes while it trains: its critic at every tick, its draws at every evaluation.

A verdict other than healthy that stands at two evaluations in a row is said, once, with why and
what to turn; with `train.rescue` the model is asked to turn what it can, and again after two more
evaluations, until nothing is left to turn. When the game is healthy again, that is said too. What
was turned and when is part of the session's story, so that a resumed game plays the same.

Draws that are poor but better than before are a young game's, which is healthy. A game whose
verdict stands is not young: only good draws or a critic that can be fooled end it, until something
is turned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from twofold.core.game import Model, Rescues, Trouble
from twofold.measures.diagnosis import diagnose
from twofold.measures.vitals import UNKNOWN, Spread, Vitals, Watched

NOTICED = 2
"""Evaluations in a row after which a verdict is spoken of."""


class Ailing(Protocol):
    """What is remembered of a game: a verdict and the evaluations in a row at which it stood."""

    spread: dict[str, float]
    ailment: str
    ailing: list[int]
    told: bool
    rescued: list[int]
    against: list[str]


@dataclass(frozen=True)
class Ward:
    """What watches a game.

    Args:
        watched: what it is read on. advice: what to turn against a trouble, in words.
        rescue: whether to turn it.
    """

    watched: Watched
    advice: Callable[[Trouble], str]
    rescue: bool = False

    def glance(self, model: Model) -> dict[str, Any]:
        """What the critic makes of some rows, for a tick."""
        return {k: v for told in self.watched.judged(model) for k, v in told.numbers().items()}

    def read(self, model: Model, averaged: Model, story: Ailing, finite: bool) -> Vitals:
        """An evaluation.

        Args:
            model: as it plays. averaged: as it is used. finite: whether its gradients were.
        """
        young = len(story.ailing) < NOTICED
        before = Spread(**story.spread) if story.spread and young else UNKNOWN
        return self.watched.read(model, averaged, before, finite)

    def heed(self, vitals: Vitals, story: Ailing, model: Model, step: int) -> list[str]:
        """What is to be said of an evaluation, after it was answered where it can be."""
        found = diagnose(vitals)
        story.spread = asdict(vitals.spread)
        if found.verdict == "healthy":
            said = [f"the game is healthy again at step {step}: {found.because}"] * story.told
            story.ailment, story.ailing, story.told = "", [], False
            return said
        before = story.ailing if found.verdict == story.ailment else []
        story.ailment, story.ailing = found.verdict, [*before, step]
        if len(story.ailing) != NOTICED:
            return []
        story.told = True
        what = f"the game is {found.words} since step {story.ailing[0]}: {found.because}"
        remedy = model.remedy(found.verdict) if isinstance(model, Rescues) else ""
        if self.rescue and remedy:
            return [f"{what}: {self.answer(found.verdict, story, model, step)}"]
        turn = self.advice(found.verdict)
        return [f"{what}; to turn: {turn}" if turn else what]

    def answer(self, trouble: Trouble, story: Ailing, model: Model, step: int) -> str:
        """Turn what the model can turn next; what it was, in words."""
        assert isinstance(model, Rescues)
        remedy = model.remedy(trouble)
        model.rescue(trouble, step)
        story.rescued, story.against = [*story.rescued, step], [*story.against, trouble]
        story.ailing = []  # count anew, before the next thing is turned
        return f"rescued by {remedy} from {step} on"
