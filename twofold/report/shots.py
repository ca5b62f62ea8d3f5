"""Pictures on a page: as `data:` URIs, small enough, with words for those who cannot see them.

A picture is (3, h, w) uint8, as `Kind.draw` gives it. It is written as PNG, or as JPEG where that
is much smaller, as it is for photographs.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from twofold.data.pictures import grid, pil
from twofold.report.page import Html, tag

SIDE = 96
"""The longest side of a picture among others."""
FILM = 288
"""The longest side of a preview."""
COARSE = 40
"""A picture of fewer pixels a side is shown with sharp edges."""
PAPER = 136
"""The grey between pictures, quiet on a bright page and on a dark one."""
LIGHT = 0.6
"""A JPEG is preferred when it takes at most this share of the PNG, and that is not small."""


def uri(image: Image.Image) -> str:
    """An image as a `data:` URI."""
    exact, light = saved(image, "PNG"), saved(image, "JPEG")
    photo = len(exact) > 20_000 and len(light) < LIGHT * len(exact)
    name, data = ("jpeg", light) if photo else ("png", exact)
    return f"data:image/{name};base64,{base64.b64encode(data).decode()}"


def saved(image: Image.Image, form: str) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, optimize=True, quality=88)  # a PNG has no quality to lose
    return buffer.getvalue()


def image(picture: Image.Image, alt: str, class_: str = "") -> Html:
    """An image element."""
    width, height = picture.size
    return tag("img", src=uri(picture), alt=alt, width=width, height=height, class_=class_)


def small(pictures: Tensor, side: int = SIDE) -> Tensor:
    """Pictures (B, 3, h, w) whose longest side is at most `side`."""
    long = max(pictures.shape[2:])
    if long <= side:
        return pictures
    size = [max(1, round(edge * side / long)) for edge in pictures.shape[2:]]
    return F.interpolate(pictures.float(), size=size, mode="area").round().to(torch.uint8)


def sheet(pictures: Tensor, alt: str, columns: int = 0, coarse: bool = False) -> Html:
    """Pictures (B, 3, h, w) in rows."""
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    look = "sheet pixel" if coarse else "sheet"
    return image(pil(grid(small(pictures), columns, paper=PAPER)), alt, look)


def strips(rows: Iterable[tuple[str, Tensor]], coarse: bool = False) -> Html:
    """Rows of pictures, each with its name before it."""
    look = "pixel" if coarse else ""
    parts = [
        part
        for name, pictures in rows
        for part in (
            tag("span", name),
            image(
                pil(grid(small(pictures), len(pictures), paper=PAPER)),
                f"{len(pictures)} × {name}",
                look,
            ),
        )
    ]
    return tag("div", *parts, class_="strips")


def preview(path: Path) -> Html:
    """A preview of a run, with the step it was drawn at."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    coarse = max(picture.size) <= FILM
    picture.thumbnail((FILM, FILM), Image.Resampling.LANCZOS)
    step = f"step {int(path.stem):,}"
    shown = image(picture, f"draws at {step}", "sheet pixel" if coarse else "sheet")
    return tag("figure", shown, tag("figcaption", step))
