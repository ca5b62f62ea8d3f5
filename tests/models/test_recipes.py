"""Any recipe of a VAE either trains or is refused with the reason."""

import math
import os
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.contract.conftest import GIVENS, SPACES, values_of
from twofold.core.build import Option, Part, arguments, is_part, options, parts_of
from twofold.core.errors import UserError
from twofold.core.space import Bounded, Field, Space
from twofold.data.sources import Memory
from twofold.maths.varying import Varying
from twofold.models.vae import VAE
from twofold.nets.bodies import Conv, Dense, Suited
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

EXAMPLES = int(os.environ.get("TWOFOLD_RECIPES", "40"))
NUMBERS = [-1.0, 0.0, 0.25, 1.0, 60.0]
NETS = {"encoder": Suited(Dense(8, 1), Conv(4)), "decoder": Suited(Dense(8, 1), Conv(4))}
DATA = SPACES | {"binary": Space((Field("pixel", Bounded(0.0, 1.0, 2)),), (4, 5))}


def value_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Plain values that a recipe might give for an option, good ones and bad ones."""
    inner = get_args(annotation)
    if get_origin(annotation) is Literal:
        return st.sampled_from(inner)
    if is_part(annotation):
        return table_of(annotation)
    if get_origin(annotation) is tuple:
        return st.lists(value_of(inner[0]), max_size=2)
    if get_origin(annotation) is Annotated:
        schedules = [table_of(Varying)] if Varying in inner else []
        return st.one_of(value_of(inner[0]), *schedules)
    simple = {
        bool: st.booleans(),
        int: st.integers(0, 3),
        float: st.sampled_from(NUMBERS),
        str: st.sampled_from(["tiny-v1", "identity-v1", "nonsense"]),
    }
    return simple[annotation]


def table_of(sort: type[Part]) -> st.SearchStrategy[dict[str, Any]]:
    """A part of a sort by name, with some of its options."""
    return st.sampled_from(sorted(parts_of(sort))).flatmap(
        lambda name: some_of(options(parts_of(sort)[name])).map(
            lambda table: {"name": name} | table
        )
    )


def some_of(known: dict[str, Option]) -> st.SearchStrategy[dict[str, Any]]:
    """Some options of a constructor."""
    values = {name: st.deferred(lambda o=o: value_of(o.annotation)) for name, o in known.items()}
    return st.fixed_dictionaries({}, optional=values)


RECIPES = some_of(options(VAE, ("space", "given", "encoder", "decoder")))


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(
    table=RECIPES,
    space=st.sampled_from(sorted(DATA)),
    known=st.sampled_from(sorted(GIVENS)),
    rows=st.sampled_from([1, 5]),
)
def test_a_recipe_trains_or_says_why_not(
    table: dict[str, Any], space: str, known: str, rows: int
) -> None:
    torch.manual_seed(0)
    reason = ""
    try:
        chosen = arguments(VAE, table, "model", skip=("space", "given"))
        model = VAE(DATA[space], GIVENS[known], **NETS | chosen)
    except UserError as refusal:
        reason = str(refusal)
    event("refused" if reason else "trained")
    if reason:
        assert len(reason.split()) > 4  # it says what and why
        return
    source = Memory(values_of(model.space, 2 * rows), values_of(model.given, 2 * rows))
    feed = Feed(source, model.space, model.given, rows, 0, torch.device("cpu"))
    loop = Loop(model, feed, Training(steps=3, batch=rows, average=0.05))
    while not loop.done:
        assert all(math.isfinite(float(note)) for note in loop.advance().values())
    assert loop.attempt == 0
    with torch.inference_mode():
        batch = feed(0, slice(0, rows))
        drawn = loop.averaged.sample(batch.given)  # type: ignore[operator]
        assert drawn.shape == batch.x.shape
        assert drawn.isfinite().all()
        assert model.log_likelihood(batch.x, batch.given, 2).isfinite().all()
        assert model.rate(batch.x, batch.given).isfinite().all()


@pytest.mark.parametrize("annotation", [Literal["a"], bool, Annotated[float, Varying]])
def test_values_are_drawn(annotation: Any) -> None:
    assert value_of(annotation).validate() is None
