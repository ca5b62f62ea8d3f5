"""Memory that is freed between steps stays with the process.

Every step of training frees what the next one asks for again. The C library gives large blocks
back to the system at once, which then hands out the same pages anew, each filled with zeros: a
sixth of the time of a convolutional network on a processor. Where the library is glibc, this says
to keep them (mallopt(3)).
"""

from __future__ import annotations

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # the names M_… have in malloc.h
LARGEST = 32 << 20  # bytes; glibc takes no more for MMAP_THRESHOLD


def keep_freed() -> bool:
    """Keep what is freed, up to a gigabyte; whether the C library was able to."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return bool(mallopt(TRIM_THRESHOLD, 1 << 30) and mallopt(MMAP_THRESHOLD, LARGEST))
