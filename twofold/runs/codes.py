"""Codes of observations in a file, to be used again: an NPZ with `z`, `w` or `w_plus`.

What is given of each row stands beside them, `given` (N, G), NaN where not known; without it,
nothing is. A code means something to the weights that gave it alone: `run` is their sha256, and
other runs refuse the file. Without `run`, as in files of one's own, the shapes must fit. `name`,
(N,), is what the user calls each observation, so that what is made of its code is called the same.
`encode` and `project` write such files, and what decodes codes takes them in place of observations.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, get_args

import numpy as np
import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.game import Decodes, Styles
from twofold.core.space import Category
from twofold.data.sources import Rows
from twofold.maths.latents import LatentName, Latents, latents, layered
from twofold.maths.paths import PATHS
from twofold.runs.run import Path_, Run, likely

MAKER, NAMES = "run", "name"
KEYS: Mapping[LatentName, str] = {name: name.replace("+", "_plus") for name in get_args(LatentName)}


@dataclass(frozen=True)
class Codes:
    """Codes of N rows.

    Args:
        space: where they lie. code: (N, D), or (N, L, D) of w+. given: what is known, (N, G).
        names: what the user calls each, (N,); none where they have no names.
    """

    space: LatentName
    code: Tensor
    given: Tensor
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.code)

    def __getitem__(self, rows: slice | Tensor) -> Codes:
        at = torch.arange(len(self))[rows].tolist() if self.names else []
        names = tuple(self.names[i] for i in at)
        return Codes(self.space, self.code[rows], self.given[rows], names)

    @property
    def blind(self) -> Codes:
        """The same codes, of which nothing is given."""
        return replace(self, given=torch.full_like(self.given, math.nan))

    def arrays(self) -> dict[str, Any]:
        """What the file holds."""
        held = {KEYS[self.space]: self.code.numpy(), "given": self.given.numpy()}
        return held | called(self.names)


def called(names: Sequence[str]) -> dict[str, Any]:
    """The names of observations as an array of a file of codes; nothing where there are none."""
    return {NAMES: np.array(names)} if names else {}


def write(run: Run, arrays: Mapping[str, Any], file: IO[bytes]) -> None:
    """A file of codes that a run gave, in the arrays that are named."""
    np.savez(file, allow_pickle=False, **arrays, **{MAKER: np.array(run.sha256)})


def read(run: Run, where: Any) -> tuple[Codes, ...]:
    """The codes that a path is a file of; none for anything else.

    Raises:
        UserError: they are of another run, or of another shape than those of this one.
    """
    arrays = held(where)
    if MAKER in arrays and str(arrays[MAKER]) not in run.record["files"].values():
        raise UserError(
            f"{where} holds codes of another run, or of this one before it trained on; encode the "
            f"observations again: twofold encode {run.path} DATA"
        )
    named = {space: torch.as_tensor(arrays[key]) for space, key in KEYS.items() if key in arrays}
    return tuple(
        shaped(run, Codes(space, code, known(run, arrays, len(code)), names(arrays, code)), where)
        for space, code in named.items()
    )[:1]


def held(where: Any) -> dict[str, Any]:
    """The arrays of a file of codes; none where it is no such file."""
    if not (isinstance(where, str | Path) and Path(where).suffix == ".npz"):
        return {}
    try:
        with np.load(where) as file:
            if not set(file.files) & set(KEYS.values()):
                return {}
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        return {}  # what reads observations says what is wrong with it


def names(arrays: Mapping[str, Any], code: Tensor) -> tuple[str, ...]:
    """What the user calls each row of the code, where the file says that of all."""
    told = tuple(map(str, arrays.get(NAMES, np.zeros(0)).ravel()))
    return told * (len(told) == len(code))


def known(run: Run, arrays: Mapping[str, Any], rows: int) -> Tensor:
    """What is given of each row."""
    if "given" in arrays:
        return torch.as_tensor(arrays["given"])
    return torch.full((rows, run.given.size), math.nan)


def shaped(run: Run, codes: Codes, where: Any) -> Codes:
    """Codes, if they are of this run."""
    space = latents(run.role(Decodes, "a file of codes"), codes.space)
    with torch.no_grad():
        shape = space.draw(run.known(run.conditions(1, {}, 0))).shape[1:]
    fit = (len(codes), run.given.size) == codes.given.shape
    if codes.code.shape[1:] != shape or not len(codes) or not fit:
        found = " × ".join(map(str, codes.code.shape))
        wanted = " × ".join(map(str, shape))
        raise UserError(
            f"{where} holds codes of {found} in {codes.space}, and this run has {wanted} a row; "
            "use a file that encode or project wrote for it"
        )
    columns = codes.given.split([field.size for field in run.given.fields], 1)
    for field, column in zip(run.given.fields, columns, strict=True):
        most = column.nan_to_num(0).max()
        if isinstance(field.domain, Category) and most >= len(field.domain.labels):
            raise UserError(
                f"{where} is given {field.name} number {most:g}, and this run knows "
                f"{len(field.domain.labels)}, counted from 0; use a file that encode or project "
                "wrote for it"
            )
    return codes


def decoded(run: Run, codes: Codes) -> Rows:
    """What codes decode to, without noise."""
    space = latents(run.role(Decodes, "decoding codes"), codes.space)
    with torch.no_grad():
        x = torch.cat(
            [
                likely(run.space, space.decode(codes.code[rows], run.known(codes.given[rows])))
                for rows in torch.arange(len(codes)).split(run.chunk)
            ]
        )
    return Rows(run.space.decode(x), codes.given)


def space_of(run: Run, name: LatentName) -> Latents:
    """A latent space of a run's model."""
    return latents(run.role(Decodes, f"--space {name}"), name)


def as_styles(run: Run, codes: Codes, layers: bool = False) -> Codes:
    """Codes as styles, those of z mapped; of one a layer, where that is asked for."""
    model = run.role(Styles, "--space w")
    w = codes.code
    with torch.no_grad():
        w = model.map(w, run.known(codes.given)) if codes.space == "z" else w
    if layers or w.dim() == 3:
        return Codes("w+", layered(model, w), codes.given)
    return Codes("w", w, codes.given)


def between(
    run: Run, codes: Codes, steps: int, pairs: int, path: Path_, given: Mapping[str, Any]
) -> Rows:
    """What lies on the way between codes, the first to the second and so on, while `given` holds.

    Raises:
        UserError: there are not two.
    """
    pairs = min(pairs, len(codes) // 2)
    if pairs < 1:
        raise UserError("interpolate needs at least two codes; give more, or none to draw them")
    run.room_for(pairs * steps)
    ends, place = codes[: 2 * pairs], space_of(run, codes.space)
    a, b = (ends.code[i::2].flatten(1) for i in range(2))
    shape, known = codes.code.shape[1:], run.holding(ends.given[0::2], given)

    def mean(c: Tensor) -> Tensor:
        """Curves (P, T, numbers of a code) to means (P, T, C, *A)."""
        given = run.known(known).repeat(c.shape[1])
        return place.decode(c.flatten(0, 1).unflatten(1, shape), given).mean.unflatten(
            0, c.shape[:2]
        )

    with torch.no_grad():
        way = PATHS[path](a, b, torch.linspace(0, 1, steps), mean)  # (P, T, numbers)
    every = known.repeat_interleave(steps, 0)
    return decoded(run, Codes(codes.space, way.flatten(0, 1).unflatten(1, shape), every))
