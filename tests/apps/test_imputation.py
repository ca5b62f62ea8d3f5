"""The job `impute` through the command line, on real tables and pictures with gaps."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_wine

import twofold
from tests.stories.commands import inside, refused, settings
from twofold.apps.imputation import Filling, asked, hidden_ranks, opened
from twofold.measures.imputing import WAYS

FAST = ["--samples", "20", "--rounds", "6"]
SMALL = settings("vae", steps=5, batch=32, evaluate=1000)[1::2]
LABELS = ("red", "dark red", "rosé")


def table(path: Path, holes: dict[str, int], rows: slice = slice(None)) -> Path:
    """Five columns of the wine data as a person would write them; every k-th cell blank."""
    data = load_wine()
    names = ["alcohol", "malic acid", "ash", "proline"]
    texts = [[f"{v:.2f}" for v in row[[0, 1, 2, 12]]] for row in data.data]
    lines = [
        [str(900 + i), *cells, LABELS[kind]]
        for i, (cells, kind) in enumerate(zip(texts, data.target, strict=True))
    ][rows]
    header = ["bottle", *names, "class"]
    for name, k in holes.items():
        for line in lines[::k]:
            line[header.index(name)] = "?"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=";").writerows([header, *lines])
    return path


def cells(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=";"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table in which alcohol and class have gaps, and the others never."""
    root = tmp_path_factory.mktemp("wine")
    data = table(root / "wine.csv", {"alcohol": 7, "class": 11})
    small = settings("vae", steps=150, batch=64, evaluate=1000)
    made = inside("fit", data, *small, "--set", "model.latent=4", "--out", root / "run", "--quiet")
    assert made.status == 0, made.err
    return root


