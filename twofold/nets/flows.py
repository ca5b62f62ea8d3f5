"""Normalising flows over codes, from zuko: invertible layers with a tractable determinant.

zuko (MIT) is an extra: `pip install 'twofold[flows]'`.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from twofold.core.errors import UserError


def zuko() -> Any:
    """The library, where it is installed.

    Raises:
        UserError: it is not.
    """
    try:
        import zuko
    except ImportError:
        raise UserError(
            "flows need zuko, which is not installed; pip install 'twofold[flows]'"
        ) from None
    return zuko


def affine_couplings(latent: int, context: int, transforms: int, width: int) -> nn.Module:
    """A map from context (B, H) to an invertible transform of (B, D), quick in both directions."""
    flow: nn.Module = (
        zuko()
        .flows.NICE(latent, context, transforms=transforms, hidden_features=(width, width))
        .transform
    )
    return flow


def splines(latent: int, context: int, transforms: int, width: int) -> nn.Module:
    """A neural spline flow with autoregressive layers: context (B, H) to a distribution of (B, D).

    Durkan et al. 2019, arXiv:1906.04032: one pass to score, D passes to draw.
    """
    flow: nn.Module = zuko().flows.NSF(
        latent, context, transforms=transforms, hidden_features=(width, width)
    )
    return flow


def masked_affine(latent: int, context: int, transforms: int, width: int) -> nn.Module:
    """A masked autoregressive flow (Papamakarios et al. 2017, arXiv:1705.07057)."""
    flow: nn.Module = zuko().flows.MAF(
        latent, context, transforms=transforms, hidden_features=(width, width)
    )
    return flow
