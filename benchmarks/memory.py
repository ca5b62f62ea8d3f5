"""Memory is flat in the number of images.

Writes 64 × 64 × 3 images as a folder of PNG files, as a zip of them and as one `.npy`, 20,000 and
200,000 of them, in a temporary folder that is removed afterwards. A process of its own feeds one
epoch of each, streamed, shuffled and encoded, in batches of 64, as training does, and says the most
memory it held. The figure is the peak over many images by that over few; it must be at most 1.1.
Run it with

    python benchmarks/memory.py
"""

from __future__ import annotations

import argparse
import io
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from common import Ratio, Row, save
from PIL import Image

from twofold.data.doctor import examine
from twofold.train.feed import Feed

SHAPE = (64, 64, 3)
DISTINCT, BATCH, TARGET = 1000, 64, 1.1


def images() -> list[bytes]:
    """A thousand PNG files of smooth noise."""
    rng = np.random.default_rng(0)
    return [png(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(DISTINCT)]


def png(small: np.ndarray) -> bytes:
    """A small image enlarged, as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(small).resize(SHAPE[:2], Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def names(count: int) -> Iterator[str]:
    return (f"label{i % 10}/image{i:06d}.png" for i in range(count))


def folder(path: Path, count: int) -> Path:
    """`count` files in ten sub-folders."""
    every = images()
    for label in range(10):
        (path / f"label{label}").mkdir(parents=True)
    for i, name in enumerate(names(count)):
        (path / name).write_bytes(every[i % DISTINCT])
    return path


def archive(path: Path, count: int) -> Path:
    """`count` stored entries."""
    every = images()
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as file:
        for i, name in enumerate(names(count)):
            file.writestr(name, every[i % DISTINCT])
    return path.with_suffix(".zip")


def array(path: Path, count: int) -> Path:
    """`count` rows of one file."""
    rng = np.random.default_rng(0)
    with path.with_suffix(".npy").open("wb") as file:
        head = {"descr": "|u1", "fortran_order": False, "shape": (count, *SHAPE)}
        np.lib.format.write_array_header_1_0(file, head)
        for _ in range(count):
            file.write(rng.bytes(math.prod(SHAPE)))
    return path.with_suffix(".npy")


MAKE: dict[str, Callable[[Path, int], Path]] = {"folder": folder, "zip": archive, "npy": array}


def epoch(path: Path) -> int:
    """Feed every row once, as a fit would, and return this process's peak memory in kilobytes."""
    torch.set_num_threads(1)
    found = examine(path, stream="always")
    space, given = found.kind.space, found.kind.given
    feed = Feed(found.source, space, given, BATCH, 0, torch.device("cpu"))
    for shown in range(0, len(found.source), BATCH):
        feed(shown, slice(0, BATCH)).x.mean()
    return high_water()


def high_water() -> int:
    """The peak memory of this program in kilobytes.

    `ru_maxrss` counts what the parent had before this program replaced it, so Linux is asked
    otherwise.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak(path: Path) -> float:
    """The peak memory of one epoch in a fresh process, in megabytes."""
    command = [sys.executable, __file__, "--epoch", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return int(done.stdout) / 1024


def compared(name: str, few: int, many: int) -> Row:
    """The peaks over few and many images of one form."""
    with tempfile.TemporaryDirectory() as room:
        less, more = (peak(MAKE[name](Path(room, str(count)), count)) for count in (few, many))
    what = f"{name}, {many:,} images against {few:,}"
    return Row(what, "MB", more, less, Ratio.of([more], [less]), TARGET, "lower")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=20_000)
    parser.add_argument("--many", type=int, default=200_000)
    parser.add_argument("--only", choices=sorted(MAKE), nargs="*", default=sorted(MAKE))
    parser.add_argument("--epoch", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.epoch:
        print(epoch(asked.epoch))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the temporary folder goes
    save("memory", __doc__, [compared(name, asked.few, asked.many) for name in asked.only])


if __name__ == "__main__":
    main()
