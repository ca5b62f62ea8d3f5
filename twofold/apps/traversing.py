r"""Traversals: what each dimension of a code does, one dimension moved at a time.

A row holds every dimension of z but one at its place, the prior's mean or the code of an
observation, and moves that one along its range; the decoder shows what changes (Higgins et al.
2017). The mean is a place for a model that encodes, whose codes lie about it. A generator without
an encoder is never shown the mean: of many dimensions every draw is far from it, and where codes
are brought to one length (`stylegan`, `progressive`) a single number beside zeros is its sign and
nothing else. There the rows start at a draw. Rows come in the order of what the dimension carries:
its rate over held-out observations,

$$ \mathrm{KL}_d = \mathbb E_x\, \mathrm{KL}\big(q(z_d \mid x) \,\|\, p(z_d)\big) \text{ nats,} $$

so that those which the model leaves unused come last, with about 0 nats. Where there is no such
sum by dimension (no encoder, or a learnt prior that couples them), the order is by how far the
whole range moves x, in units of x.

Notation: z (B, D), K rows of T steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from twofold.apps.cells import by_field, cells, columns
from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Encodes
from twofold.data.sources import Rows, Source, Subset, whole
from twofold.maths.distributions import Normal
from twofold.maths.divergences import kl_by_dimension
from twofold.runs.run import Run, likely
from twofold.train.chance import seed_all

LOOKED = 1000
"""Held-out observations by which dimensions are ordered, at most."""
TAILS = 0.025
"""What the quantiles leave out at each end."""
DRAWS = 1000
"""Draws by which the place and width of a prior are known that has no formula for them."""


@dataclass(frozen=True)
class Traversal:
    """K rows of T observations.

    Args:
        dims: the dimension of each row, (K,). worth: what it carries, (K,), in `unit`.
        at: where it stands in each step, (K, T).
        rows: the observations, K · T of them, row after row.
    """

    dims: Tensor
    worth: Tensor
    unit: str
    at: Tensor
    rows: Rows

    @property
    def names(self) -> list[str]:
        """Each row in words, with its ends where no head can say where it stands."""
        ends = [f", {at[0]:.2g} … {at[-1]:.2g}" for at in self.at.tolist()]
        each = zip(self.dims.tolist(), self.worth.tolist(), ends, strict=True)
        return [f"z{d + 1}  {w:.2f} {self.unit}{end * (not self.heads)}" for d, w, end in each]

    @property
    def heads(self) -> list[str]:
        """Where all rows stand in each step; nothing where they do not stand alike."""
        alike = bool((self.at - self.at[:1]).abs().max() < 1e-4)
        return [f"{z:.2g}" for z in self.at[0].tolist()] * alike

    @property
    def steps(self) -> int:
        return self.at.shape[1]


@dataclass(frozen=True)
class Looked:
    """What held-out observations say of the code.

    Args:
        mean: of q(z | x), (N, D). rate: KL by dimension, (D,), or by none, (1,).
    """

    mean: Tensor
    rate: Tensor


def traverse(
    run: Run,
    held: Sequence[Source],
    start: Sequence[Source] = (),
    dims: int = 10,
    steps: int = 8,
    range_: str = "2",
    given: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Traversal:
    """Move each of the `dims` most informative dimensions along its range.

    Args:
        run: the run.
        held: a source of held-out observations to order by; without one, ordered by change.
        start: a source whose first observation is where the rows start; without one, the prior's
            mean, or a draw of it where the model has no encoder.
        range_: standard deviations of the prior to each side, or `quantiles` of held-out codes.
        given: what holds on the way. seed: of draws.
    """
    decoder = run.role(Decodes, "traverse")
    seed_all(torch.device("cpu"), seed)
    with torch.no_grad():
        seen = [looked(run, source) for source in held if isinstance(run.model, Encodes)]
        z, known = place(run, start, given or {}, seed)
        ends = reach(run, known, seen, range_)  # (2, D)
        run.room_for(ends.shape[1] * steps)
        at = ends[0, :, None].lerp(ends[1, :, None], torch.linspace(0, 1, steps))  # (D, T)
        c = run.known(known).repeat(len(at) * steps)
        x = likely(run.space, decoder.decode(moved(z, at), c))
    worth, unit = worths(seen, x, len(at))
    order = worth.argsort(descending=True, stable=True)[:dims]
    chosen = x.unflatten(0, (-1, steps))[order].flatten(0, 1)
    rows = Rows(run.space.decode(chosen), known.expand(len(chosen), -1))
    return Traversal(order, worth[order], unit, at[order], rows)


def looked(run: Run, source: Source) -> Looked:
    """The codes of some held-out observations, and what each dimension costs."""
    model, decoder = run.role(Encodes, "traverse"), run.role(Decodes, "traverse")
    some = Subset(source, torch.arange(min(LOOKED, len(source))))
    means, rates = [], []
    for batch in run.batches(some):
        q = model.encode(batch.x, batch.given)
        means.append(q.mean)
        if isinstance(q, Normal):
            rates.append(kl_by_dimension(q, q.sample(), decoder.prior(batch.given)))
    rate = torch.cat(rates).mean(0) if rates else torch.zeros(1)
    return Looked(torch.cat(means), rate)


def place(
    run: Run, start: Sequence[Source], given: Mapping[str, Any], seed: int
) -> tuple[Tensor, Tensor]:
    """Where the rows start, z (1, D), and what is known there, (1, G)."""
    for source in start:
        first = whole(source, 1)
        model = run.role(Encodes, "traverse from an observation")
        return model.encode(
            run.space.encode(first.values), run.known(first.given)
        ).mean, run.holding(first.given, given)
    known = run.conditions(1, given, seed)
    if isinstance(run.model, Encodes):
        return spread(run, run.known(known))[0], known
    return run.role(Decodes, "traverse").prior(run.known(known)).sample(), known


def spread(run: Run, given: Given) -> tuple[Tensor, Tensor]:
    """The mean and standard deviation of the prior, (1, D) each."""
    prior = run.role(Decodes, "traverse").prior(given.repeat(DRAWS))
    if isinstance(prior, Normal):
        return prior.mu[:1], prior.sigma[:1]
    draws = prior.sample()
    return draws.mean(0, keepdim=True), draws.std(0, keepdim=True)


def reach(run: Run, known: Tensor, seen: Sequence[Looked], range_: str) -> Tensor:
    """The ends of every dimension's range, (2, D)."""
    if range_ == "quantiles":
        for codes in seen:
            return codes.mean.quantile(torch.tensor([TAILS, 1 - TAILS]), 0)
        raise UserError("--range quantiles needs an encoder and observations; give a number")
    try:
        far = float(range_)
    except ValueError:
        raise UserError(f"--range {range_} should be a number, or quantiles") from None
    mean, sigma = spread(run, run.known(known))
    return torch.cat([mean - far * sigma, mean + far * sigma])


