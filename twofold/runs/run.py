"""A run that can be used: its model, its kind of data, and what both can do.

>>> Run  # doctest: +ELLIPSIS
<class 'twofold.runs.run.Run'>
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from operator import lt
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.build import NO_TRUST, Trust
from twofold.core.errors import UserError, nearest
from twofold.core.game import (
    Criticises,
    Decodes,
    Distribution,
    Encodes,
    Model,
    Samples,
    Truncates,
)
from twofold.core.own import described
from twofold.core.ranges import Count, Ends, Seed, in_range
from twofold.core.space import Space
from twofold.data.doctor import fitting, recall
from twofold.data.kind import Kind, Where
from twofold.data.pictures import heated, pil
from twofold.data.sources import Rows, Source, whole
from twofold.maths.choosing import Choice
from twofold.maths.guidance import Guided
from twofold.maths.paths import PATHS
from twofold.maths.truncation import Truncated, Typical
from twofold.nets.attention import Look, attending, joined
from twofold.nets.sequences import choosing
from twofold.runs.conditions import Asker, check_guidance, named_row, outside, vector_of
from twofold.runs.drawing import Drawn, divided, of_fields, unbroken
from twofold.runs.folder import existing, read_recipe, read_space
from twofold.runs.kept import Kept, kept
from twofold.runs.recipe import Plan, plan
from twofold.runs.room import room_for
from twofold.train import checkpoint
from twofold.train.chance import seed_all
from twofold.train.record import Tick, lines

Weights = Literal["average", "last", "best"]
FILES = checkpoint.WEIGHTS
Path_ = Literal["linear", "spherical", "geodesic"]
From = Literal["auto", "fitted", "own"]
R = TypeVar("R")
CHUNK = 1 << 22  # numbers of x at once
PLAIN = Choice()


@dataclass(frozen=True)
class Run:
    """A trained model in its folder.

    Args:
        path: of the folder.
        trust: the user's own files that may run.
        weights: `average` where kept, `last`, or `best` on held-out data.
        prior: where codes are drawn from: `fitted`, the density that `prior` fitted to them; `own`,
            the model's; `auto`, the fitted one where it is kept and fits the weights.
        data: its data, where the recipe cannot name them: an object in memory, or a place that they
            have moved to; one at most. It goes with this object alone, and into no file or pickle.

    Everything is read when it is first needed; nothing in the folder is executed.
    """

    path: Path
    trust: Trust = NO_TRUST
    weights: Weights = "average"
    prior: From = "auto"
    data: tuple[Where, ...] = field(default=(), repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "data": ()}

    @classmethod
    def open(
        cls,
        path: str | Path,
        trust: Sequence[str | Path] = (),
        weights: Weights = "average",
        prior: From = "auto",
    ) -> Run:
        """Open a run folder.

        Raises:
            UserError: there is no run, it is damaged, or of a newer version.
        """
        run = cls(existing(Path(path)), Trust.of(trust), weights, prior)
        checkpoint.read_record(run.path)
        return run

    # What it is.

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """The resolved recipe."""
        return read_recipe(self.path)

    @cached_property
    def plan(self) -> Plan:
        """The recipe as objects."""
        return plan(self.recipe, self.recipe["data"], self.trust)

    @cached_property
    def described(self) -> dict[str, Any]:
        """`space.json`."""
        return read_space(self.path)

    @cached_property
    def kind(self) -> Kind:
        """The codec of the data."""
        try:
            return recall(self.described["kind"])
        except (KeyError, TypeError, ValueError) as error:
            path, what = self.path / "space.json", described(error)
            raise UserError(f"{path} is damaged ({what}); {checkpoint.AGAIN}") from error

    @property
    def space(self) -> Space:
        return self.kind.space

    @property
    def given(self) -> Space:
        return self.kind.given

    @property
    def seed(self) -> int:
        return self.plan.training.seed

    @cached_property
    def record(self) -> dict[str, Any]:
        """`state.json`: the step, and what the session remembers."""
        return checkpoint.read_record(self.path)

    @property
    def log(self) -> list[Tick]:
        """The lines of the log."""
        return lines(self.path / "log.jsonl")

    @cached_property
    def model(self) -> Model:
        """The model with its weights, ready to use; that it was read first is nothing to chance."""
        with torch.random.fork_rng(devices=()):
            model = self.plan.build(self.space, self.given)
            fill(model, checkpoint.read(self.path, self.file), self.path)
            for density in self.fitted:
                width = model.latent if isinstance(model, Decodes) else 0
                model.prior_net = density.build(width, self.given.width)
        return model.eval().requires_grad_(False)

    @property
    def file(self) -> str:
        """The file of the weights."""
        files = self.record["files"]
        if FILES[self.weights] in files:
            return FILES[self.weights]
        if self.weights == "best":
            raise UserError(
                f"{self.path} has no best checkpoint; it was trained without held-out data"
            )
        return FILES["last"]

    @property
    def sha256(self) -> str:
        """The hash of the weights."""
        return str(self.record["files"][self.file])

    @cached_property
    def kept(self) -> tuple[Kept, ...]:
        """The density that was fitted to its codes, if one is kept."""
        return kept(self.path)

    @property
    def fitted(self) -> tuple[Kept, ...]:
        """The density that codes are drawn from instead of the model's own prior, if any.

        Raises:
            UserError: it is asked for, and there is none, or it is stale.
        """
        fresh = tuple(density for density in self.kept if not density.stale(self.sha256))
        if self.prior == "fitted" and not fresh:
            reason = self.said[0] if self.kept else f"{self.path} keeps no fitted prior"
            raise UserError(f"{reason}; fit one with: twofold prior {self.path} --fit gmm")
        return () if self.prior == "own" else fresh

    @property
    def said(self) -> list[str]:
        """Where codes are drawn from, in words, where there is a choice."""
        return [
            f"the fitted prior is stale, {density.stale(self.sha256)}, and these are others"
            if density.stale(self.sha256)
            else f"codes are drawn from the model's own prior, not from the fitted {density.name}"
            if self.prior == "own"
            else f"codes are drawn from the fitted prior, {density.name}: {density.words}"
            for density in self.kept
        ]

    def role(self, role: type[R], verb: str) -> R:
        """The model in a role, or why it has none."""
        if not isinstance(self.model, role):
            name = self.recipe["model"]["name"]
            raise UserError(
                f"{verb} needs a model that {verbs_of(role)}, and {name} does not; "
                "see twofold models"
            )
        return self.model

    # What it does.

    @in_range
    def sample(
        self,
        n: Count = 16,
        given: Mapping[str, Any] | None = None,
        seed: Seed = 0,
        guidance: float = 1.0,
        truncation: float = math.inf,
        choice: Choice = PLAIN,
    ) -> Any:
        """Draw n observations, in the user's own terms: pictures, a data frame, an array.

        Args:
            n: how many.
            given: conditions by name, such as {"label": 3}, or {"label": [3, 5]} for draws that
                take them in turn; of a vector an array (D,) or (N, D). What is not named is
                unknown, and with nothing named labels are drawn as often as they occur in the
                training data. Of a row, any field may be named, whether or not the model was
                trained with it as a condition.
            seed: of the draw.
            guidance: how many times the condition counts: 1 is plain, more is clearer and less
                varied, 0 does without.
            truncation: the most that a value of a normal code may be, either way; of a style-based
                model, ψ.
            choice: how tokens are chosen that are spelt one by one.
        """
        return self.kind.native(self.draw(n, given or {}, seed, guidance, truncation, choice))

    def draw(
        self,
        n: int,
        given: Mapping[str, Any],
        seed: int,
        guidance: float = 1.0,
        truncation: float = math.inf,
        choice: Choice = PLAIN,
    ) -> Rows:
        """As `sample`, as rows of values."""
        return self.drawn(n, given, seed, guidance, truncation, choice).rows

    def drawn(
        self,
        n: int,
        given: Mapping[str, Any],
        seed: int,
        guidance: float = 1.0,
        truncation: float = math.inf,
        choice: Choice = PLAIN,
    ) -> Drawn:
        """As `draw`, with what is to be said of it."""
        self.room_for(n)
        model = self.drawer(guidance, truncation)
        told, fields = divided(self, given)
        if fields and (guidance, truncation, choice) != (1.0, math.inf, PLAIN):
            raise UserError(
                f"{', '.join(fields)}: no condition of this model, so the draw is plain; leave "
                "--guidance, --truncation and --temperature out"
            )

        def plain(n: int, seed: int) -> Drawn:
            conditions = self.conditions(n, told, seed)
            seed_all(torch.device("cpu"), seed)
            c = self.known(conditions).c
            parts = [model.sample(Given(part)) for part in c.split(self.chunk)]
            return Drawn(Rows(self.space.decode(torch.cat(parts)), conditions))

        def asked(n: int, seed: int) -> Drawn:
            seed_all(torch.device("cpu"), seed)
            return of_fields(self, n, given, seed, plain)

        chosen = nullcontext() if choice == PLAIN else choosing(self.model, choice)
        with torch.inference_mode(), chosen:
            made = unbroken(n, seed, asked if fields else plain, self.kind, not given)
        return Drawn(made.rows, (*outside(self.kind, given), *made.said))

    def drawer(self, guidance: float, truncation: float) -> Samples:
        """What samples, guided or truncated or plainly.

        Raises:
            UserError: the run cannot be asked so.
        """
        if guidance != 1 and truncation != math.inf:
            raise UserError("a draw is guided or truncated; give --guidance or --truncation alone")
        if guidance != 1:
            check_guidance(guidance, self.given, self.plan.training.null)
            return Guided(self.role(Decodes, "--guidance"), self.space, guidance)
        if truncation != math.inf:
            if not truncation > 0:
                raise UserError(
                    f"truncation {truncation:g} leaves nothing to draw; give a positive one"
                )
            model = self.role(Decodes, "--truncation")
            if isinstance(model, Truncates):
                return Typical(model, truncation)
            return Truncated(model, self.space, truncation)
        return self.role(Samples, "sample")

    @in_range
    def encode(
        self, where: Where, how: Literal["mean", "sample", "distribution"] = "mean", seed: Seed = 0
    ) -> Any:
        """The codes of observations, (N, D); `distribution` gives (means, standard deviations)."""
        model = self.role(Encodes, "encode")
        seed_all(torch.device("cpu"), seed)
        with torch.inference_mode():
            codes = [model.encode(b.x, b.given) for b in self.batches(where)]
            if how == "distribution":
                return tuple(
                    torch.cat([getattr(q, k) for q in codes]).numpy() for k in ("mean", "sigma")
                )
            return torch.cat([q.mean if how == "mean" else q.sample() for q in codes]).numpy()

    def reconstruct(self, where: Where) -> Any:
        """Observations encoded and decoded again, in the user's own terms."""
        return self.kind.native(self.reconstructed(self.source(where)))

    def reconstructed(self, source: Source) -> Rows:
        """As `reconstruct`, as rows."""
        model = self.role(Encodes, "reconstruct")
        decoder = self.role(Decodes, "reconstruct")
        with torch.inference_mode():
            seen = [
                likely(self.space, decoder.decode(model.encode(b.x, b.given).mean, b.given))
                for b in self.batches(source)
            ]
            return Rows(self.space.decode(torch.cat(seen)), source.labels())

    @in_range
    def interpolate(
        self,
        where: Where = (),
        steps: Ends = 8,
        pairs: Count = 4,
        path: Path_ = "spherical",
        given: Mapping[str, Any] | None = None,
        seed: Seed = 0,
    ) -> Any:
        """Observations on the way between pairs, in the user's own terms, pair after pair.

        Args:
            where: observations to go between, the first to the second and so on; without any,
                between draws of the prior.
            steps: observations a pair, both ends included.
            pairs: at most so many pairs.
            path: a straight line, or along the sphere, which keeps the length typical, or the
                geodesic of the decoder, which is the shortest as one sees it.
            given: conditions that hold on the way, instead of what is given of the first of a
                pair; of several, such as {"label": [3, 5]}, each pair takes one, in turn.
            seed: of the draws.
        """
        return self.kind.native(self.between(where, steps, pairs, path, given or {}, seed))

    def between(
        self, where: Where, steps: int, pairs: int, path: Path_, given: Mapping[str, Any], seed: int
    ) -> Rows:
        """As `interpolate`, as rows."""
        decoder = self.role(Decodes, "interpolate")
        seed_all(torch.device("cpu"), seed)
        with torch.no_grad():
            ends, known = self.ends(where, pairs, given, seed)
            self.room_for(len(known) // 2 * steps)
            c = known[0::2].repeat_interleave(steps, 0)

            def mean(z: Tensor) -> Tensor:
                """Curves (P, T, D), of any number of points, to means (P, T, C, *A)."""
                every = self.known(known[0::2]).repeat(z.shape[1])
                return decoder.decode(z.flatten(0, 1), every).mean.unflatten(0, z.shape[:2])

            z = PATHS[path](ends[0::2], ends[1::2], torch.linspace(0, 1, steps), mean)
            x = likely(self.space, decoder.decode(z.flatten(0, 1), self.known(c)))
            return Rows(self.space.decode(x), c)

    def ends(
        self, where: Where, pairs: int, given: Mapping[str, Any], seed: int
    ) -> tuple[Tensor, Tensor]:
        """The codes to go between, (2 P, D), and what is known of each."""
        if isinstance(where, tuple) and not where:
            self.room_for(2 * pairs)
            known = (
                self.conditions(pairs, given, seed).repeat_interleave(2, 0)
                if given
                else self.usual(2 * pairs, seed)
            )
            prior = self.role(Decodes, "interpolate").prior(self.known(known))
            return prior.sample(), known
        source = self.source(where)
        if len(source) < 2:
            raise UserError(
                "interpolate needs at least two observations; give more, or none to draw them"
            )
        rows = whole(source, 2 * min(pairs, len(source) // 2))
        code = self.role(Encodes, "interpolate between observations").encode(
            self.space.encode(rows.values), self.known(rows.given)
        )
        held = self.holding(rows.given[0::2], given).repeat_interleave(2, 0)
        return code.mean, held

    def attention(self, where: Where) -> dict[str, Any]:
        """What the attention of its networks looks at, by network and size of the grid.

        Each array is (N, heads, *axes, *axes): how much the place named first looks at the place
        named last; over the last axes it sums to one.

        Raises:
            UserError: the model has no attention.
        """
        return {name: look.grid.numpy() for name, look in self.looks(self.source(where)).items()}

    def attended(self, where: Where, layer: str = "", at: tuple[int, ...] = ()) -> Any:
        """Observations with what is looked at laid over them, as pictures.

        Args:
            where: the observations.
            layer: one of the names that `attention` gives; the first without.
            at: a place of that layer's grid to look from; without one, the mean over all places.
        """
        source = self.source(where)
        looks = self.looks(source)
        if layer not in (*looks, ""):
            raise UserError(f"there is no attention {layer!r}; {nearest(layer, looks)}")
        look = looks[layer or next(iter(looks))]
        if at and not (len(at) == len(look.axes) and all(map(lt, at, look.axes))):
            raise UserError(f"{at} is no place of a grid of {look.axes}; name one inside")
        return [*map(pil, heated(self.kind.draw(whole(source)), look.heat(at)))]

    def looks(self, source: Source) -> dict[str, Look]:
        """As `attention`, as looks."""
        with torch.inference_mode():
            parts = [self.look(batch) for batch in self.batches(source)]
        if not self.space.axes:
            raise UserError(f"{self.path} has no attention: rows have no places to look at")
        if not parts or not parts[0]:
            ways = " ".join(f"--set {key}=8" for key in attention_keys(self.recipe["model"]))
            raise UserError(f"{self.path} has no attention; train with {ways or 'another family'}")
        return joined(parts)

    def look(self, batch: Batch) -> dict[str, Look]:
        """What each of the networks looks at in a batch."""
        model, found = self.model, dict[str, Look]()
        if isinstance(model, Criticises):
            with attending(model) as seen:
                model.judge(batch.x, batch.given)
            found |= {f"critic {where}": look for where, look in seen.items()}
        if isinstance(model, Encodes):
            with attending(model) as seen:
                q = model.encode(batch.x, batch.given)
            found |= {f"encoder {where}": look for where, look in seen.items()}
            if isinstance(model, Decodes):
                with attending(model) as seen:
                    model.decode(q.mean, batch.given)
                found |= {f"decoder {where}": look for where, look in seen.items()}
        return found

    # How it reads.

    def room_for(self, rows: int) -> None:
        """Refuse more rows than this machine has memory for."""
        room_for(rows, self.space, self.given)

    def source(self, where: Where) -> Source:
        """Other data of the same form: a path, a data set's name, or an object in memory."""
        if isinstance(where, Source):
            return where
        return self.kind.open(fitting(where, self.kind).where)

    @property
    def chunk(self) -> int:
        """Rows that are worked on at once."""
        return max(1, CHUNK // max(1, self.space.numel))

    def batches(self, where: Where) -> Iterator[Batch]:
        """Data encoded, some rows at a time."""
        source = self.source(where)
        for rows in torch.arange(len(source)).split(self.chunk):
            yield self.batch(source, rows)

    def batch(self, source: Source, rows: Tensor) -> Batch:
        """Some rows, encoded."""
        read = source.read(rows)
        return Batch(self.space.encode(read.values), self.known(read.given), rows)

    def known(self, given: Tensor) -> Given:
        """What the model is told of rows (B, G): nothing where training withheld it from all."""
        c = self.given.encode(given)
        return Given(torch.zeros_like(c) if self.plan.training.null >= 1 else c)

    def conditions(self, n: int, given: Mapping[str, Any], seed: int) -> Tensor:
        """What is known of n draws, as values (n, G), NaN where unknown."""
        if not given:
            return self.usual(n, seed)
        return Asker(self.kind, self.vector, self.given.fields)(n, given)

    def holding(self, known: Tensor, given: Mapping[str, Any]) -> Tensor:
        """What is known of rows (n, G), and in its place what is asked of them by name."""
        asked = Asker(self.kind, self.vector, self.given.fields)(len(known), given)
        return torch.where(asked.isnan(), known, asked)

    def vector(self, name: str) -> Tensor:
        """The vector that is given of a row of the run's own data, by the row's name."""
        data = self.recipe["data"]
        if not {"path", "name"} & data.keys():
            raise UserError(
                f"{self.path} was trained on an object in memory, whose rows cannot be named; give "
                "the vectors themselves"
            )
        where = data.get("path") or data["name"]
        source = self.source(where)
        at = named_row(self.kind.names(fitting(where, self.kind).where), name, len(source))
        return vector_of(self.given, source.labels(), at)

    def usual(self, n: int, seed: int) -> Tensor:
        """Conditions as often as they occur in the training data."""
        known = self.described["known"]
        if not known["counts"]:
            return torch.full((n, self.given.size), math.nan)
        weights = torch.tensor(known["counts"], dtype=torch.float64)
        chance = torch.Generator().manual_seed(seed)
        chosen = torch.multinomial(weights, n, replacement=True, generator=chance)
        rows = [[math.nan if v is None else v for v in row] for row in known["rows"]]
        return torch.tensor(rows, dtype=torch.get_default_dtype())[chosen]

    # How it shows itself.

    def __repr__(self) -> str:
        name, step = self.recipe["model"]["name"], self.record["step"]
        return f"Run({str(self.path)!r}: {name}, step {step}{''.join(f'; {s}' for s in self.said)})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the recipe in short, the last preview, the last numbers."""
        previews = sorted((self.path / "previews").glob("*.png"))
        picture = "".join(
            f'<img src="data:image/png;base64,{base64.b64encode(p.read_bytes()).decode()}">'
            for p in previews[-1:]
        )
        last = "".join(
            f"<tr><th>{html.escape(k)}</th><td>{html.escape(str(v))}</td></tr>"
            for tick in self.log[-1:]
            for k, v in tick.items()
        )
        return f"<h4>{html.escape(repr(self))}</h4>{picture}<table>{last}</table>"


def attention_keys(model: Mapping[str, Any]) -> list[str]:
    """The settings that give a model attention: of each network that may be convolutional.

    >>> attention_keys({"name": "vae", "encoder": {"name": "suited"}, "decoder": {"name": "conv"}})
    ['model.encoder.conv.attention', 'model.decoder.attention']
    """
    inside = {"suited": ".conv", "conv": ""}
    nets = {key: part["name"] for key, part in model.items() if isinstance(part, Mapping)}
    return [f"model.{key}{inside[net]}.attention" for key, net in nets.items() if net in inside]


def fill(model: Model, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Give a model its weights.

    Raises:
        UserError: they are those of another network.
    """
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise UserError(
            f"{path}: the weights are not those of the model in its recipe.toml ({first:.120}); "
            "restore that file, or use the Twofold that its first lines name"
        ) from None


def likely(space: Space, p: Distribution) -> Tensor:
    """One x for a distribution, without noise: the mean of a picture, else the mode."""
    return p.mean if len(space.axes) > 1 else p.mode


def verbs_of(role: type) -> str:
    """A role as a verb: what a model that has it does.

    >>> verbs_of(Encodes)
    'encodes'
    """
    return role.__name__.lower()
