"""PSNR against scikit-image, least squares, and the methods without a model."""

import numpy as np
import pytest
import torch
from torch import Tensor

from twofold.apps import denoising
from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category, Field, Real, Space
from twofold.data.sources import Copies, Memory

GREY = Space((Field("pixel", Bounded(0, 255, 256)),), (8, 8))


def pair() -> tuple[Tensor, Tensor]:
    clean = torch.randint(256, (5, 1, 8, 8))
    return clean, (clean + 20 * torch.randn(5, 1, 8, 8)).clamp(0, 255).round()


def test_psnr_is_scikit_image_s() -> None:
    from skimage.metrics import peak_signal_noise_ratio

    clean, noisy = pair()
    ours = denoising.psnr(GREY, clean, noisy)
    for i in range(5):
        sides = (t[i, 0].numpy().astype(np.uint8) for t in (clean, noisy))
        assert ours[i].item() == pytest.approx(peak_signal_noise_ratio(*sides), abs=1e-6)


def test_psnr_of_real_numbers_is_by_the_range_of_the_clean() -> None:
    series = Space((Field("v", Real()),), (4,))
    clean = torch.tensor([[[0.0, 4.0, 0.0, 4.0]]])
    assert denoising.psnr(series, clean, clean + 0.4).item() == pytest.approx(20)
    gone = clean.clone()
    gone[0, 0, 1] = torch.nan
    assert denoising.psnr(series, gone, clean + 0.4).item() == pytest.approx(20)


def test_psnr_of_labels_is_refused() -> None:
    row = Space((Field("sex", Category(("f", "m"))),))
    with pytest.raises(UserError, match="sex is no number"):
        denoising.psnr(row, torch.zeros(2, 1), torch.zeros(2, 1))


def test_the_straight_line_is_least_squares() -> None:
    found, clean = torch.randn(40, dtype=torch.float64), torch.randn(40, dtype=torch.float64)
    error, gain, offset = denoising.straight(found, clean)
    slope, height = np.polyfit(found.numpy(), clean.numpy(), 1)
    assert (gain, offset) == pytest.approx((slope, height))
    assert error == pytest.approx(((slope * found + height - clean) ** 2).mean().item())


@pytest.mark.parametrize("name", ["nl-means", "tv", "wavelet"])
def test_a_classical_method_comes_nearer_to_a_flat_picture(name: str) -> None:
    method = denoising.METHODS[name]
    clean = torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64)
    spoilt = clean + 0.1 * torch.randn_like(clean)
    settings = {key: values[-1] for key, values in method.grid.items()}
    found = denoising.answered(method, spoilt, 0.1, settings)
    assert found.shape == clean.shape
    assert (found - clean).square().mean() < 0.3 * (spoilt - clean).square().mean()


def test_a_grey_picture_is_denoised_as_the_library_would_without_a_channel() -> None:
    from skimage.restoration import denoise_nl_means

    picture = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    picture[..., 4:12] = 1
    spoilt = picture + 0.1 * torch.randn_like(picture)
    found = denoising.answered(
        denoising.METHODS["nl-means"], spoilt, 0.1, {"scale": 1.0, "patch": 3, "distance": 4}
    )
    how = {"patch_size": 3, "patch_distance": 4, "h": 0.1, "sigma": 0.1, "fast_mode": False}
    theirs = denoise_nl_means(spoilt[0, 0].numpy(), **how)
    torch.testing.assert_close(found[0, 0], torch.from_numpy(theirs))
    assert (found - picture).square().mean() < 0.5 * (spoilt - picture).square().mean()


def test_the_best_settings_and_the_line_after_them_are_kept() -> None:
    space = Space((Field("pixel", Bounded(0, 255, 256)),), (16, 16))
    clean = torch.full((4, 1, 16, 16), 128.0)
    clean[:, :, 5:11] = 200
    spoilt = (clean + 25 * torch.randn_like(clean)).clamp(0, 255)
    best = denoising.tuned(space, denoising.METHODS["tv"], clean, spoilt)
    assert best.sigma == pytest.approx(25 / 255, rel=0.1)
    errors = {
        settings["scale"]: denoising.straight(
            denoising.answered(best.method, space.encode(spoilt).double(), best.sigma, settings),
            space.encode(clean).double(),
        )[0]
        for settings in best.method.settings
    }
    assert best.settings["scale"] == min(errors, key=errors.__getitem__)
    assert (
        denoising.psnr(space, clean, best(space, spoilt)).mean()
        > 5 + denoising.psnr(space, clean, spoilt).mean()
    )


def test_the_first_scenes_come_with_all_their_copies() -> None:
    values = torch.arange(6.0)[:, None]
    source = Copies(Memory(values, torch.zeros(6, 0)), torch.tensor([9, 2, 9, 5, 2, 9]))
    rows, scenes = denoising.scenes_of(source, 2)
    assert rows.values[:, 0].tolist() == [0, 1, 2, 4, 5]
    assert scenes.tolist() == [0, 1, 0, 1, 0]
    every = {copies: rows.tolist() for rows, copies in denoising.shots(scenes)}
    assert every == {2: [[1, 3]], 3: [[0, 2, 4]]}


def test_a_method_whose_library_is_missing_says_so() -> None:
    method = denoising.Method(denoising.wavelet, {}, needs=("skimage", "no_such_module"))
    assert method.missing == ["no_such_module"]


def test_sums_are_the_deviation_of_what_was_added() -> None:
    draws, sums = torch.randn(9, 3, 2, dtype=torch.float64), denoising.Sums()
    for draw in draws:
        sums.add(draw)
    torch.testing.assert_close(sums.std, draws.std(0, correction=0))
    torch.testing.assert_close(sums.mean, draws.mean(0))
