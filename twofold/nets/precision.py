"""The precision of networks, from a fixed table, and compilation where it works.

Half the bits are worth it only where the processor multiplies them natively: on a CPU with
`avx512_bf16` or `amx`, on a GPU since Ampere. The table is fixed, never a stopwatch at start, so
that two equal commands give equal weights. Sixteen-bit floats of the IEEE kind are never used: they
cripple adversarial training.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from twofold.nets.bodies import Body

Precision = Literal["auto", "float32", "bfloat16"]


def precision_of(name: Precision, device: torch.device) -> torch.dtype:
    """The type that a recipe's `train.precision` means on a device.

    >>> precision_of("float32", torch.device("cpu"))
    torch.float32
    """
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]
    return torch.bfloat16 if native(device) else torch.float32


def native(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 natively."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported()
    return False


def lower(model: nn.Module, precision: torch.dtype) -> None:
    """Let every body of a model compute in this type; what goes in and out stays float32."""
    for module in model.modules():
        if isinstance(module, Body):
            module.precision = precision


def speed_up(model: nn.Module) -> list[str]:
    """Compile every body; say what could not be, and leave it as it was."""
    notes = []
    for name, module in model.named_modules():
        if isinstance(module, Body):
            try:
                module.compile()
            except Exception as error:  # a missing compiler shows in many ways
                notes.append(f"note: {name} is not compiled: {error}")
    return notes
