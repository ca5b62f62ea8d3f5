"""What can be turned in a game: every family with a critic, whatever befalls it."""

from typing import Any

import pytest
import torch

from tests.contract.conftest import GIVENS, SPACES, small, values_of
from tests.contract.test_families import same
from twofold.core.game import Criticises, Model, Rescues, Trouble
from twofold.core.switches import REMEDIES, SWITCHES, reason
from twofold.data.sources import Memory
from twofold.maths.augmentations import Adaptive, DiffAugment
from twofold.models import families
from twofold.nets.critics import critics
from twofold.nets.steadying import ANSWERS, SLOWER, Steadied, payers
from twofold.runs.advice import advice
from twofold.runs.recipe import plan, settings
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

GAMES = {name: family for name, family in families().items() if issubclass(family, Steadied)}
Turns = list[tuple[Trouble, str]]


def loop_of(family: type[Model], turns: Turns, **options: Any) -> Loop:
    """A small game, told some troubles beforehand."""
    torch.manual_seed(1)
    model = small(family, SPACES["colour"], GIVENS["unknowns"], **options)
    assert isinstance(model, Steadied)
    for trouble, _ in turns:
        model.rescue(trouble, 1)
    source = Memory(values_of(model.space, 8), values_of(model.given, 8))
    feed = Feed(source, model.space, model.given, 4, 3, torch.device("cpu"))
    return Loop(model, feed, Training(steps=4, batch=4, average=0.05))


def exhausted(model: Steadied) -> Turns:
    """Turn everything that can be turned; what it was, in order."""
    turns: Turns = []
    for trouble in ANSWERS:
        while remedy := model.remedy(trouble):
            model.rescue(trouble, 1)
            turns.append((trouble, remedy))
    return turns


def test_every_family_with_a_critic_of_observations_is_one() -> None:
    judging = {name for name, family in families().items() if issubclass(family, Criticises)}
    assert judging < set(GAMES)
    assert set(GAMES) - judging == {"aae", "ssaae"}  # whose critics are of codes


@pytest.mark.parametrize("family", GAMES.values(), ids=GAMES)
def test_all_that_can_be_turned_plays_on_and_plays_the_same_when_told_again(
    family: type[Model],
) -> None:
    one = loop_of(family, [])
    model = one.model
    assert isinstance(model, Steadied)
    before = one.state().weights.keys()
    one.advance()
    kept = one.state()
    assert all(model.remedy(trouble) for trouble in ANSWERS)
    turns = exhausted(model)
    assert one.state().weights.keys() == before
    other = loop_of(family, turns)
    other.load(kept)
    notes = [loop.advance() for loop in (one, other)]
    assert all(value.isfinite() for value in notes[0].values())
    assert same(one.state(), other.state())


@pytest.mark.parametrize("family", GAMES.values(), ids=GAMES)
def test_a_slower_critic_is_slower_and_nobody_else(family: type[Model]) -> None:
    loop = loop_of(family, [("critic too strong", "")])
    loop.advance()
    rates = {name: player.optimiser.rate / player.rate for name, player in loop.players.items()}
    assert rates == {name: SLOWER if name in critics(loop.model) else 1.0 for name in rates}
    assert 0 < len(critics(loop.model)) < len(rates)


def test_slopes_weigh_ten_times_as_much_and_a_plain_critic_gets_some() -> None:
    gan = families()["gan"]
    (payer,) = payers(loop_of(gan, [("collapsing", "")]).model)
    assert [penalty.gamma for penalty in payer.penalties] == [10.0, 10.0]
    (payer,) = payers(loop_of(gan, [("collapsing", "")], penalties=()).model)
    assert [penalty.gamma for penalty in payer.penalties] == [1.0, 1.0]


def test_augmentation_is_turned_on_where_it_is_off() -> None:
    gan = families()["gan"]
    for part, words in ((DiffAugment(), "heavier"), (Adaptive(), "heavier")):
        assert loop_of(gan, [], augment=part).model.remedy("overfitting").startswith(words)  # type: ignore[operator]
    assert loop_of(gan, []).model.remedy("overfitting") == "DiffAugment"  # type: ignore[operator]


def test_what_can_be_rescued_from_one_trouble_says_nothing_of_others() -> None:
    for name, family in families().items():
        if issubclass(family, Rescues) and name not in GAMES:
            model = small(family, SPACES["vector"], GIVENS["nothing"])
            assert not any(model.remedy(trouble) for trouble in ANSWERS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", GAMES)
def test_advice_is_of_switches_that_the_family_takes_and_that_are_off(name: str) -> None:
    given = GIVENS["unknowns"]
    for trouble in REMEDIES:
        plain = plan({"model": {"name": name}}, {})
        model = small(plain.make, SPACES["colour"], given)
        found = advice(plain, model, trouble)
        assert found or not issubclass(plain.make, Criticises)
        for text in found:
            asked = settings([f"model.name={name}", *text.split(" --set ")])
            assert plan(asked, {}).recipe != plain.recipe
            again = advice(plan(asked, {}), model, trouble)
            assert text not in again
    titles = {title for titles in REMEDIES.values() for title in titles}
    assert titles <= set(SWITCHES)
    assert all(not reason(families()["gan"], SWITCHES[title]) for title in titles)
