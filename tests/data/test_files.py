"""Folders and zips by number: the same files as the standard library finds, and no traceback."""

import os
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twofold.core.errors import UserError
from twofold.data import files as files_module
from twofold.data.files import Folder, Zip, files_of, spread

CONTENT = {"b/2.x": b"two" * 500, "a.x": b"", "b/c/3.x": os.urandom(64), "é.x": b"accent"}


def every(name: bytes) -> bool:
    return name.endswith(b".x")


def make_zip(path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in CONTENT.items():
            archive.writestr(name, data)
        archive.writestr("folder/", b"")
        archive.writestr("__MACOSX/._a.x", b"noise")
        archive.writestr("other.txt", b"no")
    return path


def make_folder(path: Path) -> Path:
    for name, data in {**CONTENT, ".hidden.x": b"no", "other.txt": b"no"}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_reads_what_was_written(method: int, tmp_path: Path) -> None:
    files = Zip(make_zip(tmp_path / "a.zip", method), every)
    read = {files.name(i): files.open(i).read() for i in range(len(files))}
    assert read == CONTENT
    assert [files.name(i) for i in range(4)] == ["a.x", "b/2.x", "b/c/3.x", "é.x"]
    assert files.find("other.txt") == b"no"
    assert files.find("nothing") == b""


def test_a_folder_reads_the_same_in_the_same_order(tmp_path: Path) -> None:
    folder = Folder(make_folder(tmp_path / "a"), every)
    archive = Zip(make_zip(tmp_path / "a.zip"), every)
    assert folder.names.tolist() == archive.names.tolist()
    for row in range(len(folder)):
        with folder.open(row) as file:
            assert file.read() == archive.open(row).read()


def test_a_link_to_a_folder_above_does_not_go_round(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a")
    (folder / "b" / "up").symlink_to(folder, target_is_directory=True)
    names = {bytes(name).rpartition(b"/")[2] for name in Folder(folder, every).names}
    assert names == {b"2.x", b"3.x", b"a.x", "é.x".encode()}


def test_a_zip_of_more_than_65535_files_is_read_by_its_64_bit_directory(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(65_540):
            archive.writestr(f"{i:05d}.x", b"")
    files = Zip(path, every)
    assert len(files) == 65_540
    assert files.name(65_539) == "65539.x"


def test_sizes_and_starts_beyond_4_gigabytes_come_from_the_extra_field() -> None:
    most = 0xFFFFFFFF
    extra = struct.pack("<2H4x", 99, 4) + struct.pack("<2H2Q", 1, 16, 5 << 32, 7 << 32)
    assert files_module.wide(extra, [most, 12, most]) == [5 << 32, 12, 7 << 32]


def test_a_bomb_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.x", bytes(10_000_000))
    monkeypatch.setattr(files_module, "LARGEST", 1_000_000)
    with pytest.raises(UserError, match=r"big\.x in .* too large"):
        Zip(path, every).open(0)


def test_an_entry_that_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.x", bytes(10_000_000))
    size = struct.pack("<L", 10_000_000)
    path.write_bytes(path.read_bytes().replace(size, struct.pack("<L", 100)))
    with pytest.raises(UserError, match=r"big\.x in .* checksum"):
        Zip(path, every).open(0)


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    path.write_bytes(data)
    files = Zip(path, every)
    with pytest.raises(UserError, match="encrypted"):
        [files.open(i) for i in range(len(files))]


def use(path: Path) -> None:
    files = files_of(path, every)
    for row in range(len(files)):
        files.open(row).read()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_zips_raise_nothing_but_user_errors(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(make_zip(tmp_path / "whole.zip").read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path / "damaged.zip"
    path.write_bytes(whole[:cut])
    with suppress(UserError):
        use(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_random_bytes_are_no_zip(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "random.zip"
    path.write_bytes(data)
    with pytest.raises(UserError, match="not a whole zip"):
        use(path)


@given(st.integers(1, 10_000), st.integers(2, 300))
def test_spread_is_sorted_distinct_and_holds_both_ends(total: int, most: int) -> None:
    rows = spread(total, most)
    assert len(rows) == min(total, most)
    assert rows[0] == 0
    assert rows[-1] == (total - 1)
    assert (np.diff(rows) > 0).all()
