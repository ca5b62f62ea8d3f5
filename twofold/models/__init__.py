"""The families, one a file; the file's name is the family's name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from types import ModuleType

from twofold.core.build import NO_TRUST, Trust, from_file
from twofold.core.errors import UserError, nearest
from twofold.core.game import Model


def families() -> dict[str, type[Model]]:
    """Every family, by name.

    >>> {"gan", "vae"} <= set(families())
    True
    """
    return {name: family(name) for name in names()}


@cache
def names() -> tuple[str, ...]:
    """The names of the families, without importing them."""
    return tuple(sorted(item.name for item in pkgutil.iter_modules(__path__)))


def family(name: str, digest: str = "", trust: Trust = NO_TRUST) -> type[Model]:
    """A family by name, or from a file of the user's own that is trusted.

    Args:
        name: of the family, or the path of a Python file.
        digest: the sha256 of that file, where a run remembers it.
        trust: the files that may run.
    """
    if name.endswith(".py"):
        return from_file(Model, name, digest, trust)
    if name not in names():
        raise UserError(f"there is no model {name!r}; {nearest(name, names())}")
    return packaged(name)


@cache
def packaged(name: str) -> type[Model]:
    """A family of this package."""
    return the_model(importlib.import_module(f"{__name__}.{name}"))


def the_model(module: ModuleType) -> type[Model]:
    """The one model that a module defines."""
    found = [
        item
        for item in vars(module).values()
        if inspect.isclass(item) and issubclass(item, Model) and item.__module__ == module.__name__
    ]
    return found[0]
