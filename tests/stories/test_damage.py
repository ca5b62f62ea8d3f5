"""A run folder that is not whole is told in one sentence; and reading one changes nothing of it."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.stories.commands import inside, refused, settings
from twofold.runs.lock import NAME
from twofold.train import checkpoint
from twofold.train.loop import State


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the embedded digits, with all three files of weights."""
    path = tmp_path_factory.mktemp("whole") / "run"
    small = settings("vae", steps=2, batch=4, checkpoint=1, evaluate=1)
    made = inside("fit", "digits", *small, "--out", path, "--quiet")
    assert made.status == 0, made.err
    return path


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 3],
    "of another program": lambda data: b"{}",
}
FILES = ("recipe.toml", "space.json", "state.json", "average.safetensors")


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_is_named_with_what_to_do(file: str, damage: str, run: Path) -> None:
    path = run / file
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    for words in (("sample", run), ("encode", run, "digits"), ("resume", run, "--steps", "3")):
        refused(inside(*words), f"{run}/", file, "copy it again")


def test_a_space_that_lacks_something_is_damaged(run: Path) -> None:
    path = run / "space.json"
    path.write_text(path.read_text().replace('"dtype"', '"dtipe"'))
    refused(inside("sample", run), "space.json is damaged", "copy it again")


def test_other_weights_are_named_where_they_are_whole(run: Path, tmp_path: Path) -> None:
    (run / "average.safetensors").write_bytes(b"")
    refused(inside("sample", run), "average.safetensors", "--weights last", "--weights best")
    for flag in ("last", "best"):
        out = tmp_path / flag
        assert inside("sample", run, "--weights", flag, "--out", out).status == 0
    (run / "best.safetensors").unlink()
    answer = inside("sample", run)
    refused(answer, "--weights last")
    assert "--weights best" not in answer.err


def test_without_the_moments_a_run_is_used_and_not_resumed(run: Path, tmp_path: Path) -> None:
    (run / "state.safetensors").write_bytes(b"")
    assert inside("sample", run, "--out", tmp_path / "x").status == 0
    refused(inside("resume", run, "--steps", "3"), "state.safetensors", "not resumed")


def halfway(folder: Path, record: bool) -> dict[str, bytes]:
    """A save that another process makes, before or after its record is there."""
    old = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    other = folder.parent / "other"
    other.mkdir()
    step = torch.full((3,), 2.0)
    checkpoint.save(other, State(2, 2, 0, {"w": step}, {"w": step}, {"m": step}), {}, {})
    for path in other.glob("*.safetensors"):
        shutil.copy(path, folder / f"{path.name}.next")
    if record:
        shutil.copy(other / "state.json", folder / "state.json")
    assert old
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("record", [False, True])
def test_who_reads_changes_nothing_and_reads_what_is_meant(record: bool, tmp_path: Path) -> None:
    """The files of the checkpoint that the record names, where the renames are still to come."""
    folder = tmp_path / "run"
    folder.mkdir()
    tensors = {"w": torch.ones(3)}
    checkpoint.save(folder, State(1, 1, 0, tensors, tensors, tensors), {}, {})
    before = halfway(folder, record)
    read = checkpoint.read(folder, "weights.safetensors")
    assert read["w"][0] == (2 if record else 1)
    assert checkpoint.about(folder, "prior.safetensors") == {}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    state, _ = checkpoint.load(folder)
    assert state.step == (2 if record else 1)
    assert not list(folder.glob("*.next"))


@pytest.mark.parametrize("record", [False, True])
def test_a_save_after_one_that_was_cut_short_never_loses_both(
    record: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    tensors = {"w": torch.ones(3)}
    checkpoint.save(folder, State(1, 1, 0, tensors, tensors, tensors), {}, {})
    halfway(folder, record)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "replace", stop)
    third = {"w": torch.full((3,), 3.0)}
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(folder, State(3, 3, 0, third, third, third), {}, {})
    monkeypatch.undo()
    assert checkpoint.load(folder)[0].weights["w"][0] == (2 if record else 1)


def test_a_run_that_trains_is_scored_and_left_as_it_is(run: Path, tmp_path: Path) -> None:
    """What was learnt for the scores is kept with the run once nobody trains it."""
    names = ("state.json", "detector.safetensors")
    before = (run / "state.json").read_bytes()
    with (run / NAME).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        scored = inside("score", run, "digits", "--out", tmp_path / "a")
        assert scored.status == 0, scored.err
        assert (run / names[0]).read_bytes() == before
        assert not (run / names[1]).exists()
    assert inside("score", run, "digits", "--out", tmp_path / "b").status == 0
    assert (run / names[1]).is_file()
