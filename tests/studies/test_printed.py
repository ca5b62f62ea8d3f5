"""What a study prints: each figure with its interval, its bar, and what was published."""

from __future__ import annotations

import math
from dataclasses import replace

from twofold.studies.study import Result, Row

BAR = Row("modes", "bar", 7.5, 7, 8, 5, "none", "higher", 8.0, 7.9, "Lin et al., Table 1", 8.0, 3.0)
FOUND = Row("seconds", "finding", 2.5, math.nan, math.nan, 1, "none", "lower")
RESULT = Result("ring", "All modes.", "Lin et al.", "as they did", "cpu", 5, 1.0, (BAR, FOUND))


def test_a_line_has_figure_interval_bar_and_what_is_reported() -> None:
    head, bar, found = str(RESULT).splitlines()
    assert head == "ring (cpu, seeds 5): All modes. (Lin et al.)"
    assert bar == (
        "  modes: 7.5 (7 … 8, n 5); floor 8, baseline 3; bar at least 8: does not hold; "
        "reported 7.9 (Lin et al., Table 1)"
    )
    assert found == "  seconds: 2.5 (n 1); finding, no bar"
    reached = str(replace(RESULT, rows=(replace(BAR, better="lower"),)))
    assert "bar at most 8: holds" in reached


def test_figures_of_smoke_are_not_judged() -> None:
    """In a few steps a bar means nothing, whether it is reached or not."""
    smoke = replace(RESULT, budget="smoke", rows=(BAR, replace(BAR, ours=9.0), FOUND))
    assert str(smoke).count("bar at least 8: not judged at this budget") == 2
    assert "hold" not in str(smoke)
    assert [row["holds"] for row in smoke.to_dict()["rows"]] == [None, None, None]
    assert [row["holds"] for row in RESULT.to_dict()["rows"]] == [False, None]
