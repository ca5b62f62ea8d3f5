"""Sentences are cut and joined exactly, whatever their script, and odd lines are said."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twofold.core.errors import UserError
from twofold.data.doctor import examine, recall, remember
from twofold.data.kinds.text import Text
from twofold.data.sources import whole
from twofold.data.tokenizers import Pieces, Tokenizer, Words

SENTENCES = (
    "A man sleeping in a green room on a couch.",
    "שלום עולם, מה שלומך?",
    "مرحبا بالعالم",
    "two 👩‍👩‍👧 and a 🦊!",
    "tabs\tand  double  spaces don't matter",
)


def file_of(folder: Path, text: str | bytes, name: str = "lines.txt") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("make", [Words, Pieces])
def test_what_is_cut_is_joined_exactly(make: type[Tokenizer]) -> None:
    if make is Pieces:
        pytest.importorskip("tokenizers")
    made = make.fit(SENTENCES * 2, 400)
    for sentence in (*SENTENCES, "never seen: žluťoučký kůň"):
        assert made.join(made.cut(sentence)) == sentence


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_words_join_to_any_text(sentence: str) -> None:
    made = Words.fit(SENTENCES * 2, 400)
    assert made.join(made.cut(sentence)) == sentence


@pytest.mark.parametrize("tokenizer", ["words", "pieces"])
def test_a_file_of_lines_comes_back(tmp_path: Path, tokenizer: str) -> None:
    if tokenizer == "pieces":
        pytest.importorskip("tokenizers")
    path = file_of(tmp_path, "\n".join([*SENTENCES, "", SENTENCES[0]]) + "\n")
    found = examine(path, tokenizer=tokenizer, longest=200)
    assert found.kind.name == "text"
    assert recall(remember(found.kind)) == found.kind
    read = whole(found.source)
    assert found.kind.native(read) == [*SENTENCES]
    assert "row 7: it came before" in found.findings[-1].text
    (out,) = found.kind.write(read, tmp_path / "out")
    assert out.read_text("utf-8").splitlines() == [*SENTENCES]
    assert found.kind.draw(read).shape == (5, 3, 80, 240)


def test_labels_are_given_by_themselves(tmp_path: Path) -> None:
    rows = "\n".join(f'"the {w}, again",{label}' for w in "abcd" for label in ("good", "bad"))
    path = file_of(tmp_path, f"text,label\n{rows}\n".replace("bad", "bad"), "mine.csv")
    found = examine(path)
    assert found.kind.name == "text"
    assert [field.name for field in found.kind.given.fields] == ["label"]
    assert found.suggestion.recipe == "vae-text"


def test_long_lines_and_other_bytes_are_said(tmp_path: Path) -> None:
    path = file_of(tmp_path, b"a caf\xe9\nb " + b"x" * 10_000_000 + b"\n" + b"c " * 100 + b"\n")
    texts = [finding.text for finding in Text.inspect(path)[1]]
    assert any("not UTF-8 (line 1)" in text for text in texts)
    assert any("row 2: it has more than 20,000 letters" in text for text in texts)
    assert any("row 3: it is longer than 60 tokens (data.longest)" in text for text in texts)


def test_other_data_that_does_not_fit_is_refused_by_its_row(tmp_path: Path) -> None:
    kind, _ = Text.inspect(file_of(tmp_path, "a cat sat\na cat ran\n"))
    with pytest.raises(UserError, match="row 1: 'z' was in no training sentence"):
        kind.open(file_of(tmp_path, "a z\n", "other.txt"))
