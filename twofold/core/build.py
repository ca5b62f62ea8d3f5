"""From a table to objects: the constructor's signature is the schema.

A recipe is a tree of tables. A table becomes an object by naming it and giving its constructor's
arguments; what it leaves out takes the constructor's default, and a key that the constructor does
not have is an error that names it and the nearest valid one. A *part* is a class that derives from
`Part`; parts of one sort (every `Divergence`, every `Penalty`) are found by walking the subclasses,
under their class name in kebab-case. A *family* is a file of `twofold/models/`, under the file's
name. Either may be a file of the user's own, given by path; it is run only when it is trusted.

>>> @dataclass(frozen=True)
... class Shape(Part): ...
>>> @dataclass(frozen=True)
... class Circle(Shape):
...     radius: float = 1.0
>>> build_part(Shape, {"name": "circle", "radius": 2}, "shape")
Circle(radius=2.0)
>>> build_part(Shape, {"name": "circle", "raduis": 2}, "shape")
Traceback (most recent call last):
...
twofold.core.errors.UserError: shape.raduis is not an option of circle; did you mean 'radius'?
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from twofold.core.errors import UserError, nearest
from twofold.core.own import EXTERNAL, run_file, sha256

T = TypeVar("T")


class Part:
    """Something a model is made of, chosen in a recipe by name; a frozen dataclass."""


@dataclass(frozen=True)
class Trust:
    """The user's own files that may run: paths by the sha256 of what they hold."""

    files: Mapping[str, Path]

    @classmethod
    def of(cls, paths: Sequence[Path | str] = ()) -> Trust:
        """Trust these files as they are now.

        >>> Trust.of().files
        {}
        """
        return cls({sha256(Path(path)): Path(path) for path in paths})

    def find(self, name: str, digest: str) -> Path:
        """The trusted file that a recipe names by path and, when from a run, by hash."""
        here = sha256(Path(name)) if Path(name).is_file() else ""
        wanted = digest or here
        if wanted in self.files:
            return self.files[wanted]
        if not self.files:
            raise UserError(
                f"{name} holds code; read it, and name it with --trust {name} to run it"
            )
        if wanted == here:
            given = ", ".join(map(str, self.files.values()))
            raise UserError(
                f"{name} is needed, and --trust names {given}, whose sha256 differs; read {name}, "
                f"and name it with --trust {name} to run it"
            )
        raise UserError(f"{self.instead(name)}; restore the one whose sha256 is {digest[:12]}…")

    def instead(self, name: str) -> str:
        """That none of these files is the one that was used, in words."""
        same = [path for path in self.files.values() if path.name == Path(name).name]
        given = ", ".join(map(str, same or self.files.values()))
        return f"{given} is not the {Path(name).name} that was used (its sha256 differs)"


NO_TRUST = Trust({})


