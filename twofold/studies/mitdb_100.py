r"""Abnormal beats of one record: does what a VAE learns of its first half find those of its second?

Record 100 of the MIT-BIH arrhythmia database (Moody & Mark 2001) is half an hour of two leads, cut
at its annotated R-peaks. Nearly all beats are normal; the others are premature, all but one of them
of the atria, and of the shape of a normal beat: what tells is that they come early. A window
therefore begins shortly after the beat before, at the usual rhythm (`data/beats.py`).

So rare an event asks for the area under precision against recall, and for alarms an hour: at a
threshold from held-out normal beats, how often somebody is called, and how often for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from twofold.core.space import Category
from twofold.data.kinds.series import Series
from twofold.data.named import find
from twofold.maths.ranking import average_precision
from twofold.maths.statistics import bootstrap
from twofold.maths.thresholds import Quantile
from twofold.studies.iwae_order import differences
from twofold.studies.oneclass import (
    Labelled,
    Rows,
    fitted,
    gathered,
    learnt,
    scores,
    shuffled,
    simple,
)
from twofold.studies.seeds import AMOUNTS, SHARES, Better, Possible, finding, gain
from twofold.studies.study import Budget, Row, Study

TERMS = ("negative_log_likelihood", "latent_distance", "reconstruction", "discord")
OURS, RIVAL = "reconstruction", "nearest_neighbour"
RATE = 0.01


@dataclass(frozen=True)
class Setting:
    """How much is done: the steps and the code of each VAE."""

    steps: int
    latent: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(5, 4),
    "cpu": Setting(1500, 8),
    "paper": Setting(10_000, 8),
}


class Mitdb100(Study):
    """AUC-PR, and alarms an hour, on the second half of a record."""

    claim = "What a VAE learns of a record's first normal beats finds its later abnormal ones."
    paper = "Moody & Mark 2001, The impact of the MIT-BIH arrhythmia database; An & Cho 2015"
    protocol = (
        "Record 100 of the MIT-BIH arrhythmia database, both leads, beat by beat at the annotated "
        "R-peaks, windows of 1.4 usual intervals. The normal beats of the first half train (three "
        "quarters, at random for each seed) and calibrate (the others); every beat of the second "
        "half is judged. A dense VAE a seed (1 × 64, latent 8, Gaussian of one learnt scale, 1,500 "
        "steps of 64). Ours is the reconstruction term; it, the code and the window were chosen "
        "with the abnormal beats of the first half, which no figure here is of. Alarms at the "
        "conformal quantile for 1 % of normal beats. The gain over the nearest neighbour among the "
        "same training beats is taken seed by seed, its interval over seeds; one row draws the "
        "judged beats again instead. One record of one person: nothing is said of others."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        known = Labelled.of("wfdb", {"name": "wfdb"})
        judged = [parted(known, seed) for seed in range(seeds)]
        raw = [
            each_score(known, rows, setting, seed, out / f"{seed}")
            for seed, rows in enumerate(judged)
        ]
        abnormal = judged[0].abnormal
        precise = dict(gathered([precision(scores, abnormal) for scores, _ in raw]))
        hours = hours_of(known, judged[0].judged)
        counts = dict(gathered([
            alarms(found[OURS], normal[OURS], abnormal, hours) for found, normal in raw
        ]))  # fmt: skip
        return [
            gain(f"AUC-PR of {OURS} minus that of {RIVAL}",
                 differences(precise[OURS], precise[RIVAL]), "second half"),
            counted(abnormal),
            together([found[OURS] for found, _ in raw], abnormal),
            *(finding(f"AUC-PR, {n}", values, "second half", "higher", SHARES)
              for n, values in precise.items()),
            *(finding(f"{n} at a rate of {RATE:.0%}", counts[n], "second half", *way)
              for n, way in ALARMS.items()),
        ]  # fmt: skip


def parted(known: Labelled, seed: int) -> Rows:
    """The first half's normal beats to train and to calibrate, all of the second to be judged."""
    normal = is_normal(known)
    half = len(known.label) // 2
    own = shuffled(normal[:half].nonzero()[:, 0], seed)
    cut = len(own) * 3 // 4
    judged = torch.arange(half, len(known.label))
    return Rows(own[:cut], own[cut:], judged, ~normal[half:])


def is_normal(known: Labelled) -> Tensor:
    """Which beats are annotated as normal, (N,)."""
    domain = known.seen.kind.given.fields[0].domain
    assert isinstance(domain, Category)
    return known.label == domain.labels.index("N")


def each_score(
    known: Labelled, rows: Rows, setting: Setting, seed: int, folder: Path
) -> tuple[dict[str, Tensor], Mapping[str, Tensor]]:
    """Each score of the judged beats, and ours of those that calibrate."""
    net = {"name": "dense", "width": 64, "depth": 1}
    model = {"name": "vae", "latent": setting.latent, "encoder": net, "decoder": net}
    train = {"steps": setting.steps, "batch": 64, "seed": seed}
    run = fitted(known, rows, model, train, folder)
    found = learnt(known, rows, [run], TERMS)
    return scores(found, known, rows) | simple(run, known, rows), found.normal


def precision(each: Mapping[str, Tensor], abnormal: Tensor) -> dict[str, float]:
    """AUC-PR of each score."""
    return {n: float(average_precision(s[abnormal], s[~abnormal])) for n, s in each.items()}


# Alarms.

ALARMS: Mapping[str, tuple[Better, Possible]] = {
    "alarms an hour": ("lower", AMOUNTS),
    "false alarms an hour": ("lower", AMOUNTS),
    "share of abnormal beats found": ("higher", SHARES),
}


def alarms(score: Tensor, normal: Tensor, abnormal: Tensor, hours: float) -> dict[str, float]:
    """How often somebody is called, how often for nothing, and how much is found.

    >>> score = torch.tensor([0.0, 5.0, 9.0, 9.0])
    >>> truth = torch.tensor([False, False, True, True])
    >>> list(alarms(score, torch.arange(1.0, 101.0) / 25, truth, 0.5).values())
    [6.0, 2.0, 1.0]
    """
    called = score > Quantile(normal, normal[:0], RATE).value
    false = called & ~abnormal
    share = float((called & abnormal).sum() / abnormal.sum())
    return dict(zip(ALARMS, (int(called.sum()) / hours, int(false.sum()) / hours, share),
                    strict=True))  # fmt: skip


def hours_of(known: Labelled, rows: Tensor) -> float:
    """How long some beats last, from the first to the last."""
    kind = known.seen.kind
    assert isinstance(kind, Series)
    peaks = kind.recordings(find("wfdb").where).begins
    return (peaks[int(rows[-1])] - peaks[int(rows[0])]) / kind.cutting.hertz / 3600


def counted(abnormal: Tensor) -> Row:
    """How many abnormal beats the figures are of."""
    count, total = float(abnormal.sum()), len(abnormal)
    return Row("abnormal beats", "finding", count, count, count, total, "second half", "higher")


def together(each: Sequence[Tensor], abnormal: Tensor) -> Row:
    """AUC-PR of the mean of the seeds' scores, its interval over beats that are drawn again."""
    mean = torch.stack(list(each)).mean(0)
    found = bootstrap(average_precision, mean[abnormal], mean[~abnormal])
    name = f"AUC-PR, {OURS} of all seeds together, over beats"
    ends = (found.value, found.low, found.high)
    return Row(name, "finding", *ends, len(abnormal), "second half", "higher")
