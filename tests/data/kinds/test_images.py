"""Images: the inverse is exact, the rules are kept, and bad input is told in one sentence."""

import io
import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from twofold.core.errors import UserError
from twofold.core.space import Bounded, Category, Real
from twofold.data import pixels
from twofold.data.kind import Finding
from twofold.data.kinds import images as images_module
from twofold.data.kinds.images import Images
from twofold.data.sources import Memory, Streamed, whole

rng = np.random.default_rng(0)


def noise(mode: str, height: int = 12, width: int = 9) -> Image.Image:
    """An image of a mode with random pixels."""
    if mode == "I;16":
        return Image.fromarray(rng.integers(0, 65536, (height, width), dtype=np.uint16))
    rgba = Image.fromarray(rng.integers(0, 256, (height, width, 4), dtype=np.uint8))
    if mode == "1":
        return rgba.convert("L").point(lambda v: 255 * (v > 127)).convert("1")
    if mode == "P":
        return rgba.convert("RGB").quantize(16)
    return rgba.convert("RGB").convert(mode) if mode == "CMYK" else rgba.convert(mode)


def folder_of(path: Path, **named: Image.Image) -> Path:
    """A folder of PNG (or TIFF for CMYK) files; `a__b` is b in the sub-folder a."""
    for name, image in named.items():
        suffix = ".tif" if image.mode == "CMYK" else ".png"
        file = path / (name.replace("__", "/") + suffix)
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file)
    return path


def texts(findings: list[Finding]) -> str:
    return "\n".join(f"{finding.level}: {finding.text}" for finding in findings)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("stream", ["always", "never"])
def test_read_and_written_again_the_pixels_are_equal(
    mode: str, stream: images_module.Streams, tmp_path: Path
) -> None:
    every = {f"{i}": noise(mode) for i in range(5)}
    path = folder_of(tmp_path / "in", **every)
    kind, _ = Images.inspect(path, stream=stream)
    source = kind.open(path)
    assert isinstance(source, Streamed if stream == "always" else Memory)
    rows = whole(source)
    overview, *written = kind.write(rows, tmp_path / "out")
    assert overview.name == "grid.png"
    for path, image, native in zip(written, every.values(), kind.native(rows), strict=True):
        again = Image.open(path)
        assert again.mode == native.mode == mode
        assert np.array_equal(np.array(again), np.array(image))
    values = kind.space.decode(kind.space.encode(rows.values))
    assert torch.allclose(values, rows.values.float(), atol=1e-2)


@pytest.mark.parametrize(
    ("modes", "channels", "levels"),
    [
        (["1"], 1, 2),
        (["L"], 1, 256),
        (["I;16"], 1, 65536),
        (["LA"], 2, 256),
        (["RGB"], 3, 256),
        (["RGBA"], 4, 256),
        (["P"], 3, 256),
        (["CMYK"], 3, 256),
        (["L", "1"], 1, 256),
        (["L", "I;16"], 1, 65536),
        (["RGB", "L"], 3, 256),
        (["RGB", "LA"], 4, 256),
        (["RGB", "I;16"], 3, 256),
        (["LA", "I;16"], 2, 256),
        (["1", "L", "LA", "RGB", "RGBA", "I;16", "P", "CMYK"], 4, 256),
    ],
)
def test_the_richest_mode_wins(
    modes: list[str], channels: int, levels: int, tmp_path: Path
) -> None:
    path = folder_of(tmp_path, **{f"{i}": noise(mode) for i, mode in enumerate(modes)})
    kind, findings = Images.inspect(path)
    rows = whole(kind.open(path))
    assert (kind.form.channels, kind.form.levels) == (channels, levels)
    assert rows.values.shape == (len(modes), channels, 12, 9)
    assert rows.values.dtype == (torch.int32 if levels > 256 else torch.uint8)
    assert ("all become" in texts(findings)) == (
        len({m == "1" or m for m in modes}) > 1 and modes != ["L", "1"]
    )
    assert kind.draw(rows).shape[:2] == (len(modes), 3)


