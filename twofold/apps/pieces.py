r"""What of a run can leave it as a graph: its scorer, its encoder, its decoder.

| piece | takes | gives |
|---|---|---|
| `scorer` | values | `score`, `p`, `abnormal` and each term |
| `encoder` | values | `z`, the mean code |
| `decoder` | `z` | `x`, what is likeliest of a code, and the `values` that it stands for |

*Values* are those of a Space: in the units of the file, a category as its index, NaN where missing;
of a table a number's normal score. Where a model looks at what is given of a row, that is a second
input, `given`, as values.

What a scorer was calibrated with goes with it: the medians and spreads that its terms are weighed
by, the scores of the held-out normal rows that p counts, and the threshold (`anomaly.py`). Terms
that draw codes stay behind: no two draws are alike, and a graph could be held to none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from twofold.apps.anomaly import Detector, How, detector, ensemble, kept
from twofold.apps.score import Asked, Blind, Known
from twofold.apps.terms import TERMS, MeanReconstruction
from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Encodes
from twofold.data.kind import Where
from twofold.data.sources import Rows, Source, whole
from twofold.maths.conformal import p_values
from twofold.maths.thresholds import Threshold
from twofold.runs.run import Run, likely
from twofold.runs.training import Material

TOLERANCE = 1e-4
"""How far a graph may be from its run, as a share of a number, or of 1 where that is more."""

Answers = Mapping[str, Tensor]


class Piece(nn.Module, ABC):
    """Something of a run, as a function of tensors; `PIECES` is the table of them.

    Args:
        run: it is of. hidden: which columns of what is given it never looks at, (G,).
    """

    outputs: tuple[str, ...]
    hidden: Tensor

    def __init__(self, run: Run, hidden: Tensor) -> None:
        super().__init__()
        self.run = run
        self.register_buffer("hidden", hidden)

    @classmethod
    @abstractmethod
    def of(cls, run: Run, material: Material, where: Where, asked: Asked) -> Piece:
        """The piece of a run, whose data are at `where`; a `UserError` where it has none."""

    @abstractmethod
    def inputs(self, rows: Source) -> dict[str, Tensor]:
        """What it takes of rows, by name."""

    @abstractmethod
    def answers(self, rows: Source) -> Answers:
        """What the run itself says of rows, by the way that its own verbs take."""

    def apart(self, ours: Answers, theirs: Answers) -> float:
        """How far the answers of its graph are from the run's."""
        return max(farthest(ours[name], theirs[name]) for name in self.outputs)

    def about(self) -> dict[str, Any]:
        """What is to be known of it, as plain data."""
        return {}

    def given(self, rows: Rows) -> dict[str, Tensor]:
        """What is given of rows, where the model looks at any of it."""
        blind = bool(self.hidden.all()) or self.run.plan.training.null >= 1
        return {} if blind else {"given": rows.given.float()}

    def known(self, given: Sequence[Tensor], rows: Tensor) -> Given:
        """What the model is told of rows (B, …); a graph knows their number as a shape alone."""
        for values in given:
            return self.run.known(values.masked_fill(self.hidden, torch.nan))
        return Given(rows.new_zeros(rows.shape[0], self.run.given.width))


def farthest(ours: Tensor, theirs: Tensor) -> float:
    """The largest distance, as a share of a number or of 1; infinite where one is not a number.

    >>> farthest(torch.tensor([1.5, 303.0]), torch.tensor([1.0, 300.0]))
    0.5
    """
    gap = (ours.double() - theirs.double()).abs() / theirs.double().abs().clamp(min=1)
    alike = (ours == theirs) | (ours.isnan() & theirs.isnan())
    return float(gap.nan_to_num(torch.inf).masked_fill(alike, 0).max())


# The scorer.


