"""Traverse, edit, denoise, encode and interpolate, by command line on real files."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import twofold
from tests.stories.commands import inside, refused, settings
from twofold.apps import editing, traversing
from twofold.apps.denoising import noise_of, noisy, psnr
from twofold.core.batch import Given
from twofold.core.game import Decodes, Encodes
from twofold.data.sources import Rows, whole
from twofold.measures.latent import Latent
from twofold.measures.measure import Evidence
from twofold.runs import codes as coded
from twofold.runs.run import Run
from twofold.runs.training import material_of

NOISE = 'model.noise={name="gaussian", sigma=0.4}'
SHORT = [*settings("vae", steps=300, batch=64, lr=5e-3), "--set", "model.latent=4"]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the embedded digits, taught to denoise."""
    run = tmp_path_factory.mktemp("runs") / "digits"
    told = inside("fit", "digits", *SHORT, "--set", NOISE, "--out", run, "--quiet")
    assert told.status == 0, told.err
    return run


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A table in which income rises with age, and a run on it; the table too."""
    folder = tmp_path_factory.mktemp("runs")
    chance = np.random.default_rng(0)
    rows = [["age", "income", "hand"]]
    for _ in range(400):
        age = chance.integers(20, 70)
        hand = "left" if chance.random() < 0.3 else "right"
        rows.append([str(age), "high" if age + chance.normal(0, 5) > 45 else "low", hand])
    with (folder / "people.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    words = [*settings("vae", steps=400, batch=64, evaluate=400), "--set", "model.latent=3"]
    told = inside("fit", folder / "people.csv", *words, "--out", folder / "run", "--quiet")
    assert told.status == 0, told.err
    return folder / "people.csv", folder / "run"


def read(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


# Traverse.


def test_rows_come_by_their_rate_which_is_the_measured_one(digits: Path) -> None:
    run = Run.open(digits)
    held = material_of(run, "").test
    made = traversing.traverse(run, [held], dims=4, steps=3)
    batch = run.batch(held, torch.arange(len(held)))
    evidence = Evidence(run.space, run.given, batch, batch, batch, run.model)
    measured = next(f for f in Latent()(evidence) if f.name == "kl").parts
    assert made.worth.tolist() == sorted(made.worth.tolist(), reverse=True)
    for dim, nats in zip(made.dims.tolist(), made.worth.tolist(), strict=True):
        assert nats == pytest.approx(measured[dim], rel=1e-4)


def test_a_row_moves_one_dimension_and_holds_the_others() -> None:
    z, at = torch.tensor([[5.0, 6.0, 7.0]]), torch.arange(6.0).reshape(3, 2)
    every = traversing.moved(z, at).unflatten(0, (3, 2))
    for d in range(3):
        assert every[d, :, d].tolist() == at[d].tolist()
        others = [i for i in range(3) if i != d]
        assert (every[d][:, others] == z[:, others]).all()


def test_traverse_writes_a_picture_and_what_stands_where(digits: Path, tmp_path: Path) -> None:
    words = ["--dims", "3", "--steps", "5", "--range", "quantiles"]
    told = inside("traverse", digits, "digits", *words, "--out", tmp_path / "t", "--json")
    assert told.status == 0, told.err
    names = [Path(name).name for name in json.loads(told.out)]
    assert {"traverse.png", "traverse.csv"} <= set(names)
    lines = read(tmp_path / "t" / "traverse.csv")
    assert lines[0] == ["dimension", "nats", "z"]
    assert len(lines) == 1 + 3 * 5
    with Image.open(tmp_path / "t" / "traverse.png") as picture:
        assert picture.height >= 3 * 32


def test_traverse_of_a_table_says_what_changes(people: tuple[Path, Path], tmp_path: Path) -> None:
    told = inside("traverse", people[1], "--dims", "1", "--out", tmp_path / "t")
    assert told.status == 0, told.err
    lines = read(tmp_path / "t" / "changes.csv")
    assert lines[0] == ["dimension", "field", "from", "to", "change"]
    changed = {line[1]: line[2:4] for line in lines[1:]}
    assert {"age", "income"} <= set(changed), changed  # what carries most moves both together
    ages = [float(v) for v in changed["age"]]
    assert all(20 <= age < 70 for age in ages)  # in the units of the file
    assert {0: ["low", "high"], 1: ["high", "low"]}[ages[0] > ages[1]] == changed["income"]
    assert read(tmp_path / "t" / "traverse.csv")[0][-3:] == ["age", "income", "hand"]


def test_a_gan_is_traversed_by_how_far_x_moves(tmp_path: Path) -> None:
    short = [*settings("gan", steps=2, batch=8), "--set", "model.latent=4"]
    made = inside("fit", "digits", "--model", "gan", *short, "--out", tmp_path / "g", "--quiet")
    assert made.status == 0, made.err
    told = inside("traverse", tmp_path / "g", "--dims", "2", "--out", tmp_path / "t")
    assert told.status == 0, told.err
    assert read(tmp_path / "t" / "traverse.csv")[0][1] == "change"
    refused(inside("traverse", tmp_path / "g", "--range", "quantiles"), "--range")
    refused(inside("denoise", tmp_path / "g", "digits"), "encodes")


def test_a_generator_that_sees_directions_alone_is_traversed_from_a_draw(tmp_path: Path) -> None:
    small = ["--set", "model.latent=8", "--set", "model.widths.width=4", "--set", "train.steps=2"]
    words = ["digits", "--model", "stylegan", *small, "--set", "train.batch=8", "--quiet"]
    made = inside("fit", *words, "--out", tmp_path / "g")
    assert made.status == 0, made.err
    run = Run.open(tmp_path / "g")
    z, _ = traversing.place(run, [], {}, 0)
    assert (z != 0).all()  # beside zeros a number is its sign: the way would be two pictures
    at = torch.linspace(-2, 2, 5).expand(8, 5)
    styles = run.model.map(traversing.moved(z, at), Given.none(40, run.given)).unflatten(0, (8, 5))
    assert (styles.diff(dim=1).abs().amax(2) > 1e-5).all()
    first, again = (traversing.traverse(run, [], dims=2, steps=3, seed=4).rows for _ in range(2))
    assert first.values.equal(again.values)


# Edit.


def test_an_edit_by_condition_decodes_the_same_code_under_another(digits: Path) -> None:
    run = Run.open(digits)
    rows = whole(run.source("digits"), 6)
    wanted = editing.edits(run, {"label": "3"})
    made = editing.edit(run, rows, wanted, lambda: run.source("digits"), "condition")
    x = run.space.encode(rows.values)
    with torch.no_grad():
        z = run.model.encode(x, Given(run.given.encode(rows.given))).mean  # type: ignore[operator]
        three = Given(run.given.encode(torch.full_like(rows.given, 3.0)))
        expected = run.space.decode(run.model.decode(z, three).mean)  # type: ignore[operator]
    torch.testing.assert_close(made.after.values, expected)
    assert not made.after.values.equal(made.before.values)


def test_an_edit_along_a_direction_goes_from_class_mean_to_class_mean(digits: Path) -> None:
    run = Run.open(digits)
    source = run.source("digits")
    rows = whole(source, 5)
    wanted = editing.edits(run, {"label": "3"})
    with torch.no_grad():
        shift = editing.along(run, rows, wanted, source, ())
        every = whole(source)
        none = Given.none(len(every), run.given)
        z = run.model.encode(run.space.encode(every.values), none).mean  # type: ignore[operator]
    means = torch.stack([z[every.given[:, 0] == k].mean(0) for k in range(10)])
    expected = means[3] - means[rows.given[:, 0].long()]
    torch.testing.assert_close(shift, expected, atol=1e-4, rtol=1e-4)


def test_auto_takes_the_way_that_does_more(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As judges see it on validation rows, and it says so."""
    run, wanted = Run.open(digits), editing.edits(Run.open(digits), {"label": "3"})
    material = material_of(run, "")
    done = {
        how: editing.effect(run, wanted, material, how, 1.0, 0)  # type: ignore[arg-type]
        for how in ("condition", "direction")
    }
    assert all(0 <= share <= 1 for share in done.values())
    told = inside("edit", digits, "digits", "--to", "label=3", "-n", "2", "--out", tmp_path / "e")
    assert told.status == 0, told.err
    better = "condition" if done["condition"] >= done["direction"] - editing.TIE else "direction"
    assert f"edited by the {better}" in told.err
    for share in done.values():
        assert f"{share:.2f}" in told.err
    for best in ("condition", "direction"):
        monkeypatch.setattr(editing, "effect", lambda *a, b=best: float(a[3] == b))
        found = editing.choose(run, wanted, lambda: material, 1.0, (), 0)
        assert found.how == best
    assert editing.choose(run, wanted, lambda: material, 1.0, ("all",), 0).how == "direction"


