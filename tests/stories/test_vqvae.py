"""A discrete code from the command line: trained, drawn, encoded, decoded, measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.stories.commands import inside
from twofold.verbs import load

SETTINGS = (
    'model.encoder={name="dense", width=16, depth=1}',
    'model.decoder={name="dense", width=16, depth=1}',
    "model.codebook.size=16",
    "model.codebook.width=4",
    "model.prior.width=8",
    "model.prior.depth=1",
    "train.schedule=constant",
    "train.steps=12",
    "train.batch=32",
)


@pytest.fixture
def run(runs: Path) -> Path:
    sets = [word for pair in SETTINGS for word in ("--set", pair)]
    told = inside("fit", "digits", "--model", "vqvae", *sets, "--out", "run", "--quiet")
    assert told.status == 0, told.err
    return Path("run")


def done(*words: str | Path) -> None:
    told = inside(*words)
    assert told.status == 0, told.err


def test_what_a_user_does_with_a_discrete_code(run: Path) -> None:
    done("sample", run, "-n", "5", "--given", "label=3", "--out", "drawn")
    assert np.load("drawn/samples.npz")["x"].shape == (5, 8, 8)
    done("encode", run, "digits", "--out", "codes.npz")
    z = np.load("codes.npz")["z"]
    assert z.shape == (1797, 4 * 4 * 4)
    entries = load(run).model.codebook.entries.numpy()
    vectors = z.reshape(-1, 1, 4)
    assert (np.abs(vectors - entries).max(2).min(1) == 0).all()
    done("reconstruct", run, "digits", "--out", "again")
    assert np.load("again/samples.npz")["x"].shape == (1797, 8, 8)
    done("interpolate", run, "--pairs", "2", "--steps", "3", "--out", "way")
    names = ["elbo", "code_perplexity", "code_rate", "reconstruction_mse"]
    done("measure", run, "--measures", *names, "-n", "60", "--quiet")
    found = {f["name"]: f for f in json.loads((run / "measures.json").read_text())["figures"]}
    assert sorted(found) == sorted(names)
    assert found["code_rate"]["baseline_name"] == "independent indices"
    assert found["reconstruction_mse"]["baseline_name"] == "PCA of 16"
    assert 1 <= found["code_perplexity"]["value"] <= 16


def test_a_resumed_codebook_is_the_uninterrupted_one(run: Path) -> None:
    sets = [word for pair in SETTINGS for word in ("--set", pair)]
    long = [*sets, "--set", "train.steps=20"]
    done("fit", "digits", "--model", "vqvae", *long, "--out", "straight", "--quiet")
    done("resume", run, "--steps", "20", "--quiet")
    one, other = (load(path, weights="last").model.state_dict() for path in (run, "straight"))
    assert one.keys() == other.keys()
    assert all(one[key].equal(other[key]) for key in one)
