"""What the study of conditions measures with: each check sees the fault that it is there for."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from twofold.apps import editing
from twofold.core.space import Space
from twofold.data.kinds.shapes import Shapes
from twofold.data.shapes2d import Shelf
from twofold.data.sources import Rows
from twofold.studies import conditional_vae as study

GIVEN = Space(tuple(study.GRID.space[name] for name in study.ATTRIBUTES))
KIND = Shapes(study.GRID, study.SIZE, GIVEN)


def pictures(given: Tensor, place: Tensor) -> Rows:
    """The pictures of attributes at places, drawn as they truly are."""
    counts = (*study.CHOICES, 8, 8)
    at = torch.cat([study.indices(given), place], 1)
    number = torch.zeros(len(at), dtype=torch.long)
    for column, count in zip(at.T, counts, strict=True):
        number = number * count + column
    rows = KIND.open(Shelf()).read(number)
    assert torch.equal(study.indices(rows.given), at[:, :4])
    return rows


@pytest.fixture
def held() -> Rows:
    chosen = torch.randperm(1536, generator=torch.Generator().manual_seed(0))[:60]
    return KIND.open(Shelf()).read(chosen)


def places(rows: Rows) -> Tensor:
    """The column and row of every picture, (B, 2), by its number in the grid."""
    every = KIND.open(Shelf()).read(torch.arange(1536))
    at = [(every.values == v).flatten(1).all(1) & (every.given == g).all(1)
          for v, g in zip(rows.values, rows.given, strict=True)]  # fmt: skip
    number = torch.stack([one.nonzero()[0, 0] for one in at])
    return torch.stack([number // 8 % 8, number % 8], 1)


def editor(spoil: Callable[[Tensor], Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of a model: the true picture of what is asked for, with the attributes spoilt."""

    def edit(run: object, seen: Rows, wanted: list[editing.Edit], *_: object) -> editing.Edited:
        after = pictures(spoil(editing.changed(seen.given, wanted)), places(seen))
        return editing.Edited(seen, seen, after, "condition")

    monkeypatch.setattr(editing, "edit", edit)


def judge(rows: Rows) -> Tensor:
    """One who always knows."""
    return study.indices(rows.given)


RUN = SimpleNamespace(given=GIVEN, space=KIND.space, kind=KIND)


@pytest.mark.parametrize("name", study.EDITED)
def test_a_perfect_editor_flips_all_and_drifts_nowhere(
    name: str, held: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(lambda given: given, monkeypatch)
    flips, drift, moved = study.edited(RUN, name, held, judge)  # type: ignore[arg-type]
    assert (flips, drift) == (1.0, 0.0)
    assert moved < 0.7  # pixels: the middle of a heart is not quite the centre it turns about


def test_an_editor_that_changes_another_attribute_drifts(
    held: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(lambda given: torch.cat([given[:, :1], 1 - given[:, 1:2], given[:, 2:]], 1), monkeypatch)
    flips, drift, _ = study.edited(RUN, "scale", held, judge)  # type: ignore[arg-type]
    assert (flips, drift) == (1.0, 1.0)


def test_an_editor_that_does_nothing_flips_nothing(
    held: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        editing, "edit", lambda run, seen, *_: editing.Edited(seen, seen, seen, "condition")
    )
    assert study.edited(RUN, "colour", held, judge)[:2] == (0.0, 0.0)  # type: ignore[arg-type]


def test_the_centre_is_where_the_light_is() -> None:
    values = torch.zeros(1, 3, study.SIZE, study.SIZE)
    values[0, 1, 4, 7:10] = 1
    torch.testing.assert_close(
        study.centre(Rows(values, torch.zeros(1, 0))), torch.tensor([[4.0, 8.0]]),
        atol=1e-3, rtol=0,
    )  # fmt: skip


def test_variety_is_within_classes() -> None:
    x = torch.tensor([[0.0], [0.0], [9.0], [9.0]])
    assert study.variety(x, torch.tensor([0, 0, 1, 1])) == 0
    assert study.variety(x, torch.tensor([0, 1, 0, 1])) == pytest.approx(40.5)
