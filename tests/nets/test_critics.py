"""Spectral norm finds the largest singular value, once a turn; projection is plain for nothing."""

import pytest
import torch
from torch import nn

from twofold.core.batch import Given
from twofold.core.space import Category, Field, Real, Space
from twofold.nets.bodies import Conv, Dense
from twofold.nets.critics import Critic, SpectralNorm, advance, normalise

SPACE = Space((Field("v", Real(), 3),))
LABEL = Space((Field("label", Category(("x", "y")), missing=True),))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 3, 3), (4, 2, 3, 3)])
def test_the_iteration_converges_to_the_largest_singular_value(shape: tuple[int, ...]) -> None:
    weight = torch.randn(shape)
    norm = SpectralNorm(weight)
    for turn in range(400):
        norm.advance(weight, turn)
    largest = torch.linalg.matrix_norm(weight.flatten(1), 2)
    torch.testing.assert_close(norm(weight) * largest, weight, rtol=1e-6, atol=1e-8)


def test_it_advances_once_a_turn_and_never_in_a_forward() -> None:
    critic = Critic(Dense(8, 1), SPACE, Space(), 4, spectral=True)
    x, c = torch.randn(2, 3), torch.zeros(2, 0)
    advance(critic, 0)
    first = {k: b.clone() for k, b in critic.named_buffers()}
    critic(x, c)
    advance(critic, 0)  # another part of the same turn
    assert all(b.equal(first[k]) for k, b in critic.named_buffers())
    advance(critic, 1)
    vectors = [k for k in first if k.startswith("body") and k.endswith(("u", "v"))]
    assert vectors
    assert not any(dict(critic.named_buffers())[k].equal(first[k]) for k in vectors)


def test_it_moves_in_place_so_that_whoever_holds_it_sees_it() -> None:
    critic = Critic(Dense(8, 1), SPACE, Space(), 4, spectral=True)
    held = dict(critic.named_buffers())
    advance(critic, 0)
    assert all(b is held[k] for k, b in critic.named_buffers())


def test_every_matrix_is_normalised_and_gradients_reach_the_weight() -> None:
    critic = Critic(Conv(4), Space(SPACE.fields, (5, 5)), LABEL, 4, spectral=True)
    layers = [m for m in critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert layers
    for turn in range(200):
        advance(critic, turn)
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1, abs=0.02)
    critic(torch.randn(2, 3, 5, 5), torch.zeros(2, 3)).sum().backward()
    assert all(layer.parametrizations["weight"].original.grad is not None for layer in layers)


def test_a_zero_branch_gets_a_spectrum() -> None:
    layer = nn.Linear(3, 3)
    nn.init.zeros_(layer.weight)
    normalise(layer)
    assert layer.weight.isfinite().all()


def test_the_null_condition_is_the_plain_critic() -> None:
    """D(x, c) = wᵀφ + (Vc)ᵀφ: with c = 0 it is wᵀφ, and V decides about the rest."""
    torch.manual_seed(0)
    plain = Critic(Dense(8, 1), SPACE, Space(), 4, spectral=False)
    torch.manual_seed(0)
    conditional = Critic(Dense(8, 1), SPACE, LABEL, 4, spectral=False)
    nn.init.normal_(conditional.condition.weight)
    x = torch.randn(5, 3)
    null = conditional(x, Given.none(5, LABEL).c)
    assert null.equal(plain(x, torch.zeros(5, 0)))
    c = LABEL.encode(torch.ones(5, 1))
    phi = nn.functional.leaky_relu(plain.body(x, c[:, :0]), 0.2)
    projection = (phi * (c @ conditional.condition.weight.T)).sum(1)
    torch.testing.assert_close(conditional(x, c), null + projection)
