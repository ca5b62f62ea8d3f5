"""Measurements at any time are laid on steps; nothing is lost but which minute it was."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twofold.core.errors import UserError
from twofold.data.kinds.series import Series
from twofold.data.regular import Track, interval, regular

MOMENTS = st.lists(
    st.tuples(st.integers(0, 3), st.floats(0, 20), st.floats(-5, 5)), min_size=1, max_size=40
)


@given(MOMENTS, st.floats(0.05, 7.0))
def test_each_step_is_the_mean_of_what_was_measured_in_it(
    moments: list[tuple[int, float, float]], every: float
) -> None:
    moments = sorted(moments)
    series, time, values = (np.array(column) for column in zip(*moments, strict=True))
    track = Track(series, time, values[:, None], np.arange(len(series)))
    found = regular(track, every)
    ticks = np.floor(time / every + 1e-6)
    for name in np.unique(series):
        mine = found.series == name
        told = np.round(found.time[mine] / every)
        assert (np.diff(told) == 1).all()
        assert (told[0], told[-1]) == (ticks[series == name].min(), ticks[series == name].max())
        for tick, step in zip(told, found.steps[mine, 0], strict=True):
            measured = values[(series == name) & (ticks == tick)]
            assert np.isnan(step) if not len(measured) else step == pytest.approx(measured.mean())
    assert (series[found.rows] == found.series).all()
    assert (ticks[found.rows] <= np.round(found.time / every)).all()


@pytest.mark.parametrize(
    ("text", "dates", "seconds"), [("15min", True, 900), ("1h", True, 3600), ("0.5", False, 0.5)]
)
def test_lengths_of_time(text: str, dates: bool, seconds: float) -> None:
    assert interval(text, dates) == seconds


@pytest.mark.parametrize(
    ("text", "dates", "said"),
    [("soon", True, "no length"), ("0h", True, "no length"), (".", True, "no length"),
     ("1h", False, "without a unit")],
)  # fmt: skip
def test_what_is_no_length_is_told(text: str, dates: bool, said: str) -> None:
    with pytest.raises(UserError, match=said):
        interval(text, dates)


def visits(hours: int = 30) -> pd.DataFrame:
    """Two patients, measured when somebody came; the second leaves early."""
    rng = np.random.default_rng(0)
    rows = [
        (name, start + pd.Timedelta(minutes=int(minute)), channel, round(float(rng.normal()), 2))
        for name, start, most in (
            ("a", pd.Timestamp("2024-03-01 08:00"), hours * 60),
            ("b", pd.Timestamp("2024-05-01 12:30"), 300),
        )
        for channel in ("pulse", "flow")
        for minute in np.sort(rng.choice(most, 25, replace=False))
    ]
    return pd.DataFrame(rows, columns=["who", "time", "variable", "value"]).assign(
        time=lambda frame: frame["time"].dt.strftime("%Y-%m-%d %H:%M")
    )


def test_a_long_table_becomes_hours_and_a_short_stay_is_as_long_as_a_window() -> None:
    frame = visits()
    kind, _ = Series.inspect(frame, every="1h", window=12, stride=12)
    source = kind.open(frame)
    assert kind.space.shape == (4, 12)  # two channels, and whether each is there
    assert len(source) == 3  # two windows of a, one of b
    rows = source.read(torch.arange(3))
    assert bool(rows.values[-1, :, 6:].isnan().all())  # b left after five hours
    again = Series.from_dict(kind.to_dict())
    assert again == kind
    assert bool((again.open(frame).read(torch.arange(3)).values.nan_to_num()
                 == rows.values.nan_to_num()).all())  # fmt: skip


def test_a_wide_table_does_too() -> None:
    rng = np.random.default_rng(1)
    time = np.sort(rng.uniform(0, 50, 200))
    frame = pd.DataFrame({"time": time, "pulse": rng.normal(size=200)})
    kind, _ = Series.inspect(frame, every="0.1", window=10)
    steps = kind.open(frame).read(torch.arange(1)).values
    assert 0.3 < float(steps.isnan().float().mean()) < 0.95


def test_what_cannot_be_laid_is_told() -> None:
    frame = pd.DataFrame({"pulse": np.arange(40.0), "flow": np.arange(40.0)})
    with pytest.raises(UserError, match=r"data\.time"):
        Series.inspect(frame, every="1")
    with pytest.raises(UserError, match="tables with a column of time"):
        Series.inspect(np.zeros((50, 2)), every="1")
    times = pd.DataFrame({"time": np.arange(40.0) * 1e9, "pulse": np.arange(40.0)})
    with pytest.raises(UserError, match="too many to hold"):
        Series.inspect(times, every="1")
