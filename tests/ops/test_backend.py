from __future__ import annotations

import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest
import torch

from mtlbench.ops import backend

needs_kernels = pytest.mark.skipif(backend.module is None, reason=backend.backend().reason)

SCRIPT = """
import torch
from mtlbench.ops.backend import backend
from mtlbench.ops.gramian import gramian
from mtlbench.ops.weighted_adam import weighted_adam_
p, g, m, v = (torch.linspace(-k, 1, 3001) for k in range(1, 5))
weighted_adam_([p], [[g], [p.clone()]], [m], [v ** 2], torch.zeros(()), weights=torch.tensor([0.5, 2.0]))
print(backend().cpu, p.double().sum().item(), gramian([[p], [m]]).double().sum().item())
"""


@needs_kernels
def test_each_instruction_set_computes_the_same() -> None:
    found = {}
    for name in ("baseline", "avx2", "avx512"):
        environment = {**os.environ, "MTLBENCH_CPU": name}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
        )
        isa, *words = done.stdout.split()
        found[isa] = torch.tensor([float(word) for word in words])
    assert "baseline" in found
    for numbers in found.values():
        torch.testing.assert_close(numbers, found["baseline"], rtol=1e-5, atol=1e-5)


@needs_kernels
def test_says_how_the_kernels_were_built() -> None:
    report = backend.backend()
    assert report.available
    assert report.cpu in ("baseline", "avx2", "avx512")
    assert report.built_with
    assert not report.reason


def test_without_kernels_there_is_one_warning_that_says_how_to_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "module", None)
    monkeypatch.setattr(backend, "_reason", "no kernels here; pip install …")
    monkeypatch.setattr(backend, "_warned", set())
    with pytest.warns(RuntimeWarning, match="pip install"):
        assert backend.library(torch.device("cpu")) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert backend.library(torch.device("cpu")) is None
    assert not backend.backend().available


def test_kernels_without_cuda_warn_for_cuda_tensors_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "module", SimpleNamespace(has_cuda=False))
    monkeypatch.setattr(backend, "_has_cuda", False)
    monkeypatch.setattr(backend, "_reason", "")
    monkeypatch.setattr(backend, "_warned", set())
    assert backend.library(torch.device("cpu")) is torch.ops.mtlbench
    with pytest.warns(RuntimeWarning, match="built without CUDA"):
        assert backend.library(torch.device("cuda")) is None
    assert backend.library(torch.device("meta")) is None
