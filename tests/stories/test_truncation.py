"""Truncation through the command line: what it draws, and where it is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.stories.commands import inside, refused, settings
from twofold.maths.distributions import Normal
from twofold.runs.run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run of a GAN on vectors from a file."""
    folder = tmp_path_factory.mktemp("runs")
    np.save(folder / "v.npy", np.random.default_rng(0).normal(size=(200, 3)).astype("f4"))
    words = settings("gan", steps=150, batch=32, lr=2e-3)
    told = inside(
        "fit", folder / "v.npy", "--model", "gan", *words, "--out", folder / "run", "--quiet"
    )
    assert told.status == 0, told.err
    return folder / "run"


def test_values_are_those_of_a_normal_that_is_cut() -> None:
    z = Normal.standard(50_000, 2, torch.zeros((), dtype=torch.float64)).truncated(0.8).flatten()
    assert z.abs().max() <= 0.8
    again = torch.randn(200_000, dtype=torch.float64)  # as the paper draws: again until within
    again = again[again.abs() <= 0.8]
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert z.quantile(q).item() == pytest.approx(again.quantile(q).item(), abs=0.02)


def test_a_smaller_threshold_moves_the_same_codes_inwards() -> None:
    codes = []
    for threshold in (0.1, 1.0, 20.0):
        torch.manual_seed(3)
        codes.append(Normal.standard(200, 3, torch.zeros(())).truncated(threshold))
    assert (codes[0].abs() <= codes[1].abs() + 1e-6).all()
    assert (codes[1].abs() <= codes[2].abs() + 1e-6).all()
    assert (codes[0].sign() == codes[2].sign()).all()
    assert codes[2].std().item() == pytest.approx(1, abs=0.1)


def test_draws_vary_less_and_the_same_seed_gives_the_same(run: Path, tmp_path: Path) -> None:
    spreads = []
    for at in ("0.05", "0.5", "3"):
        words = ("-n", "200", "--truncation", at, "--out", tmp_path / at)
        told = inside("sample", run, *words)
        assert told.status == 0, told.err
        spreads.append(np.load(tmp_path / at / "samples.npy").std(0).sum())
    assert spreads[0] < spreads[1] < spreads[2]
    opened = Run.open(run)
    pair = [opened.sample(4, seed=2, truncation=0.5) for _ in range(2)]
    assert (pair[0] == pair[1]).all()
    plain = inside("sample", run, "-n", "4", "--out", tmp_path / "plain")
    assert plain.status == 0
    assert np.load(tmp_path / "plain" / "samples.npy").tolist() == opened.sample(4).tolist()


def test_truncation_is_refused_where_there_is_nothing_to_cut(run: Path, tmp_path: Path) -> None:
    refused(inside("sample", run, "--truncation", "0"), "positive")
    words = [*settings("vae", steps=2, batch=8), "--set", "model.prior=gmm"]
    told = inside("fit", "digits", *words, "--out", tmp_path / "gmm", "--quiet")
    assert told.status == 0, told.err
    refused(inside("sample", tmp_path / "gmm", "--truncation", "1"), "another density")
    small = ("--set", "train.steps=2", "--set", "train.batch=8", "--quiet")
    made = inside("fit", "digits", "--model", "vqvae", *small, "--out", tmp_path / "vq")
    assert made.status == 0, made.err
    refused(inside("sample", tmp_path / "vq", "--truncation", "1"), "standard normal")
