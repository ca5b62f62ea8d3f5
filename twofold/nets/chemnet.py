r"""ChemNet, whose hidden layer the Fréchet ChemNet distance compares molecules in.

Preuer et al. 2018, *Fréchet ChemNet Distance*, arXiv:1803.09518: a network that was trained to
predict bioactivities reads a SMILES into 512 numbers; a set is the mean and covariance of these.
The weights are those of the package `fcd_torch`, which carries them. Moments of large sets are kept
on disk.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.maths.descriptors import WORTH_KEEPING, cache_folder, digest


@dataclass(frozen=True)
class Moments:
    """The mean (512,) and covariance (512, 512) of what ChemNet sees in a set."""

    mean: Tensor
    covariance: Tensor


def absent() -> str:
    """Why ChemNet cannot be used; empty where it can."""
    return "" if find_spec("fcd_torch") else 'it needs fcd_torch; pip install "twofold[molecules]"'


@cache
def chemnet() -> Any:
    """The package's reader."""
    from fcd_torch import FCD

    return FCD(device="cpu", canonize=False)


def moments(smiles: Sequence[str]) -> Moments:
    """The moments of a set of canonical SMILES; what is on disk already is read."""
    path = cache_folder() / "molecules" / f"{digest(smiles)}.chemnet.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            return Moments(*(torch.from_numpy(arrays[k]) for k in ("mean", "covariance")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package uses what numpy has renamed
        seen = np.asarray(chemnet().get_predictions(list(smiles)), np.float64)
    made = Moments(torch.from_numpy(seen.mean(0)), torch.from_numpy(np.cov(seen.T)))
    if len(smiles) >= WORTH_KEEPING:
        part = path.with_suffix(f".{os.getpid()}.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(part, mean=made.mean.numpy(), covariance=made.covariance.numpy())
        part.replace(path)
    return made
