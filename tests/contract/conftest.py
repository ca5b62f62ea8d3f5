"""Toy data for the laws: every family × every layout × what may be given, on a few odd rows."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.build import Part, options
from twofold.core.errors import UserError
from twofold.core.game import Model
from twofold.core.space import Bounded, Category, Count, Field, Real, Space, Token
from twofold.data.sources import Memory
from twofold.models import families
from twofold.nets.bodies import Architecture, Conv, Dense, Suited
from twofold.nets.refining import Refiner
from twofold.nets.scales import Widths
from twofold.nets.sequences import Gru, Sequential
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

ROWS = 5

SPACES = {
    "vector": Space((Field("v", Real(1.0, 2.0), 3),)),
    "table": Space(
        (
            Field("age", Real(40.0, 10.0), missing=True),
            Field("sex", Category(("f", "m")), missing=True),
            Field("town", Category(("a", "b", "c"))),
            Field("children", Count(1.5), missing=True),
            Field("share", Bounded(0.0, 1.0)),
        )
    ),
    "grey": Space((Field("pixel", Bounded(0.0, 255.0, 256)),), (5, 5)),
    "colour": Space((Field("rgb", Bounded(0.0, 255.0, 256), 3),), (5, 8)),
    "series": Space((Field("lead", Real(), 2, missing=True), Field("on", Bounded(0, 1, 2))), (9,)),
    "video": Space((Field("pixel", Bounded(0.0, 1.0)),), (2, 5, 6)),
    "tokens": Space((Field("word", Token(("<pad>", "a", "b", "c"))),), (7,)),
}
TOY = (
    Space((Field("a", Real()), Field("b", Category(("u", "v")), missing=True))),
    Space(
        (
            Field("label", Category(("x", "y", "z")), missing=True),
            Field("dose", Real(), missing=True),
        )
    ),
)
GIVENS = {
    "nothing": Space(),
    "unknowns": TOY[1],
}
GRID = (Space(TOY[0].fields, (5,)), TOY[1])
WORDS = (SPACES["tokens"], TOY[1])
SMALL: dict[Any, Part] = {
    Architecture: Suited(Dense(8, 1), Conv(4, attention=4)),
    Widths: Widths(4, 2),
    Refiner: Refiner(4, 1),
    Sequential: Gru(8, embed=4, guide=4),
}


def values_of(space: Space, rows: int) -> Tensor:
    """Random values (B, F, *A) in their domains, a third of those that may be missing NaN."""
    parts = [column(field, (rows, field.size, *space.axes)) for field in space.fields]
    return torch.cat(parts, 1) if parts else torch.zeros(rows, 0, *space.axes)


def column(field: Field, shape: tuple[int, ...]) -> Tensor:
    domain = field.domain
    if isinstance(domain, Category | Token):
        values = torch.randint(domain.width, shape).to(torch.get_default_dtype())
    elif isinstance(domain, Count):
        values = torch.poisson(torch.full(shape, 2.0))
    elif isinstance(domain, Bounded):
        unit = torch.rand(shape)
        steps = domain.levels - 1
        unit = (unit * steps).round() / steps if domain.levels else unit
        values = domain.low + unit * (domain.high - domain.low)
    else:
        values = torch.randn(shape)
    holes = torch.rand(shape) < 1 / 3
    return values.masked_fill(holes, math.nan) if field.missing else values


def small(family: type[Model], space: Space, given: Space, **changes: object) -> Model:
    """A family with narrow networks; one that refuses the data is skipped."""
    if why := refusal(family, space, given):
        pytest.skip(why)
    torch.manual_seed(0)
    model = family(space, given, **narrow(family) | changes)
    for parameter in model.parameters():  # leave no zero at its start: zeros hide mistakes
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return model


def narrow(family: type[Model]) -> dict[str, Part]:
    """Small networks for every option that is one."""
    return {
        name: SMALL[option.annotation]
        for name, option in options(family, ("space", "given")).items()
        if option.annotation in SMALL
    }


def refusal(family: type[Model], space: Space, given: Space) -> str:
    """Why a family does not take such data; empty where it does."""
    try:
        family(space, given, **narrow(family))
    except UserError as error:
        return str(error)
    return ""


@pytest.fixture(params=sorted(families()))
def family(request: pytest.FixtureRequest) -> type[Model]:
    return families()[request.param]


@pytest.fixture(params=sorted(SPACES))
def space(request: pytest.FixtureRequest) -> Space:
    return SPACES[request.param]


@pytest.fixture
def given(family: type[Model], space: Space) -> Space:
    """Nothing or something, in turn: over families each layout is met with both, and so in each."""
    turn = [*families().values()].index(family) + [*SPACES.values()].index(space)
    return [*GIVENS.values()][turn % len(GIVENS)]


@pytest.fixture
def toy(family: type[Model]) -> tuple[Space, Space]:
    """A small pair of Spaces, for laws that hold whatever the data are."""
    return next(spaces for spaces in (TOY, GRID, WORDS) if not refusal(family, *spaces))


@pytest.fixture
def model(family: type[Model], space: Space, given: Space) -> Model:
    return small(family, space, given)


@pytest.fixture
def batch(space: Space, given: Space) -> Batch:
    torch.manual_seed(1)
    x = space.encode(values_of(space, ROWS))
    return Batch.of(x, Given(given.encode(values_of(given, ROWS))))


@pytest.fixture
def build() -> Callable[..., Model]:
    """``build(family, space, given, **options)``: a small model."""
    return small


@pytest.fixture
def loop_of() -> Callable[..., Loop]:
    """``loop_of(model, **training)``: a loop over two batches' worth of toy rows."""

    def make(model: Model, **training: object) -> Loop:
        torch.manual_seed(1)
        rows = 2 * ROWS + 1
        source = Memory(values_of(model.space, rows), values_of(model.given, rows))
        chosen = Training(**{"steps": 4, "batch": ROWS, "average": 0.05, **training})
        device = torch.device("cpu")
        return Loop(model, Feed(source, model.space, model.given, ROWS, 3, device), chosen)

    return make
