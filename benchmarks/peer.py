"""The other side of a comparison: pythae 0.1.2, in a process and an environment of its own.

This file runs with the peer's interpreter, which has pythae and not Twofold; `Peer` in `common.py`
starts it. It reads one request a line, JSON, from standard input, and answers each with a line.
What it times is pythae's own code: `BaseTrainer.train_step` (its DataLoader, its forward, its
optimiser, its progress bar) and `VAE.get_nll`.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from pythae.data.datasets import BaseDataset, DatasetOutput
from pythae.models import IWAE, VAE, IWAEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor, nn

LATENT = 16


class ConvEncoder(BaseEncoder):
    """Three strided convolutions, 28 → 14 → 7 → 4; the layers of `pythae_speed.Strided`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        a, b, c = width, 2 * width, 4 * width
        self.layers = nn.Sequential(
            nn.Conv2d(1, a, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(b, c, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.embedding = nn.Linear(16 * c, LATENT)
        self.log_var = nn.Linear(16 * c, LATENT)

    def forward(self, x: Tensor) -> ModelOutput:
        h = self.layers(x)
        return ModelOutput(embedding=self.embedding(h), log_covariance=self.log_var(h))


class ConvDecoder(BaseDecoder):
    """The way back, 4 → 7 → 14 → 28."""

    def __init__(self, width: int) -> None:
        super().__init__()
        a, b, c = width, 2 * width, 4 * width
        self.layers = nn.Sequential(
            nn.Linear(LATENT, 16 * c), nn.ReLU(), nn.Unflatten(1, (c, 4, 4)),
            nn.ConvTranspose2d(c, b, 3, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(b, a, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
            nn.ConvTranspose2d(a, 1, 3, stride=2, padding=1, output_padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z))


class TanhEncoder(BaseEncoder):
    """784-200-200-50, the network of Burda et al. 2016 with one stochastic layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh()
        )
        self.embedding, self.log_var = nn.Linear(200, 50), nn.Linear(200, 50)

    def forward(self, x: Tensor) -> ModelOutput:
        h = self.layers(x)
        return ModelOutput(embedding=self.embedding(h), log_covariance=self.log_var(h))


class TanhDecoder(BaseDecoder):
    """50-200-200-784."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(50, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(),
            nn.Linear(200, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)),
        )  # fmt: skip

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.layers(z))


def tanh_vae(k: int) -> VAE:
    """The VAE of these networks, or the importance-weighted one of k draws."""
    shape = {"input_dim": (1, 28, 28), "latent_dim": 50, "reconstruction_loss": "bce"}
    if k == 1:
        return VAE(VAEConfig(**shape), TanhEncoder(), TanhDecoder())
    return IWAE(IWAEConfig(number_samples=k, **shape), TanhEncoder(), TanhDecoder())


@torch.no_grad()
def start_at_mean(model: VAE, data: Tensor) -> None:
    """Put the logit of every pixel's mean into the last bias, as `mnist_nll.started` does."""
    model.decoder.layers[4].bias.copy_(torch.logit(data.mean(0).flatten().clamp(1e-3, 1 - 1e-3)))


class Tossed(BaseDataset):
    """Grey levels as probabilities, drawn anew at every showing."""

    def __getitem__(self, index: int) -> DatasetOutput:
        return DatasetOutput(data=torch.bernoulli(self.data[index]), labels=self.labels[index])


def pictures(path: str, count: int) -> Tensor:
    """The first pictures of an idx file, or of an array in [0, 1], in [0, 1]."""
    if path.endswith(".npy"):
        return torch.from_numpy(np.load(path, allow_pickle=False)[:count])
    with gzip.open(path) as file:
        raw = np.frombuffer(file.read(), np.uint8, offset=16)
    return torch.from_numpy(raw.reshape(-1, 1, 28, 28)[:count].copy()) / 255


def config() -> VAEConfig:
    return VAEConfig(input_dim=(1, 28, 28), latent_dim=LATENT, reconstruction_loss="bce")


NETS: dict[str, Callable[[int], VAE]] = {
    "dense": lambda width: VAE(config()),  # pythae's default: 784-512-16-512-784, ReLU
    "conv": lambda width: VAE(config(), ConvEncoder(width), ConvDecoder(width)),
    "tanh": tanh_vae,  # its width is the number of draws
}


class Side:
    """A model of pythae's with its trainer, ready to take an epoch."""

    def __init__(
        self, net: str, width: int, dataset: BaseDataset, batch: int, rate: float, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self.model = NETS[net](width)
        training = BaseTrainerConfig(
            output_dir=tempfile.mkdtemp(),
            num_epochs=1,
            learning_rate=rate,
            per_device_train_batch_size=batch,
            no_cuda=True,
            seed=seed,
        )
        self.trainer = BaseTrainer(self.model, dataset, training_config=training)
        self.trainer.prepare_training()
        self.epochs = 0

    def epoch(self) -> dict[str, Any]:
        """One pass over its data."""
        self.epochs += 1
        wall, spent = time.perf_counter(), time.process_time()
        loss = self.trainer.train_step(self.epochs)
        spent, wall = time.process_time() - spent, time.perf_counter() - wall
        return {"seconds": spent, "wall": wall, "loss": loss}


class Peer:
    """Answers requests; every public method is one."""

    def start(
        self,
        net: str,
        path: str,
        count: int,
        batch: int,
        rate: float,
        width: int = 0,
        seed: int = 0,
        tossed: bool = False,
    ) -> None:
        """Make a model and its trainer on the first `count` pictures of a file."""
        data = pictures(path, count)
        dataset = (Tossed if tossed else BaseDataset)(data, torch.zeros(len(data)))
        self.side = Side(net, width, dataset, batch, rate, seed)
        if net == "tanh":
            start_at_mean(self.side.model, data)

    def epoch(self) -> dict[str, Any]:
        return self.side.epoch()

    def save(self, path: str) -> None:
        """Leave the weights as plain arrays, for the one evaluator of both sides."""
        arrays = {name: tensor.numpy() for name, tensor in self.side.model.state_dict().items()}
        np.savez(path, **arrays)

    def nll(self, path: str, first: int, count: int, samples: int, seed: int) -> dict[str, Any]:
        """`get_nll` on some pictures, with the number of draws that it really makes."""
        data = pictures(path, first + count)[first:]
        model, drawn = self.side.model.eval(), [0]
        draw = model._sample_gauss

        def counted(mu: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
            drawn[0] += len(mu)
            return draw(mu, std)

        model._sample_gauss = counted
        torch.manual_seed(seed)
        spent = time.process_time()
        with torch.no_grad():
            value = float(model.get_nll(data, n_samples=samples, batch_size=100))
        spent = time.process_time() - spent
        model._sample_gauss = draw
        return {"seconds": spent, "value": value, "drawn": drawn[0]}


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]))
    torch.manual_seed(0)
    logging.disable(logging.CRITICAL)
    answers, peer = os.fdopen(os.dup(1), "w"), Peer()
    with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet):
        for line in sys.stdin:
            request = json.loads(line)
            answer = getattr(peer, request.pop("do"))(**request)
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
