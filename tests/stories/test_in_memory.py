"""A run on an object in memory: the run that `fit` returns has it at hand, and `load` takes it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import twofold
from twofold.core.errors import UserError
from twofold.data.block import numbers
from twofold.runs.training import material_of

SMALL = ["train.steps=2", "train.batch=8"]


def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)


def test_what_fit_returns_is_measured_scored_and_gone_on_with(tmp_path: Path) -> None:
    run = twofold.fit(rows(), set=SMALL, out=tmp_path / "run", quiet=True)
    assert twofold.measure(run, n=50)
    found = twofold.score(run, rows(), out=tmp_path / "scores")
    assert len(found.names) == 60
    again = twofold.resume(run, steps=3, quiet=True)
    assert len(material_of(again, "").train) == len(material_of(run, "").train)


def test_seeds_are_measured(tmp_path: Path) -> None:
    run = twofold.fit(rows(), set=SMALL, seeds=2, out=tmp_path / "runs", quiet=True)
    assert (run.path / "seeds.json").is_file()


def test_another_session_gives_the_object_again(tmp_path: Path) -> None:
    run = twofold.fit(rows(), set=SMALL, out=tmp_path / "run", quiet=True)
    for other in (twofold.load(run.path), pickle.loads(pickle.dumps(run))):
        with pytest.raises(UserError, match=r"twofold\.load\("):
            twofold.measure(other)
    assert twofold.measure(twofold.load(run.path, data=rows()), n=50)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(3, 2, requires_grad=True),
        torch.ones(3, 2, dtype=torch.bfloat16),
        torch.ones(3, 2).to_sparse(),
    ],
    ids=["gradient", "bfloat16", "sparse"],
)
def test_any_tensor_of_numbers_is_an_array(tensor: torch.Tensor) -> None:
    assert numbers(tensor).tolist() == [[1.0, 1.0]] * 3


def test_what_a_masked_array_hides_is_missing() -> None:
    masked = np.ma.masked_array([[1, 2], [3, 4]], mask=[[False, True], [False, False]])
    assert np.isnan(numbers(masked)).tolist() == [[False, True], [False, False]]
