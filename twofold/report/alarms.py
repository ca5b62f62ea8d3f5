"""The page of a score: its histogram and threshold, how well it tells, the worst cases.

It takes plain numbers and drawn pictures, and writes one file that needs no network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from twofold.data import places
from twofold.data.pictures import pil
from twofold.maths.ranking import precision_recall, roc
from twofold.measures.measure import Figure
from twofold.report.charts import KEY, Curve, Labels, Mark, legend, lines
from twofold.report.measured import HEAD, line
from twofold.report.page import Html, Section, figure, join, listed, page, table, tag
from twofold.report.shots import uri

BINS = 40
REACH = 0.99
"""The share of scores that the histogram is as wide as; those beyond are in its last bin."""


@dataclass(frozen=True)
class Alarms:
    """What a page of scores shows.

    Args:
        words: the result in sentences.
        scores: each score by name, (N,); the first is the one that the threshold is of.
        threshold: of that one. normal: the held-out normal scores that it rests on.
        truth: which observations are known to be abnormal, (N,); none where that is not known.
        figures: how well each score tells.
        worst: the most abnormal observations by name, drawn (3, h, w), the worst first.
    """

    words: tuple[str, ...]
    scores: Mapping[str, Tensor]
    threshold: float
    normal: Tensor
    truth: Tensor
    figures: tuple[Figure, ...]
    worst: tuple[tuple[str, Tensor], ...]


def write(path: Path, seen: Alarms) -> Path:
    """The page, as a new file."""
    sections = [
        Section("Result", listed(seen.words)),
        Section("Scores", histogram(seen)),
        *([Section("How well they tell", told(seen))] if judged(seen.truth) else []),
        *([Section("The most abnormal", gallery(seen.worst))] if seen.worst else []),
    ]
    with places.new(path) as file:
        file.write(page("Anomaly scores", sections).encode())
    return path


def judged(truth: Tensor) -> bool:
    """Whether both sorts are known to be there."""
    return bool(truth.any()) and not bool(truth.all())


def histogram(seen: Alarms) -> Html:
    """Scores of held-out normal rows, and of the data, with the threshold."""
    name, scores = next(iter(seen.scores.items()))
    groups = {"held-out normal rows": seen.normal, **grouped(scores, seen.truth)}
    every = torch.cat([*groups.values(), torch.tensor([seen.threshold])]).double()
    low, high = torch.quantile(every, torch.tensor([0.0, REACH], dtype=torch.float64)).tolist()
    high = max(high, seen.threshold + 0.05 * (seen.threshold - low), low + 1e-6)
    curves = [
        Curve(called, *binned(group.double(), low, high), colour=i)
        for i, (called, group) in enumerate(groups.items())
    ]
    marks = [Mark(seen.threshold, "threshold")]
    drawn = lines(curves, Labels(name, "score", "share"), marks, log="never")
    text = "Shares of each group by score; what is right of the line is called abnormal."
    return figure(drawn, text)


def grouped(scores: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """The scores of the data, by what is known of them."""
    if not judged(truth):
        return {"these data": scores}
    return {"normal": scores[~truth], "abnormal": scores[truth]}


def binned(scores: Tensor, low: float, high: float) -> tuple[list[float], list[float]]:
    """The middles of bins, and the share of scores in each."""
    width = (high - low) / BINS
    counts = torch.histc(scores.clamp(low, high), BINS, low, high)
    return [low + (i + 0.5) * width for i in range(BINS)], (counts / len(scores)).tolist()


def told(seen: Alarms) -> Html:
    """The curves of every score, and the figures with their intervals."""
    abnormal, normal = seen.truth, ~seen.truth
    kinds = (
        ("True against false alarms", "false alarms", "found", roc),
        ("Precision against recall", "found", "precision", precision_recall),
    )
    drawn = [
        lines(
            [
                drawn_of(name, curve(s[abnormal], s[normal]), i)
                for i, (name, s) in enumerate(seen.scores.items())
            ],
            Labels(title, x, y),
            log="never",
        )
        for title, x, y, curve in kinds
    ]
    key = legend((name, i) for i, name in enumerate(seen.scores))
    caption = "95 % intervals by bootstrap; baselines learnt from the same rows"
    return join([key, *drawn, KEY, table(caption, HEAD, map(line, seen.figures), "measures")])


def drawn_of(name: str, curve: tuple[Tensor, Tensor], colour: int) -> Curve:
    """A curve of the ranking as one of a chart."""
    across, up = (t.tolist() for t in curve)
    return Curve(name, across, up, colour)


def gallery(worst: Iterable[tuple[str, Tensor]]) -> Html:
    """Each of the most abnormal observations with its name."""
    return join([figure(drawn(picture, name), name) for name, picture in worst])


def drawn(picture: Tensor, name: str) -> Html:
    """A picture (3, h, w) as part of the page."""
    return tag(
        "img", src=uri(pil(picture)), alt=name, style="image-rendering:pixelated;min-width:9rem"
    )
