r"""Anomaly scores: how unlike the training data each observation is, and where.

A score is made of terms (`terms.py`), and so is that of several runs together: of each term the
mean over the runs. The `score` is the mean of the terms, each less its median over training rows,
in units of its median absolute deviation; a term that memorises is measured on a fifth of the rows
when it has been taught by the others, and then taught by all. Beside it stand baselines that know
nothing of a model.

Every score is calibrated on the run's held-out rows, which are taken to be normal: p is the share
of them that scores as high (`maths/conformal.py`), and a threshold is drawn for the rate of false
alarms that is asked for (`maths/thresholds.py`). The scored data have no part in it.

The map says where, value by value: $-\mathbb E_{q(z|x)} \log p(x_j \mid z)$ where there is a
density, $(x_j - \hat x_j)^2$ where there is none, and what a term that says where (`Located`) has
instead. A value is *marked* above a level that is calibrated like a score: the maximum of the map,
averaged over three places a side, is as high in at most the rate of normal observations.

All of this is kept with the run in `detector.safetensors`, and belongs to the very weights that it
was fitted with: it goes where the run goes, and scores without the training data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from twofold.apps.places import absent, by_value, smooth
from twofold.apps.terms import TERMS, Judge, Learnt, Located, decoded, undecoded
from twofold.core.batch import Batch, repeated
from twofold.core.errors import UserError, nearest
from twofold.core.game import Decodes, Encodes
from twofold.core.space import Space
from twofold.data.sources import Source, Subset, fingerprints
from twofold.data.tiles import Wholes
from twofold.maths import conformal
from twofold.maths.likelihoods import Observation
from twofold.maths.thresholds import THRESHOLDS, Threshold
from twofold.nets.bodies import Suited
from twofold.nets.inversion import Inverted, encoder_for, inverted
from twofold.runs.lock import Busy, alone
from twofold.runs.run import CHUNK, Run
from twofold.train import checkpoint
from twofold.train.chance import seed_all

NAME = "detector.safetensors"
LEARNT = 2000
"""Training rows that terms learn from, at most."""
SPARED = 5
"""One in so many of them measures scores."""
INVERTED = 4000
"""Training rows that the encoder of a generator learns from, at most."""
STEPS = 1000
"""Of that encoder."""
ENDS = (0.5, 0.999)
"""Quantiles of the maps of normal rows that are the ends of a scale of colours."""
MAPPED = 256
"""Normal rows whose maps set those ends, and the level of marks, at most."""
ENCODER = "encoder"
FEWEST = 3
"""Series by which others may be judged, at least."""


# One run.


@dataclass(frozen=True)
class Looker:
    """One run as a judge of observations, with what its terms have learnt.

    Args:
        learnt: by term; `encoder` is that of a generator which has none of its own.
    """

    run: Run
    learnt: Mapping[str, Learnt]

    @cached_property
    def judge(self) -> Judge:
        """The model, or the generator with its encoder."""
        return judge_of(self.run, self.learnt.get(ENCODER, {}))

    @property
    def space(self) -> Space:
        return self.run.space

    def scores(self, names: Sequence[str], batch: Batch, draws: int) -> dict[str, Tensor]:
        """Each term of a batch, (B,) in float64."""
        return {
            name: TERMS[name]
            .score(self.judge, self.space, self.learnt[name], batch, draws)
            .double()
            for name in names
        }

    def map(self, names: Sequence[str], batch: Batch, draws: int) -> Tensor:
        """Where a batch is abnormal, (B, F or 1, *A), NaN where missing; none is (B, 0)."""
        for name in names:
            if isinstance(term := TERMS[name], Located):
                return term.map(self.judge, self.space, self.learnt[name], batch)
        if undecoded(self.judge):
            return torch.zeros(len(batch), 0)
        p = decoded(self.judge, batch, draws)
        if isinstance(p, Observation):
            log_p = p.elementwise(repeated(batch.x, draws))
            found = -log_p.unflatten(0, (-1, draws)).mean(1)
        else:
            x_hat = p.mean.unflatten(0, (-1, draws)).mean(1)
            found = by_value(self.space, (batch.x - x_hat).square())
        return found.masked_fill(absent(self.space, batch.x), torch.nan)


def judge_of(run: Run, encoder: Learnt) -> Judge:
    """A model in the roles that scoring asks for."""
    if not encoder:
        return run.model
    body = encoder_for(Suited(), run.model)
    body.load_state_dict(encoder)
    return Inverted(run.model, body.eval().requires_grad_(False))


def looker(run: Run, terms: Sequence[str], train: Source, seed: int) -> tuple[Looker, list[str]]:
    """What a run's terms learn of training rows, and which terms those are."""
    learnt: dict[str, Learnt] = {}
    model = run.model
    if isinstance(model, Decodes) and not isinstance(model, Encodes):
        seen = run.batch(train, spread_out(len(train), INVERTED))
        body = encoder_for(Suited(), model)
        inverted(model, body, seen, steps=STEPS, seed=seed)
        learnt[ENCODER] = body.state_dict()
    judge = judge_of(run, learnt.get(ENCODER, {}))
    names = chosen(run, judge, terms)
    known = run.batch(train, spread_out(len(train), LEARNT))
    for name in names:
        learnt[name] = TERMS[name].fit(judge, run.space, known, seed)
    return Looker(run, learnt), names


