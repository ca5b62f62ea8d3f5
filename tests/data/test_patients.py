"""Patients: no split parts the rows of one, whatever says whose they are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.data.test_records import made
from twofold.core.errors import UserError
from twofold.data.doctor import examine
from twofold.data.split import Split, only, split
from twofold.runs.training import Material

SHARES = {"split": {"validation": 0.25, "test": 0.25}}


def parts(material: Material) -> list[torch.Tensor]:
    return [part.rows for part in (material.train, material.validation, material.test)]  # type: ignore[attr-defined]


def whole(found: list[torch.Tensor], patient: list[str]) -> bool:
    """Whether each part has rows, and none a patient that another part has."""
    owners = [{patient[row] for row in rows.tolist()} for rows in found]
    apart = sum(map(len, owners)) == len(set.union(*owners))
    return apart and all(owners) and sum(map(len, found)) == len(patient)


@given(st.integers(3, 30), st.integers(3, 60), st.integers(0, 9), st.booleans())
def test_no_group_is_in_two_parts(groups: int, rows: int, seed: int, published: bool) -> None:
    stream = torch.Generator().manual_seed(seed)
    group = torch.randint(groups, (groups + rows,), generator=stream)
    official = {"test": (group == group[0]).nonzero()[:, 0]} if published else {}
    found = split(len(group), validation=0.2, test=0.2, seed=seed, groups=group, official=official)
    if any("too few" in one.text for one in found.findings):
        return
    owners = [set(group[getattr(found, part)].tolist()) for part in found.sizes]
    assert sum(map(len, owners)) == len(group.unique())


def test_a_publisher_that_parts_patients_is_told() -> None:
    group = torch.tensor([0, 0, 1, 1, 2, 2])
    official = {"train": torch.tensor([0, 1, 2]), "test": torch.tensor([3, 4, 5])}
    found = split(6, validation=0.0, groups=group, official=official)
    assert any("1 patients or groups are in several parts" in one.text for one in found.findings)


def test_only_normal_rows_train_and_validate() -> None:
    made_ = Split(torch.arange(6), torch.arange(6, 8), torch.arange(8, 10))
    normal = torch.arange(10) % 2 == 0
    kept = only(made_, normal)
    assert [getattr(kept, part).tolist() for part in kept.sizes] == [[0, 2, 4], [6], [8, 9]]
    assert "4 rows that are not normal" in kept.findings[0].text
    assert "not normal are left out of training" in kept.findings[0].text
    with pytest.raises(UserError, match="no row to train on"):
        only(made_, torch.zeros(10, dtype=torch.bool))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of each of eight patients, some ill."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(24):
        patient, ill = number // 3, number % 3 == 0
        (folder / ("ill" if ill else "well")).mkdir(exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 255, (40, 50), np.uint8)
        Image.fromarray(noise).save(
            folder / ("ill" if ill else "well") / f"p{patient}-{number}.png"
        )
    return folder


@pytest.mark.parametrize("tiles", [0, 16])
def test_pictures_say_whose_they_are_in_their_names(pictures: Path, tiles: int) -> None:
    found = examine(pictures, patient=r"(p\d+)-", tiles=tiles)
    names = found.kind.names(pictures)
    each = found.source.pieces()[:, 0].tolist()
    owner = [names[i].rpartition("/")[2].partition("-")[0] for i in each]
    assert whole(parts(Material.of(found.kind, found.source, (), SHARES)), owner)
    with pytest.raises(UserError, match=r"finds nothing in 'ill/p0-0\.png'"):
        examine(pictures, patient=r"(q\d+)-")
    with pytest.raises(UserError, match="no regular expression"):
        examine(pictures, patient=r"(p")


def test_normal_labels_are_named_as_the_data_has_them(pictures: Path) -> None:
    found = examine(pictures)
    data = {"split": {**SHARES["split"], "normal": ["well"]}}
    material = Material.of(found.kind, found.source, (), data)
    assert set(material.train.labels()[:, 0].tolist()) == {1.0}
    assert set(material.test.labels()[:, 0].tolist()) == {0.0, 1.0}
    with pytest.raises(UserError, match="no row is labelled 'fine', only ill, well"):
        Material.of(found.kind, found.source, (), {"split": {"normal": ["fine"]}})


def table(path: Path, timed: bool) -> Path:
    rows = [
        (t, p, round(float(np.sin(t + p)), 3), (t * 7 + p) % 5) for p in range(9) for t in range(12)
    ]
    head = ("time," if timed else "") + "who,a,b"
    lines = [",".join(str(v) for v in (row if timed else row[1:])) for row in rows]
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_a_column_of_a_table_says_whose_a_row_is_and_is_not_modelled(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", timed=False)
    found = examine(path, kind="tables", patient="who")
    assert [field.name for field in found.kind.space.fields] == ["a", "b"]
    owner = [str(i // 12) for i in range(108)]
    assert whole(parts(Material.of(found.kind, found.source, (), SHARES)), owner)
    assert type(found.kind).from_dict(found.kind.to_dict()) == found.kind
    bare = tmp_path / "bare.csv"
    bare.write_text("a,b\n0.1,2\n0.3,1\n")
    assert len(found.kind.open(bare)) == 2  # new rows need not say whose they are
    with pytest.raises(UserError, match=r"data\.split\.ordered may part"):
        Material.of(found.kind, found.source, (), {"split": {"ordered": True}})


def test_windows_of_one_patient_stay_together(tmp_path: Path) -> None:
    path = table(tmp_path / "s.csv", timed=True)
    found = examine(path, kind="series", layout="wide", window=4, patient="who", time="time")
    owner = [str(i // 9) for i in range(81)]
    assert whole(parts(Material.of(found.kind, found.source, (), SHARES)), owner)


def test_records_stay_whole_and_a_pattern_joins_them(tmp_path: Path) -> None:
    for name in ("p1a", "p1b", "p2a", "p3a", "p4a"):
        made(tmp_path, name)
    found = examine(tmp_path)
    assert found.kind.names(tmp_path)[0] == "p1a 0:00:01.50"
    owner = [name.partition(" ")[0] for name in found.kind.names(tmp_path)]
    assert whole(parts(Material.of(found.kind, found.source, (), SHARES)), owner)
    joined = examine(tmp_path, patient=r"(p\d)")
    owner = [name[:2] for name in owner]
    assert whole(parts(Material.of(joined.kind, joined.source, (), SHARES)), owner)
    assert type(joined.kind).from_dict(joined.kind.to_dict()) == joined.kind
