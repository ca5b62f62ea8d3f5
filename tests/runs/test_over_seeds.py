"""What several seeds say together."""

import math

import pytest

from twofold.measures.measure import Figure, every_measure
from twofold.runs.measuring import over_seeds


def told(name: str, *values: float) -> Figure:
    by_seed = [[Figure(name, value, math.nan, math.nan, 100, "higher")] for value in values]
    return over_seeds(by_seed)[0]


def test_the_interval_of_a_share_ends_where_a_share_must() -> None:
    """Student's t knows nothing of shares: of these it goes from below 0 to above 1."""
    found = told("precision", 0.2, 0.9, 0.9)
    assert (found.low, found.high) == (0.0, 1.0)
    assert told("kl", 0.1, 3.0).low == 0.0
    free = told("elbo", 0.2, 0.9, 0.9)
    assert free.low < 0 < 1 < free.high


@pytest.mark.parametrize("measure", every_measure(), ids=lambda one: type(one).__name__)
def test_what_can_be_is_told_of_figures_that_there_are(measure: object) -> None:
    assert set(measure.within) <= set(measure.names)  # type: ignore[attr-defined]
