"""The attention of a run, asked for and drawn; what has none says how to get it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import twofold
from tests.report.reading import elements
from tests.stories.commands import inside
from twofold.core.errors import UserError
from twofold.report.run import write
from twofold.runs.run import Run
from twofold.runs.training import material_of

FEW = ["train.steps=2", "train.batch=8", "train.best=none", "model.latent=3"]
NARROW = ["model.{}.width=4"]
ATTENTIVE = [*NARROW, "model.{}.attention=8"]


def trained(data: Path, out: Path, nets: list[str], *words: str) -> Run:
    settings = [word.format(net) for word in words for net in nets]
    return twofold.fit(data, set=[*FEW, *settings], out=out, quiet=True)


def pictures(folder: Path) -> Path:
    """Twelve pictures as an array."""
    chance = np.random.default_rng(0)
    np.save(folder / "pictures.npy", chance.integers(0, 256, (12, 8, 8), np.uint8))
    return folder / "pictures.npy"


def waves(folder: Path) -> Path:
    """Twelve short series."""
    t = np.arange(240.0).reshape(12, 20, 1)
    np.save(folder / "waves.npy", np.sin(t / 3))
    return folder / "waves.npy"


def test_pictures_with_what_is_looked_at(tmp_path: Path) -> None:
    data = pictures(tmp_path)
    run = trained(data, tmp_path / "run", ["encoder", "decoder"], *ATTENTIVE)
    maps = run.attention(data)
    assert set(maps) == {
        f"{net} {grid}" for net in ("encoder", "decoder") for grid in ("8x8", "4x4")
    }
    assert maps["decoder 4x4"].shape == (12, 4, 4, 4, 4, 4)
    np.testing.assert_allclose(maps["encoder 8x8"].sum((-1, -2)), 1, rtol=1e-4)
    shown = run.attended(data, "encoder 4x4", (0, 3))
    assert len(shown) == 12
    plain = run.kind.draw(run.source(data).read(torch.arange(12)))
    assert shown[0].size == (plain.shape[3], plain.shape[2])
    reddened = torch.from_numpy(np.array(shown[0])).permute(2, 0, 1).float() - plain[0].float()
    assert reddened[0].mean() > reddened[2].mean()
    page = write(run, [], {}, material_of(run, ""), tmp_path).read_text()
    assert "where-it-looks" in {e["id"] for e in elements(page, "section")}
    with pytest.raises(UserError, match="did you mean 'encoder 4x4'"):
        run.attended(data, "encoder 4x5")
    with pytest.raises(UserError, match="no place"):
        run.attended(data, "encoder 4x4", (4, 0))


def test_a_series_has_a_strip_below(tmp_path: Path) -> None:
    data = waves(tmp_path)
    run = trained(data, tmp_path / "run", ["encoder"], "model.{}.width=4", "model.{}.attention=8")
    name, weights = next(iter(run.attention(data).items()))
    assert name == "encoder 5"
    assert weights.shape[1:] == (4, 5, 5)
    tall = run.kind.draw(run.source(data).read(torch.arange(1))).shape[2]
    assert run.attended(data)[0].size[1] > tall


def test_a_critic_looks_too_and_a_model_without_attention_says_how_to_get_it(
    tmp_path: Path,
) -> None:
    data = pictures(tmp_path)
    settings = [*FEW, "model.critic.attention=4", "model.critic.width=4"]
    run = twofold.fit(data, model="gan", set=settings, out=tmp_path / "gan", quiet=True)
    assert set(run.attention(data)) == {"critic 4x4"}
    plain = trained(data, tmp_path / "plain", ["encoder"], *NARROW)
    with pytest.raises(UserError, match=r"model\.encoder\.attention"):
        plain.attention(data)
    page = write(plain, [], {}, material_of(plain, ""), tmp_path).read_text()
    assert "where-it-looks" not in {e["id"] for e in elements(page, "section")}


def test_the_command_lays_it_over_pictures(tmp_path: Path) -> None:
    data = pictures(tmp_path)
    run = trained(data, tmp_path / "run", ["encoder", "decoder"], *ATTENTIVE)
    out = tmp_path / "again"
    told = inside("reconstruct", run.path, data, "--attention", "--out", out, "--json")
    assert told.status == 0, told.err
    written = [Path(path) for path in json.loads(told.out)]
    assert all(path.is_file() for path in written)
    folder = out / "attention"
    names = [f"{net}-{grid}" for net in ("encoder", "decoder") for grid in ("8x8", "4x4")]
    shown = {f"{name}-{i:02}.png" for name in names for i in range(12)}
    beside = {"attention.png", "attention.npz", "attention.json"}
    assert {path.name for path in folder.iterdir()} == shown | beside
    maps = run.attention(data)
    heats = json.loads((folder / "attention.json").read_text())
    with np.load(folder / "attention.npz") as kept:
        for name, weights in maps.items():
            np.testing.assert_allclose(kept[name], weights, atol=1e-6)
            np.testing.assert_allclose(heats[name], weights.mean((1, 2, 3)), atol=1e-6)
    with Image.open(folder / "encoder-4x4-00.png") as picture:
        np.testing.assert_array_equal(picture, run.attended(data, "encoder 4x4")[0])
    again = inside("reconstruct", run.path, data, "--attention", "--out", out)
    assert again.status == 0, again.err
    assert (out / "attention-2" / "attention.png").is_file()


def test_the_command_says_what_has_no_attention(tmp_path: Path) -> None:
    data = pictures(tmp_path)
    plain = trained(data, tmp_path / "plain", ["encoder"], *NARROW)
    told = inside("reconstruct", plain.path, data, "--attention", "--out", tmp_path / "again")
    assert told.status == 2
    assert "train with --set model.encoder.attention=8" in told.err
    assert not (tmp_path / "again").exists()
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(12, 3)))
    rows = twofold.fit(tmp_path / "rows.npy", set=FEW, out=tmp_path / "of-rows", quiet=True)
    told = inside("reconstruct", rows.path, tmp_path / "rows.npy", "--attention")
    assert told.status == 2
    assert "rows have no places to look at" in told.err
