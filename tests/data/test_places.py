"""Places: names that are free, and nothing written over, even by a race."""

from pathlib import Path

import pytest

from twofold.core.errors import UserError
from twofold.data import places


def test_a_name_is_free_and_a_number_goes_on(tmp_path: Path) -> None:
    assert places.free_name(tmp_path, "grid.png").name == "grid.png"
    assert places.free_number(tmp_path) == 0
    for name in ("grid.png", "grid-2.png", "000007-cat.png", "12.png"):
        (tmp_path / name).touch()
    assert places.free_name(tmp_path, "grid.png").name == "grid-3.png"
    assert places.free_number(tmp_path) == 8


def test_a_file_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"theirs")
    with pytest.raises(UserError, match="exists already"), places.new(path) as file:
        file.write(b"ours")
    assert path.read_bytes() == b"theirs"


def test_what_the_disk_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        places.folder(tmp_path / "file" / "below")
    with pytest.raises(UserError, match="cannot be written"), places.new(tmp_path / "no" / "a"):
        pass
