"""The job `score`: data in, scores, labels and maps out, as files and in words.

`anomaly.py` has the scores and their calibration. Here they are written: `scores.csv`, one row an
observation; a map of where, as pictures for images, spans of time for series, columns for rows, and
arrays for all with axes; `score.json` with the threshold and what it rests on. Where it is known
which observations are abnormal, the figures say how well each score, and each baseline, tells them
apart; where it is known which pixels are, how well the map does.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.apps import masks
from twofold.apps.anomaly import LEARNT as TAUGHT
from twofold.apps.anomaly import (
    Basis,
    Calibrated,
    Detector,
    How,
    alarmed,
    detector,
    keep,
    kept,
    spread_out,
)
from twofold.apps.baselines import BASELINES, baselines, seen
from twofold.apps.places import smooth
from twofold.core.errors import UserError, nearest
from twofold.core.game import Decodes
from twofold.core.space import Category, Space
from twofold.core.words import plural
from twofold.data import pictures, places
from twofold.data.doctor import examine, fitting
from twofold.data.kind import Kind, Where
from twofold.data.kinds.series import Series
from twofold.data.kinds.tables import Tables
from twofold.data.sources import Rows, Source, Subset
from twofold.data.tiles import Wholes
from twofold.data.traces import Trace
from twofold.maths import conformal
from twofold.maths.ranking import auroc, average_precision
from twofold.maths.statistics import bootstrap
from twofold.maths.thresholds import THRESHOLDS
from twofold.measures.measure import Figure
from twofold.runs.folder import write_json
from twofold.runs.run import Run
from twofold.runs.training import Material, data_of, material_of

SHOWN, READABLE = 24, 160
"""Observations in the overview, the most abnormal first; how wide each is at least, with a map."""
INK = ((20, 20, 40), (150, 40, 90), (235, 110, 50), (255, 240, 170))


WORST = 12
"""Observations in the report."""
MARK, BAND = (200, 40, 40), 6
"""The colour of marked spans, and the height of the band that shows them."""
PARTS = ("train", "validation", "test")
ALARMS = ("found", "abnormal", "false", "normal")


@dataclass(frozen=True)
class Asked:
    """How to score.

    Args:
        rate: of false alarms among normal observations.
        samples: draws of the code a row.
        labels: the column or field that says what each observation is; empty for none.
        positive: its texts that are abnormal; where empty, those that never occur in training.
        seed: of the draws.
        by: the terms of the score; the usual ones where empty.
        threshold: how it is drawn, `quantile`, `pot` or `f1`.
        hourly: observations an hour, to say how many alarms an hour there are; 0 for none.
        masks: a folder of pictures that are white where those of the data are abnormal.
        part: of the run's own split that alone is scored, such as `test`; all where empty.
    """

    rate: float = 0.01
    samples: int = 50
    labels: str = ""
    positive: tuple[str, ...] = ()
    seed: int = 0
    by: tuple[str, ...] = ()
    threshold: str = "quantile"
    hourly: float = 0.0
    masks: str = ""
    part: str = ""

    def __post_init__(self) -> None:
        if self.part not in ("", *PARTS):
            raise UserError(f"--part {self.part}: {nearest(self.part, PARTS)}")
        if self.threshold not in THRESHOLDS:
            raise UserError(f"--threshold {self.threshold}: {nearest(self.threshold, THRESHOLDS)}")
        if not 0 < self.rate < 1:
            raise UserError(f"--rate {self.rate} is no rate; say 0.01 for one false alarm in 100")
        if self.samples < 1:
            raise UserError(f"--samples {self.samples} must be at least 1")
        if self.positive and not self.labels:
            raise UserError("--positive needs --labels, the column or field that it is a text of")

    @property
    def how(self) -> How:
        """What a detector that is kept must agree with."""
        return How(self.by, self.samples, self.seed, self.labels, self.positive)


@dataclass(frozen=True)
class Scored:
    """What `score` found.

    Args:
        paths: what was written, `scores.csv` first.
        names: of the observations.
        scores: each score by name: `score` is the whole one, then its terms, then the baselines.
        abnormal: which observations are called so.
        threshold: of the whole score; rate: of false alarms to expect with it; asked: for.
        normal: scores of the held-out normal rows that it rests on.
        seen: observations that equal a training row, whose scores flatter.
        texts: what each observation is known to be; positive: what of that is abnormal.
        figures: how well each score tells abnormal from normal, where that is known.
        alarms: where it is known, abnormal observations found, abnormal ones in all, normal ones
            called abnormal, normal ones in all; else zeros.
        hourly: observations an hour; 0 where that is not known.
        alone: the training data were not there: no baselines.
        worst: the most abnormal observations, drawn, with what is marked in them: (K, 3, h, w).
        findings: what was passed over or guessed of the data.
        basis: of how many series the normal rows are, and how many of them do not overlap.
        steps: of series, all of them; short: those in stretches that are shorter than a window.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    scores: Mapping[str, Calibrated]
    abnormal: Tensor
    threshold: float
    rate: float
    asked: float
    normal: Tensor
    seen: int
    texts: tuple[str, ...] = ()
    positive: frozenset[str] = frozenset()
    figures: tuple[Figure, ...] = ()
    alarms: tuple[int, int, int, int] = (0, 0, 0, 0)
    hourly: float = 0.0
    alone: bool = False
    worst: tuple[tuple[str, Tensor], ...] = ()
    findings: tuple[str, ...] = ()
    basis: Basis = Basis()
    steps: int = 0
    short: int = 0
    strangers: int = 0

    def __str__(self) -> str:
        return "\n".join([*self.words(), *map(str, self.paths[:2])])

    @property
    def truth(self) -> Tensor:
        """Which observations are known to be abnormal, (N,); none where nothing is known."""
        return torch.tensor([text in self.positive for text in self.texts], dtype=torch.bool)

    def words(self) -> Iterator[str]:
        """The result in sentences."""
        count, total = int(self.abnormal.sum()), len(self.names)
        yield (
            f"{count:,} of {plural(total, 'observation', 'are')} abnormal "
            f"(score above {self.threshold:.4g})"
        )
        rest, of = (
            f"threshold and p rest on {plural(len(self.normal), 'held-out normal row')}",
            self.basis,
        )
        if of.apart < len(self.normal):
            rest += f" of {of.told}, which overlap: worth {of.apart:,} that do not"
        same = " of the same series" * of.narrow(len(self.normal))
        yield f"{rest}; of new normal rows{same} at most {self.rate:.2%} are called abnormal"
        if self.rate > self.asked:
            yield (
                f"{of.apart:,} rows{' that do not overlap' * (of.apart < len(self.normal))} "
                f"cannot promise the rate of {self.asked:.2%} asked for; hold more out"
            )
        if of.narrow(len(self.normal)):
            yield (
                f"these rows are of {of.told}, so no rate is promised for other ones; hold several "
                "out with a larger data.split.validation"
            )
        yield from self.findings
        if self.strangers:
            rows = plural(self.strangers, "row")
            yield f"{rows} with a category never seen in training: such a row is called abnormal"
        if self.hourly:
            yield (
                f"that is {count / total * self.hourly:.3g} alarms an hour, of which at most "
                f"{self.rate * self.hourly:.3g} are to be expected of normal data"
            )
        if self.alarms[3]:
            caught, positives, false, negatives = self.alarms
            yield (
                f"by their labels {caught:,} of {positives:,} abnormal observations were found, "
                f"and {false:,} of {negatives:,} normal ones called abnormal"
            )
        if self.short:
            yield (
                f"{self.short:,} of {self.steps:,} steps are of stretches that are shorter than a "
                "window, and have no score"
            )
        if self.seen:  # of windows, those that begin where one of training does
            least = "at least " * bool(self.steps)
            seen = plural(self.seen, "observation", "were")
            yield f"{least}{seen} trained on: their scores flatter"
        if self.alone:
            yield "the training data are not there: the kept calibration is used, and no baseline"

    def to_dict(self) -> dict[str, object]:
        """Plain data, for `--json`."""
        return {
            "paths": [str(path) for path in self.paths],
            "observations": len(self.names),
            "abnormal": int(self.abnormal.sum()),
            "threshold": self.threshold,
            "rate": self.rate,
            "rate_asked": self.asked,
            "normal_rows": len(self.normal),
            "normal_apart": self.basis.apart,
            "normal_series": self.basis.series,
            "trained_on": self.seen,
            "steps": self.steps,
            "unscored_steps": self.short,
            "findings": [*self.findings],
            "never_seen": self.strangers,
            "alarms": dict(zip(ALARMS, self.alarms, strict=True)),
            "alarms_an_hour": float(self.abnormal.double().mean()) * self.hourly,
            "figures": [asdict(figure) for figure in self.figures],
        }


