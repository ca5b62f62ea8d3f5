"""Draws of which some fields are asked: their law against the one that is known exactly."""

import pytest
import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.space import Field, Real, Space
from twofold.maths.distributions import Normal
from twofold.maths.likelihoods import Observation, ObservationSpec
from twofold.maths.partly import Asked, Partly

SPACE = Space((Field("a", Real()), Field("b", Real())))
W = torch.tensor([[1.5], [1.0]])
NOISE = 0.5


def decode(z: Tensor, given: Given) -> Observation:
    """x | z ~ N(W z, ½² I), as an observation of two fields."""
    raw = torch.tensor(NOISE).log()
    shared = 7 * torch.atanh(raw / 7)
    return ObservationSpec(SPACE)(z @ W.T, shared.expand(2))


def prior(given: Given) -> Normal:
    return Normal.standard(len(given), 1, given.c)


def encode(x: Tensor, given: Given) -> Normal:
    """The true posterior, moved and widened, so that proposals are refused at times."""
    precision = 1 + W.square().sum() / NOISE**2
    mean = x @ W / NOISE**2 / precision + 0.1
    return Normal(mean, (1.3 * precision.rsqrt()).log().expand_as(mean))


@pytest.mark.parametrize(("ways", "draws"), [((), 200), ((encode,), 200), ((encode,), 5)])
def test_what_is_drawn_has_the_law_of_the_rest(ways: tuple, draws: int) -> None:
    """b | a = 1.2 is normal: its moments are those of the joint normal WWᵀ + ½² I.

    With five draws of the prior alone it would not be: the chain does the rest.
    """
    torch.manual_seed(0)
    n = 4000
    values = torch.tensor([[1.2, float("nan")]]).expand(n, -1)
    way = Partly(decode, prior, ways, draws, rounds=20)
    made = way(Asked.of(SPACE, values.nan_to_num(), ["a"]), Given(torch.zeros(n * draws, 0)))
    covariance = W @ W.T + NOISE**2 * torch.eye(2)
    slope = covariance[1, 0] / covariance[0, 0]
    spread = (covariance[1, 1] - slope * covariance[0, 1]).sqrt()
    b = made.x[:, 1]
    assert made.x[:, 0].eq(1.2).all()
    assert float(b.mean()) == pytest.approx(float(slope * 1.2), abs=5 * float(spread) / n**0.5)
    assert float(b.std()) == pytest.approx(float(spread), rel=0.06)
    assert 1 <= float(made.effective.mean()) <= draws


def test_what_is_given_is_chosen_with_the_code() -> None:
    """A condition that makes what is asked likelier is drawn more often."""
    torch.manual_seed(0)

    def moved(z: Tensor, given: Given) -> Observation:
        return decode(z + 2 * given.c, given)

    k, n = 100, 500
    c = (torch.rand(n * k, 1) < 0.5).float()
    asked = Asked.of(SPACE, torch.tensor([[3.0, 0.0]]).expand(n, -1), ["a"])
    made = Partly(moved, prior, (), k)(asked, Given(c))
    spread = (W[0] ** 2 + NOISE**2).sqrt()
    p = torch.distributions.Normal(2 * W[0] * torch.tensor([0.0, 1.0]), spread).log_prob(
        torch.tensor(3.0)
    )
    assert float(c[made.rows].mean()) == pytest.approx(float(p.softmax(0)[1]), abs=0.07)
