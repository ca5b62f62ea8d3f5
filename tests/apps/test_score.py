"""The job `score` through the command line, on real tables, pictures and beats."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import roc_auc_score

from tests.stories.commands import inside, refused, settings

TERMS = [
    "negative_log_likelihood", "reconstruction", "latent_distance",
    "pca", "nearest_neighbour", "isolation_forest", "mean_distance",
]  # fmt: skip
FAST = ["--samples", "10"]


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(path: Path, rows: np.ndarray) -> Path:
    """Eight measurements and the diagnosis of some patients of the breast-cancer data."""
    data = load_breast_cancer()
    header = [name.replace(" ", "_") for name in data.feature_names[:8]] + ["diagnosis"]
    lines = [
        [f"{v:.5g}" for v in data.data[i, :8]] + [str(data.target_names[data.target[i]])]
        for i in rows
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *lines])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on benign patients; the others, benign and malignant, in a file of their own."""
    root = tmp_path_factory.mktemp("cancer")
    target = load_breast_cancer().target
    benign, malignant = np.flatnonzero(target == 1), np.flatnonzero(target == 0)
    data = table(root / "benign.csv", benign[:250])
    table(root / "others.csv", np.concatenate([benign[250:], malignant]))
    small = settings("vae", steps=200, batch=64, evaluate=1000)
    words = ["--set", "model.latent=3", "--set", 'data.drop=["diagnosis"]']
    words += ["--set", "data.split.validation=0.3", "--set", "data.split.test=0"]
    made = inside("fit", data, *small, *words, "--out", root / "run", "--quiet")
    assert made.status == 0, made.err
    return root


@pytest.fixture(scope="module")
def scored(folder: Path) -> tuple[Path, str]:
    out = folder / "scores"
    words = ["score", folder / "run", folder / "others.csv", "--labels", "diagnosis"]
    answer = inside(*words, "--rate", "0.05", *FAST, "--out", out)
    assert answer.status == 0, answer.err
    return out, answer.out


def test_abnormal_patients_are_found_and_the_words_say_how_well(scored: tuple[Path, str]) -> None:
    out, said = scored
    told = json.loads((out / "score.json").read_text())
    figures = {figure["name"]: figure for figure in told["figures"]}
    rows = cells(out / "scores.csv")
    truth = [row["label"] == "malignant" for row in rows]
    for name in ("score", *TERMS[:3]):
        figure = figures[f"auroc_{name}"]
        ours = roc_auc_score(truth, [float(row[name]) for row in rows])
        assert figure["value"] == pytest.approx(ours, abs=1e-4)  # six digits in the file
        assert figure["low"] < figure["value"] < figure["high"]
        assert figure["baseline"] > 0.5
    assert figures["auroc_score"]["value"] > 0.75
    assert "auroc_score" in said
    assert "rest on 75 held-out normal rows" in said
    assert "of 212 abnormal observations were found" in said


def test_labels_follow_the_rate_and_the_calibration(scored: tuple[Path, str]) -> None:
    out, _ = scored
    told = json.loads((out / "score.json").read_text())
    rows = cells(out / "scores.csv")
    assert list(rows[0]) == [
        "row", "score", "p", "abnormal", *(c for t in TERMS for c in (t, f"p_{t}")), "label",
    ]  # fmt: skip
    assert [row["row"] for row in rows[:2]] == ["2", "3"]  # as in the file, whose header is row 1
    for row in rows:
        assert all(
            1 / 76 - 1e-6 <= float(row[c]) <= 1 for c in row if c == "p" or c.startswith("p_")
        )
        assert (row["abnormal"] == "1") == (float(row["p"]) <= 0.05)
        assert (row["abnormal"] == "1") == (float(row["score"]) > told["threshold"])
    by_score = sorted(rows, key=lambda row: float(row["score"]))
    ps = [float(row["p"]) for row in by_score]
    assert ps == sorted(ps, reverse=True)


def test_the_map_has_a_column_a_field(scored: tuple[Path, str]) -> None:
    rows = cells(scored[0] / "where.csv")
    assert len(rows) == 319
    assert list(rows[0])[:2] == ["row", "mean_radius"]
    assert len(rows[0]) == 9
    assert all(np.isfinite(float(v)) for row in rows for v in row.values())


def test_a_rate_that_cannot_be_promised_is_said(folder: Path, tmp_path: Path) -> None:
    words = ["score", folder / "run", folder / "benign.csv", *FAST, "--rate", "0.001"]
    answer = inside(*words, "--out", tmp_path / "out")
    assert answer.status == 0, answer.err
    assert "at most 1.32% are called abnormal" in answer.out
    assert "75 rows cannot promise the rate of 0.10% asked for" in answer.out
    assert "175 observations were trained on" in answer.out


