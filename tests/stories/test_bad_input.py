"""What cannot be used at all: status 2, one sentence that says what, where, and what to do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.stories.commands import Answer, inside, refused, settings
from twofold.core.errors import UserError
from twofold.train import checkpoint
from twofold.train.loop import State

SMALL = settings("vae", steps=2, batch=4, checkpoint=1, tick=1, evaluate=2)


def picture(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 255, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for i in range(12):
        picture(tmp_path / "photos" / f"{i}.png", i)
    return tmp_path / "photos"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run on the embedded digits."""
    answer = inside("fit", "digits", *SMALL, "--out", tmp_path / "run", "--quiet")
    assert answer.status == 0, answer
    return tmp_path / "run"


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


ROWS = "age,city\n" + "".join(f"{20 + i},{'ab'[i % 2]}\n" for i in range(30))

BAD_DATA: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "a path that is not there": (lambda d: d / "nowhere", ("nowhere",)),
    "an empty folder": (lambda d: made(d / "empty"), ("empty",)),
    "an empty file": (lambda d: table(d / "t.csv", ""), ("t.csv", "empty")),
    "a ragged row": (lambda d: table(d / "t.csv", ROWS + "1,2,3\n"), ("32",)),
    "an infinite value": (lambda d: table(d / "t.csv", ROWS + "inf,a\n"), ("32", "age")),
    "an unknown suffix": (lambda d: table(d / "t.xyz", "abc"), ("t.xyz",)),
    "an array of objects": (lambda d: objects(d / "o.npy"), ("o.npy",)),
    "an infinite array": (lambda d: infinite(d / "i.npy"), ("row 3",)),
}


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def objects(path: Path) -> Path:
    np.save(path, np.array([{}, []], dtype=object), allow_pickle=True)
    return path


def infinite(path: Path) -> Path:
    values = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    values[3, 2] = np.inf
    np.save(path, values)
    return path


