"""Where results go: a folder that can be written, and names in it that are still free.

Nothing that exists is ever written over; what the disk refuses is told in one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from twofold.core.errors import UserError


def folder(out: Path) -> Path:
    """The folder, made where it is missing."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out} cannot be written ({error.strerror}); choose another") from None
    return out


def free_number(out: Path) -> int:
    """The number after the largest that a file name of the folder begins with."""
    taken = (re.match(r"(\d{6,})\D", path.name) for path in out.iterdir())
    return max((int(match[1]) + 1 for match in taken if match), default=0)


def free_name(out: Path, name: str) -> Path:
    """The name, such as `grid.png`, or `grid-2.png` where that is taken, and so on."""
    path, number = out / name, 1
    while path.exists():
        number += 1
        path = (out / name).with_stem(f"{Path(name).stem}-{number}")
    return path


def untaken(path: Path) -> Path:
    """A file that `--out` names, if nothing is there yet.

    Raises:
        UserError: something is.
    """
    if path.exists():
        raise UserError(f"{path} exists; choose another --out")
    return path


@contextmanager
def new(path: Path) -> Iterator[BinaryIO]:
    """A file that was not there before, to write to."""
    try:
        with path.open("xb") as file:
            yield file
    except FileExistsError:
        raise UserError(f"{path} exists already; choose another folder with --out") from None
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror or error})") from None
