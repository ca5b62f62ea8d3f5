"""The parts of the studies of anomaly detection that can be proved without training."""

from types import SimpleNamespace

import torch

from twofold.core.space import Category, Field, Real, Space
from twofold.data.doctor import Examination
from twofold.data.sources import Memory, Source
from twofold.data.tiles import Tiles
from twofold.studies import (
    ecg5000,
    lesions,
    mitdb_100,
    mnist_leave_one_out,
    mnist_one_class,
    surface_defects,
)
from twofold.studies.oneclass import Digits, Labelled, digits_of
from twofold.studies.seeds import over_seeds


class Told(Examination):
    """An examination of nothing but its source."""

    def __init__(self, source: Source) -> None:
        object.__setattr__(self, "source", source)


SPACES = (Space((Field("v", Real()),)), Space((Field("label", Category(tuple("0123456789"))),)))
LABEL = torch.arange(10).repeat(60)  # 600 rows, 400 of them for training
OFFICIAL = {"train": torch.arange(400), "test": torch.arange(400, 600)}


def test_only_normal_digits_train_and_calibrate_and_no_row_has_two_parts() -> None:
    source = Memory(torch.zeros(600, 1), LABEL[:, None].float(), OFFICIAL)
    known = Labelled({}, Told(source), LABEL)
    setting = Digits("toy", train=200, normal=20, judged=150, steps=1, width=4, latent=2)
    normal = mnist_leave_one_out.others(3)
    rows = digits_of(known, setting, normal, seed=0)
    assert (len(rows.train), len(rows.normal), len(rows.judged)) == (200, 20, 150)
    assert 3 not in LABEL[rows.train].tolist() + LABEL[rows.normal].tolist()
    assert not set(rows.train.tolist()) & set(rows.normal.tolist())
    assert rows.judged.min() >= 400
    assert rows.abnormal.equal(LABEL[rows.judged] == 3)
    again, other = (digits_of(known, setting, normal, seed=s) for s in (0, 1))
    assert rows.train.equal(again.train)
    assert not rows.train.equal(other.train)


def test_beats_that_are_judged_neither_train_nor_calibrate() -> None:
    label = torch.cat([torch.zeros(40), torch.ones(10)]).long()
    rows = ecg5000.parted(label, 0)
    parts = [rows.train.tolist(), rows.normal.tolist(), rows.judged.tolist()]
    assert sorted(row for part in parts for row in part) == list(range(50))
    assert [len(part) for part in parts] == [15, 5, 30]
    assert rows.abnormal.equal(label[rows.judged] == 1)


def test_a_bar_is_held_by_the_named_scores_alone() -> None:
    high = mnist_one_class.row("neighbours", [0.98, 0.98])
    low = mnist_one_class.row("unexpected_error and latent_distance", [0.96, 0.961])
    other = mnist_one_class.row("error", [0.99, 0.99])
    assert (high.holds, low.holds, other.holds) == (True, False, None)
    assert high.target == 0.97
    assert low.ours == over_seeds([0.96, 0.961]).value
    ones = mnist_leave_one_out.row("one", "neighbours", [0.84, 0.84], mnist_leave_one_out.ONE)
    assert ones.holds is False
    mean = mnist_one_class.averaged([{"a": 0.5, "b": 1.0}, {"a": 1.0, "b": 1.0}])
    assert mean == {"a": 0.75, "b": 1.0}


def test_lesions_have_the_shape_and_the_strength_that_are_said() -> None:
    plain = torch.zeros(6, 1, 28, 28)
    weak, mask = lesions.implanted(plain, 0.2, seed=3)
    strong, again = lesions.implanted(plain, 0.4, seed=3)
    assert mask.equal(again)
    assert torch.allclose(strong, 2 * weak, atol=1e-6)
    assert weak.max() <= 0.2
    inside, outside = weak[:, 0][mask], weak[:, 0][~mask]
    assert inside.min() >= 0.1 >= outside.max()  # a soft edge: half as strong, at r = 1
    covered = mask.flatten(1).sum(1).float()
    assert covered.min() >= 3.14 * 4 - 6
    assert covered.max() <= 3.14 * 16 + 6
    centre = torch.stack([m.nonzero().float().mean(0) for m in mask])
    assert centre.min() >= 28 / 4 - 1
    assert centre.max() <= 28 * 3 / 4 + 1
    assert not lesions.implanted(plain, 0.2, seed=4)[1].equal(mask)


def test_only_the_auroc_of_ours_is_barred() -> None:
    ours = lesions.row("image AUROC, standardised_error at 25%", [0.95, 0.96])
    others = ("image AUROC, error at 25%", "pixel AUPRO, standardised_error at 25%")
    assert ours.holds
    assert [lesions.row(name, [0.95, 0.96]).holds for name in others] == [None, None]


def test_the_second_half_of_a_record_is_judged_and_neither_trains_nor_calibrates() -> None:
    space = Space((Field("label", Category(("A", "N"))),))
    label = torch.tensor([1, 1, 0, 1, 1, 1, 0, 1, 1, 1])
    kind = SimpleNamespace(given=space)
    known = Labelled({}, SimpleNamespace(kind=kind), label)  # type: ignore[arg-type]
    rows = mitdb_100.parted(known, 0)
    assert sorted([*rows.train.tolist(), *rows.normal.tolist()]) == [0, 1, 3, 4]
    assert rows.judged.tolist() == [5, 6, 7, 8, 9]
    assert rows.abnormal.tolist() == [False, True, False, False, False]


def test_no_score_of_a_study_is_told_a_label() -> None:
    """A kind that is always given its label: what a study scores must not say it."""
    space = Space((Field("label", Category(("A", "N"))),))
    source = Memory(torch.zeros(4, 1), torch.tensor([[0.0], [1.0], [1.0], [0.0]]))
    seen = SimpleNamespace(kind=SimpleNamespace(given=space), source=source)
    known = Labelled({}, seen, torch.tensor([0, 1, 1, 0]))  # type: ignore[arg-type]
    part = known.part(torch.tensor([0, 2]))
    assert part.read(torch.tensor([0, 1])).given.isnan().all()
    assert part.labels().isnan().all()


def test_a_picture_of_tiles_is_in_one_part_and_none_that_choices_were_made_with_is_judged() -> None:
    sorts = torch.tensor([2] * 200 + [0] * 115 + [1] * 57)
    tiles = torch.arange(372).repeat_interleave(3)  # three tiles a picture
    at = torch.stack([tiles, torch.zeros_like(tiles), torch.arange(len(tiles)) % 3 * 48], 1)
    source = Tiles(lambda i: torch.zeros(1, 64, 160), at, torch.zeros(372, 0), 64)
    known = Labelled({}, Told(source), sorts[tiles])  # type: ignore[arg-type]
    setting = surface_defects.SETTINGS["cpu"]
    chosen = surface_defects.choosing(known, setting)
    for seed in (0, 1):
        rows = surface_defects.parted(known, setting, seed)
        parts = [set(tiles[part].tolist()) for part in (rows.train, rows.normal, rows.judged)]
        assert [len(part) for part in parts] == [90, 30, 40 + 132]
        assert len(set.union(*parts)) == sum(map(len, parts))
        assert not parts[2] & set(tiles[chosen.judged].tolist())
        assert all(sorts[list(part)].eq(2).all() for part in parts[:2])
        judged = tiles[rows.judged].unique()
        assert rows.abnormal.equal(sorts[judged] != 2)
    assert surface_defects.row("image AUROC, even_neighbours", [0.8]).target == 0.9
    assert surface_defects.row("image AUROC, size and brightness", [0.99]).holds is None
