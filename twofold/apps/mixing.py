"""Style mixing: draws that take the styles of some layers from a second draw.

Coarse layers say what is coarse, such as pose and outline, fine ones colour and texture (Karras et
al. 2019, arXiv:1812.04948, §3.1). Both sources are decoded too, so that it can be seen which of
them gave what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.core.game import Styles
from twofold.data.sources import Rows
from twofold.maths.latents import chosen_layers, named_layers
from twofold.runs.codes import Codes, as_styles, decoded
from twofold.runs.run import Run
from twofold.train.chance import seed_all


@dataclass(frozen=True)
class Mixed:
    """N draws, the sources of their other and of their mixed layers, and the layers in words."""

    first: Rows
    second: Rows
    mixed: Rows
    words: str


def mix(
    run: Run, n: int, layers: str, given: Mapping[str, Any], seed: int, psi: float = 1.0
) -> Mixed:
    """Draw with the styles of some layers from a second draw.

    Args:
        run: of a style-based model. n: how many. layers: as in `chosen_layers`.
        given: conditions, of both draws. seed: of both. psi: truncation of both.

    Raises:
        UserError: the model has no styles, or no such layers.
    """
    model = run.model
    if not isinstance(model, Styles):
        raise UserError("--mix mixes the styles of a style-based model; train one with stylegan")
    chosen = chosen_layers(layers, model.layer_sizes)
    run.room_for(n)
    known = run.conditions(n, given, seed)
    seed_all(torch.device("cpu"), seed)
    first, second = (styles(run, model, known, psi) for _ in range(2))
    on = torch.zeros(first.code.shape[1], 1, dtype=torch.bool)
    on[list(chosen)] = True
    both = Codes("w+", torch.where(on, second.code, first.code), known)
    words = f"mixed: {named_layers(chosen, model.layer_sizes)}, are from the second draw"
    return Mixed(decoded(run, first), decoded(run, second), decoded(run, both), words)


def styles(run: Run, model: Styles, known: Tensor, psi: float) -> Codes:
    """Fresh styles, one a layer."""
    with torch.no_grad():
        z = Codes("z", model.prior(run.known(known)).sample(), known)
        w = as_styles(run, z, layers=True)
        return Codes("w+", model.truncate(w.code, psi), known)
