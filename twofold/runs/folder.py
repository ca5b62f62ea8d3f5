"""The run folder: its name, its files, and how it is made without overwriting anything.

runs/00007-vae-fashion-mnist/
    recipe.toml           resolved and complete
    space.json            the kind of data, its Space, what is given, the labels that occur
    weights.safetensors   average.safetensors   best.safetensors
    state.safetensors     state.json            what resume needs, and the hashes of it all
    log.jsonl             a line a tick
    previews/             the same latents through the run, thinned
    measures.json         report.html           card.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twofold.core import toml
from twofold.core.errors import UserError
from twofold.core.plain import plain
from twofold.data.doctor import remember
from twofold.data.kind import Kind
from twofold.train.checkpoint import AGAIN, FORMAT, full, parse, replace

KEPT_PREVIEWS = 24


def new_folder(out: str | Path, root: Path, title: str) -> Path:
    """Make the folder of a new run: `out` itself, or the next number under `root`.

    Raises:
        UserError: the folder exists, or cannot be made.
    """
    try:
        if out:
            return made(Path(out))
        root.mkdir(parents=True, exist_ok=True)
        return numbered(root, title)
    except FileExistsError:
        raise UserError(
            f"{out} exists; choose another --out, or go on with: twofold resume {out}"
        ) from None
    except OSError as error:
        raise UserError(
            f"{out or root} cannot be made ({error.strerror}); choose another --out"
        ) from None


def made(path: Path) -> Path:
    """An empty folder, new or already there."""
    if path.is_dir() and not any(path.iterdir()):
        return path
    path.mkdir(parents=True)
    return path


def numbered(root: Path, title: str) -> Path:
    """The next free number; another process may take one at the same moment."""
    while True:
        taken = [int(m[0]) for p in root.iterdir() if (m := re.match(r"\d{5}", p.name))]
        path = root / f"{max(taken, default=-1) + 1:05d}-{slug(title)}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path


def slug(title: str) -> str:
    """A title as part of a file name.

    >>> slug("vae-My photos (old)")
    'vae-my-photos-old'
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60]


def write_recipe(folder: Path, recipe: Mapping[str, Any], head: str) -> None:
    """Write the resolved recipe, headed by what made it."""
    text = "".join(f"# {line}\n" for line in head.splitlines()) + toml.dumps(recipe)
    guarded(folder, lambda: replace(folder / "recipe.toml", text.encode()))


def write_space(folder: Path, kind: Kind, known: Mapping[str, Any]) -> None:
    """Write what an observation is; `known` are the conditions that occur, with their counts."""
    data = {
        "format": FORMAT,
        "kind": remember(kind),
        "space": kind.space.to_dict(),
        "given": kind.given.to_dict(),
        "known": dict(known),
    }
    put(folder / "space.json", json.dumps(data, indent=1))  # a bound may be infinite


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file of a run in one step, null for what is not a number."""
    put(path, json.dumps(plain(data), indent=1, allow_nan=False))


def put(path: Path, text: str) -> None:
    """Write a text file of a run in one step."""
    guarded(path.parent, lambda: replace(path, (text + "\n").encode()))


def guarded(folder: Path, write: Callable[[], None]) -> None:
    """Write, and say in one sentence why it cannot be."""
    try:
        write()
    except OSError as error:
        raise full(folder, error) from None


def read_recipe(folder: Path) -> dict[str, Any]:
    """The resolved recipe of a run.

    Raises:
        UserError: it is not all there.
    """
    path = existing(folder) / "recipe.toml"
    try:
        recipe = toml.load(path)
    except UserError as error:
        raise UserError(f"{error}; {AGAIN}") from None
    missing = [key for key in ("model", "data", "train") if not isinstance(recipe.get(key), dict)]
    if missing or "name" not in recipe["model"]:
        what = ", ".join(f"[{key}]" for key in missing) or "model.name"
        raise UserError(f"{path} is damaged: it lacks {what}; {AGAIN}")
    return recipe


def read_space(folder: Path) -> dict[str, Any]:
    """`space.json` of a run."""
    return parse(existing(folder) / "space.json", ("kind", "space", "given", "known"))


def existing(folder: Path) -> Path:
    """A folder that holds a run.

    Raises:
        UserError: it is not there, or holds no run.
    """
    if not folder.exists():
        raise UserError(f"{folder} is not there; check the path, or train a run with: twofold fit")
    if not (folder / "recipe.toml").is_file():
        raise UserError(f"{folder} is not a run folder: it has no recipe.toml")
    return folder


def free(path: Path) -> Path:
    """A folder that is not taken: itself, or numbered."""
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def thinned(previews: list[Path]) -> list[Path]:
    """Those previews to drop so that the rest are few and spread over the whole run.

    Of each close pair the later goes, the closest pair (by their share of the run) first; the first
    and the last stay.
    """
    kept = sorted(previews)
    dropped = []
    while len(kept) > KEPT_PREVIEWS:
        steps = [int(path.stem) for path in kept]
        gaps = [(steps[i + 1] - steps[i - 1], i) for i in range(1, len(kept) - 1)]
        dropped.append(kept.pop(min(gaps)[1]))
    return dropped
