"""The job `score`: data in, scores, labels and maps out, as files and in words.

`anomaly.py` has the scores and their calibration. Here they are written: `scores.csv`, one row an
observation; a map of where, as pictures for images, columns for rows, and arrays for all with axes;
`score.json` with the threshold and what it rests on. Where it is known which observations are
abnormal, the figures say how well each score, and the baseline, tells them apart.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from twofold.apps.anomaly import Calibrated, detector, maps
from twofold.core.errors import UserError
from twofold.core.space import Category, Space
from twofold.data import pictures, places
from twofold.data.doctor import examine, locate
from twofold.data.kind import Where
from twofold.data.kinds.tables import Tables
from twofold.data.sources import Rows, Source, Subset, fingerprints
from twofold.maths.ranking import auroc, average_precision
from twofold.maths.statistics import bootstrap
from twofold.measures.measure import Figure
from twofold.runs.folder import write_json
from twofold.runs.run import Run
from twofold.runs.training import Material, material_of, place_of

SHOWN = 24
"""Observations in the overview, the most abnormal first."""
SCALE = (0.5, 0.999)
"""Quantiles of the maps of normal rows that are the ends of the colour scale."""
INK = ((20, 20, 40), (150, 40, 90), (235, 110, 50), (255, 240, 170))


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
    """

    rate: float = 0.01
    samples: int = 50
    labels: str = ""
    positive: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise UserError(f"--rate {self.rate} is no rate; say 0.01 for one false alarm in 100")
        if self.samples < 1:
            raise UserError(f"--samples {self.samples} must be at least 1")
        if self.positive and not self.labels:
            raise UserError("--positive needs --labels, the column or field that it is a text of")


