"""Molecules are searched for and looked at in the latent: calls counted, steps and errors told."""

from __future__ import annotations

import csv
import math
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

pytest.importorskip("rdkit")

from tests.stories.commands import inside, refused
from twofold.apps import foretelling, objectives
from twofold.apps.objectives import Aim, Computed, Limit, Objective, Similar, Task
from twofold.apps.optimising import sheet_of
from twofold.apps.oracle import Judge, Oracle
from twofold.apps.predicting import Asking
from twofold.apps.searching import Latent, apart, begun, run_way
from twofold.core import toml
from twofold.core.errors import UserError
from twofold.maths.breeding import bred
from twofold.maths.chemistry import rdkit, written
from twofold.maths.descriptors import alerts
from twofold.runs.run import Run

SEEDS = ("CCN(C)C(=O)c1ccsc1", "O=C(Nc1ccc(F)cc1)C1CC1", "CC1CCC(O)CC1N", "c1ccc2[nH]ccc2c1")
LENGTH = "import sys\nfor line in sys.stdin: print(len(line.strip()))\n"
COUNTED = """
def score(smiles):
    with open({path!r}, "a") as file:
        file.write(smiles + chr(10))
    return smiles.count("C")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of bred molecules, a few steps old, that predicts a column; and an oracle."""
    folder, rng = tmp_path_factory.mktemp("molecules"), Random(0)
    smiles = list(dict.fromkeys([*SEEDS, *(bred(*rng.sample(SEEDS, 2), rng) for _ in range(90))]))
    lines = [f"{one},{len(one) + 0.5}" for one in smiles]
    (folder / "molecules.csv").write_text("smiles,size\n" + "\n".join(lines) + "\n")
    (folder / "length.py").write_text(LENGTH)
    (folder / "unknown.py").write_text("def score(smiles): return float('nan')\n")
    (folder / "counted.py").write_text(COUNTED.format(path=str(folder / "calls.txt")))
    made = inside(
        "fit", folder / "molecules.csv", "--set", "train.steps=8", "--set", "train.batch=16",
        "--set", "data.given=['size']", "--set", "model.properties=predicted",
        "--set", "data.form=selfies",  # a molecule whatever is spelt, as so short a run needs
        "--set", "train.best=none", "--set", "model.latent=4", "--out", folder / "run", "--quiet",
    )  # fmt: skip
    assert made.status == 0, made.err
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(folder)
    yield folder
    sys.modules.pop("counted", None)


def proposals(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_calls_are_exact_and_what_is_known_is_not_proposed(here: Path, tmp_path: Path) -> None:
    asked = ("--maximize", "counted:score", "--where", "atoms<30", "--oracle", "60")
    told = inside("optimize", here / "run", *asked, "--out", tmp_path / "out")
    assert told.status == 0, told.err
    calls = (here / "calls.txt").read_text().split()
    assert len(calls) == len(set(calls))
    assert f"{len(calls)} distinct molecules were judged in all" in told.err
    data = {written(row["smiles"]) for row in proposals(here / "molecules.csv")}
    for way in ("bayes", "genetic", "draws"):
        rows = proposals(tmp_path / "out" / f"{way}.csv")
        smiles = [row["smiles"] for row in rows]
        assert len(smiles) == len(set(smiles))
        assert not data & set(smiles)
        assert all(float(row["atoms"]) < 30 and int(row["call"]) <= 60 for row in rows)
    assert {row["smiles"] for row in proposals(tmp_path / "out" / "screening.csv")} <= data
    best = proposals(tmp_path / "out" / "genetic.csv")
    assert [float(row["counted:score"]) for row in best] == sorted(
        (row["smiles"].count("C") for row in best), reverse=True
    )
    supplier = rdkit().SDMolSupplier(str(tmp_path / "out" / "genetic.sdf"))
    assert [rdkit().MolToSmiles(m) for m in supplier] == [row["smiles"] for row in best]
    page = (tmp_path / "out" / "found.html").read_text()
    assert all(f"Proposed by {way}" in page for way in ("genetic", "screening"))


def test_a_column_goes_through_the_head_and_its_gradient(here: Path, tmp_path: Path) -> None:
    words = ("--maximize", "size", "--by", "gradient", "--empty-beside", "--oracle", "30")
    told = inside("optimize", here / "run", *words, "--out", tmp_path / "up")
    assert told.status == 0, told.err
    words = ("--maximize", "qed", "--by", "gradient", "--oracle", "30")
    refused(inside("optimize", here / "run", *words), "property head", "qed", "--by bayes")


def test_a_command_is_asked_and_similarity_kept(here: Path, tmp_path: Path) -> None:
    words = ("--minimize", f"{sys.executable} length.py", "--similar-to", f"{SEEDS[0]}:0.3")
    told = inside("optimize", here / "run", *words, "--oracle", "40", "--out", tmp_path / "out")
    assert told.status == 0, told.err
    rows = proposals(tmp_path / "out" / "genetic.csv")
    assert rows
    assert all(float(row[f"similarity to {SEEDS[0]}"]) >= 0.3 for row in rows)
    assert all(float(row[f"{sys.executable} length.py"]) == len(row["smiles"]) for row in rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--maximize"),
        (("--maximize", "qe"), "did you mean 'qed'"),
        (("--maximize", "qed", "--where", "logp~5"), "NAME<NUMBER"),
        (("--maximize", "qed", "--similar-to", "C1CC:0.4"), "not written as SMILES"),
        (("--maximize", "qed", "--similar-to", "CCO:4"), "at most 1"),
        (("--maximize", "sh nowhere.sh"), "sh nowhere.sh ended with"),
        (("--maximize", "counted:nothing"), "no function nothing"),
        (("--maximize", "counted.py:nothing"), "counted has no function nothing"),
        (("--maximize", "unknown:score"), "no molecule at the start has a number"),
        (("--maximize", "qed", "--oracle", "3"), "20 calls"),
        (("--maximize", "qed", "--maximize", "qed"), "qed is asked for twice"),
        (("--maximize", "size", "--minimize", "column:size"), "size is asked for twice"),
    ],
)
def test_what_cannot_be_asked_is_told(here: Path, words: tuple[str, ...], said: str) -> None:
    refused(inside("optimize", here / "run", *words), said)


