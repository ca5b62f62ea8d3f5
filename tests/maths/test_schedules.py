"""Schedules at the points that matter."""

import math

import pytest

from twofold.core.build import parts_of
from twofold.maths.schedules import Constant, Cosine, Linear, Schedule


def test_values() -> None:
    assert [Constant()(t) for t in (0.0, 0.3, 1.0)] == [1.0, 1.0, 1.0]
    assert [Linear()(t) for t in (0.0, 0.25, 1.0)] == [1.0, 0.75, 0.0]
    assert Linear(final=0.2)(1.0) == pytest.approx(0.2)
    assert Cosine()(0.5) == pytest.approx(0.5)
    assert Cosine()(0.25) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
    assert Cosine(final=0.1)(1.0) == pytest.approx(0.1)


@pytest.mark.parametrize("make", [Linear, Cosine])
def test_warm_up_rises_from_above_zero_to_one_and_falls_from_there(make: type[Linear]) -> None:
    schedule = make(warmup=0.2, final=0.0)
    rising = [schedule(t / 100) for t in range(21)]
    assert 0 < rising[0] < 0.02
    assert rising == sorted(rising)
    assert schedule(0.2) == pytest.approx(1.0)
    falling = [schedule(0.2 + 0.8 * t / 100) for t in range(101)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] == pytest.approx(0.0)
    assert schedule(0.6) == pytest.approx(0.5)


@pytest.mark.parametrize("name", sorted(parts_of(Schedule)))
def test_every_schedule_stays_in_the_unit_interval(name: str) -> None:
    schedule = parts_of(Schedule)[name]()
    assert all(0 <= schedule(t / 50) <= 1 for t in range(51))
