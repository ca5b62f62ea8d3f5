"""The verdict on a game, from numbers made for it."""

import math
from dataclasses import replace

import pytest

from twofold.measures.diagnosis import LIMITS, RULES, diagnose, vitals_of
from twofold.measures.measure import Figure
from twofold.measures.vitals import NOWHERE, UNKNOWN, Spread, Vitals

FLOOR = Spread(0.9, 0.8, 0.95, 500.0, 0.4)
GOOD = Spread(0.85, 0.75, 0.9, 450.0, 0.42)
FLAT = Spread(0.0, 0.0, 0.0, 0.0, 0.0)
WELL = Vitals(0.75, 0.74, 0.05, -0.1, GOOD, FLOOR, FLAT)


def spread(**changed: float) -> Vitals:
    return replace(WELL, spread=replace(GOOD, **changed))


def rising(vitals: Vitals, **by: float) -> Vitals:
    return replace(vitals, rise=replace(FLAT, **by))


STRONG = replace(spread(precision=0.2, recall=0.1), train=1.0, held_out=0.99)
FEW = spread(recall=0.1, support=20.0)
CASES = [
    ("healthy", WELL),
    ("healthy", Vitals()),
    ("healthy", replace(WELL, train=1.0, held_out=1.0)),  # a critic may win over good draws
    ("healthy", rising(STRONG, precision=0.1)),  # young
    ("healthy", rising(spread(recall=0.3, support=200.0), recall=0.1)),  # young
    ("healthy", replace(WELL, overfitting=0.9, least=-0.2)),  # too few rows to say
    ("healthy", replace(WELL, train=0.55, overfitting=0.9, least=0.5)),  # it tells nothing apart
    ("diverged", replace(WELL, finite=False)),
    ("diverged", replace(WELL, spread=NOWHERE)),
    ("diverged", spread(apart=3.0)),
    ("healthy", rising(spread(apart=1.5), apart=-0.4)),  # the first draws, on their way
    ("diverged", rising(spread(apart=50.0), apart=-90.0)),  # up and down
    ("diverged", spread(precision=0.0, recall=0.0, support=1.0, apart=0.9)),
    ("overfitting", replace(WELL, train=0.9, held_out=0.5, overfitting=0.8, least=0.6)),
    ("critic too strong", STRONG),
    ("critic too strong", replace(STRONG, held_out=math.nan)),
    ("critic too strong", replace(STRONG, rise=UNKNOWN)),
    ("collapsing", FEW),
    ("collapsing", rising(FEW, recall=0.2)),  # good draws, repeated, whatever comes
    ("collapsing", spread(recall=0.3)),
    ("collapsing", spread(recall=0.3, precision=0.3, support=100.0)),
    ("healthy", spread(recall=0.3, precision=0.3)),  # poor and varied: time will tell
    ("collapsing", replace(WELL, modes=7.0, classes=10.0)),
]


@pytest.mark.parametrize(("verdict", "vitals"), CASES)
def test_numbers_give_the_verdict(verdict: str, vitals: Vitals) -> None:
    assert diagnose(vitals).verdict == verdict


def test_it_says_why_with_the_numbers() -> None:
    assert "recall is 0.10 where real data reach 0.80" in str(diagnose(FEW))
    assert "as if there were 20 of them" in str(diagnose(FEW))
    stuck = str(diagnose(spread(recall=0.3)))  # as various as real ones, and still a part only
    assert "precision is" in stuck
    assert "repeat" not in stuck
    assert "held-out observations above draws in 99.0% of pairs" in diagnose(STRONG).because
    assert "7 of 10 classes" in diagnose(replace(WELL, modes=7.0, classes=10.0)).because


def test_causes_come_before_what_they_lead_to() -> None:
    """Numbers that all rules hold of get the first, and so on without it."""
    everything = replace(
        STRONG,
        spread=Spread(0.2, 0.0, 0.0, 1.5, 2.0),
        overfitting=0.9,
        least=0.9,
    )
    assert all([*rule(everything)] for rule in RULES.values())
    assert diagnose(everything).verdict == "diverged"
    near = replace(everything, spread=replace(everything.spread, apart=0.5))
    assert diagnose(near).verdict == "overfitting"
    assert diagnose(replace(near, overfitting=0.0)).verdict == "critic too strong"
    assert diagnose(replace(near, overfitting=0.0, held_out=0.6)).verdict == "collapsing"


def test_more_of_a_good_thing_never_makes_it_worse() -> None:
    """Recall and support from nothing to the floor: collapsing, and from somewhere on healthy."""
    for support in (10.0, 100.0, 500.0):
        seen = [
            diagnose(spread(recall=recall / 20 * FLOOR.recall, support=support)).verdict
            for recall in range(21)
        ]
        healthy = seen.index("healthy")
        assert healthy == math.ceil(20 * LIMITS.poor)
        assert set(seen[:healthy]) == {"collapsing"}
        assert set(seen[healthy:]) == {"healthy"}


def figure(name: str, value: float, floor: float = math.nan) -> Figure:
    return Figure(name, value, value - 0.05, value + 0.05, 100, "neither", floor)


def test_figures_of_a_run_tell_the_same() -> None:
    found = [
        figure("critic_ranks_train", 0.9),
        figure("critic_ranks_held_out", 0.5),
        figure("critic_overfitting", 0.8, 0.0),
        figure("recall", 0.7, 0.8),
    ]
    assert diagnose(vitals_of(found)).verdict == "overfitting"
    assert diagnose(vitals_of(found[3:])).verdict == "healthy"
    classes = [figure("modes_covered", 8, 10), figure("modes_accuracy", 0.9)]
    assert diagnose(vitals_of(classes)).verdict == "collapsing"
    unsure = [classes[0], figure("modes_accuracy", 0.4)]
    assert diagnose(vitals_of(unsure)).verdict == "healthy"
    assert diagnose(vitals_of([])).verdict == "healthy"
