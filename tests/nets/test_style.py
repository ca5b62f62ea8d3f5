"""Modulated convolutions against the paper's weights, and the nets' two spaces."""

import pytest
import torch
import torch.nn.functional as F

from twofold.core.space import Category, Field, Space
from twofold.nets.equalised import CONVOLVE
from twofold.nets.scales import Scales, Widths
from twofold.nets.style import MappingNet, StyledConv, Synthesis

pytestmark = pytest.mark.usefixtures("float64")
LABEL = Space((Field("label", Category(("x", "y")), missing=True),))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("demodulate", [True, False])
def test_scaled_inputs_and_outputs_are_the_modulated_weights(axes: int, demodulate: bool) -> None:
    """w″ of Eq. 1-3, row by row, as the weights of a plain convolution."""
    layer = StyledConv(axes, 4, 3, 5, 3, demodulate)
    h, w = torch.randn(2, 3, *[4] * axes), torch.randn(2, 4)
    expected = []
    for row in range(2):
        s = F.linear(w[row], layer.style.weight / 4**0.5, layer.style.bias)
        weight = layer.conv.weight / (3 * 3**axes) ** 0.5
        weight = weight * s.reshape(1, 3, *[1] * axes)
        if demodulate:
            power = weight.square().flatten(1).sum(1) + 1e-8
            weight = weight / power.sqrt().reshape(5, 1, *[1] * axes)
        expected.append(CONVOLVE[axes](h[row : row + 1], weight, layer.conv.bias, padding=1))
    torch.testing.assert_close(layer(h, w), torch.cat(expected))


def test_a_demodulated_layer_keeps_the_variance_whatever_the_style() -> None:
    layer = StyledConv(2, 4, 32, 16, 3)
    h = torch.randn(30, 32, 8, 8)
    for size in (0.1, 10.0):
        out = layer(h, size * torch.randn(30, 4))[:, :, 1:-1, 1:-1]
        assert 0.8 < out.std().item() < 1.2


def test_the_mapping_does_not_see_the_length_of_z() -> None:
    mapping, z = MappingNet(6, LABEL, 3), torch.randn(4, 6)
    c = LABEL.encode(torch.zeros(4, 1))
    torch.testing.assert_close(mapping(5 * z, c), mapping(z, c), rtol=1e-5, atol=1e-7)
    other = LABEL.encode(torch.ones(4, 1))
    assert (mapping(z, other) - mapping(z, c)).abs().max() > 1e-3
    assert mapping(z, torch.zeros_like(c)).isfinite().all()


@pytest.mark.parametrize("axes", [(9,), (9, 7), (3, 5, 6)])
def test_a_style_acts_from_its_layer_on_and_noise_by_its_strength(axes: tuple[int, ...]) -> None:
    net = Synthesis(Scales(axes), 4, Widths(4, 2), 2)
    w, still = torch.randn(2, net.layers, 4), torch.zeros(2, 1)
    x = net(w, still)
    assert x.shape == (2, 2, *axes)
    for layer in range(net.layers):
        changed = w.clone()
        changed[:, layer] += 1
        assert not net(changed, still).equal(x)
    assert net(w, torch.ones(2, 1)).equal(x)  # a strength starts at nought
    for conv in net.convs:
        conv.strength.data.fill_(0.1)
    assert net(w, still).equal(x)
    assert not net(w, torch.ones(2, 1)).equal(net(w, torch.ones(2, 1)))


def test_coarse_styles_change_more_of_the_picture_than_the_last() -> None:
    net = Synthesis(Scales((16, 16)), 4, Widths(4, 2), 1)
    w, still = torch.randn(40, net.layers, 4), torch.zeros(40, 1)
    other, x = torch.randn(40, 4), net(w, still)
    coarse = {}
    for layer in (0, net.layers - 1):
        changed = w.clone()
        changed[:, layer] = other
        change = net(changed, still) - x
        slow = F.avg_pool2d(change, 8)  # the share of the change that a 2 × 2 picture has
        coarse[layer] = (64 * slow.square().sum() / change.square().sum()).item()
    assert coarse[0] > coarse[net.layers - 1]