@dataclass(frozen=True)
class Scored:
    """What `score` found.

    Args:
        paths: what was written, `scores.csv` first.
        names: of the observations.
        scores: each score by name: `score` is the ensemble, `baseline` the simple model's.
        abnormal: which observations are called so.
        threshold: of the ensemble's score; rate: of false alarms that it promises; asked: for.
        normal: held-out normal rows that it rests on.
        seen: observations that equal a training row, whose scores flatter.
        figures: how well each score tells abnormal from normal, where that is known.
        alarms: where it is known, abnormal observations found, abnormal ones in all, normal ones
            called abnormal, normal ones in all; else zeros.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    scores: Mapping[str, Calibrated]
    abnormal: Tensor
    threshold: float
    rate: float
    asked: float
    normal: int
    seen: int
    figures: tuple[Figure, ...] = ()
    alarms: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __str__(self) -> str:
        return "\n".join([*self.words(), *map(str, self.paths[:2])])

    def words(self) -> Iterator[str]:
        """The result in sentences."""
        count, total = int(self.abnormal.sum()), len(self.names)
        yield (
            f"{count:,} of {total:,} observations are abnormal (score above {self.threshold:.4g})"
        )
        yield (
            f"threshold and p rest on {self.normal:,} held-out normal rows; of new normal rows at "
            f"most {self.rate:.2%} are called abnormal"
        )
        if self.rate > self.asked:
            yield (
                f"{self.normal:,} rows cannot promise the rate of {self.asked:.2%} asked for; hold "
                "more out"
            )
        if self.alarms[3]:
            caught, positives, false, negatives = self.alarms
            yield (
                f"by their labels {caught:,} of {positives:,} abnormal observations were found, "
                f"and {false:,} of {negatives:,} normal ones called abnormal"
            )
        if self.seen:
            yield f"{self.seen:,} observations were trained on: their scores flatter"

    def to_dict(self) -> dict[str, object]:
        """Plain data, for `--json`."""
        return {
            "paths": [str(path) for path in self.paths],
            "observations": len(self.names),
            "abnormal": int(self.abnormal.sum()),
            "threshold": self.threshold,
            "rate": self.rate,
            "rate_asked": self.asked,
            "normal_rows": self.normal,
            "trained_on": self.seen,
            "alarms": dict(zip(ALARMS, self.alarms, strict=True)),
            "figures": [asdict(figure) for figure in self.figures],
        }


def score(run: Run, where: Where, asked: Asked, out: Path) -> Scored:
    """Score data and write what was found; see `verbs.score`."""
    material = material_of(run, "")
    known = Known.of(run, where, material, asked)
    blind = Blind.of(run.given, ("label", asked.labels))
    train, normal = blind(material.train), blind(known.normal(material.validation))
    found = detector(run, train, normal, asked.samples, asked.rate, asked.seed)
    place = locate(where, run.kind.name).where
    source = blind(run.kind.open(place))
    if known.texts and len(known.texts) != len(source):
        raise UserError(f"{len(known.texts)} labels do not fit {len(source)} observations")
    raw = found.raw(run, source, asked.samples, asked.seed)
    scores = found.calibrated(raw)
    abnormal = scores["score"].p <= found.rate
    names = tuple(run.kind.names(place)) or tuple(str(i) for i in range(len(source)))
    empty(out)
    table = write_scores(out / "scores.csv", names, scores, abnormal, known.texts)
    mapped = write_maps(run, source, normal, names, scores["score"].raw, asked, out)
    result = Scored(
        (table, *mapped),
        names,
        scores,
        abnormal,
        found.threshold,
        found.rate,
        asked.rate,
        len(normal),
        trained_on(material, source),
        tuple(known.figures(scores, asked.seed)),
        known.alarms(abnormal),
    )
    write_json(out / "score.json", result.to_dict())
    return result


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


def trained_on(material: Material, source: Source) -> int:
    """How many observations equal a training row."""
    seen = set(fingerprints(material.train))
    return sum(row in seen for row in fingerprints(source))


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
    def of(cls, run: Run, where: Where, material: Material, asked: Asked) -> Known:
        """Read the labels of the data, and of the run's own data where it has them."""
        if not asked.labels:
            return cls()
        texts = labels_of(run, where, asked.labels)
        try:
            own = labels_of(run, place_of(run.recipe["data"]), asked.labels)
        except (UserError, KeyError):
            own = ()
        if asked.positive:
            if absent := set(asked.positive) - {*texts, *own}:
                raise UserError(f"--positive {min(absent)}: no observation has this label")
            return cls(texts, own, frozenset(asked.positive))
        taught = {own[row] for row in rows_of(material.train)} if own else set()
        strange = frozenset(texts) - taught
        if not taught or not strange or strange == frozenset(texts):
            raise UserError(
                f"which texts of {asked.labels} are abnormal cannot be told from the training "
                "data; say --positive TEXT"
            )
        return cls(texts, own, strange)

    def normal(self, source: Source) -> Source:
        """The rows of the run's own data that carry no abnormal label."""
        rows = [
            i
            for i, row in enumerate(rows_of(source))
            if not self.own or self.own[row] not in self.positive
        ]
        return Subset(source, torch.tensor(rows, dtype=torch.long))

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
        """AUROC and average precision of each score, beside the baseline's."""
        is_abnormal = self.is_abnormal
        if not is_abnormal.any() or is_abnormal.all():
            return
        for name, statistic in (("auroc", auroc), ("average_precision", average_precision)):
            each = {
                of: bootstrap(statistic, s.raw[is_abnormal], s.raw[~is_abnormal], seed=seed)
                for of, s in scores.items()
            }
            for of in (of for of in scores if of != "baseline"):
                yield Figure(
                    f"{name}_{of}",
                    each[of].value,
                    each[of].low,
                    each[of].high,
                    len(self.texts),
                    "higher",
                    baseline=each["baseline"].value,
                    baseline_name="PCA",
                    seed=seed,
                    split="given",
                    note=f"{int(is_abnormal.sum())} abnormal of {len(self.texts)}; the baseline's "
                    f"interval is {each['baseline'].low:.3f} … {each['baseline'].high:.3f}",
                )


def rows_of(source: Source) -> list[int]:
    """The row numbers of a part of the run's own data."""
    assert isinstance(source, Subset)
    return source.rows.tolist()