def test_molecules_of_a_named_set_are_read_again(
    here: Path, tmp_path: Path, named: Callable[[str], Path]
) -> None:
    named("esol")
    folder = shutil.copytree(here / "run", tmp_path / "run")
    recipe = toml.load(folder / "recipe.toml") | {"data": {"name": "esol", "kind": "molecules"}}
    (folder / "recipe.toml").write_text(toml.dumps(recipe))
    assert len(sheet_of(Run.open(folder), "").smiles) > 1000


# The latent, looked at.


def test_a_way_between_two_molecules_is_drawn_and_told(here: Path, tmp_path: Path) -> None:
    words = ("--of", "CCN(C)C(=O)c1ccsc1", "--of", "OC1CCC(C)CC1N", "--steps", "5")
    told = inside("interpolate", here / "run", *words, "--out", tmp_path / "way")
    assert told.status == 0, told.err
    assert "pair 1, 5 steps: " in told.err
    rows = proposals(tmp_path / "way" / "ways.csv")
    drawn = (tmp_path / "way" / "samples.csv").read_text().splitlines()[1:]
    assert [row["smiles"] for row in rows] == [line.split(",")[0] for line in drawn]
    for at, row in enumerate(rows):  # a step that came before is said to have
        before = [one["smiles"] for one in rows[:at]]
        if row["smiles"] in before:
            assert row["what"] == f"as step {before.index(row['smiles']) + 1}"
        else:
            assert row["what"] == "new"
    with Image.open(tmp_path / "way" / "ways.png") as picture:
        assert picture.width > 7 * 160  # both that were given, and five steps
    said = inside("interpolate", here / "run", "--of", "CCO", "--of", "C1CC")
    refused(said, "'C1CC' is no molecule", "not written as SMILES")


def test_a_fragment_is_begun_with_or_waited_for(here: Path, tmp_path: Path) -> None:
    told = inside("sample", here / "run", "-n", "6", "--begin", "CN", "--out", tmp_path / "begun")
    assert told.status == 0, told.err
    assert "of 6 draws that begin with CN contain it" in told.err
    words = ("-n", "5", "--begin", "CN", "--containing", "[#6]~[#7]", "--out", tmp_path / "with")
    told = inside("sample", here / "run", *words)
    assert told.status == 0, told.err
    rows = proposals(tmp_path / "with" / "samples.csv")
    pair = rdkit().MolFromSmarts("[#6]~[#7]")
    assert len(rows) == 5
    assert all(rdkit().MolFromSmiles(row["smiles"]).HasSubstructMatch(pair) for row in rows)
    assert " draws contain [#6]~[#7] (" in told.err
    refused(inside("sample", here / "run", "--begin", "[Pt]"), "--begin [Pt]", "no training")
    refused(inside("sample", here / "run", "--containing", "C(("), "neither SMILES nor SMARTS")
    refused(inside("sample", here / "run", "-n", "1", "--containing", "[U]"), "none of 200 draws")