def score(runs: Sequence[Run], where: Where, asked: Asked, out: Path) -> Scored:
    """Score data and write what was found; see `verbs.score`."""
    run = runs[0]
    for other in runs[1:]:
        if other.kind != run.kind:
            raise UserError(f"{other.path} was trained on data of another form than {run.path}")
    blind = Blind.of(run.given, ("label", asked.labels))
    here = material_at_hand(run)
    found, known = calibrated(runs, where, here, asked, blind)
    source, names, known, strange, trace, short = observed(run, where, known, blind, asked)
    line = found.threshold(asked.threshold, asked.rate)
    scores = found.judged(source, strange.any(1), asked.threshold, asked.rate)
    scores |= simple_scores(found, known, here, blind, source, asked)
    abnormal = scores["score"].raw > line.value
    empty(out)
    begun = {"row": names} | trace.columns()
    table = write_scores(out / "scores.csv", begun, scores, abnormal, known.texts)
    where_ = found.maps(source)
    if strange.any() and where_.shape == strange.shape:  # a map of columns
        where_ = alarmed(where_, strange, where_.nan_to_num())
    raw = scores["score"].raw
    written = write_maps(run, found, source, names, trace, where_, raw, line.value, asked, out)
    result = Scored(
        (table, *written),
        names,
        scores,
        abnormal,
        line.value,
        found.basis.promised(line.promised, len(found.normal["score"])),
        asked.rate,
        found.normal["score"],
        found.trained_on(source),
        known.texts,
        known.positive,
        (*known.figures(scores, asked.seed), *masked(run, names, where_, asked)),
        known.alarms(abnormal),
        asked.hourly,
        not here,
        tuple(worst(run, found, source, names, where_, raw, asked)),
        said_of(laid_out(run.kind, asked), where),
        found.basis,
        len(short),
        int(short.sum()),
        int(strange.any(1).sum()),
    )
    write_json(out / "score.json", result.to_dict())
    return result


