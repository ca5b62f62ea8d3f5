"""Files of the user's own: what is wrong in one is told with its place; trust names the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.stories.commands import inside, refused, settings

EXAMPLE = Path(__file__).parents[2] / "examples" / "new_family.py"
TINY = [
    *("--set", "model.encoder={name = 'dense', width = 8, depth = 1}"),
    *("--set", "model.decoder={name = 'dense', width = 8, depth = 1}"),
    *("--set", "train.steps=2", "--set", "train.batch=4", "--quiet"),
]
LIKELIHOOD = """
from dataclasses import dataclass
from twofold.maths.likelihoods import SquaredError

@dataclass(frozen=True)
class Mine(SquaredError):
    "A likelihood of one's own."
"""


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The example with one thing otherwise."""
    text = EXAMPLE.read_text("utf-8")
    assert old in text
    path = tmp_path / "mine.py"
    path.write_text(text.replace(old, new) + f"# {tmp_path}\n", "utf-8")
    return path


FAULTS = {
    "it is no Python": ("import torch\n", "import import torch\n", "SyntaxError"),
    "a module that is not there": ("import torch\n", "import no_such\n", "'no_such'"),
    "its constructor": ("self.critic = nn", "self.critic = nm", "NameError"),
    "its play": ("x, given = batch.x, batch", "x, given = batch.nix, batch", "'nix'"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_in_a_file_of_ones_own_is_told_with_its_line(case: str, tmp_path: Path) -> None:
    old, new, word = FAULTS[case]
    mine = changed(tmp_path, old, new)
    line = mine.read_text("utf-8").partition(new)[0].count("\n") + 1
    for _ in range(2):  # a file that failed is not half there the second time
        answer = inside("fit", "digits", "--model", mine, *TINY)
        refused(answer, f"mine.py, line {line}: ", word, "mend it")


def test_what_ours_asks_of_a_class_in_vain_is_told_with_the_class(tmp_path: Path) -> None:
    mine = changed(tmp_path, "self.latent, self.obj", "self.lateen, self.obj")
    fitted = inside("fit", "digits", "--model", mine, *TINY, "--out", tmp_path / "run")
    refused(fitted, "mine.py", "no attribute 'latent'")


def test_a_class_without_its_methods_is_told_which(tmp_path: Path) -> None:
    mine = changed(tmp_path, "def play(", "def plays(")
    refused(inside("fit", "digits", "--model", mine, *TINY), "AAE lacks play", "mine.py")
    mine.write_text("x = 1\n")
    refused(inside("fit", "digits", "--model", mine, *TINY), "one Model", "defines none")


def test_trust_in_another_file_names_the_one_that_is_needed(tmp_path: Path) -> None:
    mine, other = changed(tmp_path, "nats.", "nats!"), tmp_path / "other.py"
    other.write_text("x = 1\n")
    run = tmp_path / "run"
    assert inside("fit", "digits", "--model", mine, *TINY, "--out", run).status == 0
    refused(inside("sample", run, "--trust", other), f"{mine} is needed", str(other))
    moved = shutil.move(mine, tmp_path / "elsewhere.py")
    refused(inside("sample", run, "--trust", other), "mine.py that was used", "sha256 differs")
    assert inside("sample", run, "--trust", moved, "--out", tmp_path / "x").status == 0


@pytest.mark.parametrize("form", ['["{}"]', '[{{name="{}"}}]'])
def test_a_file_that_a_list_names_on_the_command_line_is_trusted(form: str, tmp_path: Path) -> None:
    mine, recipe = tmp_path / "mine.py", tmp_path / "recipe.toml"
    mine.write_text(LIKELIHOOD + f"# {tmp_path}\n")
    listed = form.format(mine)
    small = settings("vae", steps=2, batch=4)
    run = tmp_path / "run"
    made = inside("fit", "digits", *small, "--set", f"model.likelihood={listed}", "--out", run)
    assert made.status == 0, made.err
    refused(inside("sample", run), "holds code", f"--trust {mine}")
    assert inside("sample", run, "--trust", mine, "--out", tmp_path / "x").status == 0

    recipe.write_text(f"[model]\nlikelihood = {listed}\n")
    refused(inside("fit", "digits", "--recipe", recipe, *small), "holds code", str(mine))
    trusted = inside("fit", "digits", "--recipe", recipe, *small, "--trust", mine, "--out", "r2")
    assert trusted.status == 0, trusted.err


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
