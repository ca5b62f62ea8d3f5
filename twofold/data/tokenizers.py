"""Sentences as tokens and back, exactly: words, or byte pairs.

`Words` cuts a sentence into words, each with the space before it, and signs. The most frequent ones
are tokens; any other word is spelt out in letters. Joining the tokens gives the sentence back,
whatever they are. `Pieces` are pairs of bytes merged by how often they come together (Sennrich et
al. 2016, arXiv:1508.07909), over bytes, so that nothing is unknown; they need the package
`tokenizers`.

>>> words = Words.fit(["a cat sat", "a cat ran"], size=5)
>>> words.cut("a cat sat")
['a', ' cat', ' ', 's', 'a', 't']
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from twofold.core.errors import UserError

WORD = re.compile(r" ?\w+(?:['’]\w+)*| ?[^\w\s]|\s")


class Tokenizer(ABC):
    """Cuts sentences; frozen dataclasses, kept in the run."""

    token: str
    """What a token is called."""

    @classmethod
    @abstractmethod
    def fit(cls, sentences: Sequence[str], size: int) -> Self:
        """Learn about `size` tokens."""

    @abstractmethod
    def cut(self, sentence: str) -> list[str]:
        """A sentence as tokens."""

    @abstractmethod
    def join(self, tokens: Sequence[str]) -> str:
        """Tokens as a sentence."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """As plain data."""


@dataclass(frozen=True)
class Words(Tokenizer):
    """Frequent words, and letters for the others."""

    known: tuple[str, ...]
    token = "word"

    @classmethod
    def fit(cls, sentences: Sequence[str], size: int) -> Self:
        counted = Counter(word for sentence in sentences for word in WORD.findall(sentence))
        often = sorted(counted, key=lambda word: (-counted[word], word))[:size]
        return cls(tuple(word for word in often if counted[word] > 1))

    @cached_property
    def set(self) -> frozenset[str]:
        return frozenset(self.known)

    def cut(self, sentence: str) -> list[str]:
        words = WORD.findall(sentence)
        return [token for word in words for token in ([word] if word in self.set else [*word])]

    def join(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)

    def to_dict(self) -> dict[str, Any]:
        return {"name": "words", "known": list(self.known)}


@dataclass(frozen=True)
class Pieces(Tokenizer):
    """Byte pairs; `model` is what the package `tokenizers` writes."""

    model: str
    token = "piece"

    @classmethod
    def fit(cls, sentences: Sequence[str], size: int) -> Self:
        library = package()
        made = library.Tokenizer(library.models.BPE())
        made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = library.decoders.ByteLevel()
        trainer = library.trainers.BpeTrainer(
            vocab_size=size,
            initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        made.train_from_iterator(sentences, trainer)
        return cls(made.to_str())

    @cached_property
    def made(self) -> Any:
        return package().Tokenizer.from_str(self.model)

    def cut(self, sentence: str) -> list[str]:
        tokens: list[str] = self.made.encode(sentence).tokens
        return tokens

    def join(self, tokens: Sequence[str]) -> str:
        return str(self.made.decoder.decode(list(tokens)))

    def to_dict(self) -> dict[str, Any]:
        return {"name": "pieces", "model": self.model}


TOKENIZERS: dict[str, type[Tokenizer]] = {"words": Words, "pieces": Pieces}


def package() -> Any:
    """The package tokenizers.

    Raises:
        UserError: it is not installed.
    """
    try:
        import tokenizers
    except ImportError:
        raise UserError('byte pairs need tokenizers; pip install "twofold[text]"') from None
    return tokenizers


def recall(data: Mapping[str, Any]) -> Tokenizer:
    """The inverse of `to_dict`."""
    rest = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k != "name"}
    return TOKENIZERS[data["name"]](**rest)
