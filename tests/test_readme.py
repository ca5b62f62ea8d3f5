"""The README's commands run as written, from top to bottom, on small files under the same names.

`make` lines are looked up in the Makefile. Every other line of a `sh` block runs as the command
does, and every `python` block runs whole; only `fit`, `resume` and `optimize`, which both reach
through `twofold.verbs`, are made small: few steps, small batches, few calls.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.stories.commands import inside
from twofold import verbs

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!!)\[[^]]*\]\((?!https?:)([^)#]+)")
STEPS = 2
SMALL = [f"train.steps={STEPS}", "train.batch=8"]


def lines() -> Iterator[str]:
    """The lines of all sh blocks."""
    for language, text in BLOCKS:
        if language == "sh":
            yield from text.splitlines()


def files(folder: Path) -> None:
    """What the README calls photos, customers.csv, monitor.csv and ligands.csv."""
    random = np.random.default_rng(0)
    for label in ("cats", "dogs"):
        (folder / "photos" / label).mkdir(parents=True)
        for i in range(30):
            pixels = random.integers(0, 255, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{i}.png")
    rows = zip(random.normal(50, 9, 90).round(1), random.integers(0, 2, 90), strict=True)
    cells = [f"{age},{('basic', 'full')[plan]}" for age, plan in rows]
    (folder / "customers.csv").write_text("\n".join(["age,plan", *cells, ",basic"]) + "\n")
    waves = [f"{t},{np.sin(t / 9):.3f},{np.cos(t / 7):.3f}" for t in range(700)]
    (folder / "monitor.csv").write_text("\n".join(["time,pulse,pressure", *waves]) + "\n")
    chains = ["C" * i + end for i in range(1, 13) for end in ("O", "N", "Cl", "c1ccccc1", "C(=O)O")]
    (folder / "ligands.csv").write_text("\n".join(["smiles", *chains]) + "\n")


def made_small(fit: Any) -> Any:
    """`fit` with few steps, whatever was asked."""

    def small(*what: Any, **asked: Any) -> Any:
        return fit(*what, **{**asked, "set": [*asked.get("set", ()), *SMALL], "quiet": True})

    return small


def run_all() -> None:
    """Every block, in the order of the page."""
    for language, text in BLOCKS:
        if language == "python":
            exec(compile(text, "README.md", "exec"), {})  # our own page
            continue
        for line in text.splitlines():
            word, *rest = shlex.split(line)
            if word == "twofold":
                answer = inside(*rest)
                assert answer.status == 0, f"{line}: {answer.err}"


def test_commands_and_programs_run_as_written(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(runs.parent)
    monkeypatch.setattr(verbs, "fit", made_small(verbs.fit))
    monkeypatch.setattr(verbs, "resume", shortened(verbs.resume))
    monkeypatch.setattr(verbs, "optimize", called_less(verbs.optimize))
    run_all()
    made = {path.name for path in runs.iterdir() if (path / "weights.safetensors").is_file()}
    assert {"photos", "photos-gan", "customers", "customers-by-plan", "monitor", "vectors"} < made
    assert (runs.parent / "synthetic" / "samples.csv").read_text().startswith("age,plan\n")
    assert (runs.parent / "codes.npz").is_file()


def shortened(resume: Any) -> Any:
    """`resume` with one step more than were taken."""
    return lambda run, **asked: resume(run, **{**asked, "steps": STEPS + 1, "quiet": True})


def called_less(optimize: Any) -> Any:
    """`optimize` with few calls."""
    return lambda run, **asked: optimize(run, **{**asked, "oracle": 20})


def test_every_line_is_a_command_or_a_target() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    known = {*(f"make {target}" for target in targets)}
    assert [line for line in lines() if line not in known and not line.startswith("twofold ")] == []


def test_links_lead_somewhere() -> None:
    assert [link for link in LINK.findall(README) if not (ROOT / link).exists()] == []
