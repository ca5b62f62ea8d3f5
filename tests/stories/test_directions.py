"""Directions, projection and mixing through the command line, on a VAE and on a style-based GAN."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.stories.commands import inside, refused, settings
from twofold.apps import discovering, editing, mixing, projecting, steering
from twofold.core.batch import Given
from twofold.core.game import Styles
from twofold.data.sources import Rows, whole
from twofold.maths.latents import latents
from twofold.runs import codes as coded
from twofold.runs import learnt
from twofold.runs.run import Run
from twofold.runs.training import material_of


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the embedded digits with directions from labels."""
    run = tmp_path_factory.mktemp("runs") / "vae"
    words = [*settings("vae", steps=300, batch=64, lr=5e-3), "--set", "model.latent=4"]
    told = inside("fit", "digits", *words, "--set", "train.null=1", "--out", run, "--quiet")
    assert told.status == 0, told.err
    told = inside("directions", run, "--how", "labels")
    assert told.status == 0, told.err
    return run


@pytest.fixture(scope="module")
def styles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of a style-based GAN on the same."""
    run = tmp_path_factory.mktemp("runs") / "styles"
    sets = ("model.widths={width=4,growth=2}", "model.critic={name='conv',width=4}",
            "model.latent=8", "train.steps=30", "train.batch=8")  # fmt: skip
    words = [word for pair in sets for word in ("--set", pair)]
    told = inside("fit", "digits", "--model", "stylegan", *words, "--out", run, "--quiet")
    assert told.status == 0, told.err
    return run


# Directions.


def test_each_label_has_a_direction_measured_on_rows_held_out(vae: Path) -> None:
    found = learnt.kept(Run.open(vae))
    assert [one.name for one in found] == [f"label={k}" for k in range(10)]
    read = {one["name"]: one for one in json.loads((vae / "directions.json").read_text())}
    held, gains = len(material_of(Run.open(vae), "").test), []
    for one in found:
        assert one.vector.norm().item() == pytest.approx(1, abs=1e-5)
        figures = {f.name: f for f in one.figures}
        accuracy, reached = figures[f"accuracy {one.name}"], figures[f"reached {one.name}"]
        assert accuracy.n == held  # of the test split, which was not fitted on
        assert 0.5 <= accuracy.low <= accuracy.value <= accuracy.high <= 1
        gains.append(reached.value - reached.baseline)
        assert read[one.name]["figures"][0]["value"] == pytest.approx(accuracy.value)
    assert sum(gains) / 10 > 0.05


def test_the_accuracy_is_that_of_the_kept_direction_on_the_test_split(vae: Path) -> None:
    """Along the direction, codes with the label and codes without it are told apart as said."""
    run = Run.open(vae)
    one = learnt.by_name(learnt.kept(run), "label=0")
    rows = whole(material_of(run, "").test)
    along = discovering.codes_of(run, rows, True).code @ one.vector
    has = rows.given[:, 0] == 0
    cuts = [((along > t)[has].double().mean() + (along <= t)[~has].double().mean()) / 2
            for t in along]  # fmt: skip
    assert max(cuts) >= one.figures[0].value - 1e-6  # of all thresholds, the hyperplane's is one


def test_what_is_kept_already_is_not_replaced_unasked(vae: Path) -> None:
    refused(inside("directions", vae, "--how", "labels"), "label=0", "--again")
    refused(inside("directions", vae, "--rename", "nose:eyes"), "nose")
    refused(inside("directions", vae, "--rename", "label=1:label=2"), "label=2")
    refused(inside("directions", vae, "--how", "labels", "--space", "w"), "style-based")
    refused(inside("directions", vae, "--how", "weights", "--layers", "coarse"), "style-based")


def test_directions_without_labels_are_named_by_the_user(vae: Path, tmp_path: Path) -> None:
    for how, name in (("weights", "sefa"), ("activations", "ganspace")):
        told = inside("directions", vae, "--how", how, "-k", "2", "--out", tmp_path / how, "--json")
        assert told.status == 0, told.err
        names = [f["name"] for f in json.loads(told.out)["figures"]]
        assert f"leak {name}-1 > label" in names
        assert sorted(p.name for p in (tmp_path / how).iterdir()) == [
            f"{name}-1.png", f"{name}-2.png"
        ]  # fmt: skip
    told = inside("directions", vae, "--rename", "sefa-1:slant", "--json")
    assert told.status == 0, told.err
    names = [f["name"] for f in json.loads(told.out)["figures"]]
    assert "eigenvalue slant" in names
    assert "leak slant > label" in names
    assert not any("sefa-1" in name for name in names)


def test_an_edit_moves_codes_along_several_directions(vae: Path, tmp_path: Path) -> None:
    run = Run.open(vae)
    rows = whole(run.source("digits"), 5)
    found = {one.name: one for one in learnt.kept(run)}
    words = ["--direction", "label=3:2", "--direction", "label=5", "--strength", "-0.5"]
    out = tmp_path / "e"
    told = inside("edit", vae, "digits", *words, "-n", "5", "--check", "--out", out, "--json")
    assert told.status == 0, told.err
    assert [f["name"] for f in json.loads(told.out)["figures"]] == ["drift label"]
    z = discovering.codes_of(run, rows, True).code
    for name, strength in (("label=3", 2.0), ("label=5", -0.5)):
        z = z + strength * found[name].scale * found[name].vector
    with torch.no_grad():
        x = latents(run.model, "z").decode(z, Given.none(5, run.given)).mean  # type: ignore[arg-type]
    expected = run.kind.settled(Rows(run.space.decode(x), rows.given)).values
    written = whole(run.source(out / "samples.npz")).values
    torch.testing.assert_close(written.float(), expected.float())


def test_a_direction_held_still_takes_its_part_out(vae: Path) -> None:
    run = Run.open(vae)
    found = learnt.kept(run)
    moved = steering.pushes(run, found, ["label=3"], 1.0)
    still = steering.held_still(found, ["label=8"], moved)
    codes = coded.Codes("z", torch.zeros(1, 4), torch.full((1, 1), torch.nan))
    free, held = (learnt.pushed(run, codes, moved[0].along, 1.0, s).code[0] for s in ([], still))
    assert abs(free @ still[0].vector) > 1e-3
    assert abs(held @ still[0].vector) < 1e-6
    assert held.norm().item() == pytest.approx(free.norm().item(), rel=1e-5)
    assert len(steering.held_still(found, ["all"], moved)) == len(found) - 1


def test_fresh_draws_can_be_edited_and_what_cannot_is_said(vae: Path, tmp_path: Path) -> None:
    words = ["--direction", "label=3", "--strength", "3", "-n", "40"]
    told = inside("edit", vae, *words, "--out", tmp_path / "e")
    assert told.status == 0, told.err
    assert (tmp_path / "e" / "edits.png").is_file()
    assert len(np.load(tmp_path / "e" / "samples.npz")["x"]) == 40
    refused(inside("edit", vae), "--direction")
    refused(inside("edit", vae, "--direction", "labl=3"), "label=3")
    refused(inside("edit", vae, "--direction", "label=3:far"), "number")
    refused(inside("edit", vae, "digits", "--direction", "label=3", "--to", "label=3"), "alone")


def test_a_direction_of_other_weights_is_stale(vae: Path) -> None:
    run = Run.open(vae)
    one = learnt.kept(run)[0]
    learnt.fresh(run, one)
    with pytest.raises(Exception, match="other weights"):
        learnt.fresh(Run.open(vae, weights="last"), one)


def test_a_gan_learns_from_draws_that_a_judge_has_labelled(styles: Path, tmp_path: Path) -> None:
    run = Run.open(styles)
    data = [material_of(run, "")]
    for space in ("z", "w"):
        found = discovering.discover(run, data, discovering.Search("labels", space))  # type: ignore[arg-type]
        for one in found:
            assert one.space == space
            assert one.figures[0].n == discovering.DRAWN * discovering.HELD
        absent = {f"label={k}" for k in range(10)} - {one.name for one in found}
        said = discovering.left_out(run, discovering.Search("labels", space), found)  # type: ignore[arg-type]
        assert all(name in said[0] for name in absent) if absent else not said
    told = inside("directions", styles, "--how", "weights", "-k", "1", "--layers", "coarse")
    assert told.status == 0, told.err
    one = learnt.by_name(learnt.kept(run), "sefa-1@coarse")
    model = run.model
    assert isinstance(model, Styles)
    w = coded.Codes("w", torch.randn(2, 8), torch.full((2, 1), torch.nan))
    plus = learnt.pushed(run, w, one, 2.0).code
    apart = (plus - w.code.unsqueeze(1)).abs().sum(2).gt(0)
    for i, size in enumerate(model.layer_sizes):  # only what paints the coarsest size moves
        assert apart[:, i].all() == (size == model.layer_sizes[0])
    told = inside("edit", styles, "--direction", "sefa-1@coarse:3", "-n", "4", "--out", tmp_path)
    assert told.status == 0, told.err


# Projection.


@pytest.mark.parametrize("space", ["z", "w", "w+"])
def test_a_draw_of_the_model_itself_is_found_again(styles: Path, space: str) -> None:
    run = Run.open(styles)
    with torch.no_grad():
        place = latents(run.model, "z")  # type: ignore[arg-type]
        x = place.decode(torch.randn(6, 8), run.known(torch.full((6, 1), torch.nan))).mean
    drawn = Rows(run.space.decode(x), torch.full((6, 1), torch.nan))
    made = projecting.project(run, drawn, projecting.Asked(space, 80, 0.0))  # type: ignore[arg-type]
    rounded = float((run.space.encode(drawn.values) - x).square().mean().sqrt())
    spread = float(x.std(0).square().mean().sqrt())
    assert (made.residual <= made.start + 1e-6).all()
    assert made.residual.mean() < rounded + 0.15 * spread


def test_a_larger_space_comes_nearer(styles: Path) -> None:
    run = Run.open(styles)
    rows = whole(material_of(run, "").test, 6)
    far = [
        float(projecting.project(run, rows, projecting.Asked(space, 60, 0.0)).residual.mean())  # type: ignore[arg-type]
        for space in ("z", "w", "w+")
    ]
    assert far[1] <= 1.05 * far[0]
    assert far[2] <= 1.02 * far[1]


def test_project_writes_codes_that_other_verbs_take(styles: Path, tmp_path: Path) -> None:
    out = tmp_path / "p"
    told = inside(
        "project", styles, "--space", "w+", "--steps", "20", "-n", "4", "--out", out, "--json"
    )
    assert told.status == 0, told.err
    figures = {f["name"]: f["value"] for f in json.loads(told.out)["figures"]}
    assert {"residual", "residual nearest", "residual mean"} <= set(figures)
    with (out / "residuals.csv").open(newline="") as file:
        lines = [*csv.DictReader(file)]
    assert len(lines) == 4
    mean = sum(float(line["residual"]) for line in lines) / 4
    assert mean == pytest.approx(figures["residual"], rel=1e-4)
    for line in lines:
        assert float(line["residual"]) <= float(line["start"]) + 1e-6
    told = inside("sample", styles, "--codes", out / "codes.npz", "--out", tmp_path / "s")
    assert told.status == 0, told.err
    pair = [np.load(folder / "samples.npz")["x"] for folder in (out, tmp_path / "s")]
    assert (pair[0] == pair[1]).all()
    words = ["--steps", "3", "--path", "linear", "--out", tmp_path / "i"]
    told = inside("interpolate", styles, out / "codes.npz", *words)
    assert told.status == 0, told.err
    way = np.load(tmp_path / "i" / "samples.npz")["x"]
    assert len(way) == 6
    assert (way[[0, 2, 3, 5]] == pair[0][:4]).all()


def test_an_encoder_is_where_the_way_starts(vae: Path) -> None:
    run = Run.open(vae)
    rows = whole(material_of(run, "").test, 5)
    none = projecting.project(run, rows, projecting.Asked("z", 0))
    expected = run.reconstructed(run.source("digits"))
    assert none.encoded
    z = discovering.codes_of(run, rows, False).code
    torch.testing.assert_close(none.codes.code, z)
    some = projecting.project(run, rows, projecting.Asked("z", 40, 0.0))
    assert (some.residual <= none.residual + 1e-6).all()
    assert some.residual.mean() < none.residual.mean()
    assert len(expected) > 5


def test_what_cannot_be_projected_is_said(vae: Path, styles: Path, tmp_path: Path) -> None:
    refused(inside("project", vae, "--space", "w"), "style-based")
    refused(inside("project", vae, "--steps", "-1"), "--steps")
    np.savez(tmp_path / "codes.npz", z=np.zeros((2, 3), "f4"))
    refused(inside("sample", vae, "--codes", tmp_path / "codes.npz"), "2 × 3", "4")
    refused(inside("sample", vae, "--codes", vae / "directions.json"), "codes")


def test_a_table_with_gaps_is_projected_by_what_is_there(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    with (tmp_path / "t.csv").open("w", newline="") as file:
        lines = [["a", "b", "hand"]]
        for i in range(240):
            u = chance.normal()
            lines.append(
                [f"{u:.3f}", f"{2 * u:.3f}" if i % 5 else "", "left" if u > 0 else "right"]
            )
        csv.writer(file).writerows(lines)
    words = [*settings("vae", steps=150, batch=32), "--set", "model.latent=2"]
    told = inside("fit", tmp_path / "t.csv", *words, "--out", tmp_path / "run", "--quiet")
    assert told.status == 0, told.err
    words = ["--steps", "40", "-n", "10", "--out", tmp_path / "p", "--json"]
    told = inside("project", tmp_path / "run", tmp_path / "t.csv", *words)
    assert told.status == 0, told.err
    figures = {f["name"]: f["value"] for f in json.loads(told.out)["figures"]}
    assert figures["residual"] <= figures["residual encoder alone"]
    assert (tmp_path / "p" / "samples.csv").is_file()
    told = inside("directions", tmp_path / "run", "--how", "labels")
    assert told.status == 0, told.err
    assert "no direction" not in told.err
    names = [one.name for one in learnt.kept(Run.open(tmp_path / "run"))]
    assert names == ["a", "b", "hand=right"]
    assert editing.attributes(Run.open(tmp_path / "run")).keys() == {"a", "b", "hand"}


# Mixing.


def test_mixed_draws_have_the_first_styles_and_some_of_the_second(
    styles: Path, tmp_path: Path
) -> None:
    run = Run.open(styles)
    everything = mixing.mix(run, 5, "0-3", {}, 3)
    assert everything.mixed.values.equal(everything.second.values)
    coarse = mixing.mix(run, 5, "coarse", {}, 3)
    assert coarse.first.values.equal(everything.first.values)  # the same seed, the same draws
    for side in (coarse.first, coarse.second):
        assert not coarse.mixed.values.equal(side.values)
    told = inside("sample", styles, "-n", "3", "--mix", "fine", "--out", tmp_path / "m")
    assert told.status == 0, told.err
    assert (tmp_path / "m" / "mixed.png").is_file()
    refused(inside("sample", styles, "--mix", "9"), "0 to 3")


def test_only_styles_are_mixed(vae: Path) -> None:
    refused(inside("sample", vae, "--mix", "coarse"), "stylegan")
