"""A run that a study trains: begun, or gone on with where an earlier call left it.

A run that someone stopped is not measured: Ctrl-C ends the study, and not only its run, so that no
figure is of a model that was half trained. The next call goes on with it, if it asks for the same
recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twofold.runs.run import Run
from twofold.runs.training import Material, go_on, start
from twofold.studies.remembered import hold
from twofold.train import checkpoint


def trained(
    recipe: Mapping[str, Any], table: Mapping[str, Any], data: Material, folder: Path
) -> Run:
    """A run to its last step, or until its time is up.

    Args:
        recipe: its `model` and `train` tables. table: its `data` table. data: what that names.

    Raises:
        KeyboardInterrupt: it was asked to stop.
        UserError: what is in the folder was asked otherwise.
    """
    hold(folder, {**recipe, "data": table})
    if not (folder / checkpoint.RECORD).is_file():
        return unstopped(start(recipe, table, data, folder, quiet=True))
    run = Run.open(folder)
    return run if ended(run) else unstopped(go_on(run, data, {}, quiet=True))


def ended(run: Run) -> bool:
    """Whether a run has taken its steps, or its time."""
    done = run.record["step"] >= run.plan.training.steps
    return bool(done or run.record["session"]["ended"] == "time is up")


def unstopped(run: Run) -> Run:
    """The run, unless it was asked to stop."""
    if run.record["session"]["ended"] == "stopped":
        raise KeyboardInterrupt
    return run
