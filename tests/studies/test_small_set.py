"""What other writings of a small set's molecules bring, from figures that are made up."""

import math

import pytest

from twofold.studies.small_set import Judged, compared

PLAIN = [Judged(0.2, 0.9, 0.8, 4.0), Judged(0.3, 0.9, 0.8, 5.0), Judged(0.1, 0.9, 0.8, 4.5)]


def test_both_bars_are_lower_ends_of_paired_differences() -> None:
    many = [Judged(one.valid + 0.4, 0.9, 0.9, one.fcd - 2) for one in PLAIN]
    valid, near, *rest = compared("60 molecules", PLAIN, many)
    assert (valid.kind, near.kind) == ("bar", "bar")
    assert (valid.ours, near.ours) == pytest.approx((0.4, 2.0))
    assert valid.holds
    assert near.holds
    assert {row.kind for row in rest} == {"finding"}
    assert not compared("60 molecules", many, PLAIN)[0].holds


def test_a_seed_without_enough_molecules_has_no_distance_and_keeps_its_validity() -> None:
    many = [Judged(0.5, 0.9, 0.9, 2.0)] * 3
    some = [Judged(0.0, 0.9, 0.9, math.nan), *PLAIN[1:]]
    rows = compared("60 molecules", some, many)
    assert rows[0].n == 3
    assert rows[1].n == 2
    none = [Judged(0.0, 0.9, 0.9, math.nan)] * 3
    assert not any("canonical: FCD" in row.measure for row in compared("x", none, many))
