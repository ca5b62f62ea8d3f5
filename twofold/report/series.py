r"""The sections of a series: windows real and drawn, and how a channel depends on its own past.

The autocorrelation of a channel at lag k is averaged over windows, each with its own mean:

    r_k = \frac{\sum_t (x_t - \bar x)(x_{t+k} - \bar x)}{\sum_t (x_t - \bar x)^2}.
"""

from __future__ import annotations

import torch
from torch import Tensor

from twofold.report.charts import Curve, Labels, legend, lines
from twofold.report.page import Html, Section, figure, join, tag
from twofold.report.seen import Seen
from twofold.report.tables import SIDES

CHANNELS = 8
"""Channels that are shown, at most."""
BUNDLE = 6
"""Windows a side."""


def applies(seen: Seen) -> bool:
    return seen.is_series and seen.samples and len(seen.real) > 0


def windows(seen: Seen) -> list[Section]:
    """Windows, real and drawn over one another, a chart a channel."""
    if not applies(seen):
        return []
    names = channel_names(seen)
    charts = [figure(bundle(seen, i, name), "") for i, name in enumerate(names[:CHANNELS])]
    text = (
        f"{BUNDLE} windows of the {seen.held_name} and {BUNDLE} drawn afresh with seed "
        f"{seen.seed}, in the units of the file; none is picked by hand.{more(names)}"
    )
    body = join([tag("p", text), legend(SIDES), tag("div", *charts, class_="charts")])
    return [Section("Draws", body)]


def channel_names(seen: Seen) -> list[str]:
    """The name of each channel."""
    return [
        f"{one.name} {i + 1}" if one.size > 1 else one.name
        for one in seen.run.space.fields
        for i in range(one.size)
    ]


def more(names: list[str]) -> str:
    return f" The first {CHANNELS} of {len(names)} channels." if len(names) > CHANNELS else ""


def bundle(seen: Seen, channel: int, name: str) -> Html:
    """Some windows of a channel."""
    length = seen.run.space.axes[0]
    sides = ((seen.fake, 1, "drawn"), (seen.real, 0, "real"))  # the real ones on top
    curves = [
        Curve(f"{word} {i + 1}", range(length), row[channel].tolist(), colour, faint=True)
        for rows, colour, word in sides
        for i, row in enumerate(rows.values[:BUNDLE])
    ]
    return lines(curves, Labels(name, "step"), log="never")


def past(seen: Seen) -> list[Section]:
    """The autocorrelation of each channel, real and drawn."""
    if not applies(seen) or seen.run.space.axes[0] < 4:
        return []
    real, fake = (autocorrelation(rows.values.double()) for rows in (seen.real, seen.fake))
    names = channel_names(seen)
    charts = [
        figure(pair(name, a.tolist(), b.tolist()), "")
        for name, a, b in list(zip(names, real, fake, strict=True))[:CHANNELS]
    ]
    text = (
        f"The mean autocorrelation over {len(seen.real):,} windows a side: how much a channel "
        f"depends on its own past. The curves should lie on each other.{more(names)}"
    )
    body = join([tag("p", text), legend(SIDES), tag("div", *charts, class_="charts")])
    return [Section("Memory", body)]


def pair(name: str, real: list[float], fake: list[float]) -> Html:
    """A channel's two curves."""
    curves = [
        Curve(w, range(len(v)), v, c) for c, (w, v) in enumerate((("real", real), ("drawn", fake)))
    ]
    return lines(curves, Labels(name, "lag"), log="never")


def autocorrelation(values: Tensor) -> Tensor:
    """Windows (B, C, T) to r_k (C, T // 2 + 1), NaN where no window varies.

    >>> wave = torch.tensor([1.0, -1.0] * 4).reshape(1, 1, 8)
    >>> autocorrelation(wave)[0, :3]
    tensor([ 1.0000, -0.8750,  0.7500])
    """
    gone = values.isnan()
    centred = (values - values.nanmean(2, keepdim=True)).masked_fill(gone, 0)
    power = centred.square().sum(2)  # (B, C)
    length = values.shape[2]
    every = [
        (centred[..., : length - k] * centred[..., k:]).sum(2)
        / power.masked_fill(power == 0, torch.nan)
        for k in range(length // 2 + 1)
    ]
    return torch.stack(every, 2).nanmean(0)
