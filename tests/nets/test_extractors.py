"""Extractors are frozen, checked and monotone: worse images are farther away."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor

from tools.train_tiny import SHAPES, TEXTURES, figure, texture
from twofold.core.errors import UserError
from twofold.maths.statistics import frechet, prdc
from twofold.nets import extractors
from twofold.nets.extractors import absent, colour, extractor, features
from twofold.nets.inception import Inception
from twofold.nets.rocket import kernels, rocket
from twofold.nets.tiny import WIDTH, Tiny

Pictures = list[Image.Image]

# --- Real pictures -------------------------------------------------------------------------------

SIDE = 240  # pictures of a comparison, at most


def digits() -> Pictures:
    """scikit-learn's 8×8 digits, four times as large."""
    grey = (load_digits().images * 255 / 16).astype(np.uint8)
    return [Image.fromarray(each).resize((32, 32), Image.Resampling.BILINEAR) for each in grey]


def procedural() -> Pictures:
    """Textures and shapes from a seed that training did not use."""
    rng = np.random.default_rng(1)
    drawers = [(texture, field) for field in TEXTURES.values()]
    drawers += [(figure, field) for field in SHAPES.values()]
    drawn = [draw(field, rng) for draw, field in drawers * (SIDE // len(drawers) + 1)]
    return [Image.fromarray((255 * np.clip(each, 0, 1)).astype(np.uint8)) for each in drawn]


def idx(folder: Path) -> Pictures:
    raw = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    return [Image.fromarray(x) for x in np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)]


def npz(folder: Path) -> Pictures:
    (file,) = folder.glob("*.npz")
    return [Image.fromarray(x) for x in np.load(file, allow_pickle=False)["train_images"]]


def zipped(folder: Path) -> Pictures:
    (file,) = folder.glob("*.zip")
    with zipfile.ZipFile(file) as archive:
        names = [n for n in sorted(archive.namelist()) if n.lower().endswith((".png", ".jpg"))]
        return [Image.open(io.BytesIO(archive.read(name))) for name in names[:: len(names) // 600]]


NAMED: dict[str, Callable[[Path], Pictures]] = {
    "mnist": idx,
    "fashion-mnist": idx,
    "pneumoniamnist": npz,
    "smiles": zipped,
    "twemoji": zipped,
}

# --- Degradations, each by growing amounts, of whole 8-bit pictures ------------------------------


def on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in ("L", "RGB"):
        return picture
    ground = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")


def blurred(picture: Image.Image, sigma: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(sigma))


def noisy(picture: Image.Image, sigma: float) -> Image.Image:
    rng = np.random.default_rng(zlib.crc32(picture.tobytes()))
    noise = rng.normal(scale=sigma, size=np.shape(picture))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def compressed(picture: Image.Image, quality: float) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(quality))
    return Image.open(buffer)


DEGRADATIONS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "blur": blurred,
    "noise": noisy,
    "jpeg": compressed,
}
AMOUNTS: dict[str, list[float]] = {
    "blur": [0.5, 1, 1.5, 2, 3],
    "noise": [5, 10, 20, 40, 80],
    "jpeg": [90, 70, 50, 30, 15, 5],
}
# At qualities of 40 to 60 the finest ripple of these scans is rounded up to twice its height, which
# is plain to see and gone at lower ones: there quality is no measure of how bad they look.
SPECIAL: dict[tuple[str, str], list[float]] = {("pneumoniamnist", "jpeg"): [90, 70, 15, 5]}


def tensor(pictures: Pictures) -> Tensor:
    """(N, C, H, W) in [0, 1]."""
    arrays = [np.atleast_3d(np.array(each)) for each in pictures]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 255


def seen(pictures: Pictures) -> Tensor:
    return features(extractor("tiny-v1"), tensor(pictures))


def path(pictures: Pictures, kind: str, amounts: list[float]) -> list[float]:
    """Distances of the pictures to themselves as they get worse and worse (Heusel et al. 2017).

    With the same pictures on both sides it is the degradation alone that is measured, not chance.
    """
    rows = np.random.default_rng(0).permutation(len(pictures))[:SIDE]
    real = [on_white(pictures[i]) for i in rows]
    worse = [[DEGRADATIONS[kind](each, amount) for each in real] for amount in amounts]
    reference = seen(real)
    return [0.0, *(float(frechet(reference, seen(each))) for each in worse)]


def rises(distances: list[float]) -> bool:
    return all(a < b for a, b in pairwise(distances))


@pytest.mark.parametrize("kind", DEGRADATIONS)
@pytest.mark.parametrize("source", [digits, procedural])
def test_distance_rises_with_every_degradation(source: Callable[[], Pictures], kind: str) -> None:
    distances = path(source(), kind, AMOUNTS[kind])
    assert rises(distances), distances


@pytest.mark.parametrize("kind", DEGRADATIONS)
@pytest.mark.parametrize("name", NAMED)
def test_distance_rises_on_data_sets(named: Callable[[str], Path], name: str, kind: str) -> None:
    amounts = SPECIAL.get((name, kind), AMOUNTS[kind])
    distances = path(NAMED[name](named(name)), kind, amounts)
    assert rises(distances), distances


# --- What is shown counts as well as how well ----------------------------------------------------


@pytest.fixture(scope="module")
def classes() -> list[Tensor]:
    """Features of each digit, (about 180, D)."""
    f, target = seen(digits()), torch.tensor(load_digits().target)
    return [f[target == c] for c in range(10)]


def test_every_two_digits_are_farther_apart_than_halves_of_one(classes: list[Tensor]) -> None:
    floor = max(float(frechet(f[::2], f[1::2])) for f in classes)
    between = [float(frechet(a[::2], b[1::2])) for i, a in enumerate(classes) for b in classes[:i]]
    assert min(between) > floor


def test_distance_rises_with_the_share_of_another_class(classes: list[Tensor]) -> None:
    a, b = classes[0], classes[1]
    real, rest = a[:80], a[80:160]
    mixed = [torch.cat([b[:count], rest[count:]]) for count in (0, 10, 20, 40, 60, 80)]
    distances = [float(frechet(real, each)) for each in mixed]
    assert rises(distances), distances


def test_dropped_digits_lower_recall_and_coverage_and_spare_precision(
    classes: list[Tensor],
) -> None:
    real = torch.cat([f[::2] for f in classes])
    whole = prdc(real, torch.cat([f[1::2] for f in classes]))
    five = prdc(real, torch.cat([f[1::2] for f in classes[:5]]))
    assert float(five.recall) < 0.75 * float(whole.recall)
    assert float(five.coverage) < 0.75 * float(whole.coverage)
    assert float(five.precision) > float(whole.precision) - 0.1


def test_features_are_worth_something_to_a_linear_reader() -> None:
    """Ridge regression on half of the digits' features reads the other half."""
    f, target = seen(digits()).double(), torch.tensor(load_digits().target)
    f = torch.cat([f, torch.ones(len(f), 1)], 1)
    x, y = f[::2], torch.nn.functional.one_hot(target[::2], 10).double()
    W = torch.linalg.solve(x.T @ x + torch.eye(x.shape[1]), x.T @ y)
    assert float(((f[1::2] @ W).argmax(1) == target[1::2]).double().mean()) > 0.93


# --- The extractors as such ----------------------------------------------------------------------


def test_tiny_is_small_frozen_and_repeats_itself() -> None:
    assert extractors.TINY.stat().st_size < 500_000
    x = torch.rand(5, 3, 20, 30)
    tiny = extractor("tiny-v1")
    assert torch.equal(tiny(x), tiny(x))
    assert torch.allclose(features(tiny, x, batch=2), tiny(x), atol=1e-4)
    assert tiny(x).shape == (5, WIDTH)
    assert not tiny(x).requires_grad


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (28, 28), (200, 31)])
def test_tiny_takes_images_of_any_size(size: tuple[int, int]) -> None:
    assert extractor("tiny-v1")(torch.rand(2, 1, *size)).isfinite().all()


