"""Where the real data are, and how a test writes files of its own."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

PLACES = (os.environ.get("MTLBENCH_DATA"), Path(__file__).parents[2] / "../shared/data")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets."""
    for place in PLACES:
        if place and Path(place).is_dir():
            return Path(place)
    pytest.skip("needs real data: set MTLBENCH_DATA to their folder")


@pytest.fixture
def write_idx(tmp_path: Path) -> Callable[..., str]:
    """Write an IDX file of bytes and return its name."""

    def write(name: str, values: object) -> str:
        array = np.asarray(values, dtype="u1")
        content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return name

    return write
