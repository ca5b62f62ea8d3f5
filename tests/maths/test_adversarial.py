"""The optimal critic of each objective gives its divergence, on densities over a few points.

With probabilities p (real) and g (drawn) over K points, the critic is a free logit a point.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from twofold.core.build import parts_of
from twofold.maths.adversarial import (
    Hinge,
    LeastSquares,
    NonSaturating,
    Objective,
    Relativistic,
    RelativisticAverage,
    Saturating,
    Wasserstein,
    strongest,
)

pytestmark = pytest.mark.usefixtures("float64")

# Out of a hundred rows, so that a batch is the density exactly.
REAL = torch.tensor([10, 20, 30, 40])
FAKE = torch.tensor([25, 25, 10, 40])
P, G = REAL.double() / 100, FAKE.double() / 100


def loss(objective: Objective, d: Tensor) -> Tensor:
    """The critic's loss of the logits d (K,), every real row beside every drawn one."""
    points = torch.arange(len(d))
    real, fake = points.repeat_interleave(REAL), points.repeat_interleave(FAKE)
    pairs = torch.cartesian_prod(real, fake)
    return objective.critic(d[pairs[:, 0]], d[pairs[:, 1]])


def optimum(objective: Objective, start: Tensor) -> tuple[Tensor, Tensor]:
    """The critic's best logits, and its least loss."""
    d = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [d],
        max_iter=200,
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss(objective, d)
        value.backward()
        return value

    optimiser.step(closure)
    return d.detach(), loss(objective, d).detach()


def js(p: Tensor, q: Tensor) -> Tensor:
    m = (p + q) / 2
    return 0.5 * (p * (p / m).log()).sum() + 0.5 * (q * (q / m).log()).sum()


def test_non_saturating_is_jensen_shannon() -> None:
    """D* = log p/g, and -L* = 2 JS - log 4 (Goodfellow et al. 2014, Theorem 1)."""
    d, least = optimum(NonSaturating(), torch.zeros(4))
    torch.testing.assert_close(d, (P / G).log(), atol=1e-6, rtol=0)
    torch.testing.assert_close(-least, 2 * js(P, G) - torch.tensor(4.0).log(), atol=1e-9, rtol=0)


def test_least_squares_is_pearson() -> None:
    """D* = p / (p + g), where L* = ½ Σ pg / (p + g), so 2 - 8 L* = Σ (p - g)² / (p + g).

    The right-hand side is 2 χ²(p ‖ m) for m = (p + g) / 2, Pearson's (Mao et al. 2017, §3.2).
    """
    d, least = optimum(LeastSquares(), torch.zeros(4))
    torch.testing.assert_close(d, P / (P + G), atol=1e-6, rtol=0)
    m = (P + G) / 2
    torch.testing.assert_close(2 - 8 * least, 2 * ((P - m).square() / m).sum())


def test_hinge_is_total_variation() -> None:
    """L* = 2 Σ min(p, g) = 2 - 2 TV, at D* = sign(p - g) (Lim & Ye 2017)."""
    sign = torch.sign(P - G)
    least = loss(Hinge(), sign)
    torch.testing.assert_close(least, 2 - (P - G).abs().sum())
    for _ in range(100):
        assert loss(Hinge(), sign + torch.randn(4)) >= least - 1e-12


def test_wasserstein_over_lipschitz_critics_is_the_earth_movers_distance() -> None:
    """On a line of points one apart, W₁ = Σ |F_p - F_g|, reached by a 1-Lipschitz critic."""
    flow = (P - G).cumsum(0)[:-1]
    best = torch.cat([torch.zeros(1), -flow.sign().cumsum(0)])
    torch.testing.assert_close(-loss(Wasserstein(), best), flow.abs().sum())
    for _ in range(100):
        steps = 2 * torch.rand(3) - 1  # any other 1-Lipschitz critic
        other = torch.cat([torch.zeros(1), steps.cumsum(0)])
        assert -loss(Wasserstein(), other) <= flow.abs().sum() + 1e-12


def test_relativistic_is_least_at_log_ratio_differences_and_log_two_between_equals() -> None:
    """Where pairs are few enough to meet: two points, both orders, solved in closed form."""
    d, least = optimum(Relativistic(), torch.zeros(4))
    assert least < torch.tensor(2.0).log()  # a divergence: below log 2 when p ≠ g
    gradient = torch.func.grad(lambda v: loss(Relativistic(), v))(d)
    assert gradient.abs().max() < 1e-8
    # Convex, and at p = g its least is log 2, at a constant critic.
    logits = torch.tensor([0.0, 0.0, 0.0])
    assert Relativistic().critic(logits, logits).item() == pytest.approx(torch.tensor(2.0).log())
    # Two points: E s(f - r) has D₁ - D₂ = log(p₁ g₂ / (g₁ p₂)).
    p, g = torch.tensor([0.7, 0.3]), torch.tensor([0.2, 0.8])

    def two(gap: Tensor) -> Tensor:
        pair = Relativistic().critic
        d = torch.stack([gap, gap * 0])
        return sum(p[i] * g[j] * pair(d[i : i + 1], d[j : j + 1]) for i in (0, 1) for j in (0, 1))

    best = (p[0] * g[1] / (g[0] * p[1])).log()
    assert torch.func.grad(two)(best).abs() < 1e-12


