"""One kernel trial, with contenders that are right, wrong at once, wrong later, and not there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

import pytest
import torch

from mtlbench.core.errors import MtlbenchError, UnavailableError
from mtlbench.kernels.base import Contender, Kernel, Makers, Wrong, expect_close
from mtlbench.kernels.bench import COPY, Bench
from mtlbench.measure.roofline import Eviction, cache_bytes, copy_of

CPU = torch.device("cpu")


class Doubling(Kernel):
    """Doubles a number."""

    bytes: int = 64
    contenders: ClassVar = dict.fromkeys(("fused", "eager", "wrong", "late", "absent", "broken"), "")

    @property
    def shape(self) -> str:
        """One number."""
        return "one number"

    def traffic(self) -> int:
        """As it was told."""
        return self.bytes

    def prepare(self, device: torch.device) -> Makers:
        """Factors by which contenders multiply at their n-th call."""

        def absent() -> Contender:
            raise UnavailableError("absent is not installed")

        def broken() -> Contender:
            raise ZeroDivisionError("no\nway")

        return {
            "fused": lambda: _contender(lambda calls: 2.0),
            "eager": lambda: _contender(lambda calls: 2.0),
            "wrong": lambda: _contender(lambda calls: 2.01),
            "late": lambda: _contender(lambda calls: 2.0 if calls < 6 else 2.01),
            "absent": absent,
            "broken": broken,
        }


def _contender(factor: Callable[[int], float]) -> Contender:
    result = torch.zeros(1)
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        result.fill_(factor(calls))

    return Contender(call, lambda calls: expect_close("two", result, torch.tensor([2.0])))


def _bench(kernel: Kernel, rounds: int = 2, deadline: float = float("inf")) -> Bench:
    return Bench(kernel, CPU, seed=0, rounds=rounds, seconds=0.01, deadline=deadline)


def test_only_what_is_right_is_timed_and_the_rest_is_told() -> None:
    records, notes = _bench(Doubling()).run(Doubling.contenders)
    timed = {record.task for record in records if record.metric == "call_seconds"}
    assert timed == {"fused", "eager", COPY}
    assert {record.task: record.value for record in records if record.metric == "ours"} == {"fused": 1, "eager": 0}
    assert {note.split(" ")[0] for note in notes} == {"wrong", "late", "absent", "broken"}
    told = " | ".join(notes)
    assert "absent was not timed: absent is not installed" in told
    assert "broken was not timed: ZeroDivisionError: no way" in told
    assert "late was not timed: two: expected the reference's values" in told


def test_every_block_of_both_states_of_the_caches_is_recorded() -> None:
    records, _ = _bench(Doubling(), rounds=3).run(["fused", "eager"])
    times = [record for record in records if record.metric == "call_seconds"]
    for cache in ("warm", "cold"):
        for name in ("fused", "eager", COPY):
            steps = [record.step for record in times if (record.split, record.task) == (cache, name)]
            assert steps == [0, 1, 2]
    assert all(record.value > 0 for record in times)


def test_work_beyond_the_caches_is_cold_alone_and_without_traffic_there_is_no_copy() -> None:
    large, _ = _bench(Doubling(bytes=Eviction(CPU).bytes + 8)).run(["fused"])
    assert {record.split for record in large if record.metric == "call_seconds"} == {"cold"}
    none, _ = _bench(Doubling(bytes=0)).run(["fused"])
    assert {record.task for record in none if record.metric == "call_seconds"} == {"fused"}


def test_nothing_left_to_time_and_no_time_left() -> None:
    with pytest.raises(MtlbenchError, match=r"no contender could be timed: wrong was not timed"):
        _bench(Doubling()).run(["wrong", "absent"])
    with pytest.raises(MtlbenchError, match=r"timed out: raise kernels\.timeout"):
        _bench(Doubling(), deadline=time.monotonic() - 1).run(["fused"])


def test_expect_close_sees_shapes_and_nan() -> None:
    good = torch.ones(3)
    expect_close("x", good, good)
    for bad in (torch.ones(2), good * 1.01, torch.tensor([1.0, 1.0, float("nan")])):
        with pytest.raises((Wrong, RuntimeError)):
            expect_close("x", bad, good)


def test_a_copy_moves_the_bytes_it_says() -> None:
    call, factor = copy_of(800, CPU)
    target = call()
    assert isinstance(target, torch.Tensor)
    assert 2 * target.nbytes == 800
    assert factor == 1
    _, beyond = copy_of(2**40, CPU)
    assert beyond > 1
    assert Eviction(CPU).bytes >= cache_bytes(CPU)
