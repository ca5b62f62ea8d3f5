"""The studies of sentences: labels by rule, what is counted, and which end a bar is on."""

import pandas as pd
import pytest

from twofold.apps.augmentation import Way
from twofold.measures.estimate import Estimate
from twofold.measures.measure import Figure
from twofold.studies import sentence_control, sentence_vae, text_augment
from twofold.studies.captions import LABELS, hidden, labelled, who


def test_a_caption_has_the_label_of_who_comes_first() -> None:
    said = {"A MAN and a dog.": "man", "Dogs run.": "dog", "A woman.": "woman", "Humans.": ""}
    assert {text: who(text) for text in said} == said
    assert not any(who(hidden(text)) for text in said)
    frame = pd.DataFrame({"text": ["a man", "a dog"], "label": ["man", "dog"]})
    assert labelled(frame, hidden).sentences == ("a ", "a ")
    assert [LABELS[k] for k in labelled(frame).label] == ["man", "dog"]


def test_a_copy_is_a_copy_whatever_its_signs() -> None:
    side = pd.DataFrame({"text": ["A man", "a dog", "a child"], "label": ["man", "dog", "child"]})
    judges = pd.concat([side] * 3)
    found = sentence_control.shares(judges, side, {"a man", "a woman"})
    assert found["copies"] == pytest.approx(1 / 3)
    assert found[sentence_control.SEEN] == 1.0
    assert found[sentence_control.UNSEEN] < 1.0


def test_bars_are_on_the_worse_end() -> None:
    every = [
        sentence_control.Found(*({sentence_control.SEEN: v, sentence_control.UNSEEN: v,
                                  "copies": c} for _ in range(2)))
        for v, c in ((0.9, 0.0), (0.7, 0.1))
    ]  # fmt: skip
    seen, copies, _ = sentence_control.told(every)
    assert (seen.ours, seen.holds) == (seen.low, False)
    assert (copies.ours, copies.holds) == (copies.high, False)
    price, nats, *_ = sentence_vae.bars([costs(1.01, 6.0), costs(1.01, 6.0)])
    assert price.holds
    assert nats.holds
    assert not sentence_vae.bars([costs(1.05, 6.0), costs(1.0, 6.0)])[0].holds


def costs(ratio: float, kl: float) -> dict[str, dict[str, Figure]]:
    """Figures of three models of one seed."""
    values = {sentence_vae.COST: ratio, sentence_vae.KL: kl, sentence_vae.USED: 9.0,
              sentence_vae.BACK: 0.5}  # fmt: skip
    none = {**values, sentence_vae.COST: 1.0, sentence_vae.BACK: 0.1}
    models = {sentence_vae.OURS: values, sentence_vae.PLAIN: none, sentence_vae.NONE: none}
    return {
        model: {
            name: Figure(name, value, value, value, 1, "higher") for name, value in figures.items()
        }
        for model, figures in models.items()
    }


def test_a_gain_is_a_difference_pair_by_pair() -> None:
    def ways(bare: float, ours: float) -> dict[str, Way]:
        nan = Estimate(0.5, 0.5, 0.5)
        named = {"nothing added": bare, "simple edits": bare, "ours": ours}
        return {name: Way(name, 1, Estimate(v, v, v), nan) for name, v in named.items()}

    alone, edits, ours = text_augment.told(20, [ways(0.6, 0.7), ways(0.8, 0.9)])
    assert alone.ours == pytest.approx(0.7)
    assert (edits.ours, edits.low) == (0.0, 0.0)
    assert (ours.ours, ours.low) == (pytest.approx(0.1), pytest.approx(0.1))
    assert ours.holds is None
