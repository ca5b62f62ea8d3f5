"""Is memory flat in the number of images? Peak memory of one epoch over few and over many.

    python benchmarks/memory.py [--few 20000] [--many 200000] [--limit 1.1]

Writes 64 × 64 × 3 images as a folder of PNG files, as a zip of them and as one `.npy`, in a
temporary folder that is removed afterwards; reads each, shuffled, in batches of 64, in a process of
its own, and prints the peak resident memory of both sizes and their ratio. Exits with 1 when a
ratio is above the limit.
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
from PIL import Image

SHAPE = (64, 64, 3)
DISTINCT = 1000


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
    """Read every row once, as a fit would, and return this process's peak memory in kilobytes."""
    import torch

    from twofold.data.doctor import examine

    torch.set_num_threads(1)
    source = examine(path, stream="always").source
    for rows in torch.randperm(len(source)).split(64):
        source.read(rows).values.float().mean()
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=20_000)
    parser.add_argument("--many", type=int, default=200_000)
    parser.add_argument("--limit", type=float, default=1.1)
    parser.add_argument("--only", choices=sorted(MAKE), nargs="*", default=sorted(MAKE))
    parser.add_argument("--epoch", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.epoch:
        print(epoch(asked.epoch))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the temporary folder goes
    ratios = []
    for name in asked.only:
        with tempfile.TemporaryDirectory() as room:
            few, many = (
                peak(MAKE[name](Path(room, str(count)), count)) for count in (asked.few, asked.many)
            )
        ratios.append(many / few)
        print(
            f"{name:7} {asked.few:>8,} {few:6.1f} MB  {asked.many:>8,} {many:6.1f} MB  "
            f"ratio {many / few:.3f}",
            flush=True,
        )
    return int(max(ratios) > asked.limit)


if __name__ == "__main__":
    sys.exit(main())
