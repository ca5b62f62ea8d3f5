"""Arrays: rules by shape and type, the inverse exact, damage told."""

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category, Real
from twofold.data import block as block_module
from twofold.data.block import Block, load
from twofold.data.kinds.arrays import Arrays, Extremes
from twofold.data.sources import Memory, Streamed, whole

rng = np.random.default_rng(0)
GREY = rng.integers(0, 256, (6, 9, 7), dtype=np.uint8)


def texts(where: Any, **options: Any) -> str:
    return "\n".join(finding.text for finding in Arrays.inspect(where, **options)[1])


@pytest.mark.parametrize(
    ("array", "shape", "domain"),
    [
        (GREY, (1, 9, 7), Bounded(0, 255, 256)),
        (GREY.astype(np.int64), (1, 9, 7), Bounded(0, 255, 256)),
        (GREY.astype(np.uint16) * 257, (1, 9, 7), Bounded(0, 65535, 65536)),
        (GREY[..., None].repeat(3, 3), (3, 9, 7), Bounded(0, 255, 256)),
        (GREY[:, None].repeat(4, 1), (4, 9, 7), Bounded(0, 255, 256)),
        ((GREY[:, None] / 255).astype(np.float32), (1, 9, 7), Bounded(0, 1)),
        (GREY[:, None] / 127.5 - 1, (1, 9, 7), Bounded(-1, 1)),
        (GREY > 99, (1, 9, 7), Bounded(0, 1, 2)),
        ((GREY > 99).astype(np.uint8) * 255, (1, 9, 7), Bounded(0, 255, 2)),
        ((GREY > 99).astype(np.float32)[:, None], (1, 9, 7), Bounded(0, 1, 2)),
        (np.where(GREY > 99, -5, 40), (1, 9, 7), Bounded(-5, 40, 46)),
        (rng.random((3, 70, 80)), (1, 70, 80), Bounded(0, 1)),
        (GREY.reshape(6, -1), (63,), Bounded(0, 255, 256)),
    ],
)
def test_images_are_bounded_by_their_type_and_come_back(
    array: np.ndarray, shape: tuple[int, ...], domain: Bounded
) -> None:
    assert Arrays.accepts(array)
    kind, _ = Arrays.inspect(array)
    assert kind.space.shape == shape
    assert kind.space.fields[0].domain == domain
    rows = whole(kind.open(array))
    native = kind.native(rows)
    assert native.dtype == array.dtype
    assert np.allclose(native, array, atol=1e-6)
    back = kind.space.decode(kind.space.encode(rows.values))
    assert torch.allclose(back, rows.values.float(), atol=1e-2)
    assert kind.draw(rows).dtype == torch.uint8
    assert Arrays.from_dict(json.loads(json.dumps(kind.to_dict()))) == kind


def test_vectors_are_standardised_by_column() -> None:
    array = rng.normal(1e6, 0.5, (500, 3))
    array[:, 1] = 7
    kind, _ = Arrays.inspect(array)
    domains = [field.domain for field in kind.space.fields]
    assert all(isinstance(domain, Real) for domain in domains)
    assert [d.mean for d in domains] == pytest.approx(array.mean(0))  # type: ignore[attr-defined]
    assert domains[0].std == pytest.approx(array[:, 0].std())  # type: ignore[attr-defined]
    assert domains[1] == Real(7, 1)
    assert "1 of 3 columns are constant" in texts(array)
    assert kind.draw(whole(kind.open(array), 4)).shape == (4, 3, 32, 30)


def test_missing_values_are_fields_that_may_be_missing() -> None:
    array = rng.normal(size=(50, 2))
    array[3, 1] = np.nan
    kind, _ = Arrays.inspect(array)
    assert [field.missing for field in kind.space.fields] == [False, True]
    domain = kind.space.fields[1].domain
    assert domain.mean == pytest.approx(np.nanmean(array[:, 1]))  # type: ignore[attr-defined]
    rows = whole(kind.open(array))
    back = kind.native(type(rows)(kind.space.decode(kind.space.encode(rows.values)), rows.given))
    assert np.allclose(back, array, atol=1e-5, equal_nan=True)
    assert "1 values are missing" in texts(array)


