"""What jobs write beside native files: an overview, a table, standard deviations.

Each goes into the job's folder under a name that is free there, so that nothing is written over.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from twofold.data.places import free_name, new
from twofold.data.sources import Rows

ACROSS = 12
"""Observations in a row of an overview."""
SHORTEST = 40
"""Milliseconds of a frame, below which browsers show films as they like."""


def first(rows: Rows) -> Rows:
    """As many rows as an overview shows."""
    return Rows(rows.values[:ACROSS], rows.given[:ACROSS])


def joined(sides: Sequence[Rows]) -> Rows:
    """Rows after one another."""
    return Rows(
        torch.cat([side.values.float() for side in sides]),
        torch.cat([side.given for side in sides]),
    )


def spreads(folder: Path, std: Tensor) -> list[Path]:
    """Write standard deviations as an NPZ file with `std` (N, F, *A); none for no rows."""
    if not len(std):
        return []
    path = free_name(folder, "deviation.npz")
    with new(path) as file:
        np.savez(file, allow_pickle=False, std=std.numpy())
    return [path]


def pictured(folder: Path, name: str, picture: Image.Image) -> Path:
    """Write a picture into a folder, under a name that is free."""
    path = free_name(folder, name)
    with new(path) as file:
        picture.save(file, "PNG")
    return path


def filmed(folder: Path, name: str, frames: Sequence[Image.Image], seconds: float) -> Path:
    """Write frames as a GIF that goes on for ever, once through in so many seconds."""
    path = free_name(folder, name)
    shown = max(SHORTEST, round(1000 * seconds / len(frames)))
    with new(path) as file:
        frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=shown, loop=0)
    return path


def delimited(
    folder: Path, name: str, columns: Sequence[str], lines: Sequence[Sequence[str]]
) -> Path:
    """Write a table into a folder, under a name that is free."""
    path = free_name(folder, name)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *lines])
    with new(path) as file:
        file.write(text.getvalue().encode())
    return path
