r"""Sequences of tokens: encoders that read them, and decoders that spell them one by one.

A sequence of the `tokens` layout ends at the first token of index 0; what stands behind the end is
not read. A decoder is autoregressive,

$$ \log p(k \mid z, c) = \sum_{t \le L} \log p(k_t \mid k_1, \dots, k_{t-1}, z, c), $$

L the place of the end. Place t sees a start and the tokens before it, never those to come; it also
sees the code: the whole of it in the first state, and at each place numbers of its own, $g_t =
U_t z$ (`guide` of them), from which it is easily read where in the sequence one is. *Word dropout*
(Bowman et al. 2016, arXiv:1511.06349) hides a share of the tokens before from the decoder while it
trains, so that it has to ask the code for them.

`Gru` keeps a state (Cho et al. 2014, arXiv:1406.1078); `Transformer` attends to the places behind
(Vaswani et al. 2017, arXiv:1706.03762). Drawing goes place by place with what is known of the past
kept, all rows of a batch at once, until the last has ended.

Notation: x (B, K, T) one-hot, k (B, T) indices, z (B, D), c (B, G), h (B, T, W) hidden vectors.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from pydantic import Field as Limits
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from twofold.core.build import kebab
from twofold.core.errors import UserError
from twofold.core.space import Space
from twofold.maths.choosing import Choice
from twofold.maths.guidance import guided
from twofold.maths.likelihoods import (
    EDGE,
    BernoulliValues,
    Elementwise,
    Observation,
    ObservationSpec,
    ObservedField,
)
from twofold.nets.blocks import Condition
from twofold.nets.bodies import Architecture, Body, Dense, join
from twofold.nets.causal import CausalLayer, Past

Share = Annotated[float, Limits(ge=0, lt=1)]
State = Any
"""What a decoder keeps of the places behind."""
Way = tuple[Tensor, Tensor]
"""A code z (B, D) and what is given c (B, G)."""
Choose = Callable[..., Tensor]
LIKELIEST = Choice(temperature=0.0)
GRAM = 5
"""Tokens that a convolution sees at once."""


class Sequential(Architecture):
    """An architecture for tokens: its decoder spells, token by token."""

    width: PositiveInt
    embed: PositiveInt
    guide: NonNegativeInt
    dropout: Share

    @abstractmethod
    def reader(self) -> Mixer:
        """Layers that see a whole sequence."""

    @abstractmethod
    def writer(self, inputs: int, start: int) -> Writer:
        """Layers that see the places behind, from numbers a place and numbers to start from."""

    def down(self, space: Space, given: Space, out: int) -> Body:
        self.check(space.layout == "tokens" and len(space.axes) == 1)
        return TokensDown(self, space, given, out)

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        self.check(len(axes) == 1)
        return TokensUp(self, latent + given.width, out, axes[0])

    def speller(self, latent: int, given: Space, space: Space) -> Speller:
        """The decoder of codes (B, latent).

        Raises:
            UserError: the data are no tokens.
        """
        self.check(space.layout == "tokens" and space.size == 1 and len(space.axes) == 1)
        return Speller(self, latent, given, space)

    def check(self, fits: bool) -> None:
        """Refuse data that are no tokens."""
        if not fits:
            name = kebab(type(self).__name__)
            raise UserError(f"a {name} is for tokens, and these data are none; use suited nets")


@dataclass(frozen=True)
class Gru(Sequential):
    r"""Gated recurrent units: both ways to read, forwards to spell.

    $$ h_t = (1 - u_t) \odot n_t + u_t \odot h_{t-1}, \qquad (u_t, r_t) = \sigma\big(W [e_t,
     h_{t-1}]\big), \quad n_t = \tanh\big(V e_t + r_t \odot U h_{t-1}\big) $$

    Args:
        width: of the state. depth: layers. embed: numbers a token.
        guide: numbers of the code at each place, by a map of the place's own; 0 for none.
        dropout: the share of tokens that are hidden from the decoder in training.

    Source: Cho et al. 2014, arXiv:1406.1078; word dropout, Bowman et al. 2016, arXiv:1511.06349.
    """

    width: PositiveInt = 256
    depth: PositiveInt = 1
    embed: PositiveInt = 64
    guide: NonNegativeInt = 64
    dropout: Share = 0.0

    def reader(self) -> Mixer:
        return GruMixer(self)

    def writer(self, inputs: int, start: int) -> Writer:
        return GruWriter(self, inputs, start)


@dataclass(frozen=True)
class Transformer(Sequential):
    r"""Self-attention: to all places to read, to those behind to spell.

    $$ h \leftarrow h + \operatorname{attention}(\operatorname{norm} h), \qquad
     h \leftarrow h + \operatorname{mlp}(\operatorname{norm} h) $$

    Args:
        width: of a place. depth: layers. heads: of attention. embed: numbers a token.
        guide: numbers of the code at each place, by a map of the place's own; 0 for none.
        dropout: the share of tokens that are hidden from the decoder in training.

    Source: Vaswani et al. 2017, arXiv:1706.03762; word dropout, Bowman et al. 2016,
    arXiv:1511.06349.
    """

    width: PositiveInt = 128
    depth: PositiveInt = 3
    heads: PositiveInt = 4
    embed: PositiveInt = 64
    guide: NonNegativeInt = 64
    dropout: Share = 0.0

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise UserError(
                f"a width of {self.width} cannot be shared by {self.heads} heads; "
                "make it a multiple of them"
            )

    def reader(self) -> Mixer:
        return AttentionMixer(self)

    def writer(self, inputs: int, start: int) -> Writer:
        return AttentionWriter(self, inputs, start)


@dataclass(frozen=True)
class Places(Architecture):
    r"""Each place's token as `embed` numbers, all places side by side into dense layers.

    $$ h_0 = \big(E x_1, \dots, E x_T\big), \qquad h_{i+1} = \operatorname{act}(W_i h_i + b_i) $$

    It encodes alone. A place has weights of its own from the
    first layer on, so that a code learns what stands where within thousands of sequences; dense
    layers on one-hot tokens start too quiet for that, and a recurrent network has to find out.

    What such weights do not see is that the same words stand elsewhere, which is what most
    properties of a sequence are made of. `grams` detectors look for it, by two convolutions over
    five tokens each; how often each found something, and how surely at best, is added to what the
    dense layers say: $h + V \big(\tfrac1{\sqrt T} \sum_t g_t,\; \max_t g_t\big)$.

    Args:
        width: units of a hidden layer. depth: hidden layers. embed: numbers a token.
        grams: detectors of tokens that stand together, anywhere; 0 for none.

    Source: ours; the table of tokens is of Bengio et al. 2003, A Neural Probabilistic Language
    Model; detectors, Collobert et al. 2011, Natural Language Processing (Almost) from Scratch.
    """

    width: PositiveInt = 512
    depth: PositiveInt = 1
    embed: PositiveInt = 32
    grams: NonNegativeInt = 0

    def down(self, space: Space, given: Space, out: int) -> Body:
        if space.layout != "tokens":
            raise UserError("places is for tokens, and these data are none; use suited nets")
        return PlacesDown(self, space, given, out)

    def up(self, latent: int, given: Space, out: int, axes: tuple[int, ...]) -> Body:
        raise UserError("places reads tokens and writes none; take dense or gru for what decodes")


# Layers.


class Map(nn.Module):
    """A linear map of numbers (B, I), of which there may be none, to (B, *shape)."""

    def __init__(self, inputs: int, *shape: int) -> None:
        super().__init__()
        self.shape = shape
        outputs = math.prod(shape)
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / math.sqrt(max(1, inputs)))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, h: Tensor) -> Tensor:
        return F.linear(h, self.weight, self.bias).unflatten(1, self.shape)


class Mixer(nn.Module, ABC):
    """Hidden vectors (B, T, W) from hidden vectors, each having seen all places that are shown."""

    @abstractmethod
    def forward(self, h: Tensor, shown: Tensor) -> Tensor:
        """h (B, T, W), of which `shown` (B, T) places hold something."""


class GruMixer(Mixer):
    """A recurrent network in each direction, half the width each, that starts at its own end."""

    def __init__(self, part: Gru) -> None:
        super().__init__()
        half = -(-part.width // 2)
        self.ahead, self.back = (
            nn.GRU(part.width, half, part.depth, batch_first=True) for _ in range(2)
        )
        self.out = nn.Linear(2 * half, part.width)

    def forward(self, h: Tensor, shown: Tensor) -> Tensor:
        mirrored = mirror(shown).unsqueeze(2)  # (B, T, 1)
        back = self.back(torch.take_along_dim(h, mirrored, 1))[0]
        there = torch.cat([self.ahead(h)[0], torch.take_along_dim(back, mirrored, 1)], 2)
        return self.out(there)


def mirror(shown: Tensor) -> Tensor:
    """Where each of the places that are shown comes from when they are read backwards, (B, T).

    >>> mirror(torch.tensor([[1.0, 1.0, 1.0, 0.0]]))
    tensor([[2, 1, 0, 3]])
    """
    t = torch.arange(shown.shape[1], device=shown.device)
    behind = shown.sum(1, keepdim=True).long() - 1 - t
    return torch.where(behind >= 0, behind, t)


class AttentionMixer(Mixer):
    """Layers of attention to every place that is shown."""

    def __init__(self, part: Transformer) -> None:
        super().__init__()
        self.layers = nn.ModuleList(CausalLayer(part.width, part.heads) for _ in range(part.depth))

    def forward(self, h: Tensor, shown: Tensor) -> Tensor:
        for layer in self.layers:
            assert isinstance(layer, CausalLayer)
            h = layer.among(h, shown.bool())
        return h


class Writer(nn.Module, ABC):
    """Hidden vectors from what comes in at each place, each having seen the places behind it."""

    @abstractmethod
    def begin(self, start: Tensor) -> State:
        """The past before the first place, from numbers (B, S)."""

    @abstractmethod
    def forward(self, h: Tensor, past: State) -> tuple[Tensor, State]:
        """What comes in at T new places (B, T, I) to hidden vectors (B, T, W), and the new past."""

    def whole(self, h: Tensor, past: State, lengths: Tensor) -> Tensor:
        """Hidden vectors of whole sequences, of which the first `lengths` (B,) places count."""
        return self(h, past)[0]


class GruWriter(Writer):
    """A recurrent network whose first state is a map of the code."""

    def __init__(self, part: Gru, inputs: int, start: int) -> None:
        super().__init__()
        self.part = part
        self.first = Map(start, part.depth, part.width)
        self.gru = nn.GRU(inputs, part.width, part.depth, batch_first=True)

    def begin(self, start: Tensor) -> Tensor:
        return self.first(start).tanh().transpose(0, 1).contiguous()  # (layers, B, W)

    def forward(self, h: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        return self.gru(h, past)

    def whole(self, h: Tensor, past: Tensor, lengths: Tensor) -> Tensor:
        """Places that do not count are left out, which halves the work for most data."""
        packed = pack_padded_sequence(h, lengths.cpu(), batch_first=True, enforce_sorted=False)
        seen, _ = self.gru(packed, past)
        return pad_packed_sequence(seen, batch_first=True, total_length=h.shape[1])[0]


class AttentionWriter(Writer):
    """Layers of attention to what is behind, which begins with a map of the code."""

    def __init__(self, part: Transformer, inputs: int, start: int) -> None:
        super().__init__()
        self.part = part
        self.first = Map(start, part.width)
        self.into = nn.Linear(inputs, part.width)
        self.layers = nn.ModuleList(CausalLayer(part.width, part.heads) for _ in range(part.depth))

    def begin(self, start: Tensor) -> tuple[Tensor, list[Past]]:
        heads, W = self.part.heads, self.part.width
        none = start.new_zeros(len(start), heads, 0, W // heads)
        return self.first(start), [(none, none)] * self.part.depth

    def forward(
        self, h: Tensor, past: tuple[Tensor, list[Past]]
    ) -> tuple[Tensor, tuple[Tensor, list[Past]]]:
        first, pasts = past
        h, behind = self.into(h) + first.unsqueeze(1), list[Past]()
        for layer, one in zip(self.layers, pasts, strict=True):
            h, one = layer(h, one)
            behind.append(one)
        return h, (first, behind)


# Bodies.


def up_to_the_end(k: Tensor) -> Tensor:
    """Which places of k (B, T) count: all up to the first end, itself included.

    >>> up_to_the_end(torch.tensor([[2, 0, 1, 0], [1, 2, 1, 1]])).int()
    tensor([[1, 1, 0, 0],
            [1, 1, 1, 1]], dtype=torch.int32)
    """
    ends = (k == 0).long()
    return (ends.cumsum(1) - ends) == 0


def longest(shown: Tensor) -> int:
    """Places that some row shows."""
    return int(shown.sum(1).max()) if len(shown) else 1


def looked_up(x: Tensor, k: Tensor, table: Tensor) -> Tensor:
    """The mean row of a table (K, W) under x (B, K, T), (B, T, W).

    Of one-hot tokens, which most are, it is looked up at their indices k (B, T): the product with
    a vocabulary of thousands is what reading would spend its time on.

    >>> x = torch.tensor([[[0.0, 0.5], [1.0, 0.5]]])
    >>> looked_up(x, x.argmax(1), torch.tensor([[2.0], [4.0]])).flatten()
    tensor([4., 3.])
    """
    hot = not x.requires_grad and bool((x.gather(1, k.unsqueeze(1)) == 1).all())
    return F.embedding(k, table) if hot else x.transpose(1, 2) @ table


class TokensDown(Body):
    """Read a sequence of channels (B, K, T), one-hot or soft, into numbers (B, out).

    What is read out is the mean of the hidden vectors, and what each place says of itself by a map
    of its own: of a code, it is the inverse of a decoder's guide.
    """

    def __init__(self, part: Sequential, space: Space, given: Space, out: int) -> None:
        super().__init__()
        W, T = part.width, space.axes[0]
        self.embed = nn.Linear(space.width, W, bias=False)
        self.place = nn.Parameter(0.02 * torch.randn(T, W))
        self.given = Condition(given.width, W)
        self.mix = part.reader()
        self.norm = nn.LayerNorm(W)
        self.narrow = nn.Linear(W, max(1, part.guide))
        self.mean = nn.Linear(W, out)
        self.own = nn.Linear(T * max(1, part.guide), out)

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        k, T = h.argmax(1), h.shape[2]
        shown = up_to_the_end(k).to(h.dtype)  # (B, T)
        L = longest(shown)
        shown = shown[:, :L]
        e = looked_up(h[:, :, :L], k[:, :L], self.embed.weight.T) + self.place[:L]  # (B, L, W)
        h = self.norm(self.mix(e + self.given(c).unsqueeze(1), shown)) * shown.unsqueeze(2)
        mean = h.sum(1) / shown.sum(1, keepdim=True)
        own = F.pad(F.gelu(self.narrow(h)) * shown.unsqueeze(2), (0, 0, 0, T - L))  # (B, T, guide)
        return self.mean(mean) + self.own(own.flatten(1))


class PlacesDown(Body):
    """Read channels (B, K, T), one-hot or soft, into numbers (B, out) place by place."""

    def __init__(self, part: Places, space: Space, given: Space, out: int) -> None:
        super().__init__()
        self.embed = nn.Parameter(torch.randn(space.width, part.embed))
        self.layers = Dense(part.width, part.depth).layers(
            space.axes[0] * part.embed + given.width, out
        )
        self.grams = Grams(part.embed, part.grams, out) if part.grams else None

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        k = h.argmax(1)
        e = looked_up(h, k, self.embed)  # (B, T, embed)
        there = self.layers(join(e.flatten(1), c))
        return there if self.grams is None else there + self.grams(e, up_to_the_end(k))


class Grams(nn.Module):
    """What stands together in a sequence of vectors (B, T, E), wherever it does: (B, out)."""

    def __init__(self, inputs: int, units: int, out: int) -> None:
        super().__init__()
        self.detect = nn.ModuleList(
            nn.Conv1d(n, units, GRAM, padding=GRAM // 2) for n in (inputs, units)
        )
        self.read = nn.Linear(2 * units, out)

    def forward(self, e: Tensor, shown: Tensor) -> Tensor:
        """Of the places that `shown` (B, T) says there are."""
        g, there = e.transpose(1, 2), shown.unsqueeze(1)
        for layer in self.detect:
            g = F.silu(layer(g)) * there  # (B, units, T)
        return self.read(torch.cat([g.sum(2) / math.sqrt(g.shape[2]), g.amax(2)], 1))


class TokensUp(Body):
    """Channels (B, out, T) from a code, all places at once: no place sees another's token."""

    def __init__(self, part: Sequential, latent: int, out: int, places: int) -> None:
        super().__init__()
        self.unfold = Map(latent, places, part.width)
        self.mix = part.reader()
        self.read = nn.Linear(part.width, out)

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        h = self.unfold(join(h, c))
        return self.read(self.mix(h, h.new_ones(h.shape[:2]))).transpose(1, 2)

    @torch.no_grad()
    def lift(self, by: Tensor) -> None:
        self.read.bias.add_(by.mean(1))


