"""What studies of anomaly detection share: a run on normal rows, and how each score tells the rest.

Rows are parted by their numbers: those that train, those that calibrate, those that are judged.
Every score is the product's own (`apps/anomaly.py`, `apps/baselines.py`), and none sees a label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twofold.apps.anomaly import Detector, How, detector
from twofold.apps.baselines import baselines
from twofold.apps.score import Unlabelled
from twofold.core.game import Decodes
from twofold.data.doctor import Examination, examine
from twofold.data.kind import Where
from twofold.data.sources import Source, Subset
from twofold.maths.ranking import auroc
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import kept

DENSE = {"name": "dense", "width": 256, "depth": 2}


@dataclass(frozen=True)
class Rows:
    """Row numbers of one set: those that train, that calibrate, that are judged.

    Args:
        abnormal: which of the judged rows are, (N,).
    """

    train: Tensor
    normal: Tensor
    judged: Tensor
    abnormal: Tensor


@dataclass(frozen=True)
class Labelled:
    """A set of which it is known what each row is.

    Args:
        data: the `data` table of a recipe. seen: what it is. label: of each row, (N,).
    """

    data: Mapping[str, Any]
    seen: Examination
    label: Tensor

    @classmethod
    def of(cls, where: Where, data: Mapping[str, Any], **asked: Any) -> Labelled:
        """Read a set whose first field that is given is the label; no model is told it."""
        told = examine(where, **asked)
        blind = examine(where, given=(), **asked) if told.kind.given.width else told
        return cls(data, blind, told.source.labels()[:, 0].long())

    @property
    def official(self) -> Mapping[str, Tensor]:
        """The publisher's split."""
        return self.seen.source.official

    def part(self, rows: Tensor) -> Source:
        """Some rows, in this order; where the kind is always given a label, it is not known."""
        part, given = Subset(self.seen.source, rows), self.seen.kind.given.size
        return Unlabelled(part, torch.ones(given, dtype=torch.bool)) if given else part

    def material(self, rows: Rows) -> Material:
        """What a run on the normal rows trains on."""
        none = rows.train[:0]
        train, normal, test = (self.part(part) for part in (rows.train, rows.normal, none))
        return Material(self.seen.kind, train, normal, test)


def fitted(
    known: Labelled, rows: Rows, model: Mapping[str, Any], train: Mapping[str, Any], folder: Path
) -> Run:
    """A run on the normal rows, or gone on with."""
    recipe = {"model": dict(model), "train": {**QUIET, "evaluate": train["steps"], **train}}
    return kept.trained(recipe, known.data, known.material(rows), folder)


QUIET: Mapping[str, Any] = {"best": "none", "null": 1.0, "schedule": {"name": "cosine"}}


def learnt(known: Labelled, rows: Rows, runs: Sequence[Run], terms: Sequence[str]) -> Detector:
    """The detector of one run, or of several together."""
    how = How(tuple(terms), draws=8)
    none = known.part(rows.train[:0])
    return detector(runs, known.part(rows.train), known.part(rows.normal), none, how)


def scores(found: Detector, known: Labelled, rows: Rows) -> dict[str, Tensor]:
    """Each term of a detector for the judged rows, and their `score` together."""
    return found.raw(known.part(rows.judged))


def simple(run: Run, known: Labelled, rows: Rows) -> dict[str, Tensor]:
    """Each baseline, taught by the same training rows."""
    x, judged = (
        run.batch(known.part(r), torch.arange(len(r))).x for r in (rows.train, rows.judged)
    )
    width = run.model.latent if isinstance(run.model, Decodes) else x[0].numel()
    return {name: scorer(judged) for name, scorer in baselines(x, width, run.seed).items()}


def areas(each: Mapping[str, Tensor], abnormal: Tensor) -> dict[str, float]:
    """AUROC of each score."""
    return {name: float(auroc(s[abnormal], s[~abnormal])) for name, s in each.items()}


def shuffled(rows: Tensor, seed: int) -> Tensor:
    """The rows in an order of chance."""
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]


def among(label: Tensor, rows: Tensor, kinds: Sequence[int]) -> Tensor:
    """Those of the rows whose label is one of these."""
    return rows[torch.isin(label[rows], torch.tensor(kinds))]


def gathered(found: Sequence[Mapping[str, float]]) -> Iterator[tuple[str, list[float]]]:
    """Figures of several runs by name."""
    return ((name, [one[name] for one in found]) for name in found[0])


# Digits.


@dataclass(frozen=True)
class Digits:
    """How much is done with digits.

    Args:
        data: the named set. train: rows that train, at most. normal: that calibrate, at most.
        judged: test rows. steps: of training. width, latent: of the networks.
        abnormal: digits that are abnormal in turn, or normal in turn.
    """

    data: str
    train: int
    normal: int
    judged: int
    steps: int
    width: int
    latent: int
    turns: tuple[int, ...] = tuple(range(10))


BATCH, RATE = 128, 2e-3
TERMS = ("negative_log_likelihood", "error", "unexpected_error", "latent_distance", "neighbours")


def digits_of(known: Labelled, setting: Digits, normal: Sequence[int], seed: int) -> Rows:
    """Training rows of normal digits in an order of chance, and the first test rows of all."""
    official = known.official
    own = shuffled(among(known.label, official["train"], normal), seed)
    held = own[:: max(4, len(own) // setting.normal)][: setting.normal]
    rest = own[~torch.isin(own, held)][: setting.train]
    judged = official["test"][: setting.judged]
    return Rows(rest, held, judged, ~torch.isin(known.label[judged], torch.tensor(normal)))


def recipe_of(setting: Digits, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The `model` and `train` tables of a run on digits."""
    net = {"name": "dense", "width": setting.width, "depth": 2}
    likelihood = [{"name": "gaussian"}]
    model = {"name": "vae", "latent": setting.latent, "encoder": net, "decoder": net}
    train = {"steps": setting.steps, "batch": BATCH, "seed": seed, "lr": RATE}
    return {**model, "likelihood": likelihood}, train


def on_digits(
    known: Labelled,
    setting: Digits,
    normal: Sequence[int],
    seed: int,
    folder: Path,
    together: Sequence[Sequence[str]] = (),
) -> dict[str, float]:
    """AUROC of each score and each baseline, with these digits normal and all others not.

    Args:
        together: terms whose calibrated sums are scores too.
    """
    rows = digits_of(known, setting, normal, seed)
    run = fitted(known, rows, *recipe_of(setting, seed), folder)
    each = scores(learnt(known, rows, [run], TERMS), known, rows)
    sums = {
        " and ".join(terms): scores(learnt(known, rows, [run], terms), known, rows)["score"]
        for terms in together
    }
    return areas(each | sums | simple(run, known, rows), rows.abnormal)
