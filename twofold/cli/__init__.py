"""The command `twofold`: one skin over `verbs`.

Every command has the name and the arguments of its verb; a test holds them equal. Nothing heavy is
imported before a command runs, so that `--help` answers at once. An error of the user's is one
sentence and exit status 2, and so is a fault in a file of the user's own; a fault of ours is one
sentence and 1. Both have their traceback on `--debug`. A run that was asked to stop saves, says how
to go on, and exits with 130.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence


def main(argv: Sequence[str] = ()) -> None:
    """Run the command line and exit with its status."""
    # Threads that wait should sleep: spinning, they cost a busy machine a factor of ten.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(argv or sys.argv[1:])
    debug = "--debug" in words
    sys.exit(status([word for word in words if word != "--debug"], debug))


def status(words: list[str], debug: bool) -> int:
    """Run a command line, and return its exit status."""
    from cyclopts.exceptions import CycloptsError, UnusedCliTokensError

    from twofold.cli.commands import app
    from twofold.core.errors import UserError
    from twofold.core.own import faults_of

    try:
        return int(
            app(words, exit_on_error=False, print_error=False, result_action="return_value") or 0
        )
    except UnusedCliTokensError as error:
        return complain(surplus(error.unused_tokens or ()), 2, debug)
    except (UserError, CycloptsError) as error:
        return complain(str(error), 2, debug)
    except KeyboardInterrupt:
        return complain("stopped", 130, debug)
    except BrokenPipeError:
        return 0
    except Exception as error:
        for fault in faults_of(error):
            return complain(fault, 2, debug)
        text = f"this is a fault of ours: {type(error).__name__}: {error}; --debug shows where"
        return complain(text, 1, debug)


def surplus(words: Sequence[str]) -> str:
    """What to do about words for which a verb has no place.

    >>> surplus(["b.png"])
    'b.png is one word too many; name one path (a folder, for several files), see --help'
    """
    many = "one word too many" if len(words) == 1 else f"{len(words)} words too many"
    verb = "is" if len(words) == 1 else "are"
    named = ", ".join(words)
    return f"{named} {verb} {many}; name one path (a folder, for several files), see --help"


def complain(text: str, code: int, debug: bool) -> int:
    """Say what is wrong on one line, and return the exit status."""
    if debug:
        traceback.print_exc()
    from twofold.core.words import harmless

    print(f"twofold: {harmless(' '.join(text.split()))}", file=sys.stderr)
    return code
