"""p(x | x̃, z) against the exact posterior, and E[x | x̃] against that of a linear-Gaussian model."""

import math

import pytest
import torch
from torch import Tensor

from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.maths.distributions import FullNormal
from twofold.maths.likelihoods import (
    ContinuousBernoulli,
    DiscretisedLogistic,
    Likelihood,
    Observation,
    ObservationSpec,
    SquaredError,
)
from twofold.maths.likelihoods import Gaussian as Bell
from twofold.maths.noise import (
    Again,
    BlindGaussian,
    Clean,
    Gaussian,
    Masking,
    Noise,
    Poisson,
    SaltAndPepper,
)
from twofold.maths.restoring import restored

pytestmark = pytest.mark.usefixtures("float64")
LEVELS = 17
GREY = Space((Field("pixel", Bounded(0, 16, LEVELS)),), (3, 4))
NOISES = [Gaussian(0.1), Gaussian(0.6), Poisson(7), SaltAndPepper(0.3)]


def grey(likelihood: Likelihood, rows: int = 5) -> Observation:
    spec = ObservationSpec(GREY, (likelihood,))
    raw = torch.randn(rows, spec.predicted, 3, 4)
    return spec(0.5 + 0.4 * raw, torch.zeros(spec.shared))


def test_a_linear_gaussian_model_gives_the_exact_posterior_mean() -> None:
    """x = W z + s ε, x̃ = x + σ ε: E[x | x̃] by regression, and by codes of the exact p(z | x̃)."""
    D, s, sigma, N = 6, 0.4, 0.7, 200_000
    W, seen = torch.randn(D, 2), torch.randn(1, D)
    space = Space((Field("v", Real(), D),))
    C = W @ W.T + s**2 * torch.eye(D)
    exact = C @ torch.linalg.solve(C + sigma**2 * torch.eye(D), seen[0])
    noisy = s**2 + sigma**2
    S = torch.linalg.inv(torch.eye(2) + W.T @ W / noisy)
    q = FullNormal((seen @ W @ S / noisy), torch.linalg.cholesky(S)[None]).repeat(N)
    spec = ObservationSpec(space, (Bell("fixed", s),))
    p = spec(q.sample() @ W.T, torch.zeros(0))
    made = restored(p, seen.expand(N, -1), Gaussian(sigma))
    torch.testing.assert_close(made.mean.mean(0), exact, atol=0.01, rtol=0)
    assert not torch.allclose(p.mean.mean(0), exact, atol=0.05)  # the code alone is not enough
    cov = C - C @ torch.linalg.inv(C + sigma**2 * torch.eye(D)) @ C
    torch.testing.assert_close(made.sample().var(0), cov.diagonal(), atol=0, rtol=0.03)


@pytest.mark.parametrize("noise", NOISES)
def test_the_law_of_a_noise_is_that_of_its_draws(noise: Noise) -> None:
    """How often each level is read, against c(x̃ | x)."""
    levels = torch.linspace(0, 1, LEVELS)
    half = 0.5 / (LEVELS - 1)
    space = Space(GREY.fields, (200, 500))
    for x in (0.0, 0.25, 1.0):
        c = noise.log_prob(levels, torch.tensor(x), half).exp()
        assert c.sum().item() == pytest.approx(1, abs=1e-4)
        drawn = space.decode(noise(torch.full((1, 1, 200, 500), x), space)).long()
        often = torch.bincount(drawn.flatten(), minlength=LEVELS) / drawn.numel()
        torch.testing.assert_close(often, c, atol=4 * math.sqrt(0.25 / drawn.numel()), rtol=0)


@pytest.mark.parametrize("likelihood", [DiscretisedLogistic("predicted"), Bell("predicted")])
@pytest.mark.parametrize("noise", NOISES)
def test_a_pixel_is_weighed_by_bayes_rule(likelihood: Likelihood, noise: Noise) -> None:
    """Written out a level at a time."""
    p = grey(likelihood)
    seen = GREY.encode(torch.randint(LEVELS, (5, 1, 3, 4)))
    levels = torch.linspace(0, 1, LEVELS)
    joint = torch.stack(
        [
            (p.elementwise(torch.full_like(seen, x)) + noise.log_prob(seen, x, 0.5 / 16)).exp()
            for x in levels
        ]
    )
    by_hand = (joint * levels.reshape(-1, 1, 1, 1, 1)).sum(0) / joint.sum(0)
    made = restored(p, seen, noise)
    torch.testing.assert_close(made.mean, by_hand, atol=1e-6, rtol=1e-6)
    often = torch.stack([made.sample() for _ in range(4000)])
    torch.testing.assert_close(often.mean(0), by_hand, atol=0.03, rtol=0)


