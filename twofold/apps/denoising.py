r"""Denoising: the expectation of a clean observation, given a noisy one.

A model trained with `noise` (see `maths/noise.py`) infers q(z | x̃) from a noisy x̃ and decodes a
clean x. The estimate of least squared error is the posterior mean, here over K codes,

$$ \hat x = \frac1K \sum_k \mathbb E[x \mid \tilde x, z_k], \qquad
   z_k \sim q(z \mid \tilde x), \qquad
   p(x \mid \tilde x, z) \propto p(x \mid z)\, c(\tilde x \mid x), $$

where the noisy value itself has its say as far as the law c of the noise is known
(`maths/restoring.py`); where it is not, E[x | z_k] stands alone. The standard deviation of draws
x_k ~ p(x | x̃, z_k) says, value by value, how sure it is. Of several noisy copies of one scene each
gives codes, and all of them have their say of every value.

Where the clean observation is known, the peak signal-to-noise ratio says how near the estimate is,
$\text{PSNR} = 10 \log_{10} (R^2 / \text{MSE})$ dB, R the range of the values, an observation at a
time. Beside it stand the noisy observations themselves and, for pictures, three methods without a
model: non-local means (Buades et al. 2005), total variation (Chambolle 2004) and wavelet shrinkage
(Donoho & Johnstone 1994), as scikit-image has them, each with the settings, and the straight line
after it, that were best on validation observations to which the run's noise was added.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from itertools import product
from typing import Any

import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Distribution, Encodes
from twofold.core.space import Bounded, Category, Space, Token
from twofold.data.sources import Rows, Source
from twofold.maths.likelihoods import Observation
from twofold.maths.noise import Clean, Noise
from twofold.maths.restoring import restored
from twofold.measures.estimate import mean
from twofold.measures.measure import Figure
from twofold.runs.run import Run
from twofold.train.chance import seed_all

AT_ONCE = 1 << 13
"""Numbers of x that are worked on at once: each becomes a table of its levels."""
FAST = 4096
"""Numbers of a picture above which patches are compared by the fast rule of the library."""
TUNED = 48
"""Validation observations that a method's settings are chosen on, at most."""
PERFECT = 1e-10
"""The least squared error that is told from none: 100 dB."""


@dataclass(frozen=True)
class Denoised:
    """What was seen, what is expected of the clean, and the standard deviation if asked for.

    Args:
        seen: of several copies, their mean. copies: how many of a scene, at most.
    """

    seen: Rows
    mean: Rows
    std: Tensor
    copies: int = 1


