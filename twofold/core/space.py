r"""What one observation is.

A `Space` is a flat list of named fields, each with a *domain* (`Real`, `Modal`, `Bounded`, `Count`,
`Category`, `Token`), over a layout of *axes*: none for a vector or a table row, one for a series
or a sequence of tokens, two for an image, three for a video.

Two representations of the same B observations, over the axes A:

* **values** $(B, F, *A)$: one number a field, in the units of the file; a category is its index,
  a missing value is NaN, an 8-bit image may stay `uint8`;
* **x** $(B, C, *A)$: what networks and likelihoods see. A real number is standardised, a bounded
  one lies in [0, 1], a category is one-hot. A field that *may be missing* carries one more
  channel, its presence, 1 or 0, and a missing value is 0 everywhere.

`Space.encode` and `Space.decode` go from one to the other; on observations that lie in their
domain they are inverse to each other. Nothing above this file knows what a category is.

>>> row = Space((Field("age", Real(40.0, 10.0)), Field("sex", Category(("f", "m")), missing=True)))
>>> x = row.encode(torch.tensor([[50.0, 1.0], [30.0, float("nan")]]))
>>> x
tensor([[ 1.,  0.,  1.,  1.],
        [-1.,  0.,  0.,  0.]])
>>> row.decode(x)
tensor([[50.,  1.],
        [30., nan]])
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from twofold.core.errors import UserError

Layout = Literal["vector", "grid", "tokens"]


class Domain(ABC):
    """The set one value comes from, and how it is shown to a network."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Channels that one value takes in x."""

    @abstractmethod
    def encode(self, values: Tensor) -> Tensor:
        """Finite values (B, F, *A) of F like fields to channels (B, F · width, *A)."""

    @abstractmethod
    def decode(self, x: Tensor) -> Tensor:
        """The inverse: channels (B, F · width, *A) to values (B, F, *A)."""


