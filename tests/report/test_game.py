"""A game that goes wrong, from the command's point of view: fit, rescue, measure, report."""

import json
from pathlib import Path

import numpy as np
import pytest

import twofold
from tests.stories.commands import inside

NET = "{name = 'dense', width = 32, depth = 2}"
RECIPE = f"""
[model]
name = "gan"
latent = 8
generator = {NET}
critic = {NET}
objective = "non-saturating"
penalties = []
[train]
steps = 80
evaluate = 20
batch = 64
betas = [0.0, 0.99]
average = 1.0
players = {{critic = {{lr = 30.0}}, generator = {{lr = 0.3}}}}
[data.split]
validation = 0.3
test = 0.3
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A critic thirty times as fast as usual, against which nothing is learnt."""
    folder = tmp_path_factory.mktemp("game")
    np.save(folder / "cloud.npy", np.random.default_rng(0).normal(size=(800, 16)).astype("f4"))
    (folder / "fast.toml").write_text(RECIPE)
    out = folder / "run"
    data, recipe = folder / "cloud.npy", folder / "fast.toml"
    twofold.fit(data, recipe=str(recipe), rescue=True, out=out, quiet=True)
    return out


def test_measure_says_it_and_writes_it(run: Path) -> None:
    answer = inside("measure", run)
    (game,) = json.loads((run / "measures.json").read_text())["games"]
    assert game["verdict"] == "critic too strong"
    assert "held-out observations above draws" in game["because"]
    assert game["turn"][0] == "train.players.critic.lr=7.5"
    assert game["said"] in answer.err
    names = {f["name"] for f in json.loads((run / "measures.json").read_text())["figures"]}
    assert {"critic_ranks_train", "critic_overfitting", "birthday_support", "recall"} <= names


def test_the_report_tells_the_story_of_the_game(run: Path) -> None:
    inside("measure", run)
    page = (run / "report.html").read_text()
    assert "How the game went" in page
    assert "lost to a critic that is too strong" in page
    assert "rescued by a critic at 0.25 of its rate" in page
    assert "Accuracy of the critic" in page
    assert "--set train.players.critic.lr=7.5" in page
