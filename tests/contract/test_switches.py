"""The laws asked of every family with every switch that it takes, one at a time."""

from typing import Any

import pytest
import torch

from tests.contract.conftest import GIVENS, SPACES, small, values_of
from tests.contract.test_families import Fixed, located, same
from twofold.core.build import arguments
from twofold.core.game import Model
from twofold.core.switches import SWITCHES, takes
from twofold.data.sources import Memory
from twofold.models import families
from twofold.runs.recipe import settings
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

ROWS = 4
COUPLED = {
    "minibatch discrimination",
    "minibatch deviation",
    "feature matching",
    "top-k",
    "unrolling",
}
"""Estimates a part: rows look at each other, or the critic's next step is that of the part."""
RELATIVE = {"adaptive augmentation"}
"""Those that are such estimates under a relativistic objective alone: of how sure the critic is."""
TAKEN = [
    (family, title)
    for family in families().values()
    for title, answer in takes(family).items()
    if answer == "yes" and not SWITCHES[title].trains
]


def name_of(value: object) -> str:
    return value.__name__.lower() if isinstance(value, type) else str(value)


def switched(family: type[Model], title: str, space: str, split: int) -> Loop:
    """A loop over a small model with one switch turned on as a recipe would."""
    table: dict[str, Any] = settings([SWITCHES[title].setting])["model"]
    chosen = arguments(family, table, "model", skip=("space", "given"))
    apart = {key: value for key, value in family.coupled.items() if key not in chosen}
    model = small(family, SPACES[space], GIVENS["unknowns"], **apart | chosen)
    torch.manual_seed(1)
    source = Memory(values_of(model.space, 3 * ROWS), values_of(model.given, 3 * ROWS))
    feed = Feed(source, model.space, model.given, ROWS, 3, torch.device("cpu"))
    return Loop(model, feed, Training(steps=4, batch=ROWS, split=split, average=0.05))


@pytest.mark.parametrize(("family", "title"), TAKEN, ids=name_of)
@pytest.mark.parametrize("space", ["table", "colour"])
def test_a_resumed_game_is_the_uninterrupted_one(
    family: type[Model], title: str, space: str
) -> None:
    """In two parts, to the last bit; every number is finite."""
    straight, resumed = (switched(family, title, space, 2) for _ in range(2))
    straight.advance()
    resumed.load(straight.state())
    notes = [loop.advance() for loop in (straight, resumed)]
    assert all(value.isfinite() for value in notes[0].values())
    assert all(notes[0][key].equal(notes[1][key]) for key in notes[0])
    assert same(straight.state(), resumed.state())


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("family", "title"), TAKEN, ids=name_of)
def test_a_split_game_is_the_whole(
    family: type[Model], title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With noise fixed to the row; coupled switches are estimates a part and do differ."""
    noise, ends = Fixed(), []
    for split in (1, 2):
        loop = switched(family, title, "colour", split)
        monkeypatch.setattr(loop.model, "play", located(loop, noise))
        with monkeypatch.context() as patch:
            patch.setattr(torch, "randn_like", noise.normal)
            patch.setattr(torch, "rand_like", noise.uniform)
            loop.advance()
            loop.advance()
        ends.append(loop.state().weights)
    whole, cut = ends
    alike = all(torch.allclose(cut[k], whole[k], rtol=1e-6, atol=1e-9) for k in whole)
    assert alike is (title not in COUPLED) or title in RELATIVE
