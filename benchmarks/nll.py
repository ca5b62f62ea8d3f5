"""Importance-sampled likelihood: the product's against pythae's `get_nll`, with the same draws.

Both sides hold the same weights (pythae's, after a few epochs on Fashion-MNIST) and estimate log p
of the same test pictures with 200 draws of the posterior a picture. pythae really makes that many
only when it is asked for a multiple of its batch of 100, and returns the mean log p, not its
negative; the draws are counted, and the sign is put right. Both sides start from the same seed and
draw in the same order, so that their estimates differ by rounding alone: at most 0.02 nats. The
figure is their time over ours, in rounds of other pictures each. Run it with

    TWOFOLD_DATA=… TWOFOLD_PEER_PYTHON=… python benchmarks/nll.py
"""

from __future__ import annotations

import torch
from common import (
    PICTURE,
    Peer,
    alternate_timed,
    data_path,
    fashion_mnist,
    options,
    save,
    seconds,
    speedup,
)
from torch import Tensor
from weights import read

from twofold.core.batch import Batch
from twofold.core.space import Space
from twofold.measures.likelihood import bounds
from twofold.measures.measure import Evidence
from twofold.models.vae import VAE

SAMPLES, PICTURES = 200, 48
MEMORY = 1 << 20  # numbers of x at once, as the measure has it
TARGET, CLOSE = 3.0, 0.02


def trained(peer: Peer) -> VAE:
    """Both sides with the weights that pythae's trainer found."""
    peer.ask("start", net="dense", path=data_path("train"), count=20_000, batch=100, rate=1e-3)
    for _ in range(2):
        peer.ask("epoch")
    return read(peer)


class Contest:
    """Both estimates of the same pictures, round after round of others."""

    def __init__(self, peer: Peer, model: VAE) -> None:
        self.peer, self.model = peer, model
        self.test = fashion_mnist("test") / 255
        self.values: dict[str, list[float]] = {"ours": [], "theirs": []}

    def ours(self) -> float:
        number = len(self.values["ours"])
        batch = Batch.of(self.test[number * PICTURES :][:PICTURES])
        evidence = Evidence(PICTURE, Space(), batch, batch, batch, self.model, seed=number)
        found: list[Tensor] = []
        spent = seconds(lambda: found.append(bounds(evidence, batch, SAMPLES, MEMORY)))
        self.values["ours"].append(float(found[0].mean()))
        return spent

    def theirs(self) -> float:
        number = len(self.values["theirs"])
        answer = self.peer.ask(
            "nll", path=data_path("test"), first=number * PICTURES, count=PICTURES,
            samples=SAMPLES, seed=number,
        )  # fmt: skip
        if answer["drawn"] != SAMPLES * PICTURES:
            raise SystemExit(f"pythae made {answer['drawn']} draws, not {SAMPLES * PICTURES}")
        self.values["theirs"].append(answer["value"])
        return float(answer["seconds"])


def main() -> None:
    args = options(__doc__).parse_args()
    torch.set_num_threads(args.threads)
    peer = Peer(args.peer, args.threads)
    contest = Contest(peer, trained(peer))
    times = alternate_timed({"ours": contest.ours, "theirs": contest.theirs}, args.rounds)
    pairs = list(zip(*contest.values.values(), strict=True))
    apart = max(abs(a - b) for a, b in pairs)
    mean = sum(a for a, _ in pairs) / len(pairs)
    note = f"NLL {-mean:.2f} nats, at most {apart:.1e} apart in a round, {SAMPLES} draws a picture"
    if apart > CLOSE:
        raise SystemExit(
            f"the two estimates are {apart:.3f} nats apart; they must be within {CLOSE}"
        )
    row = speedup(
        f"Importance-sampled NLL, dense 784-512-16, {SAMPLES} draws", times, PICTURES,
        "pictures a second", TARGET, note,
    )  # fmt: skip
    save("nll", __doc__, [row])


if __name__ == "__main__":
    main()