class Observed(NamedTuple):
    """What is scored: rows, the names of the observations they make up, what is known of these.

    Args:
        trace: where in the file they are.
    """

    source: Source
    names: tuple[str, ...]
    known: Known
    strange: Tensor  # (N, F): what was never seen in training; (N, 0) where all is numbers
    trace: Trace
    short: Tensor  # (L,): which steps of series are in no window; (0,) of other data and parts


def observed(run: Run, where: Where, known: Known, blind: Blind, asked: Asked) -> Observed:
    """The data, or the part of the run's own split that is asked for."""
    place, kind = fitting(where, run.kind).where, laid_out(run.kind, asked)
    source = blind(kind.open(place))
    names = tuple(kind.names(place)) or tuple(str(i) for i in range(len(source)))
    trace = kind.trace(place)
    check_rows(known, source)
    if asked.part:
        source = Subset(source, rows_of_part(run, where, asked.part))
        known = known.of_rows(source.rows)
        names = tuple(names[row] for row in source.pieces()[:, 0].unique().tolist())
        trace = trace.of(source.rows)
    known = known.of_rows(Wholes(source.pieces()).first())
    strange = unseen_in(kind, place, len(names))
    if isinstance(kind, Tables) and asked.part:
        strange = strange[rows_of(source)]
    short = torch.zeros(0, dtype=torch.bool)
    if isinstance(kind, Series) and not asked.part:
        short = kind.short(place)
    return Observed(source, names, known, strange, trace, short)


