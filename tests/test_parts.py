"""Every part that a recipe can name has a page, with its equation, its source and its options."""

import re
import sys
from pathlib import Path

import markdown
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))  # as mkdocs does for its hook

import generate
import parts

from twofold.cli.commands import app
from twofold.core import toml
from twofold.core.build import Part, options
from twofold.data.augment import Augment
from twofold.maths.bounds import ELBO, IWAE
from twofold.maths.divergences import KL, TotalCorrelation
from twofold.models.gan import GAN
from twofold.nets.expost import Vamp
from twofold.nets.posteriors import Diagonal, Full
from twofold.runs.recipe import SPACES, plan
from twofold.train.options import Training

EVERY = [
    pytest.param(folder, name, make, id=f"{folder}/{name}")
    for folder, group in parts.GROUPS.items()
    for name, make in group.parts.items()
]
UNNAMED = {Augment, Training}
"""Parts that no recipe names: an option of the images, and a table of its own."""


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return parts.part_pages(generate.markdown)


def is_written(sort: type) -> bool:
    """Whether a class is the package's, and not one that an example made."""
    module = sort.__module__
    return module.startswith("twofold.") and hasattr(sys.modules[module], sort.__name__)


def test_no_sort_of_parts_is_left_out() -> None:
    sorts = {sort for sort in Part.__subclasses__() if is_written(sort)}
    assert sorts - UNNAMED == {group.sort for group in parts.GROUPS.values()} - {parts.Model}
    assert len(EVERY) > 60


def test_every_option_that_is_a_part_leads_to_its_pages() -> None:
    for place in parts.places():
        assert parts.linked(place.sort).startswith("["), place


@pytest.mark.parametrize(("folder", "name", "make"), EVERY)
def test_a_part_says_what_it_is(
    folder: str, name: str, make: parts.Make, pages: dict[str, str]
) -> None:
    words = parts.said(make)
    assert words.sentence.endswith("."), words.sentence
    assert any("$" in shown for shown in words.equations), "no equation"
    assert re.search(r"\b(1|2)\d{3}\b|^ours", words.source), f"no source: {words.source!r}"
    missing = [o for o in options(make, SPACES) if not words.options.get(o)]
    assert missing == [], f"Args: says nothing of {missing}"
    page = pages[f"parts/{folder}/{name}.md"]
    assert all(text in page for text in (words.sentence, words.source, *words.equations))
    assert f"parts/{folder}/{name}.md" in str(parts.part_nav())


@pytest.mark.parametrize(("folder", "name", "make"), EVERY)
def test_its_lines_of_a_recipe_choose_it(
    folder: str, name: str, make: parts.Make, pages: dict[str, str]
) -> None:
    page = pages[f"parts/{folder}/{name}.md"]
    for text in re.findall(r"```toml\n(.*?)\n```", page, re.DOTALL):
        made = plan(toml.loads(text, "the page"), {})
        assert make is made.make or make.__name__ in repr((made.options, made.training))
    (lines,) = re.findall(r"```sh\n(.*?)\n```", page, re.DOTALL)
    for line in lines.splitlines():
        app.parse_args(line.removeprefix("twofold "), exit_on_error=False, print_error=False)
        assert name in line


def test_what_is_refused_is_found() -> None:
    refused = parts.refusals(TotalCorrelation)
    assert ["`posterior=flow`", "`posterior=full`"] in refused.values()
    assert any(why.startswith("it weighs draws") for why in refused)
    assert any(
        "`divergence=total-correlation`" in others for others in parts.refusals(IWAE).values()
    )
    assert any("`prior=vamp`" in others for others in parts.refusals(Full).values())
    assert "which must be diagonal Gaussians" in str(parts.refusals(Vamp))
    assert parts.refusals(ELBO) == parts.refusals(KL) == parts.refusals(Diagonal) == {}
    assert parts.refusals(GAN) == {}


def test_a_docstring_is_taken_apart() -> None:
    words = parts.said(KL)
    assert words.sentence.startswith("The KL to the prior, times β")
    assert words.options["group"] == "dimensions that share their λ."
    assert words.options["beta"] == "β."
    assert words.source.startswith("Kingma & Welling 2014")


def test_an_undocumented_part_is_seen() -> None:
    class Bare:
        """A part."""

        def __init__(self, size: int = 1) -> None: ...

    words = parts.said(Bare)
    assert (words.equations, words.source, dict(words.options)) == ((), "", {})


def test_a_bar_does_not_end_a_cell(pages: dict[str, str]) -> None:
    html = markdown.markdown(pages["parts/families/vae.md"], extensions=["tables"])
    assert "<td>the architecture of q(z | x, given).</td>" in html
