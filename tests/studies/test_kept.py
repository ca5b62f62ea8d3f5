"""Runs of a study: what someone stopped is not measured, and is gone on with by the next call."""

from pathlib import Path
from typing import Any

import pytest
import torch

from twofold.core.errors import UserError
from twofold.core.game import Model
from twofold.core.space import Bounded, Field, Space
from twofold.data.doctor import examine
from twofold.models.vae import VAE
from twofold.nets.bodies import Dense
from twofold.runs.training import Material
from twofold.studies import binary, kept
from twofold.studies.binary import loop_of
from twofold.train.options import Training
from twofold.train.session import Session

RECIPE: dict[str, Any] = {
    "model": {"name": "vae", "latent": 2, "encoder": {"name": "dense", "width": 8}},
    "train": {"steps": 4, "batch": 8},
}


def test_a_stopped_run_ends_the_study_and_the_next_call_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = examine("iris")
    data = Material.of(found.kind, found.source, (), {})
    with monkeypatch.context() as someone:
        someone.setattr(Session, "reason", lambda session: "stopped")
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                kept.trained(RECIPE, {"name": "iris"}, data, tmp_path / "run")
    run = kept.trained(RECIPE, {"name": "iris"}, data, tmp_path / "run")
    assert run.record["step"] == 4
    before = (run.path / "weights.safetensors").stat().st_mtime_ns
    again = kept.trained(RECIPE, {"name": "iris"}, data, tmp_path / "run")
    assert (again.path / "weights.safetensors").stat().st_mtime_ns == before


def test_a_run_that_was_asked_otherwise_is_not_gone_on_with(tmp_path: Path) -> None:
    """A figure of a study is of the recipe that its protocol names, also where runs are kept."""
    found = examine("iris")
    data = Material.of(found.kind, found.source, (), {})
    kept.trained(RECIPE, {"name": "iris"}, data, tmp_path / "run")
    longer = {**RECIPE, "train": {"steps": 6, "batch": 8}}
    with pytest.raises(UserError, match=r"was asked otherwise.*another --out"):
        kept.trained(longer, {"name": "iris"}, data, tmp_path / "run")


def test_nor_is_one_of_a_loop_alone(tmp_path: Path) -> None:
    grey = torch.rand(16, 1, 4, 4)
    space = Space((Field("pixel", Bounded(0, 1, 2)),), (4, 4))

    def trained(steps: int, latent: int) -> Model:
        torch.manual_seed(0)
        vae = VAE(space, Space(), latent, Dense(4, 1), Dense(4, 1))
        return binary.trained(loop_of(vae, grey, Training(steps, 8)), tmp_path / "run")

    first = trained(2, 3)
    again = trained(2, 3)
    assert all(p.equal(q) for p, q in zip(first.parameters(), again.parameters(), strict=True))
    for steps, latent in ((4, 3), (2, 2)):
        with pytest.raises(UserError, match="was asked otherwise"):
            trained(steps, latent)
