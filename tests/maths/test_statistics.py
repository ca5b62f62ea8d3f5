"""Sample statistics against closed forms, brute force, scikit-learn and SciPy, and their claims."""

import math

import pytest
import torch
from scipy import stats
from sklearn.metrics import normalized_mutual_info_score
from torch import Tensor

from twofold.maths import statistics
from twofold.maths.statistics import (
    bootstrap,
    contingency,
    contingency_similarity,
    correlation_matrix,
    cramers_v,
    expected_coverage,
    frechet,
    frechet_from_moments,
    half_samples,
    kernel,
    ks_distance,
    membership,
    mode_coverage,
    mutual_information,
    prdc,
    reverse_kl,
    sharpness,
    total_variation,
    wasserstein_1d,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=stream, dtype=torch.float64)


# --- Distances between laws ----------------------------------------------------------------------


def test_frechet_of_commuting_gaussians_is_the_closed_form() -> None:
    Q = torch.linalg.qr(normal(6, 6)).Q
    s, t = torch.arange(1.0, 7).double(), torch.linspace(0, 2, 6).double()  # t is singular
    mu = normal(6, seed=1)
    d = frechet_from_moments(mu, Q @ s.diag() @ Q.T, mu + 2, Q @ t.diag() @ Q.T)
    assert float(d) == pytest.approx(4 * 6 + float((s.sqrt() - t.sqrt()).square().sum()))


def test_frechet_of_two_by_two_is_the_closed_form() -> None:
    A = torch.tensor([[2.0, 0.6], [0.6, 1.0]]).double()
    B = torch.tensor([[1.0, -0.4], [-0.4, 3.0]]).double()
    # tr (AB)^½ of a 2×2 product with positive eigenvalues: √(tr AB + 2 √det AB)
    trace = math.sqrt(float((A @ B).trace()) + 2 * math.sqrt(float((A @ B).det())))
    zero = torch.zeros(2)
    expected = float(A.trace() + B.trace()) - 2 * trace
    assert float(frechet_from_moments(zero, A, zero, B)) == pytest.approx(expected)


@pytest.mark.parametrize("rows", [200, 12])  # more and fewer rows than features
def test_frechet_of_rows_is_that_of_their_moments(rows: int) -> None:
    a, b = normal(rows, 20), 1.5 * normal(rows, 20, seed=1) + 0.3
    moments = frechet_from_moments(a.mean(0), a.T.cov(), b.mean(0), b.T.cov())
    assert float(frechet(a, b)) == pytest.approx(float(moments), rel=1e-6)


def test_frechet_obeys_translation_scale_and_symmetry() -> None:
    a, b = normal(60, 5), normal(50, 5, seed=1) * 2 + 1
    assert float(frechet(a, a + 2)) == pytest.approx(20)
    assert float(frechet(3 * a, 3 * b)) == pytest.approx(9 * float(frechet(a, b)))
    assert float(frechet(a, b)) == pytest.approx(float(frechet(b, a)))


def test_frechet_bias_on_one_law_is_theory() -> None:
    D, n = 32, 1000
    found = [float(frechet(normal(n, D, seed=2 * i), normal(n, D, seed=2 * i + 1)))
             for i in range(20)]  # fmt: skip
    assert sum(found) / 20 == pytest.approx(D * (D + 5) / (2 * n), rel=0.05)


def test_kernel_is_its_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "BLOCK", 7)  # several blocks, one of them short
    a, b = normal(20, 3), normal(15, 3, seed=1)

    def k(x: Tensor, y: Tensor) -> float:
        return (float(x @ y) / 3 + 1) ** 3

    aa = [k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j]
    bb = [k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j]
    ab = [k(x, y) for x in a for y in b]
    expected = sum(aa) / len(aa) + sum(bb) / len(bb) - 2 * sum(ab) / len(ab)
    assert float(kernel(a, b)) == pytest.approx(expected)


def test_kernel_is_unbiased_and_sees_a_shift() -> None:
    found = torch.stack([kernel(normal(100, 16, seed=2 * i), normal(100, 16, seed=2 * i + 1))
                         for i in range(100)])  # fmt: skip
    assert abs(float(found.mean())) < 3 * float(found.std()) / 10
    assert float(kernel(normal(100, 16), normal(100, 16, seed=1) + 0.5)) > 5 * float(found.std())


# --- Neighbourhoods ------------------------------------------------------------------------------


def brute(real: list[list[float]], fake: list[list[float]], k: int) -> tuple[float, ...]:
    reach = {id(s): [sorted(math.dist(x, y) for y in s)[k] for x in s] for s in (real, fake)}
    R, G = reach[id(real)], reach[id(fake)]
    precision = [any(math.dist(x, y) <= r for x, r in zip(real, R)) for y in fake]  # noqa: B905
    recall = [any(math.dist(x, y) <= r for y, r in zip(fake, G)) for x in real]  # noqa: B905
    density = [sum(math.dist(x, y) <= r for x, r in zip(real, R)) / k for y in fake]  # noqa: B905
    coverage = [any(math.dist(x, y) <= r for y in fake) for x, r in zip(real, R)]  # noqa: B905
    return tuple(sum(terms) / len(terms) for terms in (precision, recall, density, coverage))


