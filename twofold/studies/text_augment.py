r"""Does a classifier of few labelled sentences do better with drawn ones?

n sentences of each label are labelled, many more are not. A conditional VAE learns from all of
them, told the label where there is one, and draws four times as many of each label as are labelled.
What that is worth is the gain in macro F1 of a small classifier,

$$ \Delta = F_1(\text{labelled} \cup \text{drawn}) - F_1(\text{labelled}), $$

beside the same gain from simple edits of the labelled sentences (EDA).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.apps.augmentation import Way
from twofold.apps.wording import Labelled, compared, fresh
from twofold.maths.choosing import Choice
from twofold.runs.run import Run
from twofold.studies.captions import (
    BRISK,
    LABELS,
    TINY,
    Budgeted,
    Frame,
    captions,
    fitted,
    labelled,
)
from twofold.studies.seeds import finding
from twofold.studies.study import Budget, Row, Study

SHARE = 0.25
"""Of a batch, rows with a label."""


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        fit: of the model; its captions are those without a label.
        counts: labelled captions of each label. judged: captions that are judged.
        times: how many are drawn for each that is labelled.
    """

    fit: Budgeted
    counts: Sequence[int]
    judged: int
    times: int = 4


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(
        Budgeted({"steps": 2}, 200, model=TINY),
        (4,), 100, 1,
    ),
    "cpu": Setting(Budgeted({"steps": 800, **BRISK}, 12_000), (20, 50, 200), 4000),
    "paper": Setting(Budgeted({"steps": 20_000}, 20_000, 4000, 60, {}), (20, 50, 200), 4000),
}  # fmt: skip


class TextAugment(Study):
    """A small classifier with and without drawn captions."""

    claim = "What drawn sentences add to 20, 50 and 200 labelled ones of each label."
    paper = "Wei & Zou 2019, EDA, arXiv:1901.11196, for the simple edits and the question"
    protocol = (
        "Multi30k's captions, labelled by a rule: who is named first, of five. A seed shuffles "
        "them: 20, 50 or 200 of each label are labelled, 12,000 others (paper 20,000) have no "
        "label, 4,000 others are judged. The packaged recipe vae-text learns from all that are "
        "not judged, told the label where there is one, which a quarter of each batch has; those "
        "above 25 tokens are dropped; half width, 2,000 words, 800 steps of 32 at a rate of .002 "
        "(paper: 60 tokens, full width, 4,000 words, 20,000 steps of 64 at .001). Four times as "
        "many as are labelled are drawn of each label, at temperature 1; what a training caption "
        "says word for word is left out, and what a classifier of the labelled captions takes for "
        "another label (without that sieve draws cost 0.16 to 0.19 of F1, in an earlier run on the "
        "same captions). The classifier is a logistic regression on TF-IDF of words and pairs; "
        "gains in macro F1 on judged captions, a pair of the same labelled captions each, over "
        "seeds. The classifier itself never sees the captions without a label."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        return [
            row
            for n in setting.counts
            for row in told(
                n, [of_seed(setting, n, seed, out / f"{n}-{seed}") for seed in range(seeds)]
            )
        ]


def of_seed(setting: Setting, n: int, seed: int, folder: Path) -> Mapping[str, Way]:
    """What each way is worth, with n labelled captions of each label."""
    every = captions(seed)
    judged, rest = every[: setting.judged], every[setting.judged :]
    few = rest.groupby("label").head(n)
    others = rest.drop(few.index)[: setting.fit.captions]
    run = fitted(mixed(few, others), setting.fit, seed, folder, labelled=SHARE)
    lacks = dict.fromkeys(range(len(LABELS)), setting.times * n)
    real = labelled(few)
    ways = compared(
        real, labelled(judged), drawn(run, lacks, few, rest, seed), lacks, len(LABELS), seed
    )
    return {way.name: way for way in ways}


def mixed(few: Frame, others: Frame) -> Frame:
    """Labelled captions, and others whose label is not told."""
    import pandas as pd

    return pd.concat([few, others.assign(label="")], ignore_index=True)


def drawn(run: Run, lacks: Mapping[int, int], few: Frame, seen: Frame, seed: int) -> Labelled:
    """New captions, as many of each label as are asked for."""
    order = run.given.fields[0].domain.labels  # type: ignore[attr-defined]
    asked = {order.index(LABELS[k]): n for k, n in lacks.items()}
    known = labelled(few)
    real = Labelled(known.sentences, tuple(order.index(LABELS[k]) for k in known.label))
    made = fresh(run, "label", asked, real, list(seen["text"]), seed, Choice())
    found = Labelled.of(run.kind, made.rows, 0)  # type: ignore[arg-type]
    return Labelled(found.sentences, tuple(LABELS.index(order[k]) for k in found.label))


def told(n: int, every: Sequence[Mapping[str, Way]]) -> list[Row]:
    """What labelled captions alone are worth, and the gain of each way."""
    bare = [one["nothing added"].f1.value for one in every]
    gains = {
        name: [one[name].f1.value - b for one, b in zip(every, bare, strict=True)]
        for name in ("simple edits", "ours")
    }
    return [
        finding(f"F1, {n} a label, nothing added", bare, "test", "higher"),
        *(
            finding(f"gain in F1, {n} a label, {name}", values, "test", "higher")
            for name, values in gains.items()
        ),
    ]
