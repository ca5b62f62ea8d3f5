"""Data by name: where its files lie, how they are read, what may be done with them.

A name is looked for in `$TWOFOLD_DATA/NAME`, then in the user's cache (`$TWOFOLD_CACHE/NAME`, else
`~/.cache/twofold/NAME`), and is then downloaded there from its public home. A file that is there
already is accepted when it parses to the expected shape, gzipped or not. The publisher's own split
is kept. `digits`, `breast-cancer`, `wine`, `iris` and `diabetes` come with scikit-learn, and
`shapes2d` is drawn: they need no file.

>>> found = find("digits")
>>> found.where.rows.shape, found.kind
((1797, 8, 8), 'arrays')
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from twofold.core.errors import UserError, nearest
from twofold.data import idx, shapes2d
from twofold.data.block import Array, Block, from_npz
from twofold.data.download import Progress, Remote, download, silent
from twofold.data.shapes2d import Shelf

Finder = Callable[[str], Path]


@dataclass(frozen=True)
class Found:
    """A named set, ready for a kind.

    Args:
        where: what the kind opens: a path, a data frame, a block.
        kind: the name of the kind.
        options: of its `inspect`.
        official: row numbers of the publisher's own split.
    """

    where: Any
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    official: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Named:
    """A data set that has a name.

    Args:
        what: in one line.
        make: reads it, given where each of its files is.
        home: where it is described; licence: under which terms it may be used.
        files: what is downloaded; a file without an address has to be put in place by hand.
    """

    what: str
    make: Callable[[Finder], Found]
    home: str
    licence: str
    files: tuple[Remote, ...] = ()


def find(name: str, progress: Progress = silent) -> Found:
    """A named set, downloaded if need be.

    Raises:
        UserError: an unknown name, no network, a damaged file.
    """
    if name not in NAMED:
        raise UserError(f"{name!r} is no data set; {nearest(name, NAMED)}")
    remotes = {remote.name: remote for remote in NAMED[name].files}

    def place(file: str) -> Path:
        there = local(name, file)
        return there[0] if there else fetched(name, remotes[file], progress)

    return NAMED[name].make(place)


def is_here(name: str) -> bool:
    """Whether a named set can be had without a download."""
    return all(local(name, remote.name) for remote in NAMED[name].files)


def folders() -> list[Path]:
    """Where files are looked for, the last being where they are downloaded to."""
    cache = os.environ.get("TWOFOLD_CACHE") or Path.home() / ".cache" / "twofold"
    own = os.environ.get("TWOFOLD_DATA")
    return [*([Path(own)] if own else []), Path(cache)]


def local(name: str, file: str) -> list[Path]:
    """The places where a file of a named set is, gzipped or not."""
    plain = file.removesuffix(".gz")
    places = (folder / name / form for folder in folders() for form in (plain, f"{plain}.gz"))
    return [place for place in places if place.is_file()]


def fetched(name: str, remote: Remote, progress: Progress) -> Path:
    """Download a file of a named set to the cache."""
    folder = folders()[-1] / name
    if not remote.url:
        raise UserError(
            f"{remote.name} of {name} has no public address; get it from {NAMED[name].home} and "
            f"put it into {folder}"
        )
    return download(remote, folder, progress)


# How each is read.


def idx_images(names: tuple[str, ...]) -> Callable[[Finder], Found]:
    """The four files of MNIST and of the sets made in its likeness."""

    def make(place: Finder) -> Found:
        images = [idx.read(place(f"{part}-images-idx3-ubyte.gz")) for part in ("train", "t10k")]
        labels = [idx.read(place(f"{part}-labels-idx1-ubyte.gz")) for part in ("train", "t10k")]
        shapes = [array.shape for array in (*images, *labels)]
        if shapes != [(60000, 28, 28), (10000, 28, 28), (60000,), (10000,)]:
            raise UserError(f"the files have shapes {shapes}, not those of MNIST; get them again")
        rows, label = np.concatenate(images), np.concatenate(labels).astype(np.int64)
        if label.max() >= len(names):
            raise UserError(f"a label is {label.max()}, not below {len(names)}; get them again")
        official = {"train": np.arange(60000), "test": np.arange(60000, 70000)}
        return Found(Block.of(rows, labels=label, names=names, official=official), "arrays")

    return make


def pneumonia(place: Finder) -> Found:
    path = place("pneumoniamnist.npz")
    block = from_npz(path, "")
    if block.rows.shape[1:] != (28, 28) or block.names != ("0", "1"):
        raise UserError(f"{path} is not PneumoniaMNIST at 28 × 28; get it again")
    return Found(replace(block, names=("normal", "pneumonia")), "arrays")


def digits(place: Finder) -> Found:
    from sklearn.datasets import load_digits

    data = load_digits()
    rows = data.images.astype(np.uint8)
    return Found(Block.of(rows, data.target, levels=17), "arrays")


def from_sklearn(loader: str) -> Callable[[Finder], Found]:
    """A table of scikit-learn with its target as the last column, by name where it has names."""

    def make(place: Finder) -> Found:
        from sklearn import datasets

        data = getattr(datasets, loader)()
        names = [str(name) for name in data.feature_names]
        frame = pandas().DataFrame(data.data, columns=names)
        labels = np.array([str(name) for name in getattr(data, "target_names", ())])
        frame["target"] = labels[data.target] if len(labels) else data.target
        return Found(frame, "tables")

    return make


def pandas() -> Any:
    """The pandas package, which tables need."""
    try:
        import pandas
    except ImportError:
        raise UserError("tables need pandas; install twofold[tables]") from None
    return pandas


def read_csv(path: Path, columns: tuple[str, ...], **how: Any) -> Any:
    """A table without a header, of exactly these columns."""
    try:
        frame = pandas().read_csv(path, header=None, skipinitialspace=True, na_values="?", **how)
    except Exception as error:  # pandas raises anything at all on damaged files
        what = str(error).split("\n")[0][:120]
        raise UserError(f"{path} cannot be read as a table ({what}); get it again") from None
    if frame.shape[1] != len(columns):
        raise UserError(f"{path} has {frame.shape[1]} columns, not {len(columns)}; get it again")
    return frame.set_axis(list(columns), axis=1)


def starts(path: Path, words: tuple[str, ...]) -> bool:
    """Whether the first line of a file, gzipped or not, starts with one of these."""
    try:
        head = idx.unpacked(path.read_bytes(), 1 << 10)
    except (OSError, EOFError) as error:
        raise UserError(f"{path} cannot be read ({error}); get it again") from None
    return head.decode("utf-8", "replace").startswith(words)


ADULT = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "income",
)  # fmt: skip


def adult(place: Finder) -> Found:
    train, test = place("adult.data"), place("adult.test")
    skip = 1 if starts(test, ("|",)) else 0
    frames = [read_csv(train, ADULT), read_csv(test, ADULT, skiprows=skip)]
    frame = pandas().concat(frames, ignore_index=True)
    frame["income"] = frame["income"].str.rstrip(".")
    ends = len(frames[0])
    official = {"train": np.arange(ends), "test": np.arange(ends, len(frame))}
    return Found(frame, "tables", official=official)


WINE = (
    "fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides",
    "free sulfur dioxide", "total sulfur dioxide", "density", "pH", "sulphates", "alcohol",
    "quality",
)  # fmt: skip


def wine_quality(place: Finder) -> Found:
    frames = []
    for colour in ("red", "white"):
        path = place(f"winequality-{colour}.csv")
        published = starts(path, ('"fixed acidity"', "fixed acidity"))
        how = {"sep": ";", "skiprows": 1} if published else {}
        frames.append(read_csv(path, WINE, **how).assign(colour=colour))
    return Found(pandas().concat(frames, ignore_index=True), "tables")


HEART = (
    "age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak",
    "slope", "ca", "thal", "num",
)  # fmt: skip


def heart(place: Finder) -> Found:
    path = place("processed.cleveland.data")
    frame = read_csv(path, HEART, skiprows=1 if starts(path, ('"Age"', "age")) else 0)
    types = ("sex", "cp", "fbs", "restecg", "exang", "slope", "ca", "thal", "num")
    frame = frame.astype(dict.fromkeys(types, "Int64"))
    return Found(frame, "tables", {"types": dict.fromkeys(types, "category")})


MONTHS = (0, 2, 3, 4, 5, 6)
CREDIT = (
    "LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", "AGE",
    *(f"PAY_{i}" for i in MONTHS),
    *(f"BILL_AMT{i}" for i in range(1, 7)),
    *(f"PAY_AMT{i}" for i in range(1, 7)),
    "default",
)  # fmt: skip


def credit(place: Finder) -> Found:
    frame = read_csv(place("data.csv"), CREDIT)
    types = ("SEX", "EDUCATION", "MARRIAGE", "default")
    return Found(frame, "tables", {"types": dict.fromkeys(types, "category")})


def zinc(place: Finder) -> Found:
    """The molecules of ZINC alone, without those that were chosen for their QED."""
    path = place("zinc_subset_props.csv")
    try:
        frame = pandas().read_csv(path, dtype={"smiles": str})
        frame = frame[frame["source"].str.startswith("jtnn_")].drop(columns="source")
    except Exception as error:  # pandas raises anything at all on damaged files
        what = str(error).split("\n")[0][:120]
        raise UserError(f"{path} cannot be read as a table ({what}); get it again") from None
    return Found(frame.reset_index(drop=True), "molecules", {"smiles": "smiles"})


def captions(place: Finder) -> Found:
    """The training captions and those for validation, one after the other."""
    parts = [place(f"{part}.en") for part in ("train", "val")]
    texts = [idx.unpacked(path.read_bytes(), 1 << 26).decode("utf-8") for path in parts]
    lines = [line.strip() for text in texts for line in text.split("\n") if line.strip()]
    return Found(pandas().DataFrame({"text": lines}), "text", {"text": "text"})


def shapes(place: Finder) -> Found:
    """Drawn shapes; the published pictures are used where they are."""
    return Found(Shelf(tuple(local("dsprites", shapes2d.FILE))), "shapes")


def one_file(file: str, kind: str) -> Callable[[Finder], Found]:
    """A set that is one file, which its kind reads by itself."""
    return lambda place: Found(place(file), kind)


def record(place: Finder) -> Found:
    """A WFDB record: its signals and annotations lie beside its header."""
    header, *_ = [place(f"100.{ending}") for ending in ("hea", "dat", "atr")]
    return Found(header, "series")


# What there is.

MNIST_HOME = "https://storage.googleapis.com/cvdf-datasets/mnist"
FASHION_HOME = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases"
ETT_HOME = "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small"
GARMENTS = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot",
)  # fmt: skip
WITH_SKLEARN = "https://scikit-learn.org/stable/datasets/toy_dataset.html"
CC_BY = "CC BY 4.0"


def remotes(home: str, **digests: str) -> tuple[Remote, ...]:
    """Files under one address; `__` in a key stands for a dot, `_` for a hyphen."""
    names = {key.replace("__", ".").replace("_", "-"): value for key, value in digests.items()}
    return tuple(Remote(name, f"{home}/{name}", value) for name, value in names.items())


NAMED: dict[str, Named] = {
    "digits": Named("1,797 handwritten digits, 8 × 8, 17 grey levels", digits, WITH_SKLEARN, CC_BY),
    "mnist": Named(
        "70,000 handwritten digits, 28 × 28",
        idx_images(tuple("0123456789")),
        "http://yann.lecun.com/exdb/mnist",
        "not stated; CC BY-SA 3.0 is commonly cited",
        remotes(
            MNIST_HOME,
            train_images_idx3_ubyte__gz="sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            train_labels_idx1_ubyte__gz="sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            t10k_images_idx3_ubyte__gz="sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            t10k_labels_idx1_ubyte__gz="sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion-mnist": Named(
        "70,000 garments of 10 sorts, 28 × 28",
        idx_images(GARMENTS),
        "https://github.com/zalandoresearch/fashion-mnist",
        "MIT",
        remotes(
            FASHION_HOME,
            train_images_idx3_ubyte__gz="sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            train_labels_idx1_ubyte__gz="sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            t10k_images_idx3_ubyte__gz="sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            t10k_labels_idx1_ubyte__gz="sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    "pneumoniamnist": Named(
        "chest X-rays, 28 × 28, normal or pneumonia",
        pneumonia,
        "https://medmnist.com",
        CC_BY,
        remotes(
            "https://zenodo.org/records/10519652/files",
            pneumoniamnist__npz="md5:28209eda62fecd6e6a2d98b1501bb15f",
        ),
    ),
    "adult": Named(
        "48,842 people of the 1994 census: work, family, income",
        adult,
        "https://archive.ics.uci.edu/dataset/2/adult",
        CC_BY,
        remotes(
            f"{UCI}/adult",
            adult__data="sha256:5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
            adult__test="sha256:a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
        ),
    ),
    "wine-quality": Named(
        "6,497 red and white wines: eleven measurements and a grade",
        wine_quality,
        "https://archive.ics.uci.edu/dataset/186/wine+quality",
        CC_BY,
        remotes(
            f"{UCI}/wine-quality",
            winequality_red__csv="sha256:4a402cf041b025d4566d954c3b9ba8635a3a8a01e039005d97d6a710278cf05e",
            winequality_white__csv="sha256:76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836",
        ),
    ),
    "heart-cleveland": Named(
        "303 patients of the Cleveland clinic, some values missing",
        heart,
        "https://archive.ics.uci.edu/dataset/45/heart+disease",
        CC_BY,
        (Remote("processed.cleveland.data", "", ""),),
    ),
    "credit-default": Named(
        "30,000 credit-card clients and whether they defaulted",
        credit,
        "https://github.com/probabilistic-learning/HI-VAE",
        CC_BY,
        (Remote("data.csv", "", ""),),
    ),
    "ecg5000": Named(
        "500 heartbeats of 140 samples, five classes",
        one_file("ECG5000_TRAIN.txt.gz", "series"),
        "https://www.timeseriesclassification.com/description.php?Dataset=ECG5000",
        "UCR archive, for research",
        (Remote("ECG5000_TRAIN.txt.gz", "", ""),),
    ),
    "ett": Named(
        "17,420 hours of an electricity transformer, seven channels",
        one_file("ETTh1.csv", "series"),
        "https://github.com/zhouhaoyi/ETDataset",
        "CC BY-ND 4.0",
        (
            Remote(
                "ETTh1.csv",
                f"{ETT_HOME}/ETTh1.csv",
                "sha256:f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
            ),
        ),
    ),
    "wfdb": Named(
        "record 100 of the MIT-BIH arrhythmia database: half an hour, two leads, 2,273 beats",
        record,
        "https://physionet.org/content/mitdb",
        "ODC-By 1.0",
        tuple(Remote(f"100.{ending}", "", "") for ending in ("hea", "dat", "atr")),
    ),
    "magnetic-tile": Named(
        "372 photographs of magnetic tiles, with blowholes and cracks or without, and their masks",
        lambda place: Found(place("magnetic_tile.zip"), "images", {"files": "*.jpg"}),
        "https://github.com/abin24/Magnetic-tile-defect-datasets.",
        "for research",
        (Remote("magnetic_tile.zip", "", ""),),
    ),
    "zinc": Named(
        "29,415 drug-like molecules of ZINC, with logP, QED, synthetic accessibility and weight",
        zinc,
        "https://github.com/wengong-jin/icml18-jtnn",
        "MIT; ZINC is free to use",
        (Remote("zinc_subset_props.csv", "", ""),),
    ),
    "qm9": Named(
        "132,040 molecules of at most nine heavy atoms",
        one_file("qm9_smiles.txt", "molecules"),
        "http://quantum-machine.org/datasets",
        "open",
        (Remote("qm9_smiles.txt", "", ""),),
    ),
    "esol": Named(
        "1,128 molecules and their measured solubility in water",
        one_file("delaney-processed.csv", "molecules"),
        "https://github.com/deepchem/deepchem",
        "MIT",
        (Remote("delaney-processed.csv", "", ""),),
    ),
    "multi30k": Named(
        "30,014 English captions of photographs, one a line",
        captions,
        "https://github.com/multi30k/dataset",
        "for research",
        (Remote("train.en", "", ""), Remote("val.en", "", "")),
    ),
    "shapes2d": Named(
        "737,280 squares, ellipses and hearts whose factors are known, drawn to dSprites' recipe",
        shapes,
        "https://github.com/google-deepmind/dsprites-dataset",
        "drawn here; the published file is Apache 2.0",
    ),
    "breast-cancer": Named(
        "569 tumours, 30 measurements", from_sklearn("load_breast_cancer"), WITH_SKLEARN, CC_BY
    ),
    "wine": Named(
        "178 wines, 13 measurements, three growers", from_sklearn("load_wine"), WITH_SKLEARN, CC_BY
    ),
    "iris": Named(
        "150 irises, four measurements, three species",
        from_sklearn("load_iris"),
        WITH_SKLEARN,
        CC_BY,
    ),
    "diabetes": Named(
        "442 patients, ten measurements and a progression",
        from_sklearn("load_diabetes"),
        WITH_SKLEARN,
        CC_BY,
    ),
}