def test_neighbours_are_the_nearest_codes_without_the_molecule_itself(
    here: Path, tmp_path: Path
) -> None:
    first, second = [row["smiles"] for row in proposals(here / "molecules.csv")[:2]]
    words = ("--of", first, "--of", second, "-k", "3", "--out", tmp_path / "near")
    told = inside("neighbours", here / "run", *words)
    assert told.status == 0, told.err
    assert "mean similarity (Tanimoto) of neighbours" in told.err
    rows = proposals(tmp_path / "near" / "neighbours.csv")
    assert [row["rank"] for row in rows] == ["1", "2", "3"] * 2
    run = Run.open(here / "run")
    names = run.kind.names(here / "molecules.csv")
    z = torch.from_numpy(run.encode(here / "molecules.csv"))
    far = torch.cdist(z, z).fill_diagonal_(math.inf)
    for at, one in enumerate((first, second)):
        row = names.index(written(one))
        nearest = far[row].topk(3, largest=False).indices.tolist()
        assert [one["name"] for one in rows[3 * at : 3 * at + 3]] == [names[i] for i in nearest]
    refused(inside("neighbours", here / "run"), "--of")
    refused(inside("neighbours", here / "run", "--of", "CCO", "-k", "5000"), "-k 5000")


def test_a_map_is_coloured_by_a_column_or_a_property(here: Path, tmp_path: Path) -> None:
    data = here / "molecules.csv"
    pictures = []
    for name in ("size", "qed"):
        out = tmp_path / f"{name}.npz"
        told = inside("encode", here / "run", data, "--map", "--by", name, "--out", out)
        assert told.status == 0, told.err
        pictures.append(out.with_suffix(".png").read_bytes())
    assert pictures[0] != pictures[1]
    words = ("encode", here / "run", data, "--out", tmp_path / "x.npz")
    refused(inside(*words, "--map", "--by", "sise"), "did you mean 'size'")
    refused(inside(*words, "--by", "size"), "--map")


def test_a_property_is_predicted_in_the_units_of_the_file(here: Path, tmp_path: Path) -> None:
    out = tmp_path / "predicted.csv"
    told = inside("predict", here / "run", here / "molecules.csv", "--out", out)
    assert told.status == 0, told.err
    assert "as drawn" in told.out  # there are too few to correct by
    rows = proposals(out)
    sizes = [float(row["size"]) for row in proposals(here / "molecules.csv")]
    assert len(rows) == len(sizes)
    for row in rows:
        low, middle, high = (float(row[name]) for name in ("low", "predicted", "high"))
        assert min(sizes) <= low <= middle <= high <= max(sizes)


def test_intervals_hold_what_they_promise_of_a_head_that_is_too_sure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    truth = torch.randn(4000, 1)
    draws = 0.1 * torch.randn(50, 4000, 1)
    monkeypatch.setattr(foretelling, "drawn", lambda *_: (draws, truth))
    monkeypatch.setattr(foretelling, "some", lambda source: source)
    [factor] = foretelling.factors_of(Mock(), Mock(), Asking(interval=0.8), torch.tensor([0]))
    fresh, seen = torch.randn(4000, 1), 0.1 * torch.randn(50, 4000, 1)
    low, high = foretelling.conformed(seen, [factor])
    assert foretelling.inside(low, high, fresh, 0).value == pytest.approx(0.8, abs=0.03)
    low, high = foretelling.central(seen, 0.8)
    assert foretelling.inside(low, high, fresh, 0).value < 0.2


# The oracle and the task.


class Count(Objective):
    """Letters of a SMILES; remembers what it was asked."""

    name = "letters"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, smiles: list[str]) -> list[float]:  # type: ignore[override]
        self.asked += smiles
        return [float(len(one)) if one != "X" else math.nan for one in smiles]


def test_each_search_has_its_count_and_none_asks_what_another_did() -> None:
    count = Count()
    judge = Judge(Task((Aim(count, 1),)))
    one, other = Oracle(judge, 3), Oracle(judge, 3)
    one.ask(["C", "CC", "C", ""])
    assert (one.left, count.asked) == (1, ["C", "CC"])
    one.ask(["CC", "CCC", "CCCC"])
    assert (one.left, list(one.asked)) == (0, ["C", "CC", "CCC"])
    other.ask(["CC", "CCCC"])
    assert (other.left, count.asked) == (1, ["C", "CC", "CCC", "CCCC"])
    assert np.isnan(other.answers(["C"])).all()  # another's answer is not its own


@dataclass(frozen=True)
class Grid:
    """A latent of two dimensions, in which a code is spelt as the nearest place of a grid."""

    side: int

    def decode(self, z: Tensor) -> list[str]:
        places = z.round().clamp(-self.side, self.side).int().tolist()
        return [f"{a} {b}" for a, b in places]

    def encode(self, places: list[str]) -> tuple[Tensor, list[int]]:
        return torch.tensor([[float(n) for n in one.split()] for one in places]), [
            *range(len(places))
        ]


