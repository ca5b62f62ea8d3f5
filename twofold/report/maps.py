r"""Maps in two dimensions: of the latent, and of drawn against real observations.

The plane is that of the first two principal components (Pearson 1901): for N centred rows
X = U S Vᵀ, the coordinates are X V_{:,1:2}, and component i holds the share s_i² / Σ s² of the
variance. A latent of two dimensions is shown as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from twofold.core.batch import Batch
from twofold.core.game import Encodes
from twofold.data.sources import Rows
from twofold.report import raster
from twofold.report.charts import Cloud, Labels, legend, scatter
from twofold.report.page import NOTHING, Section, figure, tag
from twofold.report.seen import Seen, labels_of, numbers_of
from twofold.report.style import COLOURS
from twofold.runs.run import Run

WIDEST = 1 << 14
"""Numbers of an observation up to which its principal components are computed."""


@dataclass(frozen=True)
class Plane:
    """The first two principal axes of some rows.

    Args:
        mean: (D,). axes: (D, 2). share: of the variance that each axis holds.
    """

    mean: Tensor
    axes: Tensor
    share: tuple[float, float]

    @classmethod
    def of(cls, rows: Tensor) -> Plane:
        """The plane of rows (N, D), D ≥ 1; the axes point where their largest entry is positive.

        >>> plane = Plane.of(torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 1, 0], [2, 1, 0]]))
        >>> [round(share, 3) for share in plane.share]
        [0.8, 0.2]
        """
        mean = rows.mean(0)
        _, s, vt = torch.linalg.svd(rows - mean, full_matrices=False)
        axes = torch.zeros(rows.shape[1], 2, dtype=rows.dtype)
        axes[:, : len(vt[:2])] = vt[:2].T
        largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
        power = torch.cat([s.square(), s.new_zeros(2)])[:2] / s.square().sum().clamp(min=1e-12)
        return cls(mean, axes * largest.sign(), (float(power[0]), float(power[1])))

    def __call__(self, rows: Tensor) -> Tensor:
        """Coordinates (N, 2) of rows (N, D)."""
        return (rows - self.mean) @ self.axes


def latent(seen: Seen) -> list[Section]:
    """Where held-out observations lie in the latent, coloured by their label."""
    if not seen.encodes or len(seen.real) < 3:
        return []
    codes = encoded(seen)
    places, across, up, words = laid_out(widened(codes))
    name, known = seen.labels
    clouds = grouped(places, seen.label_of(seen.real.given), known, "held out")
    labels = Labels("Latent map", across, up)
    many = len(clouds) > 1
    names = legend((called(c, name), c.colour) for c in clouds) if many else NOTHING
    chart = scatter(clouds, labels, named=many)
    text = f"The mean codes of {len(codes):,} observations of the {seen.held_name}. {words}"
    return [Section("The latent", figure(tag("div", names, chart, class_="map"), text))]


def picture(run: Run, codes: Tensor, given: Tensor) -> Image.Image:
    """The codes (N, D) of a run's observations on a plane, coloured by what is given (N, G)."""
    places, across, up, _ = laid_out(widened(codes))
    name, labels = labels_of(run)
    clouds = grouped(places, numbers_of(run, given), labels, "no label")
    named = [replace(cloud, name=called(cloud, name)) for cloud in clouds]
    return raster.scatter(named, Labels("Latent map", across, up))


def by_number(codes: Tensor, numbers: Tensor, name: str) -> Image.Image:
    """Codes (N, D) on a plane, coloured by a number each, (N,)."""
    places, across, up, _ = laid_out(widened(codes))
    everywhere = points(places, every(places))
    return raster.shaded(everywhere, numbers.tolist(), Labels("Latent map", across, up), name)


def widened(codes: Tensor) -> Tensor:
    """Codes of one dimension with a second one of zeros."""
    return torch.cat([codes, torch.zeros_like(codes)], 1) if codes.shape[1] == 1 else codes


