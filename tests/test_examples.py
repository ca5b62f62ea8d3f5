"""The examples run as they stand, at a tiny size; those by hand use nothing above the networks."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.stories.commands import inside, refused

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
BY_HAND = {
    "vae_by_hand": ("held out: ELBO", "100 draws"),
    "gan_by_hand": ("Fréchet distance", "floor"),
    "conditional_table_by_hand": ("fitted on real wines", "fitted on drawn wines"),
}
TINY = ("--set", "train.steps=2", "--set", "train.batch=8", "--set", "train.best=none", "--quiet")


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand_it_trains_says_what_it_reaches_and_draws(name: str, tmp_path: Path) -> None:
    out = tmp_path / "picture.png"
    words = [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", "--steps", "2", "--out", out]
    here = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(words, env=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [word for word in (*BY_HAND[name], str(out)) if word not in done.stdout] == []
    with Image.open(out) as picture:
        low, high = picture.convert("L").getextrema()
    assert low < high


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand_means_nothing_above_the_networks(name: str) -> None:
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text("utf-8"))
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    layers = {module.split(".")[1] for module in modules if module.startswith("twofold.")}
    assert layers == {"core", "maths", "nets"}


def test_every_example_is_tested() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*BY_HAND, "new_family", "own_networks"}


@pytest.fixture
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an example that a test may change."""
    return Path(shutil.copy(EXAMPLES / f"{request.param}.py", tmp_path))


def family(own: Path) -> list[str]:
    return ["--model", str(own), "--set", "model.latent=3"]


def networks(own: Path) -> list[str]:
    settings = [f"model.encoder.name={own}", f"model.decoder.name={own}", "model.encoder.width=4"]
    return [word for pair in settings for word in ("--set", pair)]


@pytest.mark.parametrize(
    ("own", "named", "option"),
    [("new_family", family, "latent = 3"), ("own_networks", networks, "width = 4")],
    indirect=["own"],
)
def test_a_file_of_ones_own_trains_and_is_trusted_by_its_hash(
    own: Path, named: Callable[[Path], list[str]], option: str, tmp_path: Path
) -> None:
    own.write_text(own.read_text("utf-8") + f"# {tmp_path}\n", "utf-8")  # code of this test alone
    run = tmp_path / "run"
    made = inside("fit", "digits", *named(own), *TINY, "--out", run)
    assert made.status == 0, made.err
    recipe = (run / "recipe.toml").read_text("utf-8")
    assert option in recipe
    assert "sha256" in recipe

    refused(inside("sample", run, "-n", "2"), "holds code", f"--trust {own}")
    assert inside("sample", run, "-n", "2", "--trust", own, "--out", tmp_path / "x").status == 0
    again = inside("reconstruct", run, "digits", "--trust", own, "--out", tmp_path / "y")
    assert again.status == 0, again.err
    assert (tmp_path / "y" / "grid.png").is_file()

    own.write_text(own.read_text("utf-8") + "# changed since\n", "utf-8")
    refused(inside("sample", run, "-n", "2", "--trust", own), "sha256 differs")
