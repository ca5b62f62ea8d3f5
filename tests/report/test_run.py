"""Pages, comparisons and cards of real runs of a few steps, one of each layout."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.report.reading import balanced, elements, outside
from twofold.data.doctor import examine
from twofold.measures.measure import Figure
from twofold.report import card, compare
from twofold.report.maps import Plane
from twofold.report.run import write
from twofold.report.seen import Seen
from twofold.report.series import autocorrelation
from twofold.report.tables import association
from twofold.runs.run import Run
from twofold.runs.training import Material, start

EVIL = "<script>alert(1)<"
NAN = math.nan
FIGURES = [
    Figure("recall", 0.5, 0.4, 0.6, 100, "higher", floor=0.9, baseline=0.2, baseline_name="<b>PCA"),
    Figure("fd_tiny-v1", NAN, NAN, NAN, 100, "lower", note=EVIL),
    Figure("elbo", -math.inf, NAN, NAN, 100, "higher", unit="nats"),
]
REFUSED = {"fid": "its weights are not here <i>"}
SPLIT = {"split": {"validation": 0.2, "test": 0.2, "seed": 0}}
Made = tuple[Run, Material]


def images(folder: Path) -> Path:
    """Ten pictures in two sub-folders, one of them badly named."""
    chance = np.random.default_rng(0)
    for label in (EVIL, "b & c"):
        (folder / "pictures" / label).mkdir(parents=True)
        for i in range(10):
            pixels = chance.integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / label / f"{i}.png")
    return folder / "pictures"


def table(folder: Path) -> pd.DataFrame:
    """Numbers, categories and gaps, the columns badly named."""
    chance = np.random.default_rng(0)
    x = chance.normal(size=80)
    return pd.DataFrame(
        {
            EVIL: x,
            "twice": 2 * x,
            "sort": np.where(x > 0, "<up>", "down"),
            "gaps": np.where(chance.random(80) < 0.3, NAN, x),
        }
    )


def series(folder: Path) -> np.ndarray:
    """Twenty short waves of two channels."""
    t = np.arange(400.0)
    return np.stack([np.sin(t / 3), np.cos(t / 5)], 1).reshape(20, 20, 2)


def vectors(folder: Path) -> np.ndarray:
    """Vectors without any name."""
    return np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)


DATA: dict[str, Callable[[Path], object]] = {
    "images": images,
    "table": table,
    "series": series,
    "vectors": vectors,
}
SMALL = {
    "vae": {"name": "vae", "latent": 3},
    "gan": {"name": "gan", "latent": 3},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Made]:
    """A run of two steps of a family on some data; each pair is trained once."""
    done: dict[tuple[str, str], Made] = {}

    def make(data: str, family: str) -> Made:
        if (data, family) not in done:
            folder = tmp_path_factory.mktemp(f"{data}-{family}")
            found = examine(DATA[data](folder))
            material = Material.of(found.kind, found.source, found.findings, SPLIT)
            train = {"steps": 2, "batch": 8, "tick": 1, "checkpoint": 1, "best": "none"}
            recipe = {"model": SMALL[family], "train": train}
            table = {"name": EVIL, **SPLIT}
            done[data, family] = (
                start(recipe, table, material, folder / "run", quiet=True),
                material,
            )
        return done[data, family]

    return make


SECTIONS = {
    "images": {"draws", "reconstructions", "between-two", "the-latent", "what-the-code-does"},
    "table": {"draws", "column-by-column", "columns-together", "the-latent", "what-the-code-does"},
    "series": {"draws", "memory", "the-latent", "what-the-code-does"},
    "vectors": {"draws", "column-by-column", "what-is-covered", "the-latent", "what-the-code-does"},
}
ALWAYS = {"verdict", "measures", "training", "through-the-run", "the-data", "the-run"}


@pytest.mark.parametrize("data", DATA)
def test_the_page_shows_what_applies_and_stands_alone(
    data: str, made: Callable[[str, str], Made], tmp_path: Path
) -> None:
    run, material = made(data, "vae")
    page = write(run, FIGURES, REFUSED, material, tmp_path).read_text()
    anchors = {e["id"] for e in elements(page, "section")}
    assert SECTIONS[data] | ALWAYS <= anchors
    assert balanced(page) == []
    assert outside(page) == []
    assert "<script" not in page
    assert "<b>PCA" not in page
    assert all(e["alt"] for e in elements(page, "img"))
    assert not re.search(r'[" ](nan|inf|-inf)[" ]', page)


def test_a_model_that_does_not_encode_has_no_reconstructions(
    made: Callable[[str, str], Made], tmp_path: Path
) -> None:
    run, material = made("images", "gan")
    anchors = {
        e["id"] for e in elements(write(run, [], {}, material, tmp_path).read_text(), "section")
    }
    assert {"draws", "between-two"} <= anchors
    assert not {"reconstructions", "the-latent", "what-the-code-does"} & anchors


def test_a_page_is_the_same_when_it_is_written_again(
    made: Callable[[str, str], Made], tmp_path: Path
) -> None:
    run, material = made("images", "vae")
    pages = [write(run, FIGURES, REFUSED, material, tmp_path).read_text() for _ in range(2)]
    assert len({page.partition("<footer>")[0] for page in pages}) == 1


def test_a_run_without_log_previews_and_held_out_data_still_has_a_page(
    made: Callable[[str, str], Made], tmp_path: Path
) -> None:
    run, material = made("table", "vae")
    copy = tmp_path / "run"
    copy.mkdir()
    for path in run.path.glob("*.*"):
        if path.name != "log.jsonl":
            (copy / path.name).write_bytes(path.read_bytes())
    none = material.test.__class__(material.test.source, torch.zeros(0, dtype=torch.long))  # type: ignore
    bare = replace(material, validation=none, test=none)
    page = write(Run.open(copy), [], {}, bare, tmp_path).read_text()
    assert balanced(page) == []
    assert "nothing was held out" in page
    assert 'id="training"' not in page


def test_draws_of_a_label_are_drawn_under_that_label(made: Callable[[str, str], Made]) -> None:
    run, material = made("images", "vae")
    seen = Seen(run, [], {}, material)
    name, labels = seen.labels
    assert (name, set(labels)) == ("label", {EVIL, "b & c"})
    rows = run.draw(3, {name: EVIL}, 0)
    assert seen.label_of(rows.given) == [labels.index(EVIL)] * 3


def test_held_out_observations_never_trained(made: Callable[[str, str], Made]) -> None:
    run, material = made("vectors", "vae")
    seen = Seen(run, [], {}, material)
    trained = material.train.read(torch.arange(len(material.train))).values
    assert seen.held_name == "test split"
    assert not (seen.real.values[:, None] == trained[None]).all(2).any()


# The comparison.


def test_a_comparison_marks_only_what_intervals_tell_apart(
    made: Callable[[str, str], Made], tmp_path: Path
) -> None:
    runs = [made("images", family)[0] for family in ("vae", "gan")]
    apart = [Figure("recall", v, v - 0.1, v + 0.1, 9, "higher") for v in (0.2, 0.8)]
    close = [Figure("precision", v, v - 0.1, v + 0.1, 9, "higher") for v in (0.5, 0.6)]
    found = [[a, b] for a, b in zip(apart, close, strict=True)]
    page = compare.write(runs, found, tmp_path / "comparison.html").read_text()
    assert balanced(page) == []
    assert outside(page) == []
    assert "<script" not in page
    assert [e["class"] for e in elements(page, "span") if e.get("class") == "best"] == ["best"]
    assert "has more variety (recall 0.8 against 0.2)" in page
    assert "not told apart: precision" in page
    assert "model.name" in page


def test_runs_that_see_other_observations_are_not_simply_set_beside_each_other(
    made: Callable[[str, str], Made],
) -> None:
    runs = [made("images", "vae")[0], made("vectors", "vae")[0]]
    found = [[Figure("fd_tiny-v1", v, v - 1, v + 1, 9, "lower", floor=v / 2)] for v in (10.0, 90.0)]
    page = compare.rendered(compare.contestants(runs, found), 0)
    warning, claim = page.index("do not see the same observations"), page.index("draws closer to")
    assert warning < claim
    assert "5 / 45" in page  # a floor each


def test_being_better_than_real_data_is_no_merit() -> None:
    floor = Figure("copies_closer", 0.5, 0.48, 0.52, 9, "lower", floor=0.5)
    below = replace(floor, value=0.1, low=0.05, high=0.15)
    assert compare.goodness(floor) == compare.goodness(below)


def test_figures_without_intervals_have_no_winner() -> None:
    one = Figure("recall", 0.9, NAN, NAN, 9, "higher")
    assert compare.winner([one, replace(one, value=0.1)]) == []


def test_a_ratio_wins_by_being_near_one() -> None:
    sharp, noisy = (
        Figure("sharpness_ratio", v, v - 0.01, v + 0.01, 9, "neither") for v in (0.9, 1.6)
    )
    assert compare.winner([noisy, sharp]) == [sharp]


# The card.


def test_the_card_lists_what_was_not_looked_at(
    made: Callable[[str, str], Made], tmp_path: Path
) -> None:
    run, _ = made("images", "vae")
    text = card.write(run, FIGURES[:1], tmp_path).read_text()
    assert "- Fairness: differences between groups: *not assessed*" in text
    assert "Variety: is all of the data reached: *not assessed*" not in text
    assert "| recall | 0.5 | 0.4 … 0.6 | 0.9 |" in text
    assert "<script" not in text
    assert "<b>" not in text


def test_a_card_without_figures_says_so(made: Callable[[str, str], Made]) -> None:
    run, _ = made("vectors", "gan")
    assert "## Measures\n\n*Not assessed.*" in card.card(run, [])


# The mathematics.


def test_the_plane_holds_the_variance_that_the_eigenvalues_say() -> None:
    rows = torch.randn(400, 5, dtype=torch.float64) @ torch.diag(
        torch.tensor([5.0, 3, 1, 1, 1]).double()
    )
    plane = Plane.of(rows)
    values = torch.linalg.eigvalsh(torch.cov(rows.T)).flip(0)
    assert plane.share == pytest.approx(tuple((values[:2] / values.sum()).tolist()))
    places = plane(rows)
    assert torch.allclose(places.mean(0), torch.zeros(2).double(), atol=1e-12)
    assert torch.allclose(torch.cov(places.T), torch.diag(values[:2]), atol=1e-9)


def test_the_association_of_two_numbers_is_the_absolute_correlation() -> None:
    found = examine(pd.DataFrame({"a": np.arange(50.0) % 7 + 0.1, "b": np.arange(50.0) % 11 + 0.2}))
    values = found.source.read(torch.arange(50)).values
    rho = association(found.kind.space, values)
    assert rho[0, 1] == pytest.approx(abs(np.corrcoef(values.numpy().T)[0, 1]), abs=1e-6)
    assert rho.diagonal().tolist() == [1.0, 1.0]


def test_the_association_of_a_number_and_a_category_is_the_correlation_ratio() -> None:
    chance = np.random.default_rng(0)
    group = chance.integers(0, 3, 200)
    frame = pd.DataFrame(
        {"v": chance.normal(size=200) + group, "g": np.array(["x", "y", "z"])[group]}
    )
    found = examine(frame)
    values = found.source.read(torch.arange(200)).values.double()
    v, g = values[:, 0], values[:, 1]
    between = sum((g == k).sum() * (v[g == k].mean() - v.mean()) ** 2 for k in g.unique())
    eta = float((between / (v - v.mean()).square().sum()).sqrt())
    assert association(found.kind.space, values)[0, 1] == pytest.approx(eta, abs=1e-9)


def test_the_autocorrelation_is_that_of_the_definition() -> None:
    x = torch.randn(1, 1, 20, dtype=torch.float64)
    y = x[0, 0] - x.mean()
    expected = [float((y[: 20 - k] * y[k:]).sum() / (y * y).sum()) for k in range(11)]
    assert autocorrelation(x)[0].tolist() == pytest.approx(expected)
    assert autocorrelation(torch.zeros(1, 1, 6)).isnan().all()
