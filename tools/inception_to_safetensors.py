r"""Convert the public FID weights to the file that the extractor `inception` reads.

    python tools/inception_to_safetensors.py \
        pt_inception-2015-12-05-6726825d.pth inception.safetensors
    export TWOFOLD_INCEPTION=$PWD/inception.safetensors

The `.pth` comes from the releases of github.com/mseitzer/pytorch-fid. It is a pickle: it is read
here, once, with `weights_only=True`, and nowhere else. The last word of its name is the start of
its sha256, which is checked; another file must be vouched for with `--any`.
"""

import argparse
import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file

from twofold.nets.inception import Inception

PUBLIC = "6726825d"


def converted(source: Path, target: Path) -> str:
    """Write the tensors that the network uses; return the sha256 of the target."""
    tensors = torch.load(source, map_location="cpu", weights_only=True)
    names = [name for name in Inception().state_dict() if not name.endswith("batches_tracked")]
    missing = [name for name in names if name not in tensors]
    if missing:
        raise SystemExit(f"{source} lacks {len(missing)} tensors, first {missing[0]}: not this net")
    kept = {name: tensors[name].float().contiguous() for name in names}
    save_file(kept, target, {"source": source.name})
    return hashlib.sha256(target.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description="Convert the public FID weights to safetensors.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--any", action="store_true", help="accept weights of another sha256")
    given = parser.parse_args()
    digest = hashlib.sha256(given.source.read_bytes()).hexdigest()
    if not digest.startswith(PUBLIC) and not given.any:
        raise SystemExit(f"{given.source} has sha256 {digest[:8]}…, the public file {PUBLIC}…")
    print(converted(given.source, given.target), given.target)


if __name__ == "__main__":
    main()
