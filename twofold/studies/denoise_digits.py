r"""Does a VAE take noise from digits better than methods without a model do?

A VAE that was trained with noise infers q(z | x̃) from a noisy picture x̃, and the estimate of least
squared error is the posterior mean (`apps/denoising.py`),

$$ \hat x = \mathbb E_{q(z \mid \tilde x)} \mathbb E[x \mid \tilde x, z], \qquad
   p(x \mid \tilde x, z) \propto p(x \mid z)\, c(\tilde x \mid x). $$

The second factor, the law of the noise, lets the noisy value itself have its say. It is what
counts where the noise is weak: a code of few dimensions loses details that are plain to see in x̃.
What the code alone gives, E[x | z], stands beside it. One model serves all levels, its noise being
drawn anew for each picture; at denoising σ is known, to it as to the other methods.

Beside it stand non-local means (Buades et al. 2005), total variation (Chambolle 2004) and wavelet
shrinkage (Donoho & Johnstone 1994; Chang et al. 2000), as scikit-image has them, each tuned on
validation pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from twofold.apps import denoising
from twofold.apps.denoising import METHODS, Tuned, denoise, noisy, psnr, tuned
from twofold.core.errors import UserError
from twofold.data.doctor import examine
from twofold.data.sources import Rows, Source
from twofold.maths.noise import Clean, Gaussian
from twofold.runs.run import Run
from twofold.runs.training import Material
from twofold.studies import kept
from twofold.studies.iwae_order import differences
from twofold.studies.seeds import finding, gain
from twofold.studies.study import Budget, Row, Study

LEVELS = (0.1, 0.25, 0.5)
"""σ, of the grey range."""
ALONE = "the code alone"
NOISY = "noisy"


@dataclass(frozen=True)
class Setting:
    """How much is done.

    Args:
        data: the named set. steps: of training. width: of the networks. latent: D.
        pictures: test pictures. tuned: validation pictures that the others are tuned on.
        draws: codes a picture.
    """

    data: str
    steps: int
    width: int
    latent: int
    pictures: int
    tuned: int
    draws: int


SETTINGS: Mapping[Budget, Setting] = {
    "smoke": Setting("digits", 30, 32, 8, 12, 3, 2),
    "cpu": Setting("mnist", 6000, 512, 64, 300, denoising.TUNED, 8),
    "paper": Setting("mnist", 100_000, 1024, 64, 10_000, 500, 16),
}
BATCH, RATE, BETA = 128, 2e-3, 0.03


class DenoiseDigits(Study):
    """A denoising VAE beside tuned classical methods."""

    claim = "A VAE trained with noise denoises digits better than methods without a model."
    paper = "Im et al. 2017, arXiv:1511.06406; Buades et al. 2005; Chambolle 2004"
    protocol = (
        "MNIST (smoke: scikit-learn's digits), Gaussian noise of σ = 0.1, 0.25, 0.5 of the grey "
        "range, cut off at black and white and rounded to 256 levels as in a file. One dense VAE a "
        "seed, 2 × 512, latent 64, discretised logistic with a predicted scale, trained without "
        "labels on noise whose σ is drawn for each picture, log-uniform from 0.05 to 0.55; 6,000 "
        "steps of 128, Adam at 2e-3 with a cosine; β = 0.03, chosen among 1, 0.3, 0.1 and 0.03 on "
        "validation pictures in shorter runs of a seed that is not reported. Posterior mean over 8 "
        "codes, σ known. PSNR a picture, averaged over the first 300 test pictures; the noise on "
        "them differs from seed to seed. Non-local means, total variation and wavelets of "
        "scikit-image: settings by grid (for wavelets, BayesShrink or VisuShrink, two families, "
        "one to three levels), σ known, and a straight line after them, as cut-off noise is not "
        "zero on average; all by squared error on 48 validation pictures (paper: 500, and 10,000 "
        "test pictures; it can be interrupted, and goes on with its runs). A gain is seed by seed."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting = SETTINGS[budget]
        installed()
        data = {"name": setting.data, "split": {"validation": 0.1, "seed": 0}}
        examination = examine(setting.data)
        material = Material.of(examination.kind, examination.source, (), data)
        runs = [fitted(material, data, setting, seed, out / f"{seed}") for seed in range(seeds)]
        return [row for sigma in LEVELS for row in compared(runs, material, setting, sigma)]


def installed() -> None:
    """Refuse to leave a method out."""
    for name, method in METHODS.items():
        for module in method.missing:
            raise UserError(f"{name} needs {module}; install twofold[denoise]")


def fitted(
    material: Material, data: Mapping[str, Any], setting: Setting, seed: int, folder: Path
) -> Run:
    """A VAE trained with noise of every level, or gone on with."""
    return kept.trained(recipe(setting, seed), data, material, folder)


def recipe(setting: Setting, seed: int) -> dict[str, Any]:
    """The recipe of a run."""
    net = {"name": "dense", "width": setting.width, "depth": 2}
    model = {
        "name": "vae",
        "latent": setting.latent,
        "encoder": net,
        "decoder": net,
        "likelihood": [{"name": "discretised-logistic", "scale": "predicted"}],
        "divergence": {"name": "kl", "beta": BETA},
        "noise": {"name": "blind-gaussian", "low": 0.05, "high": 0.55},
    }
    train = {
        "steps": setting.steps,
        "batch": BATCH,
        "seed": seed,
        "lr": RATE,
        "schedule": {"name": "cosine", "warmup": 0.02},
        "null": 1.0,
        "best": "none",
        "evaluate": setting.steps,
        "checkpoint": min(setting.steps, 3000),
    }
    return {"model": model, "train": train}


def compared(runs: Sequence[Run], material: Material, setting: Setting, sigma: float) -> list[Row]:
    """The rows of one level: each method, and what ours gains."""
    others = rivals(runs[0], material.validation, setting.tuned, sigma)
    by_seed = [
        measured(run, others, first(material.test, setting.pictures), sigma, setting.draws)
        for run in runs
    ]
    found = {name: [figures[name] for figures in by_seed] for name in by_seed[0]}
    return [
        *(
            finding(f"PSNR at σ = {sigma:g}, {name}, dB", values, "test", "higher")
            for name, values in found.items()
        ),
        *(
            gain(f"PSNR at σ = {sigma:g} minus {name}, dB", differences(found["vae"], found[name]),
                 "test")
            for name in others
        ),
    ]  # fmt: skip


def rivals(run: Run, validation: Source, pictures: int, sigma: float) -> dict[str, Tuned]:
    """The classical methods, tuned on validation pictures."""
    clean = first(validation, pictures)
    spoilt = noisy(run, clean, Gaussian(sigma), 0)
    return {
        name: tuned(run.space, method, clean.values, spoilt.values)
        for name, method in METHODS.items()
    }


def first(source: Source, n: int) -> Rows:
    """The first rows of a source."""
    return source.read(torch.arange(min(n, len(source))))


def measured(
    run: Run, others: Mapping[str, Tuned], clean: Rows, sigma: float, draws: int
) -> dict[str, float]:
    """The mean PSNR of the run and of each method, on noise of the run's own seed."""
    noise = Gaussian(sigma)
    seen = noisy(run, clean, noise, 1 + run.seed)
    scenes = torch.arange(len(clean))

    def mean(values: Tensor) -> float:
        return float(psnr(run.space, clean.values, values).mean())

    return {
        "vae": mean(denoise(run, seen, scenes, noise, draws).mean.values),
        ALONE: mean(denoise(run, seen, scenes, Clean(), draws).mean.values),
        NOISY: mean(seen.values),
        **{name: mean(method(run.space, seen.values)) for name, method in others.items()},
    }
