"""Recipes as text: reading is the standard library's; this writes.

Tables become sections, tables inside lists and parts become inline tables, None is left out.

>>> print(dumps({"model": {"name": "vae", "latent": 8}, "train": {"lr": 0.001}}))
[model]
name = "vae"
latent = 8
<BLANKLINE>
[train]
lr = 0.001
<BLANKLINE>
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twofold.core.errors import UserError


def loads(text: str, where: str) -> dict[str, Any]:
    """A table from TOML; `where` names the text in errors."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where} is not valid TOML: {error}") from None


def load(path: Path) -> dict[str, Any]:
    """A table from a TOML file."""
    try:
        return loads(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None


def dumps(table: Mapping[str, Any]) -> str:
    """A table as TOML, one section a top-level table."""
    loose = [pair(k, v) for k, v in table.items() if not isinstance(v, Mapping) and v is not None]
    sections = [
        "\n".join([f"[{key(k)}]", *(pair(a, b) for a, b in v.items() if b is not None)]) + "\n"
        for k, v in table.items()
        if isinstance(v, Mapping)
    ]
    return "\n".join([*loose, *sections])


def pair(name: str, value: Any) -> str:
    return f"{key(name)} = {literal(value)}"


def key(name: str) -> str:
    """A bare key where TOML allows it, a quoted one elsewhere."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def literal(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(pair(k, v) for k, v in value.items() if v is not None) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return str(value) if isinstance(value, int) else json.dumps(str(value), ensure_ascii=False)


def number(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def value_of(text: str) -> Any:
    """What a word of the command line means: a TOML value, or else the word itself.

    >>> value_of("8"), value_of("[1, 2]"), value_of("hinge"), value_of("true")
    (8, [1, 2], 'hinge', True)
    """
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
