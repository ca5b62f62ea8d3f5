"""The kind of drawn shapes: options, factors, what a model is given, and the way back."""

import json
from pathlib import Path

import pytest
import torch

from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category
from twofold.data.doctor import examine, recall, remember
from twofold.data.kinds.shapes import Shapes
from twofold.data.shapes2d import Shelf, draw
from twofold.data.sources import Known, Made, Memory, Subset, whole

SMALL = {"every": 8, "size": 16}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No published file anywhere."""
    monkeypatch.setenv("TWOFOLD_DATA", str(tmp_path))
    monkeypatch.setenv("TWOFOLD_CACHE", str(tmp_path))
    return tmp_path


def test_the_whole_set_is_drawn_on_demand() -> None:
    found = examine("shapes2d")
    assert len(found.source) == 737_280
    assert isinstance(found.source, Known)
    assert isinstance(found.source.source, Made)  # 3 GB were not drawn
    rows = torch.tensor([700_000, 3])
    read = found.source.read(rows)
    assert torch.equal(read.values, draw(found.kind.grid.indices(rows)))  # type: ignore[attr-defined]
    assert read.given.shape == (2, 0)
    assert found.kind.space.fields[0].domain == Bounded(0, 1, 2)
    assert found.source.factors().shape == (737_280, 5)
    assert "737,280 observations" in str(found)


def test_in_memory_and_on_demand_are_the_same_rows() -> None:
    kept, made = (examine("shapes2d", stream=s, **SMALL).source for s in ("never", "always"))
    assert isinstance(kept, Known)
    assert isinstance(kept.source, Memory)
    assert torch.equal(whole(kept).values, whole(made).values)
    assert torch.equal(kept.factors(), made.factors())


def test_what_a_model_is_given_is_no_factor() -> None:
    found = examine("shapes2d", given=("scale", "colour"), colours=("red", "blue"), every=2)
    kind, source = found.kind, found.source
    assert [f.name for f in kind.given.fields] == ["colour", "scale"]
    assert [f.name for f in kind.factors.fields] == ["shape", "orientation", "x", "y"]
    assert kind.given["colour"].domain == Category(("red", "blue"))
    assert all(field.missing for field in kind.given.fields)
    assert source.read(torch.tensor([0])).given.tolist() == [[0.0, 0.5]]
    assert source.labels().shape == (len(source), 2)
    assert kind.space.shape == (3, 64, 64)
    part = Subset(source, torch.tensor([len(source) - 1]))
    assert part.factors().tolist()[0] == pytest.approx([2, 6.1221, 30 / 31, 30 / 31], abs=1e-4)


def test_the_codec_comes_back_and_reads_its_own_files(nowhere: Path) -> None:
    for options in (SMALL, {**SMALL, "colours": ("red", "white"), "given": ("x",)}):
        found = examine("shapes2d", **options)
        again = recall(json.loads(json.dumps(remember(found.kind))))
        assert again == found.kind
        rows = found.source.read(torch.tensor([5, 9]))
        written = found.kind.write(rows, nowhere / str(len(options)))
        assert [path.name for path in written[:2]] == ["grid.png", "samples.npy"]
        assert torch.equal(whole(again.open(written[1])).values, rows.values)
        assert torch.equal(again.space.decode(again.space.encode(rows.values)), rows.values)
        assert found.kind.draw(rows).dtype == torch.uint8


def test_the_published_pictures_are_used_where_they_are(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf((nowhere / "d.npz",))
    assert Shapes.inspect(shelf)[0].pictures == "official"
    assert Shapes.inspect(shelf, size=32)[0].pictures == "drawn"
    assert Shapes.inspect(shelf, pictures="drawn")[0].pictures == "drawn"
    kind = Shapes.inspect(shelf, every=8)[0]
    inverted = lambda indices: 1 - draw(indices)  # noqa: E731
    monkeypatch.setattr("twofold.data.shapes2d.published", lambda path: inverted)
    ours = Shapes.inspect(shelf, every=8, pictures="drawn")[0]
    assert torch.equal(whole(kind.open(shelf)).values, 1 - whole(ours.open(shelf)).values)
    with pytest.raises(UserError, match="published pictures"):
        kind.open(Shelf())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 0}, "within 1"),
        ({"given": ("sise",)}, "data.given has 'sise'"),
        ({"pictures": "official"}, "dsprites_ndarray"),
        ({"evry": 2}, "did you mean 'every'"),
    ],
)
def test_wrong_options_are_told(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        examine("shapes2d", **options)


def test_a_label_can_be_kept_from_the_model() -> None:
    digits = examine("digits", given=())
    assert digits.kind.given.fields == ()
    assert [f.name for f in digits.kind.factors.fields] == ["label"]
    assert digits.source.labels().shape == (1797, 0)
    told = examine("digits")
    assert torch.equal(told.source.labels(), digits.source.factors())
    assert told.source.factors().shape == (1797, 0)
    assert recall(json.loads(json.dumps(remember(digits.kind)))) == digits.kind
    older = {k: v for k, v in remember(told.kind).items() if k != "factors"}
    assert recall(older) == told.kind  # a run from before there were factors
    with pytest.raises(UserError, match="did you mean 'label'"):
        examine("digits", given=("lable",))


def test_attributes_of_images_can_be_kept_from_the_model(nowhere: Path) -> None:
    from PIL import Image

    for name in ("a", "b"):
        for i in range(3):
            (nowhere / "set" / name).mkdir(parents=True, exist_ok=True)
            Image.new("L", (8, 8), 40 * i).save(nowhere / "set" / name / f"{i}.png")
    told, kept = (examine(nowhere / "set", given=g) for g in ("all", ()))
    assert [f.name for f in told.kind.given.fields] == ["label"]
    assert kept.kind.given.fields == ()
    assert torch.equal(kept.source.factors(), told.source.labels())
    assert recall(json.loads(json.dumps(remember(kept.kind)))) == kept.kind
