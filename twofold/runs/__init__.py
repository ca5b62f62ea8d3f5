"""The run folder: made, trained, opened, used."""

from twofold.runs.run import Run

__all__ = ["Run"]