def unseen_in(kind: Kind, place: Where, rows: int) -> Tensor:
    """Where rows hold something never seen in training, (N, F); (N, 0) of all but tables."""
    if isinstance(kind, Tables):
        return kind.unseen(place)
    return torch.zeros(rows, 0, dtype=torch.bool)


def laid_out(kind: Kind, asked: Asked) -> Kind:
    """The codec of what is scored: a part of the run's split has the rows that were divided.

    Of other data, what the run can make nothing of is passed over.
    """
    whole = kind if asked.part else kind.undivided().lenient()
    return whole.with_strangers() if isinstance(whole, Tables) else whole


def said_of(kind: Kind, where: Where) -> tuple[str, ...]:
    """What was passed over or guessed of the data, in words."""
    return tuple(found.text for found in kind.passed(fitting(where, kind).where))


def masked(run: Run, names: Sequence[str], where: Tensor, asked: Asked) -> list[Figure]:
    """How well the map marks pixels, where masks say which."""
    if not asked.masks:
        return []
    if not where.shape[1]:
        raise UserError("--masks judges a map, and these scores have none")
    found = masks.masks_of(Path(asked.masks), run.kind, names, where.shape[2:])
    return masks.figures(where.nanmean(1), found, asked.seed)


def material_at_hand(run: Run) -> tuple[Material, ...]:
    """The data of a run, where they are still there."""
    try:
        return (material_of(run, ""),)
    except UserError:
        return ()


def calibrated(
    runs: Sequence[Run],
    where: Where,
    here: Sequence[Material],
    asked: Asked,
    blind: Blind,
) -> tuple[Detector, Known]:
    """The detector that is kept with the run, or a new one, which is kept from now on."""
    known = Known.of(runs[0], where, here, asked)
    had = kept(runs, asked.how)
    if had:
        return had[0], known
    if not here:
        material_of(runs[0], "")  # says what is not there
    material = here[0]
    normal, abnormal = (blind(part) for part in known.parted(material.validation))
    found = detector(runs, blind(material.train), normal, abnormal, asked.how)
    keep(found)
    return found, known


def rows_of_part(run: Run, where: Where, part: str) -> Tensor:
    """The row numbers of a part of the run's split, in the run's own data."""
    rows = torch.tensor(rows_of(getattr(material_of(run, where), part)), dtype=torch.long)
    if not len(rows):
        raise UserError(f"--part {part}: the run's split has no such rows")
    return rows


def check_rows(known: Known, source: Source) -> None:
    """Labels that do not fit the rows are the user's mistake."""
    if known.texts and len(known.texts) != len(source):
        raise UserError(f"{len(known.texts)} labels do not fit {len(source)} observations")


def simple_scores(
    found: Detector,
    known: Known,
    here: Sequence[Material],
    blind: Blind,
    source: Source,
    asked: Asked,
) -> dict[str, Calibrated]:
    """Each baseline, calibrated on the same rows; none where the training data are not there."""
    run, scores = found.run, {}
    for material in here:
        train, normal = material.train, known.parted(material.validation)[0]
        x = seen(run.space, run.batch(blind(train), spread_out(len(train), TAUGHT)).x)
        width = run.model.latent if isinstance(run.model, Decodes) else x[0].numel()
        taught = baselines(x, width, asked.seed)
        own, new = (encoded(run, blind(rows)) for rows in (normal, source))
        wholes = [Wholes(rows.pieces()) for rows in (normal, source)]
        for name, scorer in taught.items():
            held, raw = (
                whole.highest(torch.cat([scorer(x).double() for x in part]))
                for whole, part in zip(wholes, (own, new), strict=True)
            )
            scores[name] = Calibrated(raw, conformal.p_values(raw, held))
    return scores


