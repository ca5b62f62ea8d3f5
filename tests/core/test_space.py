"""Encoding and decoding are inverse to each other, for every domain, size, layout and absence."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category, Count, Domain, Field, Modal, Real, Space, Token

finite = st.floats(-1e3, 1e3, width=32)


@st.composite
def modal(draw: st.DrawFn) -> Modal:
    """Modes apart from each other, some of them without width."""
    means = draw(st.lists(finite, min_size=1, max_size=4, unique=True))
    widths = st.sampled_from([0.0, 0.01, 1.0, 30.0])
    stds = draw(st.lists(widths, min_size=len(means), max_size=len(means)))
    wide = (*stds, 1.0)  # as of a column: there is a mode for what is no spike
    return Modal((*means, 0.25), wide, (1 / len(wide),) * len(wide))


@st.composite
def domains(draw: st.DrawFn) -> Domain:
    label = st.lists(st.text(max_size=3), min_size=1, max_size=5, unique=True).map(tuple)
    low = draw(finite)
    return draw(
        st.one_of(
            st.builds(Real, finite, st.floats(0.01, 100)),
            st.builds(Bounded, st.just(low), st.floats(low + 0.5, low + 1e3), st.integers(2, 300)),
            st.builds(Bounded, st.just(low), st.floats(low + 0.5, low + 1e3)),
            st.builds(Bounded, st.just(0.0), st.floats(0.5, 300), st.sampled_from([0, 2, 256])),
            st.builds(Count, st.floats(0.1, 10)),
            st.builds(Category, label),
            st.builds(Token, label),
            modal(),
        )
    )


fields = st.builds(Field, st.text(max_size=4), domains(), st.integers(1, 3), st.booleans())
spaces = st.builds(
    Space,
    st.lists(fields, max_size=4).map(tuple),
    st.lists(st.integers(1, 4), max_size=3).map(tuple),
)


def drawn(space: Space, rows: int, chance: torch.Generator) -> Tensor:
    """Values (B, F, *A) in their domains, in float64."""
    parts = [of(field, (rows, field.size, *space.axes), chance) for field in space.fields]
    return torch.cat(parts, 1) if parts else torch.zeros(rows, 0, *space.axes).double()


def of(field: Field, shape: tuple[int, ...], chance: torch.Generator) -> Tensor:
    u = torch.rand(shape, generator=chance, dtype=torch.float64)
    domain = field.domain
    if isinstance(domain, Category | Token):
        values = (u * domain.width).floor()
    elif isinstance(domain, Count):
        values = (10 ** (5 * u)).floor() - 1
    elif isinstance(domain, Modal):
        k = (u * domain.modes).floor().long()
        mu, sigma, _ = domain.parameters(u)
        spread = 4 * torch.rand(shape, generator=chance, dtype=torch.float64) - 2
        values = mu.flatten()[k] + sigma.flatten()[k] * spread
    elif isinstance(domain, Bounded):
        steps = domain.levels - 1
        unit = (u * steps).round() / steps if domain.levels else u
        values = domain.low + unit * (domain.high - domain.low)
    else:
        values = domain.decode(6 * u - 3)
    holes = torch.rand(shape, generator=chance) < 0.3
    return values.masked_fill(holes, math.nan) if field.missing else values


@settings(max_examples=60)
@given(spaces, st.integers(0, 5), st.integers(0, 1000))
def test_decode_is_the_inverse_of_encode(space: Space, rows: int, seed: int) -> None:
    values = drawn(space, rows, torch.Generator().manual_seed(seed))
    x = space.encode(values)
    assert x.shape == (rows, *space.shape)
    assert x.isfinite().all()
    torch.testing.assert_close(space.decode(x), values, equal_nan=True, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(space.encode(space.decode(x)), x, rtol=1e-9, atol=1e-9)


@settings(max_examples=40)
@given(spaces)
def test_a_space_comes_back_from_json(space: Space) -> None:
    again = Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again == space
    assert again.numel == space.numel == math.prod(space.shape)


@pytest.mark.parametrize("kind", [torch.uint8, torch.int32, torch.float32])
def test_an_eight_bit_picture_is_exact_in_single_precision(kind: torch.dtype) -> None:
    space = Space((Field("rgb", Bounded(0, 255, 256), 3),), (16, 16))
    values = torch.arange(768).reshape(1, 3, 16, 16).remainder(256).to(kind)
    x = space.encode(values)
    assert x.dtype == torch.float32
    assert x.min() == 0
    assert x.max() == 1
    assert space.decode(x).equal(values.float())  # to the bit: what is truncated later stays


def test_counts_are_exact_in_single_precision_as_far_as_is_said() -> None:
    counts = torch.arange(0.0, 100_001.0).unsqueeze(1)
    domain = Count(1.7)
    assert domain.decode(domain.encode(counts)).equal(counts)


def test_sixteen_bit_pictures_too() -> None:
    values = torch.arange(65_536.0).unsqueeze(1)
    domain = Bounded(0, 65_535, 65_536)
    assert domain.decode(domain.encode(values)).equal(values)


def test_whole_numbers_of_any_range_are_exact() -> None:
    for high in range(1, 300):
        values = torch.arange(high + 1.0).unsqueeze(1)
        domain = Bounded(0, high, high + 1)
        assert domain.decode(domain.encode(values)).equal(values)


def test_a_number_is_of_its_most_probable_mode_and_a_spike_holds_one_value() -> None:
    domain = Modal((0.0, 0.0, 5.0), (0.0, 2.0, 0.5), (0.5, 0.3, 0.2))
    values = torch.tensor([[0.0], [0.001], [4.9], [2.0]], dtype=torch.float64)
    assert domain.mode(values)[:, 0].tolist() == [0, 1, 2, 1]
    x = domain.encode(values)
    assert x[0].tolist() == [0, 1, 0, 0]
    assert x[2].tolist() == pytest.approx([-0.05, 0, 0, 1])


def test_what_is_missing_is_zero_and_its_neighbours_stay() -> None:
    field = Field("v", Category(("a", "b")), 2, missing=True)
    space = Space((field, Field("w", Real())))
    x = space.encode(torch.tensor([[math.nan, 1.0, 7.0]]))
    assert x.tolist() == [[0, 0, 0, 1, 0, 1, 7]]


def test_a_point_outside_comes_back_into_the_domain() -> None:
    assert Bounded(1, 5, 5).decode(torch.tensor([[-3.0, 0.55, 9.0]])).tolist() == [[1.0, 3.0, 5.0]]
    assert Count(1.0).decode(torch.tensor([[-4.0]])).tolist() == [[0.0]]


def test_layouts() -> None:
    assert Space().layout == "vector"
    assert Space((Field("t", Token(("a",))),), (3,)).layout == "tokens"
    assert Space((Field("p", Bounded()),), (3, 3)).layout == "grid"


def test_an_unknown_domain_is_named() -> None:
    data = Space((Field("v", Real()),)).to_dict()
    data["fields"][0]["domain"]["name"] = "complex"
    with pytest.raises(UserError, match="'complex' of field 'v'"):
        Space.from_dict(data)


# Batches, and what is given.

LABEL = Space(
    (Field("label", Category(("x", "y")), missing=True), Field("d", Real(), missing=True))
)


def test_the_null_row_is_what_nothing_known_encodes_to() -> None:
    nothing = LABEL.encode(torch.full((3, 2), math.nan))
    assert Given.none(3, LABEL).c.equal(nothing)
    assert nothing.eq(0).all()
    known = LABEL.encode(torch.tensor([[0.0, 0.0]]))
    assert not known.eq(0).all()  # a known zero is not nothing


@given(st.integers(1, 12), st.integers(1, 12))
def test_parts_are_the_batch_in_order(rows: int, number: int) -> None:
    batch = Batch.of(torch.arange(rows * 2.0).reshape(rows, 2))
    parts = batch.parts(min(number, rows))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert torch.cat([part.x for part in parts]).equal(batch.x)
    assert torch.cat([part.rows for part in parts]).equal(batch.rows)


def test_repeat_keeps_the_copies_of_a_row_together() -> None:
    assert Given(torch.tensor([[1.0], [2.0]])).repeat(2).c.tolist() == [[1], [1], [2], [2]]
