r"""Analogies: arithmetic of codes, b is to a as c is to what?

Observations come in threes, and the fourth is decoded from the mean codes of the others,

$$ z = \mu(a) - \mu(b) + \mu(c), $$

so that what sets a apart from b is added to c: of sentences "a man sleeps", "a man runs" and "a dog
runs" it is "a dog sleeps", where the code holds who and what apart. Nothing promises that it does.

Source: of words, Mikolov, Yih & Zweig 2013, Linguistic Regularities in Continuous Space Word
Representations; of pictures, Radford, Metz & Chintala 2016, arXiv:1511.06434, section 6.3.2.
"""

from __future__ import annotations

import torch

from twofold.core.errors import UserError
from twofold.core.game import Decodes, Encodes
from twofold.data.sources import Rows, Source, whole
from twofold.runs.run import Run, likely


def analogies(run: Run, source: Source) -> Rows:
    """The fourth of each three observations; it is given what the third is.

    Args:
        run: of a model that encodes and decodes. source: a, b, c, a, b, c and so on.

    Raises:
        UserError: the model does not, or they do not come in threes.
    """
    encoder, decoder = run.role(Encodes, "analogy"), run.role(Decodes, "analogy")
    if not len(source) or len(source) % 3:
        raise UserError(
            f"analogy needs observations in threes, a, b, c; these are {len(source)} that differ"
        )
    rows = whole(source)
    with torch.no_grad():
        mean = encoder.encode(run.space.encode(rows.values), run.known(rows.given)).mean
        a, b, c = mean.unflatten(0, (-1, 3)).unbind(1)  # (N, 3, D)
        known = rows.given[2::3]
        x = likely(run.space, decoder.decode(a - b + c, run.known(known)))
        return Rows(run.space.decode(x), known)