def sparing(one: Looker, names: Sequence[str], train: Source, seed: int) -> Looker:
    """The same, whose terms that memorise have not seen the rows that measure scores."""
    rows = spread_out(len(train), LEARNT)
    fewer = one.run.batch(train, rows[~measuring(rows)])
    again = {
        name: TERMS[name].fit(one.judge, one.space, fewer, seed)
        for name in names
        if TERMS[name].memorises
    }
    return replace(one, learnt={**one.learnt, **again})


def chosen(run: Run, judge: Judge, terms: Sequence[str]) -> list[str]:
    """The terms that are named, or else the usual ones that apply.

    Raises:
        UserError: one is not known, or does not apply, or none does.
    """
    for name in terms:
        if name not in TERMS:
            raise UserError(f"--by {name}: there is no such score; {nearest(name, TERMS)}")
        if reason := TERMS[name].refuses(judge, run.space):
            raise UserError(f"--by {name} does not go with {run.path}: {reason}")
    reasons = {name: term.refuses(judge, run.space) for name, term in TERMS.items()}
    usual = [n for n, term in TERMS.items() if not reasons[n] and term.usual(judge)]
    if not terms and not usual:
        why = "; ".join(sorted({reason for reason in reasons.values() if reason}))
        raise UserError(f"score cannot use {run.path}: {why}; see twofold models")
    return list(dict.fromkeys(terms)) or usual


# Several runs, calibrated.


@dataclass(frozen=True)
class How:
    """How a detector is made: what it must agree with to be used again.

    Args:
        terms: named ones; the usual where empty. draws: of the code a row. seed: of the draws.
        labels, positive: which held-out rows are abnormal.
    """

    terms: tuple[str, ...] = ()
    draws: int = 50
    seed: int = 0
    labels: str = ""
    positive: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibrated:
    """A score of N observations: `raw`, and p, the chance of as high a one in normal data."""

    raw: Tensor
    p: Tensor


@dataclass(frozen=True)
class Basis:
    """How much held-out normal rows are worth: windows that overlap tell the same thing twice.

    Args:
        apart: rows that do not overlap. series: that they are of.
    """

    apart: int = 0
    series: int = 0

    @classmethod
    def of(cls, normal: Source) -> Basis:
        """Counted by taking each window that begins after the last one taken."""
        stretches, apart, last = normal.stretches(), 0, -1
        for start, end in sorted(stretches[:, 1:].tolist()):
            if start >= last:
                apart, last = apart + 1, end
        return cls(apart, len(stretches[:, 0].unique()))

    @property
    def told(self) -> str:
        return f"{self.series:,} series" if self.series > 1 else "one series"

    def narrow(self, rows: int) -> bool:
        """Whether so few series, of several rows each, say little of others."""
        return self.series < FEWEST and self.series < rows

    def promised(self, rate: float, rows: int) -> float:
        """The rate that so many rows can promise, when only those that do not overlap count."""
        return conformal.attainable(rate, self.apart) if self.apart < rows else rate


