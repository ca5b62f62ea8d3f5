r"""What 29,105 rows without a label add to 200 with one: Adult, incomes of people.

A table is where labels are dear and boosted trees are hard to beat. So the classifier of a
semi-supervised GAN (Salimans et al. 2016, arXiv:1606.03498, §5) is put beside gradient boosting
(Friedman 2001) and a linear model on the labelled rows alone, and beside its own network without
the game. The labels are two and far from evenly spread, which `train.labels` would hide: here they
are told of rows at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from twofold.data.doctor import examine
from twofold.data.sources import Memory, Rows, whole
from twofold.data.split import split
from twofold.maths.augmentations import DiffAugment, Jitter
from twofold.maths.schedules import Cosine
from twofold.nets.bodies import Dense
from twofold.studies.few_labels import Lesson, Told, alone, played
from twofold.studies.iwae_order import differences
from twofold.studies.seeds import finding, gain
from twofold.studies.study import Budget, Row, Study
from twofold.train.options import Training

COUNT = 200
LABEL = "income"
NET = Dense(128, 2, noise=0.3)
OPTIONS: Mapping[str, Any] = {
    "latent": 32, "features": 64, "generator": Dense(128, 2), "critic": NET, "penalties": (),
    "supervised": 8.0, "consistency": 1.0, "augment": DiffAugment((Jitter(0.2),)),
}  # fmt: skip
TRAINING = Training(
    batch=128, lr=1e-3, betas=(0.5, 0.99), labelled=0.25, average=20.0,
    schedule=Cosine(warmup=0.02),
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """How long is trained.

    Args:
        steps: of the game. lesson: of the network on labels alone.
    """

    steps: int
    lesson: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(2, 2),
    "cpu": Setting(400, 300),
    "paper": Setting(4000, 300),
}


class SslAdult(Study):
    """A semi-supervised GAN on a table with 200 labels."""

    claim = "With 200 labels of Adult the rows without one lift the classifier above the labels."
    paper = "Salimans et al. 2016, arXiv:1606.03498; Wei et al. 2018, arXiv:1803.01541"
    protocol = (
        "UCI Adult, the publisher's training and test rows, a tenth of the training rows held out "
        "to choose by; of the rest, 200 rows at random keep their label, others for each seed. "
        "ssgan with dense networks 2 × 128, noise of 0.3 on hidden layers of the critic, jitter "
        "of 0.2 and consistency 1 on what it sees, feature matching, a quarter of each batch of "
        "128 labelled, 400 steps (paper 4,000), Adam at 1e-3 with a cosine, averaged weights. "
        "Beside it the same critic by cross-entropy on the 200 rows, with the same noise and "
        "jitter, 300 steps; gradient boosting and logistic regression of scikit-learn as they "
        "come. Accuracy on the 16,281 test rows; a gain is split by split. Weights of labels (1, "
        "8, 30) and of consistency (0, 1, 3) were chosen by validation rows and three seeds of "
        "1000 and up."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        data, setting = told("test"), SETTINGS[budget]
        found = [compared(data, setting, seed) for seed in range(seeds)]
        by_method = {name: [one[name] for one in found] for name in found[0]}
        return of_methods(by_method)


def told(part: str) -> Told:
    """Adult, to be judged by its `validation` or its `test` rows."""
    examination = examine("adult", given=(LABEL,))
    rows, source = whole(examination.source), examination.source
    made = split(len(source), validation=0.1, labels=rows.given[:, 0], official=source.official)
    held = getattr(made, part)
    return Told(
        examination.kind.space,
        examination.kind.given,
        Memory(rows.values[made.train], rows.given[made.train]),
        Rows(rows.values[held], rows.given[held]),
        even=False,
    )


OURS, SAME, BOOSTED, LINEAR = (
    "ssgan", "the same network, labels alone", "gradient boosting", "logistic regression",
)  # fmt: skip


def compared(data: Told, setting: Setting, seed: int) -> dict[str, float]:
    """The accuracy of each method, on one draw of labels."""
    training = replace(TRAINING, steps=setting.steps, seed=seed)
    return {
        OURS: 1 - played(data, OPTIONS, COUNT, training),
        SAME: 1 - alone(data, OPTIONS, COUNT, Lesson(setting.lesson), seed),
        **{name: 1 - plain(data, make(), seed) for name, make in PLAIN.items()},
    }


def boosting() -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(random_state=0)


def linear() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=2000)


PLAIN: Mapping[str, Callable[[], Any]] = {BOOSTED: boosting, LINEAR: linear}


def plain(data: Told, method: Any, seed: int) -> float:
    """The error of a classifier of scikit-learn on the labelled rows alone."""
    x, y = data.known(COUNT, seed)
    method.fit(x.numpy(), y.numpy())
    p = method.predict_proba(data.space.encode(data.judged.values).numpy())
    return data.errors(torch.from_numpy(p))


def of_methods(found: Mapping[str, Sequence[float]]) -> list[Row]:
    """The accuracy of each, and what ours gains over the two that it is to beat."""
    return [
        *(finding(f"accuracy, {name}", values, "test", "higher") for name, values in found.items()),
        *(
            gain(f"accuracy minus {name}", differences(found[OURS], found[name]), "test")
            for name in (SAME, BOOSTED)
        ),
        finding(f"accuracy minus {LINEAR}", differences(found[OURS], found[LINEAR]), "test",
                "higher"),
    ]  # fmt: skip
