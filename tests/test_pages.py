"""The pages tell the truth: their commands parse, their settings exist, their families train.

Nothing here trains more than two steps: a command is parsed as the command line would, its settings
are checked as `fit` would, and the programs that teach how to add something are run.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.stories.commands import inside
from twofold.cli.commands import app
from twofold.core import toml
from twofold.core.build import Trust, options
from twofold.data.doctor import every_kind
from twofold.runs.recipe import merged, plan, recipes, settings
from twofold.train.record import lines
from twofold.verbs import own_files

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
EVERYWHERE = {"name", "path", "split", "kind"}


def blocks(page: Path, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def commands() -> Iterator[list[str]]:
    """The words after `twofold` of every line of the pages' sh blocks."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.splitlines():
                words = shlex.split(line, comments=True)
                if "twofold" in words:
                    yield words[words.index("twofold") + 1 :]


COMMANDS = list(commands())


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 30
    assert {words[0] for words in COMMANDS} >= {"doctor", "fit", "resume", "sample", "measure"}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_parses_and_its_settings_exist(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    table = settings(bound.arguments.get("set", []))
    family = bound.arguments.get("model", "")
    if words[0] == "fit":
        base = recipe_of(bound.arguments["what"])
        checked(merged(merged(base, {"model": {"name": family}} if family else {}), table))


def recipe_of(what: str) -> dict[str, Any]:
    """The packaged recipe that a command names, if it does."""
    return toml.load(recipes()[what]) if what in recipes() else {}


def checked(recipe: Mapping[str, Any]) -> None:
    """Settings as `fit` would check them; those of the data are options of some kind."""
    own = [*own_files(recipe)]
    plan(recipe, {}, Trust.of(own))
    known = [set(options(kind.inspect, skip=("where",))) for kind in every_kind().values()]
    assert any(set(recipe.get("data", {})) <= EVERYWHERE | names for names in known), recipe


def test_a_wrong_setting_is_seen() -> None:
    with pytest.raises(Exception, match="did you mean 'latent'"):
        checked({"model": {"name": "vae", "latnt": 3}})
    with pytest.raises(AssertionError):
        checked({"data": {"sise": 64}})


@pytest.mark.parametrize("text", [text for page in PAGES for text in blocks(page, "toml")])
def test_a_recipe_is_one(text: str) -> None:
    checked(toml.loads(text, "the page"))


def test_the_family_of_the_architecture_page_trains(tmp_path: Path) -> None:
    page = ROOT / "docs" / "architecture.md"
    (program,) = (text for text in blocks(page, "python") if "class AE(" in text)
    (tmp_path / "ae.py").write_text(program, "utf-8")
    small = ["--set", "train.steps=2", "--set", "train.batch=8", "--quiet"]
    run = tmp_path / "run"
    made = inside("fit", "digits", "--model", tmp_path / "ae.py", *small, "--out", run)
    assert made.status == 0, made.err
    codes = tmp_path / "codes.npz"
    told = inside("encode", run, "digits", "--trust", tmp_path / "ae.py", "--out", codes)
    assert told.status == 0, told.err
    assert codes.is_file()


def test_the_part_of_the_architecture_page_trains(tmp_path: Path) -> None:
    page = ROOT / "docs" / "architecture.md"
    (program,) = (text for text in blocks(page, "python") if "class NoneAtAll(" in text)
    names = "from dataclasses import dataclass\nfrom torch import Tensor\n"
    beside = "from twofold.maths.divergences import Code, Formula\n"
    (tmp_path / "part.py").write_text(names + beside + program, "utf-8")
    part = ["--set", f"model.divergence.name={tmp_path / 'part.py'}"]
    small = ["--set", "train.steps=2", "--set", "train.batch=8", "--quiet"]
    made = inside("fit", "digits", *part, *small, "--out", tmp_path / "run")
    assert made.status == 0, made.err
    rates = [line.get("rate") for line in lines(tmp_path / "run" / "log.jsonl")]
    assert [rate for rate in rates if rate is not None] == [0, 0]
