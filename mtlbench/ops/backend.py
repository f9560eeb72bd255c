"""Which kernels run: the compiled module ``mtlbench._C`` where there is one, the torch reference elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import torch

from ..core.losses import LOSSES

_Function = TypeVar("_Function", bound=Callable[..., Any])

HOW_TO_BUILD = "build them with: pip install --no-build-isolation --no-deps -e . (needs a C++ compiler; nvcc for CUDA)"


@dataclass(frozen=True)
class Backend:
    """What ``mtlbench doctor`` shows about the kernels."""

    available: bool
    built_with: str  # compilers and versions; empty without kernels
    cpu: str  # the instruction set in use: baseline, avx2 or avx512
    cuda_architectures: tuple[str, ...]  # empty where the module has no CUDA kernels
    reason: str  # why there are no kernels, and how to build them; empty where there are


def _load() -> tuple[ModuleType | None, str]:
    try:
        built = import_module("mtlbench._C")
    except ImportError as error:
        return None, f"the kernels of mtlbench are not built ({error}); {HOW_TO_BUILD}"
    return checked(built)


def checked(built: ModuleType) -> tuple[ModuleType | None, str]:
    """The module, or None and the reason if its table of losses differs from that of ``mtlbench.core.losses``."""
    losses = list(getattr(built, "losses", ()))
    if losses != list(LOSSES):
        return None, (
            f"the kernels of mtlbench were built for other losses: expected {', '.join(LOSSES)}, "
            f"got {', '.join(losses) or 'none'}; {HOW_TO_BUILD}"
        )
    return built, ""


# Loaded when the operations are: torch.compile traces `library`, and could not trace an import.
module: Any
module, _reason = _load()
_has_cuda: bool = module is not None and module.has_cuda
_warned: set[str] = set()


def backend() -> Backend:
    """Which kernels are loaded, how they were built, and for which architectures."""
    if module is None:
        return Backend(False, "", "", (), _reason)
    architectures = tuple(module.cuda_architectures.split()) if _has_cuda else ()
    return Backend(True, module.built, module.cpu, architectures, "")


def library(device: torch.device) -> Any | None:
    """The namespace of compiled operations for tensors on ``device``; None where only the torch reference can run.

    Warns once where building would provide kernels: the module is missing, or was built without CUDA.
    """
    if module is not None and (device.type == "cpu" or (device.type == "cuda" and _has_cuda)):
        return torch.ops.mtlbench
    if device.type in ("cpu", "cuda"):
        _warn_once(_reason or f"the kernels of mtlbench were built without CUDA; {HOW_TO_BUILD}")
    return None  # other kinds of device have no kernels


def _warn_once(reason: str) -> None:
    if reason not in _warned:
        _warned.add(reason)
        warnings.warn(f"{reason}. Until then operations run on the torch reference.", RuntimeWarning, stacklevel=3)


def register_fake(operation: str) -> Callable[[_Function], _Function]:
    """Decorator: register a function that gives torch.compile the shapes of a compiled operation's results."""

    def register(function: _Function) -> _Function:
        for name in _libraries():
            if not hasattr(getattr(torch.ops, name), operation):
                raise ImportError(f"mtlbench._C is older than mtlbench.ops and has no {operation}; {HOW_TO_BUILD}")
            torch.library.register_fake(f"{name}::{operation}", function)
        return function

    return register


def register_autograd(operation: str, backward: Callable[..., Any], setup_context: Callable[..., Any]) -> None:
    """Register the derivative of a compiled operation."""
    for name in _libraries():
        torch.library.register_autograd(f"{name}::{operation}", backward, setup_context=setup_context)


def _libraries() -> tuple[str, ...]:
    if module is None:
        return ()
    return ("mtlbench", "mtlbench_emulated") if module.has_emulator else ("mtlbench",)