class Flat(Objective):
    """As good everywhere, so that no round is better than the one before."""

    name = "flat"

    def __call__(self, smiles: list[str]) -> list[float]:  # type: ignore[override]
        return [1.0] * len(smiles)


@pytest.mark.parametrize(("side", "calls"), [(9, 120), (3, 49)])
def test_a_search_uses_its_calls_and_ends_where_nothing_new_can_come(side: int, calls: int) -> None:
    start = [f"{a} {b}" for a in range(-2, 3) for b in range(-2, 2)]
    oracle = Oracle(Judge(Task((Aim(Flat(), 1),))), 120)
    run_way("bayes", begun(oracle, cast(Latent, Grid(side)), start, 20, 0))
    assert len(oracle.asked) == calls  # of 361 places, and of 49


def test_turns_of_no_two_seeds_draw_alike() -> None:
    seeds = [apart(seed, turn) for seed in range(5) for turn in range(100)]
    assert len(set(seeds)) == len(seeds)


def test_what_breaks_a_bound_is_less_fit_and_not_kept() -> None:
    count = Count()
    task = Task((Aim(count, 1),), (Limit(count, "<=", 3.0),))
    y = np.array([[1.0], [3.0], [4.0], [9.0], [math.nan]])
    fit = task.fitness(y, objectives.spread(y))
    assert task.keeps(y).tolist() == [True, True, False, False, False]
    assert fit[1] > fit[0] > fit[3]
    assert fit[1] > fit[2]
    assert fit[4] == -np.inf


def test_what_can_be_computed_is_not_guessed_from_a_column_of_its_name() -> None:
    asked: list[str] = []

    def known(name: str) -> Objective:
        asked.append(name)
        return Similar("CCO")

    def made(text: str) -> Objective:
        return objectives.objective(text, ["qed", "dose"], known)

    assert isinstance(made("qed"), Computed)
    made("dose"), made("column:qed")
    assert asked == ["dose", "qed"]
    with pytest.raises(UserError, match="numeric column"):
        made("column:size")


def test_properties_are_those_of_rdkit_and_of_the_papers() -> None:
    plogp = Computed("plogp", objectives.formulas()["plogp"])
    benzene, big = plogp(["c1ccccc1", "C1CCCCCCC1"])
    assert benzene == pytest.approx((1.6866 - 2.457) / 1.434 - (1 - 3.053) / 0.834 + 0.0486 / 0.286,
                                    abs=0.01)  # fmt: skip
    assert big < plogp(["CC1CCCCC1C"])[0]  # a ring of eight costs two
    assert Similar("CCO")(["CCO", "c1ccccc1"]) == [1.0, 0.0]
    assert alerts().HasMatch(rdkit().MolFromSmiles("O=[N+]([O-])c1ccccc1"))


def test_every_molecule_is_answered_with_its_row_and_what_is_not_is_told(
    here: Path, tmp_path: Path
) -> None:
    file = tmp_path / "asked.csv"
    again = "NC1CC(O)CCC1C"  # the third, written otherwise
    lines = [SEEDS[0], "C(", again, SEEDS[2], "[13CH3]CO", f"{SEEDS[1]}.[Na+].[Cl-]"]
    file.write_text("smiles\n" + "\n".join(lines) + "\n")
    made = inside("predict", here / "run", file, "--out", tmp_path / "p.csv")
    assert made.status == 0, made.err
    assert "dropped 1, the first at" in made.out
    assert "'[13CH3]' was in no training molecule" in made.out
    rows = proposals(tmp_path / "p.csv")
    assert [row["row"] for row in rows] == ["2", "4", "5", "7"]
    assert rows[1]["predicted"] == rows[2]["predicted"]
    assert rows[1]["of"] == rows[2]["of"] == written(SEEDS[2])
    coded = inside("encode", here / "run", file, "--out", tmp_path / "z.npz")
    assert "'[13CH3]' was in no training molecule" in coded.err
    with np.load(tmp_path / "z.npz") as arrays:
        assert arrays["row"].tolist() == [2, 4, 5, 7]
        assert arrays["z"].shape == (4, 4)
        assert (arrays["z"][1] == arrays["z"][2]).all()


def test_what_a_run_cannot_take_is_passed_over_and_numbers_stay(here: Path, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text(f"smiles\n{SEEDS[0]}\nC[Se]C\n{SEEDS[0]}\n{SEEDS[1]}\n")
    told = inside("reconstruct", here / "run", path, "--out", tmp_path / "out")
    assert "row 3" in told.err
    with (tmp_path / "out" / "reconstructed.csv").open(newline="") as file:
        assert [row["row"] for row in csv.DictReader(file)] == ["2", "4", "5"]
