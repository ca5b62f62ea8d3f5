"""Checkpoints that are whole or not there.

A checkpoint is several files that must belong together. Each new one is first written in full
beside its place, as `NAME.next`, and flushed to the disk; then `state.json`, which names every file
with its sha256, is replaced in one step: that is the moment the checkpoint exists. The renames that
follow may be cut short by anything: whoever writes to the folder next completes them (`recover`),
for the hashes say which of two files is meant. Who only reads takes the one that is meant, wherever
it lies, and changes nothing. The same hashes show a flipped byte.

`weights.safetensors` holds the model, `average.safetensors` its averaged twin, `state.safetensors`
the moments of the optimisers, `best.safetensors` the weights that were best on held-out data. What
is made from a checkpoint and kept with it, such as a fitted prior, is attached in the same way, and
says inside what it is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import Tensor

from twofold.core.errors import UserError
from twofold.train.loop import State

FORMAT = 1
RECORD = "state.json"
ABOUT = "about"
KEYS = ("step", "shown", "attempt", "files", "session")
"""What the record says."""
WEIGHTS: dict[str, str] = {
    "average": "average.safetensors",
    "last": "weights.safetensors",
    "best": "best.safetensors",
}
"""The files that a run can be used with, by what `--weights` calls them."""
MOMENTS = "state.safetensors"
"""What only resuming needs."""


def save(
    folder: Path, state: State, session: Mapping[str, Any], best: Mapping[str, Tensor]
) -> None:
    """Replace the checkpoint of a run; `best` is empty when it has not changed.

    Raises:
        UserError: the disk is full or cannot be written; the last checkpoint stands.
    """
    recover(folder)
    files = {
        "weights.safetensors": state.weights,
        "average.safetensors": state.average,
        "state.safetensors": state.moments,
        "best.safetensors": dict(best),
    }
    contents = {name: bytes_of(tensors) for name, tensors in files.items() if tensors}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    record = {
        "format": FORMAT,
        "step": state.step,
        "shown": state.shown,
        "attempt": state.attempt,
        "files": known(folder) | hashes,
        "session": dict(session),
    }
    try:
        for name, data in contents.items():
            flush(folder / f"{name}.next", data)
        replace(folder / RECORD, json.dumps(record, indent=1).encode())
    except OSError as error:
        for name in contents:
            with suppress(OSError):
                (folder / f"{name}.next").unlink(missing_ok=True)
        raise full(folder, error) from None
    recover(folder)


def attach(
    folder: Path, name: str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]
) -> None:
    """Keep one more file with the checkpoint that stands, replacing an older one of its name.

    Args:
        name: of the file, `….safetensors`. about: what it is, as plain data kept inside it.
    """
    recover(folder)
    record = read_record(folder)
    data = bytes_of(dict(tensors), {ABOUT: json.dumps(about)})
    files = record["files"] | {name: hashlib.sha256(data).hexdigest()}
    try:
        flush(folder / f"{name}.next", data)
        replace(folder / RECORD, json.dumps(record | {"files": files}, indent=1).encode())
    except OSError as error:
        with suppress(OSError):
            (folder / f"{name}.next").unlink(missing_ok=True)
        raise full(folder, error) from None
    recover(folder)


def about(folder: Path, name: str) -> dict[str, Any]:
    """What an attached file says it is; empty where the checkpoint has no such file."""
    if name not in read_record(folder)["files"]:
        return {}
    data = content(folder, name)
    size = int.from_bytes(data[:8], "little")  # of the header, which safetensors puts first
    found: dict[str, Any] = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][ABOUT])
    return found


def load(folder: Path) -> tuple[State, dict[str, Any]]:
    """The state of the last checkpoint, and what the session kept, for who goes on from it."""
    recover(folder)
    record = read_record(folder)
    weights, average, moments = (
        read(folder, name)
        for name in ("weights.safetensors", "average.safetensors", "state.safetensors")
    )
    state = State(record["step"], record["shown"], record["attempt"], weights, average, moments)
    return state, record["session"]


def read(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of one file of a checkpoint; none if the checkpoint has no such file.

    Raises:
        UserError: the file is missing, or is not the one that was written.
    """
    return tensors_of(content(folder, name)) if name in read_record(folder)["files"] else {}


