"""Work of others, told apart from one's own."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from mtlbench.measure import load
from mtlbench.measure.load import ForeignLoad

BURN = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def test_own_work_and_that_of_children_is_not_foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = iter([100.0, 100.7])  # seconds that a pretended machine was busy in all
    monkeypatch.setattr(load, "_busy_seconds", lambda: next(busy))
    seen = ForeignLoad()
    start = time.monotonic()
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    subprocess.run([sys.executable, "-S", "-c", BURN], check=True)
    elapsed = time.monotonic() - start
    assert seen.cores() * elapsed == pytest.approx(0.1, abs=0.1)  # 0.7 s less 0.3 s here and 0.3 s in the child


def test_load_is_noticeable_from_a_tenth_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = ForeignLoad()
    cores = psutil.cpu_count()
    assert cores is not None
    monkeypatch.setattr(ForeignLoad, "cores", lambda self: 0.09 * cores)
    assert not seen.noticeable()
    monkeypatch.setattr(ForeignLoad, "cores", lambda self: 0.11 * cores)
    assert seen.noticeable()


def test_busy_seconds_grow() -> None:
    before = load._busy_seconds()
    assert load._busy_seconds() >= before > 0
