"""Train the embedded feature extractor `tiny-v1` from nothing but procedures and wheels.

    python tools/train_tiny.py            # about ten minutes on one core, ends with the new sha256

What it learns from: gratings, checkers, noises, cells, polygons, stars, fixed handwritten-like
strokes … drawn here in random colours, scales and positions, and crops of the public photographs
that ship inside scikit-image and scikit-learn. Each picture is then shown at a random true
resolution and may be blurred, made noisy and compressed, by a known amount.

What it learns to tell, all from the same pooled features by linear heads: which texture, shape,
stroke or photograph it was (shape and texture), by which quarter turn it was rotated (layout), and
by how much it was degraded, at which resolution and in which mean colour (quality). A distance
between such features therefore notices what is shown and how well.

Deterministic from `--seed` on one machine and one thread. The training network has a batch
normalisation after every convolution; it is folded into the weights, which are stored as float16.
"""

import argparse
import hashlib
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from twofold.nets.tiny import LAYERS, SIDE, WIDTH, Tiny

Array = NDArray[np.float64]
Rng = np.random.Generator
Field = Callable[[Rng, Array, Array], Array]
TARGET = Path(__file__).parents[1] / "twofold/nets/tiny-v1.safetensors"
SEED = 20260

# --- Fields: coordinates (u, v), both (S, S), to a mask in [0, 1] --------------------------------


def edge(distance: Array) -> Array:
    """A soft step of about one pixel: 1 inside (negative distance), 0 outside."""
    return np.clip(0.5 - distance * SIDE / 4, 0, 1)


def cells(rng: Rng, u: Array, v: Array) -> tuple[Array, Array]:
    """Distances to the nearest and second nearest of twenty random points (Worley noise)."""
    points = rng.uniform(-1.6, 1.6, (20, 2))
    far = np.sort(np.hypot(u[..., None] - points[:, 0], v[..., None] - points[:, 1]), axis=-1)
    return far[..., 0], far[..., 1]


def spectral(exponent: float) -> Field:
    """Gaussian noise whose amplitude falls as frequency^-exponent (0 white, 1 pink, 2 brown)."""

    def field(rng: Rng, u: Array, v: Array) -> Array:
        frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
        frequency[0, 0] = 1
        noise = np.fft.rfft2(rng.normal(size=u.shape)) * frequency**-exponent
        shape = np.fft.irfft2(noise, s=u.shape)
        return np.clip(0.5 + 0.2 * (shape - shape.mean()) / shape.std(), 0, 1)

    return field


def blobs(rng: Rng, u: Array, v: Array) -> Array:
    return np.clip(4 * (spectral(1.8)(rng, u, v) - 0.4), 0, 1)


def polygon(sides: int) -> Field:
    """A regular polygon, a corner to the left."""

    def field(rng: Rng, u: Array, v: Array) -> Array:
        angle = np.mod(np.arctan2(v, u), 2 * math.pi / sides) - math.pi / sides
        return edge(np.hypot(u, v) * np.cos(angle) / math.cos(math.pi / sides) - 0.8)

    return field


def star(points: int, depth: float) -> Field:
    """A disc whose radius swings by `depth` as often as it has points."""

    def field(rng: Rng, u: Array, v: Array) -> Array:
        swing = 1 + depth * np.cos(points * np.arctan2(v, u))
        return edge(np.hypot(u, v) * swing - 0.8)

    return field


def waves(rng: Rng, u: Array, v: Array) -> Array:
    return 0.5 + 0.5 * np.sin(9 * u + 2.5 * np.sin(3 * v + rng.uniform(0, 6)))


def bricks(rng: Rng, u: Array, v: Array) -> Array:
    row = np.floor(3 * v)
    joint = np.minimum(np.abs(np.mod(1.5 * u + 0.5 * row, 1) - 0.5), np.abs(np.mod(3 * v, 1) - 0.5))
    return edge(0.12 - (0.5 - joint))