def test_channels_follow_the_rule() -> None:
    grey, alpha = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    white = grey * alpha + 1 - alpha
    assert torch.equal(colour(grey), grey.repeat(1, 3, 1, 1))
    assert torch.equal(colour(torch.cat([grey, alpha], 1)), white.repeat(1, 3, 1, 1))
    assert torch.equal(colour(torch.cat([grey, grey, grey, alpha], 1)), colour(white))
    for shape in ((2, 5, 4, 4), (2, 0, 4, 4), (3, 4, 4)):
        with pytest.raises(UserError, match="C from 1 to 4"):
            colour(torch.zeros(shape))


def test_a_flipped_byte_is_the_users_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = bytearray(extractors.TINY.read_bytes())
    blob[-1] ^= 1
    damaged = tmp_path / "tiny-v1.safetensors"
    monkeypatch.setattr(extractors, "TINY", damaged)
    load_afresh = extractors.tiny.__wrapped__
    with pytest.raises(UserError, match="damaged"):
        load_afresh()
    damaged.write_bytes(blob)
    with pytest.raises(UserError, match="damaged"):
        load_afresh()


def test_unknown_extractor_names_the_nearest() -> None:
    with pytest.raises(UserError, match="tiny-v1"):
        extractor("tiny-v2")


def test_inception_wants_the_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(extractors.INCEPTION, raising=False)
    assert "TWOFOLD_INCEPTION" in absent("inception")
    with pytest.raises(UserError, match="TWOFOLD_INCEPTION"):
        extractor("inception")
    monkeypatch.setenv(extractors.INCEPTION, str(tmp_path / "weights.safetensors"))
    assert absent("inception") == ""
    with pytest.raises(UserError, match="no Inception weights"):
        extractor("inception")
    save_file(Tiny().state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(UserError, match="has no tensor Conv2d_1a_3x3"):
        extractor("inception")


def test_inception_loads_the_users_file(tmp_path: Path) -> None:
    net = Inception()
    state = {k: v for k, v in net.state_dict().items() if not k.endswith("batches_tracked")}
    save_file(state, tmp_path / "weights.safetensors")
    image = torch.rand(1, 1, 12, 12)
    loaded = extractors.inception(tmp_path / "weights.safetensors")
    assert torch.equal(loaded(image), net(image.repeat(1, 3, 1, 1)))


def test_rocket_is_fixed_and_sees_frequency_level_and_order() -> None:
    t = torch.arange(60.0)
    phase = 6.3 * torch.rand(40, 1, 1)
    slow, fast = torch.sin(0.3 * t + phase), torch.sin(0.6 * t + phase)
    assert torch.equal(rocket(slow), rocket(slow))
    floor = float(frechet(rocket(slow[::2]), rocket(slow[1::2])))
    shuffled = slow[..., torch.randperm(60)]
    for other in (fast, slow + 1, 2 * slow, shuffled):
        assert float(frechet(rocket(slow[::2]), rocket(other[1::2]))) > 5 * floor


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (7, 300)])
def test_rocket_takes_any_series(shape: tuple[int, int]) -> None:
    assert rocket(torch.randn(2, *shape)).shape == (2, 200)
    assert len(kernels(*shape)) == 100


def test_rocket_kernels_follow_the_paper() -> None:
    for kernel in kernels(6, 200):
        heard = kernel.weight[0].abs().sum(1) > 0
        assert 1 <= int(heard.sum()) <= 6
        assert float(kernel.weight.sum(2).abs().max()) < 1e-5
        assert kernel.weight.shape[2] in (7, 9, 11)
        assert (kernel.weight.shape[2] - 1) * kernel.dilation <= 199
        assert abs(float(kernel.bias)) <= 1


def test_identity_gives_the_columns() -> None:
    x = torch.randn(4, 7)
    assert torch.equal(extractor("identity-v1")(x), x)
