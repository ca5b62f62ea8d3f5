"""Which output is of which input: by the name of its file, in the sheet and in tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.stories.commands import inside, settings

SMALL = [*settings("vae", steps=4, batch=4), "--quiet"]


def made(folder: Path, names: list[str]) -> Path:
    """Pictures by name, of which one is like no other."""
    for i, name in enumerate(names):
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 255, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return folder


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = [f"{label}/{label} {i}" for label in ("Bär", "猫") for i in range(12)]
    return made(tmp_path_factory.mktemp("photos"), names)


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("of") / "run"
    answer = inside("fit", photos, *SMALL, "--set", "model.noise=gaussian", "--out", path)
    assert answer.status == 0, answer
    return path


VERBS = {
    "reconstruct": [],
    "edit": ["--to", "label=猫", "--how", "direction", "-n", "3"],
    "project": ["-n", "3", "--steps", "2"],
    "denoise": ["-n", "3"],
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_picture_is_called_as_the_one_it_is_made_of(
    verb: str, run: Path, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    told = inside(verb, run, photos, *VERBS[verb], "--out", out)
    assert told.status == 0, told
    names = [path.stem for path in sorted(out.glob("0*.png"))]
    assert [name.split("-")[2] for name in names[:3]] == ["Bär_0", "Bär_1", "Bär_10"]


def test_a_picture_that_is_filled_keeps_its_name(photos: Path, run: Path, tmp_path: Path) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    words = [photos, "--mask", tmp_path / "mask.png", "--samples", "2", "--out", tmp_path / "out"]
    told = inside("impute", run, *words)
    assert told.status == 0, told
    assert (tmp_path / "out" / "000012-猫-猫_0.png").is_file()


def test_the_residuals_name_their_pictures(run: Path, photos: Path, tmp_path: Path) -> None:
    words = [photos, "-n", "3", "--steps", "2", "--out", tmp_path / "out"]
    assert inside("project", run, *words).status == 0
    names = [row["name"] for row in read(tmp_path / "out" / "residuals.csv")]
    assert names == ["Bär/Bär 0.png", "Bär/Bär 1.png", "Bär/Bär 10.png"]


CODED = {"project": ["-n", "3", "--steps", "0"], "encode": ["--out"]}


@pytest.mark.parametrize("verb", CODED)
def test_codes_say_what_each_is_the_code_of(
    verb: str, run: Path, photos: Path, tmp_path: Path
) -> None:
    """Through a file of codes, what is decoded or moved is called as the picture it is made of."""
    codes, out = tmp_path / "made" / "codes.npz", tmp_path / "out"
    where = {"project": ["--out", codes.parent], "encode": [codes]}[verb]
    assert inside(verb, run, photos, *CODED[verb], *where).status == 0
    assert np.load(codes)["name"][:2].tolist() == ["Bär/Bär 0.png", "Bär/Bär 1.png"]
    told = inside("sample", run, "--codes", codes, "--out", out)
    assert told.status == 0, told
    names = [path.stem for path in sorted(out.glob("0*.png"))]
    assert [name.split("-")[2] for name in names[:3]] == ["Bär_0", "Bär_1", "Bär_10"]
    assert inside("directions", run, "--how", "weights", "-k", "1", "--again").status == 0
    words = ["--direction", "sefa-1:1", "-n", "2", "--out", tmp_path / "moved"]
    told = inside("edit", run, codes, *words)
    assert told.status == 0, told
    assert (tmp_path / "moved" / "000001-Bär-Bär_1.png").is_file()


def test_copies_of_a_scene_are_called_as_the_first(tmp_path: Path) -> None:
    names = [f"{scene}_{i}" for scene in ("owl", "cat", "fox", "elk") for i in range(3)]
    photos, run = made(tmp_path / "in", names), tmp_path / "run"
    copies = ["--set", "data.copies=number"]
    assert inside("fit", photos, *SMALL, *copies, "--out", run).status == 0
    told = inside("denoise", run, photos, "--out", tmp_path / "out")
    assert told.status == 0, told
    written = [path.stem[7:] for path in sorted((tmp_path / "out").glob("0*.png"))]
    assert written == ["cat_0", "elk_0", "fox_0", "owl_0"]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "t.csv"
    lines = "".join(f"{i / 7:.2f},{'uvw'[i % 3]}\n" for i in range(80))
    path.write_text(f"a,plan\n{lines}", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def table(rows: Path) -> Path:
    run = rows.parent / "run"
    assert inside("fit", rows, *SMALL, "--out", run).status == 0
    return run


def test_an_edit_of_rows_says_what_each_was(table: Path, rows: Path, tmp_path: Path) -> None:
    words = ["--to", "plan=v", "--how", "direction", "-n", "2", "--out", tmp_path / "out"]
    told = inside("edit", table, rows, *words)
    assert told.status == 0, told
    lines = read(tmp_path / "out" / "edits.csv")
    assert [line["what"] for line in lines] == ["original", "decoded", "plan=v"] * 2
    assert [line["row"] for line in lines] == ["2"] * 3 + ["3"] * 3  # row 1 is the header
    assert [lines[0]["plan"], lines[3]["plan"]] == ["u", "v"]
    assert [float(lines[0]["a"]), float(lines[3]["a"])] == [0.0, 0.14]


def test_a_direction_of_rows_says_their_values(table: Path, tmp_path: Path) -> None:
    words = ["--how", "weights", "-k", "1", "--out", tmp_path / "out", "--json"]
    told = inside("directions", table, *words)
    assert told.status == 0, told
    lines = read(tmp_path / "out" / "sefa-1.csv")
    assert [line["strength"] for line in lines[:3]] == ["-3", "-2", "-1"]
    assert set(lines[0]) == {"row", "strength", "a", "plan"}
    assert str(tmp_path / "out" / "sefa-1.csv") in json.loads(told.out)["paths"]


def test_neighbours_of_rows_are_rows(table: Path, rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = inside("neighbours", table, rows, "-n", "2", "-k", "3", "--out", out)
    assert told.status == 0, told
    original = [line.split(",") for line in rows.read_text().splitlines()[1:]]
    lines = read(out / "neighbours.csv")
    for line in lines:
        for side, at in (("of", int(line["of"]) - 2), ("near", int(line["row"]) - 1)):
            a, plan = original[at]
            assert (float(line[f"{side} a"]), line[f"{side} plan"]) == (float(a), plan)
    assert f"{lines[0]['near a']}, {lines[0]['near plan']}" in told.out


def test_neighbours_of_sentences_are_sentences(tmp_path: Path) -> None:
    """As they were written, though the model cuts them into tokens; in JSON too."""
    path, run = tmp_path / "s.txt", tmp_path / "run"
    every = [f"Der  Bär {v} {o}!" for v in ("frisst", "sieht", "mag") for o in "abcdefgh"]
    path.write_text("\n".join(every), encoding="utf-8")
    fitted = inside("fit", path, "--set", "train.steps=2", "--quiet", "--out", run)
    assert fitted.status == 0, fitted
    words = ["neighbours", run, path, "-n", "2", "-k", "2"]
    found = json.loads(inside(*words, "--out", tmp_path / "a", "--json").out)["rows"]
    assert [row["of text"] for row in found] == [every[0]] * 2 + [every[1]] * 2
    assert [row["near text"] for row in found] == [every[int(row["row"]) - 1] for row in found]
    assert read(tmp_path / "a" / "neighbours.csv") == found
    assert found[0]["near text"] in inside(*words, "--out", tmp_path / "b").out


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on twenty-four sentences, and beside it `s.txt`, with an empty line after the first."""
    folder = tmp_path_factory.mktemp("sentences")
    every = [f"Der  Bär {v} {o}!" for v in ("frisst", "sieht", "mag") for o in "abcdefgh"]
    (folder / "s.txt").write_text("\n".join([every[0], "", *every[1:]]), encoding="utf-8")
    fitted = inside(
        "fit", folder / "s.txt", "--set", "train.steps=2", "--quiet", "--out", folder / "run"
    )
    assert fitted.status == 0, fitted
    return folder


