"""Maps judged by masks: how well they mark the pixels that a person has marked.

A mask is a picture that is white where another is abnormal. It lies in a folder of masks under the
name of its picture, with any ending, and perhaps with `_mask` after the name: the layout of MVTec
AD, `ground_truth/crack/000_mask.png` beside `test/crack/000.png` (Bergmann et al. 2021). A picture
without a mask is normal everywhere.

Two figures are of the pixels: their AUROC, in which a large defect counts for as much as it covers,
and the overlap of regions (AUPRO), in which each counts alike. Intervals draw pictures again, as
pixels of one are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.data import pixels
from twofold.data.kinds.images import Images, native
from twofold.maths.ranking import auroc, region_overlap
from twofold.maths.statistics import bootstrap
from twofold.measures.measure import Figure

WHITE = 127
REPEATS = 100


def masks_of(folder: Path, kind: object, names: Sequence[str], size: Sequence[int]) -> Tensor:
    """Which pixels of each picture are marked, (N, H, W), in the form of the run's pictures.

    Args:
        size: of the maps, (H, W): that of the largest picture where they are cut into tiles.

    Raises:
        UserError: the data are no pictures, or no picture has a mask.
    """
    if not isinstance(kind, Images):
        raise UserError("--masks needs pictures in files, which have names")
    form = replace(kind.form, channels=1, levels=256)
    known = {stem(path.relative_to(folder)): path for path in sorted(folder.rglob("*.*"))}
    found = [known.get(stem(Path(name))) for name in names]
    if not any(found):
        raise UserError(
            f"{folder} has no mask for any of these pictures, such as {names[0]}; a mask has the "
            "name of its picture, perhaps with _mask after it"
        )
    none = torch.zeros(*size, dtype=torch.bool)
    return torch.stack([fitting(path, form, size, bool(kind.tiles)) if path else none
                        for path in found])  # fmt: skip


def stem(name: Path) -> str:
    """The name of a picture or of its mask, without the ending.

    >>> stem(Path("crack/000_mask.png")), stem(Path("crack/000.jpg"))
    ('crack/000', 'crack/000')
    """
    return name.with_suffix("").as_posix().removesuffix("_mask")


def fitting(path: Path, form: pixels.Form, size: Sequence[int], natural: bool) -> Tensor:
    """One mask, (H, W): at its own size, in the upper left, where pictures keep theirs."""
    if not natural:
        return mask(path, form)
    with path.open("rb") as file:
        head = pixels.header(file, str(path))
    height, width = native(head, form.height)
    one = mask(path, replace(form, height=height, width=width, stretch=True))
    room = torch.zeros(*size, dtype=torch.bool)
    room[:height, :width] = one[: size[0], : size[1]]
    return room


def mask(path: Path, form: pixels.Form) -> Tensor:
    """One mask, (H, W)."""
    with path.open("rb") as file:
        return pixels.decode(file, str(path), form)[0] > WHITE


def figures(where: Tensor, masks: Tensor, seed: int) -> list[Figure]:
    """Both figures of maps (N, H, W)."""
    if not masks.any():
        return []
    n = torch.arange(len(where))
    marked = masks.flatten(1).any(1)
    note = f"{int(marked.sum())} of {len(masks)} pictures have marked pixels"
    found = []
    for name, one in (("pixel_auroc", area), ("pixel_aupro", overlap)):
        again = bootstrap(
            lambda bad, good, one=one: one(where, masks, torch.cat([bad, good])),
            n[marked],
            n[~marked],
            repeats=REPEATS,
            seed=seed,
        )
        ends = (again.value, again.low, again.high)
        about = Figure(name, *ends, len(masks), "higher", seed=seed, split="given", note=note)
        found.append(about)
    return found


def area(where: Tensor, masks: Tensor, rows: Tensor) -> Tensor:
    """AUROC of the pixels of some pictures."""
    high, there = where[rows], ~where[rows].isnan()
    return auroc(high[masks[rows] & there], high[~masks[rows] & there])


def overlap(where: Tensor, masks: Tensor, rows: Tensor) -> Tensor:
    """AUPRO of some pictures."""
    return torch.tensor(region_overlap(where[rows], masks[rows]), dtype=torch.float64)
