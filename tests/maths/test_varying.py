"""Numbers that vary: at their ends, through a recipe, and in a part."""

import pytest

from twofold.core.build import build_part, complete, parts_of, resolved
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.maths.divergences import KL, Divergence
from twofold.maths.varying import Cosine, Cyclic, Linear, Sigmoid, Varying, at


@pytest.mark.parametrize("make", [Linear, Cosine])
def test_a_way_begins_after_and_stays_at_its_end(make: type) -> None:
    number = make(2.0, 5.0, steps=10, after=4)
    assert [number(0), number(4)] == [2.0, 2.0]
    assert number(9) == pytest.approx(3.5)
    assert [number(14), number(1000)] == [5.0, 5.0]


def test_a_sigmoid_rises_from_end_to_end() -> None:
    number = Sigmoid(1.0, 3.0, middle=100, width=5)
    assert number(0) == pytest.approx(1.0)
    assert number(100) == pytest.approx(2.0)
    assert number(10**6) == pytest.approx(3.0)


def test_a_cycle_begins_anew() -> None:
    number = Cyclic(0.0, 2.0, period=10, rise=0.2)
    assert [number(step) for step in (0, 1, 2, 9, 10, 11)] == [0.0, 1.0, 2.0, 2.0, 0.0, 1.0]


def test_a_recipe_says_how_a_number_varies_and_gets_it_back() -> None:
    table = {"name": "kl", "beta": {"name": "linear", "end": 4.0, "steps": 8}, "free_bits": 0.5}
    part = build_part(Divergence, table, "model.divergence")
    assert part == KL(beta=Linear(end=4.0, steps=8), free_bits=0.5)
    assert at(part, Progress(step=2)) == KL(beta=1.0, free_bits=0.5)
    assert build_part(Divergence, resolved(part), "model.divergence") == part


@pytest.mark.parametrize(
    "beta",
    [{"name": "liner"}, "much", [1], -1.0, float("nan"), *(
        {"name": name, end: -1.0}
        for name, sort in parts_of(Varying).items() for end in sort.levels
    )],
)  # fmt: skip
def test_what_is_neither_number_nor_schedule_is_refused(beta: object) -> None:
    with pytest.raises(UserError, match="beta"):
        build_part(Divergence, {"name": "kl", "beta": beta}, "model.divergence")


def test_a_part_without_such_numbers_is_itself() -> None:
    part = KL()
    assert at(part, Progress(step=3)) is part
    assert issubclass(Linear, Varying)
    assert complete(Linear, {})["steps"] == 1000