def test_many_columns_share_their_moments() -> None:
    array = rng.normal(3, 2, (200, 300))
    kind, _ = Arrays.inspect(array)
    (field,) = kind.space.fields
    assert field.size == 300
    assert field.domain.mean == pytest.approx(array.mean())  # type: ignore[attr-defined]
    assert field.domain.std == pytest.approx(array.std())  # type: ignore[attr-defined]


@given(hnp.arrays(np.float64, (17, 3), elements=st.floats(-1e3, 1e3) | st.just(np.nan)))
@settings(max_examples=60)
def test_one_pass_gives_the_moments(array: np.ndarray) -> None:
    seen = Extremes.of(block_module.InMemory(array))
    for column in range(3):
        known = array[~np.isnan(array[:, column]), column]
        assert seen.missing[column] == 17 - len(known)
        if len(known):
            assert seen.mean[column] == pytest.approx(known.mean(), abs=1e-6)
            assert seen.std[column] == pytest.approx(known.std(), abs=1e-3)
            assert (seen.low[column], seen.high[column]) == (known.min(), known.max())


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        (np.array([[1.0, 2], [3, np.inf]]), r"infinite at row 1, column 1"),
        (np.full((3, 2, 2, 2), -np.inf), r"infinite at row 0, column 0 × 0 × 0"),
        (np.zeros((0, 3)), "without a row"),
        (np.array(3.0), "without a row"),
        (np.array([["a"]]), "not real numbers"),
        (np.zeros((2, 2), complex), "not real numbers"),
        (np.zeros((2, 9, 9, 9)), "neither vectors"),
        (np.full((2, 3, 3, 1), np.nan), "every value of the array is missing"),
        (np.array([[object()]]), "not real numbers"),
    ],
)
def test_what_cannot_be_used_is_told(where: np.ndarray, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Arrays.inspect(where)


def test_layout_and_levels_overrule_the_rule() -> None:
    series = rng.random((5, 8, 8))
    assert not Arrays.accepts(series)
    assert Arrays.inspect(series, layout="image")[0].space.axes == (8, 8)
    assert Arrays.inspect(GREY, layout="vector")[0].space.shape == (63,)
    digits = (GREY % 17).astype(np.uint8)
    assert "the largest value is 16 of 255" in texts(digits)
    assert Arrays.inspect(digits, levels=17)[0].space.fields[0].domain == Bounded(0, 16, 17)
    with pytest.raises(UserError, match="do not fit 17 levels"):
        Arrays.inspect(GREY, levels=17)


def test_tensors_are_arrays() -> None:
    tensor = torch.rand(4, 3, 5, 5)
    assert Arrays.accepts(tensor)
    kind, _ = Arrays.inspect(tensor)
    assert torch.allclose(whole(kind.open(tensor)).values, tensor)


def test_medmnist_keys_give_labels_and_the_official_split(tmp_path: Path) -> None:
    parts = {"train": 4, "val": 2, "test": 3}
    arrays = {f"{p}_images": GREY[:1].repeat(n, 0) + i for i, (p, n) in enumerate(parts.items())}
    labels = {f"{p}_labels": np.arange(n)[:, None] % 2 for p, n in parts.items()}
    np.savez(tmp_path / "a.npz", **arrays, **labels)
    kind, _ = Arrays.inspect(tmp_path / "a.npz")
    source = kind.open(tmp_path / "a.npz")
    assert {part: rows.tolist() for part, rows in source.official.items()} == {
        "train": [0, 1, 2, 3], "validation": [4, 5], "test": [6, 7, 8]}  # fmt: skip
    assert source.labels()[:, 0].tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    assert kind.given["label"].domain == Category(("0", "1"))


@pytest.mark.parametrize(
    "names", [("x", "y"), ("X", "y"), ("data", "labels"), ("images", "labels"), ("arr_0", "arr_1")]
)
def test_pairs_of_rows_and_labels(names: tuple[str, str], tmp_path: Path) -> None:
    words = np.array(list("abacab"))
    np.savez(tmp_path / "a.npz", **{names[0]: GREY, names[1]: words})
    kind, _ = Arrays.inspect(tmp_path / "a.npz")
    assert kind.given["label"].domain == Category(("a", "b", "c"))
    assert kind.open(tmp_path / "a.npz").labels()[:, 0].tolist() == [0, 1, 0, 2, 0, 1]
    other = Block.of(GREY[:2], np.array(["c", "z"]))
    assert str(kind.open(other).labels()[:, 0].tolist()) == "[2.0, nan]"


def test_keras_keys_and_a_single_array_and_a_key(tmp_path: Path) -> None:
    np.savez(tmp_path / "k.npz", x_train=GREY, y_train=np.arange(6), x_test=GREY[:2],
             y_test=np.arange(2))  # fmt: skip
    np.savez(tmp_path / "s.npz", anything=GREY)
    np.savez(tmp_path / "m.npz", one=GREY, two=GREY[:2])
    assert set(load(tmp_path / "k.npz").official) == {"train", "test"}
    assert len(load(tmp_path / "s.npz").rows) == 6
    assert len(load(tmp_path / "m.npz", "two").rows) == 2
    with pytest.raises(UserError, match=r"has arrays one, two; choose one with data\.key"):
        load(tmp_path / "m.npz")
    with pytest.raises(UserError, match="no array 'three'"):
        load(tmp_path / "m.npz", "three")


def test_targets_that_are_no_labels_are_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=GREY, y=rng.random(6))
    np.savez(tmp_path / "b.npz", x=GREY, y=np.arange(5))
    assert "6 different targets are no labels" in texts(tmp_path / "a.npz")
    assert "do not fit 6 rows" in texts(tmp_path / "b.npz")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    bomb = np.array([{"a": 1}, None], dtype=object)
    np.save(tmp_path / "a.npy", bomb, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=bomb)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(UserError, match="holds Python objects"):
            Arrays.inspect(tmp_path / name)


