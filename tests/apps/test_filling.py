"""`impute` on series through the command: measured at any time, or step by step."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.stories.commands import inside, settings

SMALL = [*settings("vae", steps=20, batch=16, evaluate=1000), "--set", "model.latent=2"]


def stays() -> pd.DataFrame:
    """What was measured in forty stays of three to thirty hours, at any time, and whose it was."""
    rng = np.random.default_rng(0)
    rows = []
    for stay in range(40):
        times = np.sort(rng.uniform(0, rng.uniform(3, 30), 30)).round(3)
        pulse, heat = rng.normal(80, 9, 30).round(0), rng.normal(37, 0.5, 30).round(1)
        gone = rng.random((2, 30)) < 0.4
        who = {"stay": f"s{stay}", "sex": "fm"[stay % 2], "age": 40 + stay % 7 * 5}
        rows += [
            {**who, "time": t, "pulse": p if not g else None, "heat": h if not k else None}
            for t, p, h, g, k in zip(times, pulse, heat, *gone, strict=True)
        ]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stays by the hour, with what is known of the patient as conditions; a run on them."""
    root = tmp_path_factory.mktemp("stays")
    stays().to_csv(root / "stays.csv", index=False)
    words = [*SMALL, "--set", 'data.given=["sex","age"]', "--set", "data.patient=stay"]
    for setting in ("kind=series", "every=1", "window=12", "stride=12"):
        words += ["--set", f"data.{setting}"]
    made = inside("fit", root / "stays.csv", *words, "--out", root / "run", "--quiet")
    assert made.status == 0, made.err
    return root


def hourly(seen: pd.DataFrame, how: str) -> pd.DataFrame:
    """The mean of what was measured in each hour of each stay, or how often that was."""
    of = [seen["stay"], np.floor(seen["time"]).rename("time")]
    return seen.groupby(of)[["pulse", "heat"]].agg(how)


def test_hours_that_were_measured_come_back_bit_for_bit(visits: Path) -> None:
    out = visits / "imputed"
    told = inside("impute", visits / "run", visits / "stays.csv", "--samples", "4", "--out", out)
    assert told.status == 0, told.err
    found = pd.read_csv(out / "completed.csv").set_index(["stay", "time"])
    seen, counted = hourly(stays(), "mean"), hourly(stays(), "count")
    assert set(found.columns) == {"sex", "age", "pulse", "heat"}
    assert seen.index.isin(found.index).all()
    for name in ("pulse", "heat"):
        known = seen[name].dropna()
        back = found.loc[known.index, name]
        once = counted[name].loc[known.index] == 1
        assert once.sum() > 100
        assert (back == known)[once].all()  # exactly, and in the file's units
        assert back.to_numpy() == pytest.approx(known.to_numpy(), rel=1e-14)
    by_stay = found.groupby(level="stay")["age"]
    full = by_stay.cumcount() < by_stay.transform("size") // 12 * 12
    assert found[full].notna().all(axis=None)  # every gap of a whole window is filled
    assert (found.groupby(level="stay")["sex"].nunique() == 1).all()


def test_a_patient_is_drawn_as_it_is_asked_for(visits: Path) -> None:
    """Static context is given once a series, in the units of the file, and holds all along it."""
    words = ["sample", visits / "run", "-n", "3", "--given", "age=55", "--given", "sex=f"]
    told = inside(*words, "--out", visits / "drawn")
    assert told.status == 0, told.err
    drawn = pd.read_csv(visits / "drawn" / "samples.csv")
    assert len(drawn) == 36
    assert set(drawn["age"]) == {55}
    assert set(drawn["sex"]) == {"f"}


def test_a_table_of_every_step_keeps_its_rows_and_texts(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    waves = [f"{np.sin(i / 4):.2f}0" * (rng.random() > 0.2) for i in range(240)]
    lines = [f"2024-01-{i // 24 + 1:02} {i % 24:02}:00,{wave},n{i}" for i, wave in enumerate(waves)]
    data = tmp_path / "monitor.csv"
    data.write_text("\n".join(["time,wave,note", *lines]) + "\n", encoding="utf-8")
    words = [*SMALL, "--set", "data.kind=series", "--set", 'data.channels=["wave"]']
    run, out = tmp_path / "run", tmp_path / "out"
    made = inside("fit", data, *words, "--set", "data.window=12", "--out", run, "--quiet")
    assert made.status == 0, made.err
    told = inside("impute", run, data, "--samples", "4", "--out", out)
    assert told.status == 0, told.err
    was, now = cells(data), cells(out / "completed.csv")
    assert len(was) == len(now)
    assert all(a == b or (a == "" and float(b) == float(b)) for a, b in zip(was, now, strict=True))
    assert "" not in now


def cells(path: Path) -> Sequence[str]:
    """The texts of a table, row by row."""
    return [text for line in path.read_text("utf-8").splitlines() for text in line.split(",")]


def test_the_last_steps_are_filled_and_stretches_without_a_window_are_said(tmp_path: Path) -> None:
    """Each stay has 30 steps, no multiple of 12, but one, which has too few for a window."""
    rng = np.random.default_rng(2)
    lines = [
        f"s{stay},{2 * i},{rng.normal(80, 9):.3f},{rng.normal(37, 1):.3f}"
        for stay in range(6)
        for i in range(30 if stay else 7)
    ]
    data, run, out = tmp_path / "stays.csv", tmp_path / "run", tmp_path / "out"
    data.write_text("\n".join(["stay,time,pulse,heat", *lines]) + "\n", encoding="utf-8")
    words = [*SMALL, "--set", "data.kind=series", "--set", "data.window=12"]
    made = inside("fit", data, *words, "--out", run, "--quiet")
    assert made.status == 0, made.err
    told = inside("impute", run, data, "--fields", "pulse", "--samples", "4", "--out", out)
    assert told.status == 0, told.err
    assert "150 values of 15 observations were filled: pulse 150" in told.out
    assert "not filled: pulse 7 (" in told.out
    was, now = pd.read_csv(data), pd.read_csv(out / "completed.csv")
    short = was["stay"] == "s0"
    assert (was["pulse"] == now["pulse"])[short].all()
    assert (was["pulse"] != now["pulse"])[~short].mean() > 0.9
    assert (was["heat"] == now["heat"]).all()
