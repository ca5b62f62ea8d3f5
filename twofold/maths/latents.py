r"""The latent spaces that a decoder can be asked in: where codes lie, and what they decode to.

* *z*: what is drawn from the prior, (B, D).
* *w*: the style that a style-based model maps it to, (B, D) (Karras et al. 2019,
  arXiv:1812.04948). Its density is no longer forced to be that of the prior, so that what varies in
  the data can lie along straight lines.
* *w+*: a style of its own for each layer, (B, L, D) (Abdal et al. 2019, arXiv:1904.03189). It holds
  more observations than w, and fewer of them look like the data.

Each holds the one before: any z has its w, and any w is the w+ of L equal rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from torch import Tensor

from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Distribution, Styles

LatentName = Literal["z", "w", "w+"]


class Latents(ABC):
    """One latent space of a model."""

    @abstractmethod
    def decode(self, code: Tensor, given: Given) -> Distribution:
        """p(x | code, given)."""

    @abstractmethod
    def of_z(self, z: Tensor, given: Given) -> Tensor:
        """The codes of z (B, D) in this space."""

    @abstractmethod
    def draw(self, given: Given) -> Tensor:
        """A code for each row given, as the model draws them."""

    @abstractmethod
    def middle(self, given: Given) -> Tensor:
        """The most usual code that the model can name, for each row given."""


@dataclass(frozen=True)
class Z(Latents):
    """The space of the prior."""

    model: Decodes

    def decode(self, code: Tensor, given: Given) -> Distribution:
        return self.model.decode(code, given)

    def of_z(self, z: Tensor, given: Given) -> Tensor:
        return z

    def draw(self, given: Given) -> Tensor:
        return self.model.prior(given).sample()

    def middle(self, given: Given) -> Tensor:
        return self.model.prior(given).mean


@dataclass(frozen=True)
class W(Latents):
    """The space of styles."""

    model: Styles

    def decode(self, code: Tensor, given: Given) -> Distribution:
        return self.model.synthesise(code)

    def of_z(self, z: Tensor, given: Given) -> Tensor:
        return self.model.map(z, given)

    def draw(self, given: Given) -> Tensor:
        return self.of_z(self.model.prior(given).sample(), given)

    def middle(self, given: Given) -> Tensor:
        return self.model.truncate(self.draw(given), 0.0)


@dataclass(frozen=True)
class WPlus(Latents):
    """The space of one style a layer."""

    model: Styles

    def decode(self, code: Tensor, given: Given) -> Distribution:
        return self.model.synthesise(code)

    def of_z(self, z: Tensor, given: Given) -> Tensor:
        return layered(self.model, self.model.map(z, given))

    def draw(self, given: Given) -> Tensor:
        return self.of_z(self.model.prior(given).sample(), given)

    def middle(self, given: Given) -> Tensor:
        return self.model.truncate(self.draw(given), 0.0)


OF_STYLES: Mapping[str, type[W] | type[WPlus]] = MappingProxyType({"w": W, "w+": WPlus})


def latents(model: Decodes, name: LatentName) -> Latents:
    """A latent space of a model by name.

    Raises:
        UserError: it has no styles.
    """
    if name not in OF_STYLES:
        return Z(model)
    if not isinstance(model, Styles):
        raise UserError(f"only a style-based model has a {name}; use --space z")
    return OF_STYLES[name](model)


def layered(model: Styles, w: Tensor) -> Tensor:
    """A style of W (B, D), the same for each layer, (B, L, D); those of W+ as they are."""
    if w.dim() == 3:
        return w
    return w.unsqueeze(1).repeat(1, len(model.layer_sizes), 1)


THIRDS = ("coarse", "middle", "fine")
"""Shares of the sizes that a style-based model paints (Karras et al. 2019, §3.1)."""


def chosen_layers(words: str, sizes: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    """The layers that words name: coarse, middle or fine, numbers and ranges from 0 on.

    >>> four = ((4, 4), (8, 8), (8, 8), (16, 16), (16, 16), (16, 16))
    >>> chosen_layers("coarse", four), chosen_layers("0-2,4", four)
    ((0,), (0, 1, 2, 4))
    >>> chosen_layers("fine", four), chosen_layers("fine", four[:3])
    ((3, 4, 5), (1, 2))

    Raises:
        UserError: there are no such layers.
    """
    if words in THIRDS:
        steps = sorted(set(sizes))
        third = {size: round(2 * i / max(len(steps) - 1, 1)) for i, size in enumerate(steps)}
        found = {i for i, size in enumerate(sizes) if THIRDS[third[size]] == words}
    else:
        found = {i for part in words.split(",") for i in ranged(part)}
    if not found or max(found) >= len(sizes):
        known = f"0 to {len(sizes) - 1}, coarse, fine, and middle where there are three sizes"
        raise UserError(f"there are no layers {words!r}; the layers are {known}")
    return tuple(sorted(found))


def ranged(words: str) -> range:
    """Numbers from `a-b`, both included, or `a`; none where it is neither."""
    first, _, last = words.strip().partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()):
        return range(0)
    return range(int(first), int(last or first) + 1)


def named_layers(layers: tuple[int, ...], sizes: tuple[tuple[int, ...], ...]) -> str:
    """Layers in words, with what they paint.

    >>> named_layers((0, 1), ((4, 4), (8, 8), (8, 8)))
    'layers 0, 1 of 3, which paint 4 × 4 to 8 × 8'
    """
    painted = sorted({sizes[i] for i in layers})
    ends = dict.fromkeys(" × ".join(map(str, size)) for size in (painted[0], painted[-1]))
    numbers = ", ".join(map(str, layers))
    return f"layers {numbers} of {len(sizes)}, which paint {' to '.join(ends)}"
