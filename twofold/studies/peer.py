"""The other side of a comparison: a library of its own, in a process and environment of its own.

The variable `TWOFOLD_PEER_PYTHON` names an interpreter with what `benchmarks/peers.txt` lists, and
`benchmarks/peer.py`, which that interpreter runs, answers requests: one a line, in JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Self

from twofold.core.errors import UserError

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "peer.py"
"""It lies in a checkout of the repository, and not in the package."""


def interpreters() -> list[str]:
    """The peer's interpreter, if one is named and the program is here."""
    python = os.environ.get("TWOFOLD_PEER_PYTHON", "")
    return [python] if python and PROGRAM.is_file() else []


class Peer:
    """A process of the peer's, which ends with the `with` block.

    Args:
        python: its interpreter. threads: that it may use.
    """

    def __init__(self, python: str, threads: int) -> None:
        self.process = subprocess.Popen(
            [python, str(PROGRAM), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, do: str, **what: object) -> Any:
        """Have a method of the program's `Peer` called, and return its answer.

        Raises:
            UserError: the process ended.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **what}) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            status = self.process.wait()
            raise UserError(f"the peer ended with {status} at {do!r}; run {PROGRAM} by hand")
        return json.loads(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
