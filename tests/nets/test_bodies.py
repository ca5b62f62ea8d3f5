"""Bodies take any size and lose none of it; lower precision stays inside them."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.nets.blocks import ACTIVATIONS, Attention, Modulate, Residual, Unpatch
from twofold.nets.bodies import (
    Architecture,
    Body,
    Centre,
    Conv,
    Dense,
    Fourier,
    Suited,
    halvings,
    strides,
)

GIVEN = Space((Field("label", Category(("x", "y", "z")), missing=True),))


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=3).map(tuple))
def test_halvings_end_small_and_halve_rounding_up(axes: tuple[int, ...]) -> None:
    sizes = halvings(axes)
    assert sizes[0] == axes
    assert max(sizes[-1]) <= 4
    for large, small in itertools.pairwise(sizes):
        assert all(b == (-(-a // 2) if a > 4 else a) for a, b in zip(large, small, strict=True))
        assert 2 in strides(large, small)


@pytest.mark.parametrize("axes", [(n, 1 + (7 * n) % 40) for n in range(1, 41)])
def test_conv_takes_any_size(axes: tuple[int, int]) -> None:
    space = Space((Field("p", Bounded(), 3),), axes)
    arch = Conv(width=2, places=300)
    down, up = arch.down(space, GIVEN, 5), arch.up(6, GIVEN, 3, axes)
    c = torch.zeros(2, GIVEN.width)
    assert down(torch.rand(2, *space.shape), c).shape == (2, 5)
    assert up(torch.randn(2, 6), c).shape == (2, 3, *axes)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 17), min_size=0, max_size=3).map(tuple))
def test_suited_takes_every_layout(axes: tuple[int, ...]) -> None:
    space = Space((Field("p", Bounded()), Field("q", Real(), 2)), axes)
    arch = Suited(Dense(4, 1), Conv(2))
    c = torch.zeros(3, 0)
    assert arch.down(space, Space(), 4)(torch.rand(3, *space.shape), c).shape == (3, 4)
    assert arch.up(2, Space(), 5, axes)(torch.randn(3, 2), c).shape == (3, 5, *axes)


@pytest.mark.parametrize("axes", [(9,), (5, 8), (2, 5, 6)])
@pytest.mark.parametrize(
    "arch",
    [
        Dense(8, 1),
        Conv(4, attention=4),
        Conv(4, places=5),
        Conv(4, blocks=0, activation="silu"),
        Conv(4, modulated=True, skip=True),
    ],
)
def test_every_place_and_what_is_given_reach_the_output(
    arch: Dense | Conv, axes: tuple[int, ...]
) -> None:
    space = Space((Field("p", Real(), 2),), axes)
    down = arch.down(space, GIVEN, 3)
    for p in down.parameters():
        p.data.add_(0.1 * torch.randn_like(p))
    x = torch.randn(2, *space.shape, requires_grad=True)
    c = torch.randn(2, GIVEN.width, requires_grad=True)
    gradients = torch.autograd.grad(down(x, c).square().sum(), (x, c))
    assert all((g != 0).all() for g in gradients)
    up = arch.up(4, GIVEN, 2, axes)
    for p in up.parameters():
        p.data.add_(0.1 * torch.randn_like(p))
    z = torch.randn(2, 4, requires_grad=True)
    gradients = torch.autograd.grad(up(z, c).square().sum(), (z, c))
    assert all((g != 0).all() for g in gradients)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_patches_become_places_of_a_picture(p: int) -> None:
    h = torch.randn(2, 5 * p * p, 4, 3)
    whole = torch.nn.functional.pixel_shuffle(h, p)
    torch.testing.assert_close(Unpatch(p, (4 * p, 3 * p))(h), whole)
    torch.testing.assert_close(Unpatch(p, (4 * p - p + 1, 3 * p))(h), whole[:, :, : 4 * p - p + 1])


def test_patches_become_places_of_a_video() -> None:
    h = torch.randn(2, 3 * 8, 2, 3, 4)
    (whole,) = Unpatch(2, (4, 6, 8))(h).unsqueeze(0)
    for t, i, j in itertools.product(range(2), repeat=3):
        part = h[:, 4 * t + 2 * i + j :: 8]
        torch.testing.assert_close(whole[:, :, t::2, i::2, j::2], part)


def test_a_convolution_needs_axes() -> None:
    with pytest.raises(UserError, match="1 to 3 axes"):
        Conv().down(Space((Field("v", Real()),)), Space(), 1)
    with pytest.raises(UserError, match="1 to 3 axes"):
        Conv().up(2, Space(), 1, (2, 2, 2, 2))


@pytest.mark.parametrize("arch", [Dense(8, 1), Fourier(Dense(8, 1)), Conv(4)])
def test_lower_precision_stays_inside_the_body(arch: Architecture) -> None:
    space = Space((Field("p", Real()),), (6, 6))
    down, up = arch.down(space, Space(), 3), arch.up(2, Space(), 1, (6, 6))
    x, z, c = torch.randn(2, 1, 6, 6), torch.randn(2, 2), torch.zeros(2, 0)
    for body, h in ((down, x), (up, z)):
        full = body(h, c)
        seen = []
        handle = next(m for m in body.modules() if not list(m.children()) and list(m.parameters()))
        handle.register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(out.dtype))
        body.precision = torch.bfloat16
        low = body(h, c)
        assert seen == [torch.bfloat16]
        assert low.dtype == torch.float32
        assert not low.equal(full)
        torch.testing.assert_close(low, full, atol=0.05, rtol=0.05)
        assert not torch.is_autocast_enabled("cpu")
        (gradient,) = torch.autograd.grad(
            body(h, c).sum(), next(body.parameters()), allow_unused=True
        )
        assert gradient is None or gradient.dtype == torch.float32
    assert Body.precision == torch.float32


def test_bounded_numbers_are_centred_and_the_rest_is_left() -> None:
    space = Space((Field("p", Bounded(0, 255)), Field("r", Real(), 2)))
    assert Centre(space)(torch.tensor([[0.0, 5.0, 6.0], [1.0, 5.0, 6.0]])).tolist() == [
        [-1.0, 5.0, 6.0],
        [1.0, 5.0, 6.0],
    ]


def test_a_residual_block_starts_as_the_identity() -> None:
    for axes, shape in ((1, (7,)), (2, (5, 4)), (3, (2, 3, 4))):
        h = torch.randn(2, 4, *shape)
        assert Residual(axes, 4, 3, "silu")(h, torch.randn(2, 3)).equal(h)


# Attention.


def test_attention_starts_as_the_identity_and_looks_everywhere() -> None:
    block, h = Attention(6), torch.randn(2, 6, 3, 4)
    assert block(h).equal(h)
    maps = block.maps(h)
    assert maps.shape == (2, 2, 12, 12)
    torch.testing.assert_close(maps.sum(3), torch.ones(2, 2, 12))


@pytest.mark.usefixtures("float64")
def test_attention_can_be_differentiated_twice() -> None:
    block = Attention(4)
    block.gate.data.fill_(0.7)
    h = torch.randn(1, 4, 2, 2, requires_grad=True)
    assert torch.autograd.gradcheck(block, (h,))
    assert torch.autograd.gradgradcheck(block, (h,))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_a_penalty_reaches_through_every_activation(activation: str) -> None:
    space = Space((Field("p", Real()),), (5,))
    body = Conv(2, activation=activation, attention=4).down(space, Space(), 1)  # type: ignore[arg-type]
    for p in body.parameters():
        p.data.add_(0.1 * torch.randn_like(p))
    x = torch.randn(2, 1, 5, requires_grad=True)
    (slope,) = torch.autograd.grad(body(x, torch.zeros(2, 0)).sum(), x, create_graph=True)
    gradients = torch.autograd.grad(
        slope.square().sum(), list(body.parameters()), allow_unused=True
    )
    assert any(g is not None and g.any() for g in gradients)
    assert all(g is None or g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("axes", [(1,), (9,), (140,), (5, 8), (28, 28), (61, 90), (2, 5, 6)])
@pytest.mark.parametrize(
    "arch", [Dense(4, 1), Fourier(Dense(4, 1)), Conv(2), Suited(Dense(4, 1), Conv(2))]
)
@pytest.mark.parametrize("most", [4, 64])
def test_a_code_may_be_a_grid(arch: Architecture, axes: tuple[int, ...], most: int) -> None:
    space = Space((Field("p", Bounded(), 2),), axes)
    places = arch.coarse(axes, most)
    assert len(places) == len(axes)
    assert all(place <= axis for place, axis in zip(places, axes, strict=True))
    down = arch.down_grid(space, GIVEN, 3, places)
    up = arch.up_grid(3, places, GIVEN, 5, axes)
    c = torch.zeros(2, GIVEN.width)
    assert down(torch.rand(2, *space.shape), c).shape == (2, 3, *places)
    assert up(torch.randn(2, 3, *places), c).shape == (2, 5, *axes)


def test_a_grid_that_is_none_of_its_own_sizes_is_taken_whole() -> None:
    """An encoder of another architecture may choose it, such as one without patches."""
    space, places = Space((Field("p", Bounded()),), (48, 96)), (6, 12)
    arch = Conv(2, places=600)
    assert arch.patch((48, 96)) == 3
    assert places not in arch.sizes((48, 96))
    c = torch.zeros(1, 0)
    assert arch.down_grid(space, Space(), 3, places)(torch.rand(1, 1, 48, 96), c).shape == (
        1,
        3,
        *places,
    )
    assert arch.up_grid(3, places, Space(), 1, (48, 96))(torch.rand(1, 3, *places), c).shape == (
        1,
        1,
        48,
        96,
    )


def test_a_place_of_a_grid_sees_its_neighbourhood_only() -> None:
    space = Space((Field("p", Real()),), (32, 32))
    down = Conv(2, blocks=0).down_grid(space, Space(), 3, (8, 8))
    x = torch.randn(1, 1, 32, 32, requires_grad=True)
    (slope,) = torch.autograd.grad(down(x, torch.zeros(1, 0))[0, :, 0, 0].sum(), x)
    assert slope[..., :4, :4].any()
    assert not slope[..., 16:, :].any()
    assert not slope[..., :, 16:].any()


def test_modulation_scales_and_shifts_what_has_been_normalised() -> None:
    layer, h, c = Modulate(3, 4), torch.randn(2, 4, 5), torch.randn(2, 3)
    even = layer(h, c)
    torch.testing.assert_close(even.square().mean(1), torch.ones(2, 5))  # told nothing yet
    nn.init.normal_(layer.condition.weight)
    gamma, beta = (c @ layer.condition.weight.T).unsqueeze(2).chunk(2, 1)
    torch.testing.assert_close(layer(h, c), even * (1 + gamma) + beta)


def test_a_body_without_blocks_bends_between_its_convolutions() -> None:
    """Or it would be one linear map, however deep."""
    body = Conv(4, blocks=0).down(Space((Field("p", Real()),), (16,)), Space(), 3)
    c, x, y = torch.zeros(1, 0), torch.randn(1, 1, 16), torch.randn(1, 1, 16)
    straight = body(x, c) + body(y, c) - body(0 * x, c)
    assert not torch.allclose(body(x + y, c), straight, atol=1e-4)


def test_a_skipped_code_reaches_every_size() -> None:
    """What is unfolded is blinded, and the code still tells."""
    body = Conv(4, modulated=True, skip=True).up(3, Space(), 2, (16,))
    for p in body.parameters():
        p.data.add_(0.1 * torch.randn_like(p))
    nn.init.zeros_(body.unfold.weight)
    c = torch.zeros(1, 0)
    assert not torch.allclose(body(torch.randn(1, 3), c), body(torch.randn(1, 3), c))


@pytest.mark.parametrize("blocks", [0, 1])
def test_with_groups_no_picture_dies_wherever_the_way_up_has_got_to(blocks: int) -> None:
    """Each act sees numbers about zero, so that none is dead for good; the last act too."""
    up = Conv(4, blocks, activation="relu", groups=2).up(3, Space(), 1, (8, 8))
    for bias in (p for name, p in up.named_parameters() if name.endswith("bias")):
        nn.init.constant_(bias, -100.0)
    for norm in (m for m in up.modules() if isinstance(m, nn.GroupNorm)):
        nn.init.zeros_(norm.bias)
    z = torch.randn(2, 3)
    assert not up(z, torch.zeros(2, 0))[0].allclose(up(2 * z, torch.zeros(2, 0))[1])
    assert up(z, torch.zeros(2, 0)).std() > 0
