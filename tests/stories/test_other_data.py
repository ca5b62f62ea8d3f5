"""A run is asked of other data: of another kind they are refused, and pictures fit arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from tests.stories.commands import inside, refused, settings
from twofold.core.errors import UserError
from twofold.data.doctor import ORDER, every_kind, examine, fitting
from twofold.data.kind import Kind
from twofold.data.kinds.arrays import Arrays
from twofold.data.named import find
from twofold.data.sources import whole

SMALL = settings("vae", steps=2, batch=4)
VERBS = ("encode", "reconstruct", "score", "impute", "neighbours", "project", "interpolate")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the embedded digits."""
    path = tmp_path_factory.mktemp("digits") / "run"
    assert inside("fit", "digits", *SMALL, "--out", path, "--quiet").status == 0
    return path


def pictures(folder: Path, values: np.ndarray) -> Path:
    for i, value in enumerate(values):
        place = folder / str(load_digits().target[i])
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(value).save(place / f"{i}.png")
    return folder


@pytest.mark.parametrize("verb", VERBS)
def test_a_named_set_of_another_kind_is_refused(verb: str, run: Path) -> None:
    words = ("iris is 150", "trained on arrays", "an image of 8 × 8", "data of that form")
    refused(inside(verb, run, "iris"), *words)


def test_a_run_on_files_of_pictures_says_that_arrays_are_none(tmp_path: Path) -> None:
    kind = examine(pictures(tmp_path / "p", np.zeros((12, 9, 9), np.uint8))).kind
    np.savez(tmp_path / "scans.npz", x=np.zeros((12, 9, 9), np.uint8))
    with pytest.raises(UserError, match=r"scans.npz is read as arrays, and .* trained on images"):
        fitting(tmp_path / "scans.npz", kind)


@pytest.mark.parametrize("name", ["images", "tables", "series", "text", "molecules"])
def test_no_kind_opens_what_it_cannot_read(name: str, tmp_path: Path) -> None:
    """Objects in memory and named sets that are not of a kind never come to its codec."""
    examples: dict[str, object] = {
        "images": pictures(tmp_path / "p", np.zeros((12, 9, 9), np.uint8)),
        "tables": pd.DataFrame({"a": [i % 7 / 2 for i in range(30)], "b": ["x", "y"] * 15}),
        "series": np.zeros((30, 24, 2)),
        "text": lines(tmp_path / "t.txt", "a cat sat\n" * 30),
        "molecules": lines(tmp_path / "m.smi", "CCO\nCCN\nCCC\nCO\n"),
    }
    kind = examine(examples[name]).kind
    assert kind.name == name
    said = f"trained on {name}: "
    with pytest.raises(UserError, match=said):
        fitting("digits", kind)
    with pytest.raises(UserError, match=said):
        fitting(find("digits").where, kind)
    if name != "images":
        with pytest.raises(UserError, match="is read as images, and the run was " + said):
            fitting(examples["images"], kind)


def lines(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_kind_that_is_asked_for_in_vain_is_refused(tmp_path: Path) -> None:
    fitted = inside("fit", "digits", *SMALL, "--set", "data.kind=images", "--out", tmp_path / "r")
    refused(fitted, "digits is 1,797", "cannot be read as images")


def test_every_kind_reads_what_it_accepts() -> None:
    frame, array = pd.DataFrame({"smiles": ["CCO"] * 3}), np.zeros((30, 24, 2))
    for one in (frame, array, np.zeros((9, 3)), torch.zeros(9, 3), find("digits").where):
        accepting: list[type[Kind]] = [make for make in every_kind().values() if make.accepts(one)]
        assert accepting
        assert all(make.reads(one) for make in accepting), (type(one), ORDER)


def test_pictures_of_the_size_of_arrays_are_the_arrays(tmp_path: Path) -> None:
    """A picture of k/16 grey is the value k, and its folder is its label."""
    kind = examine("digits").kind
    assert isinstance(kind, Arrays)
    values = load_digits().images[:12]
    read = whole(kind.open(pictures(tmp_path, (values / 16 * 255).round().astype(np.uint8))))
    names = [int(Path(name).stem) for name in kind.names(tmp_path)]
    assert read.values[:, 0].tolist() == values[names].tolist()
    assert read.given[:, 0].tolist() == load_digits().target[names].tolist()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0)])
