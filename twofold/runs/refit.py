"""From a trained run to a better density of its codes, measured on validation data and kept.

The codes are draws of q(z | x), one a training observation: what the decoder has learnt to decode.
"""

from __future__ import annotations

from dataclasses import asdict, replace

import torch
from torch import Tensor

from twofold.core.batch import Given
from twofold.core.errors import UserError
from twofold.core.game import Decodes, Distribution, Encodes, Model
from twofold.data.sources import Source, Subset
from twofold.maths.distributions import Density, Normal, Posterior
from twofold.measures.estimate import mean, steady
from twofold.measures.fidelity import Fidelity
from twofold.measures.measure import Figure
from twofold.nets.expost import Codes, ExPost, Fitted, Origin, some
from twofold.nets.priors import PriorNet
from twofold.runs.kept import Kept, keep
from twofold.runs.measuring import evidence_of_run, finite
from twofold.runs.run import Run
from twofold.train.chance import seed_all

MOST = 50_000  # codes that are fitted to
JUDGED = 2048
OWN = "own prior"


def refit(
    run: Run, train: Source, validation: Source, part: ExPost, seed: int = 0, drawn: bool = True
) -> list[Figure]:
    """Fit a density to the codes of a run's training data, keep it with the run, and judge it.

    Args:
        run: the run. train, validation: its data.
        part: how to fit. seed: of every draw.
        drawn: whether to compare draws of observations too.

    Returns:
        The log-likelihood of validation codes, and the distance of draws to validation data; each
        with that of the model's own prior as its baseline.

    Raises:
        UserError: the model has no codes that a density can be fitted to.
    """
    own = replace(run, prior="own")
    exchangeable(own.model, own.recipe["model"]["name"])
    chosen = chosen_of(train, seed)
    fitted, held = codes_of(own, chosen, seed), codes_of(own, chosen_of(validation, seed), seed)
    if not len(held):  # a tenth of the codes stands for them, and of a few codes all
        few = len(fitted) // 10
        chosen = Subset(chosen, torch.arange(few, len(fitted)))
        held, fitted = (fitted[:few], fitted[few:]) if few else (fitted, fitted)
    net = part.fit(fitted, held, seed, origin_of(own, chosen))
    found = [likelihood(own, held, net, seed)]
    if drawn and len(validation):
        found += distance(own, net, train, validation, seed)
    kept = Kept(run.path, part, net.words, run.weights, run.sha256, run.record["step"])
    keep(kept, net, [finite(asdict(figure)) for figure in found])
    return found


def exchangeable(model: Model, name: str) -> None:
    """Refuse a model whose codes are not drawn from a part that can be exchanged.

    Raises:
        UserError: with the reason.
    """
    if not isinstance(model, Encodes):
        raise UserError(
            f"{name} has no encoder, so that there are no codes of the data to fit a density to; "
            "its own prior is exactly what it was trained to decode"
        )
    if not (isinstance(model, Decodes) and isinstance(getattr(model, "prior_net", ()), PriorNet)):
        raise UserError(f"the codes of {name} are not vectors that a density can be fitted to")


def chosen_of(source: Source, seed: int) -> Source:
    """The observations whose codes are looked at: at most so many."""
    return Subset(source, some(len(source), MOST, seed))


def codes_of(run: Run, chosen: Source, seed: int) -> Codes:
    """One draw of the code of each observation."""
    model = run.role(Encodes, "prior")
    seed_all(torch.device("cpu"), seed)
    with torch.no_grad():
        pieces = [codes(model.encode(b.x, b.given), b.given) for b in run.batches(chosen)]
    if not pieces:
        return Codes(*(torch.zeros(0, 0) for _ in range(4)))
    columns = ([getattr(piece, name) for piece in pieces] for name in ("z", "c", "mu", "sigma"))
    return Codes(*(torch.cat(column) for column in columns))


def origin_of(run: Run, chosen: Source) -> Origin:
    """Where the codes of some observations come from."""
    model = run.role(Encodes, "prior")

    def q(x: Tensor, c: Tensor) -> Posterior:
        found = model.encode(x, Given(c))
        assert isinstance(found, Posterior)
        return found

    return Origin(run.space, q, lambda rows: run.batch(chosen, rows).x)


def codes(q: Distribution, given: Given) -> Codes:
    """A draw of each row, with the posterior's moments where it is a diagonal Gaussian."""
    z = q.sample()
    mu, sigma = (q.mu, q.sigma) if isinstance(q, Normal) else (z[:, :0], z[:, :0])
    return Codes(z, given.c, mu, sigma)


def likelihood(own: Run, validation: Codes, net: Fitted, seed: int) -> Figure:
    """log p(z) of validation codes under the fitted density, and under the model's own prior."""
    with steady(net, seed):
        ours = mean(net.score(validation), seed)
        simple = own.role(Decodes, "prior").prior(Given(validation.c))
        theirs = simple.log_prob(validation.z) if isinstance(simple, Density) else torch.zeros(0)
    return Figure(
        "code_log_likelihood",
        *ours,
        len(validation),
        "higher",
        baseline=float(theirs.mean()),
        baseline_name=OWN,
        unit="nats",
        seed=seed,
        split="validation",
        note=f"of codes of the data; fitted: {net.words}",
    )


def distance(own: Run, net: Fitted, train: Source, validation: Source, seed: int) -> list[Figure]:
    """How far draws are from validation data, with codes from the fitted density and from the own.

    Nothing where no distance applies to such data.
    """
    found = {}
    for name, run in ((OWN, own), ("fitted", exchanged(own, net))):
        evidence = evidence_of_run(run, train, validation, JUDGED, seed, "validation")
        measure = Fidelity(JUDGED)
        if measure.refuses(evidence):
            return []
        found[name] = measure(evidence)[0]
    ours, theirs = found["fitted"], found[OWN]
    return [replace(ours, baseline=theirs.value, baseline_name=OWN)]


def exchanged(own: Run, net: Fitted) -> Run:
    """A run that draws its codes from a density."""
    run = replace(own)
    run.model.prior_net = net
    return run
