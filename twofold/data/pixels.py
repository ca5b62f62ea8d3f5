"""Image files to tensors of one form and back.

A `Form` is what every image of a set becomes: height, width, channels and grey levels. Images that
already have it pass through exactly; the others are converted by stated rules, in this order:

1. the camera's orientation (EXIF) is applied;
2. colour and opacity: grey becomes colour by repetition, colour becomes grey by luma (ITU-R 601);
   missing opacity is full; opacity that the form has not is laid over white;
3. depth: 8 bits become 16 by × 257, which maps 255 to 65,535, and 16 become 8 by the inverse;
4. size: the largest centred part of the form's shape is resampled to it (Lanczos, antialiased), or
   the whole image is stretched;
5. two levels: grey of at least one half is white, the rest black.

Only formats that are pictures are opened, at most `PIXELS` large; of an animation, the first frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from twofold.core.errors import BadFile, UserError

SUFFIXES = {
    b".png": "PNG",
    b".jpg": "JPEG",
    b".jpeg": "JPEG",
    b".bmp": "BMP",
    b".gif": "GIF",
    b".tif": "TIFF",
    b".tiff": "TIFF",
    b".webp": "WEBP",
    b".ppm": "PPM",
    b".pgm": "PPM",
    b".pbm": "PPM",
}
FORMATS = sorted(set(SUFFIXES.values()))
PIXELS = 1 << 26
"""The most pixels one image may have (8,192 × 8,192)."""
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
ORIENTATION = 0x0112
ORIENTED = {"exif", "Raw profile type exif", "XML:com.adobe.xmp"}  # where a PNG says it


@dataclass(frozen=True)
class Form:
    """What every image of a set becomes; `levels` is 2, 256 or 65,536 (with one channel)."""

    height: int
    width: int
    channels: int
    levels: int = 256
    stretch: bool = False

    @property
    def high(self) -> int:
        """The largest value; two levels are kept as 0 and 255."""
        return max(self.levels, 256) - 1

    @property
    def bytes(self) -> int:
        """What one decoded image takes in memory."""
        return self.height * self.width * self.channels * (4 if self.high > 255 else 1)


@dataclass(frozen=True)
class Header:
    """What an image file says of itself; `cut` means 16-bit colour, of which 8 bits are read."""

    height: int
    width: int
    colour: bool
    opacity: bool
    deep: bool
    cut: bool


def reason(error: Exception) -> str:
    """Why a decoder refused, in a few words; what it says of its own file handle is no help."""
    if isinstance(error, UnidentifiedImageError):
        return "it is empty or of no known image format"
    return str(error).split("\n")[0][:120] or type(error).__name__


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn whatever a damaged image raises into one sentence that names it."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # decoders raise anything at all on damaged files
        raise BadFile(
            f"{name} cannot be read as an image ({reason(error)}); repair or remove it"
        ) from None


def opened(file: BinaryIO, name: str) -> Image.Image:
    """An image whose pixels are not decoded yet, refused when it is absurdly large."""
    image = Image.open(file, formats=FORMATS)
    if image.width * image.height > PIXELS:
        raise UserError(
            f"{name} is {image.width} × {image.height} pixels, above the limit of {PIXELS:,}; "
            f"reduce or remove it"
        )
    if image.mode == "F":
        raise UserError(f"{name} holds floating-point numbers; bring them as .npy instead")
    return image


def header(file: BinaryIO, name: str) -> Header:
    """What the file says, without decoding the pixels."""
    with reading(name), file:
        image = opened(file, name)
        deep = image.mode.startswith("I")
        turned = orientation(image) in (5, 6, 7, 8)
        width, height = image.size[::-1] if turned else image.size
        return Header(
            height,
            width,
            coloured(image),
            image.has_transparency_data and not deep,
            deep,
            not deep and "16" in rawmode(image),
        )


def orientation(image: Image.Image) -> int:
    """How a camera held the image, 1 being upright.

    Of a PNG, by what stands before its pixels: these would be decoded to find what stands after.
    A TIFF is turned by Pillow already.
    """
    if image.format == "TIFF" or (image.format == "PNG" and not ORIENTED & image.info.keys()):
        return 1
    return int(image.getexif().get(ORIENTATION, 1))


def rawmode(image: Image.Image) -> str:
    """How the pixels lie in the file."""
    tile = getattr(image, "tile", [])  # empty where a format decodes by other means
    arguments = tile[0][3] if tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def coloured(image: Image.Image) -> bool:
    """Whether the mode has colour; a palette of greys has none."""
    if image.mode in ("P", "PA"):
        palette = np.array(image.getpalette() or [0, 0, 0]).reshape(-1, 3)
        return bool((palette != palette[:, :1]).any())
    return image.mode not in ("1", "L", "LA", "La") and not image.mode.startswith("I")


def decode(file: BinaryIO, name: str, form: Form) -> Tensor:
    """One image file as (C, H, W): uint8, or int32 for 16 bits."""
    with reading(name), file:
        image = opened(file, name)
        side = 2 * max(form.height, form.width)
        image.draft(image.mode, (side, side))  # a JPEG far too large is decoded at half, quarter …
        if orientation(image) != 1:
            ImageOps.exif_transpose(image, in_place=True)
        return fitted(image, form)


def fitted(image: Image.Image, form: Form) -> Tensor:
    """Any image in a form, by the rules above."""
    toned = deep(image, form) if form.high > 255 else image
    if form.high <= 255:
        toned = tone(shallow(image), form.channels)
    pixels = np.array(resized(toned, form))
    if form.levels == 2:
        pixels = np.where(pixels >= 128, np.uint8(255), np.uint8(0))
    if form.high > 255:
        pixels = pixels.round().clip(0, form.high).astype(np.int32)
    stacked = pixels.reshape(form.height, form.width, form.channels)
    return torch.from_numpy(stacked).permute(2, 0, 1).contiguous()  # (C, H, W)


def depths(image: Image.Image) -> NDArray[np.float32]:
    """A 16-bit grey image as numbers; `ValueError` where it holds more than 16 bits."""
    values = np.asarray(image)
    if values.size and (values.min() < 0 or values.max() > 65535):
        raise ValueError("its numbers are not within 0 … 65535")
    return values.astype(np.float32)


def shallow(image: Image.Image) -> Image.Image:
    """An image of 8 bits a channel, from one of any depth."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((depths(image) / 257).round().astype(np.uint8))


