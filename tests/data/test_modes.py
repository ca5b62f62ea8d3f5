"""Modes of a column: there and back, spikes exactly, and what a mixture is fitted to."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.core.space import Field, Space
from twofold.data.columns import Number
from twofold.data.guess import Look, learn
from twofold.data.kinds.tables import Tables
from twofold.data.modes import Modes

numbers = st.floats(-1e6, 1e6, allow_nan=False, width=32)


def through(modes: Modes, column: np.ndarray) -> np.ndarray:
    """The whole way to what networks see, in single precision, and back."""
    space = Space((Field("v", modes.domain),))
    v = torch.from_numpy(modes.forward(column)).float()[:, None]
    return modes.inverse(space.decode(space.encode(v))[:, 0].numpy())


@settings(max_examples=25, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=30), st.integers(1, 4))
def test_a_column_comes_back(values: list[float], times: int) -> None:
    column = np.repeat(np.array(values, np.float64), times)
    modes = Modes.fit(column)
    back = through(modes, column)
    assert np.abs(back - column).max() <= 2e-6 * (np.ptp(column) + modes.scale)
    assert back.min() >= column.min()
    assert back.max() <= column.max()
    assert sum(modes.weights) == pytest.approx(1, abs=0.02)


def test_a_value_that_many_share_is_a_mode_without_width() -> None:
    chance = np.random.default_rng(0)
    column = np.concatenate([np.zeros(500), np.full(60, 40.0), chance.normal(900, 5, 440)])
    modes = Modes.fit(column)
    spikes = [m for m, s in zip(modes.means, modes.stds, strict=True) if s == 0]
    assert modes.inverse(spikes).tolist() == [0, 40]
    assert (through(modes, column)[:560] == column[:560]).all()
    assert modes.weights[:2] == pytest.approx((0.5, 0.06))


def test_a_mixture_finds_its_modes() -> None:
    chance = np.random.default_rng(0)
    column = np.concatenate([chance.normal(-20, 1, 3000), chance.normal(20, 3, 1000)])
    modes = Modes.fit(column)
    share = sum(w for m, w in zip(modes.means, modes.weights, strict=True) if m < 0)
    low = [m * modes.scale + modes.shift for m in modes.means if m < 0]
    assert share == pytest.approx(0.75, abs=0.02)
    assert all(abs(mean + 20) < 3 for mean in low)
    assert len(modes.means) <= 10


def test_a_table_says_how_its_numbers_are_told() -> None:
    import pandas

    chance = np.random.default_rng(0)
    frame = pandas.DataFrame({
        "pay": chance.lognormal(3, 1, 200).round(2), "age": chance.integers(18, 90, 200),
    })  # fmt: skip
    frame.loc[::9, "pay"] = np.nan
    kind, _ = Tables.inspect(frame, numbers="modes", types={"age": "number scores"})
    pay, age = kind.columns
    assert isinstance(pay, Number)
    assert isinstance(pay.scores, Modes)
    assert isinstance(age, Number)
    assert not isinstance(age.scores, Modes)
    assert Tables.from_dict(kind.to_dict()) == kind
    rows = kind.open(frame).read(torch.arange(200))
    again = kind.space.decode(kind.space.encode(rows.values))
    pandas.testing.assert_frame_equal(kind.native(type(rows)(again, rows.given)), frame)


def test_whole_numbers_that_are_written_as_others_stay_whole() -> None:
    texts = [f"{n}.0" for n in range(40)] * 2
    column = learn(Look.of(texts), "number modes")[0]
    drawn = column.texts(np.linspace(-1.5, 1.5, 50)[:, None])
    assert set(drawn) <= set(texts)
