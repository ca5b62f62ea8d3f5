"""Named data: found where it lies, fetched where it does not, read to the shape that is known."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from twofold.core.errors import UserError
from twofold.data import named as module
from twofold.data.block import Block
from twofold.data.download import Remote
from twofold.data.named import NAMED, find, is_here

NO_FILES = ("breast-cancer", "diabetes", "digits", "iris", "shapes2d", "wine")
SIZES = {
    "digits": 1797, "mnist": 70000, "fashion-mnist": 70000, "adult": 48842, "wine-quality": 6497,
    "heart-cleveland": 303, "credit-default": 30000, "breast-cancer": 569, "wine": 178, "iris": 150,
    "diabetes": 442, "physionet2012": 1737653,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_name_is_read_to_its_known_shape(name: str, named: Callable[[str], Path]) -> None:
    if name not in NO_FILES:
        named(name)
    assert is_here(name)
    found = find(name)
    rows = found.where.rows if isinstance(found.where, Block) else found.where
    if name in SIZES:
        assert len(rows) == SIZES[name]
    every = np.concatenate([np.zeros(0, int), *found.official.values()])
    assert len(np.unique(every)) == len(every)
    assert not len(every) or len(every) == len(rows)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_every_name_says_what_whence_and_under_which_terms(name: str) -> None:
    one = NAMED[name]
    assert one.what
    assert one.licence
    assert one.home.startswith("http")
    for remote in one.files:
        method, _, digest = remote.digest.partition(":")
        assert not remote.url or len(digest) == {"sha256": 64, "md5": 32}[method]


def test_digits_have_seventeen_levels() -> None:
    block = find("digits").where
    assert block.levels == 17
    assert block.rows[0:5].max() == 16
    assert block.names == tuple("0123456789")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No data anywhere; the cache is a folder of the test's own."""
    monkeypatch.delenv("TWOFOLD_DATA", raising=False)
    monkeypatch.setenv("TWOFOLD_CACHE", str(tmp_path))
    return tmp_path


def mnist_files(folder: Path, count: int = 60000) -> None:
    folder.mkdir()
    for part, rows in (("train", count), ("t10k", 10000)):
        images = bytes([0, 0, 8, 3]) + struct.pack(">3I", rows, 28, 28) + bytes(rows * 784)
        labels = bytes([0, 0, 8, 1]) + struct.pack(">I", rows) + bytes(rows)
        name = f"{part}-images-idx3-ubyte.gz"
        (folder / name).write_bytes(gzip.compress(images, 1))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)


def test_a_local_file_is_accepted_by_its_shape_gzipped_or_not(empty: Path) -> None:
    mnist_files(empty / "mnist")
    assert is_here("mnist")
    assert find("mnist").where.rows.shape == (70000, 28, 28)


def test_a_local_file_of_another_shape_is_told(empty: Path) -> None:
    mnist_files(empty / "mnist", 100)
    with pytest.raises(UserError, match="not those of MNIST"):
        find("mnist")


def test_what_is_missing_is_fetched_or_told(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Remote] = []

    def refuse(remote: Remote, folder: Path, progress: object) -> Path:
        asked.append(remote)
        raise UserError(f"no network for {folder}")

    monkeypatch.setattr(module, "download", refuse)
    assert not is_here("fashion-mnist")
    with pytest.raises(UserError, match=f"no network for {empty / 'fashion-mnist'}"):
        find("fashion-mnist")
    assert asked[0].url.endswith("/train-images-idx3-ubyte.gz")
    with pytest.raises(UserError, match=r"no public address; get it from https://.*heart"):
        find("heart-cleveland")


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'mnist'"):
        find("mnits")


def test_adult_is_read_as_published(empty: Path) -> None:
    pytest.importorskip("pandas")
    row = "39, State-gov, 77516, Bachelors, 13, Never-married, ?, x, White, Male, 0, 0, 40, US, "
    (empty / "adult").mkdir()
    (empty / "adult" / "adult.data").write_text(row + "<=50K\n" + row + ">50K\n\n")
    (empty / "adult" / "adult.test").write_text("|1x3 Cross validator\n" + row + ">50K.\n\n")
    found = find("adult")
    assert found.where["income"].tolist() == ["<=50K", ">50K", ">50K"]
    assert found.where["occupation"].isna().all()
    assert {part: rows.tolist() for part, rows in found.official.items()} == {
        "train": [0, 1], "test": [2]}  # fmt: skip


def test_wine_is_read_as_published_and_without_a_header(empty: Path) -> None:
    pytest.importorskip("pandas")
    (empty / "wine-quality").mkdir()
    head = ";".join(f'"{name}"' for name in module.WINE)
    numbers = [str(i / 2) for i in range(11)]
    red = empty / "wine-quality" / "winequality-red.csv"
    red.write_text(head + "\n" + ";".join([*numbers, "5"]) + "\n")
    white = empty / "wine-quality" / "winequality-white.csv"
    white.write_text(",".join([*numbers, "6"]) + "\n")
    frame = find("wine-quality").where
    assert frame["quality"].tolist() == [5, 6]
    assert frame["colour"].tolist() == ["red", "white"]
    white.write_text("1,2,3\n")
    with pytest.raises(UserError, match="has 3 columns, not 12"):
        find("wine-quality")
