"""The GAN that infers, against its losses written by hand."""

import pytest
import torch
import torch.nn.functional as F

from twofold.core.batch import Batch, Given
from twofold.core.game import Progress
from twofold.core.space import Field, Real, Space
from twofold.models.bigan import BiGAN
from twofold.nets.bodies import Dense
from twofold.nets.joint import JointCritic, pair

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Real(), 3),))


def bigan(**changes: object) -> BiGAN:
    torch.manual_seed(0)
    dense = Dense(8, 1)
    return BiGAN(SPACE, Space(), 2, dense, dense, dense, features=4, **changes)  # type: ignore[arg-type]


def test_the_losses_are_those_of_the_paper() -> None:
    """ALI, Algorithm 1: log D of the encoder's pairs, log 1 − D of the generator's; exchanged."""
    model, x = bigan(penalties=()), torch.randn(6, 3)
    none = Given.none(6, Space())
    torch.manual_seed(1)
    critic, generator = model.play(Batch.of(x), Progress())
    torch.manual_seed(1)
    for turn, exchanged in ((critic, False), (generator, True)):
        z_hat = model.encode(x, none).rsample()
        z = model.prior(none).sample()
        x_tilde = model.decode(z, none).rsample()
        encoder_d = torch.sigmoid(model.tell(pair(x, z_hat), none))
        generator_d = torch.sigmoid(model.tell(pair(x_tilde, z), none))
        if exchanged:
            hand = -(1 - encoder_d).log().mean() - generator_d.log().mean()
            torch.testing.assert_close(turn.losses["generator"], hand)
        else:
            hand = -encoder_d.log().mean() - (1 - generator_d).log().mean()
            torch.testing.assert_close(turn.losses["critic"], hand)


def test_the_critic_sees_both_of_a_pair() -> None:
    critic, c = JointCritic(Dense(8, 1), SPACE, Space(), 2, 4), torch.zeros(5, 0)
    x, z = torch.randn(5, 3), torch.randn(5, 2)
    plain = critic(pair(x, z), c)
    assert not torch.allclose(plain, critic(pair(x + 1, z), c))
    assert not torch.allclose(plain, critic(pair(x, z + 1), c))


def test_the_penalty_is_of_x_and_z_together() -> None:
    """For a critic linear in both, R1 is half the squared norm of both weights."""
    model = bigan()
    x, none = torch.randn(6, 3), Given.none(6, Space())
    pairs = model.inferred(x, none).detach().requires_grad_()
    (slope,) = torch.autograd.grad(model.tell(pairs, none).sum(), pairs)
    torch.manual_seed(3)
    with torch.no_grad():
        inferred, drawn = model.inferred(x, none), model.drawn(none)
    contest = model.contest(inferred, drawn, none)
    assert slope.shape == (6, 5)
    assert model.penalties[0](contest).shape == (6,)
    assert (slope[:, :3].any(), slope[:, 3:].any()) == (True, True)


def test_a_cycle_pays_for_what_comes_back_as_another() -> None:
    model, x = bigan(cycle=2.0, penalties=()), torch.randn(6, 3)
    none = Given.none(6, Space())
    inferred = model.inferred(x, none)
    back = model.decode(inferred[:, 3:], none).mean
    expected = F.mse_loss(back, x, reduction="sum") / 6
    torch.testing.assert_close(model.returned(x, inferred, none), expected)
