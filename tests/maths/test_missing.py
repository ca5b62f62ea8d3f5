"""What is missing given what is there, on a model whose answer is known.

With p(z) = N(0, 1) and p(x | z) = N(Wz + b, s² I), x is Gaussian with covariance WWᵀ + s² I, and
x_mis | x_obs is the textbook conditional Gaussian. The model is our VAE with linear networks, its
weights set by hand; without presence channels its encoder is the true posterior of a complete x.
"""

import math

import pytest
import scipy.stats
import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.space import Category, Field, Real, Space
from twofold.maths import importance
from twofold.maths.likelihoods import Gaussian
from twofold.maths.missing import Completions, Incomplete, completer, incompletable
from twofold.models.gan import GAN
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense

pytestmark = pytest.mark.usefixtures("float64")
S = 0.6
W = torch.tensor([1.0, -0.8, 0.5, 1.3], dtype=torch.float64)
B = torch.tensor([0.3, 0.0, -1.0, 0.5], dtype=torch.float64)
X = torch.tensor([1.1, -0.4, -0.2, 2.0], dtype=torch.float64)
NAN = math.nan


def linear_gaussian(missing: bool) -> VAE:
    """The VAE of four numbers, each with a presence channel if it may be missing."""
    space = Space(tuple(Field(f"x{i}", Real(), missing=missing) for i in range(4)))
    linear = Dense(depth=0)
    vae = VAE(space, Space(), 1, linear, linear, likelihood=(Gaussian("fixed", S),))
    width = 1 + missing  # channels a field: the value, and its presence
    down, up = vae.q.body.layers[0], vae.p.body.layers[0]
    precision = 1 + W.square().sum() / S**2
    with torch.no_grad():
        for tensor in (down.weight, down.bias, up.weight, up.bias):
            tensor.zero_()
        down.weight[0, ::width] = W / S**2 / precision
        down.bias[0] = -(W * B).sum() / S**2 / precision
        # exact for a complete x; a weighted draw needs a proposal that is wide enough
        down.bias[1] = 0.0 if missing else 6 * torch.atanh(-0.5 * precision.log() / 6)
        up.weight[::width, 0], up.bias[::width] = W, B
    return vae


def conditional(gap: Tensor) -> tuple[Tensor, Tensor]:
    """The mean and standard deviation of x_mis | x_obs."""
    covariance = torch.outer(W, W) + S**2 * torch.eye(4)
    gain = covariance[gap][:, ~gap] @ torch.linalg.inv(covariance[~gap][:, ~gap])
    spread = covariance[gap][:, gap] - gain @ covariance[~gap][:, gap]
    return B[gap] + gain @ (X - B)[~gap], spread.diagonal().sqrt()


def completed(
    missing: bool, gap: Tensor, draws: int, rounds: int = 30, copies: int = 1
) -> Completions:
    vae = linear_gaussian(missing)
    assert incompletable(vae, vae.space, Space()) == ""
    values = torch.where(gap, NAN, X).expand(copies, -1)
    rows = Incomplete.of(vae.space, values)
    with torch.no_grad():
        return completer(vae, draws, rounds)(rows, Given.none(copies, Space()))


GAPS = [[True, False, False, False], [False, True, True, False], [False, True, True, True]]


@pytest.mark.parametrize("missing", [True, False], ids=["importance", "chain"])
@pytest.mark.parametrize("gap", GAPS, ids=["one", "two", "three"])
def test_imputations_and_intervals_are_those_of_the_conditional_gaussian(
    missing: bool, gap: list[bool]
) -> None:
    where = torch.tensor(gap)
    found, (mean, std) = completed(missing, where, 20_000), conditional(where)
    width = 1 + missing
    enough = found.effective.item()
    assert enough > 500
    noise = 5 / math.sqrt(enough)
    ours, draws = found.mean[0, ::width][where], found.draws()[..., ::width][..., where]
    assert ((ours - mean).abs() < noise * std).all()
    for level in (0.05, 0.25, 0.5, 0.95):
        quantile = importance.quantile(found.log_w, draws, level)[0]
        truth = mean + std * scipy.stats.norm.ppf(level)
        assert ((quantile - truth).abs() < 4 * noise * std).all(), level


