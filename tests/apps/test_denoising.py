"""PSNR against scikit-image, least squares, and the methods without a model."""

import numpy as np
import pytest
import torch
from torch import Tensor

from twofold.apps import denoising
from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category, Field, Real, Space

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


@pytest.mark.parametrize("name", ["nl-means", "tv"])
def test_a_classical_method_comes_nearer_to_a_flat_picture(name: str) -> None:
    method = denoising.METHODS[name]
    clean = torch.full((1, 1, 16, 16), 0.5, dtype=torch.float64)
    spoilt = clean + 0.1 * torch.randn_like(clean)
    settings = {key: values[-1] for key, values in method.grid.items()}
    found = denoising.answered(method, spoilt, 0.1, settings)
    assert found.shape == clean.shape
    assert (found - clean).square().mean() < 0.3 * (spoilt - clean).square().mean()


def test_a_method_whose_library_is_missing_says_so() -> None:
    method = denoising.Method(denoising.wavelet, {}, needs=("skimage", "no_such_module"))
    assert method.missing == ["no_such_module"]


def test_sums_are_the_deviation_of_what_was_added() -> None:
    draws, sums = torch.randn(9, 3, 2, dtype=torch.float64), denoising.Sums()
    for draw in draws:
        sums.add(draw)
    torch.testing.assert_close(sums.std, draws.std(0, correction=0))
    torch.testing.assert_close(sums.mean, draws.mean(0))
