"""Any recipe of a GAN either trains or is refused with the reason."""

import math
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.contract.conftest import GIVENS, SPACES, values_of
from tests.models.test_recipes import EXAMPLES, some_of
from twofold.core.build import arguments, options
from twofold.core.errors import UserError
from twofold.data.sources import Memory
from twofold.models.gan import GAN
from twofold.nets.bodies import Conv, Dense, Suited
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

ROWS = 4
NETS = {"generator": Suited(Dense(8, 1), Conv(4)), "critic": Suited(Dense(8, 1), Conv(4))}
RECIPES = some_of(options(GAN, ("space", "given", "generator", "critic", "critic_turns")))


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(
    table=RECIPES,
    space=st.sampled_from(sorted(SPACES)),
    known=st.sampled_from(sorted(GIVENS)),
    split=st.sampled_from([1, 2]),
)
def test_a_recipe_trains_or_says_why_not(
    table: dict[str, Any], space: str, known: str, split: int
) -> None:
    torch.manual_seed(0)
    reason = ""
    try:
        chosen = arguments(GAN, table, "model", skip=("space", "given"))
        model = GAN(SPACES[space], GIVENS[known], **NETS | chosen)
        source = Memory(values_of(model.space, 3 * ROWS), values_of(model.given, 3 * ROWS))
        feed = Feed(source, model.space, model.given, ROWS, 0, torch.device("cpu"))
        loop = Loop(model, feed, Training(steps=3, batch=ROWS, split=split, average=0.05))
        while not loop.done:
            assert all(math.isfinite(float(note)) for note in loop.advance().values())
    except UserError as refusal:
        reason = str(refusal)
    event("refused" if reason else "trained")
    if reason:
        assert len(reason.split()) > 4  # it says what and why
        assert "diverged" not in reason
        return
    assert loop.attempt == 0
    with torch.inference_mode():
        batch = feed(0, slice(0, ROWS))
        drawn = loop.averaged.sample(batch.given)  # type: ignore[operator]
        assert drawn.shape == batch.x.shape
        assert drawn.isfinite().all()
        assert model.judge(batch.x, batch.given).isfinite().all()


SWITCHES: dict[str, dict[str, Any]] = {
    "packed": {"pac": 2, "company": "discrimination"},
    "augmented": {"augment": "diff-augment", "instance_noise": {"name": "linear", "start": 0.1}},
    "adaptive": {"augment": "adaptive", "company": "deviation"},
    "told": {"top_k": {"name": "linear", "start": 1.0, "end": 0.5}, "matching": 1.0},
    "ahead": {"unrolled": {"steps": 2}, "penalties": []},
    "steady": {"historical": 0.1, "orthogonal": 1e-4, "penalties": ["dragan", "consistency"]},
    "clipped": {"weight_clip": 0.01, "objective": "wasserstein", "penalties": []},
}


@pytest.mark.parametrize("name", sorted(SWITCHES))
@pytest.mark.parametrize("space", ["table", "colour"])
def test_switches_train_together(name: str, space: str) -> None:
    """In two parts, resumed halfway: the same bits."""
    chosen = arguments(GAN, SWITCHES[name], "model")

    def make() -> Loop:
        torch.manual_seed(0)
        model = GAN(SPACES[space], GIVENS["unknowns"], **NETS | chosen)
        source = Memory(values_of(model.space, 3 * ROWS), values_of(model.given, 3 * ROWS))
        feed = Feed(source, model.space, model.given, ROWS, 0, torch.device("cpu"))
        return Loop(model, feed, Training(steps=4, batch=ROWS, split=2, average=0.05))

    straight, resumed = make(), make()
    straight.advance()
    straight.advance()
    resumed.load(straight.state())
    ends = [[loop.advance(), loop.advance()][-1] for loop in (straight, resumed)]
    assert all(value.isfinite() for value in ends[0].values())
    assert all(ends[0][key].equal(ends[1][key]) for key in ends[0])
    a, b = straight.state().weights, resumed.state().weights
    assert all(a[key].equal(b[key]) for key in a)
