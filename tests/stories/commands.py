"""Running the command as a user does: a process of its own, its output and its exit status."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
SMALL = {
    "vae": '{name = "dense", width = 16, depth = 1}',
    "gain": '{name = "dense", width = 16, depth = 1}',
    "gan": '{name = "dense", width = 16, depth = 1}',
}
GAME = ("generator", "critic")
PARTS = {"vae": ("encoder", "decoder"), "gan": GAME, "gain": GAME}


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    status: int
    out: str
    err: str


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "twofold", *map(str, words)]


def twofold(*words: str | Path) -> Answer:
    """Run a command to its end."""
    done = subprocess.run(
        command(*words), capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def refused(answer: Answer, *words: str) -> None:
    """A user's mistake: status 2, one sentence with these words, no traceback."""
    assert answer.status == 2, answer
    assert "Traceback" not in answer.err, answer.err
    last = answer.err.strip().splitlines()[-1]
    assert last.startswith("twofold: "), answer.err
    for word in words:
        assert word in last, (word, last)


def settings(model: str, **train: object) -> list[str]:
    """`--set` words for a small run of a family."""
    sets = [f"model.{part}={SMALL[model]}" for part in PARTS[model]]
    sets += [f"train.{key}={value}" for key, value in train.items()]
    return [word for pair in sets for word in ("--set", pair)]


def inside(*words: str | Path) -> Answer:
    """Run a command in this process, which is faster and says the same."""
    from twofold import cli

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.status([str(word) for word in words], debug=False)
    return Answer(status, out.getvalue(), err.getvalue())
