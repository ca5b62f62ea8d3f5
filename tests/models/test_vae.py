"""The VAE's bound, term by term, and a linear one's optimum direction."""

import pytest
import torch

from twofold.core.batch import Batch, Given
from twofold.core.game import Progress
from twofold.core.space import Bounded, Field, Real, Space
from twofold.maths.divergences import KL, MMD
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.nets.priors import Gmm

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Real(), 3),))


def vae(**options: object) -> VAE:
    torch.manual_seed(0)
    return VAE(SPACE, Space(), 2, Dense(8, 1), Dense(8, 1), **options)  # type: ignore[arg-type]


def test_the_loss_is_distortion_plus_rate_and_minus_the_elbo() -> None:
    model, x = vae(), torch.randn(2000, 3)
    (turn,) = model.play(Batch.of(x), Progress())
    loss = turn.losses["autoencoder"]
    torch.testing.assert_close(loss, turn.notes["distortion"] + turn.notes["rate"])
    elbo = model.log_likelihood(x, Given.none(len(x), Space()), 64).mean()
    assert -loss < elbo  # one draw bounds lower than sixty-four
    drawn = torch.stack(
        [model.log_likelihood(x, Given.none(len(x), Space()), 1).mean() for _ in range(9)]
    )
    assert drawn.mean().item() == pytest.approx(-loss.item(), abs=0.05)


def test_the_rate_by_dimension_sums_to_the_rate() -> None:
    model, x = vae(divergence=KL(beta=3.0)), torch.randn(6, 3)
    (turn,) = model.play(Batch.of(x), Progress())
    rate = model.rate(x, Given.none(6, Space()))
    assert rate.shape == (6, 2)
    torch.testing.assert_close(3 * rate.sum(1).mean(), turn.notes["rate"])
    assert vae(prior=Gmm(3)).rate(x, Given.none(6, Space())).shape == (6, 1)


def test_a_learnt_prior_and_scale_learn() -> None:
    model = vae(prior=Gmm(3))
    (turn,) = model.play(Batch.of(torch.randn(6, 3)), Progress())
    turn.losses["autoencoder"].backward()
    for parameter in (*model.prior_net.parameters(), model.p.shared):
        assert parameter.grad is not None
        assert parameter.grad.any()


def test_mmd_matches_codes_to_draws_of_the_prior() -> None:
    model = vae(divergence=MMD(weight=1.0))
    (turn,) = model.play(Batch.of(torch.randn(50, 3)), Progress())
    assert turn.notes["rate"].isfinite()


def test_a_picture_is_shown_by_its_mean_and_a_row_by_a_draw() -> None:
    picture = Space((Field("p", Bounded()),), (3, 3))
    model = VAE(picture, Space(), 2, Dense(8, 1), Dense(8, 1))
    torch.manual_seed(1)
    shown = model.sample(Given.none(2, Space()))
    torch.manual_seed(1)
    z = model.prior(Given.none(2, Space())).sample()
    torch.testing.assert_close(shown, model.decode(z, Given.none(2, Space())).mean)