@pytest.mark.parametrize("array", [GREY, rng.normal(size=(300, 5)), GREY.astype(np.uint16)])
def test_a_npy_is_streamed_to_the_same_rows(array: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, array)
    kind, _ = Arrays.inspect(path, stream="always")
    memory = Arrays.inspect(path)[0].open(path)
    streamed = kind.open(path)
    assert isinstance(streamed, Streamed)
    assert isinstance(memory, Memory)
    rows = torch.tensor([5, 0, 3, 3])
    assert torch.equal(streamed.read(rows).values, memory.read(rows).values)


def test_an_infinity_in_a_stream_is_told_by_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = rng.normal(size=(3000, 5))
    kind, _ = Arrays.inspect(array, stream="always")
    array[2500, 2] = np.inf
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UserError, match="row 2500, column 2"):
        Arrays.inspect(tmp_path / "a.npy")
    with pytest.raises(UserError, match="row 2500, column 2"):
        kind.open(tmp_path / "a.npy").read(torch.tensor([0, 2500]))


def test_other_rows_must_fit() -> None:
    kind, _ = Arrays.inspect(GREY)
    assert len(kind.open(GREY[:2])) == 2
    for other in (GREY[:, :5], GREY.reshape(6, -1), GREY[..., None].repeat(3, 3)):
        with pytest.raises(UserError, match=r"do not fit|neither vectors"):
            kind.open(other)


@pytest.mark.parametrize("labels", [np.zeros(0), np.array(list("abacab"))])
def test_what_is_written_is_the_input_and_nothing_is_overwritten(
    labels: np.ndarray, tmp_path: Path
) -> None:
    block = Block.of(GREY, labels)
    kind, _ = Arrays.inspect(block)
    rows = whole(kind.open(block))
    overview, path, *_ = kind.write(rows, tmp_path)
    assert overview.name == "grid.png"
    again = load(path)
    assert np.array_equal(again.rows[0:9], GREY)
    assert again.rows.dtype == GREY.dtype
    assert again.names == tuple(sorted(set(labels.tolist())))
    assert [p.stem for p in kind.write(rows, tmp_path)[:2]] == ["grid-2", "samples-2"]


