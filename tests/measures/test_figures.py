"""Figures as a table: columns that say something, on a terminal and in a notebook."""

import math

import pytest

from twofold.core.errors import UserError
from twofold.measures.figures import HEADS, Figures
from twofold.measures.measure import Figure

NAN = math.nan


def test_columns_without_anything_are_left_out() -> None:
    one = Figure("kl", 1.0, NAN, NAN, 5, "neither")
    other = Figure("fd", 2.0, 1.0, 3.0, 5, "lower", baseline=4.0, baseline_name="PCA of 2")
    assert Figures([one]).table()[0] == ["measure", "value", "better", "n"]
    heads, rows = Figures([one, other]).table()
    assert heads == ["measure", "value", "95 % interval", "baseline", "better", "n"]
    assert [row[2] for row in rows] == ["–", "1 … 3"]
    assert [row[3] for row in rows] == ["–", "4 PCA of 2"]
    assert repr(Figures()) == "  ".join(HEADS)


def test_a_notebook_gets_a_table_in_which_names_are_no_markup() -> None:
    shown = Figures([Figure("<b>", 1.0, NAN, NAN, 5, "neither")])._repr_html_()
    assert shown.startswith("<table><tr><th>measure</th>")
    assert "<td>&lt;b&gt;</td><td>1</td>" in shown


def test_a_name_that_no_figure_has_is_told_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'recall'"):
        Figures([Figure("recall", 1.0, NAN, NAN, 5, "higher")]).named("recal")