class Scorer(Piece):
    """How abnormal each row is, with what that was calibrated on.

    Args:
        found: the detector. line: its threshold. hidden: as of any piece.
    """

    def __init__(self, found: Detector, line: Threshold, hidden: Tensor) -> None:
        super().__init__(found.run, hidden)
        self.found, self.line, self.level = found, line, line.value
        self.outputs = ("score", "p", "abnormal", *found.terms)

    @classmethod
    def of(cls, run: Run, material: Material, where: Where, asked: Asked) -> Scorer:
        blind = Blind.of(run.given, ("label", asked.labels))
        how = How(movable(run, asked.by), asked.samples, asked.seed, asked.labels, asked.positive)
        known = Known.of(run, where, (material,), asked)
        normal, abnormal = map(blind, known.parted(material.validation))
        found = kept([run], how) or (detector([run], blind(material.train), normal, abnormal, how),)
        check_movable(run, found[0].terms)
        return cls(found[0], found[0].threshold(asked.threshold, asked.rate), blind.hidden)

    def forward(self, values: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        x = self.run.space.encode(values)
        batch = Batch(x, self.known(given, x), torch.arange(x.shape[0]))
        found = self.found
        raw = found.lookers[0].scores(found.terms, batch, 1)
        score = ensemble(raw, found.middle, found.spread)  # (B,)
        normal = found.normal["score"].double()  # (n,)
        p = (1 + (normal >= score[:, None]).sum(1)).double() / (1 + len(normal))
        return (score, p, score > self.level, *(raw[name] for name in found.terms))

    def inputs(self, rows: Source) -> dict[str, Tensor]:
        every = whole(rows)
        return {"values": every.values.float(), **self.given(every)}

    def answers(self, rows: Source) -> Answers:
        raw = self.found.by_row(Blind(self.hidden)(rows))
        p = p_values(raw["score"], self.found.normal["score"])
        return {**raw, "p": p, "abnormal": raw["score"] > self.level}

    def apart(self, ours: Answers, theirs: Answers) -> float:
        """Of the scores; p and the label are counted of them, and must fit scores so near."""
        score, normal = theirs["score"], self.found.normal["score"]
        slack = TOLERANCE * score.abs().clamp(min=1)
        least, most = p_values(score + slack, normal), p_values(score - slack, normal)
        fit = (ours["p"] > least - 1e-9) & (ours["p"] < most + 1e-9)
        fit &= (ours["abnormal"] == theirs["abnormal"]) | (score - self.level).abs().le(slack)
        scores = ("score", *self.found.terms)
        gap = max(farthest(ours[name], theirs[name]) for name in scores)
        return gap if bool(fit.all()) else torch.inf

    def about(self) -> dict[str, Any]:
        found, line = self.found, self.line
        return {
            "terms": {
                name: {"median": found.middle[name], "spread": found.spread[name]}
                for name in found.terms
            },
            "score": "the mean of the terms, each less its median, in units of its spread",
            "threshold": self.level,
            "rate": line.promised,
            "rate_asked": line.rate,
            "p": "(1 + how many normal scores are as high) / (1 + how many there are)",
            "normal_scores": found.normal["score"].double().sort().values.tolist(),
        }


def movable(run: Run, terms: Sequence[str]) -> tuple[str, ...]:
    """The terms that are named, or the usual ones that can leave a run.

    Those of a generator without an encoder are told when it has got one: none is named here.
    """
    check_movable(run, terms)
    model = run.model
    if terms or not isinstance(model, Encodes):
        return tuple(terms)
    fit = {n: t for n, t in TERMS.items() if not t.stays and not t.refuses(model, run.space)}
    return tuple(n for n, t in fit.items() if t.usual(model) or isinstance(t, MeanReconstruction))


def check_movable(run: Run, terms: Sequence[str]) -> None:
    """That terms can leave a run.

    Raises:
        UserError: one draws, or compresses.
    """
    for name in terms:
        if name in TERMS and TERMS[name].stays:
            others = ", ".join(n for n, t in TERMS.items() if not t.stays)
            raise UserError(
                f"--by {name} cannot be exported: {TERMS[name].stays}; these can: {others}"
            )


# The two halves of an autoencoder.


class Encoder(Piece):
    """The mean code of each row."""

    outputs = ("z",)

    @classmethod
    def of(cls, run: Run, material: Material, where: Where, asked: Asked) -> Encoder:
        run.role(Encodes, "export --what encoder")
        return cls(run, torch.zeros(run.given.size, dtype=torch.bool))

    def forward(self, values: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        x, model = self.run.space.encode(values), self.run.model
        assert isinstance(model, Encodes)
        return (model.encode(x, self.known(given, x)).mean,)

    def inputs(self, rows: Source) -> dict[str, Tensor]:
        every = whole(rows)
        return {"values": every.values.float(), **self.given(every)}

    def answers(self, rows: Source) -> Answers:
        return {"z": torch.from_numpy(self.run.encode(rows))}


class Decoder(Piece):
    """What is likeliest of a code: the mean of a picture, else the mode."""

    outputs = ("x", "values")

    @classmethod
    def of(cls, run: Run, material: Material, where: Where, asked: Asked) -> Decoder:
        run.role(Decodes, "export --what decoder")
        return cls(run, torch.zeros(run.given.size, dtype=torch.bool))

    def forward(self, z: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        space, model = self.run.space, self.run.model
        assert isinstance(model, Decodes)
        x = likely(space, model.decode(z, self.known(given, z)))
        return x, space.decode(x)

    def inputs(self, rows: Source) -> dict[str, Tensor]:
        """Codes that the prior draws, with what is given of the rows."""
        every, model = whole(rows), self.run.role(Decodes, "export --what decoder")
        with torch.random.fork_rng(devices=()), torch.inference_mode():
            torch.manual_seed(0)
            z = model.prior(self.run.known(every.given)).sample()
        return {"z": z.clone(), **self.given(every)}

    def answers(self, rows: Source) -> Answers:
        given, model = whole(rows).given, self.run.role(Decodes, "export --what decoder")
        with torch.inference_mode():
            x = likely(self.run.space, model.decode(self.inputs(rows)["z"], self.run.known(given)))
        return {"x": x}

    def apart(self, ours: Answers, theirs: Answers) -> float:
        """Of x: values are counted of it, and a pixel between two levels may fall to either."""
        return farthest(ours["x"], theirs["x"])


PIECES: Mapping[str, type[Piece]] = {"scorer": Scorer, "encoder": Encoder, "decoder": Decoder}
