"""The FID network against the reference implementation, on weights drawn from the names.

The figures were computed by pytorch-fid 0.3.0 (`InceptionV3`, its constructor given the same
weights) from the same images; our features were equal to its bit for bit.
"""

import hashlib
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tools.inception_to_safetensors import converted
from twofold.nets.inception import WIDTH, Inception

EVERY_256TH = [
    [0.0, 0.0, 1.52903, 0.47277, 0.46593, 0.40734, 0.61333, 0.3751],
    [0.0, 0.0, 1.52624, 0.48184, 0.4816, 0.40424, 0.61734, 0.37782],
]
MEAN, DEVIATION = 0.270368888488806, 0.3615650567506317


def drawn(name: str, like: Tensor) -> Tensor:
    """A tensor for a parameter that is a function of its name and shape only."""
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")
    noise = torch.randn(like.shape, generator=torch.Generator().manual_seed(key))
    if like.ndim == 4:
        return noise * math.sqrt(2 / like[0].numel())
    if name.endswith("running_var"):
        return 1 + 0.1 * noise.abs()
    return 1 + 0.1 * noise if name.endswith("bn.weight") else 0.1 * noise


def weights() -> dict[str, Tensor]:
    state = Inception().state_dict().items()
    return {name: drawn(name, t) for name, t in state if not name.endswith("batches_tracked")}


@pytest.fixture(scope="module")
def net() -> Inception:
    network = Inception()
    network.load_state_dict(weights(), strict=False)
    return network


def test_features_are_those_of_the_reference(net: Inception) -> None:
    images = torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        f = net(images)
    assert f.shape == (2, WIDTH)
    assert torch.allclose(f[:, ::256], torch.tensor(EVERY_256TH), atol=2e-5)
    assert float(f.double().mean()) == pytest.approx(MEAN, abs=1e-5)
    assert float(f.double().std()) == pytest.approx(DEVIATION, abs=1e-5)


def test_parameter_names_and_sizes_are_those_of_the_public_file(net: Inception) -> None:
    state = {name: tuple(t.shape) for name, t in net.state_dict().items()}
    assert state["Conv2d_1a_3x3.conv.weight"] == (32, 3, 3, 3)
    assert state["Mixed_5b.branch_pool.conv.weight"] == (32, 192, 1, 1)
    assert state["Mixed_6b.branch7x7dbl_5.bn.running_var"] == (192,)
    assert state["Mixed_7a.branch7x7x3_4.conv.weight"] == (192, 192, 3, 3)
    assert state["Mixed_7c.branch3x3dbl_3b.conv.weight"] == (384, 384, 3, 1)
    assert sum(p.numel() for p in net.parameters()) == 21_785_568  # InceptionV3 less fc and aux
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())


def test_the_public_format_becomes_safetensors(tmp_path: Path) -> None:
    source, target = tmp_path / "public.pth", tmp_path / "inception.safetensors"
    public = weights() | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    torch.save(public, source)
    assert converted(source, target) == hashlib.sha256(target.read_bytes()).hexdigest()
    assert set(load_file(target)) == set(weights())
    torch.save({"fc.bias": torch.zeros(1)}, source)
    with pytest.raises(SystemExit, match="not this net"):
        converted(source, target)
