"""What is told of a worker that gave no result."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import ray

from mtlbench.core.statuses import FAILED, LOST, OUT_OF_MEMORY
from mtlbench.runner.ray_losses import last_words, result_of

ERRORS: Any = ray.exceptions
STACK = "Fatal Python error: Segmentation fault\n\nCurrent thread:\n  File own.py\n\nExtension modules: a, b"


@pytest.mark.parametrize(
    ("error", "words", "status", "reason"),
    [
        (ERRORS.WorkerCrashedError(), "", LOST, "its worker died, killed or by an exit of its own"),
        (ERRORS.WorkerCrashedError(), "some warning", LOST, "its worker died, killed or by an exit of its own"),
        (ERRORS.WorkerCrashedError(), STACK, LOST, "its worker died of a Segmentation fault"),
        (ERRORS.NodeDiedError("The node\nof 1.2.3.4"), "", LOST, "NodeDiedError: The node"),
        (
            ERRORS.OutOfMemoryError("1 worker(s) were killed\nTop 10 memory users: PID\n7 others"),
            "",
            OUT_OF_MEMORY,
            "1 worker",
        ),
        (
            ERRORS.RayTaskError("f", "Traceback", ImportError("nothing")),
            "",
            FAILED,
            "ImportError: nothing",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_status_and_reason(error: Exception, words: str, status: str, reason: str) -> None:
    result = result_of(error, 2, 1.5, 7, words, 5)
    assert (result.status, result.attempt, result.seconds, result.peak_memory) == (status, 2, 1.5, 7)
    assert reason in result.error
    assert "others" not in result.traceback
    assert words in result.traceback


def test_the_memory_monitor_says_what_a_worker_took() -> None:
    said = "pid=15, actual memory used=9.00GB\npid=5, actual memory used=0.75GB"
    result = result_of(ERRORS.OutOfMemoryError(said), 1, 1.0, 7, "", 5)
    assert result.peak_memory == 3 << 28
    assert result_of(ERRORS.OutOfMemoryError(said), 1, 1.0, 1 << 30, "", 5).peak_memory == 1 << 30


def test_the_stack_of_a_crash_is_found_or_else_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    logs = tmp_path_factory.mktemp("logs")
    monkeypatch.setattr(ray._private.worker, "_global_node", SimpleNamespace(get_logs_dir_path=lambda: str(logs)))
    assert last_words(12) == ""
    (logs / "worker-abc-0100-12.err").write_text(f"noise\n{STACK}")
    (logs / "worker-abc-0100-13.err").write_bytes(b"x" * 10_000 + b"the end \xff\n")
    assert last_words(12) == STACK.partition("\n\nExtension")[0]
    assert last_words(13).endswith("the end \ufffd")
    assert len(last_words(13)) < 5_000