@dataclass(frozen=True)
class Detector:
    """Everything that was learnt, to score any data of the same form.

    Args:
        lookers: the runs.
        terms: their names.
        middle, spread: of each term over training rows: the median, and the median absolute
            deviation.
        normal: each score of the held-out normal rows. abnormal: of those known to be abnormal.
        peaks: the maximum of the map of each held-out normal row; none without a map.
        ends: of the scale of colours of a map.
        trained: fingerprints of the training rows, (N, 12) bytes.
        how: it was made.
        basis: what the normal rows are worth.
    """

    lookers: tuple[Looker, ...]
    terms: tuple[str, ...]
    middle: Mapping[str, float]
    spread: Mapping[str, float]
    normal: Mapping[str, Tensor]
    abnormal: Tensor
    peaks: Tensor
    ends: tuple[float, float]
    trained: Tensor
    how: How
    basis: Basis

    @property
    def run(self) -> Run:
        return self.lookers[0].run

    def threshold(self, kind: str, rate: float) -> Threshold:
        """The threshold of the whole score."""
        return THRESHOLDS[kind](self.normal["score"], self.abnormal, rate)

    def raw(self, source: Source) -> dict[str, Tensor]:
        """Each term of every observation, and the whole `score`, (N,): of tiles the highest."""
        whole = Wholes(source.pieces())
        every = self.by_row(source)
        return {n: whole.highest(s) for n, s in every.items()} if whole.cut else every

    def by_row(self, source: Source) -> dict[str, Tensor]:
        """The same of every row, which may be a piece of an observation, (N,)."""
        each = [scored(one, self.terms, source, self.how) for one in self.lookers]
        mean = {name: torch.stack([raw[name] for raw in each]).mean(0) for name in self.terms}
        return {"score": ensemble(mean, self.middle, self.spread), **mean}

    def judged(
        self, source: Source, strange: Tensor, kind: str, rate: float
    ) -> dict[str, Calibrated]:
        """Each score of every observation with its p.

        Args:
            strange: which observations (N,) hold something never seen in training: their `score`
                is above every normal one and above the threshold.
        """
        raw, line = self.raw(source), torch.tensor([self.threshold(kind, rate).value])
        raw["score"] = alarmed(raw["score"], strange, torch.cat([self.normal["score"], line]))
        return self.calibrated(raw, kind, rate)

    def calibrated(
        self, raw: Mapping[str, Tensor], kind: str, rate: float
    ) -> dict[str, Calibrated]:
        """Each score with its p."""
        return {
            name: Calibrated(
                value, THRESHOLDS[kind](self.normal[name], self.abnormal, rate).p(value)
            )
            for name, value in raw.items()
        }

    def maps(self, source: Source) -> Tensor:
        """Where each row is abnormal, (N, F or 1, *A), the mean over the runs; none is (N, 0)."""
        each = [mapped(one, self.terms, source, self.how) for one in self.lookers]
        where, whole = torch.stack(each).mean(0), Wholes(source.pieces())
        return whole.stitched(where) if whole.cut and where.shape[1] else where

    def level(self, rate: float) -> float:
        """What a smooth map exceeds anywhere in at most the rate of normal rows."""
        return conformal.threshold(self.peaks, conformal.attainable(rate, len(self.peaks)))

    def trained_on(self, source: Source) -> int:
        """How many observations equal a training row, or have a piece that does."""
        known = {bytes(row) for row in self.trained.numpy()}
        seen = torch.tensor([row in known for row in fingerprints(source)], dtype=torch.double)
        return int(Wholes(source.pieces()).highest(seen).sum())


def detector(
    runs: Sequence[Run], train: Source, normal: Source, abnormal: Source, how: How
) -> Detector:
    """Learn from training rows, and calibrate on held-out ones.

    Args:
        normal: held-out normal rows. abnormal: held-out rows that are known to be abnormal.
    """
    if not len(normal):
        raise UserError(
            f"{runs[0].path} has no held-out normal rows to calibrate on; train with "
            "data.split.validation above 0, or name fewer labels with --positive"
        )
    seed_all(torch.device("cpu"), how.seed)
    with torch.no_grad():
        found = [looker(run, how.terms, train, how.seed) for run in runs]
        lookers, names = tuple(one for one, _ in found), found[0][1]
        spared = tuple(sparing(one, names, train, how.seed) for one in lookers)
    every = spread_out(len(train), LEARNT)
    some = Subset(train, every[measuring(every)])
    bare = Detector(
        lookers, tuple(names), dict.fromkeys(names, 0.0), dict.fromkeys(names, 1.0), {},
        torch.zeros(0), torch.zeros(0), (0.0, 1.0), torch.zeros(0, 12, dtype=torch.uint8), how,
        Basis.of(normal),
    )  # fmt: skip
    seen = replace(bare, lookers=spared).by_row(some)
    known = replace(
        bare,
        middle={name: float(seen[name].median()) for name in names},
        spread={name: deviation(seen[name]) for name in names},
    )
    wholes = Wholes(normal.pieces())
    where = known.maps(Subset(normal, wholes.rows(spread_out(len(wholes), MAPPED))))
    return replace(
        known,
        normal=known.raw(normal),
        abnormal=known.raw(abnormal)["score"] if len(abnormal) else torch.zeros(0),
        peaks=smooth(where).flatten(1).max(1).values if where.shape[1] else torch.zeros(0),
        ends=scale(where) if where.shape[1] else (0.0, 1.0),
        trained=torch.frombuffer(bytearray(b"".join(fingerprints(train))), dtype=torch.uint8)
        .reshape(-1, 12)
        .clone(),
    )


def ensemble(
    raw: Mapping[str, Tensor], middle: Mapping[str, float], spread: Mapping[str, float]
) -> Tensor:
    """The mean of the terms in units of their own spread, (B,)."""
    return torch.stack([(raw[name] - middle[name]) / spread[name] for name in middle]).mean(0)


