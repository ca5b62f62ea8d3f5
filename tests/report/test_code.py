"""The section of the code, on a model whose dimensions are known beforehand."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tests.report.reading import balanced
from twofold.core.batch import Batch, Given
from twofold.core.space import Category, Field, Real, Space
from twofold.data.doctor import examine
from twofold.measures.latent import Codes, infer
from twofold.measures.monitor import Reading, read
from twofold.report import code
from twofold.report.page import join
from twofold.report.seen import Seen
from twofold.report.tables import basis
from twofold.runs.training import Material, start

SPLIT = {"split": {"validation": 0.2, "test": 0.3, "seed": 0}}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A table whose columns `height` and `sort` are one factor each, and a VAE of it."""
    chance = np.random.default_rng(0)
    height, twin = chance.normal(170, 10, 500), chance.normal(size=500)
    sort = np.where(chance.random(500) < 0.5, "up", "down")
    frame = pd.DataFrame({"height": height, "twin": twin, "again": 2 * twin, "sort": sort})
    found = examine(frame)
    material = Material.of(found.kind, found.source, (), SPLIT)
    train = {"steps": 150, "batch": 128, "lr": 1e-2, "average": 0.5, "evaluate": 50}
    recipe = {"model": {"name": "vae", "latent": 6}, "train": train}
    run = start(recipe, SPLIT, material, tmp_path_factory.mktemp("run") / "run", quiet=True)
    return Seen(run, [], {}, material)


def looked(seen: Seen) -> code.Looked:
    run = seen.run
    x, c = run.space.encode(seen.real.values), run.given.encode(seen.real.given)
    batch = Batch.of(x, Given(c))
    return code.Looked(batch, infer(run.model, batch, 0), read(run.model, batch))


def test_moving_the_dimension_of_a_column_moves_that_column(seen: Seen) -> None:
    found = looked(seen)
    known = [
        (name, basis(channels.double()))
        for name, channels in code.columns_of(seen.run.space, found.batch.x)
    ]
    assert [name for name, _ in known] == ["height", "twin", "again", "sort"]
    first = code.leading_ones(found)[0]
    kin = code.kin(found.codes.mean[:, first : first + 1], known)
    effect = code.effect(seen, found, first)
    pair = {"twin", "again"}  # one factor in two columns, which a code learns first
    assert {word.split(" (")[0] for word in kin.split(", ")} == pair
    assert effect.split(" from ")[0] in pair
    low, high = (float(end.replace("−", "-")) for end in effect.split(" from ")[1].split(" to "))
    assert abs(high - low) > 1


def test_the_section_has_words_a_chart_and_a_table(seen: Seen) -> None:
    (section,) = code.used(seen)
    assert "dimensions depend on the observation" in section.body
    assert "KL by dimension, held-out" in section.body
    assert "Has to do with" in section.body
    assert "Moving it" in section.body
    assert balanced(join([section.body])) == []


def codes(mean: Tensor, sigma: float, kl: float) -> Codes:
    spread = torch.full_like(mean, sigma)
    return Codes(mean, spread, torch.full_like(mean, kl))


def made(active: int, information: float, kl: tuple[float, ...]) -> code.Looked:
    mean = torch.randn(50, len(kl)) * torch.tensor([1.0] * active + [0.0] * (len(kl) - active))
    batch = Batch.of(torch.zeros(50, 1))
    return code.Looked(batch, codes(mean.double(), 0.5, 1.0), Reading(kl, active, information, {}))


def test_it_says_whether_the_code_is_used() -> None:
    unused = " ".join(code.in_words(made(0, 0.0, (0.0, 0.0))))
    assert "not used: 0 of 2" in unused
    used = " ".join(code.in_words(made(2, 1.5, (1.0, 1.0))))
    assert "used: 2 of 2" in used
    assert "costs 2 nats and tells 1.5 of them" in used
    assert "at least 3.8" in " ".join(code.in_words(made(2, 3.8, (3.0, 3.0))))  # of log 50 = 3.9


@pytest.mark.parametrize(
    ("beta", "found", "expected"),
    [
        (60.0, made(0, 0.0, (0.0, 0.0)), "lower model.divergence.beta, which is 60"),
        (1.0, made(0, 0.0, (0.0, 0.0)), "free_bits"),
        (8.0, made(1, 1.0, (1.0, 0.0, 0.0)), "which is 8"),
        (1.0, made(1, 1.0, (1.0, 0.0, 0.0)), "model.latent = 1 would do as well"),
        ({"name": "cyclic"}, made(0, 0.0, (0.0, 0.0)), "free_bits"),
    ],
)
def test_it_says_what_to_change(
    beta: object, found: code.Looked, expected: str, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {"model": {"divergence": {"name": "kl", "beta": beta}}}
    monkeypatch.setitem(seen.run.__dict__, "recipe", recipe)
    assert expected in " ".join(code.advice(seen, found))


def test_a_column_by_chance_is_not_named() -> None:
    torch.manual_seed(1)
    given = Space((Field("label", Category(tuple("abcdefghij")), missing=True),))
    label = torch.randint(10, (60, 1)).double()
    (known,) = [
        (name, basis(channels.double()))
        for name, channels in code.columns_of(given, given.encode(label))
    ]
    assert code.kin(torch.randn(60, 1), [known]) == "nothing that is known"
    assert code.kin((label == 3).double(), [known]) == "label (1.00)"
    assert code.kin(torch.randn(60, 1), []) == "–"


def test_fields_of_several_values_are_named_by_number() -> None:
    space = Space((Field("v", Real(), 2, missing=True), Field("w", Real())))
    values = torch.tensor([[1.0, torch.nan, 2.0]])
    found = {name: c.flatten().tolist() for name, c in code.columns_of(space, space.encode(values))}
    assert found == {"v 1": [1.0], "v 2": [0.0], "w": [2.0]}
