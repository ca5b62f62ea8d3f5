r"""Hours of a transformer: is a GAN of windows nearer to them than TimeGAN is?

ETTh1 (Zhou et al. 2021, arXiv:2012.07436) has seven channels, hour by hour for two years. Time is
parted into twenty blocks before windows are cut, and whole blocks train, choose or test, so that no
window of the test overlaps one of training, as windows that are cut first and shuffled do; the
floor therefore holds what changes from block to block. (Were the last months the test, no draws
could pass: real windows of the months before are told from them with a score of 0.30.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twofold.data.doctor import examine
from twofold.runs.training import Material
from twofold.studies.iwae_order import differences
from twofold.studies.seeds import gain
from twofold.studies.study import Budget, Row, Study
from twofold.studies.windows import FIGURES, RIVAL, SETTINGS, measured, told, values

OURS = "gan-series"
TABLE: Mapping[str, Any] = {
    "name": "ett", "window": 24,
    "split": {"validation": 0.1, "test": 0.2},
}  # fmt: skip


class EttSeries(Study):
    """Drawn hours told from real ones."""

    claim = "Drawn windows of hours are told from real ones less easily than TimeGAN's are."
    paper = "Yoon et al. 2019, Time-series Generative Adversarial Networks"
    protocol = (
        "ETTh1, windows of 24 hours of seven channels, stride 1, cut inside twenty blocks "
        "of time, of which a tenth validates and a fifth tests. The packaged recipes "
        "gan-series (5,000 steps; paper 20,000) and timegan-series (1,500; 10,000), as they are "
        "but for their steps. 2,000 draws against 2,000 test windows: a GRU of 24 units tells them "
        "apart, |accuracy − ½|, the mean of two. The bar is the lower end of TimeGAN's score minus "
        "ours, seed by seed. Networks of gan-series and rates were chosen with seeds from 100 on."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        data = opened()
        ours = measured(OURS, setting.steps, data, TABLE, setting.n, seeds, out)
        rival = measured(RIVAL, setting.rival, data, TABLE, setting.n, seeds, out)
        name = FIGURES[0]
        apart = differences(values(rival, name), values(ours, name))
        bar = gain(f"{name}: {RIVAL} minus {OURS}", apart, "test")
        return [bar, *told(OURS, ours), *told(RIVAL, rival)]


def opened() -> Material:
    """The hours, divided in time."""
    found = examine(TABLE["name"], window=TABLE["window"])
    return Material.of(found.kind, found.source, (), TABLE)