TEXTURES: dict[str, Field] = {
    "grating": lambda rng, u, v: 0.5 + 0.5 * np.sin(9 * u),
    "stripes": lambda rng, u, v: edge(np.sin(9 * u) / 9),
    "plaid": lambda rng, u, v: 0.5 + 0.25 * np.sin(9 * u) + 0.25 * np.sin(9 * v),
    "checkers": lambda rng, u, v: edge(np.sin(6 * u) * np.sin(6 * v) / 6),
    "hatch": lambda rng, u, v: edge(
        0.1 - np.maximum(np.abs(np.sin(7 * u)), np.abs(np.sin(7 * v))) + 0.8
    ),
    "dots": lambda rng, u, v: edge(np.hypot(np.sin(5 * u), np.sin(5 * v)) / 5 - 0.1),
    "rings": lambda rng, u, v: 0.5 + 0.5 * np.sin(12 * np.hypot(u, v)),
    "sectors": lambda rng, u, v: edge(np.sin(8 * np.arctan2(v, u)) / 8),
    "spiral": lambda rng, u, v: 0.5 + 0.5 * np.sin(3 * np.arctan2(v, u) + 9 * np.hypot(u, v)),
    "waves": waves,
    "bricks": bricks,
    "cells": lambda rng, u, v: np.clip(cells(rng, u, v)[0] / 0.6, 0, 1),
    "walls": lambda rng, u, v: edge(np.subtract(*cells(rng, u, v)[::-1]) - 0.08),
    "white": spectral(0.0),
    "pink": spectral(1.0),
    "brown": spectral(1.8),
    "blobs": blobs,
    "gradient": lambda rng, u, v: np.clip(0.5 + 0.5 * u, 0, 1),
    "halo": lambda rng, u, v: np.clip(1.2 - np.hypot(u, v), 0, 1),
    "flat": lambda rng, u, v: np.zeros_like(u),
}
SHAPES: dict[str, Field] = {
    "disc": lambda rng, u, v: edge(np.hypot(u, v) - 0.75),
    "ring": lambda rng, u, v: edge(np.abs(np.hypot(u, v) - 0.65) - 0.15),
    "ellipse": lambda rng, u, v: edge(np.hypot(u, 2 * v) - 0.85),
    "crescent": lambda rng, u, v: (
        edge(np.hypot(u, v) - 0.8) * (1 - edge(np.hypot(u - 0.4, v) - 0.7))
    ),
    "bar": lambda rng, u, v: edge(np.maximum(np.abs(u) - 0.9, np.abs(v) - 0.15)),
    "cross": lambda rng, u, v: edge(
        np.maximum(np.minimum(np.abs(u), np.abs(v)) - 0.2, np.maximum(np.abs(u), np.abs(v)) - 0.8)
    ),
    "frame": lambda rng, u, v: edge(np.abs(np.maximum(np.abs(u), np.abs(v)) - 0.65) - 0.12),
    "triangle": polygon(3),
    "square": polygon(4),
    "pentagon": polygon(5),
    "hexagon": polygon(6),
    "star5": star(5, 0.5),
    "star8": star(8, 0.5),
    "flower3": star(3, 0.6),
}
GLYPHS = 40


def glyph(index: int) -> Field:
    """The `index`-th fixed letter-like figure: two or three curved strokes, the same for ever."""
    pen = np.random.default_rng([SEED, index])
    strokes = pen.uniform(-0.85, 0.85, (2 + index % 2, 3, 2))
    t = np.linspace(0, 1, 16)[:, None]
    basis = np.hstack([(1 - t) ** 2, 2 * t * (1 - t), t**2])  # quadratic Bézier
    points = (basis @ strokes).reshape(-1, 2)

    def field(rng: Rng, u: Array, v: Array) -> Array:
        far = np.hypot(u[..., None] - points[:, 0], v[..., None] - points[:, 1]).min(-1)
        return edge(far - rng.uniform(0.05, 0.14))

    return field


PHOTOGRAPHS = {
    "skimage/data": (
        "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png",
        "coffee.png", "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png",
        "moon.png", "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
    ),
    "sklearn/datasets/images": ("china.jpg", "flower.jpg"),
}  # fmt: skip


def photographs() -> list[Image.Image]:
    """The public photographs inside the wheels, as RGB pictures."""
    found = []
    for folder, names in PHOTOGRAPHS.items():
        package, inside = folder.split("/", 1)
        root = files(package)
        found += [Image.open(str(root / inside / name)).convert("RGB") for name in names]
    return found


# --- Pictures: a class becomes 64×64×3 in [0, 1] -------------------------------------------------


def coordinates(rng: Rng, turn: float, low: float, high: float) -> tuple[Array, Array]:
    """Scaled, shifted, sheared and rotated (by at most `turn` radians) plane coordinates."""
    axis = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y = np.meshgrid(axis - rng.uniform(-0.25, 0.25), axis - rng.uniform(-0.25, 0.25))
    angle, scale = rng.uniform(-turn, turn), math.exp(rng.uniform(math.log(low), math.log(high)))
    x, y = x * scale, y * scale * rng.uniform(0.8, 1.25) + rng.uniform(-0.15, 0.15) * x
    c, s = math.cos(angle), math.sin(angle)
    return c * x - s * y, s * x + c * y


