"""The picture of a traversal: a row a dimension, as strips of pictures or as curves."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image
from torch import Tensor

from twofold.core.space import Space
from twofold.data.kind import Kind
from twofold.data.sources import Rows
from twofold.report import raster
from twofold.report.charts import Curve, Labels

CHANNELS = 4
"""Channels of a series that are drawn, at most."""


def picture(kind: Kind, names: Sequence[str], rows: Rows, heads: Sequence[str] = ()) -> Image.Image:
    """K named rows of T observations each, given row after row.

    Args:
        heads: what each of the T is, where they are drawn beside one another; nothing is said.
    """
    steps = len(rows) // len(names)
    if len(kind.space.axes) == 1 and kind.space.layout == "grid":
        drawn, heads = [curves(kind.space, values) for values in rows.values.split(steps)], ()
    else:
        drawn = [raster.strip(pictures) for pictures in kind.draw(rows).split(steps)]
    return raster.stacked(list(zip(names, drawn, strict=True)), heads)


def curves(space: Space, values: Tensor) -> Image.Image:
    """Some series (T, F, L) over one another, a chart a channel, the first step blue."""
    names = [field.name for field in space.fields for _ in range(field.size)]
    charts = []
    for channel, name in enumerate(names[:CHANNELS]):
        steps = enumerate(values[:, channel].tolist())
        bundle = [Curve(str(i + 1), range(len(line)), line) for i, line in steps]
        charts.append(raster.lines(bundle, Labels(name, "step")))
    return raster.side_by_side(charts)
