"""Spectral norm finds the largest singular value, once a turn; projection is plain for nothing."""

import pytest
import torch
from torch import nn

from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.space import Category, Field, Real, Space
from twofold.maths.augmentations import Unchanged
from twofold.nets.bodies import Conv, Dense
from twofold.nets.company import Deviation
from twofold.nets.critics import Classifier, Critic, Eye, SpectralNorm, advance, normalise, packed

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


def critic(**changes: object) -> Critic:
    torch.manual_seed(0)
    return Critic(Dense(8, 1), SPACE, LABEL, 4, spectral=False, **changes)  # type: ignore[arg-type]


def test_a_pack_of_one_is_the_plain_critic() -> None:
    x, c = torch.randn(6, 3), LABEL.encode(torch.ones(6, 1))
    assert critic(pac=1)(x, c).equal(critic()(x, c))
    assert critic(pac=1).rows(x, c).equal(critic()(x, c))


@pytest.mark.parametrize("shape", [(3,), (2, 4, 5)])
def test_packs_are_rows_side_by_side(shape: tuple[int, ...]) -> None:
    x = torch.randn(6, *shape)
    packs = packed(x, 3)
    assert packs.shape == (2, 3 * shape[0], *shape[1:])
    assert packs[1].equal(torch.cat([x[3], x[4], x[5]]))
    assert packed(x, 1) is x
    with pytest.raises(UserError, match=r"pac = 4 does not divide the 6 rows .* multiple of 4"):
        packed(x, 4)


def test_a_packed_critic_sees_a_space_of_packs() -> None:
    space = Space(SPACE.fields, (5, 5))
    net = Critic(Conv(4), space, LABEL, 4, spectral=False, pac=2)
    nn.init.normal_(net.condition.weight)
    x, c = torch.randn(4, 3, 5, 5), LABEL.encode(torch.tensor([[0.0], [1.0], [0.0], [0.0]]))
    logits = net(x, c)
    assert logits.shape == (2,)
    swapped = net(x, c[[1, 0, 2, 3]])
    assert not torch.allclose(swapped[0], logits[0])  # each row's condition counts
    torch.testing.assert_close(swapped[1], logits[1])
    each = net.rows(x[:3], c[:3])
    torch.testing.assert_close(each[:2], logits[:1].expand(2))
    torch.testing.assert_close(each[2:], net(x[[2, 0]], c[[2, 0]]))  # filled up with the first


def test_a_classifier_gives_the_log_probability_of_what_is_given() -> None:
    classifier = Classifier(LABEL, 4)
    phi = torch.randn(3, 4)
    c = LABEL.encode(torch.tensor([[0.0], [1.0], [float("nan")]]))
    scores = classifier.read(phi)[:, :2].log_softmax(1)
    expected = torch.stack([scores[0, 0], scores[1, 1], torch.zeros(())])
    torch.testing.assert_close(classifier.log_prob(phi, c), expected)


def test_an_eye_adds_noise_to_what_is_shown_and_nothing_when_there_is_none() -> None:
    net, x, c = critic(company=Deviation()), torch.randn(6, 3), torch.zeros(6, 3)
    plain = Eye(net, Unchanged().build(0), 0.0, c)
    assert plain(x).logits.equal(net(x, c))
    torch.manual_seed(1)
    noisy = Eye(net, Unchanged().build(0), 0.5, c)(x).logits
    torch.manual_seed(1)
    assert noisy.equal(net(x + 0.5 * torch.randn_like(x), c))
