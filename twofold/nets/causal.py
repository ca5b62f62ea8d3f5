r"""A prior over sequences of indices: each is predicted from those before it.

$$ p(k_1, \dots, k_P \mid c) = \prod_{t=1}^{P} p(k_t \mid k_1, \dots, k_{t-1}, c). $$

The network is a small causal transformer (Vaswani et al. 2017, arXiv:1706.03762; as for images by
Chen et al. 2020): place t sees a learnt start and the indices before t, each as a vector, with the
vectors of its place and of what is given added; attention looks back and never ahead. Layers are
normalised before each branch, and a branch ends in a matrix that starts at zero.

Drawing goes place by place. Each layer keeps the keys and values of the places behind it, so that a
new place costs one look back, not a pass over all of them.

Notation: k (B, P) indices below K, h (B, T, W) the hidden vectors of T places, c (B, G).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from pydantic import PositiveInt
from torch import Tensor, nn

from twofold.core.build import Part
from twofold.core.errors import UserError
from twofold.core.game import Distribution
from twofold.core.space import Space
from twofold.maths.distributions import Density
from twofold.maths.guidance import guided
from twofold.maths.quantise import nearest
from twofold.nets.blocks import Condition
from twofold.nets.bodies import Body

MEAN_DRAWS = 64

Past = tuple[Tensor, Tensor]
"""Keys and values of the places behind, (B, heads, T, W / heads) each; of no places at first."""


@dataclass(frozen=True)
class CausalTransformer(Part):
    r"""A causal transformer.

    $$ p(k_1, \dots, k_P \mid c) = \prod_{t=1}^{P} p(k_t \mid k_1, \dots, k_{t-1}, c) $$

    Args:
        width: W, which the heads share. depth: layers. heads: of attention.

    Source: Vaswani et al. 2017, arXiv:1706.03762.
    """

    width: PositiveInt = 64
    depth: PositiveInt = 3
    heads: PositiveInt = 4

    def build(self, places: int, size: int, given: Space) -> CausalNet:
        """The network for `places` indices below `size`.

        Raises:
            UserError: the width cannot be shared by the heads.
        """
        if self.width % self.heads:
            raise UserError(
                f"a width of {self.width} cannot be shared by {self.heads} heads; "
                "make it a multiple of them"
            )
        return CausalNet(self, places, size, given)


class CausalNet(Body):
    """From k and what is given to logits of every index (B, P, K)."""

    def __init__(self, part: CausalTransformer, places: int, size: int, given: Space) -> None:
        super().__init__()
        W = part.width
        self.part, self.places = part, places
        self.start = nn.Parameter(0.02 * torch.randn(1, 1, W))
        self.place = nn.Parameter(0.02 * torch.randn(places, W))
        self.embed = nn.Embedding(size, W)
        self.given = Condition(given.width, W)
        self.layers = nn.ModuleList(CausalLayer(W, part.heads) for _ in range(part.depth))
        self.norm = nn.LayerNorm(W)
        self.read = nn.Linear(W, size)

    def run(self, h: Tensor, c: Tensor) -> Tensor:
        before = torch.cat([self.begin(c), self.embed(h[:, :-1])], 1)  # (B, P, W)
        return self.onward(before, slice(None), c, self.nothing(c))[0]

    def onward(
        self, before: Tensor, at: slice, c: Tensor, pasts: list[Past]
    ) -> tuple[Tensor, list[Past]]:
        """Logits at some places from the vectors of the index before each, and the new past."""
        h = before + self.place[at] + self.given(c).unsqueeze(1)
        behind = []
        for layer, past in zip(self.layers, pasts, strict=True):
            h, past = layer(h, past)
            behind.append(past)
        return self.read(self.norm(h)), behind

    def begin(self, c: Tensor) -> Tensor:
        """What stands before the first place, (B, 1, W)."""
        return self.start.expand(len(c), -1, -1)

    def nothing(self, c: Tensor) -> list[Past]:
        """The past of every layer before anything has passed."""
        heads = self.part.heads
        none = self.start.new_zeros(len(c), heads, 0, self.part.width // heads)
        return [(none, none)] * self.part.depth

    def log_prob(self, k: Tensor, c: Tensor) -> Tensor:
        """log p(k | c), (B,), in nats."""
        logits = self(k, c)
        return -F.cross_entropy(logits.transpose(1, 2), k, reduction="none").sum(1)

    @torch.no_grad()
    def roll(self, c: Tensor, choose: Callable[..., Tensor], *others: Tensor) -> Tensor:
        """Indices (B, P), each chosen from the logits (B, K) that those before it lead to.

        Under other conditions beside c, from the logits of each of them.
        """
        cs, chosen, before = (c, *others), list[Tensor](), self.begin(c)
        every = [self.nothing(c) for c in cs]
        for t in range(self.places):
            at = slice(t, t + 1)
            seen = [self.onward(before, at, *pair) for pair in zip(cs, every, strict=True)]
            every = [pasts for _, pasts in seen]
            chosen.append(choose(*(logits.squeeze(1) for logits, _ in seen)))
            before = self.embed(chosen[-1]).unsqueeze(1)
        return torch.stack(chosen, 1)


class CausalLayer(nn.Module):
    """h + attention(norm(h)), then h + mlp(norm(h)); a place sees itself and those before it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        for last in (self.out, self.narrow):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, h: Tensor, past: Past) -> tuple[Tensor, Past]:
        """T new places h (B, T, W) after those of the past: all at once without one, or one."""
        q, k, v = self.looks(h)
        k, v = torch.cat([past[0].to(k), k], 2), torch.cat([past[1].to(v), v], 2)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=h.shape[1] > 1)
        return self.after(h, mixed), (k, v)

    def among(self, h: Tensor, shown: Tensor) -> Tensor:
        """Places h (B, T, W) that each see all those that are shown (B, T), behind and ahead."""
        mask = shown[:, None, None, :]
        q, k, v = self.looks(h)
        return self.after(h, F.scaled_dot_product_attention(q, k, v, attn_mask=mask))

    def looks(self, h: Tensor) -> Tensor:
        """Queries, keys and values, (3, B, heads, T, W / heads)."""
        qkv = self.qkv(self.norms[0](h)).unflatten(2, (3, self.heads, -1))
        return qkv.permute(2, 0, 3, 1, 4)

    def after(self, h: Tensor, mixed: Tensor) -> Tensor:
        """Both branches added to h, from what attention brought (B, heads, T, W / heads)."""
        h = h + self.out(mixed.transpose(1, 2).flatten(2))
        return h + self.narrow(F.gelu(self.widen(self.norms[1](h))))


