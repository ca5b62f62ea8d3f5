r"""Searches for molecules: in the latent of a run, and the simple ones that stand beside them.

Each starts from the same molecules of the data and asks an oracle until no call is left.

In the latent, a molecule m is the mean z of its code q(z | m), and a code the likeliest molecule
spelt from it:

* **bayes**: a Gaussian process f of the fitness over codes (Matérn 5/2), fitted to the best and to
  some others of the molecules that were judged. Candidates are spelt from codes near to and between
  the best ones, encoded again, and judged in turn are those that a draw of f ranks first (Thompson
  sampling), in a region that grows where one is better and shrinks where none is, and another is
  opened where it has little new left (TuRBO, Eriksson et al. 2019, arXiv:1910.01739). Spelling asks
  nothing of the oracle;
* **cma**: CMA-ES (Hansen & Ostermeier 2001) with a diagonal covariance, from the package `cma`,
  restarted from another good molecule where it has converged or finds nothing new;
* **gradient**: from good molecules up the gradient of what the property head predicts,
  $\nabla_z \sum_j \pm \mathbb E[y_j \mid z]$, by Adam, spelt on the way.

Beside them: **genetic**, a genetic algorithm on graphs (Jensen 2019; `maths/breeding.py`), its
population the best that were judged; **screening**, molecules of the data in a random order, or the
most similar first; **draws**, of the model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twofold.apps.objectives import Array, Similar, bits, spread
from twofold.apps.oracle import Oracle
from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Encodes, Foretells
from twofold.data.kinds.molecules import Molecules
from twofold.maths.breeding import bred, mutated
from twofold.maths.chemistry import Unreadable, tokens
from twofold.maths.descriptors import tanimoto
from twofold.nets.sequences import LIKELIEST, choosing
from twofold.runs.run import Run
from twofold.train.chance import seed_all

AT_START = 0.1
"""The share of the calls that are spent on molecules of the data, before a search begins."""
BATCH = 50
"""Molecules that are judged in one go, at most."""
PATIENCE = 20
"""Rounds in a row that find nothing new, each of which looks elsewhere or wider than the one
before, after which a search is over."""


@dataclass(frozen=True)
class Latent:
    """Molecules as codes and codes as molecules.

    Args:
        run: of a model that encodes and decodes molecules.
    """

    run: Run

    @property
    def kind(self) -> Molecules:
        assert isinstance(self.run.kind, Molecules)
        return self.run.kind

    def encode(self, smiles: Sequence[str]) -> tuple[Tensor, list[int]]:
        """Codes (M, D), and which molecules they are of: those that the run has the tokens for."""
        model = self.run.role(Encodes, "a search in the latent")
        cuts = [self.cut(one) for one in smiles]
        kept = [at for at, cut in enumerate(cuts) if cut]
        values = self.kind.words.values([cuts[at] for at in kept], self.kind.length)
        with torch.inference_mode():
            codes = [
                model.encode(self.run.space.encode(part), self.given(len(part))).mean
                for part in values.split(self.run.chunk)
            ]
        return torch.cat(codes).clone(), kept

    def cut(self, smiles: str) -> list[str]:
        """The tokens of a molecule; none where the run does not have them."""
        try:
            found = tokens(self.kind.form, smiles)
        except Unreadable:
            return []
        known = self.kind.words.place.keys() >= set(found)
        return found if known and len(found) < self.kind.length else []

    def decode(self, z: Tensor) -> list[str]:
        """The likeliest molecule of each code, as canonical SMILES; empty where it is none."""
        model = self.run.role(Decodes, "a search in the latent")
        with torch.inference_mode(), choosing(self.run.model, LIKELIEST):
            parts = [
                self.run.space.decode(model.decode(part, self.given(len(part))).mode)
                for part in z.split(self.run.chunk)
            ]
        return self.kind.molecules(torch.cat(parts))

    def given(self, rows: int) -> Given:
        return Given.none(rows, self.run.given)


@dataclass(frozen=True)
class Search:
    """What a search has.

    Args:
        oracle: its calls. latent: of the run. start: molecules that are judged first, the others of
            the data behind them. scale: centre and spread of the answers at the start, (2, J).
        seed: of every choice.
    """

    oracle: Oracle
    latent: Latent
    start: Sequence[str]
    scale: Array
    seed: int

    def fitness(self, smiles: Sequence[str]) -> Array:
        """Of molecules that were judged, (N,)."""
        return self.oracle.judge.task.fitness(self.oracle.answers(smiles), self.scale)

    def ranked(self) -> list[str]:
        """What was judged, the best first; without what has no number."""
        smiles = list(self.oracle.asked)
        fit = self.fitness(smiles)
        return [smiles[at] for at in np.argsort(-fit, kind="stable") if np.isfinite(fit[at])]

    def rounds(self) -> Iterator[int]:
        """While calls are left and something new is found: rounds in a row that found nothing."""
        idle = 0
        while self.oracle.left and idle < PATIENCE:
            before = self.oracle.left
            yield idle
            idle = 0 if self.oracle.left < before else idle + 1


def begun(oracle: Oracle, latent: Latent, data: Sequence[str], starting: int, seed: int) -> Search:
    """A search whose first molecules are judged.

    Args:
        data: molecules in the order in which they are looked at. starting: how many at the start.
    """
    oracle.ask(data[:starting])
    scale = spread(oracle.answers(data[:starting]))
    return Search(oracle, latent, data, scale, seed)


def ordered(data: Sequence[str], targets: Sequence[Similar], seed: int) -> list[str]:
    """Molecules in a random order; where they should be similar to one, it and its like first."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    shuffled = [data[at] for at in order.tolist()]
    if not targets:
        return shuffled
    alike = tanimoto(bits([one.to for one in targets]), bits(shuffled)).amin(0)
    nearest = [shuffled[at] for at in alike.argsort(descending=True, stable=True).tolist()]
    return list(dict.fromkeys([*(one.to for one in targets), *nearest]))