def test_black_and_white_are_the_ends_of_an_array(low: float, high: float, tmp_path: Path) -> None:
    ramp = np.linspace(low, high, 6 * 5 * 4).reshape(6, 5, 4).astype(np.float32)
    kind = Arrays.inspect(ramp, layout="image")[0]
    ends = np.stack([np.zeros((5, 4), np.uint8), np.full((5, 4), 255, np.uint8)])
    read = whole(kind.open(pictures(tmp_path, ends))).values
    assert read.dtype == whole(kind.open(ramp)).values.dtype
    assert sorted(read.flatten(1).mean(1).tolist()) == [low, high]


@pytest.mark.parametrize("verb", ["encode", "reconstruct", "score", "project"])
def test_a_picture_of_ones_own_is_read_by_a_run_on_arrays(
    verb: str, run: Path, tmp_path: Path
) -> None:
    """In colour and of another size it is fitted, as by a run on a folder."""
    own = tmp_path / "own.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (30, 20, 3), np.uint8)).save(own)
    answer = inside(verb, run, own, "--out", tmp_path / ("z.npz" if verb == "encode" else "out"))
    assert answer.status == 0, answer


def test_a_folder_that_holds_arrays_is_no_folder_of_pictures(run: Path, tmp_path: Path) -> None:
    """The overview beside drawn arrays is not read as one picture."""
    assert inside("sample", run, "-n", "4", "--out", tmp_path / "drawn").status == 0
    refused(inside("encode", run, tmp_path / "drawn"), "name a .npy or .npz file")


MOLECULES = "CCO\nCCN\nCCC\nCO\nCCCO\nCCCN\nCCCC\nCN\nOCCO\nNCCN\n"


def test_neighbours_pass_over_molecules_that_a_run_cannot_take(tmp_path: Path) -> None:
    """As `reconstruct` does; those that are left keep their names and their rows."""
    pytest.importorskip("rdkit")
    known = lines(tmp_path / "known.smi", MOLECULES)
    made = tmp_path / "run"
    assert inside("fit", known, *SMALL, "--out", made, "--quiet").status == 0
    others = lines(tmp_path / "others.csv", "smiles\nCCO\nC[Si]\nCCCN\nCCCO\n")
    told = inside("neighbours", made, others, "--among", others, "-k", "2", "--out", tmp_path / "n")
    assert told.status == 0, told.err
    assert "others.csv row 3: '[Si]' was in no training molecule" in told.err
    found = pd.read_csv(tmp_path / "n" / "neighbours.csv")
    assert set(found["of"]) == {"CCO", "CCCN", "CCCO"}
    assert set(zip(found["name"], found["row"], strict=True)) <= {
        ("CCO", 2),
        ("CCCN", 4),
        ("CCCO", 5),
    }


def test_scores_pass_over_molecules_that_a_run_cannot_take(tmp_path: Path) -> None:
    """As `neighbours` does: the others have their score, and it is said which has none."""
    pytest.importorskip("rdkit")
    known = lines(
        tmp_path / "known.smi", "CCO\nCCN\nCCC\nCO\nCCCO\nCCCN\nCCCC\nCN\nOCCO\nNCCN\n" * 2
    )
    made = tmp_path / "run"
    assert inside("fit", known, *SMALL, "--out", made, "--quiet").status == 0
    others = lines(tmp_path / "others.csv", "smiles\nCCO\nC[Si]\nCCCN\n")
    told = inside("score", made, others, "--by", "negative_elbo", "--out", tmp_path / "s")
    assert told.status == 0, told.err
    assert "others.csv row 3: '[Si]' was in no training molecule" in told.out + told.err
    assert [*pd.read_csv(tmp_path / "s" / "scores.csv")["row"]] == ["CCO", "CCCN"]
