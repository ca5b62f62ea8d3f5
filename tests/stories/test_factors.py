"""Factors through the command line: kept from the model, seen by measures, said when absent."""

import json
from pathlib import Path

from tests.stories.commands import inside, refused, settings

SHAPES = ["--set", "data.size=8", "--set", "data.every=8", "--set", "model.latent=4"]
FEW = settings("vae", steps=4, batch=16)


def names_of(run: Path) -> tuple[set[str], dict[str, str]]:
    kept = json.loads((run / "measures.json").read_text())
    return {figure["name"] for figure in kept["figures"]}, kept["refused"]


def test_shapes_are_fitted_without_their_factors_and_measured_with_them(runs: Path) -> None:
    made = inside("fit", "shapes2d", *SHAPES, *FEW, "--quiet", "--out", runs / "one")
    assert made.status == 0, made.err
    space = json.loads((runs / "one" / "space.json").read_text())
    assert space["given"]["fields"] == []
    wanted = ["mig", "mig_knn", "modularity", "irs", "factor_vae_score", "sap", "explicitness"]
    told = inside("measure", runs / "one", "--measures", *wanted, "total_correlation", "--quiet")
    assert told.status == 0, told.err
    found, missing = names_of(runs / "one")
    assert found == {*wanted, "total_correlation"}, missing
    again = inside("measure", runs / "one", "--against", "shapes2d", "--measures", "mig", "--json")
    assert json.loads(again.out)[0]["n"] == 240  # by name: the run's own grid, not the whole set
    drawn = inside("sample", runs / "one", "-n", "3", "--out", runs / "drawn")
    assert drawn.status == 0, drawn.err
    assert (runs / "drawn" / "samples.npy").is_file()


def test_seeds_say_how_far_they_agree(runs: Path) -> None:
    out = runs / "two"
    made = inside("fit", "shapes2d", *SHAPES, *FEW, "--quiet", "--seeds", "2", "--out", out)
    assert made.status == 0, made.err
    figures = json.loads((out / "seed-1" / "seeds.json").read_text())["figures"]
    (udr,) = [figure for figure in figures if figure["name"] == "udr"]
    assert len(udr["parts"]) == 2
    assert "seed-0" in udr["note"]


def test_without_factors_it_is_said(runs: Path) -> None:
    made = inside("fit", "digits", *FEW, "--quiet", "--out", runs / "told")
    assert made.status == 0, made.err
    asked = inside("measure", runs / "told", "--measures", "mig", "elbo", "--quiet")
    assert asked.status == 0, asked.err
    found, missing = names_of(runs / "told")
    assert found == {"elbo"}
    assert missing["mig"].startswith("disentanglement not assessed")
    assert "mig does not apply: disentanglement not assessed" in asked.err
    alone = inside("measure", runs / "told", "--measures", "mig", "--quiet")
    refused(alone, "mig does not apply: disentanglement", "those that do: ", "elbo")
    kept = inside(
        "fit", "digits", *FEW, "--set", "data.given=[]", "--quiet", "--out", runs / "kept"
    )
    assert kept.status == 0, kept.err
    assert inside("measure", runs / "kept", "--measures", "mig", "--quiet").status == 0
    assert names_of(runs / "kept")[0] == {"mig"}


def test_wrong_options_are_the_users_to_mend(runs: Path) -> None:
    answer = inside("fit", "shapes2d", "--set", "data.evry=2")
    refused(answer, "evry", "every")
    refused(inside("fit", "shapes2d", "--set", 'data.shapes=["hart"]'), "heart")
    refused(inside("fit", "shapes2d", "--set", "data.pictures=official"), "dsprites")
