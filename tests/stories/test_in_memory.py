"""A run on an object in memory: the run that `fit` returns has it at hand, and `load` takes it."""

from __future__ import annotations

from copy import copy
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
    for other in (twofold.load(run.path), copy(run)):  # a copy is what another process gets of it
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


def test_settings_and_recipes_are_values_in_python(tmp_path: Path) -> None:
    """As the same words on the command line; tables of a recipe need no file."""
    small = {"train": {"steps": 2, "batch": 8}}
    asked = {**small, "model.latent": 3, "model.divergence": {"name": "kl", "beta": 0.5}}
    words = [*SMALL, "model.latent=3", 'model.divergence={name="kl", beta=0.5}']
    by_value = twofold.fit(rows(), set=asked, out=tmp_path / "a", quiet=True)
    by_words = twofold.fit(rows(), set=words, out=tmp_path / "b", quiet=True)
    assert by_value.recipe == by_words.recipe
    tables = {"model": {"name": "vae", "latent": 2}, **small}
    by_table = twofold.fit(rows(), recipe=tables, out=tmp_path / "c", quiet=True)
    (tmp_path / "mine.toml").write_text(
        '[model]\nname="vae"\nlatent=2\n[train]\nsteps=2\nbatch=8\n'
    )
    by_file = twofold.fit(rows(), recipe=tmp_path / "mine.toml", out=tmp_path / "d", quiet=True)
    assert by_table.recipe == by_file.recipe


def test_wrong_settings_are_told_as_on_the_command_line() -> None:
    with pytest.raises(UserError, match="'modle' is not a table of a recipe"):
        twofold.fit(rows(), set={"modle": {"latent": 3}}, quiet=True)
    with pytest.raises(UserError, match=r"latent=3 should read table\.key=value"):
        twofold.fit(rows(), set={"latent": 3}, quiet=True)


def test_it_leaves_as_a_graph(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    run = twofold.fit(rows(), set=SMALL, out=tmp_path / "run", quiet=True)
    assert twofold.export(run, out=tmp_path / "run.onnx").paths[0].is_file()


def test_one_text_is_one_where_several_are_asked_for(tmp_path: Path) -> None:
    """Not its letters; and a family of one's own may be a `Path`."""
    own = Path(__file__).parents[2] / "examples" / "new_family.py"
    run = twofold.fit(rows(), model=own, set=SMALL, out=tmp_path / "run", quiet=True)
    assert twofold.load(run.path, trust=str(own)).model is not None
    with pytest.raises(UserError, match="recall does not apply"):  # of so few rows
        twofold.measure(run, measures="recall", n=50)
