"""A code that falls out of use is noticed, and called back where that is wanted."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twofold.core.errors import UserError
from twofold.data.doctor import examine
from twofold.runs.run import Run
from twofold.runs.training import Material, go_on, start
from twofold.train.checkpoint import read

CRUSHED = {"name": "kl", "beta": 200.0}
MODEL = {"name": "vae", "latent": 3, "encoder": {"name": "dense", "width": 16, "depth": 1}}
LADDER = {"name": "ladder", "latents": [2, 2], "encoder": MODEL["encoder"]}
SPLIT = {"split": {"validation": 0.3, "test": 0.1, "seed": 0}}
TRAIN = {"batch": 64, "tick": 20, "evaluate": 20, "checkpoint": 30, "lr": 0.02, "average": 0.1}


def material() -> Material:
    """Two numbers that say nearly the same."""
    chance = np.random.default_rng(0)
    line = chance.normal(size=(300, 1))
    rows = np.concatenate([line, -line], 1) + 0.1 * chance.normal(size=(300, 2))
    found = examine(rows.astype(np.float32))
    return Material.of(found.kind, found.source, (), SPLIT)


def fitted(
    folder: Path,
    divergence: object,
    model: dict[str, Any] = MODEL,
    steps: int = 200,
    **train: object,
) -> Run:
    recipe = {"model": {**model, "divergence": divergence}, "train": {**TRAIN, **train}}
    recipe["train"]["steps"] = steps
    return start(recipe, SPLIT, material(), folder, quiet=True)


def log(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]


def said(run: Run) -> list[str]:
    return [line["say"] for line in log(run) if "say" in line and "latent" in line["say"]]


def active(run: Run) -> list[int]:
    return [line["active_units"] for line in log(run) if "active_units" in line]


def test_the_log_has_the_code_by_dimension_and_the_reconstruction_by_term(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run", "kl", steps=40)
    read_at = [line for line in log(run) if "kl" in line]
    assert [line["step"] for line in read_at] == [20, 40]
    for line in read_at:
        assert len(line["kl_by_dimension"]) == 3
        assert sum(line["kl_by_dimension"]) == pytest.approx(line["kl"], rel=1e-4)
        assert set(line["reconstruction"]) == {field.name for field in run.space.fields}
        assert 0 <= line["active_units"] <= 3
        assert line["mutual_information"] <= line["kl"] + 0.2


def test_a_collapse_is_noticed_once_and_nothing_else_changes(tmp_path: Path) -> None:
    run = fitted(tmp_path / "run", CRUSHED)
    (sentence,) = said(run)
    assert "the latent is unused since step" in sentence
    assert "--rescue" in sentence
    assert not any(active(run)[2:])
    assert run.record["session"]["rescued"] == []


def test_a_code_that_is_used_is_left_alone(tmp_path: Path) -> None:
    plain = fitted(tmp_path / "plain", "kl", steps=60)
    ready = fitted(tmp_path / "ready", "kl", steps=60, rescue=True)
    assert said(ready) == []
    assert ready.record["session"]["rescued"] == []
    name = "weights.safetensors"
    assert (plain.path / name).read_bytes() == (ready.path / name).read_bytes()


@pytest.mark.parametrize("divergence", [CRUSHED, {"name": "dip", "beta": 8.0}])
def test_rescue_brings_units_back(divergence: dict[str, Any], tmp_path: Path) -> None:
    run = fitted(tmp_path / "run", divergence, steps=140, rescue=True)
    (step,) = run.record["session"]["rescued"]
    remedy = "free bits" if divergence["name"] == "kl" else "a weight that rises"
    assert f"rescued by {remedy}" in said(run)[0]
    assert f"from {step} on" in said(run)[0]
    assert "is used again" in said(run)[1]
    assert active(run)[-1] > 0


def test_a_ladder_is_rescued_and_a_resumed_one_equals_it(tmp_path: Path) -> None:
    crushed = {"name": "kl", "beta": 4.0}
    left = fitted(tmp_path / "left", crushed, LADDER, steps=120, lr=0.01)
    assert active(left)[-1] == 0
    whole = fitted(tmp_path / "whole", crushed, LADDER, steps=120, rescue=True, lr=0.01)
    (step,) = whole.record["session"]["rescued"]
    assert f"rescued by free bits from {step} on" in said(whole)[0]
    assert "is used again" in said(whole)[1]
    assert active(whole)[-1] == 2
    part = fitted(tmp_path / "cut", crushed, LADDER, steps=step + 15, rescue=True, lr=0.01)
    again = go_on(part, material(), {"steps": 120}, quiet=True)
    assert again.record["session"]["rescued"] == [step]
    ours, theirs = (read(run.path, "weights.safetensors") for run in (again, whole))
    assert all(ours[key].equal(theirs[key]) for key in theirs)


def test_a_resumed_rescue_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    """Cut before the rescue, right after it, and between checkpoints."""
    whole = fitted(tmp_path / "whole", CRUSHED, steps=120, rescue=True)
    (step,) = whole.record["session"]["rescued"]
    for cut in (step - 10, step, step + 35):
        part = fitted(tmp_path / f"cut-{cut}", CRUSHED, steps=cut, rescue=True)
        again = go_on(part, material(), {"steps": 120}, quiet=True)
        assert again.record["session"]["rescued"] == [step]
        for name in ("weights", "average", "state"):
            ours, theirs = (read(run.path, f"{name}.safetensors") for run in (again, whole))
            assert all(ours[key].equal(theirs[key]) for key in theirs), (name, cut)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"name": "rae"}, "rae has neither"),
        ({"name": "vae", "bound": "iwae"}, "no remedy for this vae"),
        ({"name": "vae", "divergence": "mmd"}, "no remedy for this vae"),
    ],
)
def test_what_cannot_be_rescued_is_said_at_the_start(
    model: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    recipe = {"model": model, "train": {"rescue": True, "steps": 1}}
    with pytest.raises(UserError, match=reason):
        start(recipe, SPLIT, material(), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