# In the latent.

CENTRES = 10
"""Good molecules whose neighbourhoods are looked at."""
CANDIDATES = 400
"""Codes that are spelt in a round."""
FITTED = 300
"""Molecules that a Gaussian process is fitted to, half of them the best."""
NARROWEST, AT_FIRST, WIDEST = 0.05, 0.4, 2.0
"""How wide a region may be, in deviations of codes."""


@dataclass(frozen=True)
class Region:
    """Where a search looks: near to and between the best of some molecules.

    Args:
        known: the molecules, those it was opened with and those that were found in it.
        width: of the steps around them, in deviations of codes.
        found: whether the last round found as many new ones as are judged in one go.
    """

    known: tuple[str, ...]
    width: float = AT_FIRST
    found: bool = True

    @property
    def spent(self) -> bool:
        """Whether it has little new left."""
        return not self.found or self.width < NARROWEST

    def after(self, judged: Sequence[str], better: bool) -> Region:
        """What it is once some were judged: wider where one was better than all, else narrower."""
        width = min(2 * self.width, WIDEST) if better else 0.8 * self.width
        return Region((*self.known, *judged), width, len(judged) >= BATCH)


def bayes(search: Search) -> None:
    """Thompson sampling of a Gaussian process over codes, region after region."""
    torch.manual_seed(search.seed)
    rng = np.random.default_rng(search.seed)
    region = Region(tuple(search.ranked()))
    for idle in search.rounds():
        region = elsewhere(search, rng, idle) if region.spent else region
        top, codes = coded(search, chosen(search.ranked(), rng))
        centres = coded(search, fittest(search, region.known))[1]
        near = around(centres, codes.std(0), region.width)
        found = [one for one in dict.fromkeys(search.latent.decode(near)) if one]
        fresh, places = coded(search, [one for one in found if one not in search.oracle.asked])
        y = ranks(search.fitness(top))
        judged = [fresh[at] for at in promising(codes.numpy(), y, places.numpy(), search.seed)]
        search.oracle.ask(judged)
        region = region.after(judged, better(search, judged, region.known))


