"""IDX: what is written is read; damage is told."""

import gzip
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from twofold.core.errors import UserError
from twofold.data import idx

CODES = {np.dtype(text).newbyteorder("="): code for code, text in idx.TYPES.items()}


def encode(array: np.ndarray) -> bytes:
    head = bytes([0, 0, CODES[array.dtype], array.ndim])
    big = array.astype(array.dtype.newbyteorder(">"))
    return head + struct.pack(f">{array.ndim}I", *array.shape) + big.tobytes()


@given(
    st.sampled_from(sorted(CODES, key=str)).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
    )
)
def test_the_inverse_is_exact(array: np.ndarray) -> None:
    read = idx.decode(encode(array), "x")
    assert read.dtype == array.dtype
    assert read.tobytes() == array.tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_plain_and_gzipped_files_are_read(pack: type[bytes], tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    (tmp_path / "a").write_bytes(pack(encode(array)))
    assert np.array_equal(idx.read(tmp_path / "a"), array)


@given(st.binary(max_size=64))
def test_random_bytes_raise_nothing_but_user_errors(data: bytes) -> None:
    with suppress(UserError):
        idx.decode(data, "x")


@given(st.integers(0, 200))
def test_truncations_are_told(cut: int) -> None:
    whole = encode(np.arange(24, dtype=np.int32).reshape(2, 3, 4))
    with pytest.raises(UserError, match=r"^x "):
        idx.decode(whole[: cut % len(whole)], "x")


@pytest.mark.parametrize("cut", range(0, 60, 3))
def test_truncated_gzip_is_told(cut: int, tmp_path: Path) -> None:
    packed = gzip.compress(encode(np.arange(100, dtype=np.uint8)))
    (tmp_path / "a.gz").write_bytes(packed[:cut])
    with pytest.raises(UserError, match=r"a\.gz"):
        idx.read(tmp_path / "a.gz")
