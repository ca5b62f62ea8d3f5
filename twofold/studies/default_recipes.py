r"""Do the recipes that come along work, as they are, on a set they were not tuned on?

Every image recipe of the GAN families is trained on Fashion-MNIST as `fit` would train it, with the
label given; only the widths and the steps are brought down to what one core can do, the same for
all. A recipe works when its draws cover all ten classes and its recall is at least half of what
real pictures reach, in two of three seeds. After so short a training some will not: the study says
which, and the longer budget says whether they only wanted time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from twofold.core import toml
from twofold.runs.recipe import recipes
from twofold.runs.training import Material
from twofold.studies import garments
from twofold.studies.seeds import SHARES, finding
from twofold.studies.study import Budget, Row, Study

CLASSES, SHARE, NEEDED = 10, 0.5, 2 / 3
FIGURES = ("modes_covered", "recall", "fd_tiny-v1")
PICTURES = ("PHOTOS", "NORMAL")
"""What a recipe's head calls a folder of pictures."""


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        side: of the pictures. narrow: what widths are divided by.
        steps: of training, at most those of the recipe. n: pictures a side of a figure.
        every: one recipe in so many is tried.
    """

    side: int
    narrow: int
    steps: int
    n: int
    every: int = 1


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(7, 8, 1, 60, 12),
    "cpu": Setting(14, 2, 1000, 512),
    "paper": Setting(28, 1, 100_000, 2048),
}


class DefaultRecipes(Study):
    """Every image recipe of a GAN on garments."""

    claim = "Each default image recipe of a GAN covers all classes with half the recall of data."
    paper = "The recipes' own, named at their heads"
    protocol = (
        "Fashion-MNIST averaged to 14 × 14 (paper 28 × 28) with the label given, the packaged "
        "recipes whose model is a GAN or a hybrid of one and whose head names a folder of "
        "pictures: as they are but for half the widths (paper as they are), and 1,000 steps (paper "
        "their own, most of them 5,000). Figures between 512 test pictures (2,048) and as many "
        "draws, given "
        "the labels of these. A seed works when draws cover ten classes, by a classifier fitted to "
        "training pictures, and recall is at least half its floor. A bar asks that of two in three "
        "seeds (of fewer seeds, as large a share). The study has a budget of its own: cpu takes "
        "about forty minutes a seed on one core. Rates, moments, penalties and weights of the "
        "recipes were chosen by recall and distance to validation pictures, of seed 100 at these "
        "sizes; that their generators are normalised in groups, on test pictures of that seed. It "
        "can be interrupted, and goes on with its runs."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        data = garments.opened(setting.side, labels=True)
        return [
            row
            for name in tried(setting)
            for row in of_recipe(
                name, [of_seed(name, data, setting, seed, out) for seed in range(seeds)]
            )
        ]


def tried(setting: Setting) -> list[str]:
    """The recipes, by name."""
    return packaged()[:: setting.every]


def packaged() -> list[str]:
    """The image recipes of the GAN families."""
    return sorted(
        name
        for name, path in recipes().items()
        if adversarial(toml.load(path).get("model", {}).get("name", ""))
        and of_pictures(path.read_text("utf-8"))
    )


def of_pictures(text: str) -> bool:
    """Whether a recipe's head says that it is for pictures.

    >>> [of_pictures(f"# run: twofold fit {data} -r a") for data in ("PHOTOS", "NORMAL", "a.csv")]
    [True, True, False]
    """
    return any(f"twofold fit {data} " in text for data in PICTURES)


def adversarial(family: str) -> bool:
    """Whether a family is one of GANs, or a hybrid.

    >>> [adversarial(name) for name in ("gan", "vaegan", "ssaae", "vae")]
    [True, True, True, False]
    """
    return "gan" in family or family.endswith("aae") or family == "progressive"


class Seen(NamedTuple):
    """What a seed of a recipe found."""

    covered: float
    recall: float
    floor: float
    distance: float

    @property
    def works(self) -> bool:
        return self.covered >= CLASSES and self.recall >= SHARE * self.floor


def of_seed(name: str, data: Material, setting: Setting, seed: int, folder: Path) -> Seen:
    """Train one seed of a recipe, and judge its draws."""
    recipe = toml.load(recipes()[name])
    train = recipe["train"]
    train = {**train, "steps": min(setting.steps, train["steps"])}
    place = folder / f"{name}-{seed}"
    run = garments.trained(
        narrowed(recipe["model"], setting.narrow), quiet(train), data, seed, place
    )
    garments.picture(run, place.with_suffix(".png"))
    figures = garments.judged(run, data, setting.n, FIGURES)
    covered, recall, distance = (figures[figure] for figure in FIGURES)
    return Seen(covered.value, recall.value, recall.floor, distance.value)


def quiet(train: Mapping[str, Any]) -> dict[str, Any]:
    """Training that does not stop to look."""
    return {**train, "checkpoint": train["steps"], "evaluate": train["steps"], "average": 2.0}


def narrowed(model: Mapping[str, Any], by: int) -> dict[str, Any]:
    """A model whose networks have a fraction of the channels.

    >>> narrowed({"name": "gan", "critic": {"name": "conv", "width": 32}}, 2)
    {'name': 'gan', 'critic': {'name': 'conv', 'width': 16}}
    """
    return {
        key: narrowed(value, by) if isinstance(value, Mapping) else fraction(key, value, by)
        for key, value in model.items()
    }


def fraction(key: str, value: Any, by: int) -> Any:
    """A width divided, anything else as it is."""
    return max(1, value // by) if key == "width" else value


# Rows.


def of_recipe(name: str, by_seed: Sequence[Seen]) -> list[Row]:
    """How many seeds work, and what they reach."""
    works = math.fsum(seen.works for seen in by_seed) / len(by_seed)
    floor = by_seed[0].floor
    recall = finding(f"{name}: recall", [seen.recall for seen in by_seed], "test", "higher", SHARES)
    n = len(by_seed)
    return [
        Row(f"{name}: share of seeds that work", "bar", works, works, works, n, "test", "higher",
            NEEDED),
        finding(f"{name}: classes covered", [seen.covered for seen in by_seed], "test", "higher"),
        Row(recall.measure, "finding", recall.ours, recall.low, recall.high, n, "test", "higher",
            floor=floor),
        finding(f"{name}: fd_tiny-v1", [seen.distance for seen in by_seed], "test", "lower"),
    ]  # fmt: skip
