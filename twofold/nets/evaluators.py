"""Small networks that measures fit on data to judge drawn observations (by `nets/fit.py`).

* `ImageClassifier`: which class an image shows; its counts over drawn images are the modes covered.
* `SeriesClassifier` and `SeriesPredictor`: the post-hoc recurrent networks of TimeGAN (Yoon,
  Jarrett & van der Schaar 2019): one tells real from drawn series (the *discriminative score* is
  its held-out accuracy less ½), the other, fitted on drawn series, predicts the next value of
  real ones (the *predictive score* is its mean absolute error).

None has batch statistics. A series is (B, C, T): channels, then time.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


def groups(width: int) -> int:
    """As many groups of at least four channels as divide the width."""
    return max(g for g in range(1, max(2, width // 4 + 1)) if width % g == 0)


class ImageClassifier(nn.Module):
    """Images (B, C, H, W), of any size, to logits (B, classes).

    Three 3×3 convolutions that halve the sides while there is anything to halve, group
    normalisation, and a mean over a 2×2 grid, so that the position of strokes is kept.

    Args:
        channels, size: of the images, size as (H, W); classes: how many there are.
        width: channels of the first layer, doubled in the others.

    >>> import torch
    >>> ImageClassifier(1, (28, 28), 10)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(self, channels: int, size: tuple[int, int], classes: int, width: int = 24) -> None:
        super().__init__()
        widths, side = (channels, width, 2 * width, 2 * width), min(size)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1)]
            layers += [nn.GroupNorm(groups(outputs), outputs), nn.SiLU()]
            layers += [nn.MaxPool2d(2)] if side >= 4 else []
            side = side // 2 if side >= 4 else side
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(4 * widths[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x))
        return logits


class SeriesClassifier(nn.Module):
    """Series (B, C, T) to logits (B, classes) from the last state of a GRU.

    >>> import torch
    >>> SeriesClassifier(3, 2)(torch.zeros(5, 3, 24)).shape
    torch.Size([5, 2])
    """

    def __init__(self, channels: int, classes: int, width: int = 24, layers: int = 2) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, width, layers, batch_first=True)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x.transpose(1, 2))  # (B, T, width)
        logits: Tensor = self.head(states[:, -1])
        return logits


class SeriesPredictor(nn.Module):
    """Series (B, C, T) to a prediction (B, outputs, T) at every time from what came until then.

    Shift the target by one time to predict the next value:

    >>> import torch
    >>> x = torch.zeros(5, 3, 24)
    >>> SeriesPredictor(3, 3)(x[..., :-1]).shape == x[..., 1:].shape
    True
    """

    def __init__(self, channels: int, outputs: int, width: int = 24, layers: int = 1) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, width, layers, batch_first=True)
        self.head = nn.Linear(width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.gru(x.transpose(1, 2))  # (B, T, width)
        prediction: Tensor = self.head(states).transpose(1, 2)
        return prediction  # (B, outputs, T)
