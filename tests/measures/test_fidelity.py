"""Distances, membership and sharpness on samples made to be worse in a known way."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import NearestNeighbors

from tests.measures import worlds
from twofold.core.batch import Batch
from twofold.core.space import Bounded, Field, Space
from twofold.maths.statistics import membership
from twofold.measures.coverage import Coverage
from twofold.measures.estimate import jackknifed
from twofold.measures.fidelity import Fidelity, Inception
from twofold.measures.measure import Evidence, Figure, Measure
from twofold.measures.sharpness import Sharpness
from twofold.measures.views import equal, sides, sort

N = 200


def by_name(measure: Measure, evidence: Evidence) -> dict[str, Figure]:
    return {figure.name: figure for figure in measure(evidence)}


def blurred(times: int) -> Batch:
    batch = worlds.image_batch(N, 3)
    x = batch.x
    for _ in range(times):
        x = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return replace(batch, x=x)


@pytest.mark.parametrize("layout", ["vector", "image", "series", "table"])
def test_draws_of_the_law_are_as_far_as_the_floor(layout: str) -> None:
    found = by_name(Fidelity(), worlds.evidence_of(layout, 400))
    fd = next(figure for name, figure in found.items() if name.startswith("fd_"))
    kd = next(figure for name, figure in found.items() if name.startswith("kd_"))
    assert fd.floor / 2 < fd.value < 2 * fd.floor
    assert kd.low <= 0 <= kd.high
    assert fd.n == kd.n == 400


def test_blur_raises_the_distance_and_lowers_sharpness() -> None:
    found = [worlds.image_evidence(N, blurred(times)) for times in (0, 1, 2, 4)]
    fd = [by_name(Fidelity(), evidence)["fd_tiny-v1"] for evidence in found]
    sharp = [Sharpness()(evidence)[0] for evidence in found]
    assert [f.value for f in fd] == sorted(f.value for f in fd)
    assert fd[3].low > 3 * fd[0].value
    assert [s.value for s in sharp] == sorted((s.value for s in sharp), reverse=True)
    assert sharp[0].low <= 1 <= sharp[0].high
    assert sharp[1].high < 0.7
    assert sharp[0].floor == pytest.approx(1, abs=0.05)


def test_dropping_modes_lowers_recall_and_coverage_not_precision() -> None:
    few = worlds.image_evidence(N, worlds.image_batch(N, 3, classes=1))
    all_four, one = by_name(Coverage(), worlds.image_evidence(N)), by_name(Coverage(), few)
    assert one["coverage"].high < 0.5 * all_four["coverage"].value
    assert one["recall"].high < 0.5 * all_four["recall"].value
    assert one["precision"].value > 0.8 * all_four["precision"].value
    for figure in all_four.values():
        assert figure.value == pytest.approx(figure.floor, abs=0.15)


def test_noise_lowers_precision_and_density() -> None:
    evidence = worlds.evidence_of("vector", 400)
    wild = Batch.of(evidence.fake.x + 5 * torch.randn(400, 6))
    before, after = by_name(Coverage(), evidence), by_name(Coverage(), replace(evidence, fake=wild))
    for name in ("precision", "density"):
        assert after[name].high < 0.7 * before[name].value


def test_membership_is_that_of_an_independent_search() -> None:
    stream = torch.Generator().manual_seed(0)
    real, fake = torch.randn(60, 3, generator=stream), torch.randn(50, 3, generator=stream) + 0.5
    radius = NearestNeighbors(n_neighbors=4).fit(real).kneighbors(real)[0][:, 3]  # itself first
    inside = torch.tensor(
        [[math.dist(f, r) <= radius[i] for i, r in enumerate(real.tolist())] for f in fake.tolist()]
    )
    found = membership(real, fake, 3)
    assert torch.equal(found.precision, inside.any(1).double())
    assert torch.equal(found.density, inside.sum(1).double() / 3)
    assert torch.equal(found.coverage, inside.any(0).double())
    assert torch.equal(found.recall, membership(fake, real, 3).precision)


def test_coverage_of_one_law_is_the_known_expectation() -> None:
    x = torch.randn(2, 2000, 8, generator=torch.Generator().manual_seed(0))
    found = membership(x[0], x[1], 5)
    assert found.coverage.mean().item() == pytest.approx(1 - 2**-5, abs=0.01)
    assert found.density.mean().item() == pytest.approx(1, abs=0.05)


def test_the_gaussian_baseline_is_unbeatable_on_gaussians_and_weak_on_modes() -> None:
    fd = by_name(Fidelity(), worlds.evidence_of("vector", 400))["fd_identity-v1"]
    assert fd.baseline < 2 * fd.floor
    images = by_name(Fidelity(), worlds.image_evidence(N))["fd_tiny-v1"]
    assert images.baseline > 2 * images.floor


def test_an_interval_of_a_distance_covers_its_expectation() -> None:
    hits, truth = 0, 1.5**2 + 2 / 100  # biased upwards by the variance of the means
    for seed in range(40):
        x = torch.randn(2, 100, 1, generator=torch.Generator().manual_seed(seed)).double()
        of = lambda a, b: (a.mean() - b.mean()) ** 2  # noqa: E731
        found = jackknifed(of, x[0], x[1] + 1.5)
        hits += found.low <= truth <= found.high
    assert hits >= 34


def test_sides_are_disjoint_equal_and_written() -> None:
    evidence = worlds.image_evidence(60)
    split = replace(evidence, train=evidence.train[:0])
    assert equal(evidence, 1000) == 60
    assert equal(split, 1000) == 30
    found = sides(split, 1000)
    rows = {row.numpy().tobytes() for row in found.real}
    assert len(found) == len(rows) == len(found.other) == len(found.fake) == len(found.simple) == 30
    assert not rows & {row.numpy().tobytes() for row in found.other}
    levels = found.simple * 255
    torch.testing.assert_close(levels, levels.round())


def test_what_cannot_be_compared_is_refused() -> None:
    evidence = worlds.image_evidence(60)
    assert "20 observations" in Fidelity().refuses(replace(evidence, fake=evidence.fake[:9]))
    video = Space((Field("p", Bounded()),), (3, 8, 8))
    assert "video" in Fidelity().refuses(replace(evidence, space=video))
    assert sort(video) == "video"
    five = Space((Field("p", Bounded(), 5),), (8, 8))
    assert "channels" in Fidelity().refuses(replace(evidence, space=five))
    assert Sharpness().refuses(worlds.evidence_of("series")) == "it is for images"
    assert Inception().refuses(worlds.evidence_of("table")) == "it is for images"


def test_without_its_weights_there_is_no_fid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWOFOLD_INCEPTION", raising=False)
    assert Inception().refuses(worlds.image_evidence(60))