def painted(rng: Rng, mask: Array) -> Array:
    """Two random colours (grey in one picture of three) mixed by the mask: (S, S, 3)."""
    colours = rng.uniform(size=(2, 3))
    if rng.uniform() < 1 / 3:
        colours = colours[:, :1].repeat(3, 1)
    if rng.uniform() < 1 / 4:
        colours[0] = rng.integers(2)  # a pure black or white ground, as in scans and icons
    return colours[0] + (colours[1] - colours[0]) * mask[..., None]


def figure(field: Field, rng: Rng) -> Array:
    """A shape or glyph, upright up to 20 degrees, now and then on a textured ground."""
    mask = field(rng, *coordinates(rng, 0.35, 0.95, 2.2))
    picture = painted(rng, mask)
    if rng.uniform() < 1 / 4:
        names = list(TEXTURES)
        ground = texture(TEXTURES[names[rng.integers(len(names))]], rng)
        picture = np.where(mask[..., None] > 0.5, picture, 0.5 * picture + 0.5 * ground)
    return picture


def texture(field: Field, rng: Rng) -> Array:
    return painted(rng, field(rng, *coordinates(rng, math.pi, 0.6, 2.5)))


def crop(photograph: Image.Image, rng: Rng) -> Array:
    """A square crop of 48 to 256 pixels, as 64×64, in changed colours."""
    side = int(rng.integers(48, min(256, *photograph.size) + 1))
    left, top = (int(rng.integers(0, edge - side + 1)) for edge in photograph.size)
    box = photograph.crop((left, top, left + side, top + side))
    picture = np.asarray(box.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) / 255
    picture = picture[..., rng.permutation(3)] ** math.exp(rng.uniform(-0.5, 0.5))
    return picture.mean(-1, keepdims=True).repeat(3, -1) if rng.uniform() < 0.4 else picture


Drawer = Callable[[Rng], Array]


def drawers() -> tuple[list[Drawer], int]:
    """One drawer a class; those from the returned index on have an upright."""
    flat: list[Drawer] = [lambda rng, f=f: texture(f, rng) for f in TEXTURES.values()]
    upright: list[Drawer] = [lambda rng, f=f: figure(f, rng) for f in SHAPES.values()]
    upright += [lambda rng, f=f: figure(f, rng) for f in map(glyph, range(GLYPHS))]
    upright += [lambda rng, p=p: crop(p, rng) for p in photographs()]
    return flat + upright, len(flat)


# --- Degradation by a known amount ---------------------------------------------------------------


def compressed(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def noisy(rng: Rng, picture: Image.Image, amount: float) -> Image.Image:
    noise = rng.normal(scale=60 * amount, size=np.shape(picture))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def degraded(picture: Array, rng: Rng) -> tuple[Image.Image, Array]:
    """The picture at a random true resolution with blur, noise, JPEG, and the four amounts."""
    blur, noise, jpeg = (rng.uniform(size=3) ** 2 * (rng.uniform(size=3) < 0.3)).tolist()
    size = int(2 ** rng.uniform(3, 6)) if rng.uniform() < 0.5 else SIDE
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    image = image.resize((size, size), Image.Resampling.BILINEAR)
    image = image.filter(ImageFilter.GaussianBlur(3 * blur)) if blur else image
    image = noisy(rng, image, noise) if noise else image
    image = compressed(image, round(95 - 90 * math.sqrt(jpeg))) if jpeg else image
    amounts = np.array([blur, noise, jpeg]) ** 0.5
    return image, np.append(amounts, math.log2(size) - 5)


@dataclass(frozen=True)
class Pictures:
    """The training set: images (N, 3, 64, 64) uint8, classes (N,), factors (N, 7), upright (N,)."""

    images: Tensor
    classes: Tensor
    factors: Tensor
    upright: Tensor
    kinds: int


def shown(image: Image.Image) -> Tensor:
    """To (3, 64, 64) uint8 by the rule the extractor uses: bilinear."""
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)[0]
    return x.round().clamp(0, 255).to(torch.uint8)


def drawn(count: int, seed: int) -> Pictures:
    """`count` pictures, classes in turn: a pure function of the seed."""
    makers, flat = drawers()
    rng = np.random.default_rng(seed)
    images = torch.empty(count, 3, SIDE, SIDE, dtype=torch.uint8)
    factors = torch.empty(count, 7)
    for i in range(count):
        image, amounts = degraded(makers[i % len(makers)](rng), rng)
        images[i] = shown(image)
        colour = images[i].float().mean((1, 2)) / 255
        factors[i] = torch.cat([torch.from_numpy(amounts).float(), 2 * colour - 1])
    classes = torch.arange(count) % len(makers)
    return Pictures(images, classes, factors, classes >= flat, len(makers))


