"""Peak memory of this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mtlbench.measure import memory
from mtlbench.measure.memory import PeakMemory

CPU = torch.device("cpu")
MANY = 64 * 2**20


def test_a_peak_is_seen_after_it_is_gone() -> None:
    peak = PeakMemory(CPU)
    before = peak.read()
    block = np.ones(MANY, dtype="uint8")
    del block
    assert peak.read() - before > MANY * 0.9


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the mark can be reset on Linux alone")
def test_an_earlier_peak_does_not_count() -> None:
    block = np.ones(MANY, dtype="uint8")
    before = PeakMemory(CPU).read()
    del block
    assert PeakMemory(CPU).read() < before - MANY * 0.9


def test_systems_without_proc_give_the_peak_of_the_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = PeakMemory(CPU).read()
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "absent")
    monkeypatch.setattr(memory, "_CLEAR", tmp_path / "absent" / "absent")
    assert PeakMemory(CPU).read() >= expected * 0.9
