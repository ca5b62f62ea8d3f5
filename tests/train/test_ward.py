"""Games made to fail in each way, and a healthy one, are told apart; and answered where wanted."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from twofold.core.batch import Batch, Given
from twofold.core.space import Field, Real, Space
from twofold.data.doctor import examine
from twofold.measures.diagnosis import diagnose
from twofold.measures.vitals import UNKNOWN, Spread, Vitals, Watched
from twofold.models.gan import GAN
from twofold.runs.run import Run
from twofold.runs.training import Material, go_on, start
from twofold.train.checkpoint import read
from twofold.train.session import Story
from twofold.train.ward import Ward

SPLIT = {"split": {"validation": 0.4, "test": 0.1, "seed": 0}}
NET = {"name": "dense", "width": 32, "depth": 2}
PLAIN = {"name": "gan", "latent": 8, "generator": NET, "critic": NET, "features": 32}
PLAIN |= {"objective": "non-saturating", "penalties": []}
SMOOTH = PLAIN | {"objective": "relativistic", "penalties": [{"name": "r1"}, {"name": "r2"}]}
SOFT = SMOOTH | {"penalties": [{"name": "r1", "gamma": 0.02}, {"name": "r2", "gamma": 0.02}]}
TRAIN = {"batch": 64, "lr": 1e-3, "betas": [0.0, 0.99], "average": 1.0, "checkpoint": 1000}
FAST_GENERATOR = {"generator": {"lr": 10.0}}
FAST_CRITIC = {"critic": {"lr": 30.0}, "generator": {"lr": 0.3}}


def ring(rows: int) -> np.ndarray:
    """Eight wide Gaussians on a circle."""
    chance = np.random.default_rng(0)
    angle = 2 * np.pi * chance.integers(0, 8, rows) / 8
    centre = np.stack([np.cos(angle), np.sin(angle)], 1)
    return (centre + 0.2 * chance.normal(size=(rows, 2))).astype(np.float32)


def cloud(rows: int) -> np.ndarray:
    """One Gaussian in sixteen dimensions."""
    return np.random.default_rng(0).normal(size=(rows, 16)).astype(np.float32)


GAMES: dict[str, tuple[np.ndarray, dict[str, Any], dict[str, Any]]] = {
    "healthy": (ring(1200), SMOOTH, {"steps": 120, "evaluate": 40, "lr": 3e-3}),
    "collapsing": (
        cloud(800),
        PLAIN,
        {"steps": 120, "evaluate": 40, "players": FAST_GENERATOR},
    ),
    "critic too strong": (
        cloud(800),
        PLAIN,
        {"steps": 80, "evaluate": 40, "players": FAST_CRITIC},
    ),
    "overfitting": (cloud(100), SOFT, {"steps": 500, "evaluate": 100, "lr": 2e-3}),
    "diverged": (ring(1200), PLAIN, {"steps": 80, "evaluate": 40, "lr": 1.0}),
}
SPOKEN = {"critic too strong": "lost to a critic that is too strong"}


def material(rows: np.ndarray) -> Material:
    found = examine(rows)
    return Material.of(found.kind, found.source, (), SPLIT)


def played(game: str, folder: Path, seed: int = 0, **train: object) -> Run:
    rows, model, usual = GAMES[game]
    recipe = {"model": model, "train": {**TRAIN, **usual, "seed": seed, **train}}
    return start(recipe, SPLIT, material(rows), folder, quiet=True)


def log(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]


def said(run: Run) -> list[str]:
    return [line["say"] for line in log(run) if line.get("say", "").startswith("the game is")]


STRONG = Vitals(1.0, 1.0, floor=Spread(0.9, 0.8, 0.95, 500.0, 0.4))
"""A critic that is never fooled, over draws that are not looked at."""


class Slow(Watched):
    """A game whose draws get better by a little at every reading, and stay poor."""

    def read(self, model: object, averaged: object, before: Spread = UNKNOWN,
             finite: bool = True, seed: int = 0) -> Vitals:  # fmt: skip
        spread = Spread(0.2, 0.1, 0.1, 300.0, 0.4)
        return replace(STRONG, spread=spread, rise=spread.since(before))


def test_a_verdict_that_stands_is_not_lifted_by_draws_a_little_better_than_before() -> None:
    """Only good draws, or a critic that can be fooled, end it; a young game is given time."""
    rows = Batch(torch.zeros(4, 2), Given.none(4, Space()), torch.arange(4))
    ward, net = (
        Ward(Slow(rows, rows), lambda trouble: ""),
        GAN(Space((Field("a", Real()),)), Space()),
    )
    for stood, verdict in ((0, "healthy"), (1, "healthy"), (2, "critic too strong")):
        story = Story(spread=asdict(Spread(0.1, 0.0, 0.0, 300.0, 0.4)), ailing=[*range(stood)])
        assert diagnose(ward.read(net, net, story, finite=True)).verdict == verdict


@pytest.mark.parametrize("game", GAMES)
def test_games_are_told_apart(game: str, tmp_path: Path) -> None:
    run = played(game, tmp_path / "run")
    if game == "healthy":
        assert said(run) == []
    else:
        assert said(run)[-1].startswith(f"the game is {SPOKEN.get(game, game)} since step")
        assert "; to turn: --set " in said(run)[-1]
    assert [line["game"] for line in log(run) if "game" in line][-1] == game


def test_the_log_has_the_critic_at_every_tick_and_the_draws_at_every_evaluation(
    tmp_path: Path,
) -> None:
    run = played("healthy", tmp_path / "run", steps=80, tick=20)
    ticks = [line for line in log(run) if "step" in line]
    for tick in ticks:
        assert set(tick["judged"]) == set(tick["accuracy"]) == {"train", "held_out", "fake"}
        assert all(0 <= share <= 1 for share in tick["ranks"].values())
        assert tick["critic_gradient"] > 0
        assert tick["generator_gradient"] > 0
    assert [tick["step"] for tick in ticks if "spread" in tick] == [40, 80]


def test_watching_changes_nothing_and_a_healthy_game_is_left_alone(tmp_path: Path) -> None:
    seldom = played("healthy", tmp_path / "seldom", evaluate=1000, tick=1000)
    often = played("healthy", tmp_path / "often", tick=10, rescue=True)
    assert often.record["session"]["rescued"] == []
    name = "weights.safetensors"
    assert (seldom.path / name).read_bytes() == (often.path / name).read_bytes()


def test_a_rescue_is_told_and_a_resumed_one_equals_the_uninterrupted(tmp_path: Path) -> None:
    """Cut at the first thing that is turned, and between two."""
    steps = {"steps": 110, "evaluate": 20}
    whole = played("critic too strong", tmp_path / "whole", rescue=True, **steps)
    session = whole.record["session"]
    first, second = session["rescued"][:2]
    assert set(session["against"]) == {"critic too strong"}
    assert f"rescued by a critic at 0.25 of its rate from {first} on" in said(whole)[0]
    assert f"rescued by instance noise from {second} on" in said(whole)[1]
    for cut in (first, (first + second) // 2 + 3):
        part = played(
            "critic too strong", tmp_path / f"cut-{cut}", rescue=True, **{**steps, "steps": cut}
        )
        again = go_on(part, material(GAMES["critic too strong"][0]), {"steps": 110}, quiet=True)
        assert again.record["session"]["rescued"] == session["rescued"]
        for name in ("weights", "average", "state"):
            ours, theirs = (read(run.path, f"{name}.safetensors") for run in (again, whole))
            assert all(ours[key].equal(theirs[key]) for key in theirs), (name, cut)
