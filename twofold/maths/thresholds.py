r"""Where to draw the line between normal and abnormal, from scores of normal observations.

All three take scores $s_1 … s_n$ of observations that no fit has seen, never those that are to be
labelled.

* `Quantile`: the conformal one of `conformal.py`. It promises the rate of false alarms whatever
  the distribution, but none below 1/(n + 1).
* `Tail`: peaks over threshold. What exceeds a high quantile t follows a generalised Pareto law,
  $P(S - t > y \mid S > t) \approx (1 + \gamma y / \sigma)^{-1/\gamma}$ (Pickands 1975; Balkema &
  de Haan 1974), so that rates below 1/n have a threshold too, at the price of that assumption:
  $$ z_\alpha = t + \frac\sigma\gamma \left(\Big(\frac{\alpha n}{N_t}\Big)^{-\gamma} - 1\right), $$
  with $N_t$ peaks above t (Siffert, Fouque, Termier & Largouët 2017, Equation 1).
* `BestF1`: the highest F1, where some of the held-out observations are known to be abnormal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from twofold.core.errors import UserError
from twofold.maths import conformal

PEAKS = 0.1
"""The share of scores that are peaks: t is the quantile above which they lie."""
FEWEST = 10
"""Peaks that a tail is fitted to, at least."""


@dataclass(frozen=True)
class Threshold(ABC):
    """A threshold and how it was found.

    Args:
        normal: scores of held-out normal observations, (n,). abnormal: of abnormal ones, (m,).
        rate: of false alarms that was asked for.
    """

    normal: Tensor
    abnormal: Tensor
    rate: float

    @property
    @abstractmethod
    def value(self) -> float:
        """The score above which an observation is abnormal."""

    @property
    @abstractmethod
    def promised(self) -> float:
        """The rate of false alarms to expect of new normal observations."""

    def p(self, scores: Tensor) -> Tensor:
        """The probability of so high a score under normal data, for each of (N,)."""
        return conformal.p_values(scores, self.normal)


class Quantile(Threshold):
    """The conformal quantile.

    >>> Quantile(torch.arange(1.0, 100.0), torch.zeros(0), 0.05).value
    95.0
    """

    @property
    def value(self) -> float:
        return conformal.threshold(self.normal, self.promised)

    @property
    def promised(self) -> float:
        return conformal.attainable(self.rate, len(self.normal))


class Tail(Threshold):
    """Peaks over threshold."""

    @cached_property
    def law(self) -> tuple[float, float, float, float]:
        """t, γ, σ, and the share of scores above t."""
        from scipy.stats import genpareto

        ordered = self.normal.double().sort().values
        peaks = max(FEWEST, round(PEAKS * len(ordered)))
        if len(ordered) <= peaks:
            raise UserError(
                f"{len(ordered)} held-out normal rows are too few to fit a tail to; hold out more "
                "than 10, or use --threshold quantile"
            )
        t = float(ordered[-peaks - 1])
        gamma, _, sigma = genpareto.fit((ordered[-peaks:] - t).numpy(), floc=0)
        return t, float(gamma), float(sigma), peaks / len(ordered)

    @property
    def value(self) -> float:
        from scipy.stats import genpareto

        t, gamma, sigma, share = self.law
        if self.rate >= share:
            return conformal.threshold(self.normal, self.rate)
        return t + float(genpareto.isf(self.rate / share, gamma, scale=sigma))

    @property
    def promised(self) -> float:
        return self.rate

    def p(self, scores: Tensor) -> Tensor:
        """As counted below t, by the law of the tail above."""
        from scipy.stats import genpareto

        t, gamma, sigma, share = self.law
        beyond = genpareto.sf((scores.double() - t).clamp(min=0).numpy(), gamma, scale=sigma)
        tail = share * torch.from_numpy(beyond).clamp(min=1e-300)
        return torch.where(scores.double() > t, tail, conformal.p_values(scores, self.normal))


class BestF1(Threshold):
    """The threshold of the highest F1 among held-out observations of both sorts.

    >>> BestF1(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.5, 6.0, 7.0]), 0.1).value
    2.25
    """

    @cached_property
    def value(self) -> float:
        if not len(self.abnormal):
            raise UserError(
                "--threshold f1 needs abnormal rows among the run's held-out ones; name them with "
                "--labels and --positive, or use --threshold quantile"
            )
        both = torch.cat([self.normal, self.abnormal]).double().unique()
        lines = torch.cat([both[:1] - 1, (both[:-1] + both[1:]) / 2])
        return float(lines[self.f1(lines).argmax()])

    def f1(self, lines: Tensor) -> Tensor:
        """2 TP / (2 TP + FP + FN) above each line."""
        found = (self.abnormal.double() > lines[:, None]).sum(1)
        false = (self.normal.double() > lines[:, None]).sum(1)
        return 2 * found / (found + false + len(self.abnormal))

    @property
    def promised(self) -> float:
        return float((1 + (self.normal.double() > self.value).sum()) / (len(self.normal) + 1))


THRESHOLDS: dict[str, type[Threshold]] = {"quantile": Quantile, "pot": Tail, "f1": BestF1}
