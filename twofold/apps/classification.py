r"""Classification: the label of each observation, and how sure it is.

A model that classifies gives p(y | x). What is written is the most probable label, beside its
probability; a label that comes with an observation is not shown to the model. Where there are such
labels, the accuracy is the share of observations whose label was found, among those that were not
trained on where there are any, with the share of each label's own observations as its parts. Beside
it stands the accuracy of always saying the commonest label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.game import Classifies
from twofold.data.sources import Source, fingerprints
from twofold.measures.estimate import mean
from twofold.measures.measure import Figure
from twofold.runs.run import Run


@dataclass(frozen=True)
class Classified:
    """What N observations were taken for.

    Args:
        labels: the K labels.
        p: the probability of each, (N, K).
        truth: the index of the label that came with each, (N,), NaN where there is none.
        seen: which were trained on, (N,).
    """

    labels: tuple[str, ...]
    p: Tensor
    truth: Tensor
    seen: Tensor

    @property
    def found(self) -> Tensor:
        """The index of the most probable label, (N,)."""
        return self.p.argmax(1)

    @property
    def judged(self) -> Tensor:
        """Which observations the accuracy is of: labelled ones, not trained on if there are any."""
        labelled = ~self.truth.isnan()
        fresh = labelled & ~self.seen
        return fresh if fresh.any() else labelled

    def columns(self, names: Sequence[str]) -> Mapping[str, Sequence[object]]:
        """The table that is written, a row an observation."""
        found, truth = self.found.tolist(), self.truth.tolist()
        columns: dict[str, Sequence[object]] = {
            "row": names or [str(i) for i in range(len(found))],
            "predicted": [self.labels[k] for k in found],
            "probability": self.p.amax(1).tolist(),
        }
        if self.truth.isnan().all():
            return columns
        return columns | {"label": ["" if y != y else self.labels[int(y)] for y in truth]}

    def figures(self, seed: int) -> Iterator[Figure]:
        """The accuracy, where there are labels."""
        judged = self.judged
        if not judged.any():
            return
        truth = self.truth[judged].long()
        right = (self.found[judged] == truth).double()
        counts = truth.bincount(minlength=len(self.labels))
        recall = truth.bincount(right, minlength=len(self.labels)) / counts  # NaN where none
        fresh = not (self.seen & judged).any()
        yield Figure(
            "accuracy",
            *mean(right, seed),
            n=len(right),
            better="higher",
            baseline=float(counts.max() / counts.sum()),
            baseline_name="the commonest label",
            seed=seed,
            split="given",
            note="" if fresh else "all of these observations were trained on, which flatters",
            parts=tuple(recall.tolist()),
        )

    def said(self) -> Iterator[str]:
        """What a reader of the accuracy should know."""
        if int(self.seen.sum()):
            yield (
                f"{int(self.seen.sum()):,} of {len(self.seen):,} observations were trained on; the "
                f"accuracy is of the {int(self.judged.sum()):,} others"
                if not (self.seen & self.judged).any()
                else "all of the labelled observations were trained on: their accuracy flatters"
            )


def classify(run: Run, source: Source, trained: Sequence[Source]) -> Classified:
    """p(y | x) of every observation.

    Args:
        run: the run. source: observations. trained: what it was trained on, if that is known.

    Raises:
        UserError: the run's family does not classify.
    """
    model = run.role(Classifies, "classify")
    with torch.inference_mode():
        p = torch.cat([model.classify(b.x, b.given).mean for b in run.batches(source)])
    known = {row for part in trained for row in fingerprints(part)}
    seen = torch.tensor([row in known for row in fingerprints(source)], dtype=torch.bool)
    return Classified(model.label.names, p, source.labels()[:, model.label.at], seen)