def alarmed(raw: Tensor, strange: Tensor, normal: Tensor) -> Tensor:
    """Scores (N,), above every normal one for rows of something never seen in training.

    Of such a thing the model can say nothing, so that it would count for nothing in the score.

    >>> alarmed(torch.tensor([1.0, 2.0]), torch.tensor([False, True]), torch.tensor([3.0, 4.0]))
    tensor([1., 5.])
    """
    return torch.where(strange, raw.nan_to_num().clamp(min=float(normal.max())) + 1, raw)


def spread_out(total: int, most: int) -> Tensor:
    """At most so many row numbers, evenly spread."""
    return torch.linspace(0, total - 1, min(total, most)).round().long()


def measuring(rows: Tensor) -> Tensor:
    """Which training rows measure how large a score usually is: new ones to what memorises.

    >>> measuring(torch.arange(7)).tolist()
    [False, True, False, False, False, False, True]
    """
    return torch.arange(len(rows)) % SPARED == 1


def deviation(scores: Tensor) -> float:
    """The median absolute deviation; 1 where the scores are all alike."""
    return float((scores - scores.median()).abs().median()) or 1.0


def scored(one: Looker, names: Sequence[str], source: Source, how: How) -> dict[str, Tensor]:
    """Each term of every row, (N,)."""
    ready(one, how.seed)
    with torch.inference_mode():
        parts = [one.scores(names, b, how.draws) for b in batches(one.run, source, how.draws)]
    return {name: torch.cat([part[name] for part in parts]) for name in names}


def ready(one: Looker, seed: int) -> None:
    """Begin the draws anew: first the networks are built, which draws as well."""
    _ = one.judge
    seed_all(torch.device("cpu"), seed)


def batches(run: Run, source: Source, draws: int) -> Iterator[Batch]:
    """Rows encoded, so few at a time that `draws` copies of them fit."""
    step = max(1, CHUNK // (draws * max(1, run.space.numel)))
    return (run.batch(source, rows) for rows in torch.arange(len(source)).split(step))


# Where.


def mapped(one: Looker, names: Sequence[str], source: Source, how: How) -> Tensor:
    """The map of every row."""
    ready(one, how.seed)
    with torch.inference_mode():
        parts = [one.map(names, b, how.draws) for b in batches(one.run, source, how.draws)]
    return torch.cat(parts)


def scale(normal: Tensor) -> tuple[float, float]:
    """The ends of the colours, from the maps of normal rows: one scale for all observations."""
    flat = normal.mean(1).flatten()
    flat = flat[~flat.isnan()].double()
    flat = flat[torch.linspace(0, len(flat) - 1, min(len(flat), 1 << 20)).long()]
    low, high = torch.quantile(flat, torch.tensor(ENDS, dtype=torch.float64)).tolist()
    return low, max(high, low + 1e-6)


# Kept with the run.


def keep(found: Detector) -> None:
    """Write a detector into its first run."""
    tensors = {
        f"{i}/{term}/{key}": tensor.contiguous()
        for i, one in enumerate(found.lookers)
        for term, learnt in one.learnt.items()
        for key, tensor in learnt.items()
    }
    tensors |= {f"normal/{name}": scores for name, scores in found.normal.items()}
    tensors |= {"abnormal": found.abnormal, "peaks": found.peaks, "trained": found.trained}
    about = {
        "how": asdict(found.how),
        "weights": [one.run.sha256 for one in found.lookers],
        "terms": found.terms,
        "middle": found.middle,
        "spread": found.spread,
        "ends": found.ends,
        "basis": asdict(found.basis),
    }
    with suppress(Busy), alone(found.run.path):  # a run that trains is left alone
        checkpoint.attach(found.run.path, NAME, tensors, about)


def kept(runs: Sequence[Run], how: How) -> tuple[Detector, ...]:
    """The detector that is kept for these very weights and made in this way; at most one."""
    about = checkpoint.about(runs[0].path, NAME)
    if not about or about["weights"] != [run.sha256 for run in runs] or how_of(about) != how:
        return ()
    tensors = checkpoint.read(runs[0].path, NAME)
    lookers = tuple(
        Looker(run, {name: under(tensors, f"{i}/{name}/") for name in (*about["terms"], ENCODER)})
        for i, run in enumerate(runs)
    )
    rows = len(tensors["normal/score"])
    found = Detector(
        lookers,
        tuple(about["terms"]),
        about["middle"],
        about["spread"],
        under(tensors, "normal/"),
        tensors["abnormal"],
        tensors["peaks"],
        tuple(about["ends"]),
        tensors["trained"],
        how,
        Basis(**about.get("basis", {"apart": rows, "series": rows})),  # earlier ones count none
    )
    return (found,)


def how_of(about: Mapping[str, Any]) -> How:
    """How a kept detector was made."""
    plain: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in about["how"].items()
    }
    return How(**plain)


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, by the rest of their names."""
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
