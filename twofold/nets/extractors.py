"""Named, frozen maps from observations to features, in which samples are compared.

An `Extractor` never changes under its name: a distance is named after it (`fd_tiny-v1`), and a
number from one extractor cannot be compared with that of another.

| name          | of      | features | what it is                                            |
|---------------|---------|----------|-------------------------------------------------------|
| `tiny-v1`     | images  | 136      | a small network that comes along (`nets/tiny.py`)     |
| `inception`   | images  | 2,048    | the network of the FID; the user brings its weights   |
| `rocket-v1`   | series  | 200      | fixed random convolutions (`nets/rocket.py`)          |
| `identity-v1` | vectors | as given | the columns themselves, as a Space has scaled them    |

Images are (B, C, H, W) in [0, 1] of any size. One channel is grey and is repeated; two are grey and
alpha, three are RGB, four are RGB and alpha; what has alpha is laid on white. Only features of
`inception`, whose weights are the public ones, may be called FID or KID.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from twofold.core.errors import UserError, nearest
from twofold.nets.inception import Inception
from twofold.nets.rocket import rocket
from twofold.nets.tiny import SIDE, Tiny

TINY = Path(__file__).with_name("tiny-v1.safetensors")
TINY_SHA256 = "8c907dac3417a92b09a9f5311e62aa3d444d36431e3579c7d04545c832b52a67"
INCEPTION = "TWOFOLD_INCEPTION"
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Extractor:
    """A frozen map from observations (B, ...) to features (B, D).

    Args:
        name: with its version; the name of every figure measured in these features.
        digest: sha256 of its weights, or of its name where it has none.
        map: the function itself.
    """

    name: str
    digest: str
    map: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        return self.map(x)


def extractor(name: str) -> Extractor:
    """The extractor of that name.

    Raises:
        UserError: there is none, or its weights are missing or damaged.

    >>> extractor("identity-v1")(torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """
    if name not in LOADERS:
        raise UserError(f"there is no extractor {name!r}; {nearest(name, LOADERS)}")
    return LOADERS[name]()


def absent(name: str) -> str:
    """Why an extractor has nothing to work with here; empty when it has.

    >>> absent("tiny-v1")
    ''
    """
    if name == "inception" and not os.environ.get(INCEPTION):
        return f"{INCEPTION} does not name the file of the Inception weights"
    return ""


@torch.inference_mode()
def features(extractor: Extractor, images: Tensor, batch: int = 256) -> Tensor:
    """The features (N, D) of many observations (N, ...), `batch` at a time.

    >>> features(extractor("identity-v1"), torch.zeros(5, 2, 2), batch=2).shape
    torch.Size([5, 4])
    """
    return torch.cat([extractor(part) for part in images.split(batch)])


# --- Images --------------------------------------------------------------------------------------


def colour(images: Tensor) -> Tensor:
    """Images of 1 to 4 channels to three, (B, C, H, W) to (B, 3, H, W): grey repeated, on white.

    >>> colour(torch.zeros(1, 2, 1, 1)).flatten().tolist()
    [1.0, 1.0, 1.0]
    """
    channels = images.shape[1]
    if images.ndim != 4 or not 1 <= channels <= 4:
        shape = tuple(images.shape)
        raise UserError(f"an extractor takes images (B, C, H, W) with C from 1 to 4, not {shape}")
    if channels % 2 == 0:  # alpha is the last
        alpha = images[:, -1:]
        images = images[:, :-1] * alpha + 1 - alpha
    return images.expand(-1, 3, -1, -1)


def resized(images: Tensor, side: int) -> Tensor:
    """Stretched to side × side: bilinear, antialiased where it shrinks."""
    return F.interpolate(images, (side, side), mode="bilinear", antialias=True)


@lru_cache(maxsize=1)
def tiny() -> Extractor:
    """`tiny-v1`, checked against its sha256."""
    net = tiny_net()
    return Extractor("tiny-v1", TINY_SHA256, lambda x: network(net, resized(colour(x), SIDE)))


def tiny_weights() -> dict[str, Tensor]:
    """The tensors that come along.

    Raises:
        UserError: they are not those that belong to the name.
    """
    blob = TINY.read_bytes() if TINY.is_file() else b""
    digest = hashlib.sha256(blob).hexdigest()
    if digest != TINY_SHA256:
        raise UserError(f"{TINY} is damaged (its sha256 is {digest[:12]}…): install twofold again")
    return load(blob)


def tiny_net() -> Tiny:
    """The network of `tiny-v1`, checked."""
    return filled(Tiny, tiny_weights(), TINY)


@lru_cache(maxsize=1)
def at_hand() -> Tiny:
    """The same, read once."""
    return tiny_net()


def middle(x: Tensor, layers: tuple[int, ...]) -> list[Tensor]:
    """What some layers of `tiny-v1` make of x (B, 3, H, W) in [0, 1], of any size from 8 up.

    >>> [tuple(h.shape) for h in middle(torch.zeros(1, 3, 64, 64), (2, 4))]
    [(1, 40, 16, 16), (1, 80, 8, 8)]
    """
    with torch.no_grad():
        every = at_hand().to(x.device).layers(x)
    return [every[i] for i in layers]


def inception(file: Path) -> Extractor:
    """`inception` from a file made by `tools/inception_to_safetensors.py`."""
    try:
        blob = file.read_bytes()
        tensors = load(blob)
    except (OSError, SafetensorError) as fault:
        raise UserError(f"{file} holds no Inception weights as safetensors: {fault}") from fault
    net = filled(Inception, tensors, file)
    digest = hashlib.sha256(blob).hexdigest()
    return Extractor("inception", digest, lambda x: network(net, colour(x)))


def named_inception() -> Extractor:
    """`inception` from the file that the environment names."""
    if reason := absent("inception"):
        raise UserError(f"{reason}; tools/inception_to_safetensors.py makes it from the public one")
    return inception(Path(os.environ[INCEPTION]))


def filled(make: Callable[[], M], tensors: dict[str, Tensor], file: Path) -> M:
    """The network with these tensors, frozen; each must be there, in its shape."""
    # Its first weights are drawn, for nothing; read while measuring, it must still serve training.
    with torch.random.fork_rng(devices=()), torch.inference_mode(False), torch.no_grad():
        net = make().float()
        for name, target in net.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            if name not in tensors or tensors[name].shape != target.shape:
                raise UserError(f"{file} has no tensor {name} of shape {tuple(target.shape)}")
            target.copy_(tensors[name])
    return net.eval().requires_grad_(False)


def network(net: nn.Module, x: Tensor) -> Tensor:
    """The network's features of x, computed where x is, in float32."""
    y: Tensor = net.to(x.device)(x.float())
    return y


# --- Everything else -----------------------------------------------------------------------------


def plain(name: str, map: Callable[[Tensor], Tensor]) -> Callable[[], Extractor]:
    """The loader of a function that needs no weights."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return lambda: Extractor(name, digest, map)


LOADERS: dict[str, Callable[[], Extractor]] = {
    "tiny-v1": tiny,
    "inception": named_inception,
    "rocket-v1": plain("rocket-v1", lambda x: rocket(x.float())),
    "identity-v1": plain("identity-v1", lambda x: x.flatten(1)),
}
