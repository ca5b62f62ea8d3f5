"""pythae's default VAE as one of the product's: the same function, so one evaluator serves both."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from common import PICTURE, Peer
from torch import Tensor, nn

from twofold.core.space import Space
from twofold.maths.likelihoods import CrossEntropy
from twofold.models.vae import VAE
from twofold.nets.bodies import Body, Dense

LATENT = 16
DENSE = Dense(width=512, depth=1, activation="relu")
LIMIT = 6.0  # of log σ, as in the product's encoder


def read(peer: Peer) -> VAE:
    """What the peer has trained so far."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.npz"
        peer.ask("save", path=str(path))
        with np.load(path, allow_pickle=False) as arrays:
            return same_function({name: torch.from_numpy(arrays[name]) for name in arrays.files})


class Unlimited(Body):
    """An encoder's body under its soft limit of log σ, undone, as pythae has none."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self.body = body

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        mu, log_sigma = self.body(h, c).chunk(2, 1)
        return torch.cat([mu, LIMIT * torch.atanh(log_sigma / LIMIT)], 1)


def same_function(weights: dict[str, Tensor]) -> VAE:
    """A VAE of the product that is the same function as pythae's."""
    model = VAE(PICTURE, Space(), LATENT, DENSE, DENSE, likelihood=(CrossEntropy(),))
    first, last = layers(model.q.body)
    copy(first, *from_centred(*layer(weights, "encoder.layers.0.0")))
    mu, log_variance = layer(weights, "encoder.embedding"), layer(weights, "encoder.log_var")
    copy(last, *(torch.cat([a, b / 2]) for a, b in zip(mu, log_variance, strict=True)))
    decoder = sorted({name.rpartition(".")[0] for name in weights if name.startswith("decoder")})
    for into, name in zip(layers(model.p.body), decoder, strict=True):
        copy(into, *layer(weights, name))
    model.q.body = Unlimited(model.q.body)
    return model.eval()


def layers(body: nn.Module) -> list[nn.Linear]:
    return [module for module in body.modules() if isinstance(module, nn.Linear)]


def layer(weights: dict[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    return weights[f"{name}.weight"], weights[f"{name}.bias"]


def from_centred(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The layer on 2 x − 1 that is `weight` and `bias` on x."""
    return weight / 2, bias + weight.sum(1) / 2


@torch.no_grad()
def copy(into: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    into.weight.copy_(weight)
    into.bias.copy_(bias)
