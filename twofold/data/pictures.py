"""From numbers to pictures that a person can look at: shown, enlarged, laid out, encoded.

A *picture* is (3, h, w) uint8; everything here is a pure function of tensors, and the last step
gives the bytes of a PNG.

>>> grid(torch.zeros(3, 3, 4, 4, dtype=torch.uint8), columns=2).shape
torch.Size([3, 10, 10])
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from twofold.data.letters import LINE, fitting, letters

SMALLEST, LARGEST = 32, 256
"""The short side that tiny ones are enlarged to, and the long side large ones are reduced to."""
HOT = (255.0, 115.0, 22.0)
"""The colour of heat."""


def shown(values: Tensor, low: float, high: float) -> Tensor:
    """Values (B, F, H, W) of 1 to 4 channels in [low, high] as pictures (B, 3, H, W).

    One channel is grey; the second of two, or the fourth of four, is opacity over a checkerboard.
    """
    unit = ((values.float() - low) / (high - low)).nan_to_num().clamp(0, 1)
    channels = unit.shape[1]
    colour = unit[:, :3] if channels >= 3 else unit[:, :1].expand(-1, 3, -1, -1)
    if channels in (2, 4):
        opacity = unit[:, -1:]
        colour = opacity * colour + (1 - opacity) * checkers(*unit.shape[2:]).to(unit.device)
    return (colour * 255).round().to(torch.uint8)


def checkers(height: int, width: int) -> Tensor:
    """A light checkerboard (H, W) of sixteen squares a side at most, to show through."""
    side = max(1, min(height, width) // 16)
    i, j = torch.arange(height) // side, torch.arange(width) // side
    return 1 - 0.15 * ((i[:, None] + j[None, :]) % 2)


def readable(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, h, w) of a size one can see: tiny ones enlarged, large ones reduced."""
    short, long = sorted(pictures.shape[2:])
    if short < SMALLEST and long * 2 <= LARGEST:
        times = min(math.ceil(SMALLEST / short), LARGEST // long)
        return pictures.repeat_interleave(times, 2).repeat_interleave(times, 3)
    if long <= LARGEST:
        return pictures
    size = [max(1, round(side * LARGEST / long)) for side in pictures.shape[2:]]
    return F.interpolate(pictures.float(), size=size, mode="area").round().to(torch.uint8)


def grid(pictures: Tensor, columns: int = 0, gap: int = 2, paper: int = 255) -> Tensor:
    """Pictures (B, 3, h, w), row by row, as one (3, H, W); as square as can be by default."""
    count, _, height, width = pictures.shape
    columns = columns or max(1, math.ceil(math.sqrt(count * height / width)))
    columns = min(columns, max(count, 1))
    rows = max(1, math.ceil(count / columns))
    h, w = height + gap, width + gap
    sheet = torch.full((3, rows * h - gap, columns * w - gap), paper, dtype=torch.uint8)
    for index, picture in enumerate(pictures.cpu()):
        top, left = index // columns * h, index % columns * w
        sheet[:, top : top + height, left : left + width] = picture
    return sheet


def captioned(pictures: Tensor, names: Sequence[str]) -> Tensor:
    """Pictures (B, 3, h, w) with their names below, in two lines at most: (B, 3, h + 30, w).

    >>> captioned(torch.zeros(1, 3, 40, 40, dtype=torch.uint8), ["a"]).shape
    torch.Size([1, 3, 70, 40])
    """
    return torch.stack([below(one, name) for one, name in zip(pictures, names, strict=True)])


def below(picture: Tensor, name: str) -> Tensor:
    """A picture (3, h, w) with its name below."""
    _, h, w = picture.shape
    sheet = Image.new("RGB", (w, h + 2 * LINE), "white")
    sheet.paste(pil(picture))
    for number, line in enumerate(fitting(name, w - 2)):
        letters(sheet, (w / 2, h + number * LINE + 2), line, "ma")
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1)


def heated(pictures: Tensor, heat: Tensor) -> Tensor:
    """Heat laid over pictures (B, 3, h, w), where it is more than spread evenly.

    The colour is full where a picture's heat is largest, if that is at least twice even. Heat of
    two axes (B, H, W) colours the picture; of one (B, T) it is a strip below; of three its first
    axis is averaged.

    >>> black, spot = torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(1, 2, 2)
    >>> spot[0, 0, 0] = 1.0
    >>> heated(black, spot)[0, :, 0, 0].tolist(), heated(black, spot)[0, :, 7, 7].tolist()
    ([178, 80, 15], [0, 0, 0])
    """
    flat = heat.mean(1) if heat.dim() == 4 else heat
    over = (slice(None), *[None] * (flat.dim() - 1))
    even, most = flat.flatten(1).mean(1)[over], flat.flatten(1).amax(1)[over]
    degrees = (flat - even).clamp(min=0) / torch.maximum(most - even, even).clamp(min=1e-12)
    colour = torch.tensor(HOT, dtype=torch.float32).reshape(1, 3, 1, 1)
    height, width = pictures.shape[2:]
    if flat.dim() == 2:
        tall = max(4, height // 12)
        strip = F.interpolate(degrees[:, None, None].float(), (tall, width), mode="nearest")
        below = 250 + strip * (colour - 250)
        return torch.cat([pictures, below.round().to(torch.uint8)], 2)
    share = 0.7 * F.interpolate(degrees[:, None].float(), (height, width), mode="bilinear")
    return (pictures + share * (colour - pictures)).round().to(torch.uint8)


def pil(picture: Tensor) -> Image.Image:
    """A picture (3, h, w) as a PIL image."""
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().cpu().numpy())


def png(picture: Tensor) -> bytes:
    """A picture (3, h, w) as the bytes of a PNG file.

    >>> png(torch.zeros(3, 2, 2, dtype=torch.uint8))[:4]
    b'\\x89PNG'
    """
    buffer = io.BytesIO()
    pil(picture).save(buffer, "PNG")
    return buffer.getvalue()