class Speller(nn.Module):
    """The network of an autoregressive decoder: from z and the tokens before to logits (B, T, K).

    Args:
        choice: how a token is chosen when one is drawn; see `choosing`.
        opening: tokens that every sequence begins with when one is drawn; see `beginning`.
    """

    def __init__(self, part: Sequential, latent: int, given: Space, space: Space) -> None:
        super().__init__()
        self.part, self.size, self.places = part, space.width, space.axes[0]
        self.choice = Choice()
        self.opening: tuple[int, ...] = ()
        inputs = latent + given.width
        self.start = nn.Parameter(0.02 * torch.randn(part.embed))
        self.hidden = nn.Parameter(0.02 * torch.randn(part.embed))
        self.embed = nn.Embedding(space.width, part.embed)
        self.guide = Map(inputs, self.places, part.guide)
        self.writer = part.writer(part.embed + part.guide, inputs)
        self.read = nn.Linear(part.width + part.guide, space.width)

    def begin(self, z: Tensor, c: Tensor) -> tuple[Tensor, State]:
        """The guide at each place, (B, T, guide), and the past before the first."""
        known = join(z, c)
        return self.guide(known), self.writer.begin(known)

    def onward(self, before: Tensor, guide: Tensor, past: State) -> tuple[Tensor, State]:
        """Logits (B, T, K) from the vectors of the token before each place, and the new past."""
        h, past = self.writer(torch.cat([before, guide], 2), past)
        return self.read(torch.cat([h, guide], 2)), past

    def forward(self, k: Tensor, z: Tensor, c: Tensor) -> Tensor:
        """Logits (B, T, K) of every place, from the T tokens k (B, T)."""
        before, guide, past = self.taught(k, z, c)
        return self.onward(before, guide, past)[0]

    def among(self, k: Tensor, shown: Tensor, z: Tensor, c: Tensor) -> Tensor:
        """As `forward`, of the P places that are shown alone, (P, K): a fraction of the work."""
        before, guide, past = self.taught(k, z, c)
        h = self.writer.whole(torch.cat([before, guide], 2), past, shown.sum(1))
        return self.read(torch.cat([h, guide], 2)[shown])

    def taught(self, k: Tensor, z: Tensor, c: Tensor) -> tuple[Tensor, Tensor, State]:
        """The token before each place of k (B, T) as a vector, the guide there, and the past."""
        guide, past = self.begin(z, c)
        before = torch.cat([self.first(len(k)), self.behind(k[:, :-1])], 1)
        return before, guide[:, : k.shape[1]], past

    def first(self, rows: int) -> Tensor:
        """What stands before the first place, (B, 1, embed)."""
        return self.start.expand(rows, 1, -1)

    def behind(self, k: Tensor) -> Tensor:
        """Vectors of tokens, of which some are hidden while it trains, (B, T, embed)."""
        e = self.embed(k)
        if not (self.training and self.part.dropout):
            return e
        hide = torch.rand_like(e[:, :, :1]) < self.part.dropout
        return torch.where(hide, self.hidden, e)

    @torch.no_grad()
    def lift(self, by: Tensor) -> None:
        """Add numbers (K,) to the logits at every place."""
        self.read.bias.add_(by)

    @torch.no_grad()
    def spell(self, choose: Choose, *ways: Way) -> Tensor:
        """Tokens k (B, T), each chosen from the logits that those before it lead to.

        Args:
            choose: from the logits (B, K) of each way to indices (B,).
            ways: codes z with what is given, under each of which the same tokens are seen.
        """
        begun = [self.begin(z, c) for z, c in ways]
        guides, pasts = [guide for guide, _ in begun], [past for _, past in begun]
        before, chosen = self.first(len(guides[0])), list[Tensor]()
        over = torch.zeros(len(guides[0]), dtype=torch.bool, device=before.device)
        for t in range(self.places):
            seen = [
                self.onward(before, guide[:, t : t + 1], past)
                for guide, past in zip(guides, pasts, strict=True)
            ]
            pasts = [past for _, past in seen]
            token = choose(*(logits.squeeze(1) for logits, _ in seen))
            for told in self.opening[t : t + 1]:
                token = torch.full_like(token, told)
            chosen.append(token.masked_fill(over, 0))
            over = over | (chosen[-1] == 0)
            before = self.embed(chosen[-1]).unsqueeze(1)
            if over.all():
                break
        k = torch.stack(chosen, 1)
        return F.pad(k, (0, self.places - k.shape[1]))


