"""Divergences of the aggregated posterior: their identities, and critics that know the answer."""

import math

import pytest
import torch

from twofold.core.game import Progress
from twofold.maths.distributions import Normal
from twofold.maths.divergences import (
    DIP,
    KL,
    Adversarial,
    Capacity,
    Code,
    Factor,
    TotalCorrelation,
    decomposed,
    kl_by_dimension,
    shuffled,
    stratified,
    weighted,
)
from twofold.maths.varying import Linear

pytestmark = pytest.mark.usefixtures("float64")


def code(rows: int = 32, latent: int = 3, size: int = 500) -> Code:
    torch.manual_seed(0)
    q = Normal(torch.randn(rows, latent), torch.randn(rows, latent) - 1)
    return Code(q, q.sample(), Normal.standard(rows, latent, q.mu), size)


@pytest.mark.parametrize("weights", [weighted, stratified])
def test_the_three_terms_sum_to_the_drawn_kl(weights: object) -> None:
    c = code()
    drawn = (c.q.log_prob(c.z) - c.p.log_prob(c.z)).mean()  # type: ignore[attr-defined]
    torch.testing.assert_close(sum(decomposed(c, weights)), drawn)  # type: ignore[arg-type]
    torch.testing.assert_close(TotalCorrelation(beta=1.0)(c), drawn)


def test_the_terms_are_those_of_a_known_aggregate() -> None:
    """With the whole data in the batch, q(z) is the mixture itself."""
    n = 400
    torch.manual_seed(1)
    mu = torch.randn(n, 1) @ torch.ones(1, 2)  # two dimensions that say the same
    q = Normal(mu, torch.full((n, 2), -2.0))
    c = Code(q, q.sample(), Normal.standard(n, 2, mu), n)
    index, total, _ = decomposed(c, weighted)
    rows = Normal(q.mu.unsqueeze(0), q.log_sigma.unsqueeze(0)).elementwise(c.z.unsqueeze(1))
    log_qz = rows.sum(2).logsumexp(1) - math.log(n)
    # weighted sampling has log q(z) too low by log N when the batch is the data
    assert index.item() == pytest.approx((q.log_prob(c.z) - log_qz).mean().item() + math.log(n))
    tc_exact = (log_qz - (rows.logsumexp(1) - math.log(n)).sum(1)).mean().item()
    assert total.item() == pytest.approx(tc_exact + math.log(n))
    assert tc_exact > 1.0


def test_stratified_weights_are_a_distribution_and_unbiased() -> None:
    log_w = stratified(8, 100, torch.zeros(1))
    torch.testing.assert_close(log_w.exp().sum(1), torch.ones(8))
    n, batch = 40, 6
    torch.manual_seed(2)
    mu = torch.randn(n, 1)
    density = Normal(mu, torch.full((n, 1), -1.0))
    z = mu[0]  # a code of the first observation
    every = density.elementwise(z).exp().squeeze(1)  # q(z | x_j)
    w = stratified(batch, n, mu)[0].exp()
    others = torch.stack([1 + torch.randperm(n - 1)[: batch - 1] for _ in range(20_000)])
    drawn = w[0] * every[0] + (w[1:] * every[others]).sum(1)
    error = 4 * drawn.std().item() / math.sqrt(len(drawn))
    assert drawn.mean().item() == pytest.approx(every.mean().item(), abs=error)


def test_total_correlation_weighs_its_middle_term_alone() -> None:
    c = code()
    _, total, _ = decomposed(c, weighted)
    one, six = (TotalCorrelation(beta=b)(c) for b in (1.0, 6.0))
    torch.testing.assert_close(six - one, 5 * total)


def test_capacity_pulls_from_both_sides() -> None:
    c = code()
    nats = kl_by_dimension(c.q, c.z, c.p).mean(0).sum()
    for capacity in (0.0, 100.0):
        expected = 3 * (nats - capacity).abs()
        torch.testing.assert_close(Capacity(gamma=3.0, capacity=capacity)(c), expected)
    rising = Capacity(1.0, Linear(0, 25, steps=10)).build(3)
    torch.testing.assert_close(rising(c, Progress(step=5)), (nats - 12.5).abs())


def test_dip_is_the_kl_when_the_covariance_is_the_identity() -> None:
    mu = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) * math.sqrt(3) / 2
    q = Normal(mu, torch.full((4, 2), -20.0))  # points: C = I with n − 1 below
    c = Code(q, mu, Normal.standard(4, 2, mu))
    torch.testing.assert_close(DIP(of="means")(c), KL()(c))
    torch.testing.assert_close(DIP(of="codes")(c), KL()(c))
    bent = Code(Normal(mu @ torch.tensor([[1.0, 0.5], [0.0, 1.0]]), q.log_sigma), mu, c.p)
    off, on = DIP(10.0, 0.0, "means"), DIP(0.0, 10.0, "means")
    assert (off(bent) - KL()(bent)).item() == pytest.approx(10 * 2 * 0.25)
    assert (on(bent) - KL()(bent)).item() == pytest.approx(10 * 0.0625)


def test_shuffling_keeps_each_dimension_and_breaks_their_bond() -> None:
    z = torch.randn(2000, 1).expand(-1, 2).clone()
    apart = shuffled(z)
    torch.testing.assert_close(apart.sort(0).values, z.sort(0).values)
    assert abs(torch.corrcoef(apart.T)[0, 1].item()) < 0.1


def test_the_factor_critic_estimates_the_total_correlation() -> None:
    """Of a Gaussian with correlation ρ it is −½ log(1 − ρ²)."""
    torch.manual_seed(0)
    rho, n = 0.9, 4096
    rate = Factor(width=32, depth=2, gamma=1.0, beta=0.0).build(2)
    critic = rate.players()["code_critic"][0]
    adam = torch.optim.Adam(critic.parameters(), lr=3e-3)
    prior = Normal.standard(n, 2, torch.zeros(()))

    def draw() -> torch.Tensor:
        e = torch.randn(n, 2)
        return torch.stack([e[:, 0], rho * e[:, 0] + math.sqrt(1 - rho**2) * e[:, 1]], 1)

    for _ in range(300):
        (turn,) = rate.play(draw(), prior)
        adam.zero_grad()
        turn.losses["code_critic"].backward()
        adam.step()
    z = draw()
    found = rate(Code(Normal(z, torch.zeros_like(z)), z, prior), Progress()).item()
    assert found == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.12)


def test_the_adversarial_rate_falls_for_codes_like_the_prior() -> None:
    torch.manual_seed(0)
    rate, n = Adversarial(width=32, depth=1).build(2), 512
    critic = rate.players()["code_critic"][0]
    adam = torch.optim.Adam(critic.parameters(), lr=1e-2)
    prior = Normal.standard(n, 2, torch.zeros(()))
    for _ in range(100):
        (turn,) = rate.play(3 + torch.randn(n, 2), prior)
        adam.zero_grad()
        turn.losses["code_critic"].backward()
        adam.step()
    far, near = (
        rate(Code(Normal(z, torch.zeros_like(z)), z, prior), Progress()).item()
        for z in (3 + torch.randn(n, 2), torch.randn(n, 2))
    )
    assert far > 2 > near