def test_numbers_of_neighbours_are_those_of_the_file(sentences: Path, tmp_path: Path) -> None:
    """An empty line counts, so that a row can be looked up."""
    path = sentences / "s.txt"
    inside("neighbours", sentences / "run", path, "-n", "2", "-k", "2", "--out", tmp_path / "a")
    file = path.read_text(encoding="utf-8").split("\n")
    for line in read(tmp_path / "a" / "neighbours.csv"):
        assert line["near text"] == file[int(line["row"]) - 1]


def test_what_is_made_of_sentences_stands_beside_them(sentences: Path, tmp_path: Path) -> None:
    run, path = sentences / "run", sentences / "s.txt"
    file = path.read_text(encoding="utf-8").split("\n")
    told = inside("reconstruct", run, path, "--out", tmp_path / "a")
    lines = read(tmp_path / "a" / "reconstructed.csv")
    assert [line["of"] for line in lines] == [file[int(line["row"]) - 1] for line in lines]
    assert len(lines) == 24
    same = sum(line["of"] == line["comes back as"] for line in lines)
    assert same == sum(line["what"] == "same" for line in lines)
    assert f"{same} of 24 come back exactly" in told.err

    told = inside("interpolate", run, path, "--steps", "3", "--pairs", "2", "--out", tmp_path / "b")
    lines = read(tmp_path / "b" / "ways.csv")
    given = [line["text"] for line in lines if line["what"] == "given"]
    assert given == [file[0], *file[2:5]]
    assert [line["step"] for line in lines] == ["", "1", "2", "3", ""] * 2
    assert "pair 2, 3 steps" in told.err

    inside("analogy", run, path, "--out", tmp_path / "c")
    first = read(tmp_path / "c" / "analogies.csv")[0]
    assert [first[name] for name in ("is to", "as", "so is")] == [file[0], *file[2:4]]