def encoded(run: Run, source: Source) -> list[Tensor]:
    """What baselines see of all rows, some at a time."""
    return [seen(run.space, batch.x) for batch in run.batches(source)]


@dataclass(frozen=True)
class Blind:
    """Hides labels, which are what a score is to find out: an unknown one would betray its row.

    Args:
        hidden: which columns of what is given, (G,).
    """

    hidden: Tensor

    @classmethod
    def of(cls, given: Space, names: Sequence[str]) -> Blind:
        """Hide the fields of these names."""
        return cls(torch.tensor([f.name in names for f in given.fields for _ in range(f.size)]))

    def __call__(self, source: Source) -> Source:
        """The source without them."""
        return Unlabelled(source, self.hidden) if self.hidden.any() else source


@dataclass(frozen=True)
class Unlabelled(Source):
    """Rows of another source of which some that is given, `hidden` (G,), is not known."""

    source: Source
    hidden: Tensor

    def __len__(self) -> int:
        return len(self.source)

    def read(self, rows: Tensor) -> Rows:
        found = self.source.read(rows)
        return Rows(found.values, found.given.masked_fill(self.hidden, torch.nan))

    def labels(self) -> Tensor:
        return self.source.labels().masked_fill(self.hidden, torch.nan)

    def pieces(self) -> Tensor:
        return self.source.pieces()

    def stretches(self) -> Tensor:
        return self.source.stretches()


def empty(out: Path) -> None:
    """A folder that results may go to: new, or empty."""
    if any(places.folder(out).iterdir()):
        raise UserError(f"{out} is not empty; choose another --out")


# What is known of the observations.


@dataclass(frozen=True)
class Known:
    """What each observation is, and which texts are abnormal; empty where nothing is known.

    Args:
        texts: of the data's rows. own: of all rows of the run's own data.
        positive: the texts that are abnormal.
    """

    texts: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    positive: frozenset[str] = frozenset()

    @classmethod
    def of(cls, run: Run, where: Where, here: Sequence[Material], asked: Asked) -> Known:
        """Read the labels of the data, and of the run's own data where it has them."""
        if not asked.labels:
            return cls()
        texts = labels_of(run, where, asked.labels, whole=not asked.part)
        try:
            own = labels_of(run, data_of(run), asked.labels, whole=False)
        except (UserError, KeyError):
            own = ()
        if asked.positive:
            if absent := set(asked.positive) - {*texts, *own}:
                raise UserError(f"--positive {min(absent)}: no observation has this label")
            return cls(texts, own, frozenset(asked.positive))
        taught = {own[row] for one in here for row in rows_of(one.train)} if own else set()
        strange = frozenset(texts) - taught
        if not taught or not strange or strange == frozenset(texts):
            raise UserError(
                f"which texts of {asked.labels} are abnormal cannot be told from the training "
                "data; say --positive TEXT"
            )
        return cls(texts, own, strange)

    def of_rows(self, rows: Tensor) -> Known:
        """What is known of some of the data's rows."""
        return replace(self, texts=tuple(self.texts[row] for row in rows.tolist() if self.texts))

    def parted(self, source: Source) -> tuple[Source, Source]:
        """Rows of the run's own data: those that carry no abnormal label, and those that do."""
        told = [bool(self.own) and self.own[row] in self.positive for row in rows_of(source)]
        ill = torch.tensor(told, dtype=torch.bool)
        normal, abnormal = (mask.nonzero()[:, 0] for mask in (~ill, ill))
        return Subset(source, normal), Subset(source, abnormal)

    @property
    def is_abnormal(self) -> Tensor:
        """Which observations are known to be abnormal, (N,)."""
        return torch.tensor([text in self.positive for text in self.texts], dtype=torch.bool)

    def alarms(self, called: Tensor) -> tuple[int, int, int, int]:
        """Found, abnormal in all, called so without being it, normal in all; zeros if unknown."""
        if not self.texts:
            return (0, 0, 0, 0)
        truth = self.is_abnormal
        each = (called & truth, truth, called & ~truth, ~truth)
        found, positives, false, negatives = (int(mask.sum()) for mask in each)
        return found, positives, false, negatives

    def figures(self, scores: Mapping[str, Calibrated], seed: int) -> Iterator[Figure]:
        """AUROC and average precision of each score and of each baseline."""
        is_abnormal = self.is_abnormal
        if not is_abnormal.any() or is_abnormal.all():
            return
        for name, statistic in (("auroc", auroc), ("average_precision", average_precision)):
            each = {
                of: bootstrap(statistic, s.raw[is_abnormal], s.raw[~is_abnormal], seed=seed)
                for of, s in scores.items()
            }
            plain = each["pca"].value if "pca" in each else math.nan
            for of, found in each.items():
                beside = {} if of in BASELINES else {"baseline": plain, "baseline_name": "PCA"}
                yield Figure(
                    f"{name}_{of}",
                    found.value,
                    found.low,
                    found.high,
                    len(self.texts),
                    "higher",
                    seed=seed,
                    split="given",
                    note=f"{int(is_abnormal.sum())} abnormal of {len(self.texts)}",
                    **beside,  # type: ignore[arg-type]
                )