def denoise(
    run: Run,
    seen: Rows,
    scenes: Tensor,
    noise: Noise,
    draws: int = 16,
    seed: int = 0,
    deviation: bool = False,
) -> Denoised:
    """The posterior mean of each scene, and how far draws lie apart.

    Args:
        run: the run. seen: noisy observations. scenes: rows of one number are copies of one scene.
        noise: what is known of the noise. draws: K of each copy. seed: of the draws.
        deviation: whether that is wanted; it takes as long again.
    """
    seed_all(torch.device("cpu"), seed)
    found = []
    with torch.inference_mode():
        for rows, copies in shots(scenes):
            for some in rows.split(max(1, AT_ONCE // run.space.numel)):  # (B, M)
                every = Rows(seen.values[some.flatten()], seen.given[some.flatten()])
                found.append((some[:, 0], *expected(run, every, copies, noise, draws, deviation)))
    first, mean, std, average = (torch.cat(part) for part in zip(*found, strict=True))
    order = first.argsort()
    given = seen.given[first[order]]
    most = int(scenes.unique(return_counts=True)[1].max())
    return Denoised(Rows(average[order], given), Rows(mean[order], given), std[order], most)


def shots(scenes: Tensor) -> Iterator[tuple[Tensor, int]]:
    """The rows of scenes with M copies, (B, M), for each M that occurs.

    >>> [(rows.tolist(), copies) for rows, copies in shots(torch.tensor([7, 3, 7]))]
    [([[1]], 1), ([[0, 2]], 2)]
    """
    _, which, counts = scenes.unique(return_inverse=True, return_counts=True)
    order = which.argsort(stable=True)
    for copies in counts.unique().tolist():
        yield order[counts[which[order]] == copies].unflatten(0, (-1, copies)), copies


def expected(
    run: Run, every: Rows, copies: int, noise: Noise, draws: int, deviation: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and standard deviation of each scene, and the mean of its copies, as values.

    Args:
        every: the copies of each scene, one after the other.
    """
    encoder, decoder = run.role(Encodes, "denoise"), run.role(Decodes, "denoise")
    x, given = run.space.encode(every.values), run.known(every.given)
    shown = x.unflatten(0, (-1, copies))  # (B, M, C, *A)
    total, spreads = torch.zeros_like(shown[:, 0]), [Sums()] if deviation else []
    for m in range(copies):
        c = Given(given.c[m::copies])
        q = encoder.encode(shown[:, m], c)
        for _ in range(draws):
            p = told(decoder.decode(q.sample(), c), shown, noise)
            total += p.mean / (draws * copies)
            for sums in spreads:
                sums.add(run.space.decode(p.sample()).double().nan_to_num())
    average = every.values.double().unflatten(0, (-1, copies)).mean(1).to(every.values)
    stds = [sums.std for sums in spreads] or [total.new_zeros(len(total), 0)]
    return run.space.decode(total), stds[0], average


def told(p: Distribution, shown: Tensor, noise: Noise) -> Distribution:
    """p(x | x̃_1 … x̃_M, z) of x̃ (B, M, C, *A); p(x | z) where it is no product of likelihoods."""
    if isinstance(p, Observation):
        for seen in shown.unbind(1):
            p = restored(p, seen, noise)
    return p


class Sums:
    """The standard deviation of draws that come one after another (Welford 1962).

    >>> sums = Sums()
    >>> for draw in (1.0, 2.0, 6.0):
    ...     sums.add(torch.tensor([draw]))
    >>> sums.std.square()
    tensor([4.6667])
    """

    def __init__(self) -> None:
        self.n = 0
        self.mean = self.squares = torch.zeros(())

    def add(self, draw: Tensor) -> None:
        """One more draw, of the same shape as those before."""
        self.n += 1
        gap = draw - self.mean
        self.mean = self.mean + gap / self.n
        self.squares = self.squares + gap * (draw - self.mean)

    @property
    def std(self) -> Tensor:
        """Over all draws, of the shape of one."""
        return (self.squares / self.n).sqrt()


def scenes_of(source: Source, n: int) -> tuple[Rows, Tensor]:
    """Every copy of the first n scenes, and the number of its scene, from 0 on."""
    _, which, counts = source.scenes().unique(return_inverse=True, return_counts=True)
    rows = torch.arange(len(which))
    first = rows.new_zeros(len(counts)).scatter_reduce(0, which, rows, "amin", include_self=False)
    rank = first.argsort().argsort()[which]
    kept = rows[rank < n]
    return source.read(kept), rank[kept]


def by_scene(names: Sequence[str], source: Source) -> list[str]:
    """What each scene is called: as its first copy is."""
    first: dict[int, str] = {}
    for scene, name in zip(source.scenes().tolist(), names, strict=False):  # names may be none
        first.setdefault(scene, name)
    return [*first.values()]


def noise_of(run: Run) -> Noise:
    """The noise between what a run expects and what it sees.

    None where its family knows none, or where it was scored on noisy copies itself.
    """
    found = getattr(run.model, "noise", Clean())
    return found if isinstance(found, Noise) and not run.kind.copied else Clean()


def doubts(run: Run) -> list[str]:
    """What to say of a run that was never told signal from noise."""
    if noise_of(run) != Clean() or run.kind.copied:
        return []
    return [
        "this run was trained without noise, so what it returns is a plain reconstruction; train "
        "with --set model.noise=gaussian"
    ]


def noise_at(run: Run, level: float | None) -> Noise:
    """The noise that a run was trained with, at a level of one's own where one is given."""
    if level is None:
        return noise_of(run)
    if not 0 < level < math.inf:
        raise UserError(f"--level {level:g} is no strength of a noise; give a number above 0")
    return noise_of(run).at(level)


def noisy(run: Run, clean: Rows, noise: Noise, seed: int) -> Rows:
    """Rows with a noise, as a file would hold them."""
    if noise == Clean():
        why = "from noisy copies" if run.kind.copied else "without noise"
        raise UserError(f"this run was trained {why}; train with --set model.noise=gaussian")
    seed_all(torch.device("cpu"), seed)
    x = noise(run.space.encode(clean.values), run.space)
    return Rows(run.space.decode(x), clean.given)


# How near it is.


def psnr(space: Space, clean: Tensor, other: Tensor) -> Tensor:
    """PSNR of each observation in dB, (B,), from values (B, F, *A) in the units of the file.

    >>> from twofold.core.space import Field
    >>> grey = Space((Field("pixel", Bounded(0, 10, 11)),), (1, 2))
    >>> psnr(grey, torch.tensor([[[[0.0, 10.0]]]]), torch.tensor([[[[1.0, 9.0]]]]))
    tensor([20.], dtype=torch.float64)
    """
    error = (other.double() - clean.double()) / ranges(space, clean)
    known = ~error.isnan()
    mse = error.nan_to_num().square().flatten(1).sum(1) / known.flatten(1).sum(1).clamp(min=1)
    return -10 * mse.clamp(min=PERFECT).log10()


def ranges(space: Space, clean: Tensor) -> Tensor:
    """R of each value, (F, 1, …): of its domain where that has levels, else of the clean data."""
    ends: list[float] = []
    parts = clean.split([field.size for field in space.fields], 1)
    for field, part in zip(space.fields, parts, strict=True):
        if isinstance(field.domain, Category | Token):
            raise UserError(f"{field.name} is no number; PSNR is for pictures and series")
        known = part[~part.isnan()].double()
        wide = float(known.max() - known.min()) if len(known) else 1.0
        domain = field.domain
        if isinstance(domain, Bounded) and domain.levels:
            wide = domain.high - domain.low
        ends += [wide] * field.size
    R = torch.tensor(ends, dtype=torch.float64).clamp(min=1e-12)
    return R.reshape(-1, *[1] * len(space.axes))


def figures(
    run: Run,
    clean: Rows,
    made: Denoised,
    noise: Noise,
    validation: Callable[[], Source],
    seed: int,
    split: str,
) -> tuple[list[Figure], dict[str, str]]:
    """PSNR of the model beside the noisy observations and the classical methods; what is left out.

    Args:
        clean: the truth. made: of the model. noise: that was there.
        validation: observations to tune the others on.
    """
    sides = {"psnr": made.mean.values, "psnr noisy": made.seen.values}
    notes = {"psnr": "the posterior mean", "psnr noisy": "as they came"}
    others, left_out = classical(run, made, noise, validation, seed)
    for name, (values, words) in others.items():
        sides[f"psnr {name}"], notes[f"psnr {name}"] = values, words
    found = [
        Figure(name, *mean(psnr(run.space, clean.values, values), seed), len(clean), "higher",
               unit="dB", seed=seed, split=split, note=notes[name])
        for name, values in sides.items()
    ]  # fmt: skip
    best = max(found[1:], key=lambda f: f.value)
    ours = replace(found[0], baseline=best.value, baseline_name=best.name.removeprefix("psnr "))
    return [ours, *found[1:]], left_out


# The classical methods.


@dataclass(frozen=True)
class Method:
    """One method without a model.

    Args:
        apply: (image (C, H, W) in [0, 1], settings) to an image of the same form.
        grid: the settings to choose from; `scale` is a multiple of the noise that is there.
        needs: the modules that must be installed.
    """

    apply: Callable[..., Any]
    grid: Mapping[str, Sequence[float | str]]
    needs: tuple[str, ...] = ("skimage",)

    @property
    def settings(self) -> Iterator[dict[str, float | str]]:
        """Every setting of the grid."""
        for values in product(*self.grid.values()):
            yield dict(zip(self.grid, values, strict=True))

    @cached_property
    def missing(self) -> list[str]:
        return [name for name in self.needs if find_spec(name) is None]


def nl_means(image: Any, sigma: float, scale: float, patch: float, distance: float) -> Any:
    """Non-local means."""
    from skimage.restoration import denoise_nl_means

    # A single channel on an axis of its own makes the library blur beyond recognition.
    grey = len(image) == 1
    how = {
        "patch_size": int(patch),
        "patch_distance": int(distance),
        "fast_mode": image.size > FAST,
        "channel_axis": None if grey else 0,
    }
    return denoise_nl_means(image[0] if grey else image, h=scale * sigma, sigma=sigma, **how)


def total_variation(image: Any, sigma: float, scale: float) -> Any:
    """Total variation."""
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, weight=scale * sigma, channel_axis=0)  # type: ignore[no-untyped-call]


def wavelet(image: Any, sigma: float, scale: float, shrink: str, family: str, levels: float) -> Any:
    """Wavelet shrinkage: a threshold a band (BayesShrink) or one for all (VisuShrink)."""
    from pywt import Wavelet, dwt_max_level
    from skimage.restoration import denoise_wavelet

    deepest = dwt_max_level(min(image.shape[1:]), Wavelet(family).dec_len)
    how = {"wavelet": family, "wavelet_levels": min(int(levels), deepest), "method": shrink}
    return denoise_wavelet(image, sigma=scale * sigma, channel_axis=0, rescale_sigma=True, **how)


SCALES = (0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
METHODS = {
    "nl-means": Method(nl_means, {"scale": SCALES, "patch": (3, 5), "distance": (4, 7)}),
    "tv": Method(total_variation, {"scale": SCALES}),
    "wavelet": Method(
        wavelet,
        {
            "scale": SCALES,
            "shrink": ("BayesShrink", "VisuShrink"),
            "family": ("db1", "db2"),
            "levels": (1, 2, 3),
        },
        needs=("skimage", "pywt"),
    ),
}


def classical(
    run: Run, made: Denoised, noise: Noise, validation: Callable[[], Source], seed: int
) -> tuple[dict[str, tuple[Tensor, str]], dict[str, str]]:
    """Values (B, F, *A) of each method with its settings in words; and why one is left out."""
    if len(run.space.axes) != 2 or not all(isinstance(f.domain, Bounded) for f in run.space.fields):
        return {}, dict.fromkeys(METHODS, "it is for pictures")
    there = {name: one for name, one in METHODS.items() if not one.missing}
    gone = {n: f"{' and '.join(m.missing)} not installed" for n, m in METHODS.items() if m.missing}
    try:
        source = validation()
        clean = source.read(torch.arange(min(TUNED, len(source))))
        again = [noisy(run, clean, noise, seed + m).values.float() for m in range(made.copies)]
    except UserError as error:
        return {}, {**gone, **dict.fromkeys(there, f"it cannot be tuned: {error}")}
    if not len(clean):
        return {}, {**gone, **dict.fromkeys(there, "there are no validation rows to tune it on")}
    spoilt = torch.stack(again).mean(0)
    best = {name: tuned(run.space, one, clean.values, spoilt) for name, one in there.items()}
    return {name: (one(run.space, made.seen.values), one.words) for name, one in best.items()}, gone


@dataclass(frozen=True)
class Tuned:
    """A method with the settings that were best on validation data, and a straight line after it.

    Args:
        sigma: the noise that was there, in units of x.
    """

    method: Method
    sigma: float
    settings: Mapping[str, float | str]
    gain: float
    offset: float

    def __call__(self, space: Space, seen: Tensor) -> Tensor:
        """What it makes of noisy values (B, F, *A)."""
        x = answered(self.method, space.encode(seen).double(), self.sigma, self.settings)
        return space.decode((self.gain * x + self.offset).clamp(0, 1).float())

    @property
    def words(self) -> str:
        settings = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        return f"{settings}, best on validation data"


def tuned(space: Space, method: Method, clean: Tensor, spoilt: Tensor) -> Tuned:
    """A method with the settings that are best on a pair of clean and noisy values."""
    x, seen = (space.encode(values).double() for values in (clean, spoilt))
    sigma = float((seen - x).std())
    tried = [
        (error, Tuned(method, sigma, settings, gain, offset))
        for settings in method.settings
        for found in [answered(method, seen, sigma, settings)]
        for error, gain, offset in [straight(found, x)]
    ]
    return min(tried, key=lambda one: one[0])[1]


def answered(
    method: Method, x: Tensor, sigma: float, settings: Mapping[str, float | str]
) -> Tensor:
    """What a method makes of each picture x (C, H, W)."""
    made = [torch.as_tensor(method.apply(one, sigma, **settings)) for one in x.numpy()]
    return torch.stack(made).reshape(x.shape)  # a single channel may have lost its axis


def straight(found: Tensor, clean: Tensor) -> tuple[float, float, float]:
    """The straight line from what was found to what is true: its squared error, gain and offset.

    Noise that is cut off at the ends of the range is not zero on average, which no method without a
    model can know; the line gives each its due.
    """
    a, b = found.flatten() - found.mean(), clean.flatten() - clean.mean()
    gain = a @ b / a.square().sum().clamp(min=1e-12)
    offset = clean.mean() - gain * found.mean()
    error = (gain * found + offset - clean).square().mean()
    return float(error), float(gain), float(offset)
