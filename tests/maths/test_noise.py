"""Each corruption has the moments that its law says, and leaves alone what it does not mean."""

import math

import pytest
import torch
from torch import Tensor

from tests.contract.conftest import SPACES, values_of
from twofold.core.batch import Batch
from twofold.core.errors import UserError
from twofold.core.game import Progress
from twofold.core.space import Bounded, Field, Real, Space
from twofold.maths.noise import (
    Again,
    BlindGaussian,
    Clean,
    Gaussian,
    Masking,
    Noise,
    Poisson,
    SaltAndPepper,
    check,
)
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense

pytestmark = pytest.mark.usefixtures("float64")
REAL = Space((Field("v", Real()),))
GREY = Space((Field("pixel", Bounded(0, 255, 256)),), (200, 250))
N = 50_000


def grey(value: float, noise: Noise) -> Tensor:
    return noise(torch.full((1, 1, 200, 250), value), GREY).flatten()


def near(drawn: Tensor, mean: float, std: float) -> None:
    """Mean and standard deviation within four standard errors."""
    assert drawn.mean().item() == pytest.approx(mean, abs=4 * std / math.sqrt(len(drawn)))
    assert drawn.std().item() == pytest.approx(std, rel=0.05)


def test_gaussian_noise_has_its_mean_and_deviation() -> None:
    near(Gaussian(0.7)(torch.full((N, 1), 2.0), REAL)[:, 0], 2.0, 0.7)
    near(grey(0.5, Gaussian(0.05)), 0.5, 0.05)


def test_blind_noise_has_a_deviation_of_its_own_for_each_observation() -> None:
    space = Space((Field("v", Real(), 2000),))
    drawn = BlindGaussian(0.1, 0.9)(torch.zeros(400, 2000), space).std(1)
    assert 0.09 < drawn.min() < 0.15
    assert 0.7 < drawn.max() < 0.95
    assert drawn.log().mean().item() == pytest.approx(math.log(0.3), abs=0.1)


def test_a_level_is_the_number_of_the_noise() -> None:
    assert BlindGaussian().at(0.2) == Gaussian().at(0.2) == Gaussian(0.2)
    assert Again(SaltAndPepper()).at(0.2) == Again(SaltAndPepper(0.2))
    assert (Poisson().at(5), Masking().at(0.5)) == (Poisson(5), Masking(0.5))
    with pytest.raises(UserError, match="without noise"):
        Clean().at(0.2)


def test_poisson_noise_has_the_variance_of_its_photons() -> None:
    near(grey(0.3, Poisson(100)), 0.3, math.sqrt(0.3 / 100))
    assert not grey(0.0, Poisson(100)).any()


def test_salt_and_pepper_are_a_share_of_the_values_half_at_each_end() -> None:
    drawn = grey(0.5, SaltAndPepper(0.2))
    for value, share in ((0.0, 0.1), (0.5, 0.8), (1.0, 0.1)):
        error = 4 * math.sqrt(share * (1 - share) / len(drawn))
        assert (drawn == value).double().mean().item() == pytest.approx(share, abs=error)


def test_masking_loses_whole_values_and_says_so_where_it_can() -> None:
    space = SPACES["table"]
    values = values_of(space, 4000)
    x = space.encode(values)
    seen = space.decode(Masking(0.25)(x, space))
    for i, field in enumerate(space.fields):
        known = ~values[:, i].isnan()
        lost = seen[:, i].isnan() & known
        assert not (seen[:, i].isnan() & known).any() or field.missing
        if field.missing:
            kept = known & ~lost
            assert lost.sum().item() / known.sum().item() == pytest.approx(0.25, abs=0.04)
            torch.testing.assert_close(seen[kept, i], values[kept, i])


@pytest.mark.parametrize(
    "noise", [Gaussian(), Poisson(), SaltAndPepper(), Masking(), Clean(), BlindGaussian(), Again()]
)
@pytest.mark.parametrize("name", sorted(SPACES))
def test_what_is_missing_stays_missing_and_what_is_bounded_stays_bounded(
    noise: Noise, name: str
) -> None:
    space = SPACES[name]
    x = space.encode(values_of(space, 50))
    seen = noise(x, space)
    assert seen.shape == x.shape
    assert seen.isfinite().all()
    assert space.decode(seen)[space.decode(x).isnan()].isnan().all()
    for (field, before), (_, after) in zip(space.parts(x), space.parts(seen), strict=True):
        if isinstance(field.domain, Bounded):
            assert after.min() >= 0
            assert after.max() <= 1
        if not isinstance(field.domain, noise.domains):
            assert after.equal(before)


def test_a_noise_without_anything_to_touch_is_refused() -> None:
    with pytest.raises(UserError, match="salt-and-pepper noise touches bounded"):
        check(SaltAndPepper(), REAL)
    with pytest.raises(UserError, match="salt-and-pepper"):
        check(Again(SaltAndPepper()), REAL)
    with pytest.raises(UserError, match="poisson"):
        VAE(REAL, Space(), 2, Dense(8, 1), Dense(8, 1), noise=Poisson())


def test_a_denoising_vae_encodes_the_corrupted_and_is_scored_on_the_clean() -> None:
    """The loss, written out by hand with the same draws."""
    space = Space((Field("v", Real(), 3),))
    torch.manual_seed(0)
    model = VAE(space, Space(), 2, Dense(8, 1), Dense(8, 1), noise=Gaussian(0.5))
    batch = Batch.of(torch.randn(7, 3))
    torch.manual_seed(1)
    (turn,) = model.play(batch, Progress())
    torch.manual_seed(1)
    seen = batch.x + 0.5 * torch.randn_like(batch.x)
    q = model.encode(seen, batch.given)
    z = q.rsample()
    distortion = -model.decode(z, batch.given).log_prob(batch.x).mean()
    rate = 0.5 * (q.mean.square() + q.sigma.square() - 1 - 2 * q.sigma.log()).sum(1).mean()
    torch.testing.assert_close(turn.losses["autoencoder"], distortion + rate)


def test_the_target_of_a_noisy_copy_has_the_same_minimiser_as_the_clean_one() -> None:
    """Noise2noise on the smallest case: least squares of one noisy copy on another is, in the
    limit, least squares of the clean one: slope var(x) / (var(x) + σ²)."""
    clean = torch.randn(400_000)
    first, second = (clean + 0.8 * torch.randn_like(clean) for _ in range(2))
    slopes = [(first * target).mean() / first.square().mean() for target in (clean, second)]
    assert slopes[0].item() == pytest.approx(1 / 1.64, abs=0.006)
    assert slopes[1].item() == pytest.approx(slopes[0].item(), abs=0.006)
