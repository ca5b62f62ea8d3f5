"""Numbers that no verb can use: status 2 and one sentence, before anything is read or written."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from pathlib import Path

import pytest

import twofold
from tests.stories.commands import inside, refused, settings
from twofold import verbs
from twofold.cli import commands
from twofold.core.errors import UserError
from twofold.core.ranges import LARGEST_SEED, ranges_of
from twofold.runs import room
from twofold.runs.run import Run

PUBLIC = sorted(set(twofold.__all__) - {"__version__", "load"})
SETTINGS = [*settings("vae", steps=2, batch=8), "--quiet"]


def counts(name: str) -> list[str]:
    """The parameters of a verb that are whole numbers."""
    hints = typing.get_type_hints(getattr(verbs, name))
    return [key for key, hint in hints.items() if hint is int and key != "return"]


EVERY = [(name, key) for name in PUBLIC for key in counts(name)]
NEEDS = {"augment": {"by": "label"}}
FIRST = {"compare": ("nowhere", "nowhere else"), "reproduce": ("ring",)}


def required(function: Callable[..., object]) -> list[str]:
    """Words for the arguments that a verb or a command must have, of what is not there."""
    asked = inspect.signature(function).parameters.values()
    places = [p for p in asked if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    return ["nowhere" for _ in places]


def call(name: str, **given: object) -> None:
    """A verb on what is not there: a number that it takes ends in another sentence."""
    verb = getattr(verbs, name)
    verb(*FIRST.get(name, required(verb)), **NEEDS.get(name, {}), **given)


@pytest.mark.parametrize(("name", "key"), EVERY)
def test_a_whole_number_of_a_verb_has_a_range(name: str, key: str) -> None:
    allowed = ranges_of(getattr(verbs, name))[key]
    for value in (allowed.least - 1, -10, allowed.least + 0.5):
        with pytest.raises(
            UserError, match=f"^{key} = {value} is no {allowed.noun}; give --?{key}"
        ):
            call(name, **{key: value})


@pytest.mark.parametrize("name", [name for name, key in EVERY if key == "seed"])
def test_a_seed_is_one_that_every_generator_takes(name: str) -> None:
    with pytest.raises(UserError, match=r"seed = .* is no seed; give --seed"):
        call(name, seed=LARGEST_SEED + 1)
    with pytest.raises(UserError, match="nowhere"):
        call(name, seed=LARGEST_SEED)


@pytest.mark.parametrize(("name", "key"), EVERY)
def test_a_whole_number_of_a_command_is_not_rounded(name: str, key: str) -> None:
    needs = [word for k, v in NEEDS.get(name, {}).items() for word in (f"--{k}", v)]
    flag = f"-{key}" if len(key) == 1 else f"--{key}"
    told = inside(name, *required(getattr(commands, name)), *needs, flag, "2.5")
    refused(told, flag, "2.5 is no whole")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the embedded digits, and directions of it."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    assert inside("fit", "digits", *SETTINGS, "--out", path).status == 0
    assert inside("directions", path, "--how", "weights", "-k", "1").status == 0
    return path


MANY = "10000000000"
LARGE: dict[str, tuple[str, ...]] = {
    "draws": ("sample", "-n", MANY),
    "draws under a condition": ("sample", "-n", MANY, "--given", "label=3"),
    "ways between draws": ("interpolate", "--pairs", MANY),
    "steps of ways": ("interpolate", "--steps", MANY),
    "steps between observations": ("interpolate", "digits", "--steps", MANY),
    "steps along dimensions": ("traverse", "--steps", MANY),
    "draws that are moved": ("edit", "--direction", "sefa-1", "-n", MANY),
}


@pytest.mark.parametrize("case", LARGE)
def test_more_than_memory_holds_is_refused(case: str, run: Path) -> None:
    name, *words = LARGE[case]
    told = inside(name, run, *words)
    refused(told, "more than this machine's memory holds", "at most")


def test_there_is_room_for_as_many_as_memory_holds(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture of 8 by 8 pixels and its label take 4 · (3 · 64 + 1) bytes."""
    opened = Run.open(run)
    monkeypatch.setattr(room, "memory", lambda: 20 * 4 * (3 * 64 + 1))
    opened.room_for(20)
    with pytest.raises(UserError, match=r"^21 observations .* ask for 20 at most"):
        opened.room_for(21)


def test_the_largest_seed_draws_and_no_other_divides(run: Path, tmp_path: Path) -> None:
    told = inside("sample", run, "--seed", LARGEST_SEED, "-n", "2", "--out", tmp_path / "drawn")
    assert told.status == 0, told
    beyond = f"data.split.seed={LARGEST_SEED + 1}"
    told = inside("fit", "digits", *SETTINGS, "--set", beyond, "--out", tmp_path / "run")
    refused(told, beyond.replace("=", " = "), str(LARGEST_SEED))
