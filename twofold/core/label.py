r"""The label of an observation: one category of what is given, apart from the rest.

A family that learns to tell a label from x must not be shown it: `Label.of` takes one category out
of what may be given, and what is left, the `rest`, conditions networks as anywhere else. A label
may be unknown of any row; of a known one, `Told` holds y one-hot, of another a row of zeros.

>>> from twofold.core.space import Field, Real
>>> told = Space((Field("size", Real(), missing=True),
...               Field("sort", Category(("a", "b")), missing=True)))
>>> label = Label.of(told)
>>> label.field.name, label.rest.fields[0].name
('sort', 'size')
>>> apart = label(Given(told.encode(torch.tensor([[3.0, 1.0], [3.0, float("nan")]]))))
>>> apart.y.tolist(), apart.known.tolist(), apart.rest.c.tolist()
([[0.0, 1.0], [0.0, 0.0]], [1.0, 0.0], [[3.0, 1.0], [3.0, 1.0]])
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.errors import UserError, nearest
from twofold.core.space import Category, Field, Space, cut, together


@dataclass(frozen=True)
class Told:
    """What is given of B rows: the label `y` (B, K), whether it is `known` (B,), and the rest."""

    y: Tensor
    known: Tensor
    rest: Given


@dataclass(frozen=True)
class Label:
    """One category of what may be given.

    Args:
        given: all that may be given. at: which of its fields is the label.
    """

    given: Space
    at: int

    @classmethod
    def of(cls, given: Space, name: str = "") -> Label:
        """The category of this name; without one, the first.

        Raises:
            UserError: there is none.
        """
        names = [f.name for f in given.fields if isinstance(f.domain, Category) and f.size == 1]
        if not names:
            raise UserError(
                "there are no labels to learn: nothing that is given of these data is a category; "
                "sort images into sub-folders, or name a column with data.given"
            )
        if name not in ("", *names):
            raise UserError(f"model.label = {name!r} is no label; {nearest(name, names)}")
        fields = [field.name for field in given.fields]
        return cls(given, fields.index(name or names[0]))

    @property
    def field(self) -> Field:
        return self.given.fields[self.at]

    @property
    def names(self) -> tuple[str, ...]:
        """The K labels."""
        assert isinstance(self.field.domain, Category)
        return self.field.domain.labels

    @property
    def rest(self) -> Space:
        """What else may be given."""
        fields = self.given.fields
        return Space(fields[: self.at] + fields[self.at + 1 :])

    def __call__(self, given: Given) -> Told:
        """What is given, the label apart from the rest."""
        parts = [*cut(given.c, [field.width for field in self.given.fields])]
        y, presence = self.field.split(parts.pop(self.at))
        known = torch.ones_like(y[:, 0]) if presence is None else presence[:, 0]
        return Told(y, known, Given(together(parts, given.c)))
