"""`score --follow`: a file that grows is scored as it grows, each line once, until Ctrl-C."""

import csv
import math
import random
import signal
import subprocess
from pathlib import Path

import pytest
import torch

from tests.stories.commands import ENVIRONMENT, command, inside, refused, settings
from twofold.apps import anomaly, following, score
from twofold.apps.following import Follower, Growing, Heard
from twofold.data.sources import Subset
from twofold.runs.run import Run

FAST = ["--samples", "5", "--rate", "0.02"]
HOURS = 480


def line(i: int, a: float, b: float) -> str:
    return f"2024-{1 + i // 720:02d}-{1 + i // 24 % 30:02d} {i % 24:02d}:00,{a:.4f},{b:.4f}\n"


def hours(first: int, count: int) -> list[str]:
    """Two channels that turn together, an hour a line."""
    noise = random.Random(first)
    return [
        line(i, math.sin(i / 3) + noise.gauss(0, 0.05), math.cos(i / 3) + noise.gauss(0, 0.05))
        for i in range(first, first + count)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("growing")
    (root / "past.csv").write_text("time,a,b\n" + "".join(hours(0, HOURS)))
    words = ["--set", "data.window=12", "--set", "model.latent=2"]
    words += ["--set", "data.split={validation=0.3,test=0}"]
    small = settings("vae", steps=200, batch=32, evaluate=1000)
    made = inside("fit", root / "past.csv", *small, *words, "--out", root / "run", "--quiet")
    assert made.status == 0, made.err
    done = inside("score", root / "run", root / "past.csv", *FAST, "--out", root / "first")
    assert done.status == 0, done.err
    return root


def listener(folder: Path, path: Path) -> Follower:
    """One that has heard what is in the file."""
    path.write_text((folder / "past.csv").read_text())
    run, asked = Run.open(folder / "run"), score.Asked(rate=0.02, samples=5)
    growing = following.growing(run, path)
    [kept] = anomaly.kept([run], asked.how)
    return Follower.of(kept, run, growing, growing.fresh(), asked)


def test_each_complete_line_is_heard_once_and_a_strange_one_alarms(
    folder: Path, tmp_path: Path
) -> None:
    path, said = tmp_path / "live.csv", []
    follower = listener(folder, path)
    assert list(follower.new(said.append)) == []
    fresh = hours(HOURS, 5)
    with path.open("a") as file:
        file.writelines([*fresh, line(HOURS + 5, 9, -9)[:-3]])  # the last is not complete
    calm = list(follower.new(said.append))
    assert [one.row for one in calm] == [HOURS + 2 + i for i in range(5)]
    assert [one.when for one in calm] == [text.partition(",")[0] for text in fresh]
    with path.open("a") as file:
        file.write("00\n")
    [strange] = follower.new(said.append)
    assert strange.abnormal
    assert strange.p < 0.02
    assert strange.score > max(one.score for one in calm)
    assert not said


def test_scores_are_those_of_the_same_windows_in_the_whole_file(
    folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "live.csv"
    follower = listener(folder, path)
    with path.open("a") as file:
        file.writelines(hours(HOURS, 3))
    heard = [one.score for one in follower.new(print)]
    source = follower.kind.open(path)
    last = Subset(source, torch.arange(len(source) - 3, len(source)))
    assert heard == pytest.approx(follower.found.raw(last)["score"].tolist(), rel=1e-5)


def test_a_line_that_cannot_be_read_is_passed_over_alone(folder: Path, tmp_path: Path) -> None:
    path, said = tmp_path / "live.csv", []
    follower = listener(folder, path)
    with path.open("a") as file:
        file.writelines([*hours(HOURS, 2), "2024-01-21 02:00,x,1\n", *hours(HOURS + 3, 14)])
    heard = list(follower.new(said.append))
    assert len(said) == 1
    assert "'x' is no number" in said[0]
    assert said[0].startswith(f"row {HOURS + 4} is passed over")
    assert [one.row for one in heard[:2]] == [HOURS + 2, HOURS + 3]
    assert len(heard) == 2 + 14 - 11  # a window needs twelve lines after the gap


def hears() -> None:
    """Ctrl-C is heard, also where the tests run in the background of a script, which ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_it_listens_until_it_is_stopped(folder: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "live.csv", tmp_path / "out"
    path.write_text((folder / "past.csv").read_text())
    words = ["score", folder / "run", path, *FAST, "--follow", "--out", out]
    process = subprocess.Popen(
        command(*words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
        preexec_fn=hears,
    )
    assert process.stdout
    seen = ""
    while "listening" not in seen:
        seen += (read := process.stdout.readline())
        assert read, seen
    with path.open("a") as file:
        file.write(line(HOURS, 9, -9))
    while "alarm" not in seen:
        seen += process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, seen + rest
    assert "stopped after 1 new observations, 1 alarms" in rest
    with (out / "alarms.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert row["row"] == str(HOURS + 2)
    assert (out / "report.html").is_file()


def test_a_file_that_shrank_or_cannot_grow_is_told(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("time,a\n")
    growing = Growing(path)
    assert growing.fresh() == ["time,a"]
    path.write_text("t\n")
    with pytest.raises(Exception, match="shorter than it was"):
        growing.fresh()
    refused(inside("score", folder / "run", tmp_path, "--follow"), "--follow needs a file")
    squeezed = tmp_path / "past.csv.gz"
    squeezed.write_bytes(b"")
    refused(inside("score", folder / "run", squeezed, "--follow"), "as plain text grows")


def of_table(folder: Path, text: str, *words: str) -> Follower:
    """One that has heard a table, and learnt from it."""
    path, run = folder / "t.csv", folder / "run"
    path.write_text(text)
    small = settings("vae", steps=20, batch=32, evaluate=1000)
    made = inside("fit", path, *small, *words, "--out", run, "--quiet")
    assert made.status == 0, made.err
    done = inside("score", run, path, *FAST, "--out", folder / "first")
    assert done.status == 0, done.err
    opened, asked = Run.open(run), score.Asked(rate=0.02, samples=5)
    growing = following.growing(opened, path)
    [kept] = anomaly.kept([opened], asked.how)
    return Follower.of(kept, opened, growing, growing.fresh(), asked)


def test_a_table_is_heard_row_by_row(tmp_path: Path) -> None:
    noise = random.Random(0)
    pairs = [(noise.gauss(0, 1), noise.gauss(5, 1)) for _ in range(120)]
    text, said = "a;b\n" + "".join(f"{a:.3f};{b:.3f}\n" for a, b in pairs), list[str]()
    follower = of_table(tmp_path, text, "--set", 'data.kind="tables"')
    with (tmp_path / "t.csv").open("a") as file:
        file.write("0.1;5.2\n60;-70\n")
    calm, strange = follower.new(said.append)
    assert (calm.row, strange.row) == (122, 123)
    assert strange.score > calm.score
    assert str(Heard(7, "12:00", 3.14159, 0.01, True)) == "alarm  12:00  row 7  score 3.142  p 0.01"


def test_a_category_never_seen_is_abnormal_as_in_a_plain_score(tmp_path: Path) -> None:
    noise = random.Random(0)
    rows = [f"{noise.gauss(0, 1):.3f},{'xy'[i % 2]}\n" for i in range(120)]
    path, said = tmp_path / "t.csv", list[str]()
    follower = of_table(tmp_path, "a,c\n" + "".join(rows))
    with path.open("a") as file:
        file.write("0.1,x\n0.1,new\n")
    calm, strange = follower.new(said.append)
    assert (calm.row, strange.row) == (122, 123)
    assert strange.abnormal
    assert not calm.abnormal
    [told] = said
    assert "t.csv row 123" in told
    assert "never seen" in told
    assert inside("score", tmp_path / "run", path, *FAST, "--out", tmp_path / "b").status == 0
    with (tmp_path / "b" / "scores.csv").open() as file:
        *_, last = csv.DictReader(file)
    assert float(last["score"]) == pytest.approx(strange.score, rel=0.02)  # other draws


def test_what_was_scored_is_traced_to_the_file(folder: Path) -> None:
    with (folder / "first" / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == HOURS - 11
    assert (rows[40]["row"], rows[40]["last_row"]) == ("42", "53")
    assert rows[40]["last_time"] == "2024-01-03 03:00"
    with (folder / "first" / "spans.csv").open(newline="") as file:
        for span in csv.DictReader(file):
            assert (
                int(span["last_row"]) - int(span["row"])
                == int(span["end"]) - int(span["start"]) - 1
            )


def test_windows_that_overlap_do_not_promise_as_much_as_rows(folder: Path) -> None:
    told = inside("score", folder / "run", folder / "past.csv", *FAST, "--out", folder / "again")
    assert told.status == 0, told.err
    [kept] = anomaly.kept([Run.open(folder / "run")], score.Asked(samples=5).how)
    rows, apart = len(kept.normal["score"]), kept.basis.apart
    assert rows > 3 * apart
    assert f"{rows} held-out normal rows of one series, which overlap: worth {apart} " in told.out
    assert f"at most {1 / (apart + 1):.2%} are called abnormal" in told.out
    assert "no rate is promised for other ones" in told.out


def test_each_bad_line_is_told_once_by_its_own_row(folder: Path, tmp_path: Path) -> None:
    path, said = tmp_path / "live.csv", []
    follower = listener(folder, path)
    back = line(HOURS - 20, 0, 0)
    with path.open("a") as file:
        file.writelines([*hours(HOURS, 2), "2024-01-21 02:00,x,1\n", "2024-01-21 03:00\n"])
        file.writelines([*hours(HOURS + 4, 2), back, *hours(HOURS + 6, 13)])
    heard = list(follower.new(said.append))
    rows = [HOURS + 4, HOURS + 5, HOURS + 8]
    assert len(said) == 3
    for text, row in zip(said, rows, strict=True):
        assert text.startswith(f"row {row} is passed over: {path} row {row}")
        assert text.endswith("nothing is scored until 12 lines have come after it")
    assert "is no number" in said[0]
    assert "1 cell where the others have 3" in said[1]
    assert "before that of the line above" in said[2]
    assert [one.row for one in heard] == [HOURS + 2, HOURS + 3, HOURS + 20, HOURS + 21]
