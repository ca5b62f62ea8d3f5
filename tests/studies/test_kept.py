"""Runs of a study: what someone stopped is not measured, and is gone on with by the next call."""

from pathlib import Path
from typing import Any

import pytest

from twofold.data.doctor import examine
from twofold.runs.training import Material
from twofold.studies import kept
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
