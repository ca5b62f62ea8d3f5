"""Charts: valid XML, points inside their frame, and nothing that is not finite gets a place."""

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.report.charts import (
    Cloud,
    Curve,
    Frame,
    Labels,
    Mark,
    bars,
    heat,
    interval,
    lines,
    scatter,
    steps,
)
from twofold.report.page import Html
from twofold.report.scale import Scale, round_step, scale_of, short, wants_log

NAN, INF = math.nan, math.inf
ANY = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 1.0, -1.0, NAN, INF])
SVG = "{http://www.w3.org/2000/svg}"
EVIL = Labels("<script>&\"'", "<x>", "<y>")


def parsed(chart: Html) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def places(chart: Html) -> list[tuple[float, float]]:
    """Every point of the curves and circles of a chart."""
    tree = parsed(chart)
    circles = [
        (float(c.get("cx", "nan")), float(c.get("cy", "nan"))) for c in tree.iter(f"{SVG}circle")
    ]
    paths = [p.get("d", "") for p in tree.iter(f"{SVG}path") if "curve" in p.get("class", "")]
    found = [re.findall(r"[ML](\S+) ([^ML]+)", d) for d in paths]
    return circles + [(float(x), float(y)) for several in found for x, y in several]


def inside(chart: Html) -> bool:
    _, _, width, height = map(float, parsed(chart).get("viewBox", "").split())
    return all(-0.1 <= x <= width + 0.1 and -0.1 <= y <= height + 0.1 for x, y in places(chart))


@given(st.lists(st.tuples(ANY, ANY), max_size=8))
def test_curves_of_anything_stay_in_their_frame(points: list[tuple[float, float]]) -> None:
    chart = lines(
        [Curve("a", [x for x, _ in points], [y for _, y in points])], EVIL, [Mark(0.5, "<best>")]
    )
    assert inside(chart)
    assert "nan" not in chart
    assert "inf" not in chart


@given(st.lists(st.tuples(ANY, ANY), max_size=8))
def test_points_of_anything_stay_in_their_frame(points: list[tuple[float, float]]) -> None:
    chart = scatter([Cloud("<i>", points)], EVIL, named=True)
    assert inside(chart)
    assert "nan" not in chart


@given(st.lists(ANY, min_size=5, max_size=5))
def test_an_interval_of_anything_stays_in_its_frame(numbers: list[float]) -> None:
    tree = parsed(interval(*numbers))
    for circle in tree.iter(f"{SVG}circle"):
        assert 0 <= float(circle.get("cx", "nan")) <= 150


def test_a_curve_is_broken_where_a_number_is_missing() -> None:
    chart = lines([Curve("loss", range(5), [1.0, 2.0, NAN, 3.0, 4.0])], Labels("loss"))
    drawn = next(
        p.get("d", "") for p in parsed(chart).iter(f"{SVG}path") if p.get("class") == "curve s0"
    )
    assert (drawn.count("M"), drawn.count("L")) == (2, 2)


def test_a_higher_value_is_drawn_higher_and_a_later_one_to_the_right() -> None:
    (x0, y0), (x1, y1) = places(lines([Curve("a", [0, 1], [1.0, 2.0])], Labels("a")))
    assert x0 < x1
    assert y0 > y1


def test_decades_are_equally_far_apart_where_the_span_demands_it() -> None:
    (_, a), (_, b), (_, c) = places(lines([Curve("a", [0, 1, 2], [1.0, 10.0, 100.0])], Labels("a")))
    assert a - b == pytest.approx(b - c, abs=0.11)


def test_a_steep_beginning_does_not_squeeze_the_rest() -> None:
    y = [-1e6, *(-float(i) for i in range(30, 0, -1))]
    shown = places(lines([Curve("elbo", range(31), y)], Labels("elbo")))
    heights = [place[1] for place in shown]
    assert len(shown) >= 28
    assert max(heights) - min(heights) > 120


def test_a_chart_of_nothing_says_so() -> None:
    for chart in (lines([], EVIL), scatter([], EVIL), lines([Curve("a", [1], [NAN])], EVIL)):
        assert "no numbers to show" in chart
        assert parsed(chart).tag == f"{SVG}svg"


def test_a_mark_stands_at_its_step_with_its_words() -> None:
    marks = [Mark(100, "best"), Mark(200, "no")]
    chart = lines([Curve("a", [0, 100], [1.0, 2.0])], Labels("a"), marks)
    words = [t.text for t in parsed(chart).iter(f"{SVG}text")]
    assert "best" in words
    assert "no" not in words


def test_a_single_point_is_seen() -> None:
    assert len(places(lines([Curve("a", [3], [2.0])], Labels("a")))) == 1


def test_shares_and_heat_are_valid_and_escape_their_names() -> None:
    for chart in (
        bars(["<script>", "b"], [[0.5, NAN], [0.25, 0.75]], EVIL),
        heat([[1.0, NAN], [0.2, 1.0]], ["<a>", "b"], EVIL),
        steps([0, 1, 2], [[0.5, NAN], [0.1, 0.9]], EVIL),
    ):
        assert parsed(chart).tag == f"{SVG}svg"
        assert "<script>" not in chart


def test_a_bar_is_as_long_as_its_share() -> None:
    rects = list(parsed(bars(["a", "b"], [[0.6, 0.3]], Labels("t"))).iter(f"{SVG}rect"))
    first, second = (float(r.get("width", "0")) for r in rects)
    assert first == pytest.approx(2 * second, rel=1e-2)


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e12))
def test_ticks_lie_inside_and_are_few(low: float, span: float) -> None:
    scale = Scale(low, low + span)
    if not low + span > low:
        return
    ticks = scale.ticks()
    assert len(ticks) <= 7
    assert all(-1e-6 <= scale(t) <= 1 + 1e-6 for t in ticks)


def test_steps_are_round() -> None:
    assert [round_step(v) for v in (0.013, 0.2, 3, 70)] == [0.02, 0.2, 5, 100]


def test_scales_ignore_what_is_not_finite() -> None:
    assert scale_of([NAN, INF, -INF]) == Scale()
    assert math.isnan(Scale(1, 10, True)(-1))
    assert not wants_log([0.0, 1e6])
    assert wants_log([1.0, 1e6, NAN])
    assert not Frame(Scale(), Scale()).inside((NAN, 1.0))


def test_numbers_are_spelled_shortly() -> None:
    assert short(-0.5) == "−0.5"
    assert short(INF) == "∞"
