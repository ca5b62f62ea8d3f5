"""How long the command takes to answer, and the package to be imported.

Whole processes, from their start to their end, in turn with an interpreter that does nothing; the
figure is the median of the seconds that the processor spent on one, user's and system's, and the
bare interpreter's stand beside it. `twofold --help` must answer within 0.4 s and `import twofold`
within 0.2 s. Run it with

    python benchmarks/startup.py
"""

from __future__ import annotations

import os
import sys
from statistics import median

from common import Ratio, Row, alternate_timed, options, save

COMMANDS = {
    "nothing": ["-c", "pass"],
    "import twofold": ["-c", "import twofold"],
    "twofold --help": ["-m", "twofold", "--help"],
}
LIMITS = {"import twofold": 0.2, "twofold --help": 0.4}


def took(command: list[str]) -> float:
    """Processor seconds of one whole process."""
    silence = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    words = [sys.executable, *command]
    process = os.posix_spawn(sys.executable, words, os.environ, file_actions=silence)
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"{' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    args = options(__doc__).parse_args()
    arms = {name: lambda c=command: took(c) for name, command in COMMANDS.items()}
    times = alternate_timed(arms, args.rounds)
    bare = median(times["nothing"])
    rows = [
        Row(name, "s", median(times[name]), bare, Ratio.of(times[name], [1.0] * args.rounds),
            limit, "lower", "theirs is an interpreter that does nothing", absolute=True)
        for name, limit in LIMITS.items()
    ]  # fmt: skip
    save("startup", __doc__, rows)


if __name__ == "__main__":
    main()
