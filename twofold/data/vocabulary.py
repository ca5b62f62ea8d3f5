"""Sequences of tokens as rows of indices.

A vocabulary lists its tokens; the first, the empty one, ends a sequence and fills what is behind.

>>> words = Vocabulary(("", "a", "b"))
>>> words.values([["b", "a"], []], length=3).tolist()
[[[2, 1, 0]], [[0, 0, 0]]]
>>> words.sequences(words.values([["b", "a"]], length=3))
[['b', 'a']]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Self

import torch
from torch import Tensor

END = ""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens that occur, the end first."""

    labels: tuple[str, ...]

    @classmethod
    def of(cls, sequences: Iterable[Sequence[str]]) -> Self:
        """Every token of some sequences, in alphabetical order."""
        return cls((END, *sorted({token for tokens in sequences for token in tokens})))

    @cached_property
    def place(self) -> dict[str, int]:
        """Where each token is in the list."""
        return {token: at for at, token in enumerate(self.labels)}

    def values(self, sequences: Sequence[Sequence[str]], length: int) -> Tensor:
        """Indices (N, 1, length) of sequences that are shorter than that and hold known tokens."""
        out = torch.zeros(len(sequences), 1, length, dtype=torch.int32)
        for row, tokens in enumerate(sequences):
            out[row, 0, : len(tokens)] = torch.tensor([self.place[t] for t in tokens])
        return out

    def sequences(self, values: Tensor) -> list[list[str]]:
        """The tokens of rows (B, 1, T), each up to its end."""
        rows = values.squeeze(1).long().tolist()
        return [[self.labels[i] for i in takewhile(bool, row)] for row in rows]