@pytest.mark.parametrize("case", BAD_DATA)
def test_data_that_cannot_be_used(case: str, tmp_path: Path) -> None:
    make, words = BAD_DATA[case]
    where = make(tmp_path)
    refused(inside("fit", where, *SMALL, "--out", tmp_path / "run"), *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("harm", ["truncated", "zero bytes"])
def test_a_bad_picture_is_named_and_skipped_only_when_asked(
    harm: str, photos: Path, tmp_path: Path
) -> None:
    bad = photos / "5.png"
    bad.write_bytes(bad.read_bytes()[: {"truncated": 120, "zero bytes": 0}[harm]])
    refused(inside("fit", photos, *SMALL, "--out", tmp_path / "a"), "5.png")
    skip = inside("fit", photos, *SMALL, "--skip-bad", "--out", tmp_path / "b")
    assert skip.status == 0, skip
    log = (tmp_path / "b" / "log.jsonl").read_text()
    assert "5.png" in log


def test_skipping_is_offered_where_it_is(photos: Path, tmp_path: Path) -> None:
    """Where data are learnt; other verbs and kinds say what can be done there."""
    run = tmp_path / "run"
    assert inside("fit", photos, *SMALL, "--quiet", "--out", run).status == 0
    (photos / "5.png").write_bytes(b"")
    refused(inside("doctor", photos), "5.png", "--skip-bad")
    score = inside("reconstruct", run, photos, "--out", tmp_path / "no")
    refused(score, "5.png", "repair or remove it")
    assert "--skip-bad" not in score.err
    rows = table(tmp_path / "t.csv", "a,b\n" + "1.5,2\n2.5,3\n" * 9)
    refused(inside("doctor", rows, "--skip-bad"), "tables", "it is one of images", "leave it out")


def test_one_is_not_said_as_many(tmp_path: Path) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no")
    told = inside("doctor", tmp_path, "--skip-bad")
    assert told.status == 0, told
    assert re.findall(r"(?<![\d,])1 \w+", told.out) == [
        "1 observation", "1 channel", "1 image", "1 image", "1 unreadable", "1 row",
    ]  # fmt: skip


def test_what_a_file_says_does_not_steer_the_terminal(tmp_path: Path) -> None:
    """Names, cells and paths of the user's are shown as text, whatever they hold."""
    odd = "x\x1b[2J\x07\x9b\u202e"
    rows = "".join(f"{i / 7:.2f},{odd if i % 3 else 'plain'},{odd}\n" for i in range(40))
    path = table(tmp_path / f"{odd}.csv", f"a{odd},city,same\n{rows}{odd},plain,{odd}\n")
    answers = [
        inside("doctor", path),
        inside("doctor", path, "--json"),
        inside("doctor", path.with_suffix(".none")),
        inside("fit", path, *SMALL, "--out", tmp_path / "run"),
    ]
    told = "".join(one.out + one.err for one in answers)
    assert r"\x1b[2J" in told
    assert set(map(ord, told)) & {*range(32), 127, *range(128, 160), 0x202E} == {ord("\n")}
    assert odd in json.loads(answers[1].out)["data"]


def test_a_full_column_is_not_said_to_have_gaps(tmp_path: Path) -> None:
    rows = "".join(f"{i / 7:.2f},{'ab'[i % 2]},{'uv?'[i % 3]}\n" for i in range(40))
    path = table(tmp_path / "t.csv", f"x,full,gappy\n{rows}")
    told = inside("doctor", path, "--set", 'given=["full", "gappy"]').out
    assert "full, one of 2: a, b; gappy, one of 2: u, v, may be missing\n" in told


RECIPES = {
    "model.latnet=3": ("latnet", "'latent'"),
    "train.stepz=3": ("stepz", "'steps'"),
    "data.sizes=3": ("sizes",),
    "modle.latent=3": ("modle", "'model'"),
    "train.steps=many": ("train.steps",),
    "train.steps=-3": ("train.steps",),
    "model.divergence=kk": ("kk", "kl"),
    "model.likelihood=[{name='student-t'}]": ("student-t",),
    "data.split={tset=0.2}": ("data.split.tset", "'test'"),
    "data.split={test=1.5}": ("data.split.test",),
    "model.divergence={name='kl', beta=-1}": (
        "model.divergence.beta",
        "greater than or equal to 0",
    ),
    "model.name=vea": ("vea", "'vae'"),
}


def test_a_part_that_is_named_has_options_set_after(tmp_path: Path) -> None:
    """Set one by one they are the table of the part; what is no part has no options."""
    dry = ["fit", "digits", "--dry-run", "--set"]
    single = inside(*dry, "model.divergence=kl", "--set", "model.divergence.beta=4")
    whole = inside(*dry, "model.divergence={name='kl', beta=4}")
    assert single.status == 0, single
    assert single.out == whole.out
    own = table(tmp_path / "mine.py", OWN_OBJECTIVE)
    told = inside(*dry, f"model.objective={own}", "--set", "model.objective.power=3",
                  "--model", "gan")  # fmt: skip
    assert told.status == 0, told
    assert "power = 3" in told.out
    refused(inside(*dry, "train.steps=3", "--set", "train.steps.some=1"), "steps is 3", "options")


OWN_OBJECTIVE = """
from dataclasses import dataclass
from twofold.maths.adversarial import NonSaturating
@dataclass(frozen=True)
class Mine(NonSaturating):
    power: float = 1.0
"""


@pytest.mark.parametrize("setting", RECIPES)
def test_a_wrong_key_names_the_nearest(setting: str, tmp_path: Path) -> None:
    answer = inside("fit", "digits", "--set", setting, "--out", tmp_path / "run")
    refused(answer, *RECIPES[setting])
    assert not (tmp_path / "run").exists()


def test_a_recipe_in_place_of_a_family_is_told_how_it_is_named(tmp_path: Path) -> None:
    answer = inside("fit", "digits", "--model", "wgan", "--out", tmp_path / "run")
    refused(answer, "wgan is a recipe", "--recipe wgan")
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_never_overwritten(run: Path) -> None:
    before = (run / "weights.safetensors").read_bytes()
    refused(inside("fit", "digits", *SMALL, "--out", run), str(run), "resume")
    assert (run / "weights.safetensors").read_bytes() == before


def test_an_unwritable_target(tmp_path: Path) -> None:
    file = table(tmp_path / "file", "x")
    refused(inside("fit", "digits", *SMALL, "--out", file / "run"), str(file))


def test_a_newer_run(run: Path) -> None:
    state = json.loads((run / "state.json").read_text())
    (run / "state.json").write_text(json.dumps({**state, "format": 99}))
    refused(inside("sample", run), "newer")


def test_a_flipped_byte(run: Path) -> None:
    for path in run.glob("*.safetensors"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    refused(inside("sample", run), "damaged")


def test_a_missing_file_of_a_run(run: Path) -> None:
    for path in run.glob("*.safetensors"):
        path.unlink()
    refused(inside("sample", run), "missing")


def test_weights_of_another_network(run: Path) -> None:
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace("latent = ", "latent = 1"))
    refused(inside("sample", run), "not those of the model", "recipe.toml")


def test_not_a_run(tmp_path: Path) -> None:
    refused(inside("sample", made(tmp_path / "folder")), "not a run folder")
    refused(inside("resume", tmp_path / "nowhere"), "nowhere")


def test_conditions_that_do_not_occur(run: Path) -> None:
    refused(inside("sample", run, "--given", "label=12"), "label=12")
    refused(inside("sample", run, "--given", "lable=1"), "lable", "'label'")
    refused(inside("sample", run, "--given", "label"), "name=value")
    refused(inside("sample", run, "--given", "nofile.csv"), "nofile.csv is not there")


def test_a_condition_that_is_said_twice(run: Path) -> None:
    """The last does not win silently: several are the rows of a file, in turn."""
    rows = table(run.parent / "rows.csv", "label\n1\n2\n")
    for second in ("label=2", rows):
        told = inside("sample", run, "--given", "label=1", "--given", second)
        refused(told, "--given says label twice", "rows of a .csv", "in turn")
    assert inside("sample", run, "-n", "2", "--given", rows).status == 0


def test_measures_that_do_not_exist(run: Path) -> None:
    refused(inside("measure", run, "--measures", "ebo"), "ebo", "'elbo'")


def test_a_full_disk_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = State(1, 4, 0, {"w": torch.zeros(3)}, {}, {})
    checkpoint.save(tmp_path, first, {}, {})
    flush = checkpoint.flush

    def full(path: Path, data: bytes) -> None:
        """A disk that has room for the weights, and for nothing after."""
        flush(Path("/dev/full") if "weights" not in path.name else path, data)

    monkeypatch.setattr(checkpoint, "flush", full)
    second = State(2, 8, 0, {"w": torch.ones(3)}, {}, {"m": torch.ones(3)})
    with pytest.raises(UserError, match="twofold resume"):
        checkpoint.save(tmp_path, second, {}, {})
    state, _ = checkpoint.load(tmp_path)
    assert state.step == 1
    assert torch.equal(state.weights["w"], torch.zeros(3))
    assert not list(tmp_path.glob("*.next"))


@pytest.mark.parametrize("stage", ["before the record", "after the record", "between the renames"])
def test_a_checkpoint_cut_short_is_the_old_one_or_the_new_one(stage: str, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, step in ((old, 1), (new, 2)):
        folder.mkdir()
        tensors = {"w": torch.full((3,), float(step))}
        checkpoint.save(folder, State(step, step, 0, tensors, tensors, tensors), {}, {})
    for path in new.glob("*.safetensors"):
        shutil.copy(path, old / f"{path.name}.next")
    if stage != "before the record":
        shutil.copy(new / "state.json", old / "state.json")
    if stage == "between the renames":
        (old / "average.safetensors.next").replace(old / "average.safetensors")
    state, _ = checkpoint.load(old)
    expected = 1 if stage == "before the record" else 2
    assert state.step == expected
    for tensors in (state.weights, state.average, state.moments):
        assert tensors["w"][0] == expected
    assert not list(old.glob("*.next"))


def test_a_page_of_runs_goes_over_nothing(run: Path) -> None:
    """A file that is there stays, and pages without a name are numbered as pages."""
    notes = table(run.parent / "notes.txt", "mine")
    other = Path(shutil.copytree(run, run.parent / "other"))
    refused(inside("compare", run, other, "--out", notes), "notes.txt exists", "--out")
    assert notes.read_text() == "mine"
    refused(inside("compare", run, run), "named twice")
    for _ in range(2):
        assert inside("compare", run, other, "-n", "20").status == 0
    pages = sorted(path.name for path in run.parent.glob("comparison*"))
    assert pages == ["comparison-2.html", "comparison.html"]
    assert inside("compare", run, other, "--out", run.parent / "side").status == 0
    assert [path.name for path in (run.parent / "side").iterdir()] == ["comparison.html"]


def test_a_normal_label_that_does_not_occur_is_told_with_those_that_do(tmp_path: Path) -> None:
    def fitted(normal: str) -> Answer:
        split = f"data.split.normal={normal}"
        return inside("fit", "digits", *SMALL, "--set", split, "--out", tmp_path / normal[:3])

    for normal in ('["3x"]', '"33"', "33", "[3, 33]"):
        refused(fitted(normal), "data.split.normal: no row is labelled '3", "only 0, 1, 2")
    assert fitted("3").status == 0
    assert fitted("[3, 4]").status == 0
