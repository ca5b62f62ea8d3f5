"""What is asked of a VAE of molecules, from figures that are made up."""

import math
from dataclasses import replace

from twofold.measures.measure import Figure
from twofold.studies.zinc_vae import SELFIES, SETTINGS, WAYS, row_of

FCD = Figure("fcd", 8.0, math.nan, math.nan, 1000, "lower", floor=1.5)
UNITS = Figure("active_units", 60.0, 58.0, 62.0, 1000, "neither", parts=(0.1,) * 128)


def test_half_of_the_dimensions_must_be_active() -> None:
    row = row_of(SELFIES, SETTINGS["cpu"], "active_units", [UNITS])
    assert (row.target, row.holds, row.low) == (64, False, 58)
    more = [replace(UNITS, value=value) for value in (64.0, 66.0, 68.0)]
    assert row_of(SELFIES, SETTINGS["cpu"], "active_units", more).holds


def test_fcd_is_a_bar_of_eight_floors_on_paper_alone() -> None:
    row = row_of(SELFIES, SETTINGS["paper"], "fcd", [FCD])
    assert (row.target, row.holds) == (12, True)
    found = row_of(SELFIES, SETTINGS["cpu"], "fcd", [FCD])
    assert (found.kind, found.holds, found.floor) == ("finding", None, 1.5)


def test_models_without_a_latent_are_findings() -> None:
    plain = next(way for way in WAYS if way.recipe.startswith("autoregressive"))
    assert row_of(plain, SETTINGS["paper"], "fcd", [FCD]).kind == "finding"
    assert row_of(plain, SETTINGS["paper"], "fcd", [FCD]).source.startswith(
        "MOSES' README, CharRNN"
    )


def test_a_mixture_is_reported_beside_and_is_no_bar() -> None:
    share = Figure("mol_valid", 0.5, 0.4, 0.6, 1000, "higher", floor=1.0)
    assert row_of(SELFIES, SETTINGS["cpu"], "mol_valid", [share]).holds is False
    assert row_of(SELFIES, SETTINGS["cpu"], "mol_valid, mixture", [share]).holds is None