@dataclass(frozen=True)
class CodePrior(Density):
    """p(z | c), a probability of those z (B, P · D) that are made of entries e (K, D).

    Its mean, which is no such z, is that of draws; its mode takes the likeliest index at each place
    in turn.
    """

    net: CausalNet
    e: Tensor
    c: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        k = nearest(x.unflatten(1, (self.net.places, -1)), self.e)
        return self.net.log_prob(k, self.c)

    def sample(self) -> Tensor:
        return self.vectors(self.net.roll(self.c, drawn))

    @property
    def mean(self) -> Tensor:
        return torch.stack([self.sample() for _ in range(MEAN_DRAWS)]).mean(0)

    @property
    def mode(self) -> Tensor:
        return self.vectors(self.net.roll(self.c, likeliest))

    def vectors(self, k: Tensor) -> Tensor:
        """Indices (B, P) to their entries, one after the other, (B, P · D)."""
        return self.e[k].flatten(1)


@dataclass(frozen=True)
class GuidedCodes(Distribution):
    """Indices drawn one after the other under guidance, each from logits that are guided."""

    full: CodePrior
    null: CodePrior
    weight: float

    def choice(self, choose: Callable[[Tensor], Tensor]) -> Tensor:
        def between(full: Tensor, null: Tensor) -> Tensor:
            return choose(guided(full, null, self.weight))

        return self.full.vectors(self.full.net.roll(self.full.c, between, self.null.c))

    def sample(self) -> Tensor:
        return self.choice(drawn)

    @property
    def mean(self) -> Tensor:
        return torch.stack([self.sample() for _ in range(MEAN_DRAWS)]).mean(0)

    @property
    def mode(self) -> Tensor:
        return self.choice(likeliest)


@guided.register
def codes(full: CodePrior, null: CodePrior, weight: float) -> GuidedCodes:
    return GuidedCodes(full, null, weight)


def drawn(logits: Tensor) -> Tensor:
    """An index a row, (B,), as probable as the logits (B, K) say."""
    return torch.multinomial(logits.softmax(1), 1).squeeze(1)


def likeliest(logits: Tensor) -> Tensor:
    """The most probable index of each row, (B,)."""
    return logits.argmax(1)
