"""Pictures: what a person sees is what the numbers say."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from twofold.data import pictures


def test_grey_and_colour_are_shown_as_they_are() -> None:
    grey = torch.randint(0, 256, (2, 1, 40, 50))
    colour = torch.randint(0, 256, (2, 3, 40, 50))
    assert torch.equal(pictures.shown(grey, 0, 255), grey.expand(-1, 3, -1, -1).to(torch.uint8))
    assert torch.equal(pictures.shown(colour, 0, 255), colour.to(torch.uint8))


@pytest.mark.parametrize("channels", [2, 4])
def test_opacity_lies_over_a_checkerboard(channels: int) -> None:
    values = torch.full((1, channels, 32, 32), 255.0)
    values[:, :-1] = 0
    values[:, -1, :, :16] = 0
    picture = pictures.shown(values, 0, 255)[0]
    assert (picture[:, :, 16:] == 0).all()
    assert set(picture[:, :, :16].flatten().tolist()) == {255, 217}


def test_sixteen_bits_and_missing_values_are_shown() -> None:
    values = torch.tensor([[[[0.0, 65535.0, float("nan"), 70000.0]]]])
    assert pictures.shown(values, 0, 65535)[0, 0, 0].tolist() == [0, 255, 0, 255]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((8, 8), (32, 32)),
        ((8, 20), (32, 80)),
        ((32, 40), (32, 40)),
        ((512, 256), (256, 128)),
        ((4, 200), (4, 200)),
        ((4, 100), (8, 200)),
    ],
)
def test_tiny_is_enlarged_and_large_is_reduced(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    picture = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
    assert pictures.readable(picture).shape[2:] == expected


@pytest.mark.parametrize(("count", "columns"), [(0, 0), (1, 0), (5, 2), (7, 3), (16, 0)])
def test_every_picture_is_in_the_grid(count: int, columns: int) -> None:
    every = torch.randint(0, 256, (count, 3, 6, 4), dtype=torch.uint8)
    sheet = pictures.grid(every, columns, gap=1)
    tiles = sheet.unfold(1, 6, 7).unfold(2, 4, 5).permute(1, 2, 0, 3, 4).flatten(0, 1)
    assert torch.equal(tiles[:count], every)


def test_png_is_exact() -> None:
    picture = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8)
    read = np.array(Image.open(io.BytesIO(pictures.png(picture))))
    assert torch.equal(torch.from_numpy(read).permute(2, 0, 1), picture)