def test_an_edited_column_flips_and_another_kept_one_drifts_less(
    people: tuple[Path, Path], tmp_path: Path
) -> None:
    table, run = people
    drifts = []
    for keep in ([], ["--keep", "age"]):
        out = tmp_path / f"e{len(keep)}"
        words = ["--to", "income=high", "--check", *keep, "--out", out, "--json", "-n", "200"]
        told = inside("edit", run, table, *words)
        assert told.status == 0, told.err
        found = {f["name"]: f["value"] for f in json.loads(told.out)["figures"]}
        assert set(found) == {"flip income=high", "drift age", "drift hand"}
        shares = [line[1] == "high" for line in read(out / "samples.csv")[1:]]
        drifts.append(found["drift age"])
        if not keep:
            assert sum(shares) / len(shares) > 0.9
            assert found["flip income=high"] > 0.8
            assert found["drift hand"] < 0.2
    assert drifts[1] < 0.5 * drifts[0]
    assert (tmp_path / "e0" / "figures.json").is_file()


def test_a_number_is_asked_for_in_the_units_of_the_file(people: tuple[Path, Path]) -> None:
    """The target, written as a file would be, is what was said; the ages move toward it."""
    table, path = people
    run = Run.open(path)
    rows = whole(run.source(table), 200)
    wanted = editing.edits(run, {"age": "60"})
    there = rows.values.clone()
    there[:, 0] = wanted[0].target
    assert (run.kind.native(Rows(there, rows.given))["age"] == 60).all()
    made = editing.edit(run, rows, wanted, lambda: run.source(table))
    before, after = (run.kind.native(side)["age"].mean() for side in (made.before, made.after))
    assert abs(60 - after) < 0.8 * abs(60 - before)


