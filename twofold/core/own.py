"""Files of the user's own: each is run once, and a fault in one is told as theirs.

A file is run as a module that nothing imports; what it defines is known by the module's name. What
goes wrong while it runs, or later in what it defines, has a line of that file in its traceback.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path

from twofold.core.errors import UserError

EXTERNAL: dict[str, dict[str, str]] = {}
"""The modules: of each its path and its hash."""


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    if not path.is_file():
        raise UserError(f"{path} is not there; check the path")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run_file(path: Path) -> types.ModuleType:
    """Run a Python file as a module, once for each content.

    Raises:
        UserError: it cannot be read as Python, or fails while it runs.
    """
    digest = sha256(path)
    title = f"twofold_user_{path.stem}_{digest[:12]}"
    if title in sys.modules:
        return sys.modules[title]
    spec = importlib.util.spec_from_file_location(title, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is not a Python file; give one that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[title] = module
    EXTERNAL[title] = {"name": str(path.resolve()), "sha256": digest}
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        faults = list(faults_of(error))
        del sys.modules[title], EXTERNAL[title]  # half a module is none
        raise UserError(next(iter(faults), f"{path}: {described(error)}")) from error
    return module


def faults_of(error: Exception) -> Iterator[str]:
    """What is wrong in a file of the user's own, where an exception came through one."""
    own = {item["name"] for item in EXTERNAL.values()}
    if isinstance(error, SyntaxError) and str(Path(error.filename or "").resolve()) in own:
        yield told(error.filename or "", error.lineno or 1, f"{type(error).__name__}: {error.msg}")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if resolved(f.filename) in own]
    if frames:
        yield told(frames[-1].filename, frames[-1].lineno or 1, described(error))
    missed = type(getattr(error, "obj", None))  # an attribute that ours asked of theirs
    if missed.__module__ in EXTERNAL:
        yield told(*defined(missed), described(error))


def resolved(name: str) -> str:
    """The whole path of a file that a traceback names."""
    return str(Path(name).resolve())


def defined(cls: type) -> tuple[str, int]:
    """The file and the line of a class."""
    return EXTERNAL[cls.__module__]["name"], inspect.getsourcelines(cls)[1]


def described(error: Exception) -> str:
    """An exception in a few words.

    >>> described(ValueError("no such shape"))
    'ValueError: no such shape'
    """
    return f"{type(error).__name__}: {error}"


def told(path: str, line: int, what: str) -> str:
    """The sentence of a fault at a place."""
    return f"{path}, line {line}: {what.rstrip('.')}; the fault is in that file: mend it there"