def test_eight_bits_become_sixteen_and_back_exactly() -> None:
    image = noise("L")
    wide = pixels.fitted(image, pixels.Form(12, 9, 1, 65536))
    assert torch.equal(wide, torch.from_numpy(np.array(image)).int()[None] * 257)
    back = pixels.fitted(pixels.image_of(wide, 65536), pixels.Form(12, 9, 1, 256))
    assert torch.equal(back[0], torch.from_numpy(np.array(image)))


def test_opacity_that_is_not_kept_lies_over_white() -> None:
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert (pixels.fitted(clear, pixels.Form(4, 4, 3)) == 255).all()
    assert (pixels.fitted(clear, pixels.Form(4, 4, 1)) == 255).all()


def test_a_transparent_palette_keeps_its_opacity(tmp_path: Path) -> None:
    noise("P").save(tmp_path / "a.png", transparency=0)
    kind, _ = Images.inspect(tmp_path)
    values = whole(kind.open(tmp_path)).values
    assert kind.form.channels == 4
    assert set(values[0, 3].unique().tolist()) == {0, 255}


def test_the_camera_is_turned_upright(tmp_path: Path) -> None:
    image = Image.fromarray(np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[None], 16, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise makes it upright
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    kind, _ = Images.inspect(tmp_path)
    values = whole(kind.open(tmp_path)).values[0, 0].float()
    assert kind.space.axes == (24, 16)
    assert (values[1:].mean(1) > values[:-1].mean(1)).all()


def test_the_most_common_size_wins_and_else_the_medians(tmp_path: Path) -> None:
    common = folder_of(tmp_path / "a", x=noise("L"), y=noise("L"), z=noise("L", 30, 40))
    mixed = folder_of(
        tmp_path / "b", x=noise("L", 10, 20), y=noise("L", 30, 40), z=noise("L", 50, 30)
    )
    assert Images.inspect(common)[0].space.axes == (12, 9)
    kind, findings = Images.inspect(mixed)
    assert kind.space.axes == (30, 30)
    assert "3 sizes from 10 × 20 to 50 × 30" in texts(findings)


def test_options_overrule_the_rules(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a=noise("RGB"), b=noise("RGB", 100, 300))
    kind, _ = Images.inspect(path, size=(16, 24), channels=1, levels=65536, crop="none", flip=True)
    rows = whole(kind.open(path))
    assert rows.values.shape == (2, 1, 16, 24)
    assert kind.form.levels == 65536
    assert kind.form.stretch
    assert len(kind.augments) == 1
    assert len(Images.inspect(path, crop="random", flip=True)[0].augments) == 2


def test_a_pattern_chooses_files(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a__x=noise("L"), a__mask=noise("L"), b__x=noise("L"))
    kind, _ = Images.inspect(path, files="x.*")
    assert len(kind.open(path)) == 2
    with pytest.raises(UserError, match="no image that matches"):
        Images.inspect(path, files="*.jpg")


def test_the_centre_is_kept() -> None:
    array = np.zeros((10, 30), np.uint8)
    array[:, 10:20] = 200
    values = pixels.fitted(Image.fromarray(array), pixels.Form(10, 10, 1))
    assert (values == 200).all()
    stretched = pixels.fitted(Image.fromarray(array), pixels.Form(10, 10, 1, 256, True))
    assert stretched.float().mean() == pytest.approx(200 / 3, abs=3)


def test_sub_folders_are_labels_and_single_ones_are_told(tmp_path: Path) -> None:
    path = folder_of(
        tmp_path, cat__a=noise("L"), cat__b=noise("L"), dog__deep__c=noise("L"), loose=noise("L")
    )
    kind, findings = Images.inspect(path)
    assert kind.given["label"].domain == Category(("cat", "dog"))
    labels = kind.open(path).labels()
    assert labels[:3, 0].tolist() == [0, 0, 1]
    assert labels[3, 0].isnan()
    assert "warning: labels seen once: dog" in texts(findings)
    names = [p.name for p in kind.write(whole(kind.open(path)), tmp_path / "out")]
    assert names == ["grid.png", "000000-cat.png", "000001-cat.png", "000002-dog.png", "000003.png"]


def test_copies_in_folders_are_scenes_and_no_labels(tmp_path: Path) -> None:
    pairs = {
        f"{copy}__{name}": noise("L") for copy in ("first", "second") for name in ("fox", "owl")
    }
    path = folder_of(tmp_path, **pairs)
    kind, findings = Images.inspect(path, copies="folder")
    source = kind.open(path)
    assert kind.copied
    assert not kind.given.fields
    assert "4 files are 2 noisy copies of 2 scenes" in texts(findings)
    assert source.scenes().tolist() == [0, 1, 0, 1]
    assert source.groups().equal(source.scenes())
    assert Images.from_dict(kind.to_dict()) == kind
    told = texts(Images.inspect(path)[1])
    assert "data.copies=folder" in told
    assert "2 labels" in told


def test_copies_by_number_and_within_the_parts_of_a_split(tmp_path: Path) -> None:
    names = ("owl_1", "owl_2", "fox-1", "fox-02", "2024")
    kind, _ = Images.inspect(folder_of(tmp_path / "n", **{n: noise("L") for n in names}),
                             copies="number")  # fmt: skip
    scenes = dict(zip(kind.names(tmp_path / "n"), kind.open(tmp_path / "n").scenes().tolist(),
                      strict=True))  # fmt: skip
    assert scenes["owl_1.png"] == scenes["owl_2.png"]
    assert scenes["fox-1.png"] == scenes["fox-02.png"]
    assert len(set(scenes.values())) == 3
    parted = {f"{part}__{copy}__a": noise("L") for part in ("train", "test") for copy in "xy"}
    kind, _ = Images.inspect(folder_of(tmp_path / "p", **parted), copies="folder")
    assert kind.open(tmp_path / "p").scenes().tolist() == [0, 0, 1, 1]


def test_copies_that_are_not_there_are_refused(tmp_path: Path) -> None:
    path = folder_of(tmp_path, first__fox=noise("L"), second__owl=noise("L"))
    with pytest.raises(UserError, match="the same name in different sub-folders"):
        Images.inspect(path, copies="folder")
    with pytest.raises(UserError, match="owl_1"):
        Images.inspect(path, copies="number")


def test_labels_keep_their_numbers_on_other_data(tmp_path: Path) -> None:
    first = folder_of(tmp_path / "a", cat__a=noise("L"), dog__a=noise("L"), emu__a=noise("L"))
    other = folder_of(tmp_path / "b", emu__a=noise("L"), ox__a=noise("L"))
    single = folder_of(tmp_path / "c", dog__a=noise("L"), dog__b=noise("L"))
    kind, _ = Images.inspect(first)
    assert str(kind.open(other).labels()[:, 0].tolist()) == "[2.0, nan]"
    assert kind.open(single).labels()[:, 0].tolist() == [1, 1]


def test_folders_named_train_and_test_are_the_split(tmp_path: Path) -> None:
    path = folder_of(
        tmp_path,
        set__train__cat__a=noise("L"),
        set__train__dog__b=noise("L"),
        set__test__dog__c=noise("L"),
    )
    kind, findings = Images.inspect(path)
    source = kind.open(path)
    assert kind.given["label"].domain == Category(("cat", "dog"))
    assert {part: rows.tolist() for part, rows in source.official.items()} == {
        "test": [0],
        "train": [1, 2],
    }
    assert "official split" in texts(findings)


def test_side_files_give_attributes(tmp_path: Path) -> None:
    path = folder_of(tmp_path, **{f"{i:02d}": noise("L") for i in range(14)})
    lines = [f"{i:02d}.png,{i * 1.5},{'fm'[i % 2]},words {i} here" for i in range(12)]
    (path / "attributes.csv").write_text(
        "\n".join(["file,age,sex,text", *lines, "13.png,,f,", "zz.png,1,f,"])
    )
    kind, findings = Images.inspect(path)
    given = kind.open(path).labels()
    assert [field.name for field in kind.given.fields] == ["age", "sex", "text"]
    assert isinstance(kind.given["age"].domain, Real)
    assert given[:12, 0].tolist() == [i * 1.5 for i in range(12)]
    assert given[12].isnan().all()
    assert str(given[13, :2].tolist()) == "[nan, 0.0]"
    assert "1 files that are not there" in texts(findings)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"name,x\na,1\n", "no column 'file'"),
        (b"file,x\n0.png\n", "line 2: 1 cells, not 2"),
        (b"file,x\n0.png,\xff\n", "not a text table"),
        (b'file,x\n0.png,"a\n', "not a text table"),
    ],
)
def test_a_damaged_side_file_is_told(text: bytes, sentence: str, tmp_path: Path) -> None:
    path = folder_of(tmp_path, **{"0": noise("L")})
    (path / "labels.csv").write_bytes(text)
    with pytest.raises(UserError, match=sentence):
        Images.inspect(path)