def test_gaps_are_filled_and_the_rest_is_the_text_it_was(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "filled"
    words = ["impute", folder / "run", folder / "wine.csv", "--interval", "0.8", "--draws", "2"]
    answer = inside(*words, *FAST, "--out", out)
    assert answer.status == 0, answer.err
    assert "43 values of 178 observations were filled: alcohol 26, class 17" in answer.out
    before, after = cells(folder / "wine.csv"), cells(out / "completed.csv")
    low, high = (cells(out / end / "completed.csv") for end in ("low", "high"))
    draws = [cells(out / f"draw-{i}" / "completed.csv") for i in (1, 2)]
    filled = 0
    for row, old in enumerate(before):
        for at, text in enumerate(old):
            if text != "?":
                assert all(t[row][at] == text for t in (after, low, high, *draws)), (row, at)
            elif before[0][at] == "class":
                assert after[row][at] == low[row][at] in LABELS
            else:
                fill, *ends = (float(t[row][at]) for t in (after, low, high))
                assert ends[0] <= fill <= ends[1]
            filled += text == "?"
    assert filled == 43
    assert draws[0] != draws[1]


def test_named_fields_and_cells_that_were_never_missing_are_filled_too(
    folder: Path, tmp_path: Path
) -> None:
    data = table(tmp_path / "new.csv", {"ash": 5}, slice(0, 30))
    answer = inside(
        "impute",
        folder / "run",
        data,
        "--fields",
        "proline",
        *FAST,
        "--out",
        tmp_path / "out",
        "--json",
    )
    assert answer.status == 0, answer.err
    told = json.loads(answer.out)
    assert {k: v for k, v in told["by_field"].items() if v} == {"ash": 6, "proline": 30}
    assert told["chains"] is True
    before, after = cells(data), cells(tmp_path / "out" / "completed.csv")
    proline = before[0].index("proline")
    assert [row[:proline] for row in after if "?" in row] == []
    assert {row[proline] for row in after[1:]} != {row[proline] for row in before[1:]}
    for old, new in zip(before[1:], after[1:], strict=True):
        known = [at for at, text in enumerate(old) if text != "?" and at != proline]
        assert [old[at] for at in known] == [new[at] for at in known]


def test_a_check_says_how_wrong_it_is_beside_simple_ways(folder: Path, tmp_path: Path) -> None:
    words = [
        "impute",
        folder / "run",
        folder / "wine.csv",
        "--check",
        "--target",
        "class",
        *FAST,
        "--out",
        tmp_path / "out",
    ]
    told = json.loads(inside(*words, "--json").out)
    (check,) = told["checks"]
    assert check["rows"] == 36  # of 178, those that did not train
    ways = [way["way"] for way in check["ways"]]
    assert ways == ["ours", "ours, a draw", *WAYS, "nothing hidden"]
    for way in check["ways"]:
        assert 0 < way["use"][1] <= way["use"][0] <= way["use"][2] <= 1  # the grower, told
    best, *rest = check["ways"][-1]["use"][:1], *check["ways"][:-1]
    assert all(way["use"][0] <= best[0] + 0.1 for way in rest)
    for way in check["ways"][:-1]:
        assert [column["name"] for column in way["columns"]] == ["alcohol", "malic acid", "ash",
                                                                 "proline"]  # fmt: skip
        assert sum(column["number"] for column in way["columns"]) == way["numbers"]
        value, low, high = way["rmse"]
        assert 0 < low <= value <= high
        assert way["numbers"] > 5
    assert 0 <= check["inside"][0] <= 1


def test_corrected_intervals_are_those_that_held_as_much_of_validation_data(
    folder: Path, tmp_path: Path
) -> None:
    """Of a model that has hardly learnt: another level is asked for, and nothing else changes."""
    words = ["impute", folder / "run", folder / "wine.csv", "--fields", "proline", *FAST]
    told = inside(*words, "--interval", "0.5", "--corrected", "--out", tmp_path / "a", "--json")
    assert told.status == 0, told.err
    level = json.loads(told.out)["level"]
    run = twofold.load(folder / "run")
    rows = opened(run.source(folder / "wine.csv"))
    gaps = rows.values.isnan() | asked(run.space, ["proline"], rows.values)
    filling = Filling(20, 6, 0.5, corrected=True)
    u = hidden_ranks(run, gaps[gaps.flatten(1).any(1)], filling)
    held = ((2 * u - 1).abs() <= level).double().mean()
    assert 0.5 <= held <= 0.5 + 2 / len(u)
    again = inside(*words, "--interval", repr(level), "--out", tmp_path / "b")
    assert again.status == 0, again.err
    for end in ("low", "high"):
        a, b = (cells(tmp_path / name / end / "completed.csv") for name in "ab")
        assert a == b
    said = inside(*words, "--interval", "0.5", "--corrected", "--out", tmp_path / "c").out
    assert (
        f"hold 50% of validation values hidden in the same places are the model's {level:.1%}"
        in said
    )


def test_the_same_seed_fills_alike(folder: Path, tmp_path: Path) -> None:
    words = ["impute", folder / "run", folder / "wine.csv", *FAST, "--draws", "1"]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert inside(*words, "--seed", str(seed), "--out", tmp_path / name).status == 0
    a, b, c = (cells(tmp_path / name / "draw-1" / "completed.csv") for name in "abc")
    assert a == b != c


def test_mistakes_are_told(folder: Path, tmp_path: Path) -> None:
    run, data = folder / "run", folder / "wine.csv"
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    refused(inside("impute", run, data, "--out", tmp_path / "taken"), "not empty", "--out")
    assert [p.name for p in (tmp_path / "taken").iterdir()] == ["mine.txt"]
    refused(inside("impute", run, data, "--fields", "alcool"), "alcool", "alcohol")
    refused(inside("impute", run, data, "--interval", "90"), "0.9")
    refused(inside("impute", run, data, "--corrected"), "--interval 0.9")
    refused(inside("impute", run, data, "--target", "class"), "--check")
    refused(inside("impute", run, data, "--check", "--target", "clas"), "clas", "class")
    whole = table(tmp_path / "whole.csv", {})
    refused(inside("impute", run, whole), "nothing is missing", "--fields")
    refused(inside("impute", run, data, "--mask", tmp_path / "none.png"), "not there")


def test_a_gan_imputer_fills_too(folder: Path, tmp_path: Path) -> None:
    """By the same command, in several copies; what was there stays the text it was."""
    small = settings("gain", steps=60, batch=64, evaluate=1000)
    words = ["fit", folder / "wine.csv", "--model", "gain", *small, "--out", tmp_path / "gain"]
    made = inside(*words, "--quiet")
    assert made.status == 0, made.err
    words = ["impute", tmp_path / "gain", folder / "wine.csv", "--interval", "0.8", "--draws", "2"]
    answer = inside(*words, "--samples", "20", "--fields", "ash", "--out", tmp_path / "filled")
    assert answer.status == 0, answer.err
    assert "by 20 equal draws a row" in answer.out
    before, *after = (
        cells(path)
        for path in (
            folder / "wine.csv",
            tmp_path / "filled" / "completed.csv",
            *(tmp_path / "filled" / f"draw-{i}" / "completed.csv" for i in (1, 2)),
        )
    )
    ash = before[0].index("ash")
    for filled in after:
        for old, new in zip(before, filled, strict=True):
            kept = [at for at, text in enumerate(old) if text != "?" and at != ash]
            assert [old[at] for at in kept] == [new[at] for at in kept]
            assert "?" not in new
    assert after[1] != after[2]


def test_a_model_without_an_encoder_is_refused(folder: Path, tmp_path: Path) -> None:
    small = settings("gan", steps=2, batch=16, evaluate=1000)
    words = ["fit", folder / "wine.csv", "--model", "gan", *small, "--out", tmp_path / "gan"]
    assert inside(*words, "--quiet").status == 0
    refused(inside("impute", tmp_path / "gan", folder / "wine.csv"), "no encoder", "twofold models")


@pytest.mark.parametrize("form", ["parquet", "frame"])
def test_a_frame_keeps_its_types_and_its_numbers(form: str, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    wine = load_wine()
    frame = pandas.DataFrame(wine.data[:, :3] / 3, columns=["a", "b", "c"])
    frame["kind"] = [LABELS[k] for k in wine.target]
    frame["whole"] = wine.data[:, 12].astype("int64")
    frame.loc[::5, "b"] = np.nan
    where = tmp_path / "wine.parquet"
    frame.to_parquet(where)
    run = twofold.fit(frame, set=SMALL, out=tmp_path / "run", quiet=True)
    data = frame if form == "frame" else where
    if form == "parquet":
        run = twofold.fit(where, set=SMALL, out=tmp_path / "other", quiet=True)
    done = twofold.impute(run, data, samples=8, fields=["whole"], out=tmp_path / "out")
    (path,) = done.paths
    exact = {"converters": dict.fromkeys("abc", float)}
    after = pandas.read_parquet(path) if form == "parquet" else pandas.read_csv(path, **exact)
    assert dict(done.by_field) == {"a": 0, "b": 36, "c": 0, "kind": 0, "whole": 178}
    known = frame["b"].notna()
    assert after["whole"].dtype == frame["whole"].dtype
    assert after[["a", "c"]].equals(frame[["a", "c"]])
    assert after["b"][known].equals(frame["b"][known])
    assert not after.isna().any().any()


def test_arrays_come_back_bit_for_bit(tmp_path: Path) -> None:
    x = load_wine().data[:, :5] * (1 + 1e-13)  # what single precision would lose
    holed = x.copy()
    holed[::4, 2] = np.nan
    np.save(tmp_path / "x.npy", holed)
    small = settings("vae", steps=20, batch=32, evaluate=1000)
    made = inside("fit", tmp_path / "x.npy", *small, "--out", tmp_path / "run", "--quiet")
    assert made.status == 0, made.err
    answer = inside(
        "impute", tmp_path / "run", tmp_path / "x.npy", *FAST, "--out", tmp_path / "out"
    )
    assert answer.status == 0, answer.err
    after = np.load(tmp_path / "out" / "completed.npy")
    assert after.dtype == np.float64
    assert not np.isnan(after).any()
    known = ~np.isnan(holed)
    assert (after[known] == x[known]).all()


def test_a_mask_fills_a_part_of_every_picture(tmp_path: Path) -> None:
    pictures = tmp_path / "digits"
    pictures.mkdir()
    for i, digit in enumerate(load_digits().images[:40]):
        Image.fromarray((digit * 15).astype(np.uint8)).save(pictures / f"{i:02d}.png")
    small = settings("vae", steps=20, batch=16, evaluate=1000)
    made = inside("fit", pictures, *small, "--out", tmp_path / "run", "--quiet")
    assert made.status == 0, made.err
    cover = np.zeros((16, 16), np.uint8)  # of another size: it is brought to theirs
    cover[:, 8:] = 255
    Image.fromarray(cover).save(tmp_path / "mask.png")
    words = ["impute", tmp_path / "run", pictures, "--mask", tmp_path / "mask.png"]
    answer = inside(*words, "--samples", "4", "--rounds", "4", "--out", tmp_path / "out")
    assert answer.status == 0, answer.err
    assert "pixel 1,280" in answer.out
    after = sorted((tmp_path / "out").glob("0*.png"))
    assert len(after) == 40
    changed = 0
    for old, new in zip(sorted(pictures.iterdir()), after, strict=True):
        a, b = (np.array(Image.open(path)) for path in (old, new))
        assert (a[:, :4] == b[:, :4]).all()
        changed += int((a[:, 4:] != b[:, 4:]).sum())
    assert changed > 100
