"""Which kernels run: the compiled module ``mtlbench._C`` where there is one, the torch reference elsewhere."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import torch

HOW_TO_BUILD = "build them with: pip install --no-build-isolation --no-deps -e . (needs a C++ compiler; nvcc for CUDA)"


@dataclass(frozen=True)
class Backend:
    """What ``mtlbench doctor`` shows of the kernels."""

    available: bool
    built_with: str  # compilers and versions; empty without kernels
    cpu: str  # the instruction set in use: baseline, avx2 or avx512
    cuda_architectures: tuple[str, ...]  # empty where the module has no CUDA kernels
    reason: str  # why there are no kernels, and how to build them; empty where there are


@cache
def _load() -> tuple[ModuleType | None, str]:
    try:
        from .. import _C
    except ImportError as error:
        return None, f"the kernels of mtlbench are not built ({error}); {HOW_TO_BUILD}"
    return _C, ""


@cache
def backend() -> Backend:
    """Which kernels are loaded, how they were built, and for which architectures."""
    module, reason = _load()
    if module is None:
        return Backend(False, "", "", (), reason)
    architectures = tuple(module.cuda_architectures.split()) if module.has_cuda else ()
    return Backend(True, module.built, module.cpu, architectures, "")


@cache
def _warn_once(reason: str) -> None:
    warnings.warn(f"{reason}. Until then operations run on the torch reference.", RuntimeWarning, stacklevel=3)


def library(device: torch.device) -> Any | None:
    """The namespace of compiled operations for tensors on ``device``; None where the torch reference must do.

    Warns once where kernels could be had: the module is not built, or was built without CUDA.
    """
    loaded, reason = _load()
    if device.type == "cpu":
        available = loaded is not None
    elif device.type == "cuda":
        available = loaded is not None and loaded.has_cuda
        reason = reason or f"the kernels of mtlbench were built without CUDA; {HOW_TO_BUILD}"
    else:
        return None  # no kernels exist for this kind of device
    if not available:
        _warn_once(reason)
        return None
    return torch.ops.mtlbench