@pytest.mark.parametrize(
    ("array", "mode"),
    [
        (GREY, "L"),
        (GREY.astype(np.uint16) * 256, "I;16"),
        (GREY[..., None].repeat(3, 3), "RGB"),
        (GREY[:, None].repeat(3, 1), "RGB"),
        ((GREY > 99).astype(np.uint8), "1"),
        (GREY / 255 * 2 - 1, "L"),
    ],
    ids=["grey", "16 bits", "colour", "channels first", "binary", "-1 to 1"],
)
def test_of_images_a_picture_a_row_is_written(array: np.ndarray, mode: str, tmp_path: Path) -> None:
    """In the size of the array, black and white its ends: they are read again as its values."""
    kind, _ = Arrays.inspect(array, layout="image")
    rows = whole(kind.open(array))
    written = kind.write(rows, tmp_path / "out")[2:]
    assert [path.name for path in written] == [f"{i:06d}.png" for i in range(len(array))]
    with Image.open(written[0]) as picture:
        assert picture.mode == mode
    (tmp_path / "out" / "samples.npy").unlink()
    again = whole(kind.open(tmp_path / "out")).values
    assert torch.allclose(again.double(), rows.values.double(), atol=1e-6)


def test_vectors_are_written_without_pictures(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(5, 3))
    kind, _ = Arrays.inspect(array)
    names = [path.name for path in kind.write(whole(kind.open(array)), tmp_path)]
    assert names == ["grid.png", "samples.npy"]


def saved(tmp_path: Path, name: str) -> bytes:
    path = tmp_path / name
    np.save(path, GREY) if name.endswith("npy") else np.savez(path, x=GREY, y=np.arange(6))
    return path.read_bytes()


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["a.npy", "a.npz"]), st.randoms(use_true_random=False), st.integers(0, 5))
def test_damaged_files_raise_nothing_but_user_errors(
    tmp_path: Path, name: str, chance: random.Random, times: int
) -> None:
    data = bytearray(saved(tmp_path, name))
    for _ in range(times):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path = tmp_path / f"damaged{Path(name).suffix}"
    path.write_bytes(data[: chance.randrange(len(data) + 1)])
    Arrays.accepts(path)
    with suppress(UserError):
        whole(Arrays.inspect(path)[0].open(path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100), st.sampled_from([".npy", ".npz"]))
def test_random_bytes_are_no_arrays(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f"random{suffix}"
    path.write_bytes(data)
    with pytest.raises(UserError, match="cannot be read"):
        Arrays.inspect(path)


def test_the_second_axis_counts_copies() -> None:
    rows = np.arange(3 * 2 * 4 * 5, dtype=np.uint8).reshape(3, 2, 4, 5)
    labelled = Block.of(rows, np.array(["a", "b", "a"]), official={"test": np.array([1])})
    kind, _ = Arrays.inspect(labelled, copies=True)
    source = kind.open(labelled)
    assert kind.space.axes == (4, 5)
    assert (
        whole(source).values[:, 0].numpy().astype(np.uint8).tolist()
        == rows.reshape(6, 4, 5).tolist()
    )
    assert source.scenes().tolist() == [0, 0, 1, 1, 2, 2]
    assert source.labels()[:, 0].tolist() == [0, 0, 1, 1, 0, 0]
    assert source.official["test"].tolist() == [2, 3]
    assert Arrays.from_dict(kind.to_dict()) == kind
    assert kind.open(rows[:, 0]).scenes().tolist() == [0, 1, 2]  # one copy of each, without an axis
    with pytest.raises(UserError, match="second axis that counts copies"):
        Arrays.inspect(rows[0, 0], copies=True)


@pytest.mark.parametrize("rows", [slice(0, 6), slice(1, 5), slice(3, 4), slice(2, 2)])
def test_copies_are_read_by_range(rows: slice) -> None:
    array = np.arange(3 * 2 * 4).reshape(3, 2, 4)
    flat = block_module.Flat(block_module.InMemory(array))
    assert flat[rows].tolist() == array.reshape(6, 4)[rows].tolist()
    assert len(flat) == 6


def test_what_is_no_file_of_arrays_is_named(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    for path in (tmp_path, tmp_path / "photo.png"):
        with pytest.raises(UserError, match=r"is no array; name a \.npy or \.npz file"):
            load(path)
    with pytest.raises(UserError, match="is not there"):
        load(tmp_path / "missing.npy")
