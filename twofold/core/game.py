"""How a game is played: `Model`, `Turn` and the roles.

A model has *players*, disjoint sets of networks, and a `play`: a Python generator that yields
*turns*. A turn maps players to scalar losses. The loop settles every key of a turn at the same
parameters: it computes each player's gradient of that player's loss with respect to that player's
parameters alone, then all of them step. So several yields alternate, several keys of one turn are
simultaneous, and `yield from` nests an inner game:

    def play(self, batch, progress):                      # Goodfellow et al. 2014, Algorithm 1
        fake = self.generator(self.noise(len(batch))).rsample()
        yield Turn(critic=loss_of_the_critic(self.critic(batch.x), self.critic(fake.detach())))
        yield Turn(generator=loss_of_the_generator(self.critic(fake)))

A graph built before a player moved cannot be used for that player afterwards (PyTorch raises);
build it again after the yield. `play` never branches on the data, so that every part of a batch
plays the same turns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from twofold.core.batch import Batch, Given
from twofold.core.label import Label
from twofold.core.space import Space


@dataclass(frozen=True)
class Progress:
    """How far training has come: `step` of `steps` finished, `shown` of `size` observations seen.

    Each of the `size` observations of the training data is shown again and again.
    """

    step: int = 0
    steps: int = 1
    shown: int = 0
    size: int = 1

    @property
    def fraction(self) -> float:
        return min(self.step / self.steps, 1.0)


class Turn:
    """What one move costs: a scalar loss a player, and notes to record.

    Args:
        notes: scalars for the log, detached here.
        losses: a scalar a player, a mean over the rows of the batch.
    """

    def __init__(self, notes: Mapping[str, Tensor] = {}, **losses: Tensor) -> None:
        self.losses = losses
        self.notes = {name: note.detach() for name, note in notes.items()}

    def __repr__(self) -> str:
        return f"Turn({', '.join(self.losses)})"


class Model(nn.Module, ABC):
    """A family: parts, players and their game, for one Space and what may be given.

    A family's constructor takes the two Spaces first; every other argument is its configuration,
    has a default, and is what a recipe may say under `model`. `lacks` says why an option that other
    families have makes no sense here, by its name. Where a loss of the defaults looks at all rows
    of a part at once, `coupled` says which options keep each row to itself. `paces` are factors on
    the rates of some players, which a rescue may set.
    """

    lacks: ClassVar[Mapping[str, str]] = {}
    coupled: ClassVar[Mapping[str, Any]] = {}
    paces: Mapping[str, float] = {}

    def __init__(self, space: Space, given: Space) -> None:
        super().__init__()
        self.space = space
        self.given = given

    @abstractmethod
    def players(self) -> dict[str, Sequence[nn.Module]]:
        """The networks of each player: disjoint, and all that trains."""

    @abstractmethod
    def play(self, batch: Batch, progress: Progress) -> Iterator[Turn]:
        """The algorithm, turn by turn."""


class Distribution(ABC):
    """A probability distribution over B rows, each an x (C, *A) or a latent vector (D,)."""

    @abstractmethod
    def sample(self) -> Tensor:
        """One draw a row, without gradient."""

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """The expectation of a row; for categories, their probabilities."""

    @property
    @abstractmethod
    def mode(self) -> Tensor:
        """The most probable row, or the nearest thing to it that the family can name."""


class Samples(ABC):
    """A model that draws observations."""

    @abstractmethod
    def sample(self, given: Given) -> Tensor:
        """One x (B, C, *A) for each row given."""


class Decodes(Samples):
    """A model that draws from a latent code."""

    latent: int

    @abstractmethod
    def prior(self, given: Given) -> Distribution:
        """p(z), a row for each row given: (B, D)."""

    @abstractmethod
    def decode(self, z: Tensor, given: Given) -> Distribution:
        """p(x | z, given)."""


class Encodes(ABC):
    """A model that infers the latent code of an observation."""

    @abstractmethod
    def encode(self, x: Tensor, given: Given) -> Distribution:
        """q(z | x, given): (B, D)."""


class Fills(ABC):
    """A model that draws what is missing by itself, given what is there."""

    @abstractmethod
    def fill(self, x: Tensor, observed: Tensor, given: Given) -> Tensor:
        """A draw of each row in which every value is there, (B, C, *A).

        Args:
            x: 0 in every gap, presence channels among them, (B, C, *A).
            observed: which values are known, (B, F, *A); those are kept as they are in x.
        """


class Hides(ABC):
    """A model that may say how likely values are to go missing, from what they are."""

    hides: bool
    """Whether it does."""

    @abstractmethod
    def log_hidden(self, x: Tensor, gone: Tensor) -> Tensor:
        """log p(which values went missing | x) in nats, (B,).

        Args:
            x: every value being there, (B, C, *A). gone: which went missing, (B, F, *A).
        """


class Scores(ABC):
    """A model that bounds the likelihood of an observation."""

    @abstractmethod
    def log_likelihood(self, x: Tensor, given: Given, samples: int) -> Tensor:
        """An importance-weighted lower bound of log p(x | given) in nats, (B,).

        Exactly `samples` draws an observation (Burda et al. 2016); 1 is the ELBO.
        """


class Starts(ABC):
    """A model that can start from what the data are on average."""

    @abstractmethod
    def start(self, x: Tensor) -> None:
        """Before the first step: what is decoded of any code is near the mean of x (N, C, *A)."""


Trouble = Literal["unused", "collapsing", "critic too strong", "overfitting", "diverged"]
"""What may befall a model: its code falls out of use; or its game goes wrong."""


class Rescues(ABC):
    """A model that can do something about a trouble while it trains."""

    @abstractmethod
    def remedy(self, trouble: Trouble) -> str:
        """What it would do next, in words; empty where there is nothing it could do."""

    @abstractmethod
    def rescue(self, trouble: Trouble, step: int) -> None:
        """Do it: play otherwise from a step on. A model anew, told the same, plays the same."""


class Criticises(ABC):
    """A model that tells real observations from drawn ones."""

    @abstractmethod
    def judge(self, x: Tensor, given: Given) -> Tensor:
        """A logit for each row, (B,): high is real."""


class Detects(ABC):
    """A model that says by itself how unlike its training data an observation is."""

    @abstractmethod
    def oddness(self, x: Tensor, given: Given) -> Tensor:
        """The family's own anomaly score of each row, (B,): high is abnormal."""


