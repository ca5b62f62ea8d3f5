"""Studies: published or surveyed claims, runnable, ours beside theirs; one a file."""

from twofold.studies.study import Result, Row, Study, studies, study

__all__ = ["Result", "Row", "Study", "studies", "study"]
