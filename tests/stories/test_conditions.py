"""Conditions at sampling, by command line on real files: embeddings, files of rows, guidance."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from tests.stories.commands import inside, refused, settings
from twofold.core.batch import Given
from twofold.data.sources import whole
from twofold.maths.guidance import Guided
from twofold.runs.run import Run
from twofold.train.chance import seed_all

WIDTH = 6
SHORT = [*settings("vae", steps=400, batch=64, lr=5e-3, best="none"), "--set", "model.latent=4"]
UNKNOWN = 7
"""Rows that have no embedding."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as images, each with a vector of its class and a little noise."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    folder.mkdir()
    x, y = load_digits(return_X_y=True)
    chance = np.random.default_rng(0)
    vectors = chance.normal(5, 3, (10, WIDTH))[y] + chance.normal(0, 0.1, (len(y), WIDTH))
    vectors[:UNKNOWN] = np.nan
    for i, pixels in enumerate(x):
        Image.fromarray((pixels * 15).astype(np.uint8).reshape(8, 8)).save(folder / f"{i:04d}.png")
    np.save(folder / "embeddings.npy", vectors.astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def run(photos: Path) -> Run:
    told = inside("fit", photos, *SHORT, "--out", photos.parent / "run", "--quiet")
    assert told.status == 0, told.err
    return Run.open(photos.parent / "run")


def classes(pictures: np.ndarray) -> np.ndarray:
    """The class of pictures (N, 64), from 0 to 255, by the nearest digits."""
    from sklearn.neighbors import KNeighborsClassifier

    x, y = load_digits(return_X_y=True)
    seen: np.ndarray = KNeighborsClassifier(5).fit(x * 15, y).predict(pictures)
    return seen


def drawn(run: Run, tmp_path: Path, *words: str | Path, n: int = 40) -> np.ndarray:
    """The pictures that `sample` writes, (N, 64)."""
    out = tmp_path / f"s{len(list(tmp_path.iterdir()))}"
    told = inside("sample", run.path, "-n", str(n), *words, "--out", out, "--json")
    assert told.status == 0, told.err
    paths = [Path(name) for name in json.loads(told.out)][1:]
    return np.stack([np.asarray(Image.open(path)).reshape(-1) for path in paths])


def test_doctor_sees_the_embeddings(photos: Path) -> None:
    told = inside("doctor", photos)
    assert told.status == 0
    assert f"a vector of {WIDTH} numbers, known of 1,790 of 1,797 rows" in told.out


def test_vectors_are_standardised_together_and_unknown_ones_are_null(run: Run) -> None:
    source = run.source(run.recipe["data"]["path"])
    c = run.given.encode(source.labels())
    assert c.shape == (1797, 2 * WIDTH)
    assert not c[:UNKNOWN].any()
    assert (c[UNKNOWN:, WIDTH:] == 1).all()
    known = c[UNKNOWN:, :WIDTH]
    assert abs(float(known.mean())) < 1e-3
    assert abs(float(known.std()) - 1) < 1e-3


def test_a_named_row_a_file_and_an_array_condition_alike(run: Run, tmp_path: Path) -> None:
    rows = np.load(Path(run.recipe["data"]["path"]) / "embeddings.npy")
    y = load_digits().target
    threes = np.flatnonzero(y == 3)[:8]
    np.save(tmp_path / "three.npy", rows[threes[-1]])
    named = drawn(run, tmp_path, "--given", f"embedding={threes[-1]:04d}.png")
    filed = drawn(run, tmp_path, "--given", f"embedding={tmp_path / 'three.npy'}")
    assert (named == filed).all()
    assert (classes(named) == 3).mean() > 0.6
    given = {"embedding": rows[threes[-1]]}
    assert (np.stack([np.asarray(p).reshape(-1) for p in run.sample(40, given)]) == named).all()


def test_the_rows_of_a_file_are_taken_in_turn(run: Run, tmp_path: Path) -> None:
    rows, y = np.load(Path(run.recipe["data"]["path"]) / "embeddings.npy"), load_digits().target
    asked = [0, 4, 6]
    np.savez(tmp_path / "rows.npz", embedding=rows[[np.flatnonzero(y == k)[9] for k in asked]])
    seen = classes(drawn(run, tmp_path, "--given", tmp_path / "rows.npz", n=60))
    for i, k in enumerate(asked):
        assert (seen[i::3] == k).mean() > 0.4  # of ten classes


def test_embeddings_may_name_their_files(photos: Path, tmp_path: Path) -> None:
    """Whatever their order: and a label in a sub-folder is beside them."""
    folder = tmp_path / "named"
    names = []
    for i in range(20):
        (folder / f"c{i % 2}").mkdir(parents=True, exist_ok=True)
        names.append(f"c{i % 2}/{i:04d}.png")
        Image.open(photos / f"{i:04d}.png").save(folder / names[-1])
    vectors = np.arange(40.0).reshape(20, 2)
    np.savez(folder / "embeddings.npz", names=np.array(names)[::-1], v=vectors[::-1])
    told = inside("fit", folder, *SHORT, "--set", "train.steps=2", "--out", tmp_path / "r")
    assert told.status == 0, told.err
    run = Run.open(tmp_path / "r")
    assert [field.name for field in run.given.fields] == ["label", "embedding"]
    found = run.source(folder).labels()
    order = sorted(range(20), key=lambda i: names[i])
    assert found[:, 1:].tolist() == vectors[order].tolist()
    assert found[:, 0].tolist() == [0.0] * 10 + [1.0] * 10
    paths = inside("sample", run.path, "--given", "label=c1", "--given", f"embedding={names[3]}")
    assert paths.status == 0, paths.err
    assert (run.path / "samples" / "000000-c1.png").is_file()


def test_embeddings_lie_beside_arrays_too(tmp_path: Path) -> None:
    x, y = load_digits(return_X_y=True)
    np.savez(tmp_path / "x.npz", x=x.reshape(-1, 8, 8).astype(np.uint8), y=y)
    np.save(tmp_path / "x.embeddings.npy", np.eye(10)[y])
    words = [*SHORT, "--set", "train.steps=2", "--out", tmp_path / "r", "--quiet"]
    told = inside("fit", tmp_path / "x.npz", *words)
    assert told.status == 0, told.err
    run = Run.open(tmp_path / "r")
    assert run.given.width == 11 + 20
    given = ["--given", "embedding=12", "--given", "label=3"]
    told = inside("sample", run.path, *given, "--out", tmp_path / "s")
    assert told.status == 0, told.err
    with np.load(tmp_path / "s" / "samples.npz") as held:
        assert set(held["y"]) == {"3"}
    assert run.vector("12").tolist() == np.eye(10)[y[12]].tolist()


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.zeros((3, 4)), ("3 rows", "1,797")),
        (np.zeros(1797), ("(N, D)",)),
        (np.full((1797, 2), np.nan), ("no number",)),
        (np.array(["a", "b"]), ("real numbers",)),
        (np.full((1797, 2), np.inf), ("infinite", "row 0")),
    ],
)
def test_embeddings_that_do_not_fit_are_told(
    photos: Path, tmp_path: Path, vectors: np.ndarray, words: tuple[str, ...]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in photos.glob("*.png"):
        (folder / path.name).symlink_to(path)
    np.save(folder / "embeddings.npy", vectors)
    refused(inside("doctor", folder), "embeddings.npy", *words)


def test_what_cannot_be_asked_is_said(run: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "narrow.npy", np.zeros((2, WIDTH - 1)))
    (tmp_path / "rows.dat").write_text("?")
    for value, words in (
        (f"embedding={tmp_path / 'narrow.npy'}", (f"vectors of {WIDTH}",)),
        (f"embedding={tmp_path / 'none.npy'}", ("not there",)),
        ("embedding=12.png", ("12.png", "row")),
        ("embedding=0001.png", ("no vector",)),
        (str(tmp_path / "rows.dat"), (".csv",)),
        ("embeding=0010.png", ("embeding", "embedding")),
    ):
        refused(inside("sample", run.path, "--given", value), *words)


def test_a_table_gives_many_columns_by_pattern_and_is_sampled_by_rows(tmp_path: Path) -> None:
    """Numbers e0 … e3 tell the sum that is drawn; a file asks for some of them."""
    chance = np.random.default_rng(0)
    e = chance.normal(0, 1, (600, 4))
    lines = np.c_[e, e.sum(1) + chance.normal(0, 0.1, 600)]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["e0", "e1", "e2", "e3", "total"], *lines.round(4).tolist()])
    words = [*SHORT, "--set", 'data.given=["e*"]', "--out", tmp_path / "r", "--quiet"]
    told = inside("fit", tmp_path / "t.csv", *words)
    assert told.status == 0, told.err
    ask = ["e3,e0,e1,e2", "1,1,1,1", "-1,-1,-1,-1"]
    (tmp_path / "ask.csv").write_text("\n".join(ask))
    told = inside(
        "sample", tmp_path / "r", "-n", "100", "--given", tmp_path / "ask.csv", "--out",
        tmp_path / "s",
    )  # fmt: skip
    assert told.status == 0, told.err
    with (tmp_path / "s" / "samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    totals = np.array([float(row["total"]) for row in rows])
    assert totals[0::2].mean() > 2
    assert totals[1::2].mean() < -2
    refused(inside("fit", tmp_path / "t.csv", "--set", 'data.given=["f*"]'), "f*")


# Guidance.


def test_guidance_of_one_is_plain_and_of_nought_without(run: Run, tmp_path: Path) -> None:
    named = ["--given", "embedding=0013.png"]
    plain = drawn(run, tmp_path, *named)
    assert (drawn(run, tmp_path, *named, "--guidance", "1") == plain).all()
    assert not (drawn(run, tmp_path, *named, "--guidance", "2") == plain).all()
    without = run.draw(40, {"embedding": "0013.png"}, 0, guidance=0.0)
    seed_all(torch.device("cpu"), 0)
    null = run.model.sample(Given.none(40, run.given))  # type: ignore[operator]
    assert without.values.equal(run.space.decode(null))


def test_guidance_that_makes_no_sense_is_refused(run: Run, photos: Path, tmp_path: Path) -> None:
    refused(inside("sample", run.path, "--guidance", "-1"), "--guidance", "-1")
    few = [*SHORT, "--set", "train.steps=2", "--quiet"]
    for null, words in (("0", ("never withheld",)), ("1", ("told",))):
        out = tmp_path / f"null{null}"
        told = inside("fit", photos, *few, "--set", f"train.null={null}", "--out", out)
        assert told.status == 0, told.err
        refused(inside("sample", out, "--guidance", "2"), *words)
    bare = tmp_path / "bare"
    told = inside("fit", photos, *few, "--set", "data.given=[]", "--out", bare)
    assert told.status == 0, told.err
    refused(inside("sample", bare, "--guidance", "2"), "given nothing")


def test_guided_draws_are_what_the_parameters_say(run: Run) -> None:
    """Beyond the plain model, each pixel's location moves on as far as the condition moved it."""
    rows = whole(run.source(run.recipe["data"]["path"]), 20)
    known, model = run.known(rows.given), run.model
    null = Given.none(20, run.given)
    torch.manual_seed(3)
    found = Guided(model, run.space, 2.0).sample(known)  # type: ignore[arg-type]
    torch.manual_seed(3)
    z = model.prior(known).sample()  # type: ignore[operator]
    with torch.no_grad():
        full, none = (model.decode(z, c).fields[0].values for c in (known, null))  # type: ignore[operator]
        at = type(full)(2 * full.mu - none.mu, full.log_s, full.levels)
    torch.testing.assert_close(found, at.mean)
