"""Intervals over seeds, and bars on their lower ends."""

import math

import pytest
from scipy import stats

from twofold.studies.seeds import AMOUNTS, SHARES, exact, finding, gain, over_seeds


def test_the_interval_is_students() -> None:
    values = [1.0, 2.0, 4.0]
    found = over_seeds(values)
    low, high = stats.t.interval(0.95, 2, loc=found.value, scale=stats.sem(values))
    assert found == pytest.approx((7 / 3, low, high))


def test_one_seed_has_no_interval() -> None:
    found = over_seeds([3.0])
    assert found.value == 3.0
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_a_gain_must_be_sure() -> None:
    assert gain("sure", [1.0, 1.1, 0.9], "test").holds
    assert not gain("only on average", [3.0, -1.0, 1.0], "test").holds
    assert not gain("the wrong way", [-1.0, -1.1, -0.9], "test").holds


def test_the_worst_error_counts() -> None:
    assert exact("close", [1e-12, 1e-10], 1e-9).holds
    assert not exact("once not", [1e-12, 1e-3], 1e-9).holds


def test_an_interval_ends_where_a_figure_can_be_no_more() -> None:
    """Student's t goes beyond both ends of shares that differ much."""
    shares, values = [0.1, 0.9, 1.0], (0.0, 1.0)
    assert over_seeds(shares).low < 0 < 1 < over_seeds(shares).high
    row = finding("share", shares, "test", "higher", SHARES)
    assert (row.ours, row.low, row.high) == pytest.approx((sum(shares) / 3, *values))
    assert finding("amount", [0.1, 2.0], "test", "lower", AMOUNTS).low == 0
    assert math.isnan(finding("one", [0.5], "test", "higher", SHARES).low)