class SequenceDecoder(nn.Module):
    """p(x | z, given) of tokens, spelt one by one."""

    def __init__(self, part: Sequential, latent: int, given: Space, spec: ObservationSpec) -> None:
        super().__init__()
        self.net = part.speller(latent, given, spec.space)
        self.spec = spec

    def forward(self, z: Tensor, c: Tensor) -> Observation:
        nothing = BernoulliValues(z.new_zeros(len(z), 0, 1))
        (field,) = self.spec.space.fields
        return Observation((ObservedField(field, Spelt(self.net, z, c), nothing),))

    def start(self, x: Tensor) -> None:
        """Let every place of a fresh network say tokens as often as they come in x (N, K, T)."""
        counted = x * up_to_the_end(x.argmax(1)).unsqueeze(1)
        share = counted.sum((0, 2)) / counted.sum()
        self.net.lift(share.clamp(min=EDGE).log())


# Distributions.


class Spelling(Elementwise):
    """Tokens each of which depends on those before it; what stands behind the end is sure."""

    @property
    @abstractmethod
    def net(self) -> Speller:
        """What spells them."""

    @abstractmethod
    def logits(self, k: Tensor) -> Tensor:
        """Logits (B, T, K) of T places, each from the tokens before it in k (B, T)."""

    def among(self, k: Tensor, shown: Tensor) -> Tensor:
        """Logits (P, K) of the P places of k (B, T) that are shown."""
        return self.logits(k)[shown]

    @abstractmethod
    def spell(self, choose: Choice) -> Tensor:
        """Tokens (B, T) chosen one by one."""

    def log_prob(self, x: Tensor) -> Tensor:
        k = x.argmax(1)
        shown = up_to_the_end(k)
        L = longest(shown)
        cost = F.cross_entropy(self.among(k[:, :L], shown[:, :L]), k[shown], reduction="none")
        log_p = cost.new_zeros(k.shape).masked_scatter(shown, -cost)
        return log_p.unsqueeze(1)  # (B, 1, T)

    def sample(self) -> Tensor:
        return self.shown(self.spell(self.net.choice))

    @property
    def mode(self) -> Tensor:
        """The likeliest token at each place in turn."""
        return self.shown(self.spell(LIKELIEST))

    @property
    def mean(self) -> Tensor:
        """The probabilities at each place behind the likeliest tokens; sure behind the end."""
        k = self.spell(LIKELIEST)
        sure = ~up_to_the_end(k).unsqueeze(2)
        p = torch.where(sure, self.hot(k), self.logits(k).softmax(2))
        return p.transpose(1, 2)

    def shown(self, k: Tensor) -> Tensor:
        return self.hot(k).transpose(1, 2)

    def hot(self, k: Tensor) -> Tensor:
        """Tokens (B, T) one-hot, (B, T, K)."""
        return F.one_hot(k, self.net.size).to(self.net.start.dtype)