def content(folder: Path, name: str) -> bytes:
    """The bytes of one file of a checkpoint.

    Another process may save meanwhile: then the record is another one, and is asked again.
    """
    record = read_record(folder)
    for data in whole(folder, name, record["files"][name]):
        return data
    if read_record(folder) != record:
        return content(folder, name)
    path = folder / name
    trouble = "is damaged (its sha256 differs)" if path.is_file() else "is missing"
    more = instead(folder, name, record["files"])
    raise UserError(f"{path} {trouble}; copy it again from where it was trained{more}")


def whole(folder: Path, name: str, expected: str) -> Iterator[bytes]:
    """What a file of this hash holds, at its place or where it waits for it; nothing if nowhere.

    Another process may move it to its place meanwhile, which is therefore looked at twice.
    """
    for path in (folder / name, folder / f"{name}.next", folder / name):
        with suppress(OSError):
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() == expected:
                yield data


def instead(folder: Path, name: str, files: Mapping[str, str]) -> str:
    """What can be done without a file, in words: other weights that are whole.

    Args:
        files: all files of the checkpoint, with their hashes.
    """
    if name == MOMENTS:
        return "; the run can be used without it, but not resumed"
    if name not in WEIGHTS.values():
        return ""
    good = [
        f"{file} by --weights {key}"
        for key, file in WEIGHTS.items()
        if file in files and any(whole(folder, file, files[file]))
    ]
    return f", or use {' or '.join(good)}" if good else ""


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a checkpoint, `state.json`."""
    return parse(folder / RECORD, KEYS)


def parse(path: Path, keys: Sequence[str]) -> dict[str, Any]:
    """A JSON file of a run, of a format that this version knows, with what it has to say."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(
            f"{path} is not there; {path.parent} holds no finished checkpoint"
        ) from None
    except ValueError:
        raise UserError(f"{path} is damaged: it is cut short or no JSON; {AGAIN}") from None
    if isinstance(data, dict) and data.get("format", 0) > FORMAT:
        raise UserError(
            f"{path} was written by a newer Twofold; upgrade with pip install -U twofold"
        )
    missing = [key for key in keys if not isinstance(data, dict) or key not in data]
    if missing:
        raise UserError(f"{path} is damaged: it lacks {', '.join(missing)}; {AGAIN}")
    return dict(data)


AGAIN = "copy it again from where it was trained, as the run cannot be used without it"
"""What can be done about a file that says what the others are."""


def known(folder: Path) -> dict[str, str]:
    """The hashes of the checkpoint that stands, if one does."""
    return dict(read_record(folder)["files"]) if (folder / RECORD).is_file() else {}


def recover(folder: Path) -> None:
    """Complete the renames of a checkpoint that exists; drop the leavings of one that does not."""
    expected = known(folder)
    for path in sorted(folder.glob("*.safetensors.next")):
        place = path.with_suffix("")
        if hashlib.sha256(path.read_bytes()).hexdigest() == expected.get(place.name):
            path.replace(place)
        else:
            path.unlink()


def flush(path: Path, data: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, data: bytes) -> None:
    """Write a file so that its old or its new content is there at any moment, never half of it."""
    beside = path.with_name(path.name + ".tmp")
    try:
        flush(beside, data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    with suppress(OSError):  # some file systems cannot flush a folder
        handle = os.open(path.parent, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def full(folder: Path, error: OSError) -> UserError:
    """What to say when a disk refuses."""
    return UserError(
        f"{folder} cannot be written ({error.strerror}); the last checkpoint is whole: "
        f"make room, then go on with: twofold resume {folder}"
    )
