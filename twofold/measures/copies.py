r"""Whether drawn observations are copies of training ones: a diagnostic that can fail, never pass.

Let T be m training and H m held-out observations. A model that has learned the law of the data, and
not its training set, draws observations whose nearest neighbour among all 2m lies in T half of the
time. `copies_closer` is the share that lie nearer to T (the distance-to-closest-record share); a
blurred or collapsed sample is equally near to both, and does not count as a copy. As many draws may
share one neighbour, draws are not independent: the interval resamples the *records*, and the null
distribution permutes which of them are called training.

`copies_exact` is the share of draws that equal a training observation when both are written to a
file; its floor is the same share of held-out observations.

Distances are Euclidean in x, of a number told by its mode in the number itself. A low share is no
proof of privacy: an audit attacks the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from twofold.core.space import Modal, Real, Space
from twofold.measures.estimate import SHARES, generator, mean, resampled, some
from twofold.measures.measure import Evidence, Figure, Measure

CAVEAT = "it can show copying, never rule it out"
PERMUTATIONS = 1000
ROWS = 256
TIE = 1e-7  # relative to the distance, in float64


@dataclass(frozen=True)
class Copies(Measure):
    """The share of draws nearer to training than to held-out observations, and of exact copies.

    Args:
        n: at most so many draws, and so many training and held-out observations each.
    """

    n: int = 2048
    names = ("copies_closer", "copies_exact")
    within = dict.fromkeys(names, SHARES)

    def refuses(self, evidence: Evidence) -> str:
        if min(len(evidence.real), len(evidence.fake)) < 2:
            return "it needs at least 2 drawn and 2 held-out observations"
        return "" if len(evidence.train) > 1 else "there are no training observations"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        m = min(self.n, len(evidence.train), len(evidence.real))
        space, seed = evidence.space, evidence.seed
        train, real = (placed(space, some(b, m, seed).x) for b in (evidence.train, evidence.real))
        fake = placed(space, some(evidence.fake, self.n, seed).x)
        return [closer(evidence, fake, train, real), exact(evidence, fake, real)]


def placed(space: Space, x: Tensor) -> Tensor:
    """x as it is when written and read again, a number told by its mode as the number itself.

    Two numbers on either side of the border of two modes are near, and their channels are not.
    """
    fields = [replace(f, domain=Real()) if isinstance(f.domain, Modal) else f for f in space.fields]
    return Space(tuple(fields), space.axes).encode(space.decode(x.detach().float().cpu()))


def closer(evidence: Evidence, fake: Tensor, train: Tensor, real: Tensor) -> Figure:
    """The share of draws whose nearest record is a training one."""
    records = neighbours(fake, train, real)  # (2m,)
    mine = torch.arange(len(records)) < len(train)
    terms = torch.stack([records * mine, records], 1)  # (2m, 2)
    p = chance(records, mine, evidence.seed)
    what = "nearer to a training than to a held-out observation"
    return evidence.figure(
        "copies_closer",
        resampled(terms, share, evidence.seed),
        len(fake),
        "lower",
        floor=0.5,
        note=f"{what}, by chance p = {p:.3f}; {CAVEAT}",
    )


def exact(evidence: Evidence, fake: Tensor, real: Tensor) -> Figure:
    """The share of draws that equal any training observation."""
    known = set(written(placed(evidence.space, evidence.train.x)))
    equal = torch.tensor([row in known for row in written(fake)])
    natural = [row in known for row in written(real)]
    return evidence.figure(
        "copies_exact",
        mean(equal.double(), evidence.seed),
        len(fake),
        "lower",
        floor=sum(natural) / len(natural),
        note=f"equal to a training observation, number for number; {CAVEAT}",
    )


def neighbours(fake: Tensor, train: Tensor, real: Tensor) -> Tensor:
    """How many draws have each record as their nearest, (2m,): the training ones first.

    A draw equally near to a record of each side counts half for both.
    """
    centre = train.flatten(1).double().mean(0)
    sides = [side.flatten(1).double() - centre for side in (train, real)]
    records = torch.zeros(2, len(train), dtype=torch.float64)
    for part in (fake.flatten(1).double() - centre).split(ROWS):
        distance, index = zip(*(torch.cdist(part, side).min(1) for side in sides), strict=True)
        difference = distance[1] - distance[0]  # positive where a training record is nearer
        tie = difference.abs() <= TIE * distance[0].clamp(min=1)
        records[0].index_add_(0, index[0], torch.where(tie, 0.5, (difference > 0).double()))
        records[1].index_add_(0, index[1], torch.where(tie, 0.5, (difference < 0).double()))
    return records.flatten()


def share(means: Tensor) -> Tensor:
    """Draws of training records over draws, from means (2,)."""
    return means[0] / means[1].clamp(min=1e-12)


def chance(records: Tensor, mine: Tensor, seed: int) -> float:
    """How often records called training at random would be as near as the true ones."""
    noise = generator(seed)
    seen = float(records[mine].sum())
    shuffles = [mine[torch.randperm(len(mine), generator=noise)] for _ in range(PERMUTATIONS)]
    as_near = sum(float(records[shuffle].sum()) >= seen for shuffle in shuffles)
    return (as_near + 1) / (PERMUTATIONS + 1)


def written(x: Tensor) -> list[bytes]:
    """Each row as bytes, so that equal rows are equal."""
    return [row.numpy().tobytes() for row in (x.flatten(1).float() + 0.0)]
