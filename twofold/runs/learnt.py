"""Directions that are kept with a run: `directions.safetensors`, and `directions.json` to read.

They belong to the very weights in whose codes they were learnt, and remember their hash: once the
run has trained on, they are stale, and are not moved along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from twofold.core.errors import UserError, nearest
from twofold.maths.axes import conditional
from twofold.measures.measure import Figure
from twofold.runs.codes import Codes, as_styles
from twofold.runs.folder import write_json
from twofold.runs.lock import alone
from twofold.runs.measuring import finite, recalled
from twofold.runs.run import Run
from twofold.train import checkpoint

NAME = "directions.safetensors"
HowLearnt = Literal["labels", "weights", "activations"]


@dataclass(frozen=True)
class Learnt:
    """One direction of a latent space.

    Args:
        name: to ask for it by. how: what it was learnt from.
        space: z or w. layers: of a style-based model, those that it acts on; none are all.
        vector: (D,), of length 1. scale: the standard deviation of codes along it, which is what
            a strength of 1 moves by.
        blind: whether conditions are withheld when codes move along it, so that the code must
            hold what it changes.
        sha256: of the weights. figures: what was measured of it.
    """

    name: str
    how: HowLearnt
    space: Literal["z", "w"]
    vector: Tensor
    scale: float
    sha256: str
    layers: tuple[int, ...] = ()
    blind: bool = False
    figures: tuple[Figure, ...] = ()

    def about(self) -> dict[str, Any]:
        """All but the vector, as plain data."""
        said = {k: v for k, v in asdict(replace(self, figures=())).items() if k != "vector"}
        figures = [finite(asdict(figure)) for figure in self.figures]
        return said | {"layers": list(self.layers), "figures": figures}

    @classmethod
    def recall(cls, about: Mapping[str, Any], vector: Tensor) -> Learnt:
        """The inverse of `about`."""
        figures = tuple(recalled(about["figures"]))
        rest = {**about, "layers": tuple(about["layers"]), "figures": figures}
        return cls(vector=vector, **rest)


def kept(run: Run) -> list[Learnt]:
    """The directions of a run, in the order in which they were learnt."""
    told = checkpoint.about(run.path, NAME).get("directions", [])
    vectors = checkpoint.read(run.path, NAME) if told else {}
    return [Learnt.recall(item, vectors[item["name"]]) for item in told]


def keep(run: Run, found: Sequence[Learnt]) -> None:
    """Keep directions with a run, in place of all that it had."""
    told = [one.about() for one in found]
    vectors = {one.name: one.vector.contiguous() for one in found}
    with alone(run.path):
        checkpoint.attach(run.path, NAME, vectors, {"directions": told})
    write_json(run.path / "directions.json", told)


def add(run: Run, new: Sequence[Learnt], again: bool) -> None:
    """Keep more directions with a run.

    Raises:
        UserError: one of its name is kept already, for the same weights.
    """
    names, old = {one.name for one in new}, kept(run)
    taken = [one.name for one in old if one.name in names and one.sha256 == run.sha256]
    if taken and not again:
        raise UserError(
            f"{run.path} keeps a direction {taken[0]!r} already; say --again to replace it, or "
            f"rename it first: twofold directions {run.path} --rename {taken[0]}:NAME"
        )
    keep(run, [*(one for one in old if one.name not in names), *new])


def rename(run: Run, old: str, new: str) -> None:
    """Give a direction another name.

    Raises:
        UserError: there is none of that name, or the new one is taken or no name.
    """
    found = kept(run)
    by_name(found, old)
    if any(one.name == new for one in found) or not new or ":" in new:
        raise UserError(f"{new!r} cannot be its name; choose a free one without a colon")
    keep(run, [renamed(one, new) if one.name == old else one for one in found])


def renamed(one: Learnt, new: str) -> Learnt:
    """A direction and its figures under another name."""
    told = tuple(replace(f, name=f.name.replace(f" {one.name}", f" {new}", 1)) for f in one.figures)
    return replace(one, name=new, figures=told)


def by_name(found: Sequence[Learnt], name: str) -> Learnt:
    """A direction by name.

    Raises:
        UserError: there is none.
    """
    known = {one.name: one for one in found}
    if not known:
        raise UserError("this run keeps no directions; learn some with: twofold directions RUN")
    if name not in known:
        raise UserError(f"there is no direction {name!r}; {nearest(name, known)}")
    return known[name]


def fresh(run: Run, one: Learnt) -> Learnt:
    """A direction that belongs to the weights in use.

    Raises:
        UserError: it was learnt in the codes of others.
    """
    if one.sha256 != run.sha256:
        raise UserError(
            f"the direction {one.name} was learnt with other weights of this run; learn it again: "
            f"twofold directions {run.path} --how {one.how}"
        )
    return one


def pushed(
    run: Run, codes: Codes, one: Learnt, strength: float, still: Sequence[Learnt] = ()
) -> Codes:
    """Codes moved along a direction by `strength` deviations, with others held still.

    Codes of z are mapped where the direction is one of styles.

    Raises:
        UserError: they lie in a space that the direction is not of.
    """
    if one.space == "z" and codes.space != "z":
        raise UserError(
            f"the direction {one.name} is one of z, and these codes are in {codes.space}; learn "
            "one with --space w, or project into z"
        )
    others = [other.vector for other in still if other.space == one.space]
    n = conditional(one.vector, torch.stack(others)) if others else one.vector
    there = codes if one.space == "z" else as_styles(run, codes, bool(one.layers))
    shift = strength * one.scale * n
    if one.layers:
        on = torch.zeros(there.code.shape[1], 1)
        on[list(one.layers)] = 1
        shift = on * shift  # (L, D)
    return replace(there, code=there.code + shift)