def test_what_cannot_be_edited_is_said(digits: Path, people: tuple[Path, Path]) -> None:
    refused(inside("edit", digits, "digits"), "--to")
    refused(inside("edit", digits, "digits", "--to", "label"), "--to label", "name=value")
    refused(inside("edit", digits, "digits", "--to", "labl=3"), "labl", "label")
    refused(inside("edit", digits, "digits", "--to", "label=11"), "label=11")
    kept = ["--how", "condition", "--keep", "all"]
    refused(inside("edit", digits, "digits", "--to", "label=1", *kept), "direction")
    table, run = people
    refused(inside("edit", run, table, "--to", "income=high", "--how", "condition"), "direction")
    refused(inside("edit", run, table, "--to", "age=old"), "age=old", "number")


# Denoise.


def test_denoising_is_measured_beside_tuned_methods(digits: Path, tmp_path: Path) -> None:
    words = ["--add-noise", "-n", "20", "--deviation", "--out", tmp_path / "d", "--json"]
    told = inside("denoise", digits, *words)
    assert told.status == 0, told.err
    done = json.loads(told.out)
    found = {f["name"]: f for f in done["figures"]}
    assert {"psnr", "psnr noisy", "psnr nl-means", "psnr tv"} <= set(found)
    assert set(found) | {f"psnr {name}" for name in done["refused"]} >= {"psnr wavelet"}
    assert found["psnr"]["value"] > found["psnr noisy"]["value"]
    assert found["psnr tv"]["value"] > found["psnr noisy"]["value"]
    assert found["psnr"]["baseline"] == max(
        f["value"] for name, f in found.items() if name != "psnr"
    )
    with np.load(tmp_path / "d" / "deviation.npz") as held:
        assert held["std"].shape == (20, 1, 8, 8)
        assert (held["std"] > 0).any()