def rows_of(source: Source) -> list[int]:
    """The row numbers of a part of the run's own data."""
    assert isinstance(source, Subset)
    return source.rows.tolist()


def labels_of(run: Run, where: Where, name: str, whole: bool) -> tuple[str, ...]:
    """The text of a column, or of a field that is given, for each observation.

    Args:
        whole: the data are not divided, which leaves no step out.
    """
    found = fitting(where, run.kind)
    if isinstance(run.kind, Tables):
        return tuple(run.kind.frame(found.where)[name].lines())
    skip = ("name", "path", "split", "kind", "patient")
    options = {k: v for k, v in run.recipe["data"].items() if k not in skip}
    seen = examine(found, run.kind.name, **options)
    fields = [field.name for field in seen.kind.given.fields]
    if name not in fields:
        raise UserError(f"--labels {name}: what is known of this data is {fields or 'nothing'}")
    at = fields.index(name)
    source = seen.kind.undivided().open(found.where) if whole else seen.source
    domain, column = seen.kind.given.fields[at].domain, source.labels()[:, at].tolist()
    if not isinstance(domain, Category):
        return tuple(f"{value:g}" for value in column)
    return tuple("" if value != value else domain.labels[int(value)] for value in column)


# What is written.


def write_scores(
    path: Path,
    begun: Mapping[str, Sequence[str]],
    scores: Mapping[str, Calibrated],
    abnormal: Tensor,
    texts: Sequence[str],
) -> Path:
    """`scores.csv`: the score, whether that is abnormal, each term and each baseline, with p.

    Args:
        begun: the first columns, which say what and where each observation is.
    """
    first = scores["score"]
    columns: dict[str, Sequence[object]] = {
        **begun,
        "score": first.raw.tolist(),
        "p": first.p.tolist(),
        "abnormal": abnormal.int().tolist(),
    }
    for name in (name for name in scores if name != "score"):
        columns |= {name: scores[name].raw.tolist(), f"p_{name}": scores[name].p.tolist()}
    return write_table(path, columns | ({"label": texts} if texts else {}))


def write_table(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    """Columns as a CSV file that was not there before; numbers with six digits."""
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*[map(cell, column) for column in columns.values()], strict=True))
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror})") from None
    return path


def cell(value: object) -> object:
    return ("" if value != value else f"{value:.6g}") if isinstance(value, float) else value


