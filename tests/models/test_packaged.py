"""Every packaged recipe says what it is and how to run it, and its GANs play."""

import re

import pytest
import torch

from tests.contract.conftest import GIVENS, SPACES, values_of
from twofold.core import toml
from twofold.core.batch import Batch, Given
from twofold.core.game import Progress
from twofold.data.sources import Memory
from twofold.runs.recipe import plan, recipes
from twofold.train.feed import Feed
from twofold.train.loop import Loop

ALL = recipes()
GANS = [
    name
    for name, path in ALL.items()
    if "gan" in toml.load(path).get("model", {}).get("name", "")
    and not name.endswith(("table", "series", "vector"))
]


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_recipe_is_headed_by_its_paper_and_its_command(name: str) -> None:
    head = [line for line in ALL[name].read_text("utf-8").splitlines() if line.startswith("#")]
    assert len(head) >= 2
    assert head[1].startswith("# run: twofold ")
    assert "EXPECT" not in "".join(head)
    assert re.search(r"(19|20)\d\d", head[0]) or name.startswith("demo")


@pytest.mark.parametrize("name", GANS)
def test_a_gan_of_a_recipe_plays_a_step(name: str) -> None:
    """As written, but for the size of its batch."""
    made = plan({k: v for k, v in toml.load(ALL[name]).items() if k != "data"}, {})
    space = SPACES["tokens" if name.endswith("molecules") else "colour"]
    given = GIVENS["unknowns"]
    model = made.build(space, given)
    feed = Feed(
        Memory(values_of(space, 20), values_of(given, 20)), space, given, rows(name), 0,
        torch.device("cpu"),
    )  # fmt: skip
    training = plan(toml.load(ALL[name]) | {"data": {}, "train": small(name)}, {}).training
    notes = Loop(model, feed, training).advance()
    assert all(value.isfinite() for value in notes.values())
    assert set(model.players()) <= set(notes)
    size = rows(name)
    batch = Batch.of(space.encode(values_of(space, size)), Given.none(size, given))
    assert list(model.play(batch, Progress()))  # nothing known is one of the conditions


def rows(name: str) -> int:
    """Four, or as many as a critic sees at a time."""
    return max(4, int(toml.load(ALL[name])["model"].get("pac", 1)))


def small(name: str) -> dict[str, object]:
    """A recipe's training with a small batch."""
    return {**toml.load(ALL[name]).get("train", {}), "batch": rows(name)}
