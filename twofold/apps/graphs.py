"""Networks as ONNX graphs: written down by `torch.export`, and run by ONNX Runtime.

A graph (Open Neural Network Exchange, onnx.ai) is a list of operations with its weights inside. It
needs neither this package nor PyTorch to run, and what is said of it travels in its own metadata.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from io import StringIO
from typing import Any

import torch
from torch import Tensor, nn

from twofold.core.errors import UserError

INSTALL = 'a graph needs onnx, onnxscript and onnxruntime; pip install "twofold[export]"'
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
ABOUT = "twofold"
"""The key of the metadata under which stands what the graph is, as JSON."""


@dataclass(frozen=True)
class Graph:
    """A network written down, as the bytes of an `.onnx` file.

    Args:
        data: the bytes. outputs: names of what comes out, in order.
    """

    data: bytes
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, network: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> Graph:
        """Write a network down.

        Args:
            network: takes the first input, and the others as `*others`; gives a tuple.
            inputs: examples by name, of several rows each; a graph takes any number of rows.
            outputs: names of what comes out.

        Raises:
            UserError: the packages are not there, or the network does what no graph can.
        """
        check_installed()
        first, *others = ({0: torch.export.Dim.DYNAMIC} for _ in inputs)  # any number of rows
        shapes = (first, tuple(others)) if others else (first,)
        # `optimize` takes what is as small as 1e-8 for nothing, and divides by 0 where it was added
        with silence(), torch.no_grad():
            try:
                program = torch.onnx.export(
                    network.eval(), tuple(inputs.values()), dynamo=True, verbose=False,
                    input_names=[*inputs], output_names=[*outputs],
                    dynamic_shapes=shapes, optimize=False,
                )  # fmt: skip
            except torch.onnx.errors.OnnxExporterError as error:
                raise UserError(
                    f"this network cannot be written as a graph: {why(error)}; use the run itself"
                ) from error
        assert program is not None
        return cls(program.model_proto.SerializeToString(), tuple(outputs))

    def told(self, about: str) -> Graph:
        """The same graph, with what it is in its metadata."""
        import onnx

        model = onnx.load_from_string(self.data)
        onnx.helper.set_model_props(model, {ABOUT: about})
        return Graph(model.SerializeToString(), self.outputs)

    @cached_property
    def session(self) -> Any:
        """The graph in ONNX Runtime, on the processor."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors alone
        options.intra_op_num_threads = torch.get_num_threads()
        return onnxruntime.InferenceSession(self.data, options, ["CPUExecutionProvider"])

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What ONNX Runtime makes of inputs."""
        found = self.session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        return {k: torch.from_numpy(v) for k, v in zip(self.outputs, found, strict=True)}


def why(error: Exception) -> str:
    """Why an exporter gave up, without the words of a compiler."""
    cause = error.__cause__ or error
    if isinstance(cause, UserError):
        return str(cause)
    words = type(cause).__name__ + str(cause)
    if "data-dependent" in words or "DataDependent" in words:
        return "what it computes depends on the rows, as where sentences or molecules are spelt"
    return f"it does what no graph can ({type(cause).__name__}; --debug says more)"


@contextmanager
def silence() -> Iterator[None]:
    """Not a word of the exporter, which tells of deprecations and prints what it gives up."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def installed() -> bool:
    """Whether the packages of the extra `export` are there."""
    return all(find_spec(name) for name in PACKAGES)


def check_installed() -> None:
    """That they are.

    Raises:
        UserError: one is not.
    """
    if not installed():
        raise UserError(INSTALL)