class Regards(ABC):
    """A model whose critic can be asked what it sees, before it judges."""

    @abstractmethod
    def regard(self, x: Tensor, z: Tensor, given: Given) -> Tensor:
        """The critic's features of observations, with a code z (B, D) beside each: (B, F)."""


class Truncates(ABC):
    """A model that knows its mean code, and draws nearer to it than it has learnt to."""

    @abstractmethod
    def typical(self, given: Given, psi: float) -> Distribution:
        """p(x | a code of a share psi of its way from the mean one), a row for each row given."""


class Styles(Decodes):
    """A model whose code is mapped to a style w that acts on each of L layers, coarse to fine.

    A style of one row is (D,), in W; one that differs from layer to layer is (L, D), in W+.
    """

    @property
    @abstractmethod
    def layer_sizes(self) -> tuple[tuple[int, ...], ...]:
        """The size of the grid that each of the L layers paints."""

    @abstractmethod
    def map(self, z: Tensor, given: Given) -> Tensor:
        """w, (B, D)."""

    @abstractmethod
    def synthesise(self, w: Tensor) -> Distribution:
        """p(x | w), of a style (B, D) or of one a layer, (B, L, D)."""

    @abstractmethod
    def truncate(self, w: Tensor, psi: float) -> Tensor:
        """Styles of W or W+ moved towards the mean one: ψ = 1 leaves them, 0 is the mean."""


class Classifies(ABC):
    """A model that tells the `label`, a category of what may be given, from an observation."""

    label: Label

    @abstractmethod
    def classify(self, x: Tensor, given: Given) -> Distribution:
        """p(label | x) over K labels, one-hot, whose `mean` (B, K) are their probabilities.

        What is given of the label itself is not looked at.
        """


class Foretells(ABC):
    """A model that predicts properties of an observation from its code.

    `foretold` is what of; it has no field where nothing is predicted.
    """

    foretold: Space

    @abstractmethod
    def foretell(self, z: Tensor) -> Distribution:
        """p(y | z) of codes (B, D)."""


class Quantises(ABC):
    """A model whose code is an index of `codes` at each of P `places`, a grid of them."""

    codes: int
    places: tuple[int, ...]

    @abstractmethod
    def indices(self, x: Tensor, given: Given) -> Tensor:
        """The indices of each observation, (B, P)."""

    @abstractmethod
    def log_prior(self, k: Tensor, given: Given) -> Tensor:
        """log p(k | given) of indices (B, P), in nats, (B,)."""
