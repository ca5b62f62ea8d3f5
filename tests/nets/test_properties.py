"""What is given, predicted from the code: the gain, what is not told, and draws given it."""

import math
from dataclasses import replace

import pytest
import torch

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Category, Field, Real, Space
from twofold.maths.distributions import Normal
from twofold.models.vae import VAE
from twofold.nets.properties import DenseHead, Known, Predicted

ROWS = Space((Field("a", Real()), Field("b", Real())))
GIVEN = Space(
    (Field("activity", Real(), missing=True), Field("sort", Category(("x", "y")), missing=True))
)


def known(*values: float) -> torch.Tensor:
    return GIVEN.encode(torch.tensor([values]))


def test_the_gain_is_the_log_density_of_what_is_known_and_of_nothing_else():
    head, z = Predicted(weight=2.0).build(3, GIVEN), torch.randn(1, 3)
    one = replace(head(z), fields=head(z).fields[:1])
    assert torch.allclose(
        head.gain(z, known(0.7, math.nan)), 2 * one.log_prob(torch.tensor([[0.7]]))
    )
    both = head.gain(z, known(0.7, math.nan)) + head.gain(z, known(math.nan, 1))
    assert torch.allclose(head.gain(z, known(0.7, 1)), both)
    assert head.gain(z, known(math.nan, math.nan)).item() == 0


def test_no_network_but_the_head_is_told_what_it_predicts():
    vae, x = VAE(ROWS, GIVEN, latent=2, properties=Predicted()), torch.randn(1, 2)
    one, other = Given(known(0.7, 1)), Given(known(-3.0, 0))
    assert torch.equal(vae.encode(x, one).mean, vae.encode(x, other).mean)
    z = torch.randn(1, 2)
    assert torch.equal(vae.decode(z, one).mean, vae.decode(z, other).mean)
    told = VAE(ROWS, GIVEN, latent=2, properties=Known())
    assert not torch.equal(told.encode(x, one).mean, told.encode(x, other).mean)


def test_training_teaches_the_head_what_the_code_holds():
    torch.manual_seed(0)
    x = torch.randn(256, 2)
    given = Given(Space(GIVEN.fields[:1]).encode(x[:, :1] + x[:, 1:]))
    vae = VAE(ROWS, Space(GIVEN.fields[:1]), latent=2, properties=Predicted())
    adam = torch.optim.Adam(vae.parameters(), 1e-2)
    for step in range(300):
        (turn,) = vae.play(Batch(x, given, torch.arange(256)), Progress(step, 300))
        adam.zero_grad()
        turn.losses["autoencoder"].backward()
        adam.step()
    y = vae.foretell(vae.encode(x, given).mean).mean
    assert torch.corrcoef(torch.stack([y[:, 0], x.sum(1)]))[0, 1] > 0.9


def test_codes_given_a_property_follow_its_posterior():
    """With p(z) standard and y | z normal about z, the mean of z given y = 1.5 is 0.75."""
    torch.manual_seed(0)
    space = Space((Field("y", Real(), missing=True),))
    head = Predicted(depth=0, scale="shared").build(1, space)
    assert isinstance(head, DenseHead)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.fill_(float(parameter.shape == (1, 1)))
    c = space.encode(torch.full((4000, 1), 1.5))
    z = head.draw(lambda c: Normal.standard(len(c), 1, c), c)
    assert abs(z.mean().item() - 0.75) < 0.05
    assert abs(z.var().item() - 0.5) < 0.06


def test_nothing_given_leaves_nothing_to_predict():
    with pytest.raises(UserError, match=r"data\.given"):
        VAE(ROWS, Space(), properties=Predicted())
