"""Fails when a CUDA kernel spills, keeps a stack frame or takes more registers than its budget.

    python csrc/check_ptxas.py [FOLDER]        default: every build/kernels-*

Reads what ptxas said when the kernels were compiled (``*.ptxas`` beside each object) and ``csrc/cuda/budgets.toml``,
whose keys are the beginnings of kernel names; the longest that fits counts.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Kernel:
    """What ptxas says of one kernel for one architecture."""

    name: str
    architecture: str
    registers: int
    stack: int
    spills: int


def kernels_in(text: str) -> Iterator[Kernel]:
    """Every kernel in the output of ``nvcc -Xptxas -v``."""
    pattern = re.compile(
        r"Compiling entry function '(?P<name>\w+)' for '(?P<architecture>\w+)'.*?"
        r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads.*?"
        r"Used (?P<registers>\d+) registers",
        re.DOTALL,
    )
    for match in pattern.finditer(text):
        spills = int(match["stores"]) + int(match["loads"])
        registers, stack = int(match["registers"]), int(match["stack"])
        yield Kernel(readable(match["name"]), match["architecture"], registers, stack, spills)


def readable(mangled: str) -> str:
    """``weighted_adam_kernel<float, float, …>`` for a mangled name."""
    name = subprocess.run(["c++filt", mangled], capture_output=True, text=True, check=True).stdout.strip()
    name = re.sub(r"^void ", "", name).replace("mtlbench::cuda::", "").replace("mtlbench::", "")
    return re.sub(r"\(anonymous namespace\)::|_GLOBAL__N__\w+::", "", name).split("(")[0]


def complaints(kernel: Kernel, budgets: dict[str, int]) -> Iterator[str]:
    """What is wrong with a kernel, each in one sentence."""
    fitting = [key for key in budgets if kernel.name.startswith(key)]
    if not fitting:
        yield "has no line in csrc/cuda/budgets.toml"
    elif kernel.registers > (allowed := budgets[max(fitting, key=len)]):
        yield f"takes {kernel.registers} registers, expected at most {allowed}"
    if kernel.spills:
        yield f"spills {kernel.spills} bytes, expected none"
    if kernel.stack:
        yield f"keeps {kernel.stack} bytes on the stack, expected none (an array is indexed at run time)"


def main(folders: list[Path]) -> int:
    """Print every kernel; the number of complaints decides the exit code."""
    budgets = tomllib.loads((ROOT / "csrc" / "cuda" / "budgets.toml").read_text())
    reports = sorted(path for folder in folders for path in folder.rglob("*.ptxas"))
    wrong = 0
    for path in reports:
        for kernel in kernels_in(path.read_text()):
            found = list(complaints(kernel, budgets))
            wrong += len(found)
            print(f"{kernel.architecture}  {kernel.registers:3} registers  {kernel.name}")
            for complaint in found:
                print(f"       ^ {complaint}")
    if not reports:
        print(f"no CUDA objects under {', '.join(map(str, folders)) or 'build/'}: nvcc was not found at build time")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]] or sorted(ROOT.glob("build/kernels-*"))))
