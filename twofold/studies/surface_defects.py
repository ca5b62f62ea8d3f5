r"""Defects on magnetic tiles: photographs at full size, cut into pieces and put together again.

The photographs (Huang, Qiu & Yuan 2020) are of normal tiles, and of tiles with blowholes or cracks
whose pixels a person has marked; of many sizes and lights, and the defects cover little of them.
Reduced to one small size, they are lost. Here a picture is cut into tiles of 64 × 64 at full size
(`data/tiles.py`), scores as the worst of them, and has a map that is put together of theirs.

A rule that looks at no texture stands beside: how unusual a picture's size and brightness are. What
a camera did on one day and not on another must not pass for a defect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import ZipFile

import torch
from torch import Tensor

from twofold.apps import masks
from twofold.apps.anomaly import Detector
from twofold.data import pixels
from twofold.data.kinds.images import Images, native
from twofold.data.named import find
from twofold.data.tiles import Wholes
from twofold.studies.oneclass import Labelled, Rows, areas, fitted, gathered, learnt, shuffled
from twofold.studies.seeds import finding, over_seeds
from twofold.studies.study import Budget, Row, Study

NORMAL = "MT_Free"
SORTS = {NORMAL: 2, "MT_Blowhole": 0, "MT_Crack": 1}
"""The labels, which are folders, by number: normal ones first."""
SIDE = 64
TERMS = ("unexpected_error", "error", "neighbours", "even_neighbours")
OF_THE_VAE, BEST = "unexpected_error", "even_neighbours"
BARS = {OF_THE_VAE: 0.85, BEST: 0.90}
CHOOSING = (40, 26, 14)
"""Pictures of each sort with which choices were made, and that no figure is of."""


@dataclass(frozen=True)
class Setting:
    """How much is done: normal pictures that train and that calibrate, all that are judged.

    Args:
        steps, width, latent: of the VAE.
    """

    train: int
    normal: int
    judged: int
    steps: int
    width: int
    latent: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(3, 3, 6, 5, 16, 4),
    "cpu": Setting(90, 30, 1000, 1500, 256, 32),
    "paper": Setting(90, 30, 1000, 20_000, 512, 32),
}


class SurfaceDefects(Study):
    """Image AUROC, pixel AUROC and AUPRO on magnetic tiles."""

    claim = "Scores learnt from normal tiles alone find blowholes and cracks, and where they are."
    paper = "Huang, Qiu & Yuan 2020, Surface defect saliency of magnetic tile (data)"
    protocol = (
        "200 normal photographs and 172 with blowholes or cracks, cut at full size into tiles of "
        "64 × 64 that overlap by a quarter. Apart from the pictures that choices were made with "
        "(40 normal, 40 defective), 90 normal ones train, 30 calibrate and 40 are judged, another "
        "division for each seed, with all 132 other defective ones. A dense VAE a seed (2 × 256, "
        "latent 32, Gaussian of one learnt scale), 1,500 steps of 128; its score is the error less "
        "what complexity lets one expect, and the best scorer the nearest neighbour of patches in "
        "the embedded network, of tiles whose own brightness and contrast are taken out (chosen, "
        "beside the plain one); each picture scores as its worst tile. Pixels are judged by the "
        "published masks. Beside stands the distance from the mean size and brightness of the "
        "training pictures, in deviations. Intervals are over seeds."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        known = Labelled.of("magnetic-tile", {"name": "magnetic-tile", "tiles": SIDE}, tiles=SIDE)
        found = [
            measured(known, parted(known, setting, seed), setting, seed, out / f"{seed}")
            for seed in range(seeds)
        ]
        return [row(name, values) for name, values in gathered(found)]


def row(name: str, values: Sequence[float]) -> Row:
    """What the seeds found; a bar where there is one on it."""
    bars = {f"image AUROC, {of}": bar for of, bar in BARS.items()}
    if name not in bars:
        return finding(name, values, "test", "higher")
    return Row(name, "bar", *over_seeds(values), len(values), "test", "higher", bars[name])


def sorts(known: Labelled) -> tuple[Wholes, dict[str, Tensor]]:
    """The pictures, and the places among them of each sort, in an order of chance."""
    wholes = Wholes(known.seen.source.pieces())
    label = known.label[wholes.first()]
    return wholes, {
        name: shuffled((label == number).nonzero()[:, 0], 0) for name, number in SORTS.items()
    }


def parted(known: Labelled, setting: Setting, seed: int) -> Rows:
    """Tiles of normal pictures to train and calibrate, and of other normal and defective ones."""
    wholes, each = sorts(known)
    normal, *bad = (own[most:] for own, most in zip(each.values(), CHOOSING, strict=True))
    return divided(wholes, shuffled(normal, seed), torch.cat(bad), setting)


def choosing(known: Labelled, setting: Setting) -> Rows:
    """The same, judged on the pictures that choices are made with."""
    wholes, each = sorts(known)
    normal, *bad = (own[:most] for own, most in zip(each.values(), CHOOSING, strict=True))
    own = each[NORMAL][CHOOSING[0] :][: setting.train + setting.normal]
    return divided(wholes, torch.cat([own, normal]), torch.cat(bad), setting)


def divided(wholes: Wholes, normal: Tensor, bad: Tensor, setting: Setting) -> Rows:
    """Rows of pictures; those that are judged are in the order of the data, as scores are."""
    edge, half = setting.train + setting.normal, setting.judged // 2
    judged = torch.cat([normal[edge:][:half], bad[:half]]).sort().values
    parts = (normal[: setting.train], normal[setting.train : edge], judged)
    train, held, asked = (wholes.rows(some) for some in parts)
    return Rows(train, held, asked, torch.isin(judged, bad))


def measured(
    known: Labelled, rows: Rows, setting: Setting, seed: int, folder: Path
) -> dict[str, float]:
    """Every figure of one seed."""
    net = {"name": "dense", "width": setting.width, "depth": 2}
    model = {"name": "vae", "latent": setting.latent, "encoder": net, "decoder": net}
    train = {"steps": setting.steps, "batch": 128, "seed": seed, "lr": 2e-3}
    run = fitted(known, rows, {**model, "likelihood": [{"name": "gaussian"}]}, train, folder)
    found = learnt(known, rows, [run], TERMS)
    each = found.raw(known.part(rows.judged)) | {"size and brightness": plain(known, rows)}
    return {
        **{f"image AUROC, {name}": value for name, value in areas(each, rows.abnormal).items()},
        **{
            f"{measure}, {name}": value
            for name, map_ in ((OF_THE_VAE, ("error",)), (BEST, (BEST,)))
            for measure, value in pointed(known, rows, replace(found, terms=map_)).items()
        },
    }


def pointed(known: Labelled, rows: Rows, found: Detector) -> dict[str, float]:
    """How well a map marks the pixels of defects."""
    where = found.maps(known.part(rows.judged)).nanmean(1)
    mask = marked(known, rows, where.shape[1:])
    every = torch.arange(len(where))
    return {
        "pixel AUROC": float(masks.area(where, mask, every)),
        "pixel AUPRO": float(masks.overlap(where, mask, every)),
    }


def marked(known: Labelled, rows: Rows, size: Sequence[int]) -> Tensor:
    """The published masks of the judged pictures, (P, H, W)."""
    kind, where = known.seen.kind, find("magnetic-tile").where
    assert isinstance(kind, Images)
    names = kind.names(where)
    numbers = known.seen.source.pieces()[rows.judged, 0].unique().tolist()
    room = torch.zeros(len(numbers), *size, dtype=torch.bool)
    with ZipFile(where) as archive:
        for one, number in zip(room, numbers, strict=True):
            name = f"{names[number].rpartition('.')[0]}.png"
            if name not in archive.namelist():  # a normal tile has none
                continue
            with archive.open(name) as file:
                height, width = native(pixels.header(file, name), SIDE)  # type: ignore[arg-type]
            form = replace(kind.form, height=height, width=width, stretch=True)
            with archive.open(name) as file:
                white = pixels.decode(file, name, form)[0] > masks.WHITE  # type: ignore[arg-type]
            one[:height, :width] = white[: size[0], : size[1]]
    return room


def plain(known: Labelled, rows: Rows) -> Tensor:
    """How far each judged picture's size and brightness are from those of training pictures."""
    train, judged = (traits(known, part) for part in (rows.train, rows.judged))
    return ((judged - train.mean(0)) / train.std(0)).square().sum(1)


def traits(known: Labelled, rows: Tensor) -> Tensor:
    """The area of each picture, the mean of its tiles and their deviation, (P, 3)."""
    pieces = known.seen.source.pieces()[rows]
    whole = Wholes(pieces)
    levels = torch.cat([
        known.seen.source.read(part).values.double().flatten(1) for part in rows.split(1024)
    ])  # fmt: skip
    area = whole.highest(((pieces[:, 1] + SIDE) * (pieces[:, 2] + SIDE)).double())
    of, count = whole.numbered[1], torch.bincount(whole.numbered[1])
    means = [torch.zeros(len(whole)).double().index_add(0, of, v) / count
             for v in (levels.mean(1), levels.square().mean(1))]  # fmt: skip
    return torch.stack([area, means[0], (means[1] - means[0].square()).sqrt()], 1)