def bad_folder(path: Path) -> Path:
    folder_of(path, **{f"{i}": noise("L", 40, 40) for i in range(5)})
    whole_file = (path / "1.png").read_bytes()
    (path / "1.png").write_bytes(whole_file[: len(whole_file) // 2])
    (path / "3.png").write_bytes(b"")
    return path


def test_a_bad_image_is_named(tmp_path: Path) -> None:
    path = bad_folder(tmp_path)
    with pytest.raises(UserError, match=r"^3\.png cannot be read"):
        Images.inspect(path)
    (path / "3.png").unlink()
    with pytest.raises(UserError, match=r"^1\.png cannot be read"):
        Images.inspect(path)


def test_a_bad_image_that_was_not_looked_at_is_named_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bad_folder(tmp_path)
    monkeypatch.setattr(images_module, "LOOK", 2)
    kind, findings = Images.inspect(path, stream="always")
    assert "2 of 5 images were decoded to look" in texts(findings)
    source = kind.open(path)
    source.read(torch.tensor([0, 4]))
    with pytest.raises(UserError, match=r"^1\.png cannot be read"):
        source.read(torch.tensor([0, 1]))


@pytest.mark.parametrize("stream", ["always", "never"])
def test_bad_images_are_left_out_counted_and_named(
    stream: images_module.Streams, tmp_path: Path
) -> None:
    path = bad_folder(tmp_path)
    kind, findings = Images.inspect(path, skip_bad=True, stream=stream)
    assert "2 unreadable images were left out: 1.png, 3.png" in texts(findings)
    rows = whole(kind.open(path))
    expected = [np.array(Image.open(path / f"{i}.png")) for i in (0, 2, 4)]
    assert np.array_equal(rows.values[:, 0].numpy(), np.stack(expected))


def test_pictures_of_sorts_that_are_not_read_are_told(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a=noise("L"), b=noise("L"))
    assert "passed over" not in texts(Images.inspect(path)[1])
    for name in ("IMG_1.HEIC", "IMG_2.heic", "film.mp4", "notes.txt", ".DS_Store", "plain"):
        (path / name).write_bytes(b"")
    told = texts(Images.inspect(path)[1])
    assert "warning: 3 files were passed over" in told
    assert "(.heic 2, .mp4 1)" in told
    assert "passed over" not in texts(Images.inspect(path, files="*.png")[1])


def test_a_bad_image_is_left_out_of_every_count(tmp_path: Path) -> None:
    names = {f"cat__{i}": noise("L", 40, 40) for i in range(3)}
    path = folder_of(tmp_path, **names, dog__a=noise("L", 40, 40), dog__b=noise("L", 40, 40))
    for bad in ("cat/0.png", "dog/a.png", "dog/b.png"):
        (path / bad).write_bytes(b"")
    kind, findings = Images.inspect(path, skip_bad=True)
    told = texts(findings)
    assert "2 images of 40 × 40" in told
    assert "sub-folders are 1 label: cat 2" in told
    assert kind.given.fields[0].domain == Category(("cat",))
    assert not whole(kind.open(path)).given.isnan().any()


def test_nothing_but_bad_images(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no")
    with pytest.raises(UserError, match=r"a\.png cannot be read"):
        Images.inspect(tmp_path, skip_bad=True)


def test_an_absurd_size_is_refused_by_name(tmp_path: Path) -> None:
    Image.new("1", (8193, 8192)).save(tmp_path / "huge.png")
    with pytest.raises(UserError, match=r"huge\.png is 8193 × 8192 pixels, above the limit"):
        Images.inspect(tmp_path)


def test_what_is_odd_is_coped_with_and_told(tmp_path: Path) -> None:
    same = noise("RGB")
    twins = folder_of(tmp_path / "a", a=same, b=same, c=noise("RGB"))
    flat = folder_of(tmp_path / "b", a=Image.new("L", (5, 5), 7))
    dark = folder_of(tmp_path / "c", a=Image.fromarray(np.arange(64, dtype=np.uint16)[None] * 50))
    grey = folder_of(tmp_path / "d", a=noise("L").convert("RGBA"))
    assert "1 of 3 images equal another" in texts(Images.inspect(twins)[1])
    assert "1 of 1 images are of one constant tone" in texts(Images.inspect(flat)[1])
    assert "there is a single image" in texts(Images.inspect(flat)[1])
    assert "levels in use is 3,150" in texts(Images.inspect(dark)[1])
    assert "hold only greys" in texts(Images.inspect(grey)[1])
    assert "every image is opaque" in texts(Images.inspect(grey)[1])


def test_two_tones_are_binary_and_can_be_kept_grey(tmp_path: Path) -> None:
    path = folder_of(tmp_path, a=noise("1").convert("L"))
    assert Images.inspect(path)[0].space["pixel"].domain == Bounded(0, 255, 2)
    assert Images.inspect(path, levels=256)[0].space["pixel"].domain == Bounded(0, 255, 256)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": -1}, "data.size"),
        ({"channels": 5}, "data.channels"),
        ({"levels": 2, "channels": 3}, "data.levels"),
        ({"levels": 2}, "data.levels"),
    ],
)
def test_options_that_no_image_can_have(
    options: dict[str, int], sentence: str, tmp_path: Path
) -> None:
    path = folder_of(tmp_path, a=noise("RGB"))
    with pytest.raises(UserError, match=sentence):
        Images.inspect(path, **options)  # type: ignore[arg-type]


def test_nothing_there(tmp_path: Path) -> None:
    assert not Images.accepts(tmp_path)
    assert not Images.accepts(tmp_path / "none")
    assert not Images.accepts(np.zeros(3))
    with pytest.raises(UserError, match="holds no image"):
        Images.inspect(tmp_path)
    with pytest.raises(UserError, match="is not there"):
        Images.inspect(tmp_path / "none")


def test_a_zip_and_a_single_file_are_the_same_as_the_folder(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "in", cat__a=noise("RGB"), dog__b=noise("RGB"))
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for file in sorted(path.rglob("*.png")):
            archive.write(file, file.relative_to(tmp_path))
    kind, _ = Images.inspect(path)
    zipped, _ = Images.inspect(tmp_path / "in.zip")
    single, _ = Images.inspect(path / "cat" / "a.png")
    rows, again = whole(kind.open(path)), whole(zipped.open(tmp_path / "in.zip"))
    assert kind == zipped
    assert Images.accepts(tmp_path / "in.zip")
    assert Images.accepts(path / "cat" / "a.png")
    assert torch.equal(rows.values, again.values)
    assert torch.equal(rows.given, again.given)
    assert torch.equal(whole(single.open(path / "cat" / "a.png")).values, rows.values[:1])


def test_the_codec_is_plain_data(tmp_path: Path) -> None:
    import json

    path = folder_of(tmp_path, cat__a=noise("RGB"), dog__b=noise("RGB"))
    kind, _ = Images.inspect(path, crop="random", skip_bad=True)
    assert Images.from_dict(json.loads(json.dumps(kind.to_dict()))) == kind


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "in", a=noise("L"), b=noise("L"))
    kind, _ = Images.inspect(path)
    first = kind.write(whole(kind.open(path)), tmp_path / "out")
    before = [file.read_bytes() for file in first]
    second = kind.write(whole(kind.open(path)), tmp_path / "out")
    assert [file.name for file in second] == ["grid-2.png", "000002.png", "000003.png"]
    assert [file.read_bytes() for file in first] == before
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        kind.write(whole(kind.open(path)), tmp_path / "file")


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise("RGB", 20, 20).save(buffer, kind)
    return buffer.getvalue()


