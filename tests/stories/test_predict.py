"""Series go on after their end, with intervals, in their own time and units."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import twofold
from tests.stories.commands import inside
from twofold.core.errors import UserError
from twofold.runs.run import Run

FEW = ["train.steps=20", "train.batch=32", "train.best=none", "model.latent=2", "data.window=6"]
SMALL = [f'model.{net}={{name="dense",width=16,depth=1}}' for net in ("encoder", "decoder")]


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two weeks of two beds, hour by hour."""
    hours = pd.date_range("2024-02-16", periods=336, freq="h")
    pulse = (70 + 9 * np.sin(np.arange(336) / 4)).round(1)
    beds = [pd.DataFrame({"time": hours, "bed": bed, "pulse": pulse}) for bed in ("north", "south")]
    path = tmp_path_factory.mktemp("monitor") / "monitor.csv"
    pd.concat(beds).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(monitor: Path) -> Run:
    out = monitor.parent / "run"
    return twofold.fit(monitor, set=[*FEW, *SMALL, "data.past=12"], out=out, quiet=True)


def test_each_series_goes_on_in_its_own_time(run: Run, monitor: Path, tmp_path: Path) -> None:
    out = tmp_path / "onward.csv"
    answer = inside("predict", run.path, monitor, "--check", "--draws", "20", "--out", out)
    assert answer.status == 0, answer.err
    assert "2 series went on by 6 steps" in answer.out
    assert "ridge regression" in answer.out
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["bed"] for row in rows] == ["north"] * 6 + ["south"] * 6
    assert [row["time"] for row in rows[:2]] == ["2024-03-01 00:00:00", "2024-03-01 01:00:00"]
    for row in rows:
        low, middle, high = (float(row[name]) for name in ("pulse low", "pulse", "pulse high"))
        assert low <= middle <= high
        assert 30 < middle < 110
        assert len(row["pulse"].partition(".")[2]) <= 1
    again = twofold.predict(run, monitor, draws=20, out=tmp_path / "again.csv")
    assert again.path.read_text() == out.read_text()
    within = twofold.predict(run, monitor, draws=20, out=tmp_path / "folder")
    assert within.path == tmp_path / "folder" / "predicted.csv"


def test_what_cannot_be_gone_on_with_is_said(run: Run, monitor: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    lines = monitor.read_text().splitlines()
    short.write_text("\n".join(lines[:9]))
    with pytest.raises(UserError, match="no 12 steps without a gap"):
        twofold.predict(run, short, out=tmp_path / "a.csv")
    (tmp_path / "taken.csv").write_text("mine")
    with pytest.raises(UserError, match="already there"):
        twofold.predict(run, monitor, out=tmp_path / "taken.csv")
    assert (tmp_path / "taken.csv").read_text() == "mine"
    with pytest.raises(UserError, match="makes no interval"):
        twofold.predict(run, monitor, draws=1)
    plain = twofold.fit(monitor, set=[*FEW, *SMALL], out=tmp_path / "plain", quiet=True)
    with pytest.raises(UserError, match=r"data\.past"):
        twofold.predict(plain, monitor)
