"""The command is a skin over the verbs: the same names, the same arguments, the same defaults."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

import twofold
from tests.stories.commands import inside, refused
from twofold import verbs
from twofold.cli import commands
from twofold.core.errors import UserError
from twofold.core.space import Space
from twofold.data.doctor import every_kind
from twofold.models import families
from twofold.runs import matrix

ONLY_PRINTING = {"json"}


def commands_by_name() -> dict[str, Any]:
    public = {*twofold.__all__}
    return {
        name: item
        for name, item in vars(commands).items()
        if inspect.isfunction(item) and name in public and item.__module__ == commands.__name__
    }


@pytest.mark.parametrize("name", sorted(commands_by_name()))
def test_a_command_has_the_arguments_of_its_verb(name: str) -> None:
    ours = inspect.signature(getattr(commands, name)).parameters
    verb = inspect.signature(getattr(verbs, name)).parameters
    options = {k for k, p in verb.items() if p.kind is p.VAR_KEYWORD}
    assert set(verb) - options <= set(ours), name
    of_data = {"set", "skip_bad"} if options else set()
    assert set(ours) - set(verb) <= ONLY_PRINTING | of_data, name


@pytest.mark.parametrize("name", sorted(commands_by_name()))
def test_a_command_has_the_defaults_of_its_verb(name: str) -> None:
    ours = inspect.signature(getattr(commands, name)).parameters
    for key, parameter in inspect.signature(getattr(verbs, name)).parameters.items():
        if parameter.default is not parameter.empty and key in ours:
            assert repr(ours[key].default or None) == repr(parameter.default or None), key


def test_every_public_verb_is_a_command() -> None:
    public = set(twofold.__all__) - {"__version__", "load"}
    assert public == set(commands_by_name())


def test_the_matrix_has_every_family_on_every_kind() -> None:
    found = twofold.models(matrix=True)
    assert set(found) == set(families())
    assert all(set(row) == set(every_kind()) for row in found.values())
    cells = [(kind, cell) for row in found.values() for kind, cell in row.items()]
    assert all(
        cell == "trains" or re.search("grids of|for tokens|for series", cell) for _, cell in cells
    )
    shown = [cell for kind, cell in cells if kind in ("images", "series")]
    assert all(cell == "trains" or re.search("for tokens|for series", cell) for cell in shown)
    assert all("trains" in row.values() for row in found.values())


def test_what_does_not_train_says_why() -> None:
    def refuses(space: Space, given: Space) -> None:
        raise UserError("no such data")

    assert matrix.tried(refuses, Space()) == "no such data"  # type: ignore[arg-type]


def test_a_word_too_many_is_told_with_what_to_do() -> None:
    refused(inside("project", "run", "a.png", "b.png"), "b.png is one word too many", "a folder")
