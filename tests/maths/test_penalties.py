"""Penalties of critics whose slopes are known, and by hand where they are not."""

import pytest
import torch
from torch import Tensor, nn

from twofold.maths.augmentations import Jitter, Scaling
from twofold.maths.penalties import (
    R1,
    R2,
    Consistency,
    Contest,
    Dragan,
    GradientPenalty,
    LipschitzPenalty,
    squared_slope,
)

pytestmark = pytest.mark.usefixtures("float64")


def contest(judge: nn.Module, rows: int = 5, shape: tuple[int, ...] = (3,)) -> Contest:
    def logits(x: Tensor) -> Tensor:
        return judge(x.flatten(1)).squeeze(1)

    real, fake = (torch.randn(rows, *shape, requires_grad=True) for _ in range(2))
    return Contest(logits, real, fake, logits(real), logits(fake))


def test_a_linear_critic_pays_its_weight() -> None:
    linear = nn.Linear(3, 1)
    square = linear.weight.square().sum()
    at = contest(linear)
    torch.testing.assert_close(R1(gamma=3.0)(at), (1.5 * square).expand(5))
    torch.testing.assert_close(R2(gamma=2.0)(at), square.expand(5))
    expected = 10 * (square.sqrt() - 1).square()
    torch.testing.assert_close(GradientPenalty()(at), expected.expand(5), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(4,), (1, 2, 2)])
def test_r1_and_r2_are_the_jacobians_by_hand(shape: tuple[int, ...]) -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    at = contest(net, 6, shape)
    by_hand = [
        torch.stack([torch.func.jacrev(lambda v: net(v)[0])(row).square().sum() for row in x])
        for x in (at.real.detach().flatten(1), at.fake.detach().flatten(1))
    ]
    torch.testing.assert_close(R1(gamma=1.0)(at), 0.5 * by_hand[0])
    torch.testing.assert_close(R2(gamma=1.0)(at), 0.5 * by_hand[1])


def test_the_penalty_teaches_the_critic() -> None:
    """d/dw of ½ γ ‖w‖² is γ w, through the double backward."""
    linear = nn.Linear(3, 1)
    at = contest(linear)
    (R1(gamma=2.0)(at) + R2(gamma=2.0)(at)).mean().backward()
    assert linear.weight.grad is not None
    torch.testing.assert_close(linear.weight.grad, 4 * linear.weight.detach())


def test_gradient_penalty_looks_between_real_and_drawn() -> None:
    seen: list[Tensor] = []

    def judge(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.sum(1)

    real, fake = torch.ones(50, 2), torch.zeros(50, 2)
    at = Contest(judge, real, fake, judge(real), judge(fake))
    assert GradientPenalty(weight=1.0)(at).mean().item() == pytest.approx((2**0.5 - 1) ** 2)
    between = seen[-1]
    assert ((between >= 0) & (between <= 1)).all()
    torch.testing.assert_close(between[:, 0], between[:, 1])  # one t a row
    assert between[:, 0].std() > 0.2


@pytest.mark.parametrize(("size", "paid"), [(0.5, 0.0), (1.0, 0.0), (3.0, 8.0)])
def test_the_lipschitz_penalty_is_of_the_excess_alone(size: float, paid: float) -> None:
    linear = nn.Linear(3, 1)
    linear.weight.data *= size / linear.weight.norm()
    found = LipschitzPenalty(2.0)(contest(linear))
    torch.testing.assert_close(found, torch.full((5,), paid), rtol=0, atol=1e-6)


def test_a_flat_critic_has_a_finite_gradient() -> None:
    flat = nn.Linear(3, 1)
    nn.init.zeros_(flat.weight)
    GradientPenalty()(contest(flat)).mean().backward()
    assert flat.weight.grad is not None
    assert flat.weight.grad.isfinite().all()


def test_rows_do_not_share_their_slopes() -> None:
    x = torch.randn(4, 3, requires_grad=True)
    scale = torch.arange(1.0, 5.0)
    torch.testing.assert_close(squared_slope((x.sum(1) * scale), x), 3 * scale.square())


def test_a_penalty_centred_at_zero_is_the_squared_slope() -> None:
    linear = nn.Linear(3, 1)
    square = linear.weight.square().sum()
    at = contest(linear)
    torch.testing.assert_close(GradientPenalty(2.0, target=0.0)(at), (2 * square).expand(5))
    torch.testing.assert_close(Dragan(3.0)(at), (3 * (square.sqrt() - 1).square()).expand(5))


def test_dragan_looks_near_real_observations() -> None:
    seen: list[Tensor] = []

    def judge(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return x.sum(1)

    real, fake = torch.full((400, 3), 5.0), torch.zeros(400, 3)
    Dragan(sigma=0.2)(Contest(judge, real, fake, judge(real), judge(fake)))
    assert seen[-1].mean().item() == pytest.approx(5, abs=0.03)
    assert seen[-1].std().item() == pytest.approx(0.2, rel=0.1)


def test_a_pack_pays_for_all_its_rows() -> None:
    """Rows side by side are one observation: its slope is that of all of them together."""
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    rows = torch.randn(4, 3, requires_grad=True)

    def judge(x: Tensor) -> Tensor:
        return net(x.reshape(2, 6)).squeeze(1)

    whole = rows.detach().reshape(2, 6).requires_grad_()
    torch.testing.assert_close(
        squared_slope(judge(rows), rows), squared_slope(net(whole).squeeze(1), whole)
    )
    fake = torch.randn(4, 3, requires_grad=True)
    at = Contest(judge, rows, fake, judge(rows), judge(fake))
    assert GradientPenalty()(at).shape == (2,)


def test_consistency_is_the_squared_change_of_the_logits() -> None:
    linear = nn.Linear(3, 1)
    at = contest(linear)
    assert Consistency(policy=(Jitter(0.0), Scaling(0.0)))(at).eq(0).all()
    torch.manual_seed(5)
    paid = Consistency(2.0, drawn=3.0, policy=(Scaling(0.5),))(at)
    torch.manual_seed(5)
    real, fake = (Scaling(0.5)(x.detach()) for x in (at.real, at.fake))
    expected = 2 * (at.real_logits - at.judge(real)).square()
    expected = expected + 3 * (at.fake_logits - at.judge(fake)).square()
    torch.testing.assert_close(paid, expected)
