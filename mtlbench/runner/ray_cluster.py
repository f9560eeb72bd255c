"""Ray for the time of a run: a cluster joined, or a local one started; it says nothing itself, and leaves nothing."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ray

from ..core.errors import UnavailableError
from ..core.wording import clean
from .caretaker import Caretaker
from .held_back import stderr_held_back
from .ray_nodes import Nodes, alive
from .ray_private import MEND, check_private, private
from .stopping import undisturbed

_STORE_BYTES = 128 * 1024**2  # results are small; Ray's default is 30 % of the machine's memory


@contextlib.contextmanager
def cluster(address: str | None, sent: Path | None = None) -> Iterator[Nodes]:
    """Join the cluster at ``address``, or start a local Ray that is private, and watch its nodes. Leaves or stops it.
    ``sent`` is a folder that every worker gets a copy of, and runs in.

    Raises UnavailableError where Ray cannot be started or joined, for whatever reason.
    """
    with contextlib.nullcontext() if address else private() as own:
        caretaker = Caretaker(own.folder, Path(ray.__file__).parent) if own else None
        try:
            _init(address, sent, own.arguments if own else {})
            if own:
                check_private()
            with Nodes(alive).watched() as nodes:
                yield nodes
        finally:
            with undisturbed(), stderr_held_back():
                ray.shutdown()
                if caretaker:
                    caretaker.close()


def _init(address: str | None, sent: Path | None, arguments: Mapping[str, Any]) -> None:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    logging.getLogger("ray").setLevel(logging.ERROR)  # it comments on its own defaults
    on_sigterm = signal.getsignal(signal.SIGTERM)
    options = (_JOINED if address else _LOCAL) | ({"runtime_env": {"working_dir": str(sent)}} if sent else {})
    try:
        with stderr_held_back():
            ray.init(**options, **arguments, address=address or "local")
    except SystemExit:  # Ray's own handler, while it starts
        if callable(on_sigterm):
            on_sigterm(signal.SIGTERM, None)
        raise
    except Exception as error:  # Ray raises what the system raised: OSError, AssertionError, its own
        reason = clean(error) or type(error).__name__
        if address:
            text = f"cannot join Ray at {address}: {reason}; check --address, or use --executor serial"
            raise UnavailableError(text) from error
        raise UnavailableError(f"cannot start Ray: {reason}; {MEND}") from error
    finally:
        if callable(on_sigterm) and threading.current_thread() is threading.main_thread():
            # Ray has put its own handlers there, which print a stack and lose the exit code.
            signal.signal(signal.SIGTERM, on_sigterm)


_JOINED: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
_LOCAL: dict[str, Any] = {
    **_JOINED,
    "num_cpus": os.cpu_count(),
    "object_store_memory": _STORE_BYTES,
    "include_dashboard": False,
}


def _said_to_nobody(*args: Any, **options: Any) -> None:
    """In place of what prints Ray's own messages ("(raylet) A worker died …"): what they are about is in results."""


ray._private.worker.print_to_stdstream = _said_to_nobody