def test_calibration_leaves_out_what_is_named_abnormal(folder: Path, tmp_path: Path) -> None:
    """A run on all patients: its held-out malignant ones are not normal rows."""
    everyone = table(tmp_path / "all.csv", np.arange(200))
    small = settings("vae", steps=2, batch=64, evaluate=1000)
    words = ["--set", 'data.drop=["diagnosis"]', "--set", "data.split.validation=0.5"]
    assert inside("fit", everyone, *small, *words, "--out", tmp_path / "run", "--quiet").status == 0
    words = ["score", tmp_path / "run", folder / "others.csv", "--labels", "diagnosis", *FAST]
    refused(inside(*words, "--out", tmp_path / "no"), "--positive")
    answer = inside(*words, "--positive", "malignant", "--out", tmp_path / "out", "--json")
    assert answer.status == 0, answer.err
    normal = json.loads(answer.out)["normal_rows"]
    assert 25 < normal < 60  # of 100 held-out rows, about half
    words += ["--positive", "malignant", "--threshold", "f1", "--out", tmp_path / "f1", "--json"]
    answer = inside(*words)
    assert answer.status == 0, answer.err
    assert json.loads(answer.out)["normal_rows"] == normal


def test_mistakes_are_told(folder: Path, tmp_path: Path) -> None:
    words = ["score", folder / "run", folder / "others.csv"]
    refused(inside(*words, "--rate", "5"), "--rate", "0.01")
    refused(inside(*words, "--positive", "x"), "--labels")
    refused(inside(*words, "--labels", "diagnoses"), "diagnoses", "diagnosis")
    refused(inside(*words, "--labels", "diagnosis", "--positive", "x"), "no observation")
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    refused(inside(*words, *FAST, "--out", taken), "not empty")
    assert [p.name for p in taken.iterdir()] == ["mine.txt"]


