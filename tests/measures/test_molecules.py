"""Sets of molecules: real ones against themselves, and what each figure is for."""

import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from twofold.core.batch import Batch
from twofold.core.space import Field, Space, Token
from twofold.maths import descriptors
from twofold.maths.chemistry import tokens
from twofold.maths.descriptors import describe, nearest_other, tanimoto
from twofold.measures.measure import Evidence, figures
from twofold.nets import chemnet

pytest.importorskip("rdkit")
ALKANES = [f"{'C' * n}O" for n in range(1, 26)]
RINGS = [f"{'C' * n}c1ccccc1" for n in range(1, 26)]
LABELS = ("", *sorted({t for s in (*ALKANES, *RINGS) for t in tokens("smiles", s)}))
SPACE = Space((Field("smiles", Token(LABELS)),), (40,))


def batch(smiles: list[str]) -> Batch:
    k = torch.zeros(len(smiles), 1, 40)
    for row, one in enumerate(smiles):
        cut = tokens("smiles", one)
        k[row, 0, : len(cut)] = torch.tensor([LABELS.index(t) for t in cut], dtype=k.dtype)
    return Batch.of(SPACE.encode(k))


def found(fake: list[str], *names: str) -> dict[str, float]:
    evidence = Evidence(SPACE, Space(), batch(ALKANES), batch(RINGS), batch(fake))
    return {figure.name: figure.value for figure in figures(evidence, names)[0]}


def test_the_same_molecules_are_no_distance_apart() -> None:
    names = ("mol_valid", "mol_unique", "mol_novel", "mol_snn", "mol_frag", "mol_w1_logp",
             "mol_w1_weight", "mol_kl_score")  # fmt: skip
    same = found(ALKANES, *names)
    zeros = {name: same.pop(name) for name in ("mol_w1_logp", "mol_w1_weight")}
    assert same == pytest.approx(dict.fromkeys(same, 1.0), abs=1e-4)
    assert zeros == pytest.approx(dict.fromkeys(zeros, 0.0), abs=1e-9)


def test_training_molecules_are_not_new_and_broken_ones_no_molecules() -> None:
    drawn = [*RINGS[:20], "c1", "C1", RINGS[0], RINGS[1], RINGS[2]]
    shares = found(drawn, "mol_valid", "mol_unique", "mol_novel")
    assert shares == pytest.approx({"mol_valid": 23 / 25, "mol_unique": 20 / 23, "mol_novel": 0})


def test_others_are_further_away_than_the_floor() -> None:
    evidence = Evidence(SPACE, Space(), batch(ALKANES), batch(ALKANES), batch(RINGS))
    names = ["mol_w1_logp", "mol_frag", "mol_scaf", "mol_kl_score"]
    names += [] if chemnet.absent() else ["fcd"]
    for figure in figures(evidence, names)[0]:
        assert (figure.value > figure.floor) == (figure.better == "lower"), figure.name
    floors = figures(replace(evidence, fake=batch(ALKANES)), ["mol_w1_logp"])[0]
    assert floors[0].floor == floors[0].value == 0


def test_why_few_molecules_have_few_figures_is_said() -> None:
    drawn = [*RINGS[:9], *["c1"] * 16]
    evidence = Evidence(SPACE, Space(), batch(ALKANES), batch(RINGS), batch(drawn))
    made, refused = figures(evidence, ["mol_valid", "mol_size"])
    assert [figure.name for figure in made] == ["mol_valid"]
    few = "it needs 20 draws that are molecules; there are 9: train for longer"
    assert refused == {"mol_size": few}


def test_similarity_is_of_shared_bits() -> None:
    one, two = torch.tensor([[1, 1, 0, 0]]), torch.tensor([[0, 1, 1, 0]])
    assert float(tanimoto(one, two)) == pytest.approx(1 / 3)
    bits = describe(["CCO", "CCO", "c1ccccc1"]).bits
    assert nearest_other(bits).tolist()[:2] == [1, 1]


@pytest.mark.parametrize("python", [sys.executable, "false"])  # which of the two does nothing
def test_a_set_described_by_several_processes_is_the_same(
    python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_CACHE", str(tmp_path))
    smiles = ["CCO", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1", "C1CCNCC1", "O=[N+]([O-])c1ccccc1"]
    alone = descriptors.computed(smiles)
    seen, recalled = list[Path](), descriptors.recalled

    def watched(path: Path) -> descriptors.Described:
        seen.append(path)
        return recalled(path)

    monkeypatch.setattr(descriptors, "recalled", watched)
    monkeypatch.setattr(sys, "executable", python)
    shared = descriptors.shared(smiles, 2)
    assert len(seen) == (python != "false")
    assert not list(tmp_path.rglob("*.npz"))  # parts do not stay
    for field in fields(alone):
        one, other = getattr(alone, field.name), getattr(shared, field.name)
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
