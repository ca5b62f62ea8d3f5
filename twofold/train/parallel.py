"""Several processes as one: ranks under torchrun, and one flat all-reduce a player.

A `World` of one process is the ordinary case. Each rank plays its share of the parts; a player's
gradients, already weighted by rows, are summed over ranks in one flat buffer together with a flag
for each parameter that says whether any rank has a gradient, so that a gradient that is None
everywhere stays None.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class World:
    """This process among `size` of them."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def reduce(self, parameters: list[nn.Parameter]) -> None:
        """Sum the gradients of a player over all ranks."""
        if self.size == 1:
            return
        here = torch.tensor([float(p.grad is not None) for p in parameters]).to(parameters[0])
        flat = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters]
        buffer = torch.cat([*flat, here])
        dist.all_reduce(buffer)
        there = buffer[-len(parameters) :].tolist()
        pieces = buffer[: -len(parameters)].split([p.numel() for p in parameters])
        for parameter, piece, present in zip(parameters, pieces, there, strict=True):
            parameter.grad = piece.reshape(parameter.shape).clone() if present > 0 else None

    def mean(self, tensors: list[Tensor]) -> None:
        """Average buffers over all ranks, in place."""
        for tensor in tensors if self.size > 1 else []:
            dist.all_reduce(tensor)
            tensor /= self.size

    def wait(self) -> None:
        """Go on when every rank is here."""
        if self.size > 1:
            dist.barrier()

    def told(self, text: str) -> str:
        """What the first rank says, on every rank."""
        words = [text]
        if self.size > 1:
            dist.broadcast_object_list(words, src=0)
        return words[0]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set anywhere."""
        if self.size == 1:
            return flag
        flags = torch.tensor([float(flag)])
        dist.all_reduce(flags)
        return bool(flags.item() > 0)


def world() -> World:
    """The world that torchrun set up, or a world of one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World()
    if not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return World(dist.get_rank(), size)