def test_a_gan_gets_an_encoder_that_is_kept_with_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the manner of f-AnoGAN: by what comes back, and what the critic sees of the difference."""
    monkeypatch.setattr("twofold.apps.anomaly.STEPS", 20)
    small = settings("gan", steps=2, batch=16, evaluate=1000)
    words = ["fit", folder / "benign.csv", "--model", "gan", *small, "--out", tmp_path / "gan"]
    assert inside(*words, "--quiet").status == 0
    words = ["score", tmp_path / "gan", folder / "others.csv", *FAST, "--out"]
    assert inside(*words, tmp_path / "one").status == 0
    first = cells(tmp_path / "one" / "scores.csv")
    assert {"latent_distance", "error", "critic_distance"} < set(first[0])
    assert "negative_log_likelihood" not in first[0]
    assert inside(*words, tmp_path / "two").status == 0
    assert cells(tmp_path / "two" / "scores.csv") == first
    answer = inside(*words, tmp_path / "no", "--by", "negative_log_likelihood")
    refused(answer, "negative_log_likelihood does not go", "no likelihood")
    refused(inside(*words, tmp_path / "no", "--by", "neighbour"), "neighbours")
    refused(inside(*words, tmp_path / "no", "--by", "neighbours"), "it is for pictures")


def test_a_run_without_its_data_scores_as_it_did_before(folder: Path, tmp_path: Path) -> None:
    """The calibration travels with the run: bit for bit, and only the baselines are left out."""
    moved, others = tmp_path / "moved", folder / "others.csv"
    assert inside("score", folder / "run", others, *FAST, "--out", tmp_path / "a").status == 0
    shutil.copytree(folder / "run", moved)
    recipe = (moved / "recipe.toml").read_text()
    (moved / "recipe.toml").write_text(recipe.replace("benign.csv", "gone.csv"))
    answer = inside("score", moved, others, *FAST, "--out", tmp_path / "b")
    assert answer.status == 0, answer.err
    assert "the training data are not there" in answer.out
    before, after = (cells(tmp_path / name / "scores.csv") for name in ("a", "b"))
    assert after == [{k: row[k] for k in after[0]} for row in before]
    assert "pca" not in after[0]
    refused(inside("score", moved, others, *FAST, "--seed", "7", "--out", tmp_path / "c"), "gone")


def test_several_runs_score_together(folder: Path, tmp_path: Path) -> None:
    small = settings("vae", steps=20, batch=64, evaluate=1000)
    words = ["--set", "model.latent=3", "--set", 'data.drop=["diagnosis"]', "--set", "train.seed=1"]
    words += ["--set", "data.split.validation=0.3", "--set", "data.split.test=0"]
    words = ["fit", folder / "benign.csv", *small, *words, "--out", tmp_path / "other", "--quiet"]
    assert inside(*words).status == 0
    by, others = ["--by", "reconstruction", "--by", "rate"], folder / "others.csv"
    runs = {"a": [folder / "run"], "b": [tmp_path / "other"]}
    runs["both"] = [folder / "run", "--also", tmp_path / "other"]
    rows = {}
    for name, (first, *more) in runs.items():
        answer = inside("score", first, others, *more, *by, *FAST, "--out", tmp_path / name)
        assert answer.status == 0, answer.err
        rows[name] = cells(tmp_path / name / "scores.csv")
    for term in ("reconstruction", "rate"):
        a, b, both = (np.array([float(r[term]) for r in rows[n]]) for n in runs)
        np.testing.assert_allclose(both, (a + b) / 2, rtol=1e-4, atol=1e-4)


def test_a_tail_reaches_rates_that_a_quantile_cannot(folder: Path, tmp_path: Path) -> None:
    words = ["score", folder / "run", folder / "others.csv", *FAST, "--json"]
    words += ["--rate", "0.001", "--hourly", "120"]
    told = {}
    for kind in ("quantile", "pot"):
        answer = inside(*words, "--threshold", kind, "--out", tmp_path / kind)
        assert answer.status == 0, answer.err
        told[kind] = json.loads(answer.out)
    assert told["quantile"]["rate"] > 0.01 > told["pot"]["rate"] == 0.001
    assert told["pot"]["threshold"] > told["quantile"]["threshold"]
    alarms = told["pot"]["abnormal"] / told["pot"]["observations"] * 120
    assert told["pot"]["alarms_an_hour"] == pytest.approx(alarms)
    refused(inside(*words, "--threshold", "f1", "--out", tmp_path / "f1"), "--positive")


def test_no_score_sees_the_label(tmp_path: Path) -> None:
    """A model that is given labels would be told by an unknown one."""
    images = load_digits().images[:60]
    for name, label in (("train", "0"), ("a", "0"), ("b", "strange")):
        for i, image in enumerate(images):
            path = tmp_path / name / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((image * 15).astype(np.uint8)).save(path)
    small = settings("vae", steps=20, batch=32, evaluate=1000)
    made = inside("fit", tmp_path / "train", *small, "--out", tmp_path / "run", "--quiet")
    assert made.status == 0, made.err
    for name in ("a", "b"):
        words = [
            "score",
            tmp_path / "run",
            tmp_path / name,
            *FAST,
            "--out",
            tmp_path / f"out-{name}",
        ]
        assert inside(*words).status == 0
    a, b = (cells(tmp_path / f"out-{name}" / "scores.csv") for name in ("a", "b"))
    assert [row["score"] for row in a] == [row["score"] for row in b]


def test_pictures_get_maps_on_one_scale(tmp_path: Path) -> None:
    digits = load_digits()
    folders = {"train": tmp_path / "train", "new": tmp_path / "new"}
    for i, (image, label) in enumerate(zip(digits.images[:120], digits.target[:120], strict=True)):
        part = "new" if label in (1, 7) else "train"
        path = folders[part] / str(label) / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 15).astype(np.uint8)).save(path)
    Image.fromarray((digits.images[0] * 15).astype(np.uint8)).save(path)  # a zero, as a new one
    small = settings("vae", steps=50, batch=32, evaluate=1000)
    made = inside("fit", folders["train"], *small, "--out", tmp_path / "run", "--quiet")
    assert made.status == 0, made.err
    answer = inside("score", tmp_path / "run", folders["new"], *FAST, "--out", tmp_path / "out")
    assert answer.status == 0, answer.err
    names = [row["row"] for row in cells(tmp_path / "out" / "scores.csv")]
    assert names == sorted(
        str(p.relative_to(folders["new"])) for p in folders["new"].rglob("*.png")
    )
    maps = sorted((tmp_path / "out" / "where").iterdir())
    assert [path.stem.partition("-")[2] for path in maps] == [Path(name).stem for name in names]
    with Image.open(maps[0]) as heat:
        assert heat.size == (8, 8)
    with np.load(tmp_path / "out" / "where.npz") as raw:
        assert raw["where"].shape == (len(names), 1, 8, 8)
    with Image.open(tmp_path / "out" / "most-abnormal.png") as overview:
        across, down = overview.size  # pairs of 8 × 8 pixels, enlarged for two lines of name below
        assert ((across + 2) % (192 + 2), (down + 2) % (96 + 30 + 2)) == (0, 0)
    masks = tmp_path / "masks" / "7"
    masks.mkdir(parents=True)
    seven = next(path for path in folders["new"].rglob("*.png") if path.parent.name == "7")
    with Image.open(seven) as image:
        pixels = np.array(image)
    pixels[5:, :3] = 255  # a stain, and its mask
    Image.fromarray(pixels).save(seven)
    marked = np.zeros((8, 8), np.uint8)
    marked[5:, :3] = 255
    Image.fromarray(marked).save(masks / f"{seven.stem}_mask.png")
    words = ["score", tmp_path / "run", folders["new"], *FAST, "--by", "neighbours", "--json"]
    answer = inside(*words, "--masks", tmp_path / "masks", "--out", tmp_path / "stain")
    assert answer.status == 0, answer.err
    told = {figure["name"]: figure for figure in json.loads(answer.out)["figures"]}
    assert told["pixel_auroc"]["value"] > 0.75
    assert told["pixel_aupro"]["value"] > 0.3
    assert "1 of" in told["pixel_auroc"]["note"]
    refused(inside(*words, "--masks", folders["train"], "--out", tmp_path / "no"), "no mask")


def test_spans_of_series_and_a_page_with_the_curves(tmp_path: Path) -> None:
    """Where a wave is disturbed is marked, and few normal ones are marked at all."""
    stream = np.random.default_rng(0)
    waves = np.sin(np.arange(40) / 3 + stream.uniform(0, 0.3, (160, 1)))
    waves += 0.05 * stream.standard_normal(waves.shape)
    waves[150:, 20:28] += 3.0
    np.savez(tmp_path / "normal.npz", x=waves[:120, :, None].astype(np.float32))
    np.savez(
        tmp_path / "new.npz",
        x=waves[120:, :, None].astype(np.float32),
        y=np.array([0] * 30 + [1] * 10),
    )
    small = settings("vae", steps=150, batch=32, evaluate=1000)
    words = ["--set", "model.latent=2", "--set", "data.split={validation=0.4, test=0.0}"]
    made = inside(
        "fit", tmp_path / "normal.npz", *small, *words, "--out", tmp_path / "run", "--quiet"
    )
    assert made.status == 0, made.err
    words = ["score", tmp_path / "run", tmp_path / "new.npz", *FAST, "--labels", "label"]
    answer = inside(*words, "--positive", "1", "--rate", "0.05", "--out", tmp_path / "out")
    assert answer.status == 0, answer.err
    spans = cells(tmp_path / "out" / "spans.csv")
    rows = {int(span["row"]) for span in spans}
    assert rows >= set(range(30, 40))
    assert len(rows & set(range(30))) <= 6
    called = {row["row"]: row["abnormal"] for row in cells(tmp_path / "out" / "scores.csv")}
    assert {called[span["row"]] == span["abnormal"] for span in spans} == {True}
    assert all(called[str(i)] == "1" for i in range(30, 40))
    high = [max((s for s in spans if int(s["row"]) == i), key=lambda s: float(s["peak"]))
            for i in range(30, 40)]  # fmt: skip
    assert all(int(s["start"]) < 28 and int(s["end"]) > 20 for s in high)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    for words_ in ("threshold", "True against false alarms", "isolation_forest", "most abnormal"):
        assert words_ in page


def test_steps_that_no_window_reaches_are_counted(tmp_path: Path) -> None:
    """One series of 60 steps, and one of 5, which is shorter than a window of 12."""
    lines = ["series,time,level"]
    lines += [f"long,{t},{np.sin(t / 3):.3f}" for t in range(60)]
    (tmp_path / "one.csv").write_text("\n".join(lines) + "\n")
    lines += [f"cut,{t},{np.cos(t):.3f}" for t in range(5)]
    (tmp_path / "two.csv").write_text("\n".join(lines) + "\n")
    words = ["--set", "data.window=12", *settings("vae", steps=3, batch=8), "--quiet"]
    made = inside("fit", tmp_path / "one.csv", *words, "--out", tmp_path / "run")
    assert made.status == 0, made.err
    said = inside("score", tmp_path / "run", tmp_path / "two.csv", "--out", tmp_path / "out")
    assert said.status == 0, said.err
    assert "5 of 65 steps are of stretches that are shorter than a window" in said.out
    found = json.loads((tmp_path / "out" / "score.json").read_text())
    assert (found["steps"], found["unscored_steps"]) == (65, 5)
    said = inside("score", tmp_path / "run", tmp_path / "one.csv", "--out", tmp_path / "own")
    assert "shorter than a window" not in said.out
    assert "at least" in said.out


@pytest.mark.parametrize("of", ["train", "test"])
def test_a_part_of_the_runs_own_data_is_scored_alone(of: str, folder: Path, tmp_path: Path) -> None:
    words = ["score", folder / "run", folder / "benign.csv", "--part", of, *FAST]
    done = inside(*words, "--json", "--out", tmp_path / "out")
    if of == "test":  # the run holds none out for it
        refused(done, "--part test: the run's split has no such rows")
        return
    told = json.loads(done.out)
    assert told["observations"] == 175
    assert told["trained_on"] == 175


def test_large_pictures_are_scored_by_tiles_and_put_together(tmp_path: Path) -> None:
    """Textures of several sizes, some with a spot: the spot is found, and where it is."""
    noise = np.random.default_rng(0)
    sizes = [(70, 90), (64, 64), (100, 60)]

    def texture(number: int) -> np.ndarray:
        y, x = np.mgrid[: sizes[number % 3][0], : sizes[number % 3][1]]
        plain = 110 + 30 * np.sin(x / 3) + 20 * np.sin(y / 4)
        return np.clip(plain + noise.normal(0, 6, plain.shape), 0, 255).astype(np.uint8)

    def saved(folder: str, number: int, picture: np.ndarray) -> None:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / folder / f"{number}.png")

    for i in range(30):
        saved("train", i, texture(i))
    for i in range(6):
        saved("new/good", i, texture(i))
        spotted = texture(i)
        spotted[30:39, 20:29] = 20
        saved("new/spot", i, spotted)
        saved("masks/spot", i, 255 * (spotted == 20).astype(np.uint8))
    small = settings("vae", steps=5, batch=16, evaluate=1000)
    words = ["--set", "data.tiles=32", "--set", "data.split={validation=0.5,test=0}"]
    made = inside("fit", tmp_path / "train", *small, *words, "--out", tmp_path / "run", "--quiet")
    assert made.status == 0, made.err
    more = ["--by", "neighbours", "--masks", tmp_path / "masks", "--labels", "label"]
    out = ["--rate", "0.1", "--out", tmp_path / "out"]
    new = ["score", tmp_path / "run", tmp_path / "new", "--positive", "spot"]
    done = inside(*new, *more, *FAST, *out, "--json")
    assert done.status == 0, done.err
    told = json.loads(done.out)
    figures = {one["name"]: one["value"] for one in told["figures"]}
    assert (told["observations"], told["normal_rows"]) == (12, 15)
    assert figures["auroc_score"] > 0.95
    assert figures["pixel_auroc"] > 0.95
    assert figures["pixel_aupro"] > 0.9
    assert len(cells(tmp_path / "out" / "scores.csv")) == 12
    arrays = np.load(tmp_path / "out" / "where.npz")
    assert arrays["where"].shape == (12, 1, 100, 90)
    assert np.isnan(arrays["where"][0, 0, 70:]).all()
    assert not arrays["marked"][0, 70:].any()
    with Image.open(sorted((tmp_path / "out" / "where").glob("*.png"))[0]) as first:
        assert first.size == (90, 70)


def strict(text: str) -> Any:
    """JSON that has no NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("gaps", [True, False])