def test_noisy_files_are_denoised_and_compared_with_clean_ones(
    digits: Path, tmp_path: Path
) -> None:
    run = Run.open(digits)
    clean = whole(material_of(run, "").test, 12)
    seen = noisy(run, clean, noise_of(run), 1)
    run.kind.write(seen, tmp_path / "noisy")
    run.kind.write(clean, tmp_path / "clean")
    sides = [tmp_path / name / "samples.npz" for name in ("noisy", "clean")]
    told = inside("denoise", digits, sides[0], "--clean", sides[1], "--json")
    assert told.status == 0, told.err
    found = {f["name"]: f["value"] for f in json.loads(told.out)["figures"]}
    expected = psnr(run.space, clean.values, seen.values).mean().item()
    assert found["psnr noisy"] == pytest.approx(expected, abs=1e-4)
    refused(inside("denoise", digits, sides[0], "--clean", "digits"), "--clean", "12")


def test_denoise_without_data_or_noise_says_what_to_do(
    digits: Path, people: tuple[Path, Path]
) -> None:
    refused(inside("denoise", digits), "--add-noise")
    refused(inside("denoise", people[1], "--add-noise"), "model.noise")
    for level in ("nan", "0", "inf"):
        told = inside("denoise", digits, "--add-noise", "--level", level)
        refused(told, f"--level {level}", "above 0")
    told = inside("denoise", *people[::-1])
    assert told.status == 0
    assert "trained without noise" in told.err


# Codes and ways.


def test_codes_are_kept_beside_earlier_ones(digits: Path) -> None:
    names = [Path(twofold.encode(digits, "digits")).name for _ in range(3)]
    assert names == ["codes.npz", "codes-2.npz", "codes-3.npz"]


def test_a_map_lies_beside_the_codes(digits: Path, tmp_path: Path) -> None:
    told = inside("encode", digits, "digits", "--map", "--out", tmp_path / "codes.npz")
    assert told.status == 0, told.err
    with Image.open(tmp_path / "codes.png") as picture:
        colours = {rgb for _, rgb in picture.convert("RGB").getcolors(1 << 20) or []}
    assert len(colours) > 50
    refused(inside("encode", digits, "digits", "--map", "--out", tmp_path / "codes.npz"), "exists")
    there = inside("encode", digits, "digits", "--map", "--out", tmp_path / "en").out.split()
    assert [Path(one).relative_to(tmp_path) for one in there] == [
        Path("en/codes.npz"), Path("en/codes.png"),
    ]  # fmt: skip


def test_a_geodesic_goes_between_the_same_ends_as_a_straight_line(digits: Path) -> None:
    run = twofold.load(digits)
    ways = [
        run.between("digits", 5, 1, path, {}, 0).values  # type: ignore[arg-type]
        for path in ("linear", "geodesic")
    ]
    torch.testing.assert_close(ways[0][[0, -1]], ways[1][[0, -1]])
    assert not ways[0].equal(ways[1])


