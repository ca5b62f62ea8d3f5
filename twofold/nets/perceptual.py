r"""A learned likeness of images: the squared distance of features of a frozen network,

$$ -\,w\, \lVert f(x) - f(\hat x) \rVert^2 - v\, \lVert x - \hat x \rVert^2, $$

in place of a likelihood (Dosovitskiy & Brox 2016, arXiv:1602.02644; Hou et al. 2017). It is a
score, as the cross-entropy of grey pixels is, and not a density.

The features of `tiny-v1` are means over the image at three depths: they say what textures and
shapes there are, not where. The squared error of the pixels, with weight v, says where.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from twofold.core.errors import UserError, nearest
from twofold.core.space import Domain
from twofold.maths.likelihoods import Elementwise
from twofold.maths.similarity import Likeness, Whole
from twofold.nets.extractors import Extractor, extractor

OF_IMAGES = ("tiny-v1", "inception")


@dataclass(frozen=True)
class FeatureDistance(Likeness):
    r"""The squared distance of the features of a frozen network, and that much of the pixels'.

    $$ -\,w\, \lVert f(x) - f(\hat x) \rVert^2 - v\, \lVert x - \hat x \rVert^2 $$

    Args:
        extractor: f, the network, by name: tiny-v1 or inception.
        weight: w, of the features. pixels: v, of the squared error.

    Source: Dosovitskiy & Brox 2016, arXiv:1602.02644.
    """

    extractor: str = "tiny-v1"
    weight: PositiveFloat = 1.0
    pixels: NonNegativeFloat = 1.0

    def __post_init__(self) -> None:
        if self.extractor not in OF_IMAGES:
            hint = nearest(self.extractor, OF_IMAGES)
            raise UserError(f"{self.extractor!r} is not an extractor of images; {hint}")

    def __call__(self, raw: Tensor, shared: Tensor, domain: Domain) -> Elementwise:
        return FeatureDistanceValues(raw, self)


@dataclass(frozen=True)
class FeatureDistanceValues(Whole):
    logits: Tensor
    part: FeatureDistance

    def log_prob(self, x: Tensor) -> Tensor:
        f, shown = loaded(self.part.extractor), self.mean
        apart = (f(x) - f(shown)).square().sum(1)
        off = (x - shown).square().flatten(1).sum(1)
        return -(self.part.weight * apart + self.part.pixels * off).unsqueeze(1)

    @property
    def mean(self) -> Tensor:
        return self.logits.sigmoid()


@lru_cache(maxsize=2)
def loaded(name: str) -> Extractor:
    """The extractor, read once; its weights may be missing, which it says when it is asked."""
    return extractor(name)