def moved(z: Tensor, at: Tensor) -> Tensor:
    """z (1, D) with each dimension in turn at each of its places (D, T), as (D · T, D)."""
    D, T = at.shape
    every = z.expand(D, T, D).clone()
    every[torch.arange(D), :, torch.arange(D)] = at
    return every.flatten(0, 1)


def worths(seen: Sequence[Looked], x: Tensor, D: int) -> tuple[Tensor, str]:
    """What each dimension carries, and in which unit."""
    for codes in seen:
        if len(codes.rate) == D:
            return codes.rate, "nats"
    rows = x.unflatten(0, (D, -1)).flatten(2)  # (D, T, numel)
    return (rows[:, -1] - rows[:, 0]).square().mean(1).sqrt(), "of x"


# As tables.


def listed(run: Run, made: Traversal) -> tuple[list[str], list[list[str]]]:
    """The traversal as a table: dimension, its worth, where it stands; and a row's own fields."""
    own = cells(run, made.rows)
    names = ["dimension", made.unit.replace("of x", "change"), "z", *own]
    lines = []
    for i, z in enumerate(made.at.flatten().tolist()):
        k = i // made.steps
        head = [str(int(made.dims[k]) + 1), f"{made.worth[k]:.4g}", f"{z:.4g}"]
        lines.append(head + [column[i] for column in own.values()])
    return names, lines


def changes(run: Run, made: Traversal) -> tuple[list[str], list[list[str]]]:
    """What each dimension changes of a row, most first: a field, from, to, by how much of x."""
    values, own, T = run.kind.settled(made.rows).values, by_field(run, made.rows), made.steps
    names, lines = columns(run.space.fields), []
    for k, d in enumerate(made.dims.tolist()):
        first, last = k * T, k * T + T - 1
        gaps = gap(run, values[first], values[last])
        for i in gaps.argsort(descending=True, stable=True).tolist():
            column = own[names[i]]
            told = [str(d + 1), names[i], column[first], column[last], f"{gaps[i]:.4g}"]
            lines += [told] if gaps[i] > 0 else []
    return ["dimension", "field", "from", "to", "change"], lines


def gap(run: Run, first: Tensor, last: Tensor) -> Tensor:
    """How far each value of a row moves, (F,): in units of x, 1 for another category."""
    x = run.space.encode(torch.stack([first, last]))
    found = []
    for field, part in run.space.parts(x):
        step = field.split(part)[0].diff(dim=0)[0].abs().unflatten(0, (field.size, -1))
        found.append(step.amax(1))
    return torch.cat(found)
