"""The check of the importance-sampled likelihood: annealed importance sampling.

Importance sampling needs an encoder close to the posterior; annealing needs none, only time (see
`maths/annealing.py`). Where the two agree, the figure of importance sampling may be believed. The
second figure runs the same chains forwards and backwards on observations drawn from the model,
whose true code is known: log p(x) lies between the two on average, and the gap is how far off the
first figure can be on such observations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from twofold.core.batch import Batch, Given
from twofold.core.game import Decodes, Scores
from twofold.maths.annealing import Target, backward, forward, temperatures, tuned
from twofold.maths.distributions import Density
from twofold.maths.likelihoods import Observation
from twofold.measures.estimate import chunks, device_of, mean, on, some, steady
from twofold.measures.likelihood import ImportanceSampled, bounds
from twofold.measures.measure import Evidence, Figure, Measure


@dataclass(frozen=True)
class Annealed(Measure):
    """The negative log-likelihood by annealing from the prior, without the encoder.

    Args:
        steps: T, of the path. chains: an observation. leapfrog: steps of a transition.
        n: at most so many observations.
        memory: at most so many numbers of x at once.
    """

    steps: int = 200
    chains: int = 8
    leapfrog: int = 10
    n: int = 24
    memory: int = 1 << 20
    costly = True

    @property
    def names(self) -> tuple[str, ...]:
        return (f"nll_ais{self.steps}", f"gap_ais{self.steps}")

    def refuses(self, evidence: Evidence) -> str:
        model = evidence.model
        if not isinstance(model, Decodes):
            return "the model has no decoder" if model != () else "there is no model"
        if not len(evidence.real):
            return "there are no held-out observations"
        with steady(model, evidence.seed):
            first = next(chunks(model, evidence.real, 1))
            prior = model.prior(first.given)
            p = model.decode(prior.sample(), first.given)
        dense = isinstance(prior, Density) and isinstance(p, Density | Observation)
        return "" if dense else "prior and decoder have no densities"

    def __call__(self, evidence: Evidence) -> Sequence[Figure]:
        model = evidence.model
        assert isinstance(model, Decodes)
        real = on(device_of(model), some(evidence.real, self.n, evidence.seed))
        with steady(model, evidence.seed), torch.inference_mode(False), torch.enable_grad():
            lower = self.annealed(model, real)
            below, above = self.bracket(model, real.given)
        return [
            evidence.figure(
                self.names[0],
                mean(-lower, evidence.seed),
                len(real),
                "lower",
                unit="nats",
                note=f"{self.chains} chains of {self.steps} steps an observation, no encoder: "
                "importance sampling on the same rows should agree with it",
                **self.baseline(evidence, real),
            ),
            evidence.figure(
                self.names[1],
                mean(above - below, evidence.seed),
                len(real),
                "lower",
                unit="nats",
                note="log p(x) of observations drawn from the model is bracketed so closely",
            ),
        ]

    def baseline(self, evidence: Evidence, real: Batch) -> dict[str, float | str]:
        """Importance sampling of the same rows, where the model does it."""
        if not isinstance(evidence.model, Scores):
            return {}
        samples = ImportanceSampled().samples
        nll = -float(bounds(evidence, real, samples, self.memory).mean())
        return {"baseline": nll, "baseline_name": f"{samples} importance samples"}

    def annealed(self, model: Decodes, batch: Batch) -> Tensor:
        """A lower estimate of log p(x) of each row, (B,)."""
        parts = [self.lower(model, part) for part in self.parts(batch)]
        return torch.cat(parts).double().cpu()

    def bracket(self, model: Decodes, given: Given) -> tuple[Tensor, Tensor]:
        """Estimates of log p(x) from below and above, of observations that the model draws."""
        below, above = [], []
        with torch.no_grad():
            z = model.prior(given).sample()
            x = model.decode(z, given).sample()
        drawn = Batch(x, given, torch.arange(len(x)))
        for part in self.parts(drawn):
            below.append(self.lower(model, part))
            above.append(self.upper(model, part, z[part.rows.to(z.device)]))
        return torch.cat(below).double().cpu(), torch.cat(above).double().cpu()

    def parts(self, batch: Batch) -> list[Batch]:
        """The batch in pieces that fit in memory with their chains."""
        rows = max(1, self.memory // (self.chains * max(1, batch.x[0].numel())))
        return [batch[start : start + rows] for start in range(0, len(batch), rows)]

    def lower(self, model: Decodes, batch: Batch) -> Tensor:
        """log of the mean of w over the chains, (B,)."""
        target, given, betas, sizes = self.path(model, batch)
        log_w = forward(target, drawn_from(model, given), betas, sizes, self.leapfrog)
        return log_w.unflatten(0, (-1, self.chains)).logsumexp(1) - math.log(self.chains)

    def upper(self, model: Decodes, batch: Batch, z: Tensor) -> Tensor:
        """minus the log of the mean of 1 / w over chains from the true codes z (B, D), (B,)."""
        target, _, betas, sizes = self.path(model, batch)
        starts = z.repeat_interleave(self.chains, 0)
        log_w = backward(target, starts, betas, sizes, self.leapfrog)
        return math.log(self.chains) - (-log_w).unflatten(0, (-1, self.chains)).logsumexp(1)

    def path(self, model: Decodes, batch: Batch) -> tuple[Target, Given, list[float], list[float]]:
        """What chains go along: the target, what is given of each, β, and ε from a trial run."""
        betas = temperatures(self.steps)
        trial = target_of(model, batch.x, batch.given)
        start = drawn_from(model, batch.given)
        sizes = tuned(trial, start, betas, self.leapfrog)
        x, given = batch.x.repeat_interleave(self.chains, 0), batch.given.repeat(self.chains)
        return target_of(model, x, given), given, betas, sizes


def target_of(model: Decodes, x: Tensor, given: Given) -> Target:
    """The posterior of the code of each row."""
    return Target(partial(log_prior, model, given), partial(log_likelihood, model, x, given))


def log_prior(model: Decodes, given: Given, z: Tensor) -> Tensor:
    p = model.prior(given)
    assert isinstance(p, Density)
    return p.log_prob(z)


def log_likelihood(model: Decodes, x: Tensor, given: Given, z: Tensor) -> Tensor:
    p = model.decode(z, given)
    assert isinstance(p, Density | Observation)
    return p.log_prob(x)


def drawn_from(model: Decodes, given: Given) -> Tensor:
    """A draw of the prior for each row."""
    with torch.no_grad():
        return model.prior(given).sample()