@pytest.mark.parametrize("name", sorted(parts_of(Objective)))
def test_the_generator_wants_its_logits_higher_and_the_critic_lower(name: str) -> None:
    objective = parts_of(Objective)[name]()
    real = torch.randn(6)
    fake = torch.linspace(-0.9, 0.9, 6).requires_grad_()
    (wish,) = torch.autograd.grad(objective.generator(real, fake), fake)
    (dread,) = torch.autograd.grad(objective.critic(real, fake), fake)
    assert (wish < 0).all()
    if name != "least-squares":  # which wants them at 0, from either side
        assert (dread > 0).all()


@pytest.mark.parametrize("name", sorted(parts_of(Objective)))
@pytest.mark.parametrize("loss_of", [lambda o: o.critic, lambda o: o.generator])
def test_losses_stay_finite_at_huge_logits(
    name: str, loss_of: Callable[[Objective], Callable[[Tensor, Tensor], Tensor]]
) -> None:
    real = torch.tensor([1e4, -1e4], dtype=torch.float32, requires_grad=True)
    fake = torch.tensor([-1e4, 1e4], dtype=torch.float32, requires_grad=True)
    value = loss_of(parts_of(Objective)[name]())(real, fake)
    value.backward()
    assert value.isfinite()
    assert all(t.grad is None or t.grad.isfinite().all() for t in (real, fake))


@pytest.mark.parametrize("name", sorted(parts_of(Objective)))
def test_only_a_relative_generator_looks_at_real_logits(name: str) -> None:
    objective = parts_of(Objective)[name]()
    real, fake = torch.randn(2, 5)
    changed = objective.generator(real + torch.randn(5), fake)
    same = torch.equal(changed, objective.generator(real, fake))
    assert same is not objective.relative


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
def test_a_smoothed_critic_is_best_at_its_share_of_p_over_p_plus_g(smoothing: float) -> None:
    """Goodfellow's optimum with 1 − α in place of 1; the regression's is the same."""
    best = (1 - smoothing) * P / (P + G)
    for objective in (NonSaturating(smoothing), Saturating(smoothing)):
        d, _ = optimum(objective, torch.zeros(4))
        torch.testing.assert_close(d.sigmoid(), best, rtol=1e-5, atol=1e-7)
    d, _ = optimum(LeastSquares(smoothing), torch.zeros(4))
    torch.testing.assert_close(d, best, rtol=1e-5, atol=1e-7)


def test_without_smoothing_nothing_changes() -> None:
    real, fake = torch.randn(2, 6)
    for make in (NonSaturating, Saturating, LeastSquares):
        assert make(0.0).critic(real, fake).equal(make().critic(real, fake))
    by_hand = -(0.8 * real.sigmoid().log() + 0.2 * (1 - real.sigmoid()).log()).mean()
    by_hand = by_hand - (1 - fake.sigmoid()).log().mean()
    torch.testing.assert_close(NonSaturating(0.2).critic(real, fake), by_hand)


def test_the_minimax_generator_lowers_what_the_critic_lowers() -> None:
    """E log(1 − D), whose gradient vanishes where the critic is sure; the other one's does not."""
    real, fake = torch.zeros(1), torch.tensor([-9.0], requires_grad=True)
    torch.testing.assert_close(
        Saturating().generator(real, fake), (1 - fake.sigmoid()).log().mean()
    )
    (stalled,) = torch.autograd.grad(Saturating().generator(real, fake), fake)
    (alive,) = torch.autograd.grad(NonSaturating().generator(real, fake), fake)
    assert stalled.abs() < 1e-3
    assert alive.abs() > 0.99


def test_the_average_relativistic_loss_is_the_papers() -> None:
    real, fake = torch.randn(5), torch.randn(5)
    against = (real - fake.mean()).sigmoid(), (fake - real.mean()).sigmoid()
    critic = -against[0].log().mean() - (1 - against[1]).log().mean()
    generator = -against[1].log().mean() - (1 - against[0]).log().mean()
    torch.testing.assert_close(RelativisticAverage().critic(real, fake), critic)
    torch.testing.assert_close(RelativisticAverage().generator(real, fake), generator)
    assert RelativisticAverage().critic(real * 0, fake * 0) == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize(("share", "kept"), [(1.0, 6), (0.5, 3), (0.01, 1)])
def test_the_strongest_are_the_critics_favourites_with_their_partners(
    share: float, kept: int
) -> None:
    fake = torch.randperm(6).double()
    best = strongest(fake + 10, fake, share)
    assert best[1].sort().values.tolist() == list(range(6 - kept, 6))
    torch.testing.assert_close(best[0], best[1] + 10)