def test_a_category_never_seen_raises_an_alarm(gaps: bool, tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    lines = [[f"{x:.3f}", chance.choice(["Chad", "Peru"])] for x in chance.normal(size=120)]
    lines[0][1] = "" if gaps else "Peru"
    named = {"t.csv": lines, "new.csv": [*lines[1:20], ["0.1", "Atlantis"]]}
    for name, rows in named.items():
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["size", "country"], *rows])
    small = settings("vae", steps=5, evaluate=1000)
    made = inside("fit", tmp_path / "t.csv", *small, "--out", tmp_path / "run", "--quiet")
    assert made.status == 0, made.err
    words = ["score", tmp_path / "run", tmp_path / "new.csv", *FAST, "--out", tmp_path / "s"]
    answer = inside(*words)
    assert answer.status == 0, answer.err
    assert "'Atlantis' was never seen" in answer.out
    scores, where = cells(tmp_path / "s" / "scores.csv"), cells(tmp_path / "s" / "where.csv")
    assert scores[-1]["abnormal"] == "1"
    assert max(scores, key=lambda row: float(row["score"])) == scores[-1]
    assert float(where[-1]["country"]) > float(where[-1]["size"])
    assert strict((tmp_path / "s" / "score.json").read_text())["findings"]


def test_score_json_is_json(scored: tuple[Path, str]) -> None:
    assert strict((scored[0] / "score.json").read_text())["figures"][0]["floor"] is None
