"""Scores of disentanglement on constructed codes: perfect, entangled, empty."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.measures import constructed
from tests.measures.constructed import (
    Code,
    crammed,
    evidence_of,
    noise,
    perfect,
    repeated,
    rotated,
    traced,
)
from twofold.core.batch import Given
from twofold.core.space import Category, Field, Real, Space
from twofold.maths.distributions import Dirac, Normal
from twofold.maths.information import Histogram, Neighbours
from twofold.measures.disentanglement import (
    IRS,
    MIG,
    Modularity,
    information,
    information_gap,
    modularity,
    robustness,
)
from twofold.measures.factors import Factors, by_value, indexed, look
from twofold.measures.interventions import BetaVAEScore, FactorVAEScore, Sets, majority
from twofold.measures.measure import Figure, Measure, every_measure, figures
from twofold.measures.predictors import DCI, SAP, Explicitness, concentration

QUICK: dict[str, Measure] = {
    "mig": MIG(),
    "modularity": Modularity(),
    "irs": IRS(),
    "beta_vae_score": BetaVAEScore(train=600, test=400),
    "factor_vae_score": FactorVAEScore(train=600, test=400),
    "dci_disentanglement": DCI(n=240, groups=2),
    "sap": SAP(),
    "explicitness": Explicitness(),
}
"""One measure a family, with sizes for a test."""


def measured(name: str, code: Code, n: int = 1200) -> dict[str, Figure]:
    evidence = evidence_of(code, n)
    assert QUICK[name].refuses(evidence) == ""
    return {figure.name: figure for figure in QUICK[name](evidence)}


BEST = {
    "mig": 0.98,
    "mig_knn": 0.98,
    "modularity": 0.99,
    "irs": 0.99,
    "beta_vae_score": 0.99,
    "factor_vae_score": 0.99,
    "dci_disentanglement": 0.98,
    "dci_completeness": 0.98,
    "dci_informativeness": 0.98,
    "explicitness": 0.98,
    "sap": 1 - (1 / 3) / 4 - 0.02,  # one factor of four is a category of three values
}


@pytest.mark.parametrize("name", QUICK)
def test_a_perfect_code_has_the_best_score_and_a_low_floor(name: str) -> None:
    for figure in measured(name, perfect).values():
        assert BEST[figure.name] <= figure.value <= 1 + 1e-9
        assert figure.low <= figure.value <= figure.high
        assert figure.better == "higher"
        if figure.name != "modularity":  # noise is often about one factor, by chance
            assert figure.floor < 0.35
        assert figure.floor < figure.low


CHANCE = 1 / len(constructed.COUNTS)
LOW = {
    ("mig", repeated): {"mig": 0, "mig_knn": 0},
    ("mig", noise): {"mig": 0, "mig_knn": 0},
    ("factor_vae_score", crammed): {"factor_vae_score": CHANCE},
    ("factor_vae_score", noise): {"factor_vae_score": CHANCE},
    ("beta_vae_score", noise): {"beta_vae_score": CHANCE},
    ("dci_disentanglement", crammed): {"dci_disentanglement": 0},
    ("dci_disentanglement", noise): {
        "dci_disentanglement": 0, "dci_completeness": 0, "dci_informativeness": 0,
    },
    ("sap", repeated): {"sap": 0},
    ("sap", noise): {"sap": 0},
    ("explicitness", noise): {"explicitness": 0},
}  # fmt: skip


@pytest.mark.parametrize(("name", "code"), LOW, ids=lambda v: getattr(v, "__name__", v))
def test_an_entangled_or_empty_code_is_at_chance(name: str, code: Code) -> None:
    found = measured(name, code)
    for figure, chance in LOW[name, code].items():
        assert found[figure].value == pytest.approx(chance, abs=0.07)


@pytest.mark.parametrize("name", ["modularity", "irs"])
def test_noise_is_no_better_than_its_floor(name: str) -> None:
    (figure,) = measured(name, noise).values()
    assert figure.value - figure.floor < 0.12


@pytest.mark.parametrize("name", [name for name in QUICK if not QUICK[name].costly])
def test_a_rotation_lowers_every_score_but_what_can_be_read_off(name: str) -> None:
    good, bad = measured(name, perfect), measured(name, rotated)
    for key in good:
        if key == "explicitness":
            assert bad[key].value > 0.9  # all is there, and linear
        elif key == "beta_vae_score":  # known to be forgiving: a linear map sorts it out
            assert 0.7 < bad[key].value < good[key].value
        else:
            assert bad[key].value < good[key].value - 0.15


def test_one_dimension_with_everything_is_seen_by_dci_and_modularity_not_by_mig() -> None:
    assert measured("mig", crammed)["mig_knn"].value > 0.15  # what MIG does not ask
    assert measured("modularity", crammed)["modularity"].value < 0.6
    assert measured("dci_disentanglement", crammed)["dci_completeness"].value > 0.99


def test_scores_are_of_the_mean_and_not_of_a_draw() -> None:
    """The posterior here is three times as wide as the code: a draw would hide the factors."""
    evidence = evidence_of(perfect)
    seen = look(evidence.model, evidence.real, evidence.factors, 1200, 0)
    again = look(evidence.model, evidence.real, evidence.factors, 1200, 0)
    assert torch.equal(seen.code, again.code)
    drawn = replace(seen, code=seen.code + 3 * torch.randn(seen.code.shape))
    assert information_gap(drawn, Histogram()).value < 0.1
    assert information_gap(seen, Histogram()).value > 0.95


def test_information_has_dimensions_in_rows_and_factors_in_columns() -> None:
    """A library reshaped the table instead of transposing it, and its MIG was near 0."""
    evidence = evidence_of(perfect)
    seen = look(evidence.model, evidence.real, evidence.factors, 1200, 0)
    table = information(seen.code[:, :4], seen.index, Neighbours())
    assert table.argmax(1).tolist() == [2, 0, 3, 1]
    assert information(seen.code, seen.index, Histogram()).shape == (6, 4)
    whole = information(seen.code, seen.index, Neighbours())  # (6, 4)
    mistaken = whole.reshape(4, 6).T.topk(2, 0).values
    wrong = (mistaken[0] - mistaken[1]) / torch.tensor([3, 6, 10, 8]).double().log()
    assert wrong.mean() < 0.8
    assert information_gap(seen, Neighbours()).value > 0.99


def test_parts_are_the_gaps_by_factor() -> None:
    code: Code = lambda x: x[:, 1:]  # noqa: E731 — the first factor is nowhere
    figure = measured("mig", code)["mig"]
    assert figure.parts[0] == pytest.approx(0, abs=0.05)
    assert min(figure.parts[1:]) > 0.95
    assert figure.value == pytest.approx(sum(figure.parts) / 4)


def test_collapsed_dimensions_have_no_vote() -> None:
    """Of a dimension that never moves the variance within any set is the least."""
    still: Code = lambda x: torch.cat([x, 1e-6 * x[:, :1].square()], 1)  # noqa: E731
    assert measured("factor_vae_score", still)["factor_vae_score"].value > 0.99
    nothing: Code = lambda x: 1e-6 * x  # noqa: E731
    for name in ("factor_vae_score", "modularity", "irs"):
        (figure,) = measured(name, nothing).values()
        assert figure.value == 0


def test_a_trace_in_a_collapsed_dimension_is_no_second_best() -> None:
    found = measured("mig", traced)
    assert found["mig"].value == pytest.approx(0.5, abs=0.05)  # as published figures count it
    assert found["mig_knn"].value > 0.98


def test_the_factor_vae_vote_is_a_majority() -> None:
    learnt = Sets(torch.tensor([0, 0, 0, 1, 1, 2]), torch.tensor([1, 1, 0, 2, 2, 0]))
    assert majority(learnt, torch.tensor([0, 1, 2, 1])).tolist() == [1, 2, 0, 2]


def test_the_robustness_of_a_hand_made_code() -> None:
    """z = v₀ + 0.1 v₁ on a full grid: holding v₀ leaves 0.1 · 1 of the deviation 1.1."""
    v = torch.cartesian_prod(torch.tensor([-1.0, 1.0]), torch.tensor([-1.0, 1.0])).repeat(10, 1)
    evidence = evidence_of(perfect)
    seen = look(evidence.model, evidence.real, evidence.factors, 40, 0)
    made = replace(
        seen,
        code=(v[:, :1] + 0.1 * v[:, 1:]).double(),
        index=(v > 0).long(),
        live=torch.tensor([True]),
    )
    assert float(robustness(made).value) == pytest.approx(1 - 0.1 / 1.1, abs=1e-6)


def test_modularity_by_hand() -> None:
    """One factor said wholly, another of as many values half: 1 − I₂² / I₁²."""
    grid = torch.cartesian_prod(torch.arange(2), torch.arange(2)).repeat(25, 1)
    evidence = evidence_of(perfect)
    seen = look(evidence.model, evidence.real, evidence.factors, 100, 0)
    z = 2.0 * grid[:, 0] + (grid[:, 0] * grid[:, 1])  # the second only where the first is 1
    made = replace(seen, code=z[:, None].double(), index=grid, live=torch.tensor([True]))
    # z is 0 half of the time, 2 and 3 a quarter each: H(v₁ | z) = ½ log 2
    expected = 1 - (0.5 * math.log(2)) ** 2 / math.log(2) ** 2
    assert float(modularity(made, Histogram()).value) == pytest.approx(expected)


def test_concentration_is_one_for_one_and_nothing_for_all() -> None:
    R = torch.tensor([[1.0, 0, 0], [1, 1, 1], [0, 0, 0], [1, 1, 0]]).double()
    expected = torch.tensor([1, 0, 0, 1 - math.log(2) / math.log(3)]).double()
    torch.testing.assert_close(concentration(R), expected)


def test_what_is_known_becomes_indices() -> None:
    values = torch.tensor([[0.5, 1], [math.nan, 1], [0.7, 1], [0.5, 1]])
    space = Space((Field("size", Real()), Field("kind", Category(("a", "b")))))
    factors = Factors.of(space, values)
    assert factors.names == ("size",)  # what does not vary is no factor
    assert factors.index.tolist() == [[0], [-1], [1], [0]]
    assert factors.ordered == (True,)
    many = indexed(torch.arange(1000.0))
    assert torch.bincount(many).tolist() == [50] * 20
    assert torch.bincount(indexed(torch.arange(60.0))).tolist() == [10] * 6
    assert len(factors[:2]) == 2


def test_rows_of_unknown_factors_are_left_out() -> None:
    evidence = evidence_of(perfect)
    holes = evidence.factors.index.clone()
    holes[::2, 1] = -1
    evidence = replace(evidence, factors=replace(evidence.factors, index=holes))
    figure = MIG()(evidence)[0]
    assert figure.n == 600
    assert figure.value > 0.95


def test_rows_of_the_same_value_are_drawn_evenly() -> None:
    label = torch.tensor([1, 0, 1, 2, 1])
    unit = torch.linspace(0, 0.999, 30).double().expand(5, -1)
    rows = by_value(label)(torch.arange(5), unit)
    assert torch.equal(label[rows], label[:, None].expand(-1, 30))
    assert torch.bincount(rows[0], minlength=5).tolist() == [10, 0, 10, 0, 10]


def test_without_factors_it_says_that_nothing_was_assessed() -> None:
    evidence = replace(evidence_of(perfect), factors=Factors())
    names = [n for m in every_measure() if type(m) in map(type, QUICK.values()) for n in m.names]
    _, refused = figures(evidence, names)
    assert set(refused) == set(names)
    assert all("disentanglement not assessed" in reason for reason in refused.values())
    one = evidence_of(perfect)
    alone = replace(one.factors, names=("kind",), index=one.factors.index[:, :1], ordered=(False,))
    assert "only factor known" in Modularity().refuses(replace(one, factors=alone))
    assert MIG().refuses(replace(one, factors=alone)) == ""
    assert MIG().refuses(replace(one, model=())) == "there is no model"
    assert "20 rows" in MIG().refuses(replace(one, real=one.real[:5], factors=one.factors[:5]))


def test_a_code_that_is_a_point_can_be_assessed() -> None:
    class Point(constructed.Constructed):
        def encode(self, x: Tensor, given: Given) -> Normal:
            return Dirac(self.code(x))  # type: ignore[return-value]

    evidence = replace(evidence_of(perfect), model=Point(perfect))
    assert MIG().refuses(evidence) == ""
    assert MIG()(evidence)[0].value > 0.95