def labels_of(run: Run, where: Where, name: str) -> tuple[str, ...]:
    """The text of a column, or of a field that is given, for each observation."""
    found = locate(where, run.kind.name)
    if isinstance(run.kind, Tables):
        cells = run.kind.frame(found.where)[name]
        return tuple(cells.texts[code] for code in cells.codes)
    skip = ("name", "path", "split", "kind")
    options = {k: v for k, v in run.recipe["data"].items() if k not in skip}
    seen = examine(found, run.kind.name, **options)
    fields = [field.name for field in seen.kind.given.fields]
    if name not in fields:
        raise UserError(f"--labels {name}: what is known of this data is {fields or 'nothing'}")
    at = fields.index(name)
    domain, column = seen.kind.given.fields[at].domain, seen.source.labels()[:, at].tolist()
    if not isinstance(domain, Category):
        return tuple(f"{value:g}" for value in column)
    return tuple("" if value != value else domain.labels[int(value)] for value in column)


# What is written.


def write_scores(
    path: Path,
    names: Sequence[str],
    scores: Mapping[str, Calibrated],
    abnormal: Tensor,
    texts: Sequence[str],
) -> Path:
    """`scores.csv`: the ensemble, whether that is abnormal, each term and the baseline, with p."""
    first = scores["score"]
    columns: dict[str, Sequence[object]] = {
        "row": names,
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
    source: Source,
    normal: Source,
    names: Sequence[str],
    raw: Tensor,
    asked: Asked,
    out: Path,
) -> list[Path]:
    """Where each observation is abnormal: columns, arrays, and for images pictures."""
    where = maps(run, source, asked.samples, asked.seed)
    if where.dim() < 2 or not where.shape[1]:
        return []
    fields = [f.name if f.size == 1 else f"{f.name}_{i}" for f in run.space.fields
              for i in range(f.size)]  # fmt: skip
    if not run.space.axes:
        columns = dict(zip(fields, where.T.tolist(), strict=True))
        return [write_table(out / "where.csv", {"row": names, **columns})]
    path = out / "where.npz"
    np.savez_compressed(path, where=where.numpy(), row=np.array(names))
    if len(run.space.axes) != 2:
        return [path]
    some = Subset(normal, torch.arange(min(len(normal), 256)))
    ends = scale(maps(run, some, asked.samples, asked.seed))
    heat = heated(where, ends)  # (N, 3, H, W)
    return [*overview(run, source, heat, raw, out), path, *write_heat(names, heat, out / "where")]


def scale(normal: Tensor) -> tuple[float, float]:
    """The ends of the colours, from the maps of normal rows: one scale for all observations."""
    flat = normal.mean(1).flatten()
    flat = flat[~flat.isnan()].double()
    flat = flat[torch.linspace(0, len(flat) - 1, min(len(flat), 1 << 20)).long()]
    low, high = torch.quantile(flat, torch.tensor(SCALE, dtype=torch.float64)).tolist()
    return low, max(high, low + 1e-6)


def heated(where: Tensor, ends: tuple[float, float]) -> Tensor:
    """Maps (N, F, H, W) as pictures (N, 3, H, W), from dark over red to bright."""
    low, high = ends
    share = ((where.mean(1) - low) / (high - low)).nan_to_num().clamp(0, 1) * (len(INK) - 1)
    below = share.long().clamp(max=len(INK) - 2)
    ink = torch.tensor(INK, dtype=torch.float32)
    mixed = torch.lerp(ink[below], ink[below + 1], (share - below).unsqueeze(3))  # (N, H, W, 3)
    return mixed.round().to(torch.uint8).movedim(3, 1)


def overview(run: Run, source: Source, heat: Tensor, raw: Tensor, out: Path) -> list[Path]:
    """`most-abnormal.png`: the observations of the highest scores, each beside its map."""
    rows = raw.argsort(descending=True)[:SHOWN]
    seen = run.kind.draw(source.read(rows))
    size = list(seen.shape[2:])
    maps = torch.nn.functional.interpolate(heat[rows].float(), size).to(torch.uint8)
    path = places.free_name(out, "most-abnormal.png")
    with places.new(path) as file:
        file.write(pictures.png(pictures.grid(torch.cat([seen, maps], 3))))
    return [path]


def write_heat(names: Sequence[str], heat: Tensor, out: Path) -> list[Path]:
    """A picture of the map of each observation, named after it."""
    places.folder(out)
    paths = []
    for number, (name, picture) in enumerate(zip(names, heat, strict=True)):
        plain = re.sub(r"[^\w.-]+", "_", Path(name).stem)
        paths.append(out / f"{number:06d}-{plain}.png")
        with places.new(paths[-1]) as file:
            file.write(pictures.png(picture))
    return paths
