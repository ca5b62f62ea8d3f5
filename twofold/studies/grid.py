r"""Twenty-five narrow Gaussians on a grid: does a GAN draw all of them, and nothing between them?

The data and the three figures are PacGAN's (`mixtures.py`); Lin et al. 2018, Table 1, report what
plain and packed GANs reach. Ours is the paired relativistic game with R1 and R2 (Huang et al. 2024,
arXiv:2501.05441), whose γ falls while training goes on, with a critic that sees Fourier features of
the plane (Tancik et al. 2020, arXiv:2006.10739). The plain game is that of Goodfellow et al. 2014,
by the same networks in as many steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from twofold.studies.mixtures import GRID, PROTOCOL, Reported, compared
from twofold.studies.study import Budget, Row, Study

STEPS: Mapping[Budget, int] = {"smoke": 3, "cpu": 10_000, "paper": 10_000}
BEST, PLAIN = Reported(24.8, 0.936, 0.04), Reported(17.3, 0.948, 0.70)
"""PacGAN4, which has the most modes and the least reverse KL, and the plain game."""


class Grid(Study):
    """PacGAN's grid."""

    claim = "A GAN draws all of twenty-five narrow Gaussians on a grid in every seed."
    paper = (
        "Lin et al. 2018, PacGAN, arXiv:1712.04086, Table 1; Huang et al. 2024, arXiv:2501.05441"
    )
    protocol = (
        "Twenty-five Gaussians of σ = 0.05, two apart. " + PROTOCOL + " 10,000 steps "
        "(published: 400 epochs of 1,000 steps)."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        return compared(GRID, STEPS[budget], seeds, BEST, PLAIN)
