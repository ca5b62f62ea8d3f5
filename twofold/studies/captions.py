"""Captions with a label that a rule reads off them: who is seen first.

Multi30k has no labels, and studies of labelled text need some. The first word of a caption that
names somebody says which of five it is: a man, a woman, a child, several, a dog. The word stays
where it is, so a classifier of words finds the label almost always; how well it does without those
words is told beside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from twofold.apps.wording import Labelled
from twofold.data.kinds.text import Text
from twofold.data.named import find
from twofold.runs.recipe import load_recipe, merged
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies.garments import trained

Frame = Any  # of pandas
WHO: Mapping[str, str] = {
    "man": "man guy gentleman male",
    "woman": "woman lady female",
    "child": "boy girl child baby toddler kid",
    "several": "people men women children boys girls kids crowd group couple team players",
    "dog": "dog dogs puppy",
}
LABELS = tuple(WHO)
OF_WORD = {word: label for label, words in WHO.items() for word in words.split()}
WORD = re.compile(rf"\b({'|'.join(OF_WORD)})\b", re.IGNORECASE)
NAME = "multi30k"
HALF: Mapping[str, Any] = {
    "encoder": {"width": 128},
    "decoder": {"width": 128, "embed": 64},
}
"""What makes of the packaged recipe one of half the width."""
TINY: Mapping[str, Any] = {"encoder": {"width": 8}, "decoder": {"width": 8, "embed": 8}}
"""For a smoke budget."""
BRISK: Mapping[str, Any] = {"batch": 32, "lr": 2e-3}
"""Smaller batches at twice the rate, for few steps."""


def who(caption: str) -> str:
    """Who is seen first; empty where nobody of those is.

    >>> who("Two men and a dog."), who("A dog with its man."), who("A red car.")
    ('several', 'dog', '')
    """
    found = WORD.search(caption)
    return OF_WORD[found[0].lower()] if found else ""


def hidden(caption: str) -> str:
    """A caption without the words that the rule looks at.

    >>> hidden("A dog with its man.")
    'A  with its .'
    """
    return WORD.sub("", caption)


def captions(seed: int = 0) -> Frame:
    """Labelled captions, `text` and `label`, each once, in an order of the seed."""
    import pandas as pd

    texts = list(dict.fromkeys(find(NAME).where["text"]))
    frame = pd.DataFrame({"text": texts, "label": [who(text) for text in texts]})
    frame = frame[frame["label"] != ""]
    order = np.random.default_rng(seed).permutation(len(frame))
    return frame.iloc[order].reset_index(drop=True)


def labelled(frame: Frame, change: Callable[[str], str] = str) -> Labelled:
    """The rows of a frame, each text perhaps changed."""
    return Labelled(
        tuple(change(text) for text in frame["text"]),
        tuple(LABELS.index(label) for label in frame["label"]),
    )


@dataclass(frozen=True)
class Budgeted:
    """How a model of captions is trained.

    Args:
        train: over the recipe's training. captions: to learn from, before long ones are dropped.
        vocabulary: words of it, about. longest: tokens of one. model: over the recipe's model.
    """

    train: Mapping[str, Any]
    captions: int
    vocabulary: int = 2000
    longest: int = 25
    model: Mapping[str, Any] = field(default_factory=lambda: HALF)


def fitted(frame: Frame, budget: Budgeted, seed: int, folder: Path, **train: Any) -> Run:
    """The packaged recipe on a frame of captions, told the label where there is one."""
    options: dict[str, Any] = {"vocabulary": budget.vocabulary, "longest": budget.longest}
    kind, said = Text.inspect(frame, **options)
    table = {**options, "split": {"validation": 0.02, "test": 0.0}}
    data = Material.of(kind, kind.open(frame), said, table)
    recipe = merged(load_recipe("vae-text"), {"model": budget.model, "train": budget.train})
    rest = {"evaluate": budget.train["steps"], **train}
    return trained(recipe["model"], {**recipe["train"], **rest}, data, seed, folder, table)
