r"""Do sentences that are drawn for a label have it, and are they new?

A conditional sentence VAE (Sohn et al. 2015) is told who is seen first in each caption. A
classifier that learnt from other captions, which the model never saw, is asked of each draw whether
it has its label:

$$ \text{fidelity} = \frac1n \sum_i \mathbb 1\big[\, \hat y(x_i) = y_i \,\big], \qquad
   x_i \sim p(x \mid y_i). $$

A model that recites its training sentences has a perfect fidelity, so the share of draws that some
training sentence says word for word stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.apps.wording import Labelled, bare, trial
from twofold.measures.tables import accuracy
from twofold.runs.run import Run
from twofold.studies.captions import (
    BRISK,
    LABELS,
    TINY,
    Budgeted,
    Frame,
    captions,
    fitted,
    hidden,
    labelled,
)
from twofold.studies.seeds import least, most, over_seeds
from twofold.studies.study import Budget, Row, Study

FAITHFUL, COPIED = 0.8, 0.05
SEEN, UNSEEN = "label found by a classifier", "label found without the words of the rule"


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        fit: of the model. judge: captions that the classifier learns from, others than the model's.
        real: captions that are neither's. draws: of each label.
    """

    fit: Budgeted
    judge: int
    real: int
    draws: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(
        Budgeted({"steps": 2}, 200, model=TINY),
        100, 100, 4,
    ),
    "cpu": Setting(Budgeted({"steps": 3000, **BRISK}, 16_000), 4000, 2000, 200),
    "paper": Setting(Budgeted({"steps": 20_000}, 16_000, 4000, 60, {}), 6000, 2000, 1000),
}  # fmt: skip


class SentenceControl(Study):
    """Captions that were asked for by a label."""

    claim = "At least .8 of conditional sentences have their label, and at most .05 are copies."
    paper = "Sohn, Lee & Yan 2015, Learning Structured Output Representation"
    protocol = (
        "Multi30k's captions, labelled by a rule: the first word that names somebody makes it a "
        "man, a woman, a child, several or a dog; captions without one are left out, 25,093 stay. "
        "A seed shuffles them: 16,000 train the packaged recipe vae-text, told the label; those "
        "above 25 tokens are dropped; half width, 2,000 words, 3,000 steps of 32 at a rate of "
        ".002 (paper: 60 tokens, full width, 4,000 words, 20,000 steps of 64 at .001); 4,000 "
        "others (paper 6,000) teach a logistic regression on TF-IDF of words and pairs; 2,000 "
        "others say how well it does on real captions, which is the floor. 200 draws a label "
        "(paper 1,000), at temperature 1 from the prior. The label's own words are left in, so "
        "the classifier reads them; the finding is of one that is shown neither captions nor "
        "draws with them. A copy says what a training caption says, word for word, case and signs "
        "aside; floor: real captions that do. Bars are on the worse end of the interval over "
        "seeds."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        folder = out
        every = [of_seed(SETTINGS[budget], seed, folder / f"{seed}") for seed in range(seeds)]
        return told(every)


@dataclass(frozen=True)
class Found:
    """Shares of draws, and of real captions, by name."""

    ours: Mapping[str, float]
    real: Mapping[str, float]


def of_seed(setting: Setting, seed: int, folder: Path) -> Found:
    """One model, its draws, and a classifier that learnt elsewhere."""
    n, m = setting.fit.captions, setting.fit.captions + setting.judge
    every = captions(seed)
    mine, judges, real = every[:n], every[n:m], every[m : m + setting.real]
    run = fitted(mine, setting.fit, seed, folder)
    known = set(map(bare, mine["text"]))
    return Found(*(shares(judges, side, known) for side in (drawn(run, setting.draws, seed), real)))


def drawn(run: Run, n: int, seed: int) -> Frame:
    """n captions of each label."""
    import pandas as pd

    parts = [
        pd.DataFrame({"text": run.sample(n, {"label": label}, seed + k), "label": label})
        for k, label in enumerate(LABELS)
    ]
    return pd.concat(parts, ignore_index=True)


def shares(judges: Frame, side: Frame, known: set[str]) -> dict[str, float]:
    """How many captions have their label, with and without the rule's words, and are copies."""
    return {
        SEEN: faithful(labelled(judges), labelled(side)),
        UNSEEN: faithful(labelled(judges, hidden), labelled(side, hidden)),
        "copies": sum(bare(text) in known for text in side["text"]) / len(side),
    }


def faithful(learnt: Labelled, side: Labelled) -> float:
    """The share whose label a classifier finds."""
    return accuracy(trial(learnt, side, len(LABELS)))


def told(every: Sequence[Found]) -> list[Row]:
    """Two bars and a finding."""
    seen, unseen, copies = (
        over_seeds([one.ours[name] for one in every]) for name in (SEEN, UNSEEN, "copies")
    )
    floors = {name: over_seeds([one.real[name] for one in every]).value for name in every[0].real}
    n = len(every)
    return [
        Row(f"{SEEN}: lower end", "bar", least(seen), seen.low, seen.high, n, "test", "higher",
            FAITHFUL, floor=floors[SEEN]),
        Row("copies of training captions: upper end", "bar", most(copies), copies.low, copies.high,
            n, "train", "lower", COPIED, floor=floors["copies"]),
        Row(UNSEEN, "finding", *unseen, n, "test", "higher", floor=floors[UNSEEN]),
    ]  # fmt: skip
