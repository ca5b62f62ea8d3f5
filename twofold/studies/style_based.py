r"""Does a style-based generator put scales apart, and is W straighter than Z?

Karras et al. (2019, arXiv:1812.04948) claim two things of their generator, and both can be measured
on any picture.

*Mixing localises.* Let x be drawn with the styles w, x' with w', and x_S with the styles of w' in
the layers S alone. With P the means over blocks of two by two, P x is coarse and (1 − P) x detail.
The change in a band, over that by replacing every layer,

$$ M_{S, P} = \frac{\mathbb E \lVert P (x_S - x) \rVert^2}{\mathbb E \lVert P (x' - x) \rVert^2},
$$

is near 1 where the layers S decide the band, and near 0 where they leave it alone. Fine layers, the
last size's, should change detail and not what is coarse, and coarse layers what is coarse.

*W is straighter than Z.* The perceptual path length is the squared speed of the features φ of
pictures on the way between two codes,

$$ \mathbb E \big\lVert \varphi(g(w(t))) - \varphi(g(w(t + \epsilon))) \big\rVert^2 /
   \epsilon^2, \quad t \sim U(0, 1), $$

w(t) a straight line in W, or the image of a great circle in Z (§4.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.data.pictures import grid, png, shown
from twofold.maths.paths import spherical
from twofold.measures.baselines import canonical
from twofold.measures.estimate import steady
from twofold.models.stylegan import StyleGAN
from twofold.nets import extractors
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import garments
from twofold.studies.seeds import finding, gain
from twofold.studies.study import Budget, Row, Study

CONFINED = 3.0
EPSILON = 1e-2
ARMS = ("stylegan", "gan")


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        side: of the pictures. width: channels at full size; the plain generator has twice as many.
        steps: of each family, so that they take the same time.
        n: pictures a side of a figure. pairs: of codes.
    """

    side: int
    width: int
    steps: Mapping[str, int]
    n: int
    pairs: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(7, 2, {"stylegan": 2, "gan": 3}, 60, 20),
    "cpu": Setting(14, 8, {"stylegan": 4000, "gan": 5850}, 2048, 1000),
    "paper": Setting(28, 16, {"stylegan": 40_000, "gan": 58_000}, 10_000, 10_000),
}


