"""Equalised layers keep the size of what goes through them, and learn alike whatever their size."""

import math

import pytest
import torch

from twofold.nets.equalised import EqualConv, EqualLinear, rectified, unit


@pytest.mark.parametrize("width", [4, 400])
def test_a_layer_keeps_the_variance(width: int) -> None:
    h = torch.randn(500, width)
    assert 0.9 < EqualLinear(width, 300)(h).std().item() < 1.1
    assert 0.9 < rectified(EqualLinear(width, 300)(h)).square().mean().sqrt().item() < 1.1
    x = torch.randn(20, width, 9)
    inside = EqualConv(1, width, 100, 3)(x)[:, :, 1:-1]
    assert 0.9 < inside.std().item() < 1.1


def test_a_step_of_adam_moves_wide_and_narrow_layers_by_the_same_share() -> None:
    shares = []
    for width in (4, 400):
        layer = EqualLinear(width, 8)
        optimiser = torch.optim.Adam([layer.weight], 0.01)
        before = layer(torch.eye(width)).detach()
        layer(torch.randn(16, width)).square().sum().backward()
        optimiser.step()
        moved = layer(torch.eye(width)) - before
        shares.append((moved.norm() / before.norm()).item())
    assert shares[0] == pytest.approx(shares[1], rel=0.3)


def test_a_slower_layer_starts_the_same_and_moves_less() -> None:
    moved = {}
    for rate in (1.0, 0.01):
        torch.manual_seed(1)
        layer = EqualLinear(16, 8, rate=rate, bias=0.5)
        before = layer(torch.eye(16)).detach()
        optimiser = torch.optim.SGD(layer.parameters(), 0.1)
        layer(torch.ones(2, 16)).sum().backward()
        optimiser.step()
        moved[rate] = (before, (layer(torch.eye(16)) - before).norm())
    torch.testing.assert_close(moved[1.0][0], moved[0.01][0])
    assert moved[0.01][1] < 1e-3 * moved[1.0][1]


def test_unit_has_a_mean_square_of_one_and_takes_zeros() -> None:
    h = unit(7 * torch.randn(3, 5, 4))
    torch.testing.assert_close(h.square().mean(1), torch.ones(3, 4))
    assert not unit(torch.zeros(2, 5)).any()
    assert unit(torch.zeros(2, 0)).shape == (2, 0)
    assert math.isclose(unit(torch.full((1, 3), -2.0))[0, 0].item(), -1, rel_tol=1e-6)