@pytest.mark.parametrize("k", [1, 3])
def test_prdc_is_brute_force(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "BLOCK", 16)
    real, fake = normal(50, 4), 1.2 * normal(37, 4, seed=1) + 0.4
    found = [float(value) for value in prdc(real, fake, k)]
    assert found == pytest.approx(brute(real.tolist(), fake.tolist(), k))
    assert [len(terms) for terms in membership(real, fake, k)] == [37, 50, 37, 50]


def test_prdc_of_one_law_in_64_dimensions() -> None:
    """Two equal samples of 2,000 do not reach a precision of 1: that is what floors are for."""
    found = [prdc(normal(2000, 64, seed=2 * i), normal(2000, 64, seed=2 * i + 1)) for i in range(2)]
    precision, recall, density, coverage = torch.tensor(found).mean(0).tolist()
    assert precision == pytest.approx(0.70, abs=0.04)
    assert recall == pytest.approx(0.72, abs=0.04)
    assert density == pytest.approx(1.0, abs=0.15)
    assert coverage == pytest.approx(expected_coverage(2000, 2000), abs=0.02)


@pytest.mark.parametrize(("n", "m", "k"), [(40, 40, 5), (60, 20, 2)])
def test_one_law_has_the_expected_coverage_and_a_density_of_1(n: int, m: int, k: int) -> None:
    pairs = [(normal(n, 3, seed=2 * i), normal(m, 3, seed=2 * i + 1)) for i in range(200)]
    found = torch.tensor([prdc(a, b, k) for a, b in pairs]).mean(0)
    assert float(found[3]) == pytest.approx(expected_coverage(n, m, k), abs=0.012)
    assert float(found[2]) == pytest.approx(1, abs=0.04)


def test_a_dropped_mode_lowers_recall_and_coverage_and_spares_precision() -> None:
    mode = torch.tensor([[0.0, 0.0], [9.0, 0.0]]).double()
    real = normal(400, 2) + mode[torch.arange(400) % 2]
    both, one = normal(400, 2, seed=1) + mode[torch.arange(400) % 2], normal(400, 2, seed=2)
    whole, dropped = prdc(real, both), prdc(real, one)
    assert float(dropped.recall) < 0.55 * float(whole.recall)
    assert float(dropped.coverage) < 0.55 * float(whole.coverage)
    assert float(dropped.precision) > float(whole.precision) - 0.05


# --- Intervals: do 95 % of them hold what they claim to hold? ------------------------------------


def covered(intervals: list[statistics.Interval], truth: float) -> float:
    return sum(i.low <= truth <= i.high for i in intervals) / len(intervals)


def test_bootstrap_covers_a_ratio_of_means() -> None:
    def ratio(pairs: Tensor) -> Tensor:
        return pairs[:, 0].mean() / pairs[:, 1].mean()

    pairs = [normal(60, 2, seed=i) + torch.tensor([2.0, 4.0]) for i in range(100)]
    assert 0.89 <= covered([bootstrap(ratio, x, repeats=100) for x in pairs], 0.5) <= 0.99


Pair = tuple[Tensor, Tensor]


def worlds(n: int, D: int, count: int) -> list[Pair]:
    """Pairs of samples of two normal laws, (n, D) each."""
    return [(normal(n, D, seed=2 * i), normal(n, D, seed=2 * i + 1) + 0.6) for i in range(count)]


def recall(a: Tensor, b: Tensor) -> Tensor:
    return prdc(a, b).recall


@pytest.mark.parametrize("statistic", [frechet, kernel, recall])
def test_half_samples_cover_the_expectation_at_this_size(statistic: statistics.Statistic) -> None:
    values = torch.stack([statistic(a, b) for a, b in worlds(100, 6, 200)])
    intervals = [half_samples(statistic, a, b, repeats=50) for a, b in worlds(100, 6, 40)]
    assert covered(intervals, float(values.mean())) >= 0.85
    width = sum(i.high - i.low for i in intervals) / len(intervals)
    assert 0.7 < width / (3.92 * float(values.std())) < 1.6  # nor wider than need be


def test_bootstrap_misses_the_frechet_distance_as_its_docstring_says() -> None:
    truth = sum(float(frechet(a, b)) for a, b in worlds(60, 30, 60)) / 60
    intervals = [bootstrap(frechet, a, b, repeats=40) for a, b in worlds(60, 30, 20)]
    assert covered(intervals, truth) < 0.5
    halves = [half_samples(frechet, a, b, repeats=40) for a, b in worlds(60, 30, 20)]
    assert covered(halves, truth) > 0.85


