"""The table of engines. Plans read it, so nothing here imports torch; ``step.py`` knows what the words do."""

from __future__ import annotations

import importlib.util
import os
import shutil
from functools import cache
from typing import ClassVar, Literal, NamedTuple

from ..core.config import Config
from ..core.registry import Registry


class Choices(NamedTuple):
    """Four independent choices that make an engine."""

    losses: Literal["reference", "kernel"]  # who computes the T task losses
    combination: Literal["matrix", "kernel"]  # task gradients as a matrix in torch, or by our kernels and inside Adam
    update: Literal["loop", "foreach", "fused", "kernel"]  # how torch.optim walks over the parameters, or our kernel
    wrapper: Literal["none", "compile", "graph"]  # compile: forward pass and losses; graph: records the whole step
    summary: str


ROWS = {
    "eager": Choices("reference", "matrix", "loop", "none", "Plain PyTorch: one call per operation and parameter."),
    "foreach": Choices("reference", "matrix", "foreach", "none", "Eager, with torch's multi-tensor optimizer."),
    "torch_fused": Choices("reference", "matrix", "fused", "none", "Eager, with torch's fused optimizer."),
    "fused": Choices("kernel", "kernel", "kernel", "none", "mtlbench's kernels: all losses in one pass, Adam in one."),
    "fused_graph": Choices("kernel", "kernel", "kernel", "graph", "The fused step, recorded whole as one CUDA graph."),
    "compiled": Choices("reference", "matrix", "fused", "compile", "torch.compile around forward pass and losses."),
}
TABLE = Registry("engines", {name: f"{__name__}:{name}" for name in ROWS})


class Engine(Config):
    """How a step runs: one row of choices. Engines differ in speed, never in what is computed."""

    choices: ClassVar[Choices]

    def check(self, device: str) -> list[str]:
        """What makes this engine impossible on a device ("cpu" or "cuda"), each in one sentence."""
        if self.choices.wrapper == "graph" and device != "cuda":
            return ["expected CUDA, which alone has graphs, got the CPU: set resources.gpus: 1, or choose engine fused"]
        if self.choices.wrapper != "compile":
            return []
        if device == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++"))):
            return [
                "torch.compile expects a C++ compiler on the CPU, got none: install g++, or choose engine torch_fused"
            ]
        if device == "cuda" and importlib.util.find_spec("triton") is None:
            return ["torch.compile expects the package triton on CUDA, got none: pip install triton"]
        return []


@cache
def __getattr__(name: str) -> type[Engine]:
    """The class of a row, which is what the registry asks this module for."""
    if name not in ROWS:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return type(name, (Engine,), {"__doc__": ROWS[name].summary, "__module__": __name__, "choices": ROWS[name]})
