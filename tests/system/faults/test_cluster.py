"""A cluster whose machines come and go during a run: one that joins is used, one that dies takes nothing along."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import mtlbench

WHERE = '''
import pathlib, time
import ray
from mtlbench.problems.small.digits import Digits

class Where(Digits):
    """Digits that take a second, and say on which node."""

    def load(self, seed, root):
        with (pathlib.Path(root) / "where.txt").open("a") as file:
            file.write(ray.get_runtime_context().get_node_id() + "\\n")
        time.sleep(1)
        return super().load(seed, root)
'''


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.soak
def test_nodes_that_join_are_used_and_those_that_die_are_not_missed(suite: Path, ray_folder: Path) -> None:
    from ray.cluster_utils import Cluster

    (suite.parent / "where.py").write_text(WHERE)
    text = suite.read_text().replace("{name: digits, tasks: [digit, parity]}", "{name: 'where:Where', tasks: [digit]}")
    text = text.replace("  fixed: {weighting: {name: fixed, weights: {digit: 0.7, parity: 0.3}}}\n", "")
    suite.write_text(text.replace("epochs: 2", "epochs: 1") + "resources: {exclusive: none}\n")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    seen, out, ended = suite.parent / "where.txt", suite.parent / "out", []

    def run() -> None:
        ended.append(mtlbench.run(suite, seeds=20, only="equal", out=out, address=cluster.address))

    def nodes() -> list[str]:
        return seen.read_text().split() if seen.exists() else []

    try:
        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: len(nodes()) >= 2)
        assert len(set(nodes())) == 1
        late = cluster.add_node(num_cpus=1)
        wait_until(lambda: len(set(nodes())) == 2)
        time.sleep(0.5)  # in the midst of a trial, most likely
        cluster.remove_node(late, allow_graceful=False)
        thread.join(timeout=300)
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]
    files = [json.loads(path.read_text()) for path in (out / "trials").glob("*.json")]
    assert [file["result"]["status"] for file in files] == ["ok"] * 20
    assert {failure["status"] for file in files for failure in file["failures"]} <= {"lost"}
    (done,) = ended
    assert not done.failed