def elsewhere(search: Search, rng: np.random.Generator, idle: int) -> Region:
    """A region around the best of a tenth of what was judged; the wider, the less was found."""
    ranked = search.ranked()
    some = rng.permutation(len(ranked))[: max(CENTRES, len(ranked) // 10)]
    return Region(tuple(ranked[at] for at in some), min(AT_FIRST * 2**idle, WIDEST))


def fittest(search: Search, smiles: Sequence[str]) -> list[str]:
    """The CENTRES best of some that were judged."""
    order = np.argsort(-search.fitness(smiles), kind="stable")[:CENTRES]
    return [smiles[at] for at in order]


def better(search: Search, judged: Sequence[str], known: Sequence[str]) -> bool:
    """Whether one is fitter than all that were known."""
    return search.fitness(judged).max(initial=-np.inf) > search.fitness(known).max(initial=-np.inf)


def chosen(ranked: Sequence[str], rng: np.random.Generator) -> list[str]:
    """The best molecules that were judged, and some of the others."""
    half = FITTED // 2
    rest = ranked[half:]
    some = rng.permutation(len(rest))[:half].tolist()
    return [*ranked[:half], *(rest[at] for at in some)]


def coded(search: Search, smiles: Sequence[str]) -> tuple[list[str], Tensor]:
    """Those molecules that have a code, and these, (M, D)."""
    if not smiles:
        return [], torch.zeros(0, 1)
    codes, kept = search.latent.encode(smiles)
    return [smiles[at] for at in kept], codes


def around(centres: Tensor, deviation: Tensor, width: float) -> Tensor:
    """Codes near to and between some (C, D), (CANDIDATES, D)."""
    pairs = torch.randint(len(centres), (2, CANDIDATES))
    mix = torch.rand(CANDIDATES, 1) * (torch.rand(CANDIDATES, 1) < 0.5)
    z = torch.lerp(centres[pairs[0]], centres[pairs[1]], mix)
    return z + width * torch.rand(CANDIDATES, 1) * deviation * torch.randn_like(z)


def ranks(fit: Array) -> Array:
    """Fitness as normal scores: what is far below the rest does not bend the process."""
    from scipy.stats import norm, rankdata

    scores: Array = norm.ppf((rankdata(fit) - 0.5) / len(fit))
    return scores


def promising(z: Array, y: Array, places: Array, seed: int) -> list[int]:
    """The places that draws of a process rank first, at most BATCH; of no place, none."""
    return picks(thompson(z, y, places, seed), BATCH) if len(places) else []


def thompson(z: Array, y: Array, places: Array, seed: int) -> Array:
    """Draws of a Gaussian process fitted to y (N,) at z (N, D), at places (M, D): (M, BATCH)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    centre, scale = z.mean(0), z.std(0) + 1e-6
    z, places = ((one - centre) / scale for one in (z, places))
    length = float(np.sqrt(2 * z.shape[1]))  # about how far two codes are apart
    kernel = ConstantKernel(1.0) * Matern(length, (0.1 * length, 10 * length), 2.5) + WhiteKernel(
        0.1, (1e-3, 1.0)
    )
    process = GaussianProcessRegressor(kernel, optimizer=one_step, random_state=seed)
    with warnings.catch_warnings():  # a length at its bound is as good as any
        warnings.simplefilter("ignore", ConvergenceWarning)
        draws: Array = process.fit(z, y).sample_y(places, BATCH, random_state=seed)
    return draws


def one_step(objective: Callable[..., Any], start: Array, bounds: Array) -> tuple[Array, float]:
    """A short search for the likeliest length, noise and size."""
    from scipy.optimize import minimize

    found = minimize(objective, start, jac=True, bounds=bounds, options={"maxiter": 5})
    return found.x, found.fun


def picks(draws: Array, n: int) -> list[int]:
    """For each draw (M, n) the best place that none before took."""
    taken = dict[int, None]()
    for order in np.argsort(-draws, axis=0).T[:n]:
        taken.setdefault(next((int(at) for at in order if at not in taken), int(order[0])))
    return list(taken)


RESTLESS = 3
"""Rounds that found nothing new after which CMA-ES begins elsewhere, and ever wider."""
CLOSE = 0.3
"""How far from a molecule it begins to look, in deviations of codes."""


def cma(search: Search) -> None:
    """CMA-ES with a diagonal covariance."""
    try:
        import cma as package
    except ImportError:
        raise UserError(
            'the search by cma needs the package cma; pip install "twofold[search]", '
            "or take --by bayes"
        ) from None
    rng = np.random.default_rng(search.seed)
    rounds, idle = search.rounds(), 0
    while search.oracle.left:
        top, codes = coded(search, search.ranked()[:CENTRES])
        deviation = spread_of_codes(search)
        at = int(rng.integers(len(top)))
        options = {"seed": int(rng.integers(1, 2**31)), "CMA_diagonal": True, "verbose": -9,
                   "CMA_stds": deviation.numpy().tolist()}  # fmt: skip
        width = min(CLOSE * 2 ** max(0, idle - RESTLESS), WIDEST)
        strategy = package.CMAEvolutionStrategy(codes[at].numpy().tolist(), width, options)
        for idle in rounds:
            asked = strategy.ask()
            smiles = search.latent.decode(torch.tensor(np.array(asked), dtype=torch.float32))
            search.oracle.ask(smiles)
            fit = search.fitness(smiles)
            worst = fit[np.isfinite(fit)].min(initial=0.0) - 1
            strategy.tell(asked, [-float(f if np.isfinite(f) else worst) for f in fit])
            if strategy.stop() or idle >= RESTLESS:
                break
        else:
            return


def spread_of_codes(search: Search) -> Tensor:
    """The deviation of the codes of molecules at the start, (D,)."""
    return coded(search, search.start[:FITTED])[1].std(0).clamp(min=1e-3)


STEPS, EVERY, RATE, REACH = 40, 4, 0.05, 3.0


def gradient(search: Search) -> None:
    """Up the property head, from good molecules."""
    torch.manual_seed(search.seed)
    model, slopes = search.latent.run.model, foretold(search)
    assert isinstance(model, Foretells)
    everywhere = coded(search, search.start[:FITTED])[1]
    centre, deviation = everywhere.mean(0), everywhere.std(0).clamp(min=1e-3)
    for idle in search.rounds():
        near = coded(search, search.ranked()[:BATCH])[1]
        width = min(CLOSE * 2**idle, WIDEST)
        u = (near + width * deviation * torch.randn_like(near) - centre) / deviation
        u = u.requires_grad_()
        adam = torch.optim.Adam([u], RATE)
        for step in range(1, STEPS + 1):
            y = model.foretell(centre + deviation * u).mean
            (-(y * slopes).sum()).backward()
            adam.step()
            adam.zero_grad()
            u.data.clamp_(-REACH, REACH)
            if step % EVERY == 0:
                search.oracle.ask(search.latent.decode((centre + deviation * u).detach()))


def foretold(search: Search) -> Tensor:
    """How much each channel of what the head predicts is worth, (C,)."""
    run, aims = search.latent.run, search.oracle.judge.task.aims
    model = run.model
    fields = model.foretold.fields if isinstance(model, Foretells) else ()
    names = [field.name for field in fields for _ in range(field.domain.width)]
    wanted = {aim.objective.name: aim.sign for aim in aims}
    if missing := wanted.keys() - set(names):
        raise UserError(
            f"a gradient goes through a property head, and {run.path} has none for "
            f"{', '.join(sorted(missing))}; fit with data.given=[…] and model.properties=predicted,"
            " or take --by bayes"
        )
    return torch.tensor([float(wanted.get(name, 0)) for name in names])


# Beside them.

POPULATION = 100


def genetic(search: Search) -> None:
    """A genetic algorithm on graphs."""
    rng = Random(search.seed)
    for _ in search.rounds():
        population = search.ranked()[:POPULATION]
        likely = [1 / (1 + rank) ** 0.5 for rank in range(len(population))]
        pairs = [rng.choices(population, likely, k=2) for _ in range(BATCH)]
        search.oracle.ask([bred(one, other, rng) or mutated(one, rng) for one, other in pairs])


def screening(search: Search) -> None:
    """Molecules of the data, in their order."""
    search.oracle.ask(search.start)


def draws(search: Search) -> None:
    """Draws of the model."""
    for turn, _ in enumerate(search.rounds()):
        rows = search.latent.run.draw(4 * BATCH, {}, apart(search.seed, turn))
        search.oracle.ask(search.latent.kind.molecules(rows.values))


def apart(seed: int, turn: int) -> int:
    """A seed for each turn, which no turn under another seed has.

    >>> apart(0, 1) == apart(1, 0)
    False
    """
    return (seed << 20) + turn


Way = Callable[[Search], None]
IN_THE_LATENT: dict[str, Way] = {"bayes": bayes, "cma": cma, "gradient": gradient}
BESIDE: dict[str, Way] = {"genetic": genetic, "screening": screening, "draws": draws}
WAYS: dict[str, Way] = {**IN_THE_LATENT, **BESIDE}


def run_way(name: str, search: Search) -> Search:
    """Search until the calls are spent."""
    seed_all(torch.device("cpu"), search.seed)
    WAYS[name](search)
    return search
