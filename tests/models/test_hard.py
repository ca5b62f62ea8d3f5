"""What breaks others: no setting here makes a loss, a weight or a draw that is not finite."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.build import options
from twofold.core.errors import UserError
from twofold.core.game import Model, Samples
from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.bounds import IWAE
from twofold.maths.divergences import KL
from twofold.models import families
from twofold.models.vae import VAE
from twofold.nets.bodies import Architecture, Conv, Dense, Suited
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

NOTHING = Space()
PIXEL = Bounded(0.0, 255.0, 256)
LABELS = tuple(f"class {i}" for i in range(64))
SMALL = Suited(Dense(16, 1), Conv(4, attention=4))


def image(height: int, width: int, channels: int = 1) -> Space:
    return Space((Field("pixel", PIXEL, channels),), (height, width))


def noise(space: Space, rows: int) -> Tensor:
    return torch.randint(256, (rows, space.size, *space.axes)).float()


@dataclass(frozen=True)
class Hard:
    """Data that break others: a Space, its values, and what a model is given besides."""

    space: Space
    values: Callable[[Space, int], Tensor]
    given: Space = NOTHING
    rows: int = 9


HARD = {
    "tiny scale": Hard(
        Space((Field("v", Real(), 4),)), lambda s, n: 1e-12 * torch.randn(n, s.size)
    ),
    "huge scale": Hard(Space((Field("v", Real(), 4),)), lambda s, n: 1e6 * torch.randn(n, s.size)),
    "constant pixels": Hard(image(8, 8), lambda s, n: torch.full((n, 1, 8, 8), 255.0)),
    "one observation": Hard(image(8, 8), noise, rows=1),
    "odd sizes": Hard(image(7, 13), noise),
    "one by one": Hard(image(1, 1), noise),
    "one row of pixels": Hard(image(1, 17), noise),
    "four channels": Hard(image(9, 6, 4), noise),
    "64 classes": Hard(
        Space((Field("sort", Category(LABELS), missing=True),)),
        lambda s, n: torch.randint(64, (n, 1)).float(),
        Space((Field("label", Category(LABELS), missing=True),)),
    ),
    "a long flat series": Hard(
        Space((Field("lead", Real(), 2),), (2000,)), lambda s, n: torch.zeros(n, 2, 2000), rows=3
    ),
}
SETTINGS = {
    "huge beta": KL(beta=1e6),
    "huge free bits": KL(free_bits=1e4),
    "no rate": KL(beta=0.0),
}


def trained(model: Model, hard: Hard, steps: int = 3) -> None:
    """Three steps whose every number is finite, and draws that are."""
    torch.manual_seed(1)
    known = torch.randint(64, (hard.rows, hard.given.size)).float()
    source = Memory(hard.values(hard.space, hard.rows), known)
    feed = Feed(source, hard.space, hard.given, hard.rows, 0, torch.device("cpu"))
    loop = Loop(model, feed, Training(steps=steps, batch=hard.rows, average=0.1))
    while not loop.done:
        notes = loop.advance()
        assert all(note.isfinite() for note in notes.values()), notes
    assert loop.attempt == 0  # the guard had nothing to do
    assert all(p.isfinite().all() for p in model.parameters())
    if isinstance(loop.averaged, Samples):
        given = Given.none(2, hard.given)
        assert loop.averaged.sample(given).isfinite().all()


def made(family: type[Model], hard: Hard, **parts: object) -> Model:
    """A family with narrow networks, whatever it calls them."""
    torch.manual_seed(0)
    narrow = {
        name: SMALL
        for name, option in options(family, ("space", "given")).items()
        if option.annotation is Architecture
    }
    try:
        return family(hard.space, hard.given, **narrow | parts)
    except UserError as refusal:
        if not re.search("grids of|for tokens|for series|no labels to learn", str(refusal)):
            raise
        pytest.skip(str(refusal))


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("family", sorted(families()))
def test_every_family_trains_on_hard_data(family: str, name: str) -> None:
    trained(made(families()[family], HARD[name]), HARD[name])


@pytest.mark.parametrize("name", ["tiny scale", "constant pixels", "one observation", "one by one"])
@pytest.mark.parametrize("rate", SETTINGS)
def test_a_vae_trains_under_hard_rates(rate: str, name: str) -> None:
    trained(made(VAE, HARD[name], divergence=SETTINGS[rate]), HARD[name])


@pytest.mark.parametrize("name", HARD)
def test_fifty_importance_weighted_draws(name: str) -> None:
    trained(made(VAE, HARD[name], bound=IWAE(50)), HARD[name])
