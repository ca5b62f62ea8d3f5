"""Fashion-MNIST in small, for the studies of GANs that paint: one set, one way to train and judge.

A game of convolutions takes its time on one core, so the pictures come at several sizes: means over
blocks of 28 × 28, or of 32 × 32, which is 28 × 28 with a border of two. Figures of different sizes
are of different data, and are not compared. Draws are judged by the product's measures, against the
publisher's test split, and beside their floors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Space
from twofold.data.doctor import examine
from twofold.data.kind import Kind
from twofold.data.pictures import grid, png
from twofold.data.sources import Memory, Source, Subset, whole
from twofold.measures.measure import Figure
from twofold.runs import measuring
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import kept

NAME = "fashion-mnist"
SPLIT: Mapping[str, Any] = {"validation": 0.1}
SIDES = {28: 0, 32: 2}
"""The sizes that others are means of, with the border that each has."""
SHOWN = 36


def opened(side: int, labels: bool = False, most: int = 60_000) -> Material:
    """Garments of side × side pixels, the publisher's test split, a tenth held out to choose by.

    Args:
        side: a whole fraction of 28 or of 32.
        labels: whether a model is given the label.
        most: pictures to train on, the first of a fixed order.
    """
    found = examine(NAME, given="all" if labels else ())
    axes = (side, side)
    kind = replace(found.kind, space=Space(found.kind.space.fields, axes))  # type: ignore[type-var]
    return limited(Material.of(kind, shrunk(found.source, side), (), table(labels)), most)


def table(labels: bool = False) -> dict[str, Any]:
    """The `data` table of a recipe."""
    return {"name": NAME, "split": SPLIT} | ({} if labels else {"given": ()})


def limited(data: Material, most: int) -> Material:
    """The same with at most so many training pictures; the order of the split is random."""
    rows = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(0))[:most]
    return replace(data, train=Subset(data.train, rows.sort().values))


def shrunk(source: Source, side: int) -> Source:
    """A source whose pictures are means over blocks, in whole grey levels."""
    rows = torch.arange(len(source)).split(5000)
    values = torch.cat([blocks(source.read(part).values.float(), side) for part in rows])
    return Memory(values, source.labels(), official=source.official)


def blocks(x: Tensor, side: int) -> Tensor:
    """x (B, C, 28, 28) as (B, C, side, side), in whole numbers.

    >>> bright = 2 * torch.ones(1, 1, 28, 28)
    >>> blocks(bright, 4).shape, blocks(bright, 8)[0, 0, 0]
    (torch.Size([1, 1, 4, 4]), tensor([0., 1., 1., 1., 1., 1., 1., 0.]))
    """
    fits = [whole for whole in SIDES if whole % side == 0]
    if not fits:
        raise UserError(f"garments come in sizes that divide {list(SIDES)}, and {side} does not")
    framed = F.pad(x, [SIDES[fits[0]]] * 4)
    return F.avg_pool2d(framed, fits[0] // side).round()


def trained(
    model: Mapping[str, Any],
    train: Mapping[str, Any],
    data: Material,
    seed: int,
    folder: Path,
    of: Mapping[str, Any] = {},
) -> Run:
    """A run, gone on with where it was interrupted; `of` is the `data` table of other data."""
    recipe = {"model": model, "train": {"best": "none", **train, "seed": seed}}
    return kept.trained(recipe, dict(of) or table(data.kind.given.width > 0), data, folder)


def judged(run: Run, data: Material, n: int, names: Iterable[str]) -> dict[str, Figure]:
    """Figures of n draws against n test pictures, by name."""
    evidence = measuring.evidence_of_run(run, data.train, data.test, n, 0, "test")
    return {figure.name: figure for figure in measuring.measured(evidence, names)[0]}


def held(kind: Kind, source: Source, n: int) -> Tensor:
    """The first n observations of a source, encoded."""
    return kind.space.encode(whole(source, n).values)


def picture(run: Run, path: Path) -> None:
    """Draws as a sheet, with seed 0; none is picked by hand."""
    path.write_bytes(png(grid(run.kind.draw(run.draw(SHOWN, {}, 0)))))
