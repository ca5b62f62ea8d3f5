"""Files from their public home: resumed where they broke off, used only when their hash is right.

A download goes to a temporary file beside its place, named after the hash; when it breaks, the next
try asks for the rest (HTTP `Range`, RFC 9110, section 14). Only a file whose hash is the expected
one is moved to its place, in one step, so that what is there is always whole.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from twofold.core.errors import UserError

CHUNK = 1 << 20
Progress = Callable[[int, int], None]
"""Called with the bytes that are there and the bytes of the whole (0 when not known)."""


def silent(there: int, whole: int) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class Remote:
    """A file on the network: its name here, its address, and `sha256:…` or `md5:…` of its bytes."""

    name: str
    url: str
    digest: str

    def matches(self, path: Path) -> bool:
        """Whether a file is this one."""
        method, _, expected = self.digest.partition(":")
        with path.open("rb") as file:
            return hashlib.file_digest(file, method).hexdigest() == expected


def download(remote: Remote, folder: Path, progress: Progress = silent) -> Path:
    """The file in a folder, fetched when it is not there.

    Raises:
        UserError: no network, a refusal, a full disk, or another file than expected.
    """
    path = folder / remote.name
    if path.is_file():
        return path
    part = folder / f"{remote.name}.{remote.digest[-12:]}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fetch(remote.url, part, progress)
        if not remote.matches(part):
            part.unlink()
            raise UserError(f"{remote.url} is not the file that is expected: its hash differs")
        os.replace(part, path)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        why = getattr(error, "reason", error)
        raise UserError(
            f"{remote.name} cannot be fetched from {remote.url} ({why}); "
            f"connect, or put the file into {folder}"
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror or error})") from None
    return path


def fetch(url: str, part: Path, progress: Progress) -> None:
    """Add to a partial file what it lacks; a server that cannot resume sends all of it again."""
    there = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            resumed = answer.status == 206
            there = there if resumed else 0
            whole = there + int(answer.headers.get("Content-Length") or 0)
            with part.open("ab" if resumed else "wb") as file:
                while data := answer.read(CHUNK):
                    file.write(data)
                    there += len(data)
                    progress(there, whole)
        if there < whole:
            raise urllib.error.URLError("the connection broke; the next try goes on from there")
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 416:  # 416: nothing is left to send, the partial file is all of it
                raise
