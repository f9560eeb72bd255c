"""The table of engines. Plans read it, so nothing here imports torch; ``step.py`` knows what the words do."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import ClassVar, Literal, NamedTuple

from ..core.config import Config
from ..core.registry import Registry


class Recipe(NamedTuple):
    """The four independent decisions that make an engine."""

    losses: Literal["reference", "kernel"]  # who computes the T task losses
    combination: Literal["matrix", "kernel"]  # task gradients as a matrix in torch, or by our kernels and inside Adam
    update: Literal["loop", "foreach", "fused", "kernel"]  # how torch.optim walks over the parameters, or our kernel
    wrapper: Literal["none", "compile", "graph"]  # compile: forward pass and losses; graph: records the whole step


class Engine(Config):
    """How a step runs: one recipe. Engines differ in speed, never in what is computed."""

    recipe: ClassVar[Recipe]
    divisible: ClassVar[bool] = True  # whether several processes can take its steps together (``engine.distributed``)

    def check(self, device: str) -> list[str]:
        """The reasons why this engine cannot run on a device ("cpu" or "cuda"), one sentence each."""
        if self.recipe.wrapper == "graph" and device != "cuda":
            return ["expected CUDA, which alone has graphs, got the CPU: set resources.gpus: 1, or choose engine fused"]
        if self.recipe.wrapper != "compile":
            return []
        if device == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++"))):
            return [
                "torch.compile expects a C++ compiler on the CPU, got none: install g++, or choose engine torch_fused"
            ]
        if device == "cuda" and importlib.util.find_spec("triton") is None:
            return ["torch.compile expects the package triton on CUDA, got none: pip install triton"]
        return []


class Eager(Engine):
    """Plain PyTorch: one call per operation and parameter."""

    recipe = Recipe("reference", "matrix", "loop", "none")


class Foreach(Engine):
    """Eager, with torch's multi-tensor optimizer."""

    recipe = Recipe("reference", "matrix", "foreach", "none")


class TorchFused(Engine):
    """Eager, with torch's fused optimizer."""

    recipe = Recipe("reference", "matrix", "fused", "none")


class Fused(Engine):
    """mtlbench's kernels: all losses in one pass, Adam in one."""

    recipe = Recipe("kernel", "kernel", "kernel", "none")


class FusedGraph(Engine):
    """The fused step, recorded whole as one CUDA graph."""

    recipe = Recipe("kernel", "kernel", "kernel", "graph")
    divisible = False  # its replay would have to hold the sums over processes as well


class Compiled(Engine):
    """torch.compile around forward pass and losses."""

    recipe = Recipe("reference", "matrix", "fused", "compile")


TABLE = Registry(
    "engines",
    {
        "eager": "mtlbench.engine.table:Eager",
        "foreach": "mtlbench.engine.table:Foreach",
        "torch_fused": "mtlbench.engine.table:TorchFused",
        "fused": "mtlbench.engine.table:Fused",
        "fused_graph": "mtlbench.engine.table:FusedGraph",
        "compiled": "mtlbench.engine.table:Compiled",
    },
)
