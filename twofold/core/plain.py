"""Plain data: what JSON knows, in which there is neither NaN nor an infinite number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any


def plain(thing: Any) -> Any:
    """A thing as JSON knows it: there is no NaN, and what is infinite is a text.

    >>> plain({"low": math.nan, "high": (1, math.inf)})
    {'low': None, 'high': [1, 'inf']}
    """
    if is_dataclass(thing) and not isinstance(thing, type):
        return plain(asdict(thing))
    if isinstance(thing, Mapping):
        return {str(k): plain(v) for k, v in thing.items()}
    if isinstance(thing, Sequence) and not isinstance(thing, str):
        return [plain(item) for item in thing]
    if isinstance(thing, float) and not math.isfinite(thing):
        return None if math.isnan(thing) else str(thing)
    return str(thing) if isinstance(thing, Path) else thing
