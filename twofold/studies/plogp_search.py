"""The penalised logP by a search in the latent.

It rewards long greasy chains and has no ceiling, so that a search that can grow molecules wins it
with ones that nobody wants; it is here because it is what was published. The best three molecules
of the junction-tree VAE (Jin, Barzilay & Jaakkola 2018, arXiv:1802.04364) are judged again by the
RDKit that is installed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from twofold.apps.objectives import Computed, formulas
from twofold.apps.optimising import Asked
from twofold.studies.molecule_search import (
    BESIDE,
    LATENT,
    SETTINGS,
    TOP,
    Searched,
    compared,
    pooled,
    searched,
    shared,
    trained,
    zinc,
)
from twofold.studies.study import Budget, Row, Study

PUBLISHED = (
    "CC(=O)c1cc2cc(Cl)ccc2cc1C(=O)Nc1cccc(NC(=O)Nc2cccc(-c3ccccc3C)c2)c1",
    "O=C(NC(=O)c1ccccc1Nc1ccc(Cl)c(Cl)c1)Nc1ccccc1C(=S)Nc1ccccc1Cl",
    "CC(=O)Nc1cccc(-c2cccc(NC(=O)Nc3cccc(-c4cccc(F)c4)c3)c2)c1",
)
"""The best three of the 1,897 molecules in bo/results* of the JT-VAE's repository, best first."""


class PlogpSearch(Study):
    """The penalised logP raised in the latent, and otherwise."""

    claim = (
        "With 5,000 calls, a search in the latent finds a hundred molecules of higher penalised "
        "logP than draws."
    )
    paper = "Gómez-Bombarelli et al. 2018, arXiv:1610.02415; Jin et al. 2018, arXiv:1802.04364"
    protocol = (
        "As qed-search, with the same VAE, for the penalised logP under the normalisation of the "
        "JT-VAE. Its three best molecules, taken from its repository, are judged by the RDKit that "
        "is installed; they were found with other calls, on 250,000 molecules, and by a search for "
        "few. QED of what is found stands beside it."
    )

    def rows(self, budget: Budget, seeds: int, out: Path) -> Sequence[Row]:
        setting, where = SETTINGS[budget], zinc(SETTINGS[budget].rows)
        run, _ = trained(where, "zinc", setting, (), shared(out, budget))
        asked = Asked(maximize=("plogp",), oracle=setting.oracle, beside=BESIDE)
        seen = searched(run, where, asked, seeds)
        likeness = [qed_of(seen, way) for way in (LATENT, "genetic", "draws")]
        return [*compared(seen, "plogp"), *likeness, *published()]


def qed_of(seen: Sequence[Searched], way: str) -> Row:
    """The QED of what a search found."""
    found, n = pooled([[p.qed for p in one[way].proposals] for one in seen])
    return Row(f"QED of plogp's top-{TOP}, {way}", "finding", *found, n, "none", "higher")


def published() -> list[Row]:
    """The best three of the JT-VAE, judged again."""
    plogp = Computed("plogp", formulas()["plogp"])
    values = plogp(PUBLISHED)
    return [
        Row(f"plogp, JT-VAE's molecule {rank}, judged again", "finding", value, math.nan, math.nan,
            1, "none", "higher")
        for rank, value in enumerate(values, 1)
    ]  # fmt: skip
