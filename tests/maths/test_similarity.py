"""MS-SSIM against scikit-image and in its limits; scores of whole images are no densities."""

import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.space import Bounded, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.likelihoods import ContinuousBernoulli, Likelihood, ObservationSpec
from twofold.maths.similarity import LEAST, MsSsim, halved, ms_ssim, scales, terms
from twofold.measures.likelihood import Elbo
from twofold.measures.measure import Evidence
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.nets.perceptual import FeatureDistance
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training

SCORES: list[Likelihood] = [MsSsim(), FeatureDistance()]


def image(height: int, width: int, channels: int = 1, missing: bool = False) -> Space:
    return Space((Field("pixel", Bounded(0, 255, 256), channels, missing),), (height, width))


def smooth(height: int, width: int, channels: int = 1) -> Tensor:
    """Two rows of pictures with structure at several sizes, in [0, 1]."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = [(x * (i + 1) / 7).sin() * (y * (i + 2) / 9).cos() for i in range(2 * channels)]
    return (0.5 + 0.4 * torch.stack(waves)).reshape(2, channels, height, width)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("height", "width", "channels"), [(19, 12, 1), (11, 40, 3)])
def test_one_scale_is_scikit_images_ssim(height: int, width: int, channels: int) -> None:
    x = smooth(height, width, channels).double()
    y = (x + 0.1 * torch.randn_like(x)).clamp(0, 1)
    assert scales(x.shape[2:]) == 1
    theirs = [
        structural_similarity(
            a.numpy(), b.numpy(), gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, data_range=1.0, channel_axis=0,
        )
        for a, b in zip(x, y, strict=True)
    ]  # fmt: skip
    torch.testing.assert_close(ms_ssim(x, y), torch.tensor(theirs), rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("float64")
def test_several_scales_are_the_product_of_their_powers() -> None:
    """Written out at three scales of an image of 44 × 60."""
    x = smooth(44, 60).double()
    y = (x + 0.05 * torch.randn_like(x)).clamp(0, 1)
    assert scales(x.shape[2:]) == 3
    w = torch.tensor([0.0448, 0.2856, 0.3001])
    w = w / w.sum()
    first, second = terms(x, y)[1], terms(halved(x), halved(y))[1]
    luminance, third = terms(halved(halved(x)), halved(halved(y)))
    means = [m.mean((1, 2, 3)) for m in (first, second, luminance * third)]
    expected = means[0] ** w[0] * means[1] ** w[1] * means[2] ** w[2]
    torch.testing.assert_close(ms_ssim(x, y), expected)


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 9), (2, 2), (5, 5), (8, 8), (11, 11), (28, 28), (190, 177)]
)
def test_equal_images_score_one_and_others_less(size: tuple[int, int]) -> None:
    x = smooth(*size)
    torch.testing.assert_close(ms_ssim(x, x), torch.ones(2))
    flat = torch.full_like(x, 0.5)
    torch.testing.assert_close(ms_ssim(flat, flat), torch.ones(2))
    assert (ms_ssim(x, x / 2) < 1).all()
    y = (x + 0.2 * torch.randn_like(x)).clamp(0, 1)
    torch.testing.assert_close(ms_ssim(x, y), ms_ssim(y, x))


def test_an_opposite_has_no_negative_power() -> None:
    """Where structure is opposite the mean is below zero, and score and slope stay finite."""
    x = smooth(28, 28)
    y = (1 - x).requires_grad_()
    score = ms_ssim(x, y)
    assert (score < 2 * LEAST**0.2).all()
    (slope,) = torch.autograd.grad(score.sum(), y)
    assert slope.isfinite().all()


@pytest.mark.parametrize("part", SCORES, ids=lambda part: type(part).__name__)
@pytest.mark.parametrize("size", [(5, 5), (8, 8), (7, 13)])
@pytest.mark.parametrize("channels", [1, 4])
def test_a_vae_trains_towards_likeness(
    part: Likelihood, size: tuple[int, int], channels: int
) -> None:
    space = image(*size, channels)
    model = VAE(space, Space(), 2, Dense(32, 1), Dense(32, 1), likelihood=(part,))
    values = 255 * smooth(*size, channels)
    feed = Feed(Memory(values, values.new_zeros(2, 0)), space, Space(), 2, 0, torch.device("cpu"))
    loop = Loop(model, feed, Training(steps=60, batch=2, lr=1e-2))
    first = loop.advance()["distortion"]
    while not loop.done:
        last = loop.advance()["distortion"]
    assert 0 <= last < 0.5 * first
    assert loop.averaged.sample(Given.none(3, Space())).shape == (3, channels, *size)  # type: ignore[operator]
    assert not [name for name in model.state_dict() if "convolutions" in name]  # none of its own


def test_features_read_while_measuring_serve_training_too() -> None:
    from twofold.nets import extractors, perceptual

    extractors.tiny.cache_clear()
    perceptual.loaded.cache_clear()
    with torch.inference_mode():
        perceptual.loaded("tiny-v1")(torch.rand(1, 1, 8, 8))
    raw = torch.zeros(1, 1, 8, 8, requires_grad=True)
    p = FeatureDistance()(raw, torch.zeros(0), Bounded())
    (slope,) = torch.autograd.grad(p.log_prob(torch.rand(1, 1, 8, 8)).sum(), raw)
    assert slope.abs().sum() > 0


def test_the_score_of_features_is_zero_for_what_was_seen() -> None:
    x = torch.rand(2, 3, 9, 9).clamp(0.01, 0.99)
    p = FeatureDistance(weight=2.0, pixels=0.0)(x.logit(), torch.zeros(0), Bounded())
    assert p.log_prob(x).shape == (2, 1)
    torch.testing.assert_close(p.log_prob(x), torch.zeros(2, 1), atol=1e-4, rtol=0)
    worse = p.log_prob(x.flip(3) * 0.5)
    assert (worse < -0.01).all()


@pytest.mark.parametrize("part", SCORES, ids=lambda part: type(part).__name__)
@pytest.mark.parametrize(
    "space",
    [
        Space((Field("share", Bounded()),)),
        Space((Field("lead", Bounded()),), (9,)),
        Space((Field("v", Real()),), (4, 4)),
        image(4, 4, 5),
        image(4, 4, missing=True),
    ],
)
def test_what_is_no_whole_image_is_refused(part: Likelihood, space: Space) -> None:
    with pytest.raises(UserError, match="fits no field of this data"):
        ObservationSpec(space, (part,))


def test_an_extractor_that_is_none_of_images_is_refused() -> None:
    with pytest.raises(UserError, match="rocket-v1"):
        FeatureDistance("rocket-v1")


@pytest.mark.parametrize(
    ("part", "expected"),
    [(MsSsim(), "not a log-likelihood"), (FeatureDistance(), "not a log-likelihood"),
     (ContinuousBernoulli(), "a density")],
)  # fmt: skip
def test_the_elbo_of_a_score_says_that_it_is_none(part: Likelihood, expected: str) -> None:
    space = Space((Field("pixel", Bounded()),), (6, 6))
    model = VAE(space, Space(), 2, Dense(8, 1), Dense(8, 1), likelihood=(part,))
    real = Batch.of(torch.rand(20, 1, 6, 6))
    evidence = Evidence(space, Space(), real, real, real, model)
    (figure,) = Elbo()(evidence)
    assert expected in figure.note
    assert (figure.baseline_name == "") == (expected != "a density")
