"""Sentences for rare labels: edits, what is refused, and what a classifier makes of them."""

import random
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import twofold
from tests.stories.commands import inside, refused
from twofold.apps.wording import Labelled, bare, compared, edited, edits, fresh, sifted, text, trial
from twofold.data.sources import Rows, whole
from twofold.maths.choosing import Choice
from twofold.measures.tables import accuracy
from twofold.runs.run import Run
from twofold.runs.training import material_of

ANIMALS, MACHINES = ("cat", "dog", "cow", "hen"), ("car", "bus", "tram", "ship")
DOES, WHERE = ("sleeps", "waits", "stops"), ("at home", "in the sun", "by the road", "at night")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One label in five is rare; every sentence of the data is one of 96."""
    rows = [
        (f"a {who} {does} {where} .", label)
        for names, label in ((ANIMALS, "animal"), (MACHINES[:2], "machine"))
        for who in names for does in DOES for where in WHERE
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("text") / "small.csv"
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(path, index=False)
    words = [
        "train.steps=150", "train.batch=32", "model.latent=4", "model.encoder.width=24",
        "model.decoder={name='gru', width=32, embed=16, guide=8}", "train.lr=1e-2",
        "data.split.test=0.3",
    ]  # fmt: skip
    return twofold.fit(path, recipe="vae-text", set=words, out=path.parent / "run", quiet=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(DOES), min_size=2, max_size=30), st.integers(0, 99))
def test_an_edit_is_small_and_brings_no_new_word(words: list[str], seed: int) -> None:
    made = edited(" ".join(words), random.Random(seed)).split()
    assert set(made) <= set(words)
    assert abs(len(made) - len(words)) <= max(1, round(0.1 * len(words)))


def test_edits_are_of_sentences_of_the_label() -> None:
    real = Labelled(("a b c", "d e f"), (0, 1))
    made = edits(real, {1: 20}, seed=0)
    assert made.label == (1,) * 20
    assert set(" ".join(made.sentences).split()) == {"d", "e", "f"}


def test_copies_and_repeats_are_left_out_and_counted(run: Run) -> None:
    kind, rows = text(run), whole(material_of(run, "").train)
    sentences = kind.sentences(rows)
    copied = {bare(sentences[0].upper())}
    twice = Rows(rows.values.repeat(2, 1, 1), rows.given.repeat(2, 1))
    found = sifted(kind, twice, copied, set(), [True] * 2 * len(sentences))
    assert (found.drawn, found.copies) == (2 * len(sentences), 2)
    assert found.again == len(sentences) - 1
    assert kind.sentences(found.rows) == sentences[1:]


def test_what_does_not_belong_to_its_label_is_left_out_and_counted(run: Run) -> None:
    kind, rows = text(run), whole(material_of(run, "").train)
    sentences = kind.sentences(rows)
    belongs = [at % 3 > 0 for at in range(len(sentences))]
    found = sifted(kind, rows, set(), set(), belongs)
    assert found.strays == belongs.count(False) > 0
    assert kind.sentences(found.rows) == [
        s for s, own in zip(sentences, belongs, strict=True) if own
    ]


def test_a_draw_is_kept_only_where_real_sentences_say_that_it_is_of_its_label(run: Run) -> None:
    swapped = Labelled(("the cat dog cow hen", "the car bus"), (1, 0))  # each of the other label
    honest = Labelled(swapped.sentences, (0, 1))
    kept = {
        name: fresh(run, "label", {0: 40}, real, (), 0, Choice(1.0))
        for name, real in (("honest", honest), ("swapped", swapped))
    }
    assert kept["honest"].strays < kept["honest"].drawn / 2 < kept["swapped"].strays
    unknown = fresh(run, "label", {0: 40}, Labelled(("the car",), (1,)), (), 0, Choice(1.0))
    assert not unknown.strays  # nobody can say


def test_a_classifier_learns_from_what_is_added(run: Run) -> None:
    real = Labelled(("the cat sat", "the car stopped"), (0, 1))
    held = Labelled(("a bus waits", "a dog sleeps"), (1, 0))
    added = Labelled(("bus bus", "dog dog"), (1, 0))
    assert accuracy(trial(real + added, held, 2)) == 1.0
    assert trial(Labelled(("x",), (1,)), held, 2).p.tolist() == [[0, 1], [0, 1]]
    ways = compared(real, held, added, {0: 1, 1: 1}, 2, seed=0)
    assert [(way.name, way.added) for way in ways] == [
        ("nothing added", 0), ("simple edits", 2), ("ours", 2),
    ]  # fmt: skip


def test_augment_writes_new_sentences_of_the_rare_label(run: Run, tmp_path: Path) -> None:
    words = ["--by", "label", "--temperature", "1.5", "--out", str(tmp_path / "a")]
    told = inside("augment", run.path, *words)
    assert all(way in told.out for way in ("word for word", "nothing added", "simple edits"))
    made = pd.read_csv(tmp_path / "a" / "samples.csv")
    real = text(run).sentences(whole(material_of(run, "").train))
    assert set(made["label"]) == {"machine"}
    assert not set(map(bare, made["text"])) & set(map(bare, real))
    assert made["text"].is_unique
    refused(inside("augment", run.path, "--by", "lable"), "did you mean 'label'?")


def test_more_of_each_label_can_be_asked_for(run: Run, tmp_path: Path) -> None:
    found = twofold.augment(run, by="label", more=5, temperature=1.5, out=tmp_path / "b")
    assert set(pd.read_csv(tmp_path / "b" / "samples.csv")["label"]) == {"animal", "machine"}
    assert torch.tensor([way.f1.value for way in found.ways]).isfinite().all()


def test_analogies_come_from_threes(run: Run, tmp_path: Path) -> None:
    lines = ["a cat sleeps at home .", "a dog sleeps at home .", "a dog waits at night ."]
    (tmp_path / "three.txt").write_text("\n".join(lines), "utf-8")
    made = pd.read_csv(twofold.analogy(run, tmp_path / "three.txt", out=tmp_path / "c")[0])
    with torch.no_grad():
        rows = whole(run.source(tmp_path / "three.txt"))
        known = run.known(rows.given)
        a, b, c = run.model.encode(run.space.encode(rows.values), known).mean
        x = run.model.decode((a - b + c)[None], known[2:]).mode
    expected = text(run).sentences(Rows(run.space.decode(x), rows.given[2:]))
    assert made["text"].tolist() == expected
    (tmp_path / "two.txt").write_text("\n".join(lines[:2]), "utf-8")
    refused(inside("analogy", run.path, tmp_path / "two.txt"), "in threes")
