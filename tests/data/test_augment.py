"""Augmentation keeps shapes, types and rows apart, and is decided by the seed alone."""

import pytest
import torch

from twofold.data.augment import Augment, Crop, Flip


@pytest.mark.parametrize("change", [Flip(), Crop()])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.float32])
def test_the_seed_decides(change: Augment, dtype: torch.dtype) -> None:
    values = torch.arange(16 * 2 * 16 * 24).reshape(16, 2, 16, 24).remainder(251).to(dtype)
    torch.manual_seed(3)
    first = change(values)
    torch.manual_seed(3)
    again = change(values)
    torch.manual_seed(4)
    other = change(values)
    assert first.shape == values.shape
    assert first.dtype == dtype
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_flip_mirrors_whole_rows_at_its_rate() -> None:
    values = torch.arange(2 * 3 * 5).reshape(1, 2, 3, 5).expand(4000, -1, -1, -1)
    flipped = Flip(0.25)(values)
    mirrored = (flipped == values.flip(-1)).flatten(1).all(1)
    same = (flipped == values).flatten(1).all(1)
    assert (mirrored ^ same).all()
    assert 0.22 < mirrored.float().mean() < 0.28


def test_crop_is_a_window_of_the_mirrored_image() -> None:
    image = torch.arange(8 * 16.0).reshape(1, 1, 8, 16)
    padded = torch.nn.functional.pad(image, (2, 2, 1, 1), mode="reflect")
    windows = padded.unfold(2, 8, 1).unfold(3, 16, 1)[0, 0].flatten(0, 1)  # (15, 8, 16)
    cropped = Crop(0.125)(image.expand(300, -1, -1, -1))[:, 0]
    seen = {int((windows == one).flatten(1).all(1).float().argmax()) for one in cropped}
    assert all((windows == one).flatten(1).all(1).any() for one in cropped)
    assert seen == set(range(15))


def test_crop_of_one_pixel_is_itself() -> None:
    values = torch.ones(3, 1, 1, 1)
    assert torch.equal(Crop(1.0)(values), values)
