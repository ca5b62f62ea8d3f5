"""Labels learnt from a table in which most cells of the label are empty, by command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.stories.commands import inside, refused, settings

SMALL = '{name = "dense", width = 16, depth = 1}'
SHORT = ["train.steps=200", "train.batch=32", "train.lr=3e-3", "train.labelled=0.5",
         "train.null=0.0", "data.given=['sort']", "model.latent=4"]  # fmt: skip


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["length", "width", "sort"], *rows])
    return path


def flowers(count: int, told: int) -> list[list[str]]:
    """Two sorts, well apart; the sort is told of every so many."""
    chance = np.random.default_rng(count)
    rows = []
    for i in range(count):
        at, sort = ((1.0, "small"), (4.0, "large"))[i % 2]
        cells = [f"{v:.3f}" for v in at + 0.4 * chance.normal(size=2)]
        rows.append([*cells, sort if i % told < 2 else ""])
    return rows


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A table of 400 rows with 20 labels, and a run on it."""
    folder = tmp_path_factory.mktemp("runs")
    table = write(folder / "flowers.csv", flowers(400, 40))
    nets = [f"model.generator={SMALL}", f"model.critic={SMALL}"]
    sets = [word for pair in SHORT + nets for word in ("--set", pair)]
    done = inside("fit", table, "--model", "ssgan", *sets, "--out", folder / "run", "--quiet")
    assert done.status == 0, done.err
    return table, folder / "run"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_share_of_labelled_rows_is_refused_where_all_are_before_there_is_a_run(
    tmp_path: Path,
) -> None:
    table = write(tmp_path / "flowers.csv", flowers(60, 1))
    sets = ["--set", "data.given=['sort']", "--set", "train.labelled=0.5"]
    words = ["--model", "ssgan", *sets, "--out", tmp_path / "run"]
    refused(inside("fit", table, *words), "train.labelled", "train.labels")
    assert not (tmp_path / "run").exists()


def test_rows_without_a_label_are_given_one(taught: tuple[Path, Path], tmp_path: Path) -> None:
    bare = write(tmp_path / "new.csv", [[*row[:2], ""] for row in flowers(60, 1)])
    done = inside("classify", taught[1], bare, "--out", tmp_path / "told.csv")
    assert done.status == 0, done.err
    told = read(tmp_path / "told.csv")
    assert list(told[0]) == ["row", "predicted", "probability"]
    wanted = [("small", "large")[i % 2] for i in range(60)]
    assert np.mean([row["predicted"] == sort for row, sort in zip(told, wanted, strict=True)]) > 0.9
    assert all(0.5 <= float(row["probability"]) <= 1 for row in told)
    assert "accuracy" not in done.out
    refused(inside("classify", taught[1], bare, "--out", tmp_path / "told.csv"), "told.csv")
    folder = inside("classify", taught[1], bare, "--out", tmp_path / "told")
    assert folder.status == 0, folder.err
    assert (tmp_path / "told" / "classes.csv").is_file()


def test_where_labels_come_with_rows_they_are_compared(
    taught: tuple[Path, Path], tmp_path: Path
) -> None:
    full = write(tmp_path / "new.csv", flowers(60, 1))
    done = inside("classify", taught[1], full, "--json")
    (figure,) = json.loads(done.out)["figures"]
    told = read(Path(json.loads(done.out)["paths"][0]))
    assert figure["value"] == np.mean([row["predicted"] == row["label"] for row in told])
    assert (figure["name"], figure["n"], figure["baseline"]) == ("accuracy", 60, 0.5)


def test_rows_that_were_trained_on_are_left_out_of_the_accuracy(
    taught: tuple[Path, Path], tmp_path: Path
) -> None:
    fresh = flowers(62, 1)
    both = write(tmp_path / "both.csv", flowers(400, 40) + fresh)
    done = inside("classify", taught[1], both, "--json")
    answer = json.loads(done.out)
    held = [row for row in flowers(400, 40) if row[2]]
    assert 62 <= answer["figures"][0]["n"] < 62 + len(held)
    assert "320 of 462 observations were trained on" in answer["said"][0]


def test_without_data_it_is_the_test_split(taught: tuple[Path, Path]) -> None:
    done = inside("classify", taught[1])
    assert done.status == 0, done.err
    assert "classes" in done.out


def test_a_family_that_does_not_classify_says_so(tmp_path: Path) -> None:
    words = settings("vae", steps=2, batch=8)
    assert inside("fit", "digits", *words, "--out", tmp_path / "vae", "--quiet").status == 0
    refused(inside("classify", tmp_path / "vae", "digits"), "classifies", "vae")
    asked = ["--model", "ssgan", "--set", "data.given=[]", "--dry-run"]
    assert inside("fit", "digits", *asked).status == 0  # a dry run builds no model
    refused(inside("fit", "digits", *asked[:-1], "--out", tmp_path / "no"), "labels")