class StyleBased(Study):
    """Mixing, path lengths, and the distance beside a plain generator."""

    claim = "Styles act on their own scales, and ways through W are shorter than through Z."
    paper = "Karras et al. 2019, arXiv:1812.04948; Karras et al. 2020, arXiv:1912.04958"
    protocol = (
        "Fashion-MNIST averaged to 14 × 14 (paper 28 × 28), without labels. stylegan: 8 channels "
        "at full size (paper 16), mapping of 4 layers, mixing 0.9, path length 2 every 4 steps; "
        "gan: strided convolutions, 16 channels (32); both with a critic of strided convolutions "
        "of 16 channels (32), relativistic with R1 and R2 of 0.1, batch 32, Adam at 5e-4 "
        "(stylegan's generator at 2e-3, its layers being equalised), averaged "
        "weights. stylegan takes 4,000 steps and gan 5,850 (40,000 and 58,000), which was the same "
        "processor time where the ratio was measured; seconds are told. Mixing: 1,000 pairs of "
        "codes (10,000) without noise; fine layers are those of the full size; bars on the worst "
        "seed, at least 3: coarse change by coarse layers over that by fine ones, and of fine "
        "layers the change of detail over that of what is coarse, each as a share of the change "
        "by all layers, of squares. Path length: as many pairs, features of tiny-v1 in place of "
        "the publication's network, ε of 0.01, without noise; the bar is on the logarithm of Z "
        "over W, above zero over seeds. Nothing was chosen on the test split."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        data = garments.opened(setting.side)
        runs = {
            arm: [trained(arm, data, setting, seed, out) for seed in range(seeds)] for arm in ARMS
        }
        styles = [style_of(run) for run in runs["stylegan"]]
        mixed = [mixing(model, setting.pairs, seed) for seed, model in enumerate(styles)]
        for seed, model in enumerate(styles):
            sheet(model, out / f"mixing-{seed}.png")
        ways = [lengths(model, setting.pairs, seed) for seed, model in enumerate(styles)]
        distances = {arm: [distance(run, data, setting.n) for run in runs[arm]] for arm in ARMS}
        return [*of_mixing(mixed), *of_lengths(ways), *of_distance(distances), *of_time(runs)]


def trained(arm: str, data: Material, setting: Setting, seed: int, folder: Path) -> Run:
    """One seed of an arm."""
    run = garments.trained(
        model_of(arm, setting), train_of(arm, setting), data, seed, folder / f"{arm}-{seed}"
    )
    garments.picture(run, folder / f"{arm}-{seed}.png")
    return run


def model_of(arm: str, setting: Setting) -> dict[str, Any]:
    net = {"name": "conv", "width": 2 * setting.width, "blocks": 0}
    penalties = [{"name": name, "gamma": 0.1} for name in ("r1", "r2")]
    alike = {"name": arm, "latent": 32, "critic": net, "penalties": penalties}
    own: Mapping[str, Mapping[str, Any]] = {
        "stylegan": {"widths": {"width": setting.width, "growth": 4}},
        "gan": {"generator": {**net, "activation": "relu"}},
    }
    return alike | dict(own[arm])


def train_of(arm: str, setting: Setting) -> dict[str, Any]:
    alike = {"steps": setting.steps[arm], "batch": 32, "betas": [0.0, 0.99], "average": 2.0}
    own: Mapping[str, Mapping[str, Any]] = {
        "stylegan": {"lr": 5e-4, "players": {"generator": {"lr": 4.0}}},
        "gan": {"lr": 5e-4},
    }
    return alike | dict(own[arm])


def distance(run: Run, data: Material, n: int) -> Distance:
    """The distance of draws to test pictures, and its floor."""
    figure = garments.judged(run, data, n, ["fd_tiny-v1"])["fd_tiny-v1"]
    return Distance(figure.value, figure.floor, figure.baseline)


class Distance(NamedTuple):
    """A Fréchet distance with what stands beside it."""

    value: float
    floor: float
    baseline: float


# Mixing.


class Mixed(NamedTuple):
    """The change in each band by each half of the layers, as a share of that by all."""

    coarse_of_coarse: float
    detail_of_coarse: float
    coarse_of_fine: float
    detail_of_fine: float


def style_of(run: Run) -> StyleGAN:
    assert isinstance(run.model, StyleGAN)
    return run.model


def styles(model: StyleGAN, n: int) -> Tensor:
    """Styles of n codes, one for each layer, (n, L, D)."""
    given = Given.none(n, model.given)
    w = model.map(model.prior(given).sample(), given)
    return w.unsqueeze(1).expand(-1, model.synthesis.layers, -1)


def late(model: StyleGAN) -> Tensor:
    """Which layers are of the full size, (L,): its two convolutions, and what paints."""
    return torch.arange(model.synthesis.layers) >= model.synthesis.layers - 3


def mixing(model: StyleGAN, pairs: int, seed: int) -> Mixed:
    """M of coarse and of fine layers."""
    with steady(model, seed):
        w, other = styles(model, pairs), styles(model, pairs)
        fine = late(model).reshape(1, -1, 1)
        x = painted(model, w)
        every = bands(model, painted(model, other) - x)
        coarse = bands(model, painted(model, torch.where(fine, w, other)) - x)
        detail = bands(model, painted(model, torch.where(fine, other, w)) - x)
    return Mixed(*(coarse / every).tolist(), *(detail / every).tolist())


def painted(model: StyleGAN, w: Tensor) -> Tensor:
    """Pictures of styles, without noise."""
    return torch.cat([model.synthesise(part).mean for part in w.split(500)])


def bands(model: StyleGAN, change: Tensor) -> Tensor:
    """The mean squares of what is coarse in a change, and of its detail, (2,)."""
    scales = model.synthesis.scales
    coarse = scales.enlarge(scales.reduce(change, len(scales) - 2), len(scales) - 2)
    return torch.stack([part.square().mean() for part in (coarse, change - coarse)]).double()


def sheet(model: StyleGAN, path: Path) -> None:
    """Six garments down and six across; inside, the coarse styles of the row and the fine ones of
    the column."""
    with steady(model, 0):
        w, other = styles(model, 6), styles(model, 6)
        pairs = torch.where(late(model).reshape(1, 1, -1, 1), other[None], w[:, None])
        x = canonical(model.space, painted(model, pairs.flatten(0, 1)))
    path.write_bytes(png(grid(shown(x, 0.0, 1.0), columns=6)))


# Path lengths.


class Lengths(NamedTuple):
    """The mean squared speed in each space."""

    z: float
    w: float


def lengths(model: StyleGAN, pairs: int, seed: int) -> Lengths:
    """Of ways between the same pairs of codes."""
    given = Given.none(pairs, model.given)
    with steady(model, seed):
        a, b = (model.prior(given).sample() for _ in range(2))
        t = torch.rand(pairs)
        in_z = [model.map(great_circle(a, b, s), given) for s in (t, t + EPSILON)]
        w_a, w_b = model.map(a, given), model.map(b, given)
        in_w = [torch.lerp(w_a, w_b, s.unsqueeze(1)) for s in (t, t + EPSILON)]
        return Lengths(*(speed(model, *ends) for ends in (in_z, in_w)))


def great_circle(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """A place on the way from each a to its b (P, D), at its own t (P,).

    >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> great_circle(a, b, torch.tensor([0.5])).square()
    tensor([[0.5000, 0.5000]])
    """
    ways = [spherical(p[None], q[None], s[None], decode=torch.abs)[0] for p, q, s in
            zip(a, b, t, strict=True)]  # fmt: skip
    return torch.cat(ways)


def speed(model: StyleGAN, w: Tensor, then: Tensor) -> float:
    """E ‖φ(g(w)) − φ(g(then))‖² / ε², before pixels are rounded."""
    phi = extractors.extractor("tiny-v1")
    here, there = (extractors.features(phi, painted_of(model, part)) for part in (w, then))
    return float((here - there).double().square().sum(1).mean()) / EPSILON**2


def painted_of(model: StyleGAN, w: Tensor) -> Tensor:
    """Pictures of styles of W (B, D), without noise."""
    return painted(model, w.unsqueeze(1).expand(-1, model.synthesis.layers, -1))


# Rows.


def of_mixing(by_seed: Sequence[Mixed]) -> list[Row]:
    """The shares, and the two bars."""
    shares = [
        finding(f"mixing: {name.replace('_', ' ')} layers, share of the change by all",
                [getattr(seen, name) for seen in by_seed], "none", better)  # type: ignore[arg-type]
        for name, better in zip(Mixed._fields, ("higher", "lower", "lower", "higher"), strict=True)
    ]  # fmt: skip
    coarse = [seen.coarse_of_coarse / seen.coarse_of_fine for seen in by_seed]
    fine = [seen.detail_of_fine / seen.coarse_of_fine for seen in by_seed]
    return [
        *shares,
        confined("mixing: coarse change by coarse layers over that by fine ones", coarse),
        confined("mixing: fine layers, change of detail over that of what is coarse", fine),
    ]


def confined(measure: str, ratios: Sequence[float]) -> Row:
    """A bar on the worst seed."""
    return Row(measure, "bar", min(ratios), min(ratios), max(ratios), len(ratios), "none",
               "higher", CONFINED)  # fmt: skip


def of_lengths(by_seed: Sequence[Lengths]) -> list[Row]:
    """Both lengths, and the bar."""
    log_ratios = [math.log(seen.z / seen.w) for seen in by_seed]
    return [
        finding("path length in Z, tiny-v1", [seen.z for seen in by_seed], "none", "lower"),
        finding("path length in W, tiny-v1", [seen.w for seen in by_seed], "none", "lower"),
        gain("path length: log of Z over W", log_ratios, "none"),
    ]


def of_distance(found: Mapping[str, Sequence[Distance]]) -> list[Row]:
    """The distance of each arm, and how much nearer the style-based one is."""
    rows = [
        replace(
            finding(f"{arm}: fd_tiny-v1", [one.value for one in seen], "test", "lower"),
            floor=seen[0].floor,
            baseline=seen[0].baseline,
        )
        for arm, seen in found.items()
    ]
    style, plain = (found[arm] for arm in ARMS)
    nearer = [p.value - s.value for s, p in zip(style, plain, strict=True)]
    name = "stylegan: fd_tiny-v1 below that of gan"
    return [*rows, finding(name, nearer, "test", "higher")]


def of_time(runs: Mapping[str, Sequence[Run]]) -> list[Row]:
    """What training took."""
    return [
        finding(f"{arm}: seconds of training", [run.log[-1]["seconds"] for run in seen], "none",
                "lower")
        for arm, seen in runs.items()
    ]  # fmt: skip
