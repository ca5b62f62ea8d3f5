r"""Sines: can a judge tell drawn ones from others of the same law?

Five channels of 24 steps, each a sine of its own frequency and phase, both uniform on [0, 0.1], as
the published code of TimeGAN draws them: with so low frequencies they are arcs rather than waves.
Since their law is known there are as many as one likes, so that training, test and the judge's two
sides share no window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twofold.data.doctor import examine
from twofold.runs.training import Material
from twofold.studies.seeds import AMOUNTS, most, over_seeds
from twofold.studies.study import Budget, Row, Study
from twofold.studies.windows import FIGURES, RIVAL, SETTINGS, Found, measured, told, values

OURS = "gan-series"
FINE = {"penalties": [{"name": "r1", "gamma": 0.01}, {"name": "r2", "gamma": 0.01}]}
"""Slopes that let a critic see faults of a hundredth of the data's deviation."""
SLOW = {"lr": 5e-4, "average": 200.0}
"""Half the recipe's rate, and the mean over ten times as many observations at the end."""
STEPS: Mapping[Budget, int] = {"smoke": 2, "cpu": 12_000, "paper": 20_000}
BAR = 0.05
REPORTED, SOURCE = 0.011, "TimeGAN, by another judge, in Yuan & Qiao 2024, table 1"
WINDOWS = {"smoke": 400, "cpu": 20_000, "paper": 20_000}


class SinesSeries(Study):
    """Drawn sines told from real ones."""

    claim = "A judge hardly tells drawn sines from real ones: its score is at most 0.05."
    paper = "Yoon et al. 2019, Time-series Generative Adversarial Networks"
    protocol = (
        "20,000 windows of 24 steps and five channels, sin(ωt + θ) with ω and θ uniform on "
        "[0, 0.1], as in the published code (not as in the paper's text); a tenth each for "
        "validation and test. The packaged recipe gan-series with R1 and R2 at 0.01 in place of "
        "0.1, for windows without end cannot be learnt by heart, a rate of 5e-4 in place of 1e-3 "
        "and averaged weights of a half-life of 200,000 observations in place of 20,000 (12,000 "
        "steps; paper 20,000), and timegan-series (1,500; 10,000), as it is but for its steps. "
        "2,000 draws against "
        "2,000 test windows: a GRU of 24 units tells them apart, |accuracy − ½|, the mean of two. "
        "The bar is the upper end of the interval over seeds. Networks of gan-series, rates, "
        "penalties and averages were chosen with seeds from 100 on. After 5,000 steps of the "
        "recipe's own rate and average the score was 0.034, 0.046 and 0.191, and 0.021 to 0.029 "
        "on another machine: a game that is not at rest is another one when sums are rounded "
        "otherwise."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        data = opened(WINDOWS[budget], out)
        table = {"path": str(path_of(out)), "kind": "series"}
        ours = measured(OURS, STEPS[budget], data, table, setting.n, seeds, out, FINE, SLOW)
        rival = measured(RIVAL, setting.rival, data, table, setting.n, seeds, out)
        return [bar(ours), *told(OURS, ours), *told(RIVAL, rival)]


def bar(found: Found) -> Row:
    """The score of ours, at the upper end of its interval."""
    name = FIGURES[0]
    span = over_seeds(values(found, name), AMOUNTS)
    return Row(f"{name}, {OURS}: upper end", "bar", most(span), span.low, span.high, len(found),
               "test", "lower", BAR, REPORTED, SOURCE)  # fmt: skip


def path_of(folder: Path) -> Path:
    return folder / "sines.npy"


def opened(n: int, folder: Path) -> Material:
    """Sines in a file, divided."""
    path = path_of(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(path, sines(n))
    found = examine(path, "series")
    return Material.of(found.kind, found.source, (), {})


def sines(n: int, steps: int = 24, channels: int = 5) -> NDArray[np.float32]:
    """Windows (n, steps, channels) in [0, 1].

    >>> sines(3).shape
    (3, 24, 5)
    """
    rng = np.random.default_rng(0)
    frequency, phase = rng.uniform(0, 0.1, (2, n, 1, channels))
    t = np.arange(steps)[None, :, None]
    return ((np.sin(frequency * t + phase) + 1) / 2).astype(np.float32)
