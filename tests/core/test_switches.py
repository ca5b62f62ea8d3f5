"""The table of switches is what the code takes, and a switch in vain is refused with the reason."""

from typing import ClassVar

import pytest

from twofold.core.build import options
from twofold.core.errors import UserError
from twofold.core.game import Criticises, Model
from twofold.core.switches import SWITCHES, Switch, reason, takes
from twofold.models import families
from twofold.runs.recipe import plan, settings

TAKEN = [
    (name, title)
    for name, family in families().items()
    for title, answer in takes(family).items()
    if answer == "yes"
]


def test_the_gan_takes_all_of_them() -> None:
    assert set(takes(families()["gan"]).values()) == {"yes"}


@pytest.mark.parametrize(("name", "title"), TAKEN)
def test_the_setting_of_a_switch_is_one_where_it_is_taken(name: str, title: str) -> None:
    """It is checked as `fit` would, and changes the recipe where it was not on already."""
    plain = plan({"model": {"name": name}}, {}).recipe
    table = settings([f"model.name={name}", SWITCHES[title].setting])
    asked, made = table["model"].get(SWITCHES[title].option), plain["model"]
    already = title == "EMA" or asked == made.get(SWITCHES[title].option, ...)
    assert already is (plan(table, {}).recipe == plain)


@pytest.mark.parametrize("title", sorted(SWITCHES))
def test_a_family_without_a_switch_refuses_it_and_says_why(title: str) -> None:
    switch = SWITCHES[title]
    for name, family in families().items():
        if takes(family)[title] == "yes" or switch.option in options(family):
            continue
        with pytest.raises(
            UserError, match=rf"model\.{switch.option} is .*{reason(family, switch)}"
        ):
            plan(settings([f"model.name={name}", switch.setting]), {})


def test_a_familys_own_reason_comes_first() -> None:
    class Odd(families()["vae"]):  # type: ignore[misc]
        lacks: ClassVar = {"pac": "one observation is one pack already"}

    class Judge(Odd, Criticises):
        lacks: ClassVar = {}

    assert reason(Odd, SWITCHES["packing"]) == "odd: one observation is one pack already"
    assert reason(Odd, SWITCHES["top-k"]) == "odd has no critic of observations"
    assert reason(Judge, SWITCHES["top-k"]) == "the game of judge has no place for it"


def test_training_switches_are_for_all() -> None:
    every: Switch = SWITCHES["TTUR"]
    assert every.trains
    assert all(reason(family, every) == "" for family in families().values())
    assert issubclass(families()["gan"], Model)