def encoded(seen: Seen) -> Tensor:
    """The mean codes of the held-out rows, (N, D)."""
    run = seen.run
    model = run.role(Encodes, "report")
    x = run.space.encode(seen.real.values)
    every = Batch.of(x, run.known(seen.real.given))
    with torch.inference_mode():
        parts = [every[slice(int(r[0]), int(r[-1]) + 1)] for r in torch.arange(len(x)).split(256)]
        return torch.cat([model.encode(part.x, part.given).mean for part in parts]).clone()


def laid_out(codes: Tensor) -> tuple[Tensor, str, str, str]:
    """Codes on a plane, what its axes are called, and what to say of it."""
    if codes.shape[1] == 2:
        return codes, "z₁", "z₂", "The latent has two dimensions, shown as they are."
    plane = Plane.of(codes)
    held = sum(plane.share)
    words = (
        f"Of {codes.shape[1]} dimensions, the two principal axes shown hold {held:.0%} of the "
        "variance; what looks mixed here may be apart in the others."
    )
    return plane(codes), *axis_names(plane), words


def axis_names(plane: Plane) -> tuple[str, str]:
    """What the axes of a plane are called."""
    first, second = plane.share
    return f"first axis, {first:.0%} of the variance", f"second axis, {second:.0%}"


def grouped(
    places: Tensor, numbers: Sequence[int], labels: Sequence[str], unlabelled: str
) -> list[Cloud]:
    """Places (N, 2) by label; the commonest have a colour each, the rest share the last.

    Args:
        numbers: the label of each row, −1 where it is not known. labels: their names.
        unlabelled: what all are called where there are no labels.
    """
    own = torch.tensor(numbers)
    counts = torch.bincount(own.clamp(min=0), minlength=1)
    common = counts.argsort(descending=True)[: COLOURS - (len(labels) > COLOURS)].sort().values
    kept = [int(i) for i in common if labels and counts[i]]
    other = ~torch.isin(own, torch.tensor(kept, dtype=torch.long))
    clouds = [Cloud(labels[i], points(places, own == i), c) for c, i in enumerate(kept)]
    rest = "other or unknown" if kept else unlabelled
    return clouds + ([Cloud(rest, points(places, other), COLOURS - 1)] if other.any() else [])


def called(cloud: Cloud, name: str) -> str:
    """A group in the legend: a label that is a mere number or letter is named in full."""
    return f"{name} {cloud.name}" if len(cloud.name) < 3 else cloud.name


def points(places: Tensor, mask: Tensor) -> Sequence[tuple[float, float]]:
    """The places that are meant, as pairs."""
    return [(x, y) for x, y in places[mask].tolist()]


def coverage(seen: Seen) -> list[Section]:
    """Drawn observations over real ones, on the plane of the real ones."""
    if not seen.samples or seen.run.space.numel > WIDEST or len(seen.real) < 3:
        return []
    real, fake = flat(seen.real, seen), flat(seen.fake, seen)
    plane = Plane.of(real)
    clouds = [Cloud("real", points(plane(real), every(real)), 0)]
    clouds.append(Cloud("drawn", points(plane(fake), every(fake)), 1))
    chart = scatter(clouds, Labels("Real and drawn on one plane", *axis_names(plane)))
    names = legend([("real, held out", 0), ("drawn", 1)])
    text = (
        f"{len(real):,} observations a side on the two principal axes of the real ones. Real "
        "points without drawn ones near them are what the model leaves out; drawn points far "
        "from any real one are what it makes up."
    )
    return [Section("What is covered", figure(tag("div", names, chart, class_="map"), text))]


def every(rows: Tensor) -> Tensor:
    return torch.ones(len(rows), dtype=torch.bool)


def flat(rows: Rows, seen: Seen) -> Tensor:
    """Rows as vectors (B, numel), as networks see them."""
    return seen.run.space.encode(rows.values).flatten(1).nan_to_num()
