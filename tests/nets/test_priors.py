"""Priors: what they return is a density, and the one made of posteriors is their mixture."""

import math

import pytest
import torch

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Bounded, Field, Space
from twofold.maths.bounds import CIWAE, ELBO, IWAE, Bound, Dreg
from twofold.maths.divergences import KL, MMD, Divergence, TotalCorrelation
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.nets.posteriors import Diagonal, Flow, Form, Full
from twofold.nets.priors import Autoregressive, Gmm, Prior, Spline, Standard, Vamp

pytestmark = pytest.mark.usefixtures("float64")
SPACE = Space((Field("v", Bounded(), 3),))
LEARNT = [Gmm(3), Vamp(4), Autoregressive(1, 8), Spline(1, 8)]


def vae(**parts: object) -> VAE:
    torch.manual_seed(0)
    return VAE(SPACE, Space(), 2, Dense(8, 1), Dense(8, 1), **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("prior", [Standard(), *LEARNT], ids=lambda p: type(p).__name__)
def test_a_prior_is_a_density_and_its_draws_follow_it(prior: Prior) -> None:
    model = vae(prior=prior)
    side = torch.linspace(-9, 9, 241)
    grid = torch.cartesian_prod(side, side)
    with torch.no_grad():
        p = model.prior(Given.none(len(grid), Space())).log_prob(grid).exp()
    assert (p.sum() * (side[1] - side[0]) ** 2).item() == pytest.approx(1.0, abs=2e-3)
    z = model.prior(Given.none(20_000, Space())).sample()
    torch.testing.assert_close(z.mean(0), p @ grid / p.sum(), atol=0.06, rtol=0.05)


def test_vamp_mixes_the_posteriors_of_its_inputs() -> None:
    model, z = vae(prior=Vamp(4)), torch.randn(5, 2)
    u = model.prior_net.u.clamp(0, 1)  # type: ignore[union-attr,operator]
    q = model.encode(u, Given.none(4, Space()))
    each = torch.stack([q.log_prob(row.expand(4, -1)) for row in z])  # (5, 4)
    expected = each.logsumexp(1) - math.log(4)
    torch.testing.assert_close(model.prior(Given.none(5, Space())).log_prob(z), expected)


@pytest.mark.parametrize("prior", LEARNT, ids=lambda p: type(p).__name__)
def test_a_learnt_prior_learns(prior: Prior) -> None:
    model = vae(prior=prior)
    (turn,) = model.play(Batch.of(torch.rand(6, 3)), Progress())
    turn.losses["autoencoder"].backward()
    for parameter in model.prior_net.parameters():
        assert parameter.grad is not None
        assert parameter.grad.any()


@pytest.mark.parametrize(
    ("posterior", "prior", "divergence", "bound", "names"),
    [
        (Diagonal(), Standard(), KL(beta=2.0), IWAE(), "iwae does not go with kl"),
        (Diagonal(), Standard(), MMD(), CIWAE(), "ciwae does not go with mmd"),
        (Full(), Standard(), TotalCorrelation(), ELBO(), "total-correlation does not go with full"),
        (Diagonal(), Gmm(), MMD(), ELBO(), "mmd does not go with gmm"),
        (Full(), Vamp(), KL(), ELBO(), "vamp does not go with full"),
        (
            Flow(),
            Standard(),
            KL(),
            Dreg(),
            "dreg does not go with flow",
        ),
        (Diagonal(), Vamp(), KL(), Dreg(), "does not go with vamp"),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    posterior: Form, prior: Prior, divergence: Divergence, bound: Bound, names: str
) -> None:
    with pytest.raises(UserError, match=names):
        vae(posterior=posterior, prior=prior, divergence=divergence, bound=bound)
