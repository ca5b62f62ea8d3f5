"""Many files under one roof, by number: a folder, a zip, or a single file.

A set of 200,000 images must not cost 200,000 Python objects. `Files` therefore keeps the names in
one array of bytes, sorted, so that a number means the same file in every process, and reads with
`os.pread`, which needs no lock and no seek, so that threads can share it. A zip is read in place:
its central directory becomes a few arrays of integers (PKWARE, *.ZIP File Format Specification*,
6.3.10, sections 4.3.12 to 4.3.16), and nothing is ever extracted to disk.

>>> spread(10, 4).tolist()
[0, 3, 6, 9]
"""

from __future__ import annotations

import io
import os
import struct
import weakref
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from twofold.core.errors import UserError

Wanted = Callable[[bytes], bool]

LARGEST = 1 << 29
"""Bytes of one file inside a zip; a larger one is refused, as a bomb or a mistake."""


def spread(total: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the numbers 0 … total − 1, evenly spread, first and last included."""
    return np.unique(np.linspace(0, max(total - 1, 0), min(total, most)).round().astype(np.int64))


class Files(ABC):
    """Files by number: `names` is (N,) bytes, relative to the root, sorted."""

    names: NDArray[np.bytes_]

    def __len__(self) -> int:
        return len(self.names)

    def name(self, row: int) -> str:
        """The name of one file, fit to be shown."""
        return bytes(self.names[row]).decode("utf-8", "replace")

    @abstractmethod
    def open(self, row: int) -> BinaryIO:
        """One file, to be read from its start."""

    @abstractmethod
    def find(self, name: str) -> bytes:
        """What a file of this exact name under the root holds; empty where there is none."""


class Folder(Files):
    """All wanted files below a folder, or one file alone."""

    def __init__(self, root: Path, wanted: Wanted) -> None:
        self.root = root if root.is_dir() else root.parent
        found = walk(self.root) if root.is_dir() else iter([os.fsencode(root.name)])
        names, _ = gathered(((name, ()) for name in found if wanted(name)), 0)
        self.names = names[np.argsort(names, kind="stable")]

    def open(self, row: int) -> BinaryIO:
        return open(os.fsencode(self.root) + b"/" + bytes(self.names[row]), "rb")

    def find(self, name: str) -> bytes:
        path = self.root / name
        return path.read_bytes() if path.is_file() else b""


class Zip(Files):
    """All wanted files of a zip: stored or deflated, never encrypted."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.path = path
        self.handle = handle(self, path)
        names, places = gathered((entry for entry in directory(path) if wanted(entry[0])), 6)
        order = np.argsort(names, kind="stable")
        self.names, self.places = names[order], places[order]

    def open(self, row: int) -> BinaryIO:
        return io.BytesIO(self.content(self.name(row), self.places[row].tolist()))

    def find(self, name: str) -> bytes:
        for found, place in directory(self.path):
            if found == name.encode():
                return self.content(name, list(place))
        return b""

    def content(self, name: str, place: list[int]) -> bytes:
        """The bytes of one entry, from where the directory says that it is."""
        start, packed, size, method, crc, flags = place
        whole = f"{name} in {self.path}"
        if size > LARGEST or packed > LARGEST:
            raise UserError(f"{whole} would be {size:,} bytes, too large for one file; remove it")
        if flags & 1 or method not in UNPACK:
            raise UserError(f"{whole} is encrypted or packed by a rare method; zip it plainly")
        head = os.pread(self.handle, 30, start)
        if len(head) < 30 or head[:4] != b"PK\3\4":
            raise UserError(f"{whole} is not where the zip says; the zip is damaged, make it again")
        begin = start + 30 + sum(struct.unpack_from("<2H", head, 26))
        try:
            data = UNPACK[method](os.pread(self.handle, packed, begin), size)
        except zlib.error as error:
            raise UserError(f"{whole} cannot be unpacked ({error}); make the zip again") from None
        if len(data) != size or zlib.crc32(data) != crc:
            raise UserError(f"{whole} does not match its checksum; make the zip again")
        return data


UNPACK: dict[int, Callable[[bytes, int], bytes]] = {
    0: lambda data, size: data,
    8: lambda data, size: zlib.decompressobj(-15).decompress(data, size + 1),
}


def handle(owner: object, path: Path) -> int:
    """A file's descriptor for `os.pread`, closed when its owner is no longer used."""
    try:
        number = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check it") from None
    weakref.finalize(owner, os.close, number)
    return number


def files_of(path: Path, wanted: Wanted) -> Files:
    """The wanted files of a folder, of a zip, or the one file itself."""
    return Zip(path, wanted) if path.suffix.lower() == ".zip" else Folder(path, wanted)


def names_of(path: Path) -> Iterator[bytes]:
    """The names of all files of a folder or zip, one by one, without holding them."""
    if path.suffix.lower() == ".zip":
        return (name for name, _ in directory(path))
    return walk(path) if path.is_dir() else iter([os.fsencode(path.name)])


def gathered(
    found: Iterator[tuple[bytes, tuple[int, ...]]], width: int
) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
    """Names (N,) and numbers (N, width) from a stream of pairs, growing by doubling."""
    names, places = np.zeros(1024, "S32"), np.zeros((1024, width), np.int64)
    count = 0
    for name, place in found:
        if count == len(names):
            names.resize(2 * count, refcheck=False)  # in place: a copy would be the peak of memory
            places.resize((2 * count, width), refcheck=False)
        if len(name) > names.itemsize:
            names = names.astype(f"S{len(name) + 8}")
        names[count], places[count] = name, place
        count += 1
    return names[:count], places[:count]


def walk(root: Path) -> Iterator[bytes]:
    """The names of all files below a folder, relative to it; hidden ones are left out."""
    seen: set[tuple[int, int]] = set()  # a link to a folder above would go round for ever
    folders = [b""]
    while folders:
        folder = folders.pop()
        try:
            entries = os.scandir(os.path.join(os.fsencode(root), folder))
        except OSError as error:
            raise UserError(
                f"{root}/{folder.decode('utf-8', 'replace')} cannot be listed "
                f"({error.strerror}); check its permissions"
            ) from None
        with entries:
            for entry in entries:
                if entry.name.startswith(b"."):
                    continue
                name = os.path.join(folder, entry.name)
                if not entry.is_dir():
                    yield name
                elif (key := identity(entry)) not in seen:
                    seen.add(key)
                    folders.append(name)


def identity(entry: os.DirEntry[bytes]) -> tuple[int, int]:
    """What a folder is, whatever it is called."""
    stat = entry.stat()
    return stat.st_dev, stat.st_ino


def directory(path: Path) -> Iterator[tuple[bytes, tuple[int, ...]]]:
    """The entries of a zip: name, and (start, packed, size, method, crc, flags)."""
    damaged = UserError(f"{path} is not a whole zip; copy or download it again")
    try:
        with open(path, "rb") as file:
            count, start = end_of_directory(file)
            file.seek(start)
            for _ in range(count):
                name, place = entry_of(file)
                hidden = name.startswith(b"__MACOSX/") or b"/." in b"/" + name
                if not name.endswith(b"/") and not hidden:
                    yield name, place
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check it") from None
    except (struct.error, ValueError, OverflowError):
        raise damaged from None


END = struct.Struct("<4s4H2LH")
END_64 = struct.Struct("<4sQ2H2L4Q")
ENTRY = struct.Struct("<4s6H3L5H2L")


def end_of_directory(file: BinaryIO) -> tuple[int, int]:
    """How many entries a zip has, and where its directory starts; `ValueError` if it is none."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 65557))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0:
        raise ValueError("no end of directory")
    count, start = (END.unpack_from(tail, at)[i] for i in (4, 6))
    if tail[at - 20 : at - 16] == b"PK\6\7":  # more than 65,535 entries or 4 GB: zip64
        file.seek(struct.unpack_from("<Q", tail, at - 12)[0])
        fields = END_64.unpack(file.read(END_64.size))
        count, start = fields[7], fields[9]
    return count, start


def entry_of(file: BinaryIO) -> tuple[bytes, tuple[int, ...]]:
    """The next entry of a zip's directory."""
    fields: tuple[Any, ...] = ENTRY.unpack(file.read(ENTRY.size))
    if fields[0] != b"PK\1\2":
        raise ValueError("not an entry")
    flags, method, crc, packed, size = (fields[i] for i in (3, 4, 7, 8, 9))
    name, extra = file.read(fields[10]), file.read(fields[11])
    file.seek(fields[12], os.SEEK_CUR)  # its comment
    size, packed, start = wide(extra, [size, packed, fields[16]])
    return name, (start, packed, size, method, crc, flags)


def wide(extra: bytes, numbers: list[int]) -> list[int]:
    """Sizes and start of an entry, those of 2³² − 1 replaced from its zip64 extra field."""
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<2H", extra)
        if tag == 1:
            room = iter(struct.unpack_from(f"<{length // 8}Q", extra, 4))
            return [next(room, 0) if number == 0xFFFFFFFF else number for number in numbers]
        extra = extra[4 + length :]
    return numbers
