"""MATLAB files up to version 7.2, read by SciPy, with every fault a DataError that names the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import DataError
from ..files import opened

if TYPE_CHECKING:
    from ...core.task import Array


def read_matlab(path: Path) -> dict[str, Array]:
    """The file's variables by name, in the file's order. Raises DataError."""
    from scipy.io import loadmat

    with opened(path) as stream:
        try:
            variables = loadmat(stream)
        except NotImplementedError as error:  # version 7.3 is HDF5
            raise DataError(
                f"{path}: expected a MATLAB file up to version 7.2, got version 7.3; save it again with -v7"
            ) from error
        except Exception as error:  # SciPy raises ValueError, TypeError, KeyError … for what is no such file
            raise DataError(f"{path}: expected a MATLAB file ({error})") from error
    return {name: value for name, value in variables.items() if not name.startswith("__")}
