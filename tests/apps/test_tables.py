"""A table from file to file: any column asked of a draw, constraints, the last resort, balance."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import twofold
from tests.stories.commands import inside, refused
from twofold.apps.augmentation import balanced, between_neighbours, compared, smote
from twofold.core.errors import UserError
from twofold.core.space import Category, Field, Modal, Real, Space
from twofold.data.sources import whole
from twofold.runs.run import Run
from twofold.runs.training import material_of

SHORT = ["train.batch=64", "model.latent=4", "train.lr=5e-3"]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old pay more and live in the south; one in eight is old."""
    chance = np.random.default_rng(0)
    n = 480
    old = chance.random(n) < 0.125
    age = np.where(old, chance.normal(70, 4, n), chance.normal(30, 4, n)).round().astype(int)
    pay = np.where(chance.random(n) < 0.4, 0.0, np.where(old, 900, 90) + chance.normal(0, 9, n))
    low = chance.integers(0, 40, n)
    frame = pd.DataFrame({
        "plan": np.where(old, "full", "basic"), "age": age, "pay": pay.round(2), "low": low,
        "high": low + chance.integers(0, 20, n),
    })  # fmt: skip
    path = tmp_path_factory.mktemp("people") / "people.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(people: Path) -> Run:
    words = [*SHORT, "train.steps=250", 'data.constraints=["low <= high"]']
    return twofold.fit(people, recipe="tvae", set=words, out=people.parent / "vae", quiet=True)


def test_any_column_can_be_asked(run: Run, tmp_path: Path) -> None:
    told = inside("sample", run.path, "-n", "200", "--given", "plan=full", "--out", tmp_path / "s")
    assert "plan by importance sampling: 100 draws" in told.err
    drawn = pd.read_csv(tmp_path / "s" / "samples.csv")
    plain = run.sample(200)
    assert set(drawn["plan"]) == {"full"}
    assert drawn["age"].median() > plain["age"].median() + 20
    assert (drawn["low"] <= drawn["high"]).all()
    assert (tmp_path / "s" / "drawn.txt").read_text().startswith("plan by importance")
    zero = run.sample(50, {"pay": 0, "age": "30"})
    assert (zero["pay"] == 0).all()
    assert (zero["age"] == 30).all()
    refused(inside("sample", run.path, "--given", "plam=full"), "did you mean 'plan'?")
    refused(inside("sample", run.path, "--given", "plan=gold"), "plan=gold does not occur")
    refused(inside("sample", run.path, "--given", "plan=full", "--truncation", "1"), "leave")


def test_without_a_likelihood_rows_are_drawn_until_they_fit(people: Path, tmp_path: Path) -> None:
    words = ["train.steps=30", "train.batch=60", "model.latent=4"]
    gan = twofold.fit(people, recipe="ctgan", set=words, out=tmp_path / "gan", quiet=True)
    found = gan.drawn(20, {"plan": "full"}, 0)
    assert set(gan.kind.native(found.rows)["plan"]) == {"full"}
    assert "until it fits" in found.said[0]


def test_smote_stays_between_neighbours() -> None:
    space = Space((
        Field("v", Modal((0.0, 9.0), (1.0, 1.0), (0.5, 0.5))), Field("w", Real()),
        Field("k", Category(("x", "y"))),
    ))  # fmt: skip
    near = torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 0.0], [9.0, 9.0, 1.0], [8.0, 8.0, 1.0]])
    new = smote(space, near, 300, seed=0, k=1)
    first = new[:, 0] < 5
    assert first.any()
    assert (~first).any()
    torch.testing.assert_close(new[first, 1], 2 * new[first, 0])
    torch.testing.assert_close(new[~first, 1], new[~first, 0])
    assert (new[:, 2] == (~first).float()).all()


def test_classes_are_made_even_and_each_way_is_judged(run: Run) -> None:
    real = whole(material_of(run, "").train)
    made = balanced(run, "plan", real, 0)
    counts = real.values[:, 0].long().bincount()
    lacks = int(counts.max() - counts.min())
    assert len(made) == lacks
    assert (made.values[:, 0] == counts.argmin()).all()
    assert len(between_neighbours(run, "plan", real, 0)) == lacks
    ways = compared(run, "plan", 0, made)
    assert [way.name for way in ways] == ["nothing added", "SMOTE", "ours"]
    assert all(way.f1.low <= way.f1.value <= way.f1.high for way in ways)
    assert ways[0].auc.value > 0.9


def test_augment_writes_what_is_lacking_and_says_what_it_is_worth(run: Run, tmp_path: Path) -> None:
    told = inside("augment", run.path, "--by", "plan", "--out", tmp_path / "a")
    assert all(way in told.out for way in ("nothing added", "SMOTE", "ours"))
    assert set(pd.read_csv(tmp_path / "a" / "samples.csv")["plan"]) == {"full"}
    refused(inside("augment", run.path, "--by", "age"), "is a number")
    refused(inside("augment", run.path, "--by", "pln"), "did you mean 'plan'?")


def test_what_is_asked_outside_of_the_data_is_told(run: Run) -> None:
    made = run.drawn(3, {"age": "200"}, 0)
    assert "age=200 is outside of what was learnt from" in made.said[0]
    assert not [said for said in run.drawn(3, {"age": "40"}, 0).said if "outside" in said]
    with pytest.raises(UserError, match="age=old should be a number or date as 'age' has"):
        run.drawn(3, {"age": "old"}, 0)
