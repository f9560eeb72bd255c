"""Every kernel of the table: what it declares, and that its checks tell right from wrong."""

from __future__ import annotations

import inspect

import pytest
import torch

from mtlbench.core.errors import UnavailableError
from mtlbench.kernels import TABLE
from mtlbench.kernels.base import Contender, Kernel, Wrong

CPU = torch.device("cpu")
SLOW = {"compiled"}  # torch.compile's own tests are elsewhere; every timing checks it


def _small(name: str) -> Kernel:
    """The kernel on little work."""
    built = TABLE.build({"name": name, **TABLE.load(name).example()})
    assert isinstance(built, Kernel)
    return built


@pytest.fixture(scope="module", params=TABLE)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return _small(request.param)


def _contenders(kernel: Kernel) -> dict[str, Contender]:
    """Those that can run here."""
    found = {}
    for name, make in kernel.prepare(CPU).items():
        try:
            found.update({} if name in SLOW else {name: make()})
        except UnavailableError:
            continue
    return found


def test_it_says_what_it_is(kernel: Kernel) -> None:
    assert isinstance(kernel, Kernel)
    assert "/" not in kernel.shape
    assert kernel.shape.isprintable()
    assert kernel.traffic() >= 0
    assert inspect.getdoc(type(kernel))
    assert all(name in type(kernel).summary() for name in kernel.contenders)


def test_contenders_are_those_it_names_and_some_are_ours(kernel: Kernel) -> None:
    makers = kernel.prepare(CPU)
    assert list(makers) == list(kernel.contenders)
    assert kernel.ours & set(makers)
    assert set(makers) - kernel.ours


def test_every_contender_is_right_after_any_number_of_calls(kernel: Kernel) -> None:
    found = _contenders(kernel)
    assert len(found) >= 2
    for contender in found.values():
        for calls in range(1, 8):
            contender.call()
            contender.check(calls)


def test_a_contender_that_has_done_nothing_is_wrong(kernel: Kernel) -> None:
    for contender in _contenders(kernel).values():
        with pytest.raises(Wrong):
            contender.check(1)


def test_the_same_inputs_for_every_process(kernel: Kernel) -> None:
    state = torch.random.get_rng_state()
    for contender, other in zip(_contenders(kernel).values(), _contenders(kernel).values(), strict=True):
        contender.call()
        other.call()
        contender.check(1)
        other.check(1)
    assert torch.equal(state, torch.random.get_rng_state())