def test_a_run_that_was_never_told_is_told_nothing(tmp_path: Path) -> None:
    words = [*settings("vae", steps=2, batch=8), "--set", "train.null=1"]
    made = inside("fit", "digits", *words, "--out", tmp_path / "run", "--quiet")
    assert made.status == 0, made.err
    run = Run.open(tmp_path / "run")
    rows = whole(run.source("digits"), 4)
    assert not run.known(rows.given).c.any()
    refused(
        inside("edit", run.path, "digits", "--to", "label=3", "--how", "condition"), "direction"
    )
    told = inside("edit", run.path, "digits", "--to", "label=3", "-n", "4")
    assert told.status == 0, told.err


# Noisy copies.

FIXED = 'model.likelihood=[{name="gaussian", scale="fixed", std=0.1}]'


def copies_of(clean: np.ndarray, path: Path, names: tuple[str, ...]) -> Path:
    """A folder of noisy PNG files, each picture once in every sub-folder."""
    chance = np.random.default_rng(3)
    for name in names:
        (path / name).mkdir(parents=True)
        for i, picture in enumerate(clean):
            noisy = np.clip(picture + chance.normal(0, 30, picture.shape), 0, 255)
            Image.fromarray(noisy.round().astype(np.uint8)).save(path / name / f"{i:03d}-scene.png")
    return path


def test_pairs_of_noisy_pictures_teach_and_copies_are_taken_together(tmp_path: Path) -> None:
    """No clean picture is ever seen; two copies are nearer to the truth than one."""
    chance = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8]
    waves = [np.cos(x / a + b) * np.cos(y / c) for a, b, c in chance.uniform(1, 3, (300, 3))]
    clean = 128 + 50 * np.stack(waves)
    pairs = copies_of(clean[:250], tmp_path / "pairs", ("first", "second"))
    new = copies_of(clean[250:], tmp_path / "new", ("a", "b"))
    (tmp_path / "clean").mkdir()
    for i, picture in enumerate(clean[250:]):
        Image.fromarray(picture.round().astype(np.uint8)).save(tmp_path / "clean" / f"{i:03d}.png")
    words = [*settings("vae", steps=300, batch=64, lr=3e-3), "--set", "model.divergence.beta=0.1"]
    run = tmp_path / "run"
    refused(inside("fit", pairs, *words, "--set", "data.copies=number", "--out", run), "owl_1")
    words += ["--set", "data.copies=folder", "--set", FIXED]
    told = inside("fit", pairs, *words, "--out", run)
    assert told.status == 0, told.err
    assert "2 noisy copies of 250 scenes" in told.err

    def found(data: Path) -> dict[str, float]:
        told = inside("denoise", run, data, "--clean", tmp_path / "clean", "--json",
                      "--out", tmp_path / f"out-{data.name}")  # fmt: skip
        assert told.status == 0, told.err
        return {f["name"]: f["value"] for f in json.loads(told.out)["figures"]}

    both, one = found(new), found(new / "a")
    assert len(list((tmp_path / "out-new").glob("0*.png"))) == 50
    assert both["psnr"] > one["psnr"] > one["psnr noisy"]
    assert both["psnr noisy"] == pytest.approx(one["psnr noisy"] + 3, abs=0.3)
    refused(inside("denoise", run, "--add-noise"), "noisy copies")


def test_what_is_given_on_the_way_holds_between_observations_and_codes(
    digits: Path, tmp_path: Path
) -> None:
    """In place of what is given of the first; a condition that is not known is refused."""
    run = Run.open(digits)
    codes = twofold.encode(run, "digits", out=tmp_path / "codes.npz")
    source = run.source("digits")
    first = source.read(torch.tensor([0]))
    three = torch.full_like(first.given, 3.0)
    z = run.role(Encodes, "").encode(run.space.encode(first.values), run.known(first.given)).mean
    asked = run.role(Decodes, "").decode(z, run.known(three)).mean
    for where in ("digits", codes):
        found = coded.read(run, where)
        rows = (
            coded.between(run, found[0], 3, 2, "linear", {"label": "3"})
            if found
            else run.between(where, 3, 2, "linear", {"label": "3"}, 0)
        )
        assert rows.given.unique().tolist() == [3.0]
        assert torch.allclose(rows.values[:1], run.space.decode(asked), atol=1e-3)
        told = inside("interpolate", digits, where, "--given", "label=nonsense")
        refused(told, "label=nonsense does not occur")
    assert traversing.place(run, [source], {"label": "3"}, 0)[1].tolist() == [[3.0]]
    refused(inside("traverse", digits, "digits", "--given", "label=x"), "label=x does not occur")