def write_maps(
    run: Run,
    found: Detector,
    source: Source,
    names: Sequence[str],
    trace: Trace,
    where: Tensor,
    raw: Tensor,
    line: float,
    asked: Asked,
    out: Path,
) -> list[Path]:
    """Where each observation is abnormal: columns, arrays, spans of time, and pictures.

    Args:
        raw: the scores, of which those above the `line` are abnormal.
    """
    if where.dim() < 2 or not where.shape[1]:
        return []
    if not run.space.axes:
        columns = dict(zip(fields_of(run.space, where), where.T.tolist(), strict=True))
        return [write_table(out / "where.csv", {"row": names, **columns})]
    level = found.level(asked.rate)
    path = out / "where.npz"
    marked = smooth(where) > level
    np.savez_compressed(path, where=where.numpy(), row=np.array(names), marked=marked.numpy())
    if len(run.space.axes) == 1:
        called = (raw > line).int().tolist()
        table = spans_of(run.space, names, trace, where, level, called)
        return [write_table(out / "spans.csv", table), path]
    if len(run.space.axes) != 2:
        return [path]
    heat = heated(where, found.ends)  # (N, 3, H, W)
    return [
        *overview(run, source, names, heat, raw, out),
        path,
        *write_heat(names, heat, where, out / "where"),
    ]


def fields_of(space: Space, where: Tensor) -> list[str]:
    """What each row of a map is called: its field, numbered where a field has several."""
    every = [f.name if f.size == 1 else f"{f.name}_{i}" for f in space.fields
             for i in range(f.size)]  # fmt: skip
    return every if len(every) == where.shape[1] else ["all"]


def spans_of(
    space: Space,
    names: Sequence[str],
    trace: Trace,
    where: Tensor,
    level: float,
    abnormal: Sequence[int],
) -> dict[str, list[object]]:
    """Where each series is marked, by which channel most, and whether it is called abnormal.

    A place stands out by the level of places, a series by the threshold of scores: a span alone
    makes no series abnormal. `start` and `end` are steps of its window; a table's rows and times
    are those of the span.
    """
    fields, high = fields_of(space, where), smooth(where)
    columns: dict[str, list[object]] = {
        key: [] for key in ("row", *trace.columns(), "start", "end", "peak", "most_by", "abnormal")
    }
    for at, (name, line, each) in enumerate(zip(names, high, where, strict=True)):
        for start, end in spans(line > level):
            most = int(each[:, start:end].nanmean(1).nan_to_num(-math.inf).argmax())
            told = {
                "start": start,
                "end": end,
                "peak": float(line[start:end].max()),
                "most_by": fields[most],
                "abnormal": abnormal[at],
            }
            for key, value in ({"row": name} | trace.span(at, start, end) | told).items():
                columns[key].append(value)
    return columns


def spans(marked: Tensor) -> list[tuple[int, int]]:
    """Where a row of marks (T,) is set: first step, and the step after the last.

    >>> spans(torch.tensor([True, False, True, True]))
    [(0, 1), (2, 4)]
    """
    edge = torch.cat([marked.new_zeros(1), marked, marked.new_zeros(1)]).int().diff()
    starts, ends = ((edge == sign).nonzero()[:, 0].tolist() for sign in (1, -1))
    return list(zip(starts, ends, strict=True))


def worst(
    run: Run,
    found: Detector,
    source: Source,
    names: Sequence[str],
    where: Tensor,
    raw: Tensor,
    asked: Asked,
) -> Iterator[tuple[str, Tensor]]:
    """The most abnormal observations, drawn, with their map or their marks below, (3, h, w)."""
    rows = raw.argsort(descending=True)[:WORST]
    seen = pictured(run, source, rows)
    for row, drawn in zip(rows.tolist(), seen, strict=True):
        yield names[row], beside(run, found, drawn, where[row : row + 1], asked)


