r"""Do augmentations of what the critic sees help where pictures are few, and do they leak?

A critic that has seen its few real pictures often enough knows them by heart. Shown each through a
random transformation, drawn ones alike, it cannot: with every transformation always (Zhao et al.
2020, arXiv:2006.10738), or each with a probability that follows how sure the critic is (Karras et
al. 2020, arXiv:2006.06676). The equilibrium is still that of equal laws wherever the transformation
can be inverted as a map of laws; elsewhere it *leaks*, and transformed pictures are drawn.

The test of a leak needs no eye. A detector of each policy, a linear one, learns to tell training
pictures from training pictures that went through that policy once. On held-out pictures it calls a
share of the real ones, and of the transformed ones, transformed; where draws are called so more
often than the draws of the same network trained without augmentation, the policy has leaked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from twofold.maths.augmentations import Affine, Transformation, applied, suited
from twofold.measures.fidelity import gauge
from twofold.runs import measuring
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import garments
from twofold.studies.seeds import finding, gain, over_seeds
from twofold.studies.study import Budget, Row, Study

COUNTS = (100, 1000)
LEAK = 0.1
"""Share of draws, beyond those of no augmentation, that may look transformed."""


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        side: of the pictures. width: channels at full size. steps: of training.
        span: of the adaptive probability, thousands of pictures. n: pictures a side of a figure.
        fitted: training pictures of the detector, of all that there are.
    """

    side: int
    width: int
    steps: int
    span: float
    n: int
    fitted: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting(7, 4, 2, 1.0, 60, 100),
    "cpu": Setting(14, 16, 4000, 20.0, 2048, 4000),
    "paper": Setting(28, 32, 40_000, 100.0, 10_000, 20_000),
}


