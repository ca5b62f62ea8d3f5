"""A schema says what was learnt, is edited, and is then what is done."""

from pathlib import Path

import pandas as pd
import pytest
import torch

import twofold
from tests.stories.commands import inside, refused
from twofold.core.errors import UserError
from twofold.data.kinds.tables import Tables

TABLE = """\
who,age,plan,pay,since,note
1,31,basic,10.50,2024-01-05,a
2,45,full,20.25,2024-02-07,a
3,28,basic,,2024-03-09,a
4,64,full,40.00,2024-04-11,a
5,39,basic,12.75,2024-05-13,a
6,51,full,33.10,2024-06-15,a
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def schema(file: Path) -> Path:
    path = file.parent / "people.toml"
    twofold.doctor(file, write_schema=path)
    return path


def edited(schema: Path, section: str, key: str, value: str) -> str:
    """The schema with one key of one section said otherwise."""
    head, _, tail = schema.read_text().partition(f"[{section}]\n")
    inner, _, rest = tail.partition("\n\n")
    lines = [line for line in inner.split("\n") if line and not line.startswith(f"{key} =")]
    body = "\n".join([*lines, f"{key} = {value}"])
    schema.write_text(f"{head}[{section}]\n{body}\n\n{rest}")
    return str(schema)


def test_what_is_written_is_what_was_learnt(file: Path, schema: Path) -> None:
    plain, _ = Tables.inspect(file)
    read, _ = Tables.inspect(file, schema=str(schema))
    assert read.columns == plain.columns
    assert read.space == plain.space
    said = schema.read_text()
    assert 'levels = ["basic", "full"]' in said
    assert 'type = "date %Y-%m-%d"' in said
    assert "least = 28\nmost = 64" in said


def test_what_is_edited_is_done(file: Path, schema: Path) -> None:
    edited(schema, "plan", "levels", '["trial", "full", "basic"]')
    edited(schema, "note", "drop", "true")
    edited(schema, "age", "missing", "true")
    edited(schema, "pay", "decimals", "1")
    kind, _ = Tables.inspect(file, schema=str(schema))
    fields = {field.name: field for field in kind.space.fields}
    assert fields["plan"].domain.labels == ("trial", "full", "basic")  # type: ignore[attr-defined]
    assert fields["age"].missing
    assert "note" not in {column.name for column in kind.columns}
    rows = kind.open(file).read(torch.arange(6))
    assert sorted(kind.native(rows)["pay"].dropna()) == [10.5, 12.8, 20.2, 33.1, 40.0]


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("age", "most", "60", r"row 5 breaks the constraint '28 <= age <= 60': age '64'"),
        ("plan", "levels", '["basic"]', r"row 3, column 'plan' is 'full', which is no level"),
        ("pay", "missing", "false", r"row 4, column 'pay' is missing, as .*people\.toml says"),
        ("age", "typ", '"number"', r"\[age\]: typ"),
        ("age", "decimals", "-1", r"\[age\]: decimals"),
        ("ages", "type", '"number"', "did you mean 'age'"),
    ],
)
def test_what_does_not_fit_is_told(
    file: Path, schema: Path, section: str, key: str, value: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        Tables.inspect(file, schema=edited(schema, section, key, value))


def test_from_the_command_line(file: Path, tmp_path: Path) -> None:
    schema = tmp_path / "mine.toml"
    assert inside("doctor", file, "--write-schema", schema).status == 0
    refused(inside("doctor", file, "--write-schema", schema), "exists already")
    edited(schema, "plan", "levels", '["basic", "full", "trial"]')
    told = inside("doctor", file, "--set", f"schema={schema}")
    assert "plan, one of 3: basic, full, trial" in told.out
    refused(inside("doctor", "digits", "--write-schema", tmp_path / "x"), "a schema is of a table")


def test_a_frame_is_checked_too(file: Path, schema: Path) -> None:
    frame = pd.read_csv(file)
    with pytest.raises(UserError, match="the frame row"):
        Tables.inspect(frame, schema=edited(schema, "plan", "levels", '["full"]'))
