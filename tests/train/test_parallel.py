"""Two processes under torchrun end with the weights of one process with two parts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from twofold.train.parallel import World

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
import torch
from safetensors.torch import save_file
from twofold.core.space import Category, Field, Real, Space
from twofold.data.sources import Memory
from twofold.maths.quantise import Codebook
from twofold.models import family
from twofold.nets.bodies import Dense
from twofold.train.feed import Feed
from twofold.train.loop import Loop
from twofold.train.options import Training
from twofold.train.parallel import world

out, split = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(1)
here = world()
for kind in (torch.float32, torch.float64):
    torch.set_default_dtype(kind)
    for name, nets, options in (
        ("vae", ("encoder", "decoder"), {"latent": 2}),
        ("gan", ("generator", "critic"), {"latent": 2, "spectral": True, "critic_turns": 2}),
        ("vqvae", ("encoder", "decoder"), {"groups": 3, "codebook": Codebook(6, 2)}),
    ):
        torch.manual_seed(0)
        space = Space((Field("v", Real(), 3), Field("c", Category(("a", "b")), missing=True)))
        given = Space((Field("label", Category(("x", "y")), missing=True),))
        model = family(name)(space, given, **{n: Dense(8, 1) for n in nets}, **options)
        values = torch.cat([torch.randn(11, 3), torch.randint(2, (11, 1)).to(kind)], 1)
        values[3, 3] = float("nan")
        labels = torch.randint(2, (11, 1)).to(kind)
        idle = torch.nn.Parameter(torch.ones(2))  # which no rank gives a gradient
        next(iter(model.players().values()))[0].register_parameter("idle", idle)
        feed = Feed(Memory(values, labels), space, given, 7, 3, torch.device("cpu"))
        training = Training(steps=5, batch=7, split=split, average=0.05, clip=1.0)
        loop = Loop(model, feed, training, here)
        for _ in range(5):
            loop.advance()
        state = loop.state()
        ends = {f"weights.{k}": v for k, v in state.weights.items()}
        ends |= {f"average.{k}": v for k, v in state.average.items()}
        ends |= {f"moments.{k}": v for k, v in state.moments.items()}
        save_file(ends, f"{out}/{name}-{str(kind)[6:]}-{here.rank}.safetensors")
if here.size > 1:
    torch.distributed.destroy_process_group()
"""


def run(command: list[str], program: Path, out: Path, split: int) -> None:
    out.mkdir()
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, *command, str(program), str(out), str(split)],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("two")
    program = folder / "program.py"
    program.write_text(PROGRAM, "utf-8")
    run([], program, folder / "one", 2)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    run(launcher, program, folder / "both", 1)
    return folder / "one", folder / "both"


@pytest.mark.parametrize("name", ["vae", "gan", "vqvae"])
@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_two_processes_are_one_with_two_parts(
    ends: tuple[Path, Path], name: str, kind: str
) -> None:
    one, both = ends
    whole = load_file(one / f"{name}-{kind}-0.safetensors")
    tolerance = 0.0 if kind == "float64" else 1e-6
    for rank in (0, 1):
        cut = load_file(both / f"{name}-{kind}-{rank}.safetensors")
        assert cut.keys() == whole.keys()
        for key in whole:
            if key.endswith("codebook.seen"):  # a sum, of which each process keeps the mean
                cut[key] *= 2
            torch.testing.assert_close(cut[key], whole[key], rtol=tolerance, atol=tolerance)
    assert not any("idle" in key and key.startswith("moments") for key in whole)
    assert any(key.endswith("idle") for key in whole)


def test_a_world_of_one_leaves_everything_alone() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    buffer = torch.ones(2)
    World().reduce([parameter])
    World().mean([buffer])
    assert parameter.grad is None
    assert buffer.tolist() == [1, 1]
    assert World().any(True)
    assert not World().any(False)
    assert World().first
    assert not World(1, 2).first
