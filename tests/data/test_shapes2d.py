"""Drawn shapes: the recipe of dSprites, its symmetries, and the published file read safely."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.data.shapes2d import (
    COLOURS,
    FACTORS,
    SHAPES,
    Grid,
    coloured,
    draw,
    drawn,
    published,
)

EVERYTHING = Grid.of()


def at(**factors: int) -> Tensor:
    """The picture of factors by index; those that are not named are in the middle."""
    middle = {"colour": 0, "shape": 2, "scale": 5, "orientation": 0, "x": 16, "y": 16}
    chosen = middle | factors
    return draw(torch.tensor([[chosen[name] for name in FACTORS]]))[0, 0]


def turned(shape: str, theta: float, size: int = 64) -> Tensor:
    index, one = torch.tensor([SHAPES.index(shape)]), torch.ones(1).double()
    return drawn(index, one, theta * one, 32 * one, 32 * one, size)[0, 0]


def test_every_combination_of_the_recipe_occurs_once() -> None:
    assert len(EVERYTHING) == 737_280 == 3 * 6 * 40 * 32 * 32
    values = EVERYTHING.values(torch.arange(len(EVERYTHING)))
    assert [field.name for field in EVERYTHING.space.fields] == list(FACTORS[1:])
    expected = [
        torch.arange(3.0),
        torch.linspace(0.5, 1, 6),
        torch.linspace(0, 2 * math.pi, 40),
        torch.linspace(0, 1, 32),
        torch.linspace(0, 1, 32),
    ]
    for column, known in zip(values.T, expected, strict=True):
        torch.testing.assert_close(column.unique(), known)
    steps = EVERYTHING.indices(torch.arange(len(EVERYTHING)))
    keys = steps @ torch.tensor([0, 245_760, 40_960, 1024, 32, 1])
    assert torch.equal(keys, torch.arange(len(EVERYTHING)))  # each once, the last fastest


def test_pictures_are_binary_whole_and_alike_in_area() -> None:
    rows = torch.randint(len(EVERYTHING), (200,), generator=torch.Generator().manual_seed(1))
    pictures = draw(EVERYTHING.indices(rows))
    assert pictures.dtype == torch.uint8
    assert pictures.shape == (200, 1, 64, 64)
    assert set(pictures.unique().tolist()) == {0, 1}
    corners = torch.cartesian_prod(
        torch.tensor([0]), torch.arange(3), torch.tensor([5]), torch.arange(40),
        torch.tensor([0, 31]), torch.tensor([0, 31]),
    )  # fmt: skip
    far = draw(corners)
    edges = torch.cat([far[..., 0], far[..., -1], far[..., 0, :], far[..., -1, :]])
    assert not edges.any()  # no shape is cut by the border
    areas = [at(shape=i).sum().item() for i in range(3)]
    assert max(areas) - min(areas) < 0.08 * min(areas)
    small, large = at(scale=0).sum().item(), at(scale=5).sum().item()
    assert small / large == pytest.approx(0.25, abs=0.03)


def test_a_picture_does_not_depend_on_its_batch() -> None:
    rows = torch.tensor([5, 700_000, 123_456, 5])
    together = draw(EVERYTHING.indices(rows))
    alone = torch.cat([draw(EVERYTHING.indices(row[None])) for row in rows])
    assert torch.equal(together, alone)
    assert torch.equal(together[0], together[3])


@pytest.mark.parametrize(
    ("shape", "turn", "same"),
    [
        ("square", math.pi / 2, True),
        ("square", math.pi / 4, False),
        ("ellipse", math.pi, True),
        ("ellipse", math.pi / 2, False),
        ("heart", 2 * math.pi, True),
        ("heart", math.pi, False),
    ],
)
def test_symmetries_are_those_of_the_shapes(shape: str, turn: float, same: bool) -> None:
    for theta in (0.1, 0.7, 2.0):
        first, again = turned(shape, theta), turned(shape, theta + turn)
        differing = (first != again).sum().item()
        assert (differing <= 2) == same, differing  # rounding may move a pixel on the edge


def test_the_last_orientation_is_the_first_and_no_other_is() -> None:
    pictures = torch.stack([at(orientation=i) for i in range(40)])
    same = (pictures != pictures[0]).flatten(1).sum(1) <= 2
    assert same.nonzero()[:, 0].tolist() == [0, 39]


def test_x_goes_right_y_goes_down_by_a_pixel_and_a_heart_stands_upright() -> None:
    middle = at()
    assert torch.equal(at(x=17), middle.roll(1, 1))
    assert torch.equal(at(y=17), middle.roll(1, 0))
    mirrored = middle.flip(1).roll(1, 1)  # its centre is that of pixel 32
    assert torch.equal(middle, mirrored)
    rows = middle.sum(1).nonzero()[:, 0]
    assert middle[rows[0]].sum() > middle[rows[-1]].sum()  # two lobes above, a point below


def test_size_is_a_choice_and_keeps_the_shape() -> None:
    small, large = turned("heart", 0.3, 32).float(), turned("heart", 0.3, 128).float()
    assert 16 * small.sum() == pytest.approx(large.sum().item(), rel=0.05)


def test_colours_are_channels() -> None:
    white = draw(torch.tensor([[0, 1, 5, 3, 8, 8]]))
    colours = torch.arange(len(COLOURS))
    rgb = coloured(white.expand(len(COLOURS), -1, -1, -1), colours)
    assert rgb.shape == (7, 3, 64, 64)
    for picture, on in zip(rgb, COLOURS.values(), strict=True):
        for channel, lit in zip(picture, on, strict=True):
            assert torch.equal(channel, white[0, 0] * lit)


def test_a_grid_can_be_thinned_and_what_has_one_value_is_no_factor() -> None:
    grid = Grid.of({"orientation": 40, "x": 8, "y": 31}, ["heart", "square"], ["red", "white"])
    assert [f.name for f in grid.space.fields] == ["colour", "shape", "scale", "x", "y"]
    assert len(grid) == 2 * 2 * 6 * 4 * 2
    values = grid.values(torch.arange(len(grid)))
    assert values[:, 3].unique().tolist() == pytest.approx([0, 8 / 31, 16 / 31, 24 / 31])
    assert values[:, 4].unique().tolist() == [0, 1]
    assert grid.indices(torch.tensor([0, len(grid) - 1])).tolist() == [
        [0, 0, 0, 0, 0, 0], [1, 2, 5, 0, 24, 31],
    ]  # fmt: skip
    assert grid.coloured
    assert not EVERYTHING.coloured


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": 0}, "1 or more"),
        ({"every": {"orientaton": 2}}, "did you mean 'orientation'"),
        ({"shapes": ["hart"]}, "did you mean 'heart'"),
        ({"colours": ["pink"]}, "no 'pink'"),
        ({"shapes": []}, "names nothing"),
    ],
)
def test_a_wrong_grid_is_told(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Grid.of(**options)  # type: ignore[arg-type]


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("the pickle was opened",))


COUNTS = (3, 2, 4, 2, 3)


def write_official(path: Path, classes: np.ndarray, pictures: np.ndarray) -> None:
    """A file in the form of the published one, its metadata a pickle that must not be opened."""
    bomb = np.empty((), object)
    bomb[()] = Bomb()
    np.savez_compressed(path, metadata=bomb, imgs=pictures, latents_classes=classes)


def test_the_published_file_is_packed_and_its_pickle_never_opened(tmp_path: Path) -> None:
    classes = np.stack(np.unravel_index(np.arange(144), (1, *COUNTS)), 1)
    pictures = np.random.default_rng(0).integers(0, 2, (144, 64, 64), dtype=np.uint8)
    write_official(tmp_path / "d.npz", classes, pictures)
    with pytest.raises(ValueError, match="allow_pickle"), np.load(tmp_path / "d.npz") as file:
        file["metadata"]  # what a careless reader would meet: numpy refuses by itself
    packed = published(tmp_path / "d.npz", COUNTS)
    assert packed.bits.nbytes == pictures.nbytes // 8
    rows = torch.tensor([143, 0, 77])
    assert np.array_equal(packed(torch.from_numpy(classes)[rows])[:, 0].numpy(), pictures[rows])


def test_a_damaged_or_foreign_file_is_told(tmp_path: Path) -> None:
    classes = np.stack(np.unravel_index(np.arange(144), (1, *COUNTS)), 1)
    pictures = np.zeros((144, 64, 64), np.uint8)
    write_official(tmp_path / "other.npz", classes[::-1], pictures)
    with pytest.raises(UserError, match="not dSprites"):
        published(tmp_path / "other.npz", COUNTS)
    write_official(tmp_path / "wide.npz", classes, pictures.astype(np.float32))
    with pytest.raises(UserError, match="float32"):
        published(tmp_path / "wide.npz", COUNTS)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "other.npz").read_bytes()[:500])
    with pytest.raises(UserError, match="cannot be read"):
        published(tmp_path / "cut.npz", COUNTS)
