"""Small models and loops for the laws of training."""

from collections.abc import Callable

import pytest
import torch

from twofold.core.game import Model
from twofold.core.space import Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.models import families
from twofold.nets.bodies import Dense
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

SPACE = Space((Field("v", Real(), 3),))
GIVEN = Space((Field("label", Category(("x", "y")), missing=True),))
ROWS, BATCH = 11, 5


@pytest.fixture
def source() -> Memory:
    chance = torch.Generator().manual_seed(4)
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, float("nan")]).unsqueeze(1)
    values = torch.randn(ROWS, 3, generator=chance)
    kind = torch.get_default_dtype()
    return Memory(values.to(kind), labels.to(kind))


@pytest.fixture
def build() -> Callable[..., Model]:
    """``build(name, **options)``: a small family of that name."""

    def make(name: str, **options: object) -> Model:
        torch.manual_seed(0)
        dense = Dense(8, 1)
        nets = {"vae": ("encoder", "decoder"), "gan": ("generator", "critic")}[name]
        chosen = dict.fromkeys(nets, dense) | {"latent": 2} | options
        return families()[name](SPACE, GIVEN, **chosen)  # type: ignore[arg-type]

    return make


@pytest.fixture
def feed(source: Memory) -> Callable[..., Feed]:
    """``feed(**changes)``: the toy rows in batches of five."""

    def make(**changes: object) -> Feed:
        cpu = torch.device("cpu")
        given = {"source": source, "space": SPACE, "given": GIVEN, "batch": BATCH, "seed": 3}
        return Feed(**{**given, "device": cpu, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def loop(feed: Callable[..., Feed]) -> Callable[..., Loop]:
    """``loop(model, **training)``."""

    def make(model: Model, **training: object) -> Loop:
        options = {"steps": 6, "batch": BATCH, "average": 0.05, **training}
        return Loop(model, feed(), Training(**options))  # type: ignore[arg-type]

    return make
