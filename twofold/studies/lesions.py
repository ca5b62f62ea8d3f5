r"""Lesions that are known because they were put there: how weak may one be, and still be found?

Nobody can draw a mask of pneumonia on a small picture. So lesions of known shape and strength are
implanted into normal chest X-rays: an ellipse E of 2 to 4 pixels of radius, turned at random, whose
edge is soft, in the middle of the picture, and brighter by the strength s, as a share of the scale,

$$ x' = \min(x + s\, \sigma(4 (1 - r)), 1), \qquad
   r^2 = (u / a)^2 + (v / b)^2, $$

with u, v the place along its axes and a, b the radii; E is where r ≤ 1. A detector that learnt from
normal pictures must tell pictures with one from those without, and say where it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from twofold.apps import masks
from twofold.apps.anomaly import Detector
from twofold.data.sources import Memory, Source, whole
from twofold.maths.ranking import auroc
from twofold.studies.oneclass import Labelled, Rows, among, fitted, gathered, learnt, shuffled
from twofold.studies.seeds import Better, finding, over_seeds
from twofold.studies.study import Budget, Row, Study

NORMAL = 0
STRENGTHS = (0.15, 0.25, 0.4)
RADII, MIDDLE = (2.0, 4.0), 0.5
"""Of a lesion in pixels; the share of a side, in the middle, in which its centre is."""
OURS, BESIDE = "standardised_error", ("neighbours", "error")
BAR = 0.9


@dataclass(frozen=True)
class Setting:
    """How much is done: steps of training, the width and the code of the networks, test rows."""

    steps: int
    width: int
    latent: int
    judged: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(5, 16, 4, 30),
    "cpu": Setting(1500, 256, 16, 1000),
    "paper": Setting(20_000, 512, 32, 1000),
}


def implanted(x: Tensor, strength: float, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures x (B, C, H, W) in [0, 1] with a lesion each, and which pixels those cover (B, H, W).

    The places depend on the seed alone: a stronger lesion is where the weaker one was.

    >>> ill, mask = implanted(torch.zeros(2, 1, 28, 28), 0.5, 0)
    >>> bool((ill[:, 0][mask] >= 0.25).all()), 12 <= int(mask[0].sum()) <= 60
    (True, True)
    """
    B, _, H, W = x.shape
    stream = torch.Generator().manual_seed(seed)
    u = torch.rand(B, 5, generator=stream)[:, :, None, None]
    centre = (0.5 + MIDDLE * (u[:, :2] - 0.5)) * torch.tensor([H, W]).reshape(2, 1, 1)
    a, b = (RADII[0] + (RADII[1] - RADII[0]) * u[:, i] for i in (2, 3))  # (B, 1, 1)
    turn = math.pi * u[:, 4]
    down, across = torch.arange(H)[:, None] - centre[:, 0], torch.arange(W) - centre[:, 1]
    along = across * turn.cos() + down * turn.sin()
    over = down * turn.cos() - across * turn.sin()
    r = ((along / a).square() + (over / b).square()).sqrt()  # (B, H, W)
    return (x + strength * torch.sigmoid(4 * (1 - r))[:, None]).clamp(max=1), r <= 1


class Lesions(Study):
    """Image AUROC and pixel AUPRO at three strengths."""

    claim = "Lesions implanted in normal chest X-rays are found, and where they are."
    paper = "Yang et al. 2023, MedMNIST v2 (data); Roth et al. 2022, arXiv:2106.08265"
    protocol = (
        "PneumoniaMNIST in a balanced subset, its own split: normal training pictures train (a "
        "random tenth of them calibrates, another for each seed). Of the normal test pictures half "
        "stay as they are and half get a lesion: a soft ellipse of 2 to 4 pixels of radius, in the "
        "middle, brighter by 15, 25 or 40 % of the scale, at the same places for each strength. "
        "Scores are the product's: of a dense VAE (2 × 256, latent 16, 1,500 steps of 128) the "
        "worst place of what does not come back, in deviations of that place; beside it the plain "
        "error, the reconstruction baseline, and the nearest neighbour of patches by place; the "
        "map of each is judged by the implanted ellipses. The bar is on the first, which was "
        "chosen on training pictures that train nothing, after the neighbours, chosen on digits, "
        "had held one of three bars; the shape and the strengths were fixed before any test "
        "picture was scored. Intervals are over seeds, which draw the lesions anew."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        known = Labelled.of("pneumoniamnist", {"name": "pneumoniamnist"})
        found = [measured(known, setting, seed, out / f"{seed}") for seed in range(seeds)]
        return [row(name, values) for name, values in gathered(found)]


def row(name: str, values: Sequence[float]) -> Row:
    """What the seeds found: a bar where it is the AUROC of ours."""
    better: Better = "higher"
    if not name.startswith(f"image AUROC, {OURS}"):
        return finding(name, values, "test", better)
    return Row(name, "bar", *over_seeds(values), len(values), "test", better, BAR)


def measured(known: Labelled, setting: Setting, seed: int, folder: Path) -> dict[str, float]:
    """Every figure of one seed, by score and strength."""
    rows = parted(known, seed, "test", setting.judged)
    net = {"name": "dense", "width": setting.width, "depth": 2}
    model = {"name": "vae", "latent": setting.latent, "encoder": net, "decoder": net}
    train = {"steps": setting.steps, "batch": 128, "seed": seed, "lr": 2e-3}
    run = fitted(known, rows, {**model, "likelihood": [{"name": "gaussian"}]}, train, folder)
    detectors = {name: learnt(known, rows, [run], [name]) for name in (OURS, *BESIDE)}
    return {
        f"{measure}, {name} at {strength:.0%}": value
        for strength in STRENGTHS
        for name, found in detectors.items()
        for measure, value in judged(found, known, rows, strength, seed).items()
    }


def parted(known: Labelled, seed: int, part: str, most: int) -> Rows:
    """Normal training pictures, a tenth held out; of other normal ones every second gets ill."""
    normal = shuffled(among(known.label, known.official["train"], [NORMAL]), seed)
    others = among(known.label, known.official[part], [NORMAL])[:most]
    cut = len(normal) // 10
    return Rows(normal[cut:], normal[:cut], others, torch.arange(len(others)) % 2 == 1)


def judged(
    found: Detector, known: Labelled, rows: Rows, strength: float, seed: int
) -> dict[str, float]:
    """How well one score tells pictures with lesions from those without, and where they are."""
    source, mask = with_lesions(found, known.part(rows.judged), rows.abnormal, strength, seed)
    where = found.maps(source).nanmean(1)
    score = found.raw(source)["score"]
    return {
        "image AUROC": float(auroc(score[rows.abnormal], score[~rows.abnormal])),
        "pixel AUROC": float(masks.area(where, mask, torch.arange(len(where)))),
        "pixel AUPRO": float(masks.overlap(where, mask, torch.arange(len(where)))),
    }


def with_lesions(
    found: Detector, source: Source, ill: Tensor, strength: float, seed: int
) -> tuple[Memory, Tensor]:
    """The pictures of a source in which those that are to be ill are, with all masks (N, H, W)."""
    rows, space = whole(source), found.run.space
    x = space.encode(rows.values)
    sick, mask = implanted(x[ill], strength, seed)
    x = x.index_copy(0, ill.nonzero()[:, 0], sick)
    every = torch.zeros(len(x), *x.shape[2:], dtype=torch.bool)
    every[ill] = mask
    return Memory(space.decode(x), rows.given), every
