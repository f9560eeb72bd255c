"""A local Ray is its user's alone: what listens, who is let in, and who may look into its folder."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

LISTENING, LOOPBACK = "0A", {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
STRANGER = """
import sys
from ray._raylet import GcsClient
print(GcsClient(sys.argv[1]).internal_kv_keys(b"", None, timeout=10))
"""


def listeners() -> Iterator[tuple[str, str]]:
    """(address in hexadecimal, command) of each TCP socket on which a process that this one started listens."""
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    rows = [row.split() for table in tables for row in table]
    addresses = {row[9]: row[1].partition(":")[0] for row in rows if row[3] == LISTENING}
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        for handle in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                socket = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(handle))
            except OSError:  # closed meanwhile
                continue
            if socket and socket[1] in addresses:
                yield addresses[socket[1]], process.name()


def test_nobody_else_reaches_it(ray_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    from mtlbench.runner.ray_cluster import cluster

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with cluster(None):
        ray.get(ray.remote(lambda: None).remote())  # so that there is a worker
        found = set(listeners())
        assert {"raylet", "gcs_server"} <= {name for _, name in found}
        assert {address for address, _ in found} <= LOOPBACK, found
        (own,) = ray_folder.iterdir()
        assert stat.S_IMODE(own.stat().st_mode) == 0o700
        words = [sys.executable, "-c", STRANGER, ray.get_runtime_context().gcs_address]
        let_in = {**os.environ}
        shut_out = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
        for token, welcome in ((let_in, True), ({**shut_out, "RAY_AUTH_MODE": "disabled"}, False)):
            done = subprocess.run(words, env=token, capture_output=True, text=True, timeout=60, check=False)
            assert (done.returncode == 0) is welcome, done.stderr
    assert os.environ["RAY_AUTH_MODE"] == "disabled"
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert not list(ray_folder.iterdir())