@pytest.fixture(scope="module")
def stays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on rows with a name, a price, and dates of which the second is never the first."""
    folder = tmp_path_factory.mktemp("stays")
    lines = [f"G{i:03d};€ {1000 + 7 * i:,}.50;2024-01-{1 + i % 20:02d};2024-02-{1 + i % 9:02d}"
             for i in range(60)]  # fmt: skip
    (folder / "t.csv").write_text("guest;price;came;went\n" + "\n".join(lines), encoding="utf-8")
    kept = ["--set", 'data.constraints=["came <= went"]']
    assert inside("fit", folder / "t.csv", *SMALL, *kept, "--out", folder / "run").status == 0
    return folder


def test_rows_are_told_in_the_words_of_their_file(stays: Path, tmp_path: Path) -> None:
    told = inside("traverse", stays / "run", "--out", tmp_path / "t")
    assert told.status == 0, told
    line = read(tmp_path / "t" / "traverse.csv")[0]
    assert "guest" not in line  # each row would have another one
    assert line["price"].startswith("€ ")
    assert [len(line[name]) for name in ("came", "went")] == [10, 10]
    fields = {line["field"] for line in read(tmp_path / "t" / "changes.csv")}
    assert fields <= {"price", "came", "went - came"}


def test_neighbours_have_their_own_names(stays: Path, tmp_path: Path) -> None:
    words = [stays / "run", stays / "t.csv", "-n", "2", "-k", "1", "--out", tmp_path / "n"]
    assert inside("neighbours", *words).status == 0
    line = read(tmp_path / "n" / "neighbours.csv")[0]
    own = [line[f"of {name}"] for name in ("guest", "price", "came", "went")]
    assert own == ["G000", "€ 1,000.50", "2024-01-01", "2024-02-01"]