@dataclass(frozen=True)
class Real(Domain):
    """A real number, shown standardised: $x = (v - \\text{mean}) / \\text{std}$."""

    mean: float = 0.0
    std: float = 1.0
    width = 1

    def encode(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.std

    def decode(self, x: Tensor) -> Tensor:
        return x * self.std + self.mean


@dataclass(frozen=True)
class Modal(Domain):
    """A real number that gathers around K modes, shown as where it is in its mode, and which it is.

    $$ x = (\\alpha, e_k), \\quad k = \\arg\\max_j w_j \\, N(v; \\mu_j, \\sigma_j), \\quad
    \\alpha = (v - \\mu_k) / (4 \\sigma_k) $$

    A mode without width, σ = 0, is one value that many share: it holds μ alone, and α is 0.

    Source: mode-specific normalisation, Xu et al. 2019, arXiv:1907.00503, section 4.2, where k is
    drawn; the most probable k keeps the code a function of the value.

    >>> wages = Modal((0.0, 2.0), (0.0, 0.25), (0.5, 0.5))
    >>> x = wages.encode(torch.tensor([[0.0], [2.5]]))
    >>> x, wages.decode(x).tolist()
    (tensor([[0.0000, 1.0000, 0.0000],
            [0.5000, 0.0000, 1.0000]]), [[0.0], [2.5]])
    """

    means: tuple[float, ...]
    stds: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def modes(self) -> int:
        """K."""
        return len(self.means)

    @property
    def width(self) -> int:
        return 1 + self.modes

    def mode(self, values: Tensor) -> Tensor:
        """Which mode each value is of, in the shape of the values."""
        v, mu, sigma, w = values.unsqueeze(2), *self.parameters(values)  # (B, F, 1, *A), (K, …)
        log_density = w.log() - sigma.log() - ((v - mu) / sigma).square() / 2
        sharp = torch.where(v.float() == mu.float(), math.inf, -math.inf)
        return torch.where(sigma > 0, log_density, sharp).argmax(2)

    def parameters(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """μ, σ and w, to be broadcast over (B, F, K, *A)."""
        each = (self.means, self.stds, self.weights)
        return tuple(like.new_tensor(t).reshape(-1, *[1] * (like.dim() - 2)) for t in each)  # type: ignore[return-value]

    def encode(self, values: Tensor) -> Tensor:
        k = self.mode(values)  # (B, F, *A)
        mu, sigma, _ = (t.flatten()[k] for t in self.parameters(values))
        alpha = torch.where(sigma > 0, (values - mu) / (4 * sigma), 0.0)
        hot = one_hot(k, self.modes).unflatten(1, (-1, self.modes)).to(values.dtype)
        return torch.cat([alpha.unsqueeze(2), hot], 2).flatten(1, 2)

    def decode(self, x: Tensor) -> Tensor:
        alpha, k = self.split(x)
        mu, sigma, _ = (t.flatten()[k.argmax(2)] for t in self.parameters(x))
        return mu + 4 * sigma * alpha

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """α (B, F, *A) and the shares of the modes (B, F, K, *A), from channels of x."""
        each = x.unflatten(1, (-1, self.width))
        return each[:, :, 0], each[:, :, 1:]


@dataclass(frozen=True)
class Bounded(Domain):
    """A number in [low, high], shown in [0, 1]; with `levels`, one of that many equal steps.

    An 8-bit pixel is `Bounded(0, 255, 256)`, a binary one `Bounded(0, 1, 2)`.
    """

    low: float = 0.0
    high: float = 1.0
    levels: int = 0
    width = 1

    def encode(self, values: Tensor) -> Tensor:
        if self.low == 0:
            return values * (1 / self.high)
        return (values - self.low) / (self.high - self.low)

    def decode(self, x: Tensor) -> Tensor:
        unit, length = x.clamp(0, 1), self.high - self.low
        if not self.levels:
            return self.low + unit * length
        steps = self.levels - 1  # whole steps of a whole length: an 8-bit pixel is exact
        return self.low + (unit * steps).round() * (length / steps)


@dataclass(frozen=True)
class Count(Domain):
    """A number of things, 0, 1, 2, …, shown as $x = \\log(1 + v) / \\text{scale}$.

    Single precision tells counts up to 100,000 apart.
    """

    scale: float = 1.0
    width = 1

    def encode(self, values: Tensor) -> Tensor:
        return values.log1p() / self.scale

    def decode(self, x: Tensor) -> Tensor:
        return (x * self.scale).expm1().round().clamp(min=0)


@dataclass(frozen=True)
class Category(Domain):
    """One of several labels without order, shown one-hot."""

    labels: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.labels)

    def encode(self, values: Tensor) -> Tensor:
        return one_hot(values, self.width)

    def decode(self, x: Tensor) -> Tensor:
        return index(x, self.width)


@dataclass(frozen=True)
class Token(Domain):
    """One of the words of a vocabulary, in a sequence; shown one-hot."""

    labels: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.labels)

    def encode(self, values: Tensor) -> Tensor:
        """As `one_hot`, the channels of a place side by side: tokens are read place by place."""
        known = (values >= 0) & (values < self.width)
        k = torch.where(known, values, 0).long().unsqueeze(-1)  # (B, F, *A, 1)
        hot = values.new_zeros(*values.shape, self.width)
        hot.scatter_(-1, k, known.to(hot.dtype).unsqueeze(-1))
        return hot.movedim(-1, 2).flatten(1, 2)  # (B, F · K, *A)

    def decode(self, x: Tensor) -> Tensor:
        return index(x, self.width)


DOMAINS: dict[str, type[Domain]] = {
    "real": Real,
    "modal": Modal,
    "bounded": Bounded,
    "count": Count,
    "category": Category,
    "token": Token,
}


