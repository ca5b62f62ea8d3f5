"""A killed run goes on as if nothing had happened: bit for bit, and with a whole log."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.stories.commands import ENVIRONMENT, command, inside, refused, settings, twofold
from twofold.runs import lock

STEPS = 400


def words(model: str, out: Path) -> list[str]:
    small = settings(
        model, steps=STEPS, checkpoint=25, tick=20, evaluate=100, batch=32, best="none"
    )
    return ["fit", "digits", "--model", model, *small, "--out", str(out)]


def steps(run: Path) -> list[int]:
    lines = (run / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines if "step" in json.loads(line)]


@pytest.mark.slow
def test_kill_nine_then_resume_is_bit_equal(tmp_path: Path) -> None:
    """Of two players, which is more to lose; every family resumes in its contract."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert twofold(*words("gan", whole)).status == 0
    with subprocess.Popen(
        command(*words("gan", cut)), env=ENVIRONMENT, stderr=subprocess.DEVNULL
    ) as process:
        while (
            not (cut / "state.json").exists()
            or json.loads((cut / "state.json").read_text())["step"] < 25
        ):
            time.sleep(0.01)
        time.sleep(random.Random(time.time_ns()).random() * 0.3)
        process.send_signal(signal.SIGKILL)
    reached = json.loads((cut / "state.json").read_text())["step"]
    assert reached < STEPS
    assert twofold("resume", cut).status == 0
    for name in ("weights", "average", "state"):
        ours, theirs = ((run / f"{name}.safetensors").read_bytes() for run in (cut, whole))
        assert ours == theirs, (name, reached)
    assert steps(cut) == steps(whole)


@pytest.mark.slow
def test_kill_finishes_the_step_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = subprocess.Popen(
        command(*words("vae", run)), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while not (run / "state.json").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"twofold resume {run}" in out.decode()
    record = json.loads((run / "state.json").read_text())
    assert record["session"]["ended"] == "stopped"
    assert twofold("resume", run).status == 0
    refused(twofold("resume", run), "--steps")
    assert twofold("resume", run, "--steps", str(STEPS + 20)).status == 0
    assert json.loads((run / "state.json").read_text())["step"] == STEPS + 20


def test_a_run_called_like_its_data_set_still_finds_the_set(runs: Path) -> None:
    small = settings("vae", steps=4, checkpoint=2, batch=8, best="none")
    assert inside("fit", "digits", *small, "--out", "digits", "--quiet").status == 0
    assert inside("resume", "digits", "--steps", "6", "--quiet").status == 0


def test_one_process_at_a_time_trains_a_run(tmp_path: Path) -> None:
    """The second is refused and alters nothing; a holder that was killed holds nothing."""
    run = tmp_path / "run"
    small = settings("vae", steps=4, checkpoint=2, batch=8, best="none")
    assert inside("fit", "digits", *small, "--out", run, "--quiet").status == 0
    before = {path.name: path.read_bytes() for path in run.glob("*.*") if path.is_file()}
    holds = f"""
import sys, time
from pathlib import Path
from twofold.runs.lock import alone
with alone(Path({str(run)!r})):
    print("held", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", holds], env=ENVIRONMENT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        refused(inside("resume", run, "--steps", "6"), "another process is training", str(run))
        assert {n: (run / n).read_bytes() for n in before} == before
        process.send_signal(signal.SIGKILL)
    assert inside("resume", run, "--steps", "6", "--quiet").status == 0
    assert not (run / lock.NAME).exists()
