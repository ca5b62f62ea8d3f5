"""One process at a time trains a run: a lock that the system gives back when its holder dies.

The lock lies on a file `training.lock` of the run's folder, which is there only while the run
trains. What only reads a run asks for no lock, and changes nothing of its checkpoint; what keeps
something with one asks for it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from twofold.core.errors import UserError
from twofold.train.checkpoint import full
from twofold.train.parallel import world

NAME = "training.lock"
TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class Busy(UserError):
    """Another process is training the run."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Be the one that trains a run, for as long as it lasts; of several ranks, the first asks.

    Raises:
        Busy: another process is training it.
    """
    if not world().first:
        yield
        return
    path = folder / NAME
    file = held(path)
    try:
        yield
    finally:
        with suppress(OSError):  # an open file cannot be removed everywhere
            path.unlink()
        file.close()


def held(path: Path) -> IO[bytes]:
    """The file of the lock, open and locked; one that its last holder removed is made anew."""
    while True:
        try:
            file = path.open("ab")
        except OSError as error:
            raise full(path.parent, error) from None
        try:
            lock(file.fileno())
        except OSError as error:
            if error.errno in TAKEN:
                file.close()
                raise Busy(
                    f"another process is training {path.parent}; wait for it, or stop it first"
                ) from None
            # Some file systems have no locks, and are no reason not to train.
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()


if sys.platform == "win32":
    import msvcrt

    def lock(handle: int) -> None:
        """Lock a file, or raise at once."""
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def lock(handle: int) -> None:
        """Lock a file, or raise at once."""
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
