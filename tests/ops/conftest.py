"""Each operation in each of its forms: torch reference, CPU kernel, CUDA kernel on the host, CUDA kernel on a GPU."""

from __future__ import annotations

import os

import pytest
import torch

from mtlbench.ops import backend

FORMS = ("reference", "cpu", "dispatcher", "emulated", "cuda")


def _skip_unless(available: bool, why: str) -> None:
    if not available:
        assert "MTLBENCH_KERNELS_MUST_RUN" not in os.environ, why
        pytest.skip(why)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The form that runs until the test ends; tensors belong on ``device``."""
    name: str = request.param
    if name == "reference":
        monkeypatch.setattr(backend, "module", None)
        monkeypatch.setattr(backend, "library", lambda device: None)
        return name
    _skip_unless(backend.module is not None, backend.backend().reason)
    if name == "dispatcher":  # weighted_adam_ has a second way in, from Python's lists: close it
        monkeypatch.setattr(backend, "library", lambda device: torch.ops.mtlbench)
        monkeypatch.setattr(backend, "module", None)
    if name == "emulated":
        _skip_unless(backend.module.has_emulator, "built with MTLBENCH_EMULATOR=0")
        monkeypatch.setattr(backend, "library", lambda device: torch.ops.mtlbench_emulated)
        monkeypatch.setattr(backend, "module", None)
    if name == "cuda" and not (torch.cuda.is_available() and backend.module.has_cuda):
        pytest.skip("no GPU, or no nvcc when the kernels were built")
    return name


@pytest.fixture
def device(form: str) -> torch.device:
    return torch.device("cuda" if form == "cuda" else "cpu")


@pytest.fixture
def one_thread() -> object:
    """The test may change torch's number of threads; it is set back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