@dataclass(frozen=True)
class Spelt(Spelling):
    """Tokens spelt from a code and what is given."""

    speller: Speller
    z: Tensor
    c: Tensor

    @property
    def net(self) -> Speller:
        return self.speller

    def logits(self, k: Tensor) -> Tensor:
        return self.speller(k, self.z, self.c)

    def among(self, k: Tensor, shown: Tensor) -> Tensor:
        return self.speller.among(k, shown, self.z, self.c)

    def spell(self, choose: Choice) -> Tensor:
        return self.speller.spell(choose, (self.z, self.c))


@dataclass(frozen=True)
class GuidedSpelling(Spelling):
    """Tokens under guidance, each from logits that are guided."""

    full: Spelt
    null: Spelt
    weight: float

    @property
    def net(self) -> Speller:
        return self.full.net

    def logits(self, k: Tensor) -> Tensor:
        return torch.lerp(self.null.logits(k), self.full.logits(k), self.weight)

    def spell(self, choose: Choice) -> Tensor:
        def between(full: Tensor, null: Tensor) -> Tensor:
            return choose(torch.lerp(null, full, self.weight))

        return self.net.spell(between, *((one.z, one.c) for one in (self.full, self.null)))


@guided.register
def spelt(full: Spelt, null: Spelt, weight: float) -> Spelling:
    """At its ends one of the two, bit for bit."""
    ends: dict[float, Spelling] = {0.0: null, 1.0: full}
    return ends.get(weight, GuidedSpelling(full, null, weight))


@contextmanager
def beginning(model: nn.Module, opening: tuple[int, ...]) -> Iterator[None]:
    """Let a model begin every sequence that it draws with some tokens, for as long as it lasts.

    Raises:
        UserError: the model spells nothing.
    """
    spellers = [module for module in model.modules() if isinstance(module, Speller)]
    if opening and not spellers:
        raise UserError("a beginning is for models that spell tokens one by one")
    for speller in spellers:
        speller.opening = opening
    try:
        yield
    finally:
        for speller in spellers:
            speller.opening = ()


@contextmanager
def choosing(model: nn.Module, choice: Choice) -> Iterator[None]:
    """Let a model choose its tokens so, for as long as it lasts.

    Raises:
        UserError: the model spells nothing.
    """
    spellers = [module for module in model.modules() if isinstance(module, Speller)]
    if not spellers:
        raise UserError("temperature and top-p are for models that spell tokens one by one")
    before = [speller.choice for speller in spellers]
    for speller in spellers:
        speller.choice = choice
    try:
        yield
    finally:
        for speller, old in zip(spellers, before, strict=True):
            speller.choice = old
