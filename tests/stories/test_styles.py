"""A style-based GAN through the command line: trained on pictures of an odd size, and truncated."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.stories.commands import inside
from twofold.core.batch import Given
from twofold.models.stylegan import StyleGAN
from twofold.runs.run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on pictures of 7 × 5 in colour."""
    folder = tmp_path_factory.mktemp("styles")
    chance = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for i in range(40):
        pixels = chance.integers(0, 256, (7, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{i}.png")
    sets = ("model.widths={width=4,growth=2}", "model.critic={name='conv',width=4}",
            "train.steps=6", "train.batch=8")  # fmt: skip
    words = [word for pair in sets for word in ("--set", pair)]
    told = inside(
        "fit", folder / "photos", "--model", "stylegan", *words, "--out", folder / "run", "--quiet"
    )
    assert told.status == 0, told.err
    return folder / "run"


def test_truncation_is_psi_towards_the_mean_style(run: Path, tmp_path: Path) -> None:
    spread = {}
    for at in ("0.01", "1"):
        words = ("-n", "30", "--truncation", at, "--out", tmp_path / at)
        told = inside("sample", run, *words)
        assert told.status == 0, told.err
        files = sorted((tmp_path / at).glob("*.png"))
        pictures = [np.asarray(Image.open(f), float) for f in files if f.name != "grid.png"]
        assert len(pictures) == 30
        assert pictures[0].shape == (7, 5, 3)
        spread[at] = np.stack(pictures).std(0).mean()
    assert spread["0.01"] < 0.5 * spread["1"]


def test_a_loaded_run_opens_both_spaces(run: Path) -> None:
    opened = Run(run)
    model = opened.model
    assert isinstance(model, StyleGAN)
    assert model.middle.mean.any()
    with torch.no_grad():
        given = Given.none(2, opened.given)
        w = model.map(torch.randn(2, model.latent), given)
        plus = w.unsqueeze(1).repeat(1, model.synthesis.layers, 1)
        plus[:, 2:] = model.map(torch.randn(2, model.latent), given).unsqueeze(1)
        pictures = model.synthesise(model.truncate(plus, 0.7)).mean
    assert pictures.shape == (2, 3, 7, 5)
