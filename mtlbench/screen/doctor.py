"""`mtlbench doctor`: what this machine offers, what is missing, and the command that fixes it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = (
    "torch", "ray", "pandas", "pyarrow", "numpy", "scipy", "scikit-learn", "matplotlib", "pydantic", "torchjd",
)  # fmt: skip
_CPU_FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")


@dataclass(frozen=True)
class Check:
    """One finding; ``fix`` is the command or sentence that repairs it, empty where nothing is wrong."""

    name: str
    found: str
    fix: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing needs fixing."""
        return not self.fix


def examine() -> list[Check]:
    """Look at Python, packages, CPU, compiler, GPUs and kernels, in that order."""
    python = Check("python", platform.python_version(), "" if sys.version_info >= (3, 11) else "use Python >= 3.11")
    return [python, *map(_package, _PACKAGES), _cpu(), _compiler(), *_gpus(), _kernels()]


def _package(name: str) -> Check:
    try:
        return Check(name, version(name))
    except PackageNotFoundError:
        return Check(name, "missing", f"pip install -c constraints.txt {name}")


def _cpu() -> Check:
    from ..measure.environment import environment

    facts: dict[str, Any] = environment()
    flags = set(facts.get("cpu_features", ()))
    features = ", ".join(feature for feature in _CPU_FEATURES if feature in flags) or "no AVX2"
    return Check("cpu", f"{facts.get('cpu', platform.processor())}, {os.cpu_count()} logical cores, {features}")


def _compiler() -> Check:
    compiler = next((name for name in ("g++", "clang++", "c++") if shutil.which(name)), None)
    if compiler:
        return Check("compiler", compiler)
    return Check("compiler", "none", "install g++ or clang++ (engine `compiled` and the kernels need one)")


def _gpus() -> list[Check]:
    from ..measure.environment import gpu_names

    names = gpu_names()
    if not names:
        return [Check("gpu", "none: suites with gpus: 0 run on the CPU")]
    if importlib.util.find_spec("torch") is None:
        return [Check("gpu", ", ".join(names))]
    import torch

    if torch.cuda.is_available():
        return [Check("gpu", ", ".join(names))]
    return [Check("gpu", ", ".join(names), f"torch {torch.__version__} cannot use it: install a CUDA build of torch")]


def _kernels() -> Check:
    if importlib.util.find_spec("torch") is None:
        return Check("kernels", "need torch")
    from ..ops.backend import backend

    kernels = backend()
    if not kernels.available:
        return Check("kernels", "not built: operations run on the torch reference", kernels.reason)
    cuda = f"CUDA for {', '.join(kernels.cuda_architectures)}" if kernels.cuda_architectures else "no CUDA"
    return Check("kernels", f"built with {kernels.built_with}: C++ ({kernels.cpu}), {cuda}")