def test_intervals_repeat_by_seed() -> None:
    x = normal(30, 1)
    for interval in (bootstrap, half_samples):
        assert interval(torch.mean, x, seed=1) == interval(torch.mean, x, seed=1)
        assert interval(torch.mean, x, seed=1) != interval(torch.mean, x, seed=2)


# --- Classes, images, columns, pairs -------------------------------------------------------------


def test_reverse_kl_is_scipy_entropy_and_infinite_off_support() -> None:
    q, p = torch.tensor([5, 0, 15]), torch.tensor([3, 3, 4])
    assert float(reverse_kl(q, p)) == pytest.approx(stats.entropy(q.numpy(), p.numpy()))
    assert float(reverse_kl(torch.tensor([1, 1]), torch.tensor([1, 0]))) == math.inf


def test_mode_coverage_counts_classes_once() -> None:
    assert float(mode_coverage(torch.tensor([1, 1, 2, 9]), 10)) == pytest.approx(0.3)


def test_total_variation_is_a_metric_between_0_and_1() -> None:
    p, q, r = (torch.rand(6).double() for _ in range(3))
    assert float(total_variation(p, 7 * p)) == pytest.approx(0)
    assert float(total_variation(p, q)) == pytest.approx(float(total_variation(q, p)))
    assert total_variation(p, r) <= total_variation(p, q) + total_variation(q, r)
    assert float(total_variation(torch.tensor([1, 0]), torch.tensor([0, 9]))) == 1


def test_sharpness_of_a_sine_is_theory_and_falls_with_blur() -> None:
    t = torch.arange(64).double() * 2 * math.pi / 16
    wave = torch.sin(t).expand(1, 1, 64, 64)
    # the discrete Laplacian multiplies sin(wt) by 2 cos w - 2; its square has mean ½
    gain = (2 * math.cos(2 * math.pi / 16) - 2) ** 2 / 2
    assert float(sharpness(wave)) == pytest.approx(gain, rel=0.05)
    noise = torch.rand(3, 1, 32, 32)
    blurred = torch.nn.functional.avg_pool2d(noise, 3, 1, 1)
    assert (sharpness(blurred) < 0.5 * sharpness(noise)).all()
    assert sharpness(torch.rand(2, 4, 1, 1)).tolist() == [0, 0]  # even one pixel has a value


def test_column_distances_are_scipy() -> None:
    a, b = normal(80).round(decimals=1), normal(55, seed=1).round(decimals=1) + 0.5  # with ties
    assert float(ks_distance(a, b)) == pytest.approx(stats.ks_2samp(a, b).statistic)
    assert float(wasserstein_1d(a, b)) == pytest.approx(stats.wasserstein_distance(a, b))


def test_correlations_are_torch_and_a_constant_column_has_none() -> None:
    x = normal(40, 3) @ normal(3, 3, seed=1)
    assert torch.allclose(correlation_matrix(x), x.T.corrcoef())
    x[:, 1] = 5.0
    assert correlation_matrix(x)[1].tolist() == [0, 0, 0]


def test_cramers_v_is_scipy_whatever_empty_classes_there_are() -> None:
    a, b = torch.randint(4, (300,)), torch.randint(3, (300,))
    b = torch.where(torch.rand(300) < 0.4, a % 3, b)
    table = contingency(a, b, 4, 3)
    expected = stats.contingency.association(table.numpy(), method="cramer")
    assert float(cramers_v(table)) == pytest.approx(expected)
    assert float(cramers_v(contingency(a, b, 6, 5))) == pytest.approx(expected)


def test_contingency_similarity_sees_a_broken_pair_that_columns_do_not() -> None:
    a = torch.arange(100) % 2
    tied, crossed = contingency(a, a, 2, 2), contingency(a, 1 - a, 2, 2)
    assert float(contingency_similarity(tied, tied)) == 1
    assert float(contingency_similarity(tied, crossed)) == 0


def test_mutual_information_is_theory() -> None:
    a, e = normal(20000), normal(20000, seed=1)
    rho = 0.8
    expected = -0.5 * math.log(1 - rho**2)
    assert float(mutual_information(a, rho * a + (1 - rho**2) ** 0.5 * e)) == pytest.approx(
        expected, rel=0.05
    )
    assert float(mutual_information(a, e)) < 0.001
    assert float(mutual_information(a[:200], e[:200], bins=5)) < 0.1  # corrected at small n


def test_mutual_information_of_one_to_one_classes_is_their_entropy() -> None:
    a = torch.arange(4000) % 4
    assert normalized_mutual_info_score(a, a) == 1
    assert float(mutual_information(a, 3 - a, bins=4)) == pytest.approx(math.log(4), abs=2e-3)