def deep(image: Image.Image, form: Form) -> Image.Image:
    """A grey image of floats in 0 … 65,535, from one of any depth."""
    if image.mode.startswith("I"):
        return Image.fromarray(depths(image))
    grey = np.asarray(tone(image, form.channels), np.float32)
    return Image.fromarray(grey * 257)


def tone(image: Image.Image, channels: int) -> Image.Image:
    """An 8-bit image with this many channels."""
    mode = MODES[channels]
    if not image.has_transparency_data:
        plain = image if image.mode in ("1", *MODES.values()) else image.convert("RGB")
        return plain if plain.mode == mode else plain.convert(mode)
    full = image.convert("RGBA")
    if channels in (2, 4):
        return full.convert(mode)
    paper = Image.new("RGBA", full.size, "white")
    return Image.alpha_composite(paper, full).convert(mode)


def resized(image: Image.Image, form: Form) -> Image.Image:
    """The image at the form's size: its centred part of that shape, or all of it stretched."""
    size = (form.width, form.height)
    if image.size == size:
        return image
    scale = (image.width / form.width, image.height / form.height)
    across, down = scale if form.stretch else (min(scale), min(scale))
    w, h = across * form.width, down * form.height
    left, top = max(0.0, image.width - w) / 2, max(0.0, image.height - h) / 2
    box = (left, top, min(left + w, image.width), min(top + h, image.height))
    return image.resize(size, Image.Resampling.LANCZOS, box)


def image_of(values: Tensor, levels: int) -> Image.Image:
    """Values (C, H, W) as the image of the same depth; exact, and a PNG keeps it so."""
    array = values.movedim(0, -1).cpu().numpy()  # (H, W, C)
    array = array[..., 0] if array.shape[-1] == 1 else array
    if levels > 256:
        return Image.fromarray(array.round().astype(np.uint16))
    image = Image.fromarray(array.round().astype(np.uint8))
    return image.convert("1", dither=Image.Dither.NONE) if levels == 2 else image