def test_of_several_conditions_each_pair_takes_one_in_turn(digits: Path, tmp_path: Path) -> None:
    """Both ends of a pair and the way between them are under the same one, none is left out."""
    rows = tmp_path / "rows.csv"
    rows.write_text("label\n3\n5\n")
    run, asked = Run.open(digits), {"label": ["3", "5"]}
    for where in ((), "digits"):
        made = run.between(where, 2, 3, "linear", asked, 0)
        assert made.given[:, 0].tolist() == [3, 3, 5, 5, 3, 3]
    _, known = run.ends((), 2, asked, 0)
    assert known[:, 0].tolist() == [3, 3, 5, 5]
    told = inside("interpolate", digits, "--given", rows, "--out", tmp_path / "ways")
    assert told.status == 0, told.err


def test_codes_belong_to_the_weights_that_gave_them(digits: Path, tmp_path: Path) -> None:
    """A copy of the run takes them, another run does not; a file that does not say must fit."""
    other = tmp_path / "other"
    quick = [*settings("vae", steps=2, batch=8), "--set", "model.latent=4", "--quiet"]
    assert inside("fit", "digits", *quick, "--out", other).status == 0
    copied = Path(shutil.copytree(digits, tmp_path / "copied"))
    codes = twofold.encode(digits, "digits", out=tmp_path / "codes.npz")
    assert len(coded.read(Run.open(copied), codes)) == 1
    for verb in (["sample", other, "--codes"], ["interpolate", other]):
        refused(inside(*verb, codes), "codes.npz holds codes of another run", "twofold encode")
    for name, label in (("mine", 9.0), ("beyond", 10.0)):
        given = np.full((2, 1), label, "f4")
        np.savez(tmp_path / f"{name}.npz", z=np.zeros((2, 4), "f4"), given=given)
    assert len(coded.read(Run.open(other), tmp_path / "mine.npz")[0]) == 2
    refused(inside("sample", other, "--codes", tmp_path / "beyond.npz"), "label number 10")


def test_what_a_file_of_codes_says_is_not_asked_again(digits: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", z=np.zeros((2, 4), "f4"))
    asked = ["sample", digits, "--codes", tmp_path / "two.npz"]
    refused(inside(*asked, "-n", "4"), "two.npz holds 2 codes", "leave out -n")
    refused(inside(*asked, "--given", "label=3"), "leave out --given")
    for more in ([], ["-n", "2"]):
        assert inside(*asked, *more, "--out", tmp_path / f"out{len(more)}").status == 0


def test_a_run_without_a_head_predicts_nothing_and_says_which_does(digits: Path) -> None:
    refused(inside("predict", digits, "digits"), "model.properties=predicted")


def test_what_is_edited_is_known_by_what_it_became(digits: Path) -> None:
    run = Run.open(digits)
    rows = whole(run.source("digits"), 6)
    made = editing.edit(run, rows, editing.edits(run, {"label": "3"}), lambda: run.source("digits"))
    assert made.after.given[:, 0].tolist() == [3.0] * 6
    assert made.before.given.equal(rows.given)


def test_ways_of_pictures_are_a_film_there_and_back(digits: Path, tmp_path: Path) -> None:
    words = ["--pairs", "2", "--steps", "5", "--out", tmp_path / "w"]
    told = inside("interpolate", digits, *words)
    assert told.status == 0, told.err
    with Image.open(tmp_path / "w" / "way.gif") as film:
        assert film.n_frames == 8
        assert film.info["loop"] == 0