class FewImages(Study):
    """Augmentation of the critic's view, with 100 and 1,000 pictures."""

    claim = "With few pictures, augmenting what the critic sees brings draws nearer; nothing leaks."
    paper = "Zhao et al. 2020, arXiv:2006.10738; Karras et al. 2020, arXiv:2006.06676"
    protocol = (
        "The first 100 or 1,000 of Fashion-MNIST's training pictures in a random order, averaged "
        "to 14 × 14 (paper 28 × 28), without labels. The networks of the recipe dcgan, 16 channels "
        "at full size (paper 32), the relativistic loss with R1 of 0.1, 4,000 steps of 32 (paper "
        "40,000), Adam at 5e-4, averaged weights; alike in all arms but for what the critic sees: "
        "pictures as they are, diff-augment (each turned by up to 10°, scaled, slanted and moved a "
        "little), or adaptive (colour, translation and cutout, with a probability up to 0.8, span "
        "20 thousand pictures, paper 100). "
        "fd_tiny-v1 between 2,048 test pictures (10,000) and as many draws; its floor is between "
        "test and training pictures of the whole set. A bar asks for a gain over none, pair by "
        "pair over seeds. Leak: ridge regression on pixels and their squares tells 4,000 training "
        "pictures (20,000) of the whole set from the same ones transformed once by the arm's "
        "policy; its threshold "
        "is where it calls a tenth of them wrongly; the bar is on the share of draws that it calls "
        "transformed beyond that of draws of the network without augmentation, the mean over "
        "seeds, at most 0.1. Networks, steps, span and what diff-augment does were chosen by "
        "validation pictures, with 100 pictures and seed 100: colour, translation and cutout on "
        "each picture were worse than none there."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        whole = garments.opened(setting.side)
        judge = Judge.of(whole, setting)
        return [
            *judge.rows(),
            *(
                row
                for count in COUNTS
                for row in of_count(count, compared(whole, count, judge, setting, seeds, out))
            ),
        ]


ARMS: Mapping[str, Callable[[Setting], Any]] = {
    "none": lambda setting: "unchanged",
    "adaptive": lambda setting: {"name": "adaptive", "span": setting.span},
    "diff-augment": lambda setting: {"name": "diff-augment", "policy": ["affine"]},
}
POLICIES: Mapping[str, Sequence[Transformation]] = {
    "adaptive": suited(2),
    "diff-augment": (Affine(),),
}
"""What the critic of an arm is shown pictures through."""


# How draws are judged.


@dataclass(frozen=True)
class Detector:
    """What tells transformed pictures from pictures; higher is more likely transformed.

    Args:
        weight: of the features of x (B, C, *A), a number each. threshold: above it is transformed.
    """

    weight: Tensor
    threshold: float

    @classmethod
    def fit(cls, x: Tensor, changed: Tensor) -> Detector:
        """On pictures and the same ones changed, (N, C, *A) each."""
        both = features(torch.cat([x, changed]))
        target = torch.cat([-torch.ones(len(x)), torch.ones(len(changed))]).double()
        square = both.T @ both + 1e-2 * len(both) * torch.eye(both.shape[1]).double()
        weight = torch.linalg.solve(square, both.T @ target)
        return cls(weight, float((features(x) @ weight).quantile(0.9)))

    def __call__(self, x: Tensor) -> float:
        """The share of pictures that it calls transformed."""
        return float((features(x) @ self.weight > self.threshold).double().mean())


def features(x: Tensor) -> Tensor:
    """Pixels, their squares, products with the next one either way, and 1, (B, F), in float64.

    >>> features(torch.ones(1, 1, 2, 2)).shape
    torch.Size([1, 13])
    """
    down, right = x[..., 1:, :] * x[..., :-1, :], x[..., 1:] * x[..., :-1]
    parts = [part.flatten(1) for part in (x, x.square(), down, right)]
    return torch.cat([*parts, torch.ones_like(parts[0][:, :1])], 1).double()


class Judge(NamedTuple):
    """How far draws are from test pictures, and what looks transformed of real ones."""

    n: int
    distance: Callable[[Tensor], float]
    detectors: Mapping[str, Detector]
    floor: float
    seen: Mapping[str, float]

    @classmethod
    def of(cls, whole: Material, setting: Setting) -> Judge:
        space, n = whole.kind.space, setting.n
        test = measuring.batch_of(whole.kind, whole.test, n, 0)
        x = measuring.batch_of(whole.kind, whole.train, max(n, setting.fitted), 0).x
        distance = gauge(space, test)[1]
        train = x[: setting.fitted]
        detectors = {
            arm: Detector.fit(train, transformed(train, policy, 0))
            for arm, policy in POLICIES.items()
        }
        seen = {
            f"{arm}: {name}": detectors[arm](shown)
            for arm, policy in POLICIES.items()
            for name, shown in (("real", test.x), ("transformed", transformed(test.x, policy, 1)))
        }
        return cls(n, distance, detectors, distance(x[:n]), seen)

    def looked(self, x: Tensor) -> dict[str, float]:
        """The share of draws that look transformed as each arm transforms."""
        return {arm: detector(x) for arm, detector in self.detectors.items()}

    def rows(self) -> list[Row]:
        """What the detectors make of held-out pictures: how well they could see a leak."""
        return [
            finding(f"detector, {name} test pictures called transformed", [share], "test",
                    "lower" if name.endswith("real") else "higher")
            for name, share in self.seen.items()
        ]  # fmt: skip


def transformed(x: Tensor, policy: Sequence[Transformation], seed: int) -> Tensor:
    """Every picture once through a policy, and into the domain again."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return applied(tuple(policy), x).clamp(0, 1)


class Seen(NamedTuple):
    """What one seed of an arm found."""

    distance: float
    floor: float
    looked: Mapping[str, float]


# What is trained.


def compared(
    whole: Material, count: int, judge: Judge, setting: Setting, seeds: int, folder: Path
) -> dict[str, list[Seen]]:
    """Every arm on so many pictures, over seeds."""
    data = garments.limited(whole, count)
    return {
        arm: [
            of_seed(arm, data, judge, setting, seed, folder / f"{count}-{arm}-{seed}")
            for seed in range(seeds)
        ]
        for arm in ARMS
    }


def of_seed(
    arm: str, data: Material, judge: Judge, setting: Setting, seed: int, folder: Path
) -> Seen:
    """Train one seed of an arm, and judge its draws."""
    run = garments.trained(model_of(arm, setting), train_of(setting), data, seed, folder)
    garments.picture(run, folder.with_suffix(".png"))
    x = draws(run, judge.n)
    return Seen(judge.distance(x), judge.floor, judge.looked(x))


def model_of(arm: str, setting: Setting) -> dict[str, Any]:
    net = {"name": "conv", "width": setting.width, "blocks": 0}
    return {
        "name": "gan",
        "latent": 32,
        "augment": ARMS[arm](setting),
        "penalties": [{"name": "r1", "gamma": 0.1}],
        "generator": {**net, "activation": "relu", "groups": 8},
        "critic": net,
    }


def train_of(setting: Setting) -> dict[str, Any]:
    return {
        "steps": setting.steps,
        "batch": 32,
        "lr": 5e-4,
        "betas": [0.0, 0.99],
        "average": 2.0,
    }


def draws(run: Run, n: int) -> Tensor:
    """So many draws, encoded."""
    return run.space.encode(run.draw(n, {}, 0).values)


# Rows.


def of_count(count: int, found: Mapping[str, Sequence[Seen]]) -> list[Row]:
    """The rows of so many pictures."""
    none = found["none"]
    helped = {arm: seen for arm, seen in found.items() if arm != "none"}
    return [
        *(row for arm, seen in found.items() for row in of_arm(f"{count} pictures, {arm}", seen)),
        *(
            gain(f"{count} pictures, {arm}: fd_tiny-v1 below that of none", less(none, seen),
                 "test")
            for arm, seen in helped.items()
        ),
        *(leak(count, arm, none, seen) for arm, seen in helped.items()),
    ]  # fmt: skip


def of_arm(title: str, seen: Sequence[Seen]) -> list[Row]:
    distances = finding(f"{title}: fd_tiny-v1", [one.distance for one in seen], "test", "lower")
    return [
        replace(distances, floor=seen[0].floor),
        *(
            finding(f"{title}: share of draws that look transformed as by {arm}",
                    [one.looked[arm] for one in seen], "none", "lower")
            for arm in POLICIES
        ),
    ]  # fmt: skip


def less(none: Sequence[Seen], seen: Sequence[Seen]) -> list[float]:
    """How much nearer draws are, a seed each."""
    return [a.distance - b.distance for a, b in zip(none, seen, strict=True)]


def leak(count: int, arm: str, none: Sequence[Seen], seen: Sequence[Seen]) -> Row:
    """A bar on how many more draws look transformed, the mean over seeds."""
    more = over_seeds([b.looked[arm] - a.looked[arm] for a, b in zip(none, seen, strict=True)])
    name = f"{count} pictures, {arm}: draws that look transformed beyond those of none"
    return Row(name, "bar", more.value, more.low, more.high, len(seen), "none", "lower", LEAK)