WHOLE = {kind: encoded(kind) for kind in pixels.FORMATS}


@settings(max_examples=200)
@given(st.sampled_from(sorted(WHOLE)), st.randoms(use_true_random=False), st.integers(0, 6))
def test_damaged_images_raise_nothing_but_user_errors(
    kind: str, chance: random.Random, times: int
) -> None:
    data = bytearray(WHOLE[kind])
    for _ in range(times):
        data[chance.randrange(len(data))] = chance.randrange(256)
    damaged = bytes(data[: chance.randrange(len(data) + 1)])
    for read in (lambda f: pixels.header(f, "x"), lambda f: pixels.decode(f, "x", FORM)):
        with suppress(UserError):
            read(io.BytesIO(damaged))


FORM = pixels.Form(8, 8, 3)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_image(data: bytes) -> None:
    with pytest.raises(UserError, match=r"^x "):
        pixels.decode(io.BytesIO(data), "x", FORM)


@pytest.mark.parametrize(
    ("name", "file", "count", "channels", "labels"),
    [
        ("magnetic-tile", "magnetic_tile.zip", 544, 1, ("MT_Blowhole", "MT_Crack", "MT_Free")),
        ("twemoji", "twemoji_72x72.zip", 3838, 4, ()),
        ("smiles", "smiles_64.zip", 5000, 1, ("neutral", "smile")),
    ],
)
def test_real_files(
    name: str,
    file: str,
    count: int,
    channels: int,
    labels: tuple[str, ...],
    named: Callable[[str], Path],
) -> None:
    path = named(name) / file
    kind, findings = Images.inspect(path, size=32)
    source = kind.open(path)
    assert len(source) == count
    assert kind.form.channels == channels
    assert (kind.given["label"].domain.labels if labels else ()) == labels  # type: ignore[attr-defined]
    assert f"{count:,} images" in texts(findings)
    assert len(whole(source, 64).values.unique()) > 30