def test_masses_are_the_likelihood_of_every_level() -> None:
    values = grey(DiscretisedLogistic("predicted")).fields[0].values
    every = torch.linspace(0, 1, LEVELS).reshape(-1, 1, 1, 1, 1)
    torch.testing.assert_close(values.masses(), values.log_prob(every).exp())


def test_strong_noise_leaves_the_decoder_and_weak_noise_the_value() -> None:
    p = grey(DiscretisedLogistic("predicted"))
    seen = GREY.encode(torch.randint(1, LEVELS - 1, (5, 1, 3, 4)))
    weak, strong = (restored(p, seen, Gaussian(sigma)).mean for sigma in (1e-4, 1e3))
    torch.testing.assert_close(weak, seen)
    levels = torch.linspace(0, 1, LEVELS).reshape(-1, 1, 1, 1, 1)
    alone = (p.fields[0].values.masses() * levels).sum(0)
    torch.testing.assert_close(strong, alone, atol=1e-3, rtol=0)


def test_copies_say_more_than_one() -> None:
    """Two copies of a real number are one of half the variance."""
    space = Space((Field("v", Real()),))
    p = ObservationSpec(space, (Bell("fixed", 0.5),))(torch.zeros(1, 1), torch.zeros(0))
    one, two = torch.tensor([[1.0]]), torch.tensor([[2.0]])
    both = restored(restored(p, one, Gaussian(0.8)), two, Gaussian(0.8))
    mean = restored(p, (one + two) / 2, Gaussian(0.8 / math.sqrt(2)))
    torch.testing.assert_close(both.mean, mean.mean)
    pixels = grey(DiscretisedLogistic("predicted"))
    seen = [GREY.encode(torch.randint(LEVELS, (5, 1, 3, 4))) for _ in range(2)]
    forth = restored(restored(pixels, seen[0], Gaussian(0.3)), seen[1], Gaussian(0.3))
    back = restored(restored(pixels, seen[1], Gaussian(0.3)), seen[0], Gaussian(0.3))
    torch.testing.assert_close(forth.mean, back.mean, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("noise", [Clean(), Masking(0.5), BlindGaussian(), Again()])
def test_a_noise_that_says_nothing_changes_nothing(noise: Noise) -> None:
    p = grey(DiscretisedLogistic())
    assert restored(p, torch.rand(5, 1, 3, 4), noise).mean.equal(p.mean)


def test_a_loss_that_is_no_density_and_a_label_are_left_alone() -> None:
    p = grey(SquaredError())
    assert restored(p, torch.rand(5, 1, 3, 4), Gaussian()).mean.equal(p.mean)
    row = Space((Field("sex", Category(("f", "m"))), Field("v", Real(), missing=True)))
    q = ObservationSpec(row)(torch.randn(4, 4), torch.zeros(1))
    seen = torch.tensor([[1.0, 0, 3.0, 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0.0, 1]])
    made = restored(q, seen, Gaussian(0.1)).mean
    assert made[:, [0, 1, 3]].equal(q.mean[:, [0, 1, 3]])
    moved: Tensor = made[:, 2] != q.mean[:, 2]
    assert moved.tolist() == [True, False, False, True]


def test_a_number_without_levels_is_read_finely() -> None:
    space = Space((Field("v", Bounded()),), (2, 2))
    spec = ObservationSpec(space, (ContinuousBernoulli(),))
    p = spec(torch.zeros(1, 1, 2, 2), torch.zeros(0))  # uniform
    made = restored(p, torch.full((1, 1, 2, 2), 0.4), Gaussian(0.05))
    torch.testing.assert_close(made.mean, torch.full((1, 1, 2, 2), 0.4), atol=1e-3, rtol=0)
    assert made.sample().std().item() < 0.2