@dataclass(frozen=True)
class Field:
    """A named part of an observation: `size` like values, each of which may be missing.

    An RGB image is one field of size 3; a table has one field a column.
    """

    name: str
    domain: Domain
    size: int = 1
    missing: bool = False

    @property
    def width(self) -> int:
        """Channels in x: the values', then one of presence a value where it may be missing."""
        return self.size * (self.domain.width + self.missing)

    def encode(self, values: Tensor) -> Tensor:
        if not self.missing:
            return self.domain.encode(values)
        present = ~values.isnan()  # (B, size, *A)
        shown = self.domain.encode(values.nan_to_num())  # (B, size · width, *A)
        presence = present.to(shown.dtype)
        return torch.cat([shown * presence.repeat_interleave(self.domain.width, 1), presence], 1)

    def decode(self, x: Tensor) -> Tensor:
        shown, presence = self.split(x)
        values = self.domain.decode(shown)
        return values if presence is None else values.masked_fill(presence < 0.5, math.nan)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The channels of the values, and those of their presence where there are any."""
        if not self.missing:
            return x, None
        return x[:, : -self.size], x[:, -self.size :]


@dataclass(frozen=True)
class Space:
    """What one observation is: named fields over a layout of axes.

    Args:
        fields: the fields, in the order of their channels.
        axes: () for a vector, (T,) for a series, (H, W) for an image, (T, H, W) for a video.
    """

    fields: tuple[Field, ...] = ()
    axes: tuple[int, ...] = ()

    @cached_property
    def width(self) -> int:
        """Channels of x."""
        return sum(field.width for field in self.fields)

    @cached_property
    def size(self) -> int:
        """Values of one observation at one place of the axes."""
        return sum(field.size for field in self.fields)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one x: (C, *A)."""
        return (self.width, *self.axes)

    @property
    def layout(self) -> Layout:
        if not self.axes:
            return "vector"
        return "tokens" if all(isinstance(f.domain, Token) for f in self.fields) else "grid"

    @property
    def numel(self) -> int:
        """Numbers in one x."""
        return math.prod(self.shape)

    def encode(self, values: Tensor) -> Tensor:
        """Values (B, F, *A), of any number type, to x (B, C, *A) in float32 or float64."""
        values = values if values.is_floating_point() else values.to(torch.get_default_dtype())
        parts = values.split([field.size for field in self.fields], 1)
        return together(
            [field.encode(part) for field, part in zip(self.fields, parts, strict=True)], values
        )

    def decode(self, x: Tensor) -> Tensor:
        """x (B, C, *A) to values (B, F, *A), NaN where missing."""
        return together([field.decode(part) for field, part in self.parts(x)], x)

    def parts(self, x: Tensor) -> Iterator[tuple[Field, Tensor]]:
        """Each field with its channels of x."""
        widths = [field.width for field in self.fields]
        return zip(self.fields, cut(x, widths), strict=True)

    def __getitem__(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for `space.json`."""
        return {"axes": list(self.axes), "fields": [describe(field) for field in self.fields]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Space:
        """The inverse of `to_dict`."""
        return cls(tuple(recall(item) for item in data["fields"]), tuple(data["axes"]))


def one_hot(values: Tensor, width: int) -> Tensor:
    """Indices (B, F, *A) to (B, F · width, *A); an index outside the range is a row of zeros."""
    labels = torch.arange(width, device=values.device)
    hot = values.unsqueeze(2) == labels.reshape(-1, *[1] * (values.dim() - 2))  # (B, F, K, *A)
    return hot.flatten(1, 2).to(values.dtype)


def index(x: Tensor, width: int) -> Tensor:
    """The inverse of `one_hot`: the strongest of each group of channels."""
    return x.unflatten(1, (-1, width)).argmax(2).to(x.dtype)


def cut(x: Tensor, widths: Sequence[int]) -> Sequence[Tensor]:
    """The channels of x in pieces; one piece is x itself, without a copy of its gradient."""
    return x.split(widths, 1) if len(widths) != 1 else [x]


def paste(parts: Sequence[Tensor]) -> Tensor:
    """The inverse of `cut`, for one piece or more."""
    return torch.cat(tuple(parts), 1) if len(parts) != 1 else parts[0]


def together(parts: Sequence[Tensor], like: Tensor) -> Tensor:
    """Concatenate along the channels; nothing at all is (B, 0, *A)."""
    return paste(parts) if parts else like[:, :0]


def describe(field: Field) -> dict[str, Any]:
    """A field as plain data."""
    name = type(field.domain).__name__.lower()
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(field.domain).items()}  # type: ignore[call-overload]
    return {
        "name": field.name,
        "domain": {"name": name, **values},
        "size": field.size,
        "missing": field.missing,
    }


def recall(data: Mapping[str, Any]) -> Field:
    """A field from plain data."""
    arguments = dict(data["domain"])
    name = arguments.pop("name")
    if name not in DOMAINS:
        raise UserError(f"the domain {name!r} of field {data['name']!r} is not known here")
    arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    return Field(data["name"], DOMAINS[name](**arguments), data["size"], data["missing"])