def test_sampling_importance_resampling_draws_from_the_conditional() -> None:
    """Draws of the plain posterior would be too narrow, of the proposal in another place."""
    where = torch.tensor([False, True, True, True])
    found, (mean, std) = completed(True, where, 400, copies=2000), conditional(where)
    drawn = found.sample()[:, ::2][:, where]
    assert ((drawn.mean(0) - mean).abs() < 0.12 * std).all()
    assert (drawn.std(0) / std - 1).abs().max() < 0.08


def test_weights_are_normalised_over_the_draws_of_a_row() -> None:
    """Not over rows: two rows in one batch must not see each other."""
    log_w = torch.randn(7, 3)
    torch.testing.assert_close(importance.weights(log_w).sum(0), torch.ones(3))
    alone = torch.cat(
        [importance.average(log_w[:, i : i + 1], log_w[:, i : i + 1]) for i in (0, 1, 2)]
    )
    torch.testing.assert_close(importance.average(log_w, log_w), alone)


def test_a_chain_that_never_moves_is_the_prior_and_not_the_answer() -> None:
    """The test above can fail: without rounds the gaps are filled from the prior."""
    where = torch.tensor([False, True, True, True])
    found, (mean, std) = completed(False, where, 5000, rounds=0), conditional(where)
    assert ((found.mean[0][where] - mean).abs() > 0.3 * std).any()


def test_effective_draws_are_between_one_and_k() -> None:
    assert importance.effective(torch.zeros(8, 1)).item() == pytest.approx(8)
    assert importance.effective(torch.tensor([[0.0], [-1e3]])).item() == pytest.approx(1)


def test_a_gap_is_hidden_where_there_is_a_presence_channel_and_filled_where_not() -> None:
    space = Space((Field("a", Category(("u", "v"))), Field("b", Real(1.0, 2.0), missing=True)))
    rows = Incomplete.of(space, torch.tensor([[NAN, 3.0], [1.0, NAN]]))
    assert rows.x.tolist() == [[0, 0, 1, 1], [0, 1, 0, 0]]
    assert rows.unfilled.tolist() == [[True, True, False, False], [False] * 4]
    assert rows.hidden.tolist() == [[False, False], [False, True]]
    fill = torch.full((2, 4), 9.0)
    assert rows.filled(fill).tolist() == [[9, 9, 1, 1], [0, 1, 0, 0]]


def test_which_values_are_missing_counts_only_when_it_is_asked_for() -> None:
    vae = linear_gaussian(missing=True)
    with torch.no_grad():
        vae.p.body.layers[0].weight[1::2, 0] = 3.0  # presence follows the code
    rows = Incomplete.of(vae.space, torch.tensor([[NAN, 0.2, NAN, NAN]]))
    known = Given.none(1, Space())
    torch.manual_seed(0)
    plain = completer(vae, 50, 0)(rows, known)
    torch.manual_seed(0)
    telling = completer(vae, 50, 0, telling=True)(rows, known)
    difference = telling.log_w - plain.log_w
    torch.manual_seed(0)
    z = vae.encode(rows.x, known).repeat(50).sample()
    presence = vae.decode(z, known.repeat(50)).log_presence(rows.x.expand(50, -1))
    torch.testing.assert_close(difference[:, 0], presence)


def test_what_cannot_complete_says_why() -> None:
    space = Space((Field("x", Real(), 2),))
    assert incompletable(GAN(space, Space()), space, Space()) == "it has no encoder"


@pytest.mark.parametrize("missing", [True, False])
def test_log_p_by_value_adds_up_to_log_p(missing: bool) -> None:
    vae = linear_gaussian(missing)
    x = vae.space.encode(torch.tensor([[0.1, 0.2, 0.3, 0.4], [1.0, NAN if missing else 0.0, 0, 1]]))
    p = vae.decode(torch.zeros(2, 1), Given.none(2, Space()))
    shown = torch.ones(2, 4, dtype=torch.bool)
    shown[1, 1] = not missing
    assert p.elementwise(x).shape == (2, 4)
    torch.testing.assert_close(p.log_prob_of(x, shown) + p.log_presence(x), p.log_prob(x))
    assert not p.present().sample()[:, 1::2].eq(0).any()
