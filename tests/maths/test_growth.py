"""Growth is a function of progress alone, without a jump, and ends with all there is."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.core.build import parts_of
from twofold.core.errors import UserError
from twofold.maths.growth import AtOnce, Even, Grown, Growth, Shares


def level(grown: Grown) -> float:
    """How far it has grown, as one number."""
    return grown.stage - 1 + grown.fade


@pytest.mark.parametrize("name", sorted(parts_of(Growth)))
@given(stages=st.integers(1, 9), t=st.floats(0, 1), later=st.floats(0, 1))
def test_it_only_grows_and_ends_whole(name: str, stages: int, t: float, later: float) -> None:
    growth = parts_of(Growth)[name]()
    early, late = (growth(x, stages) for x in sorted((t, later)))
    assert level(early) <= level(late)
    assert 0 < early.fade <= 1
    assert 0 <= early.stage < stages
    assert early.stage > 0 or early.fade == 1  # the first has nothing to fade from
    assert growth(1.0, stages) == Grown(stages - 1, 1.0)


@pytest.mark.parametrize("growth", [Even(), Shares(), Even(fade=1.0)])
def test_it_grows_without_a_jump(growth: Growth) -> None:
    steps = [level(growth(t / 10_000, 4)) for t in range(10_001)]
    assert max(b - a for a, b in pairwise(steps)) < 0.01
    assert steps[0] == 0


def test_shares_divide_training() -> None:
    growth = Shares((1.0, 3.0), fade=0.5)
    stages = [growth(t, 3).stage for t in (0.1, 0.2, 0.5, 0.6, 0.99)]  # 1, 3 and 3 sevenths
    assert stages == [0, 1, 1, 2, 2]
    assert growth(1 / 7 + 0.5 * 3 / 14, 3).fade == pytest.approx(0.5)
    with pytest.raises(UserError, match="give one or more"):
        Shares(())


def test_without_fading_a_stage_is_there_at_once() -> None:
    assert Even(fade=0.0)(0.51, 2) == Grown(1, 1.0)
    assert AtOnce()(0.0, 5) == Grown(4, 1.0)
