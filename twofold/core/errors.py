"""The one error that is the user's to mend.

A `UserError` carries one sentence: what is wrong, where (file, row, key), and what to do. The
command prints the sentence and exits with 2; everything else is ours and exits with 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend; its text is the whole message.

    >>> raise UserError("photos/3.png is truncated; remove it")
    Traceback (most recent call last):
    ...
    twofold.core.errors.UserError: photos/3.png is truncated; remove it
    """


class BadFile(UserError):
    """One file of many cannot be read: who can leave such out says how.

    >>> str(BadFile("3.png is truncated").but("pass --skip-bad"))
    '3.png is truncated, or pass --skip-bad'
    """

    def but(self, instead: str) -> UserError:
        """The same, with what else can be done."""
        return UserError(f"{self}, or {instead}")


def nearest(word: str, words: Iterable[str]) -> str:
    """Suggest the valid word closest to a mistaken one, with the list when none is close.

    >>> nearest("lattent", ["latent", "prior"])
    "did you mean 'latent'?"
    >>> nearest("x", ["latent", "prior"])
    'valid: latent, prior'
    """
    valid = sorted(words)
    close = difflib.get_close_matches(word, valid, n=1)
    return f"did you mean {close[0]!r}?" if close else "valid: " + (", ".join(valid) or "none")
