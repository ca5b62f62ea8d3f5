"""The importance-weighted bound on a model whose likelihood is known.

With p(z) = N(0, 1), p(x | z) = N(Wz + b, s² I) and a posterior that is a little wrong, the bound
rises with K and meets log N(x; b, WWᵀ + s² I). The model is our VAE with linear networks.
"""

import math

import pytest
import torch

from twofold.core.batch import Given
from twofold.core.space import Field, Real, Space
from twofold.maths.bounds import (
    CIWAE,
    ELBO,
    IWAE,
    MIWAE,
    PIWAE,
    Bound,
    Draws,
    Dreg,
    averaged,
    importance_weighted,
)
from twofold.maths.likelihoods import Gaussian
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense

pytestmark = pytest.mark.usefixtures("float64")
SCALE = 0.7


def linear_gaussian() -> tuple[VAE, torch.Tensor, torch.Tensor]:
    """A VAE of two numbers and one latent, and its W (2,) and b (2,)."""
    space = Space((Field("x", Real(), 2),))
    linear = Dense(depth=0)
    likelihood = (Gaussian(scale="fixed", std=SCALE),)
    vae = VAE(space, Space(), 1, linear, linear, likelihood=likelihood)
    layer = vae.p.body.layers[0]  # type: ignore[union-attr,index]
    return vae, layer.weight.detach().squeeze(1), layer.bias.detach()  # type: ignore[union-attr]


def exact(x: torch.Tensor, W: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    covariance = torch.outer(W, W) + SCALE**2 * torch.eye(2)
    return torch.distributions.MultivariateNormal(b, covariance).log_prob(x)


def test_the_bound_rises_with_k_and_meets_the_likelihood() -> None:
    vae, W, b = linear_gaussian()
    x = torch.randn(4, 2)
    truth, rows = exact(x, W, b), 400
    given = Given.none(len(x) * rows, Space())
    many = x.repeat_interleave(rows, 0)
    means, errors = [], []
    for k in (1, 4, 16, 128):
        with torch.no_grad():
            bound = vae.log_likelihood(many, given, k).unflatten(0, (-1, rows))
        means.append(bound.mean(1))
        errors.append(bound.std(1) / math.sqrt(rows))
    for low, high, e1, e2 in zip(means, means[1:], errors, errors[1:], strict=False):
        assert (high - low > -3 * (e1 + e2)).all()
    assert (means[0] < truth - 0.01).all()
    assert (means[-1] <= truth + 4 * errors[-1]).all()
    torch.testing.assert_close(means[-1], truth, atol=0.05, rtol=0)


def test_the_true_posterior_makes_every_bound_exact() -> None:
    """With q(z | x) = p(z | x) each weight is p(x): one draw suffices."""
    vae, W, b = linear_gaussian()
    precision = 1 + W.square().sum() / SCALE**2
    raw = 6 * math.atanh(-0.5 * math.log(precision) / 6)  # the encoder ends in 6 tanh(· / 6)
    layer = vae.q.body.layers[0]  # type: ignore[union-attr,index]
    weight = torch.stack([W / SCALE**2 / precision, torch.zeros(2)])
    layer.weight.data.copy_(weight)  # type: ignore[union-attr,operator]
    layer.bias.data.copy_(torch.tensor([-(weight[0] @ b), raw]))  # type: ignore[union-attr,operator]
    x = torch.randn(5, 2)
    for k in (1, 3):
        bound = vae.log_likelihood(x, Given.none(5, Space()), k)
        torch.testing.assert_close(bound, exact(x, W, b))


def test_the_weights_are_averaged_over_draws_not_rows() -> None:
    log_w = torch.tensor([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])  # (K = 2, B = 3)
    torch.testing.assert_close(importance_weighted(log_w), torch.tensor([0.0, 1.0, 2.0]))


def test_exactly_so_many_draws_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, _, _ = linear_gaussian()
    drawn = []
    randn = torch.randn_like
    monkeypatch.setattr(torch, "randn_like", lambda t: drawn.append(len(t)) or randn(t))
    vae.log_likelihood(torch.randn(3, 2), Given.none(3, Space()), 7)
    assert drawn == [21]


# The bounds that a VAE may raise.


def draws_of(vae: VAE, x: torch.Tensor, k: int) -> Draws:
    return vae.draws(x, Given.none(len(x), Space()), k)


def test_bounds_stand_in_their_order() -> None:
    """L_1 ≤ MIWAE(M, K) ≤ L_MK, and CIWAE between L_1 and L_K, on the same draws."""
    vae, _, _ = linear_gaussian()
    draws = draws_of(vae, torch.randn(50, 2), 12)
    loose, tight = draws.log_w.mean(), importance_weighted(draws.log_w).mean()
    mid = -MIWAE(3, 4).losses(draws)["autoencoder"]
    assert loose < mid < tight
    mixed = -CIWAE(beta=0.25, k=12).losses(draws)["autoencoder"]
    torch.testing.assert_close(mixed, 0.25 * loose + 0.75 * tight)
    torch.testing.assert_close(-ELBO().losses(draws)["autoencoder"], loose)


def test_miwae_normalises_over_k_and_averages_over_m() -> None:
    """M ≠ K: weights of one bound do not meet those of another."""
    log_w = torch.randn(6, 4)
    by_hand = torch.stack([importance_weighted(log_w[3 * i : 3 * i + 3]) for i in range(2)]).mean(0)
    torch.testing.assert_close(averaged(log_w, 2), by_hand)
    assert not torch.allclose(averaged(log_w, 2), averaged(log_w, 3))


def test_piwae_gives_each_player_its_own() -> None:
    vae, _, _ = linear_gaussian()
    draws = draws_of(vae, torch.randn(5, 2), 12)
    losses = PIWAE(3, 4).losses(draws)
    torch.testing.assert_close(losses["encoder"], MIWAE(3, 4).losses(draws)["autoencoder"])
    torch.testing.assert_close(losses["decoder"], IWAE(12).losses(draws)["autoencoder"])


def test_the_doubly_reparameterised_gradient_is_unbiased_and_steadier() -> None:
    vae, _, _ = linear_gaussian()
    x = torch.randn(1, 2).expand(64, -1)
    weights = list(vae.q.parameters())

    def gradients(bound: Bound, player: str) -> torch.Tensor:
        found = []
        for _ in range(150):
            loss = bound.losses(draws_of(vae, x, 8))[player]
            found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, weights)]))
        return torch.stack(found)

    plain, path = gradients(IWAE(8), "autoencoder"), gradients(Dreg(8), "encoder")
    error = 5 * (plain.std(0) + path.std(0)) / math.sqrt(len(plain)) + 1e-9
    assert ((plain.mean(0) - path.mean(0)).abs() < error).all()
    assert path.var(0).sum() < plain.var(0).sum()
