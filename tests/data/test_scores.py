"""Normal scores are monotone, exact on what they learnt, and give spikes back as often."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.data.scores import NormalScores

finite = st.floats(-1e12, 1e12, allow_subnormal=False)
columns = st.one_of(
    st.lists(finite, min_size=1, max_size=200),
    st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=200),
)


@given(columns)
def test_every_knot_comes_back_bit_for_bit_through_float32(column: list[float]) -> None:
    scores = NormalScores.fit(column)
    through = scores.forward(column).astype(np.float32)
    assert scores.inverse(through).tolist() == column


@given(st.lists(st.integers(0, 10**6), min_size=50, max_size=300), st.integers(5, 40))
def test_values_between_knots_come_back_after_rounding(column: list[int], knots: int) -> None:
    scores = NormalScores.fit(column, knots)
    assert np.round(scores.inverse(scores.forward(column))).tolist() == column


@given(columns, st.lists(finite, min_size=2, max_size=50))
def test_forward_keeps_the_order_of_any_numbers(column: list[float], others: list[float]) -> None:
    points = np.sort(others)
    assert (np.diff(NormalScores.fit(column).forward(points)) >= 0).all()


@given(columns, st.lists(st.floats(-9, 9), min_size=1, max_size=50))
def test_the_inverse_stays_within_the_bounds(column: list[float], points: list[float]) -> None:
    back = NormalScores.fit(column).inverse(points)
    assert min(column) <= back.min()
    assert back.max() <= max(column)


@given(columns)
def test_plain_data_is_the_whole_map(column: list[float]) -> None:
    scores = NormalScores.fit(column)
    assert NormalScores.from_dict(json.loads(json.dumps(scores.to_dict()))) == scores


def test_scores_of_a_long_column_are_standard_normal() -> None:
    column = np.random.default_rng(0).exponential(size=20_000)
    scores = NormalScores.fit(column)
    shown = scores.forward(column)
    assert len(scores.values) <= 1000
    assert abs(shown.mean()) < 1e-3
    assert abs(shown.std() - 1) < 0.01


def test_a_spike_comes_back_as_often_as_it_was() -> None:
    chance = np.random.default_rng(1)
    column = np.where(chance.random(10_000) < 0.9, 0.0, chance.exponential(1000, 10_000))
    back = NormalScores.fit(column).inverse(chance.standard_normal(100_000))
    assert abs((back == 0).mean() - (column == 0).mean()) < 0.02
    assert abs(back.mean() / column.mean() - 1) < 0.1


def test_an_outlier_scores_beyond_the_bounds() -> None:
    scores = NormalScores.fit(np.arange(100.0))
    shown = scores.forward([99.0, 200.0, 1e9, 1e300])
    assert (np.diff(shown) > 1).all()
    assert np.isfinite(shown).all()


def test_missing_stays_missing() -> None:
    scores = NormalScores.fit([1.0, 2.0, 2.0])
    assert np.isnan(scores.forward([np.nan, 1.0])).tolist() == [True, False]
    assert np.isnan(scores.inverse([np.nan, 0.0])).tolist() == [True, False]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_constant_column_has_one_score(n: int) -> None:
    scores = NormalScores.fit([7.0] * n)
    assert scores.forward([7.0]).tolist() == [0.0]
    assert scores.inverse([-3.0, 3.0]).tolist() == [7.0, 7.0]
