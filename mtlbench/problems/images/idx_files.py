"""IDX files, the format of MNIST: two zero bytes, a type, the number of dimensions, their sizes, the values.

Everything big-endian; the sizes are 32-bit. Source: the format's description on the MNIST page of Y. LeCun.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.digests import Stamp, stamp
from ...core.errors import DataError
from ...core.regular import opened_regular
from ..files import is_zipped, opened

if TYPE_CHECKING:
    from ...core.task import Array

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CHUNK = 1 << 20


@dataclass(frozen=True)
class Header:
    """The header of an IDX file."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def offset(self) -> int:
        """Where the values start."""
        return 4 + 4 * len(self.shape)

    @property
    def size(self) -> int:
        """Bytes of the whole file, unzipped."""
        return self.offset + math.prod(self.shape) * int(self.dtype[-1])


def images(path: Path) -> Header:
    """The header of a whole file of images, unsigned bytes [N, H, W]. Raises DataError."""
    header = _checked(path, stamp(path))
    if len(header.shape) != 3 or header.dtype != "u1":
        raise DataError(f"{path}: expected images, unsigned bytes in 3 dimensions, got {_words(header)}")
    if 0 in header.shape:
        raise DataError(f"{path}: expected at least one image of at least one pixel, got {_words(header)}")
    return header


def labels(path: Path) -> Array:
    """Labels, int64 [N], of a whole file. Raises DataError."""
    header = _checked(path, stamp(path))
    if len(header.shape) != 1 or header.dtype[-2] == "f":
        raise DataError(f"{path}: expected labels, whole numbers in 1 dimension, got {_words(header)}")
    return array(path).astype("int64")


def array(path: Path) -> Array:
    """The values, read-only, in the file's data type: memory-mapped, or decompressed into memory."""
    return _values(path, stamp(path))


@lru_cache(maxsize=32)
def _checked(path: Path, _: Stamp) -> Header:
    """The header of a file, after checking that the file has the length it states; the content is not kept."""
    with opened(path) as stream:
        header = _header(path, stream.read(4), stream.read(4 * 255))
        stream.seek(0)
        size = sum(len(chunk) for chunk in iter(lambda: stream.read(CHUNK), b""))
    if size != header.size:
        fault = "truncated" if size < header.size else "too long"
        raise DataError(f"{path}: expected {header.size} bytes for {_words(header)}, got {size}: the file is {fault}")
    return header


def _header(path: Path, magic: bytes, sizes: bytes) -> Header:
    if not magic:
        raise DataError(f"{path}: expected an IDX file, got an empty one")
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or not magic[3]:
        raise DataError(
            f"{path}: expected an IDX file, which starts with 00 00, a type and a number of dimensions; "
            f"got {magic.hex(' ')}"
        )
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path}: expected the sizes of {magic[3]} dimensions, but the file ends: it is truncated")
    return Header(TYPES[magic[2]], struct.unpack(f">{magic[3]}I", sizes[: 4 * magic[3]]))


@lru_cache(maxsize=4)
def _values(path: Path, stamped: Stamp) -> Array:
    import numpy as np

    header = _checked(path, stamped)
    if not is_zipped(path):
        with opened_regular(path) as file:
            return np.memmap(file, dtype=header.dtype, mode="r", offset=header.offset, shape=header.shape)
    with opened(path) as stream:
        return np.frombuffer(stream.read(), dtype=header.dtype, offset=header.offset).reshape(header.shape)


def _words(header: Header) -> str:
    kind = {"u": "unsigned", "i": "signed", "f": "floating-point"}[header.dtype[-2]]
    return f"{'x'.join(map(str, header.shape))} {kind} values of {header.dtype[-1]} bytes"


def write_bytes(path: Path, values: Array) -> str:
    """Write bytes as an IDX file; its name."""
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(head + values.astype("u1").tobytes())
    return path.name
