"""Which family trains on which kind of data: every pair is tried, none is listed.

Each kind has a small example of its Space. The family is built for it with its defaults, plays one
step on four rows of noise, and backs up every loss; what refuses says why.
"""

from __future__ import annotations

import torch

from twofold.core.batch import Batch, Given
from twofold.core.errors import UserError
from twofold.core.game import Classifies, Model, Progress
from twofold.core.space import Category, Field, Space
from twofold.data.doctor import every_kind
from twofold.models import families

ROWS = 4
LABELLED = Space((Field("label", Category(("a", "b")), missing=True),))


def matrix() -> dict[str, dict[str, str]]:
    """For each family and kind, `trains`, or the reason why it does not."""
    kinds = every_kind().items()
    return {
        name: {kind: tried(make, codec.example, known(make)) for kind, codec in kinds}
        for name, make in families().items()
    }


def known(make: type[Model]) -> Space:
    """What is given where a family is tried: a label to those that learn one, else nothing."""
    return LABELLED if issubclass(make, Classifies) else Space()


def tried(make: type[Model], space: Space, given: Space = Space()) -> str:
    """Play one step of a family on a Space, and say how it went.

    >>> tried(families()["vae"], every_kind()["images"].example)
    'trains'
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        try:
            play(make(space, given))
        except UserError as error:
            return str(error)
    return "trains"


def play(model: Model) -> None:
    """One game on noise, its losses backed up turn by turn."""
    x = model.space.encode(model.space.decode(torch.rand(ROWS, *model.space.shape)))
    for turn in model.play(Batch.of(x, Given.none(ROWS, model.given)), Progress(size=ROWS)):
        for loss in turn.losses.values():
            loss.backward(retain_graph=True)
