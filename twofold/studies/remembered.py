"""What a study has done already when it goes on: for what it was asked, and what it measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twofold.core.errors import UserError


def remembered(path: Path, measure: Callable[[], Sequence[float]]) -> list[float]:
    """The figures that an earlier call left in a file, or those measured now, which are left there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "errors.json"
    ...     remembered(path, lambda: [0.25]), remembered(path, lambda: [0.5])
    ([0.25], [0.25])
    """
    if not path.is_file():
        found = [*map(float, measure())]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found), encoding="utf-8")
    return [*map(float, json.loads(path.read_text("utf-8")))]


def hold(folder: Path, asked: Any) -> None:
    """Note beside a run's folder what it is asked for; refuse to go on with another run.

    Raises:
        UserError: the folder has a run of something else, or of nobody knows what.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     run = Path(out) / "vae-0"
    ...     hold(run, {"steps": 2})
    ...     run.mkdir()
    ...     hold(run, {"steps": 2})
    ...     hold(run, {"steps": 3})
    Traceback (most recent call last):
    ...
    twofold.core.errors.UserError: ...vae-0 has a run that was asked otherwise, ...
    """
    path = folder.with_name(f"{folder.name}.asked.json")
    text = json.dumps(asked, indent=1, sort_keys=True, default=str)
    if folder.is_dir() and not (path.is_file() and path.read_text("utf-8") == text):
        raise UserError(
            f"{folder} has a run that was asked otherwise, by another version of the study, and "
            "cannot be gone on with; move it away, or name another --out"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
