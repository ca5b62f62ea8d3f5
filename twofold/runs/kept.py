"""The density of codes that is kept with a run, `prior.safetensors`, and whether it still fits.

It belongs to the very weights whose codes it was fitted to, and remembers their hash: once the run
has trained on, or where other weights of it are asked for, it is stale, and is not drawn from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.core.build import build_part, kebab, resolved
from twofold.nets.expost import ExPost, Fitted
from twofold.train import checkpoint

NAME = "prior.safetensors"


@dataclass(frozen=True)
class Kept:
    """A fitted density in its run.

    Args:
        folder: of the run. part: how it was fitted. words: what it is.
        weights: which weights gave the codes. sha256: of their file. step: they had taken.
    """

    folder: Path
    part: ExPost
    words: str
    weights: str
    sha256: str
    step: int

    @property
    def name(self) -> str:
        return kebab(type(self.part).__name__)

    @property
    def fitted(self) -> str:
        """To what, in words."""
        return f"fitted to the codes of the {self.weights} weights at step {self.step:,}"

    def build(self, latent: int, given: int) -> Fitted:
        """The density itself."""
        return self.part.build(checkpoint.read(self.folder, NAME), latent, given).eval()

    def stale(self, sha256: str) -> str:
        """Why it does not fit the weights with this hash; empty where it does."""
        if sha256 == self.sha256:
            return ""
        return f"it was {self.fitted}"


def keep(kept: Kept, net: Fitted, figures: list[Mapping[str, Any]]) -> None:
    """Write a density into its run, with the figures that were measured with it."""
    about = {
        "fit": resolved(kept.part),
        "words": kept.words,
        "weights": kept.weights,
        "sha256": kept.sha256,
        "step": kept.step,
        "figures": figures,
    }
    checkpoint.attach(kept.folder, NAME, net.state_dict(), about)


def kept(folder: Path) -> tuple[Kept, ...]:
    """The density that a run keeps; at most one."""
    found = checkpoint.about(folder, NAME)
    if not found:
        return ()
    part = build_part(ExPost, found["fit"], "prior")
    return (Kept(folder, part, *(found[key] for key in ("words", "weights", "sha256", "step"))),)
