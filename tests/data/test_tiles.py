"""Tiles: every pixel is in one, and put together they are the picture again."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from twofold.core.errors import UserError
from twofold.data.kinds.images import Images
from twofold.data.sources import Subset
from twofold.data.tiles import Tiles, Wholes, edges

SIZES = [(20, 33), (8, 8), (16, 9)]


def cut(overlap: float = 0.25) -> tuple[list[torch.Tensor], Tiles]:
    pictures = [torch.rand(2, h, w) for h, w in SIZES]
    given = torch.arange(3.0)[:, None]
    official = {"test": torch.tensor([1])}
    return pictures, Tiles.of(pictures.__getitem__, SIZES, given, 8, overlap, official)


@given(st.integers(8, 300), st.integers(4, 64), st.floats(0, 0.9))
def test_tiles_cover_an_axis_and_overlap_as_asked(length: int, side: int, overlap: float) -> None:
    side = min(side, length)
    found = edges(length, side, overlap)
    covered = torch.zeros(length, dtype=torch.bool)
    for begin in found:
        assert 0 <= begin <= length - side
        covered[begin : begin + side] = True
    assert covered.all()
    steps = [b - a for a, b in pairwise(found)]
    assert all(0 < step <= max(1, side * (1 - overlap)) + 1 for step in steps)


@given(st.sampled_from([0.0, 0.25, 0.5]))
def test_put_together_they_are_the_pictures(overlap: float) -> None:
    pictures, source = cut(overlap)
    whole = Wholes(source.pieces())
    stitched = whole.stitched(source.read(torch.arange(len(source))).values)
    assert stitched.shape == (3, 2, 20, 33)
    for one, picture in zip(stitched, pictures, strict=True):
        h, w = picture.shape[1:]
        assert torch.allclose(one[:, :h, :w], picture, atol=1e-6)
        assert one[:, h:].isnan().all()
        assert one[:, :, w:].isnan().all()


def test_a_picture_scores_as_its_worst_tile() -> None:
    _, source = cut()
    whole = Wholes(source.pieces())
    scores = torch.arange(float(len(source)))
    last = [int((source.at[:, 0] == i).nonzero().max()) for i in range(3)]
    assert whole.highest(scores).tolist() == [float(i) for i in last]
    assert source.at[whole.first(), 0].tolist() == [0, 1, 2]
    assert source.official["test"].tolist() == [
        row for row in range(len(source)) if source.at[row, 0] == 1
    ]
    some = Subset(source, whole.rows(torch.tensor([0, 2])))
    assert Wholes(some.pieces()).numbered[0].tolist() == [0, 2]
    assert some.labels()[:, 0].unique().tolist() == [0.0, 2.0]


def test_tiles_that_cannot_be_are_told() -> None:
    for asked in ({"tiles": 4}, {"tiles": 16, "overlap": 1.0}, {"tiles": 16, "size": 32}):
        with pytest.raises(UserError, match=r"data\.tiles"):
            Images.inspect("nowhere", **asked)  # type: ignore[arg-type]
