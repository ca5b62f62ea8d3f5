"""Figures that a study has measured and need not measure again when it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path


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