def kebab(name: str) -> str:
    """A class name as it is written in a recipe.

    >>> kebab("SquaredError"), kebab("MMD"), kebab("R1")
    ('squared-error', 'mmd', 'r1')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def parts_of(base: type[T]) -> dict[str, type[T]]:
    """Every concrete part of one sort, by name; a sort that is concrete is one of its own."""
    hidden = inspect.isabstract(base) or base.__module__ in EXTERNAL
    found = {} if hidden else {kebab(base.__name__): base}
    for sub in base.__subclasses__():
        found |= parts_of(sub)
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Option:
    """One argument of a constructor: its type, its default, and what it is."""

    name: str
    annotation: Any
    default: Any


def options(make: Callable[..., Any], skip: Sequence[str] = ()) -> dict[str, Option]:
    """The arguments of a constructor that a recipe may give."""
    fields_alone = is_dataclass(make)  # its own words and those it inherits, each where written
    target = make.__init__ if inspect.isclass(make) and not fields_alone else make
    hints = typing.get_type_hints(target, include_extras=True)
    return {
        name: Option(name, hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(make).parameters.items()
        if name not in skip
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }


def arguments(
    make: Callable[..., Any],
    table: Mapping[str, Any],
    where: str,
    trust: Trust = NO_TRUST,
    skip: Sequence[str] = (),
) -> dict[str, Any]:
    """The keyword arguments that a table gives to a constructor, checked and converted."""
    valid = options(make, skip)
    title = kebab(make.__name__)
    for key in table:
        if key not in valid:
            hint = nearest(key, valid)
            raise UserError(f"{where}.{key} is not an option of {title}; {hint}")
    return {
        key: convert(
            valid[key].annotation, unnamed(value, valid[key].default), f"{where}.{key}", trust
        )
        for key, value in table.items()
    }


def unnamed(value: Any, default: Any) -> Any:
    """A value, where a table without a name means the part that stands there by default.

    >>> @dataclass(frozen=True)
    ... class Dot(Part): ...
    >>> unnamed({"size": 2}, Dot()), unnamed(8, 16)
    ({'name': 'dot', 'size': 2}, 8)
    """
    if isinstance(default, Part) and isinstance(value, Mapping) and "name" not in value:
        return naming(type(default)) | dict(value)
    return value


def convert(annotation: Any, value: Any, where: str, trust: Trust) -> Any:
    """A plain value as the type that a constructor asks for."""
    if is_part(annotation):
        return (
            value if isinstance(value, annotation) else build_part(annotation, value, where, trust)
        )
    if typing.get_origin(annotation) is tuple and is_part(typing.get_args(annotation)[0]):
        sort = typing.get_args(annotation)[0]
        return tuple(convert(sort, item, f"{where}[{i}]", trust) for i, item in enumerate(value))
    for sort in filter(is_part, typing.get_args(annotation)):  # a number, or one that varies
        if isinstance(value, str | Mapping | sort):
            return convert(sort, value, where, trust)
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        raise UserError(f"{where} = {value!r}: {error.errors()[0]['msg'].lower()}") from None


def is_part(annotation: Any) -> bool:
    """Whether a type is a sort of part."""
    return inspect.isclass(annotation) and issubclass(annotation, Part)


def build_part(
    sort: type[T], spec: str | Mapping[str, Any], where: str, trust: Trust = NO_TRUST
) -> T:
    """A part from its name, or from a table with its name and options."""
    table = {"name": spec} if isinstance(spec, str) else dict(spec)
    if "name" not in table:
        raise UserError(f"{where} needs a name; {nearest('', parts_of(sort))}")
    name, digest = str(table.pop("name")), str(table.pop("sha256", ""))
    make = (
        from_file(sort, name, digest, trust) if name.endswith(".py") else named(sort, name, where)
    )
    return make(**arguments(make, table, where, trust))


def named(sort: type[T], name: str, where: str) -> type[T]:
    """The class of a part by its name."""
    valid = parts_of(sort)
    if name not in valid:
        raise UserError(f"{where} = {name!r} is not known; {nearest(name, valid)}")
    return valid[name]


def classes_in(package: str, base: type[T]) -> list[type[T]]:
    """Every concrete class of one sort that the files of a package define, file by file."""
    return [
        item
        for module in modules_in(package)
        for item in vars(module).values()
        if inspect.isclass(item)
        and issubclass(item, base)
        and item.__module__ == module.__name__
        and not inspect.isabstract(item)
    ]


@cache
def modules_in(package: str) -> tuple[types.ModuleType, ...]:
    """The files of a package, imported."""
    inside = importlib.import_module(package)
    found = pkgutil.iter_modules(inside.__path__)
    return tuple(importlib.import_module(f"{package}.{item.name}") for item in found)


def from_file(sort: type[T], name: str, digest: str, trust: Trust) -> type[T]:
    """The one class of a sort that a trusted file of the user's defines."""
    path = trust.find(name, digest)
    module = run_file(path)
    every = [
        item
        for item in vars(module).values()
        if inspect.isclass(item) and issubclass(item, sort) and item.__module__ == module.__name__
    ]
    found = [item for item in every if not inspect.isabstract(item)]
    if len(found) == 1:
        return found[0]
    if every and not found:
        raise UserError(f"{path}: {'; '.join(map(lacking, every))}; write them")
    names = ", ".join(item.__name__ for item in found) or "none"
    raise UserError(
        f"{path} must define exactly one {sort.__name__}, a class that derives from "
        f"{sort.__module__}.{sort.__name__}; it defines {names}"
    )


def lacking(cls: type) -> str:
    """Which methods a class has yet to define."""
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    return f"the class {cls.__name__} lacks {', '.join(missing)}"


def resolved(thing: object) -> Any:
    """A part, or any plain value, as the table that would build it again, defaults included.

    >>> resolved(Trust({}))
    {'name': 'trust', 'files': {}}
    """
    if is_dataclass(thing) and not isinstance(thing, type):
        values = {field.name: resolved(getattr(thing, field.name)) for field in fields(thing)}
        return naming(type(thing)) | values
    if isinstance(thing, tuple | list):
        return [resolved(item) for item in thing]
    return thing


def naming(cls: type) -> dict[str, Any]:
    """How a recipe names a class: its name, or the path and hash of the user's file."""
    return dict(EXTERNAL.get(cls.__module__, {"name": kebab(cls.__name__)}))


def complete(
    make: Callable[..., Any], given: Mapping[str, Any], skip: Sequence[str] = ()
) -> dict[str, Any]:
    """All options of a constructor as plain data: those given, and the defaults of the rest."""
    return {
        name: resolved(given.get(name, option.default))
        for name, option in options(make, skip).items()
    }
