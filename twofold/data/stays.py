"""Stays in intensive care, as PhysioNet publishes them: a text file a stay, a line a measurement.

The first two days of each of 4,000 stays (Silva et al. 2012, Predicting in-hospital mortality of
ICU patients: the PhysioNet/Computing in Cardiology challenge 2012), whose 36 variables are measured
when somebody measures them. A stay becomes lines of a long table: its hour, a variable, a number,
and beside each line what is known of the patient: age, gender, height, and whether the patient
died in the hospital. −1 is unknown.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from twofold.core.errors import UserError
from twofold.data import idx

GENERAL = {"Age": "age", "Gender": "gender", "Height": "height"}
"""What is said once a stay, and the column it becomes."""
UNSAID = {"RecordID", "ICUType"}
"""What is not read: a number, and the kind of unit, which some copies of the archive leave out."""
WORDS = {
    "gender": {"0": "female", "1": "male"},
    "died": {"0": "no", "1": "yes"},
}
MEASURED = ("hour", "variable", "value")
COLUMNS = ("stay", *MEASURED, *GENERAL.values(), "died")
UNKNOWN = -1.0


def lines(archive: Path, outcomes: Path) -> dict[str, list[str | float]]:
    """Every measurement as a line of a long table, by column."""
    died, columns = outcome(outcomes), {name: list[str | float]() for name in COLUMNS}
    for stay, text in texts(archive):
        cells = [line.split(",") for line in text.split("\n")[1:] if line]
        found = measurements(cells)
        every = {"stay": stay, **patient(cells, died.get(stay, ""))}
        for name in COLUMNS:
            columns[name] += found[name] if name in found else [every[name]] * len(found["hour"])
    return columns


def texts(archive: Path) -> Iterator[tuple[str, str]]:
    """The number of each stay, and its file."""
    try:
        with zipfile.ZipFile(archive) as opened:
            for name in sorted(opened.namelist()):
                if name.endswith(".txt"):
                    yield Path(name).stem, opened.read(name).decode("ascii")
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{archive} cannot be read ({error}); get it again") from None


def outcome(path: Path) -> Mapping[str, str]:
    """Whether the patient of each stay died in the hospital."""
    text = idx.unpacked(path.read_bytes(), 1 << 24).decode("ascii")
    head, *rows = [line.split(",") for line in text.split()]
    if head[0] != "RecordID" or head[-1] != "In-hospital_death":
        raise UserError(f"{path} is not the table of outcomes; get it again")
    return {row[0]: row[-1] for row in rows}


def measurements(cells: Sequence[Sequence[str]]) -> dict[str, list[str | float]]:
    """Hour, variable and value of each measurement of a stay.

    >>> measurements([["00:00", "Age", "54"], ["01:30", "HR", "73"], ["01:30", "Weight", "-1"]])
    {'hour': [1.5], 'variable': ['HR'], 'value': [73.0]}
    """
    kept = [
        (hours(time), name, float(value))
        for time, name, value in cells
        if name and name not in GENERAL and name not in UNSAID and float(value) != UNKNOWN
    ]
    return {
        name: [row[at] for row in kept] for at, name in enumerate(("hour", "variable", "value"))
    }


def patient(cells: Sequence[Sequence[str]], died: str) -> dict[str, str]:
    """What is known of the patient of a stay.

    >>> patient([["00:00", "Age", "54"], ["00:00", "Gender", "0"]], "1")
    {'age': '54', 'gender': 'female', 'height': '', 'died': 'yes'}
    """
    told = {GENERAL[name]: value for _, name, value in cells if name in GENERAL} | {"died": died}
    return {name: said(name, told.get(name, "")) for name in (*GENERAL.values(), "died")}


def said(column: str, text: str) -> str:
    """What is known of a patient in words; empty where it is unknown."""
    if not text or float(text) == UNKNOWN:
        return ""
    return WORDS[column][text] if column in WORDS else text


@cache
def hours(time: str) -> float:
    """`01:30` is 1.5.

    >>> hours("47:15")
    47.25
    """
    hour, minute = time.split(":")
    return int(hour) + int(minute) / 60
