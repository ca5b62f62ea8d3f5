r"""Nearest neighbours of patches: pictures compared place by place in an extractor's features.

The middle layers of `tiny-v1` (`nets/tiny.py`) describe each place of a picture by the patch around
it. The places of normal pictures are a *memory bank* M, thinned to a *coreset*: again and again the
patch that is farthest from those already taken (Sener & Savarese 2018, arXiv:1708.00489). Of a new
picture each place p has the distance

$$ s(p) = \min_{m \in M} \|p - m\|_2 , $$

which is the map, and the largest of them is the score. Where pictures are taken alike (a digit, a
chest), a place is compared with the same place of others alone (`aligned`); where they are not (a
texture), with all (PatchCore).

Source: Roth, Pemula, Zepeda, Schölkopf, Brox & Gehler 2022, Towards Total Recall in Industrial
Anomaly Detection, arXiv:2106.08265; by place, Defard, Setkov, Loesch & Audigier 2021, PaDiM,
arXiv:2011.08785, there with a Gaussian.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from twofold.nets.extractors import colour, middle

LAYERS = (2, 4)
SMALLEST = 64
"""A picture that is smaller is enlarged to so many pixels a side, for the network to see it."""
CORESET = 2000
PLACED = 1000
"""Pictures that a place is compared with, at most."""
ROWS = 64


def patches(images: Tensor) -> Tensor:
    """Features of each place of images (B, C, H, W) in [0, 1]: (B, F, h, w).

    Each layer is averaged over 3 × 3 places, and the later one laid over the places of both.

    >>> patches(torch.rand(2, 1, 28, 28)).shape
    torch.Size([2, 120, 8, 8])
    """
    x = colour(images.float())
    scale = max(1.0, SMALLEST / min(x.shape[2:]))
    if scale > 1:
        size = [round(scale * side) for side in x.shape[2:]]
        x = F.interpolate(x, size, mode="bilinear", antialias=True)
    layers = [F.avg_pool2d(h, 3, 1, 1) for h in middle(x, LAYERS)]
    places = (layers[-1].shape[2], layers[-1].shape[3])
    return torch.cat([F.adaptive_avg_pool2d(h, places) for h in layers], 1)


def bank(images: Tensor, aligned: bool) -> Tensor:
    """The memory bank: (P, N, F), the patches of each of P places; P is 1 where all are one.

    It is kept in half precision.

    >>> bank(torch.rand(3, 1, 64, 64), True).shape, bank(torch.rand(3, 1, 64, 64), False).shape
    (torch.Size([64, 3, 120]), torch.Size([1, 192, 120]))
    """
    if aligned:
        images = images[:: -(-len(images) // PLACED)]
    seen = torch.cat([patches(part) for part in images.split(ROWS)]).flatten(2)  # (N, F, P)
    if aligned:
        return seen.movedim(2, 0).half()  # (P, N, F)
    every = seen.movedim(2, 1).flatten(0, 1)  # (N · P, F)
    return coreset(every, CORESET)[None].half()


def coreset(points: Tensor, most: int) -> Tensor:
    """At most so many of the points (N, F), each in turn the farthest from those before it.

    >>> coreset(torch.tensor([[0.0], [1.0], [0.9], [5.0]]), 2).tolist()
    [[0.0], [5.0]]
    """
    if len(points) <= most:
        return points
    centred = points - points.mean(0)
    size = centred.square().sum(1)
    chosen, away = [0], torch.full((len(points),), torch.inf)
    for _ in range(most - 1):
        last = chosen[-1]  # ‖p − l‖² = ‖p‖² − 2 p · l + ‖l‖², in one pass over the points
        away = torch.minimum(away, torch.addmv(size, centred, centred[last], alpha=-2) + size[last])
        chosen.append(int(away.argmax()))
    return points[chosen]


def distances(images: Tensor, memory: Tensor) -> Tensor:
    """s(p) at each place of images (B, C, H, W), (B, h, w)."""
    whole = torch.compiler.is_compiling()  # a graph that is written down has any number of rows
    parts = [images] if whole else images.split(ROWS)
    return torch.cat([near(patches(part), memory) for part in parts])


def near(seen: Tensor, memory: Tensor) -> Tensor:
    """The distance of each place (B, F, h, w) from the nearest patch of its bank (P, N, F)."""
    B, _, h, w = seen.shape
    memory = memory.to(seen.dtype)
    by_place = seen.flatten(2).movedim(2, 0)  # (h · w, B, F)
    if len(memory) == 1:
        by_place = by_place.flatten(0, 1)[None]  # (1, h · w · B, F)
    pairs = zip(by_place, memory, strict=True)
    nearest = torch.cat([torch.cdist(a, b).min(1).values for a, b in pairs])  # (h · w · B,)
    return nearest.reshape(h, w, B).movedim(2, 0)
