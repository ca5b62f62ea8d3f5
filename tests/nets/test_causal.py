"""The prior over indices: it looks back only, it is a distribution, and it draws what it says."""

import itertools

import pytest
import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.space import Category, Field, Space
from twofold.nets.causal import CausalNet, CausalTransformer, CodePrior, drawn, likeliest

pytestmark = pytest.mark.usefixtures("float64")
GIVEN = Space((Field("label", Category(("x", "y")), missing=True),))


def net(places: int = 6, size: int = 5) -> CausalNet:
    """A network none of whose weights is zero."""
    torch.manual_seed(0)
    made = CausalTransformer(width=8, depth=2, heads=2).build(places, size, GIVEN)
    for parameter in made.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return made


def condition(rows: int) -> Tensor:
    return torch.tensor([[1.0, 0.0, 1.0]]).expand(rows, -1)


@pytest.mark.parametrize("place", range(6))
def test_it_cannot_look_ahead(place: int) -> None:
    """The logits up to a place do not change with its index; those after it do."""
    made, k = net(), torch.randint(5, (3, 6))
    other = k.clone()
    other[:, place] = (k[:, place] + 1) % 5
    before, after = made(k, condition(3)), made(other, condition(3))
    assert before[:, : place + 1].equal(after[:, : place + 1])
    assert ((before != after).any(2)[:, place + 1 :]).all()


def test_it_is_a_distribution_over_all_sequences() -> None:
    made = net(places=3, size=4)
    every = torch.tensor(list(itertools.product(range(4), repeat=3)))
    log_p = made.log_prob(every, condition(64))
    assert log_p.logsumexp(0).item() == pytest.approx(0, abs=1e-12)
    assert log_p.std() > 0.1


def test_rolling_with_a_memory_is_the_whole_pass() -> None:
    made, seen = net(), []

    def choose(logits: Tensor) -> Tensor:
        seen.append(logits)
        return drawn(logits)

    k = made.roll(condition(4), choose)
    torch.testing.assert_close(torch.stack(seen, 1), made(k, condition(4)))


def test_rolling_passes_each_place_once() -> None:
    made, lengths = net(places=9), []
    made.layers[0].register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    made.roll(condition(2), drawn)
    assert lengths == [1] * 9


def test_draws_are_as_frequent_as_it_says() -> None:
    made = net(places=2, size=3)
    every = torch.tensor(list(itertools.product(range(3), repeat=2)))
    p = made.log_prob(every, condition(9)).exp()
    k = made.roll(condition(20_000), drawn)
    counts = torch.bincount(3 * k[:, 0] + k[:, 1], minlength=9)
    chi_square = ((counts - 20_000 * p).square() / (20_000 * p)).sum()
    assert chi_square < 26.1  # 8 degrees of freedom, one in a thousand


def test_what_is_given_matters() -> None:
    made, k = net(), torch.randint(5, (2, 6))
    assert not made.log_prob(k, condition(2)).equal(made.log_prob(k, torch.zeros(2, 3)))


def test_as_a_prior_of_vectors_it_knows_its_own_draws() -> None:
    made, e = net(), torch.randn(5, 3)
    p = CodePrior(made, e, condition(4))
    z = p.sample()
    assert z.shape == (4, 18)
    k = torch.stack([(e == part).all(1).nonzero() for part in z.reshape(-1, 3)]).reshape(4, 6)
    torch.testing.assert_close(p.log_prob(z), made.log_prob(k, condition(4)))
    assert p.mode.equal(p.vectors(made.roll(condition(4), likeliest)))
    assert p.mean.shape == z.shape


def test_before_it_learns_its_branches_are_silent() -> None:
    """Both branches of a layer end in zero, so that at first it hands on what it gets."""
    made = CausalTransformer(width=8).build(4, 3, GIVEN)
    h = torch.randn(2, 4, 8)
    out, _ = made.layers[0](h, made.nothing(condition(2))[0])
    assert out.equal(h)


def test_heads_share_the_width_evenly() -> None:
    with pytest.raises(UserError, match="make it a multiple"):
        CausalTransformer(width=10, heads=4).build(3, 3, GIVEN)
