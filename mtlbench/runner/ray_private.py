"""A local Ray that nobody else reaches: it listens on loopback alone, knows one secret, and lives in a closed folder.

Ray opens its folders to all users of a machine, its ports to all networks, and leaves its authentication to the
environment. Whoever may connect may run code, so that none of this is left to the environment here.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray._private import ray_constants

from ..core.errors import UnavailableError

MEND = "set RAY_TMPDIR to a short path, or use --executor serial"
_LOOPBACK = "127.0.0.1"
_core: Any = ray._raylet  # Ray's own, in Cython
_ON_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"  # 0: as on those systems, one machine and its loopback


class Private(NamedTuple):
    """The folder that holds all of a Ray, and the arguments of ``ray.init`` that put it there."""

    folder: Path
    arguments: dict[str, Any]


@contextlib.contextmanager
def private() -> Iterator[Private]:
    """The surroundings in which ``ray.init`` starts such a Ray; they end and its folder is removed afterwards.

    Every start has a token of its own, which its processes inherit: no file holds it, and ``RAY_AUTH_MODE=disabled``
    has no effect. Raises UnavailableError where there can be no folder.
    """
    try:
        place = os.environ.get("RAY_TMPDIR") or None
        if place:
            os.makedirs(place, exist_ok=True)
        # Ray makes what is inside readable and writable for everybody; nobody else comes as far.
        closed = Path(tempfile.mkdtemp(prefix="mtl", dir=place))
    except OSError as error:
        raise UnavailableError(f"cannot start Ray: {error}; {MEND}") from error
    surroundings = {_ON_LOOPBACK: "0", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    before = {name: os.environ.get(name) for name in surroundings}
    elsewhere, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    try:
        os.environ.update(surroundings)
        _read_again()
        yield Private(closed, {"_temp_dir": str(closed / "r"), "_node_ip_address": _LOOPBACK})
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = elsewhere
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        _read_again()
        shutil.rmtree(closed, ignore_errors=True)


def check_private() -> None:
    """Raise UnavailableError if the Ray that was started is not closed, as another version's might not be."""
    if _core.get_authentication_mode() != _core.AuthenticationMode.TOKEN:
        raise UnavailableError("cannot start Ray: it does not authenticate; use --executor serial")
    node: Any = ray._private.worker._global_node
    if node.node_ip_address != _LOOPBACK:
        raise UnavailableError("cannot start Ray: it does not keep to loopback; use --executor serial")


def _read_again() -> None:
    """Let this process's Ray read its settings and token from the environment once more."""
    _core.Config.initialize("")
    _core.AuthenticationTokenLoader.instance().reset_cache()