def pictured(run: Run, source: Source, some: Tensor) -> Tensor:
    """Some observations drawn, (K, 3, h, w): those that come in tiles put together."""
    whole = Wholes(source.pieces())
    if not whole.cut:
        return run.kind.draw(source.read(some))
    each = [
        Wholes(source.pieces()[rows]).stitched(source.read(rows).values.float())
        for rows in (whole.rows(one) for one in some)
    ]  # K of (1, C, H, W)
    size = (whole.pieces[:, 1:].amax(0) + run.space.axes[0]).tolist()  # as maps are put together
    room = torch.zeros(len(each), each[0].shape[1], *size)
    for one, stitched in zip(room, each, strict=True):
        one[:, : stitched.shape[2], : stitched.shape[3]] = stitched[0]
    return run.kind.draw(Rows(room, room.new_zeros(len(room), 0)))


def beside(run: Run, found: Detector, drawn: Tensor, where: Tensor, asked: Asked) -> Tensor:
    """A drawn observation (3, h, w) with what its map (1, F, *A) says."""
    axes = len(run.space.axes)
    if not where.shape[1] or axes not in (1, 2):
        return drawn
    h, w = drawn.shape[1:]
    if axes == 2:
        heat = F.interpolate(heated(where, found.ends).float(), (h, w)).to(torch.uint8)
        return torch.cat([drawn, heat[0]], 2)
    marked = (smooth(where) > found.level(asked.rate)).float()[:, None]  # (1, 1, T)
    band = F.interpolate(marked, w, mode="nearest")[0, 0] > 0  # (w,)
    red = torch.tensor(MARK, dtype=torch.uint8)[:, None, None].expand(3, BAND, w)
    return torch.cat([drawn, torch.where(band, red, torch.full_like(red, 255))], 1)


def heated(where: Tensor, ends: tuple[float, float]) -> Tensor:
    """Maps (N, F, H, W) as pictures (N, 3, H, W), from dark over red to bright."""
    low, high = ends
    share = ((where.mean(1) - low) / (high - low)).nan_to_num().clamp(0, 1) * (len(INK) - 1)
    below = share.long().clamp(max=len(INK) - 2)
    ink = torch.tensor(INK, dtype=torch.float32)
    mixed = torch.lerp(ink[below], ink[below + 1], (share - below).unsqueeze(3))  # (N, H, W, 3)
    return mixed.round().to(torch.uint8).movedim(3, 1)


def overview(
    run: Run, source: Source, names: Sequence[str], heat: Tensor, raw: Tensor, out: Path
) -> list[Path]:
    """`most-abnormal.png`: the observations of the highest scores by name, beside their maps."""
    rows = raw.argsort(descending=True)[:SHOWN]
    seen = pictured(run, source, rows)
    size = list(seen.shape[2:])
    maps = F.interpolate(heat[rows].float(), size).to(torch.uint8)
    pairs = torch.cat([seen, maps], 3)
    called = pictures.captioned(enlarged(pairs), [names[row] for row in rows.tolist()])
    path = places.free_name(out, "most-abnormal.png")
    with places.new(path) as file:
        file.write(pictures.png(pictures.grid(called)))
    return [path]


def enlarged(pairs: Tensor) -> Tensor:
    """Pairs of small pictures (B, 3, h, 2 w) so large that a name fits below."""
    times = -(-READABLE // pairs.shape[3])
    return pairs.repeat_interleave(times, 2).repeat_interleave(times, 3)


def write_heat(names: Sequence[str], heat: Tensor, where: Tensor, out: Path) -> list[Path]:
    """A picture of the map of each observation, named after it."""
    places.folder(out)
    paths = []
    for number, (name, picture) in enumerate(zip(names, heat, strict=True)):
        plain = re.sub(r"[^\w.-]+", "_", Path(name).stem)
        paths.append(out / f"{number:06d}-{plain}.png")
        there = ~where[number].isnan().all(0)  # a smaller picture than the largest has no more
        h, w = int(there.any(1).sum()), int(there.any(0).sum())
        with places.new(paths[-1]) as file:
            file.write(pictures.png(picture[:, :h, :w]))
    return paths
