"""Recipes: what to train, on what, and how, as three tables.

A recipe names a model, data and training; whatever it leaves out is the constructor's default. A
recipe is found by name among those that come with Twofold, or by path. On top of it come the
settings of the command line, `--set model.latent=8`. A resolved recipe is complete: it is written
into the run, and read again it gives the same run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from twofold.core import toml
from twofold.core.build import (
    NO_TRUST,
    Trust,
    arguments,
    build_part,
    complete,
    kebab,
    naming,
    resolved,
)
from twofold.core.errors import UserError, nearest
from twofold.core.game import Model
from twofold.core.space import Space
from twofold.core.switches import refuse
from twofold.models import family
from twofold.train.options import Training

Table = dict[str, Any]
TABLES = ("model", "data", "train")
SPACES = ("space", "given")


def recipes() -> dict[str, Path]:
    """The recipes that come with Twofold, by name."""
    folder = Path(str(files("twofold") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


Named = str | Path | Mapping[str, Any]
"""A recipe by name or path, or its tables."""


def load_recipe(asked: Named) -> Table:
    """A recipe by path or by name; one that is there as tables, as it is.

    Raises:
        UserError: there is no such recipe, or it has a table that recipes do not have.
    """
    if isinstance(asked, Mapping):
        check_tables(asked, "recipe")
        return merged({}, asked)
    name, known = str(asked), recipes()
    if not name.endswith(".toml") and name not in known:
        raise UserError(f"there is no recipe {name!r}; {nearest(name, known)}")
    path = Path(name) if name.endswith(".toml") else known[name]
    if not path.is_file():
        raise UserError(f"{path} is not there; check the path, or see twofold recipes")
    table = toml.load(path)
    check_tables(table, str(path))
    return table


def check_tables(table: Mapping[str, Any], where: str) -> None:
    """A recipe has three tables and nothing else."""
    for key, value in table.items():
        if key not in TABLES or not isinstance(value, dict):
            raise UserError(f"{where}: {key!r} is not a table of a recipe; {nearest(key, TABLES)}")


Settings = Iterable[str] | Mapping[str, Any]
"""What changes a recipe: texts as on the command line, or in Python values by key, or tables."""


def settings(asked: Settings) -> Table:
    """Settings as a recipe.

    >>> settings(["model.latent=8", "train.schedule=cosine"])
    {'model': {'latent': 8}, 'train': {'schedule': 'cosine'}}
    >>> settings(["train.schedule=cosine", "train.schedule.warmup=0.1"])
    {'train': {'schedule': {'name': 'cosine', 'warmup': 0.1}}}
    >>> settings({"model.latent": 8, "train": {"steps": 500}})
    {'model': {'latent': 8}, 'train': {'steps': 500}}
    """
    table: Table = {}
    for pair, path, value in parted(asked):
        *sections, key = path.split(".")
        if not sections:
            raise UserError(f"--set {pair} should read table.key=value, such as model.latent=8")
        inner = table
        for section in sections:
            old = inner.get(section, {})
            inner[section] = {"name": old} if isinstance(old, str) else old  # a part by its name
            if not isinstance(inner[section], dict):
                raise UserError(f"--set {pair}: {section} is {old!r}, which has no options")
            inner = inner[section]
        inner[key] = value
    check_tables(table, "--set")
    return table


def parted(asked: Settings) -> Iterator[tuple[str, str, Any]]:
    """Each setting in words, its key and its value; without a key where it is no setting."""
    if isinstance(asked, Mapping):
        for key, value in asked.items():
            inner = value if isinstance(value, Mapping) and "." not in key else {}
            yield from ((f"{key}.{k}={v}", f"{key}.{k}", v) for k, v in inner.items())
            if not inner:
                yield f"{key}={value}", key, value
        return
    for pair in [asked] if isinstance(asked, str) else asked:
        path, equals, value = pair.partition("=")
        yield pair, path.strip() if equals else "", toml.value_of(value.strip()) if equals else ""


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Table:
    """One recipe over another; a part that is named anew forgets its old options.

    >>> merged({"a": {"name": "x", "k": 1}}, {"a": {"name": "y"}})
    {'a': {'name': 'y'}}
    >>> merged({"a": "x", "b": 1}, {"a": {"k": 2}})
    {'a': {'name': 'x', 'k': 2}, 'b': 1}
    """
    out = dict(base)
    for key, new in over.items():
        old = out.get(key, {})
        if not isinstance(new, Mapping):
            out[key] = new
            continue
        named = {"name": old} if isinstance(old, str) else old if isinstance(old, Mapping) else {}
        keep = named if new.get("name", named.get("name")) == named.get("name") else {}
        out[key] = merged(keep, new)
    return out


@dataclass(frozen=True)
class Plan:
    """A recipe made of objects, and its complete text."""

    make: type[Model]
    options: Table
    training: Training
    data: Table
    recipe: Table

    def build(self, space: Space, given: Space) -> Model:
        """The model, freshly initialised by torch's generator."""
        return self.make(space, given, **self.options)


def plan(recipe: Mapping[str, Any], data: Table, trust: Trust = NO_TRUST) -> Plan:
    """Check a recipe and complete it.

    Args:
        recipe: as written, with its settings.
        data: the `data` table, already complete.
        trust: the user's own files that may run.
    """
    table = dict(recipe.get("model", {}))
    name, digest = str(table.pop("name", "vae")), str(table.pop("sha256", ""))
    make = family(name, digest, trust)
    refuse(make, table)
    options = arguments(make, table, "model", trust, SPACES)
    training = build_part(Training, {"name": kebab("Training"), **recipe.get("train", {})}, "train")
    train = resolved(training)
    del train["name"]
    train["players"] = {k: resolved_player(v) for k, v in training.players.items()}
    whole = {
        "model": {"name": name, **naming_of(make, name), **complete(make, options, SPACES)},
        "data": data,
        "train": train,
    }
    return Plan(make, options, training, data, whole)


def naming_of(make: type, name: str) -> Table:
    """How the run names its family: by name, or by the path and hash of the user's file."""
    return naming(make) if name.endswith(".py") else {"name": name}


def resolved_player(player: Any) -> Table:
    """A player's own options, without those it leaves alone."""
    return {k: v for k, v in resolved(player).items() if v is not None and k != "name"}
