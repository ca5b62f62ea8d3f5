"""What attention looks at, asked for while networks run: every grid, encoder and decoder."""

import pytest
import torch

from twofold.core.batch import Given
from twofold.core.space import Bounded, Field, Real, Space, Token
from twofold.data.pictures import heated
from twofold.models.vae import VAE
from twofold.nets.attention import Look, attending, attends, joined
from twofold.nets.blocks import Attention
from twofold.nets.bodies import Conv, Dense

SPACES = {
    "series": Space((Field("lead", Real(), 2),), (9,)),
    "image": Space((Field("pixel", Bounded()),), (5, 8)),
    "video": Space((Field("pixel", Bounded()),), (2, 5, 6)),
    "tokens": Space((Field("word", Token(("<pad>", "a", "b"))),), (7,)),
}


def random(net: torch.nn.Module) -> None:
    for parameter in net.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))


@pytest.mark.parametrize("name", SPACES)
def test_the_maps_of_encoder_and_decoder_are_had_by_place(name: str) -> None:
    space, arch = SPACES[name], Conv(4, attention=8)
    model = VAE(space, Space(), 3, arch, arch)
    random(model)
    given = Given.none(2, Space())
    plain = model.encode(torch.rand(2, *space.shape), given).mean
    x = torch.rand(2, *space.shape)
    with attending(model) as seen, torch.no_grad():
        z = model.encode(x, given).mean
        model.decode(z, given)
    assert plain.shape == z.shape
    sizes = [k for k in seen if " " not in k]
    assert sizes
    assert set(seen) == {*sizes, *(f"{k} 2" for k in sizes)}  # the encoder's, then the decoder's
    for look in seen.values():
        axes = look.axes
        assert len(axes) == len(space.axes)
        assert look.grid.shape == (2, 4, *axes, *axes)
        over = tuple(range(2 + len(axes), 2 + 2 * len(axes)))
        torch.testing.assert_close(look.grid.sum(over), torch.ones(2, 4, *axes))
        torch.testing.assert_close(look.heat().flatten(1).sum(1), torch.ones(2))
        place = tuple(a - 1 for a in axes)
        from_there = look.heat(place)
        expected = look.grid.mean(1)[(slice(None), *place)]
        torch.testing.assert_close(from_there, expected)


def test_asking_changes_nothing_and_leaves_nothing_behind() -> None:
    space = SPACES["image"]
    model = VAE(space, Space(), 3, Conv(4, attention=8), Conv(4, attention=8))
    random(model)
    x, given = torch.rand(2, *space.shape), Given.none(2, Space())
    before = model.encode(x, given).mean
    with attending(model) as seen:
        torch.testing.assert_close(model.encode(x, given).mean, before, rtol=0, atol=0)
    count = len(seen)
    model.encode(x, given)
    assert len(seen) == count > 0
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_a_query_that_equals_one_key_looks_there() -> None:
    """A block that compares content finds the place whose content is the same."""
    block = Attention(4, heads=1)
    with torch.no_grad():
        block.qkv.weight.copy_(torch.cat([8 * torch.eye(4), 8 * torch.eye(4), torch.eye(4)]))
        block.qkv.bias.zero_()
    h = torch.tensor([[[3.0, 0, 0, 3], [0, 3, 0, 0], [0, 0, 3, 0], [0, 0, 0, 0.0]]])  # (1, 4, 4)
    with attending(block) as seen:
        block(h)
    (look,) = seen.values()
    torch.testing.assert_close(
        look.heat((0,))[0], torch.tensor([0.5, 0.0, 0.0, 0.5]), atol=1e-3, rtol=0
    )


def test_batches_are_joined() -> None:
    parts = [{"4": Look((4,), torch.rand(n, 1, 4, 4))} for n in (2, 3)]
    assert joined(parts)["4"].weights.shape == (5, 1, 4, 4)
    assert attends(Attention(4))
    assert not attends(VAE(SPACES["image"], Space(), 2, Dense(4, 1), Dense(4, 1)))


def test_heat_is_hottest_where_it_is_largest() -> None:
    black = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    heat = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]])
    shown = heated(black, heat)
    assert shown[0, 0, 7, 7] > 100
    assert shown[0, :, 0, 0].tolist() == [0, 0, 0]
    assert torch.equal(heated(black, torch.full((1, 2, 2), 0.25)), black)  # evenly: no colour
    little = heated(black, torch.tensor([[[0.24, 0.25], [0.25, 0.26]]]))
    assert little.max() < 10  # a difference of nothing is not made much of
    strip = heated(black, torch.tensor([[0.0, 1.0]]))
    assert strip.shape == (1, 3, 12, 8)
    assert strip[0, 2, -1].tolist() == [250] * 4 + [22] * 4
    assert torch.equal(strip[:, :, :8], black)
    film = heated(black, torch.stack([heat, heat], 1))
    torch.testing.assert_close(film, shown)
