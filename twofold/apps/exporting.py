"""The job `export`: a piece of a run as an ONNX graph that answers as the run does, and says so.

`pieces.py` has what can leave a run. At export the graph runs on held-out rows, and what it answers
is compared with what the run answers; where the two are farther apart than `TOLERANCE`, nothing is
written. What the graph is, what it takes and gives and what it was calibrated with, travels in its
own metadata, and as JSON beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from twofold import __version__
from twofold.apps.anomaly import spread_out
from twofold.apps.graphs import Graph, check_installed
from twofold.apps.pieces import PIECES, TOLERANCE
from twofold.apps.score import Asked
from twofold.core.errors import UserError, nearest
from twofold.core.space import Space, describe
from twofold.data.kind import Where
from twofold.data.places import folder, new
from twofold.data.sources import Subset
from twofold.runs.run import Run
from twofold.runs.training import Material, data_of, material_of

CHECKED = 500
"""Held-out rows that graph and run are compared on, at most."""
TRACED = 3
"""Rows that a graph is traced with."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        paths: the graph, and the JSON beside it. about: what that says. said: it in words.
    """

    paths: tuple[Path, Path]
    about: Mapping[str, Any]
    said: str

    def __str__(self) -> str:
        return "\n".join([self.said, *map(str, self.paths)])

    def to_dict(self) -> dict[str, object]:
        """Plain data, for `--json`."""
        return {"paths": [str(path) for path in self.paths], **self.about}


def export(run: Run, what: str, asked: Asked, where: Where, path: Path) -> Exported:
    """Write a piece of a run as a graph, once that agrees with the run; see `verbs.export`."""
    if what not in PIECES:
        raise UserError(f"--what {what}: {nearest(what, PIECES)}")
    check_installed()
    check_free(path)
    material = material_of(run, where)
    place = data_of(run, where)
    piece = PIECES[what].of(run, material, place, asked)
    part, rows = held_out(material)
    inputs = piece.inputs(rows)
    graph = Graph.of(piece, {k: v[:TRACED] for k, v in inputs.items()}, piece.outputs)
    answers = graph(inputs)
    gap = piece.apart(answers, piece.answers(rows))
    if not gap <= TOLERANCE:
        raise UserError(
            f"the graph is not the run: they differ by {gap:.2g} on held-out rows, where "
            f"{TOLERANCE:g} is allowed; nothing was written"
        )
    checked = {"rows": len(rows), "part": part, "difference": gap, "tolerance": TOLERANCE}
    about = {**describe_graph(run, what, inputs, answers), **piece.about(), "checked": checked}
    paths = write(graph.told(json.dumps(about)), about, path)
    said = f"on {len(rows):,} rows held out for {part} graph and run differ by {gap:.1g} at most"
    return Exported(paths, about, said)


def held_out(material: Material) -> tuple[str, Subset]:
    """The rows that graph and run are compared on, and what they were held out for."""
    for part in ("test", "validation"):
        source = getattr(material, part)
        if len(source):
            return part, Subset(source, spread_out(len(source), CHECKED))
    raise UserError("the run holds no rows out to check the graph on; hold some out")


def describe_graph(
    run: Run, what: str, inputs: Mapping[str, Tensor], outputs: Mapping[str, Tensor]
) -> dict[str, Any]:
    """What a graph is, and what it takes and gives."""
    return {
        "what": what,
        "twofold": __version__,
        "family": run.recipe["model"]["name"],
        "weights": run.sha256,
        "inputs": {name: shaped(tensor) for name, tensor in inputs.items()},
        "outputs": {name: shaped(tensor) for name, tensor in outputs.items()},
        "values": fields(run.space),
        "given": fields(run.given),
        "kind": run.described["kind"],
    }


def shaped(tensor: Tensor) -> dict[str, Any]:
    """What a tensor of a graph is; it has any number of rows."""
    return {"type": str(tensor.dtype).removeprefix("torch."), "shape": ["rows", *tensor.shape[1:]]}


def fields(space: Space) -> list[dict[str, Any]]:
    """The fields of a Space, in the order of their values."""
    return [describe(field) for field in space.fields]


def check_free(path: Path) -> None:
    """That a graph may be written here."""
    if path.suffix != ".onnx":
        raise UserError(f"--out {path} is no .onnx file; name one")
    for taken in (path, path.with_suffix(".json")):
        if taken.exists():
            raise UserError(f"{taken} exists; choose another --out")


def write(graph: Graph, about: Mapping[str, Any], path: Path) -> tuple[Path, Path]:
    """The graph, and what it is beside it."""
    folder(path.parent)
    beside = path.with_suffix(".json")
    with new(path) as file:
        file.write(graph.data)
    with new(beside) as file:
        file.write((json.dumps(about, indent=1) + "\n").encode())
    return path, beside
