"""The doctor: what it is, what is wrong, which recipe; never a traceback."""

import json
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image

from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category, Count, Field, Real, Space, Token
from twofold.data import doctor
from twofold.data.doctor import every_kind, examine, in_words, recall, remember
from twofold.data.sources import Subset


def image_folder(path: Path) -> Path:
    for i, label in enumerate(("cat", "dog", "dog")):
        (path / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((6, 8), 40 * i, np.uint8)).save(path / label / f"{i}.png")
    return path


def test_every_kind_is_found_by_walking() -> None:
    assert {"images", "arrays"} <= set(every_kind())
    assert next(iter(every_kind())) == "images"


def test_a_folder_of_images(tmp_path: Path) -> None:
    found = examine(image_folder(tmp_path))
    assert found.kind.name == "images"
    assert len(found.source) == 3
    assert found.suggestion.recipe == "vae-images"
    text = str(found)
    assert "an image of 6 × 8 with 1 channel" in text
    assert "label, one of 2: cat, dog, may be missing" in text
    assert "labels seen once: cat" in text
    assert "3 rows expect copies" in text
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["observations"] == 3
    assert plain["suggestion"]["other"] == "gan-images"
    assert Space.from_dict(plain["space"]) == found.kind.space


def test_names_paths_and_objects(tmp_path: Path) -> None:
    assert examine("digits").suggestion.recipe == "vae-images"
    np.save(tmp_path / "a.npy", np.random.default_rng(0).normal(size=(9, 2)))
    assert examine(str(tmp_path / "a.npy")).suggestion.recipe == "vae-vector"
    assert examine(torch.rand(5, 3, 8, 8)).title == "Tensor"


def test_arrays_with_a_time_axis_are_series(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(30, 24, 3))
    np.savez(tmp_path / "a.npz", x=array)
    assert examine(array).suggestion.recipe == "vae-series"
    assert examine(tmp_path / "a.npz").kind.name == "series"
    assert examine(array[:, :, :, None]).kind.name == "arrays"
    assert examine(array, kind="arrays", layout="vector").kind.space.shape == (72,)


def test_a_path_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image_folder(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert examine("digits").kind.name == "images"


def test_options_reach_the_kind_and_the_kind_can_be_chosen(tmp_path: Path) -> None:
    path = image_folder(tmp_path)
    assert examine(path, size=[4, 5]).kind.space.axes == (4, 5)
    assert examine(np.zeros((4, 6, 6)), kind="arrays", layout="image").kind.space.axes == (6, 6)
    with pytest.raises(UserError, match=r"data\.sise is not an option of images; did you mean"):
        examine(path, sise=3)
    with pytest.raises(UserError, match=r"data\.crop = 'left'"):
        examine(path, crop="left")
    with pytest.raises(UserError, match=r"data\.kind = 'image' is not known; did you mean"):
        examine(path, kind="image")


def test_the_codec_is_remembered_with_its_kind(tmp_path: Path) -> None:
    kind = examine(image_folder(tmp_path)).kind
    assert recall(json.loads(json.dumps(remember(kind)))) == kind
    with pytest.raises(UserError, match="not known here"):
        recall({"kind": "smells"})


def test_what_cannot_be_used_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.npy").write_bytes(b"")
    (tmp_path / "odd.xyz").write_bytes(b"hello")
    (tmp_path / "text.png").write_bytes(b"hello")
    (tmp_path / "half.zip").write_bytes(b"PK\3\4")
    (tmp_path / "scan.dcm").write_bytes(b"hello")
    for name, sentence in {
        "scan.dcm": "is DICOM, which is not read here",
        "none": "neither a path that is there nor a data set",
        "mnits": "did you mean 'mnist'",
        "empty": "is an empty folder",
        "zero.npy": "is empty",
        "odd.xyz": "of no known kind",
        "text.png": "cannot be read as an image",
        "half.zip": "not a whole zip",
    }.items():
        where = name if name == "mnits" else str(tmp_path / name)
        with pytest.raises(UserError, match=sentence) as caught:
            examine(where)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"builtins\.object is of no known kind"):
        examine(object())


def test_a_folder_of_no_kind_says_which_of_its_files_are(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("photos, zipped")
    with pytest.raises(UserError, match="no known kind") as bare:
        examine(tmp_path)
    assert "name a file in it" not in str(bare.value)
    (tmp_path / "captions.csv").write_text("file,text\na.png,a cat\n")
    with ZipFile(tmp_path / "photos.zip", "w") as photos:
        photos.writestr("a.png", b"")
    with pytest.raises(UserError, match=r"such as captions\.csv or photos\.zip"):
        examine(tmp_path)


def test_the_split_of_a_named_set_reaches_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    from twofold.data.named import Found

    array = np.random.default_rng(0).integers(0, 256, (9, 4, 4), dtype=np.uint8)
    found = Found(array, "arrays", official={"train": np.arange(6), "test": np.arange(6, 9)})
    monkeypatch.setattr(doctor, "find", lambda name, progress: found)
    source = examine("digits").source
    assert {part: len(rows) for part, rows in source.official.items()} == {"train": 6, "test": 3}
    assert Subset(source, torch.arange(3)).official == {}


def test_every_domain_has_its_words() -> None:
    space = Space(
        (
            Field("a", Real(3, 2)),
            Field("b", Bounded(0, 1)),
            Field("c", Count()),
            Field("d", Category(tuple("uvwxyzå")), missing=True),
            Field("e", Token(("x",))),
        )
    )
    assert in_words(space) == (
        "a row with 5 values: a, real, about 3 ± 2; b, from 0 to 1; c, a count; "
        "d, one of 7: u, v, w, x, y, z, …, may be missing; e, one of 1: x"
    )
    assert in_words(Space((Field("p", Bounded(0, 255, 256), 3),), (4, 5))).startswith(
        "an image of 4 × 5 with 3 channels: p, 256 levels from 0 to 255"
    )
