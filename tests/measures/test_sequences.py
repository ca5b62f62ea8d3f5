"""What is said of sequences: against counts by hand, and on worlds whose answer is known."""

import math
from dataclasses import replace

import pytest
import torch

from twofold.core.batch import Batch, Given
from twofold.core.space import Category, Field, Space, Token
from twofold.measures.measure import Evidence, figures
from twofold.measures.molecules import cosine, counted_kl, smooth_kl
from twofold.measures.sequences import Trigram, bleu, distinct, lengths
from twofold.models.autoregressive import Autoregressive

WORDS = Space((Field("word", Token(("", "a", "b", "c", "d"))),), (6,))
LABEL = Space((Field("label", Category(("x", "y")), missing=True),))


def batch(rows: list[list[int]], labels: list[int] | tuple[()] = ()) -> Batch:
    k = torch.zeros(len(rows), 1, 6)
    for i, row in enumerate(rows):
        k[i, 0, : len(row)] = torch.tensor(row)
    c = (
        LABEL.encode(torch.tensor(labels).reshape(-1, 1).float())
        if labels
        else torch.zeros(len(rows), 0)
    )
    return Batch.of(WORDS.encode(k), Given(c))


def found(evidence: Evidence, *names: str) -> dict[str, float]:
    return {figure.name: figure.value for figure in figures(evidence, names)[0]}


def test_a_trigram_is_a_distribution_over_the_next_token() -> None:
    made = Trigram([[1, 2, 3], [1, 2, 4]], size=5)
    for behind in ((-1, -1), (1, 2), (4, 4)):
        assert sum(made.p((*behind, k)) for k in range(5)) == pytest.approx(1)
    assert made.p((1, 2, 3)) > made.p((1, 2, 1))


def test_cost_a_token_of_uniform_tokens_is_their_entropy() -> None:
    """A network that says nothing costs log K a token, the end among them."""
    model = Autoregressive(WORDS, Space())
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    rows = batch([[1, 2], [3], [], [4, 4, 4, 4, 4, 4]])
    evidence = Evidence(WORDS, Space(), rows, rows, rows, model)
    assert lengths(rows.x).tolist() == [3, 2, 1, 6]
    assert found(evidence, "nats_a_token")["nats_a_token"] == pytest.approx(math.log(5), rel=1e-5)


def test_copies_have_nothing_new_and_other_sentences_all() -> None:
    real, other = batch([[1, 2, 3, 4, 1]] * 20), batch([[4, 3, 2, 1, 4]] * 20)
    evidence = Evidence(WORDS, Space(), real, real, real)
    names = ("self_bleu", "distinct_2", "copied_5")
    copied = found(evidence, *names)
    assert copied == {"self_bleu": pytest.approx(1), "distinct_2": 4 / 80, "copied_5": 1}
    assert found(replace(evidence, fake=other), "copied_5") == {"copied_5": 0}


def test_bleu_by_hand() -> None:
    # ones 3/4, twos 1/3, no threes or fours of two and one: half a match each
    by_hand = math.exp(sum(map(math.log, (3 / 4, 1 / 3, 0.5 / 2, 0.5 / 1))) / 4)
    assert bleu([1, 2, 3, 9], [[1, 2, 7, 3]]) == pytest.approx(by_hand)
    assert distinct([[1, 2, 1], [1, 2]], 1) == 2 / 5


def test_a_label_that_is_in_the_words_is_found() -> None:
    rows, labels = [[1, 3], [2, 3]] * 20, [0, 1] * 20
    right, wrong = batch(rows, labels), batch(rows, [1 - one for one in labels])
    evidence = Evidence(WORDS, LABEL, right, right, right)
    assert found(evidence, "label_fidelity") == {"label_fidelity": 1}
    assert found(replace(evidence, fake=wrong), "label_fidelity") == {"label_fidelity": 0}


def test_divergences_of_molecules_by_hand() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(4000).double(), torch.randn(4000).double() + 1
    assert smooth_kl(a, a) == pytest.approx(0, abs=1e-6)
    assert smooth_kl(a, b) == pytest.approx(0.5, abs=0.06)  # KL of unit Gaussians one apart
    half = torch.tensor([0, 1]).double()
    assert counted_kl(half, torch.tensor([0, 0, 0, 1]).double()) == pytest.approx(
        0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    )
    assert cosine([["a"], ["b"]], [["c"]]) == 0