# --- The network in training, and its folding ----------------------------------------------------


class Learner(nn.Module):
    """`Tiny` with batch normalisation after each convolution, and three linear heads."""

    def __init__(self, kinds: int) -> None:
        super().__init__()
        self.net = Tiny()
        self.norms = nn.ModuleList(nn.BatchNorm2d(layer.width) for layer in LAYERS)
        self.standard = nn.BatchNorm1d(WIDTH, affine=False)
        self.heads = nn.ModuleList(nn.Linear(WIDTH, n) for n in (kinds, 4, 7))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h, pools = 2 * x - 1, []
        for layer, convolution, norm in zip(LAYERS, self.net.convolutions, self.norms, strict=True):
            h = norm(convolution(h)).relu()
            pools += [h.mean((2, 3))] if layer.pooled else []
        f = self.standard(torch.cat(pools, 1))
        return tuple(head(f) for head in self.heads)  # type: ignore[return-value]

    @torch.no_grad()
    def folded(self) -> Tiny:
        """The same function of the image as in evaluation mode, without normalisation layers."""
        tiny = Tiny()
        layers = zip(tiny.convolutions, self.net.convolutions, self.norms, strict=True)
        for target, convolution, norm in layers:
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            target.weight.copy_(convolution.weight * gain[:, None, None, None])
            target.bias.copy_((convolution.bias - norm.running_mean) * gain + norm.bias)
        return tiny


def loss(
    outputs: tuple[Tensor, Tensor, Tensor],
    classes: Tensor,
    factors: Tensor,
    turns: Tensor,
    upright: Tensor,
) -> Tensor:
    """Cross-entropy of the class and of the quarter turn, squared error of the factors."""
    kind, turn, factor = outputs
    turning = F.cross_entropy(turn, turns, reduction="none")[upright].mean()
    return (
        F.cross_entropy(kind, classes, label_smoothing=0.05)
        + turning
        + 4 * F.mse_loss(factor, factors)
    )


Rows = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def batches(data: Pictures, steps: int, size: int, seed: int) -> Iterator[Rows]:
    """Rows drawn with replacement, with quarter turns: each batch is four rotated quarters."""
    draw = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(data.images), (size,), generator=draw)
        x = data.images[rows].float() / 255
        x = torch.cat([part.rot90(k, (2, 3)) for k, part in enumerate(x.chunk(4))])
        turns = torch.arange(4).repeat_interleave(size // 4)
        yield x, data.classes[rows], data.factors[rows], turns, data.upright[rows]


def trained(data: Pictures, steps: int, seed: int) -> Learner:
    torch.manual_seed(seed)
    learner = Learner(data.kinds).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(learner.parameters(), weight_decay=1e-3)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    for step, (x, *targets) in enumerate(batches(data, steps, 128, seed)):
        outputs = learner(x.contiguous(memory_format=torch.channels_last))
        value = loss(outputs, *targets)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        plan.step()
        if step % 100 == 0 or step + 1 == steps:
            right = (outputs[0].argmax(1) == targets[0]).float().mean()
            print(f"step {step:5d}  loss {value.item():.3f}  class {float(right):.2f}", flush=True)
    return learner


@torch.inference_mode()
def standardised(tiny: Tiny, images: Tensor) -> Tiny:
    """Set location and scale to the moments of the features of these images."""
    f = torch.cat([tiny(part.float() / 255) for part in images.split(256)]).double()
    tiny.location.copy_(f.mean(0))
    tiny.scale.copy_(f.std(0).clamp_min(1e-3))
    return tiny


def saved(tiny: Tiny, path: Path) -> str:
    """Write the weights as float16 and return the file's sha256."""
    weights = {name: tensor.half().contiguous() for name, tensor in tiny.state_dict().items()}
    save_file(weights, path, {"source": "tools/train_tiny.py"})  # several keys have no fixed order
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the extractor tiny-v1.")
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--images", type=int, default=24_064)
    parser.add_argument("--steps", type=int, default=2_600)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = drawn(given.images, given.seed)
    print(f"{given.images} pictures of {data.kinds} classes", flush=True)
    tiny = standardised(trained(data, given.steps, given.seed).eval().folded(), data.images[:8192])
    print(saved(tiny, given.out))


if __name__ == "__main__":
    main()
