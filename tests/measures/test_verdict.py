"""Each sentence, from figures made for it."""

import pytest

from twofold.measures.measure import Figure
from twofold.measures.verdict import verdict


def figure(name: str, value: float, better="lower", spread=0.0, **rest) -> Figure:
    return Figure(name, value, value - spread, value + spread, 1000, better, **rest)


def distance(value: float, baseline: float = 50.0) -> Figure:
    return figure("fd_tiny-v1", value, floor=2.0, baseline=baseline, baseline_name="pPCA")


def sharp(value: float) -> Figure:
    return figure("sharpness_ratio", value, "neither", floor=1.0)


def modes(value: float) -> Figure:
    return figure("modes_covered", value, "higher", floor=10.0)


IDLE = figure("active_units", 1, "neither", parts=(1.0,) + (0.0,) * 3)
USED = figure("active_units", 2, "neither", parts=(1.0, 1.0))
KEPT = figure("reconstruction_mse", 0.5, baseline=1, baseline_name="PCA of 2")
PRESSED = figure("reconstruction_mse", 2, baseline=1, baseline_name="PCA of 2")


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([distance(3)], "fd_tiny-v1 is 3, 1.5 times the 2 of real against real: close to real"),
        ([distance(10)], "some way from real data"),
        ([distance(30)], "far from real data"),
        ([distance(30)], "the model is better than pPCA (30 against 50)"),
        ([distance(60)], "the model is worse than pPCA"),
        (
            [figure("fid", 5, spread=1, floor=2.0, baseline=5.5, baseline_name="x")],
            "no better than x",
        ),
        ([sharp(0.9), modes(3)], "The draws are sharp (sharpness 0.90 of real) but cover 3 of 10"),
        ([sharp(0.4), modes(10)], "blurred (sharpness 0.40 of real) and cover 10 of 10 classes."),
        ([sharp(1.6)], "The draws are noisier than real ones (sharpness 1.60 of real)."),
        ([modes(7)], "The draws cover 7 of 10 classes."),
        ([figure("modes_reverse_kl", 0.5, floor=0.01)], "too often and others too rarely"),
        ([figure("modes_accuracy", 0.5, "neither")], "Class modes cannot be judged"),
        ([figure("recall", 0.3, "higher", floor=0.7)], "Too little variety: recall is 0.30"),
        ([figure("precision", 0.3, "higher", floor=0.7)], "Many draws lie outside the data"),
        ([figure("copies_exact", 0.2, floor=0.01)], "20.0% of the draws are exact copies"),
        ([figure("copies_closer", 0.8, spread=0.1, floor=0.5)], "Likely copies: 80%"),
        ([figure("active_units", 0, "neither", parts=(0.0, 0.0))], "The latent is unused"),
        ([figure("code_perplexity", 2, "neither", parts=(0.125,) * 9)], "as if by 2 of 9 entries"),
        (
            [figure("code_rate", 90, spread=2, baseline=80.0, baseline_name="independent indices")],
            "worse than independent indices",
        ),
        ([figure("active_units", 1, "neither", parts=(1.0,) + (0.0,) * 3)], "1 of 4 dimensions"),
        (
            [figure("active_units", 3, "neither", parts=(1.0,) * 3 + (0.0,))],
            "The latent is used: 3",
        ),
        (
            [figure("elbo", -90, "higher", baseline=-100, baseline_name="G")],
            "In elbo the model is better",
        ),
        (
            [figure("reconstruction_mse", 2, baseline=1, baseline_name="PCA of 2")],
            "worse than PCA of 2",
        ),
        ([figure("active_units", 0, "neither", parts=(0.0, 0.0))], "Train with --rescue"),
        ([IDLE, PRESSED], "more is lost than need be: lower the divergence's beta."),
        ([distance(30), USED, KEPT], "the prior draws where no codes are."),
        ([], "There is too little to judge by."),
    ],
)
def test_it_says(figures: list[Figure], expected: str) -> None:
    assert expected in " ".join(verdict(figures))


@pytest.mark.parametrize(
    "figures",
    [
        [figure("copies_exact", 0.01, floor=0.02)],
        [figure("copies_closer", 0.52, spread=0.05, floor=0.5)],
        [figure("modes_reverse_kl", 0.05, floor=0.01)],
        [figure("recall", 0.65, "higher", floor=0.7)],
        [figure("elbo", -90, "higher")],
        [modes(10)],
    ],
)
def test_it_is_silent_about_what_is_as_it_should_be(figures: list[Figure]) -> None:
    assert verdict(figures) == ["There is too little to judge by."]


@pytest.mark.parametrize(
    "figures", [[distance(3), USED, KEPT], [distance(30), USED, PRESSED], [distance(30), KEPT]]
)
def test_the_prior_is_blamed_only_where_codes_are_good_and_draws_are_not(
    figures: list[Figure],
) -> None:
    assert "prior draws" not in " ".join(verdict(figures))


def test_copies_come_first() -> None:
    said = verdict([distance(3), figure("copies_exact", 0.2, floor=0.0)])
    assert "copies" in said[0]