@pytest.mark.parametrize("form", ["jpg", "png", "tif"])
def test_a_camera_held_upright_is_seen_before_the_pixels_are(form: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    noise("RGB", 8, 12).save(tmp_path / f"a.{form}", exif=exif)
    kind, found = Images.inspect(tmp_path)
    assert kind.space.axes == (12, 8)
    assert "crop" not in texts(found)


@pytest.mark.parametrize("name", ["mixed.png", "edits-2.png", "way.gif"])
def test_no_other_overview_is_either(name: str, tmp_path: Path) -> None:
    path = folder_of(tmp_path, **{"000000-cat": noise("L"), "000001-dog": noise("L")})
    noise("L", 50, 90).save(path / name)
    kind, _ = Images.inspect(path)
    assert len(kind.open(path)) == 2


def test_an_overview_of_draws_is_none_of_them(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "in", **{f"{i}": noise("RGB") for i in range(3)})
    kind, _ = Images.inspect(path)
    rows = whole(kind.open(path))
    overview, *_ = kind.write(rows, tmp_path / "out", across=3)
    kind.write(rows, tmp_path / "out")
    assert len(kind.open(tmp_path / "out")) == 6
    with Image.open(overview) as sheet:
        assert sheet.width > 2 * sheet.height  # three in a row, where two would be squarer
    noise("RGB").save(path / "grid.png")  # one's own, beside files of other names
    assert len(kind.open(path)) == 4
    assert len(kind.open(overview)) == 1


@pytest.mark.parametrize("above", ["", "draws"])
def test_a_zipped_folder_of_draws_is_the_folder(above: str, tmp_path: Path) -> None:
    path = folder_of(tmp_path / "in", **{f"{i}": noise("RGB") for i in range(3)})
    kind, _ = Images.inspect(path)
    kind.write(whole(kind.open(path)), tmp_path / "out" / "mine")
    (tmp_path / "out" / "other").mkdir()
    noise("RGB").save(tmp_path / "out" / "other" / "grid.png")  # one's own
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        for file in sorted((tmp_path / "out").rglob("*.png")):
            archive.write(file, Path(above, file.relative_to(tmp_path / "out")))
    folder, zipped = (whole(kind.open(tmp_path / name)) for name in ("out", "out.zip"))
    assert len(folder) == 4
    assert torch.equal(folder.values, zipped.values)
