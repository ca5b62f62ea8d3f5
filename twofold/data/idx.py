"""The IDX format of MNIST: arrays of numbers behind a short header, plain or gzipped.

Four bytes say 0, 0, the type and the number of axes d; then come d big-endian 32-bit sizes and the
numbers, big-endian, last axis fastest (LeCun, Cortes and Burges, *The MNIST database*, 1998).

>>> decode(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), "two.idx")
array([7, 9], dtype=uint8)
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.core.errors import UserError

TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
LARGEST = 1 << 32
"""Bytes of one array; more is refused, so that a damaged header cannot fill the memory."""


def read(path: Path) -> NDArray[Any]:
    """The array of a file; `UserError` where it is not a whole IDX file."""
    try:
        return decode(unpacked(path.read_bytes(), LARGEST), str(path))
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}); get it again") from None


def unpacked(data: bytes, most: int) -> bytes:
    """What gzipped data hold, at most `most` bytes of it; other data as they are."""
    if data[:2] != b"\x1f\x8b":
        return data
    with gzip.open(io.BytesIO(data)) as file:
        return file.read(most)


def decode(data: bytes, name: str) -> NDArray[Any]:
    """The array that these bytes hold."""
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES or data[3] > 8:
        raise UserError(f"{name} is not an IDX file; get it again")
    dtype, axes = np.dtype(TYPES[data[2]]), data[3]
    start = 4 + 4 * axes
    if len(data) < start:
        raise UserError(f"{name} ends within its header; get it again")
    shape = struct.unpack_from(f">{axes}I", data, 4)
    whole = start + math.prod(shape) * dtype.itemsize
    if len(data) != whole:
        raise UserError(f"{name} has {len(data):,} bytes, not {whole:,}; get it again")
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
