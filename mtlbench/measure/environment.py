"""The environment of a measurement: versions, revision, CPU, GPUs. Imports nothing slow, so that planning is quick."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import runpy
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from ..core.sources import RECORDED, kernels_digest

_FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")
_CPUINFO, _DRIVER = Path("/proc/cpuinfo"), Path("/proc/driver/nvidia")


def environment() -> dict[str, Any]:
    """The environment in plain JSON types, the same for every trial of one process."""
    gpus = _visible_gpus()
    gpu_facts = {"gpus": [name for name, _ in gpus], "driver": gpus[0][1] if gpus else ""}
    return {**_machine(), **gpu_facts}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on; of the compiled kernels, the first 12 digits of
    their SHA-256.
    """
    return {**_machine()["versions"], "kernels": _machine()["kernels"]}


@cache
def _machine() -> dict[str, Any]:
    cpu, features = _cpu()
    return {
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in RECORDED}},
        "kernels": kernels_digest()[:12],
        "revision": _revision(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu,
        "cpu_features": features,
        "cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(),
        "cuda": _cuda(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _revision() -> str:
    """The commit of a checkout, with "-dirty" where files differ from it; empty for an installed package."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return ""
    return _output("git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _cpu() -> tuple[str, list[str]]:
    """Model name, and the instruction sets that determine the speed of arithmetic."""
    try:
        lines = [line.partition(":") for line in _CPUINFO.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return platform.processor() or platform.machine(), []
    facts = {key.strip(): value.strip() for key, _, value in reversed(lines)}
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    name = facts.get("model name") or platform.processor() or platform.machine()
    return name, [feature for feature in _FEATURES if feature in flags]


def gpu_names() -> list[str]:
    """Names of the NVIDIA GPUs that this process may use; empty where there are none."""
    return [name for name, _ in _visible_gpus()]


def _visible_gpus() -> list[tuple[str, str]]:
    """Name and driver of the GPUs that CUDA_VISIBLE_DEVICES leaves, by its rules: the first unknown entry ends it."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = _gpus() if allowed != "" else ()
    if allowed is None:
        return [(name, driver) for _, name, driver in gpus]
    visible = []
    for entry in map(str.strip, allowed.split(",")):
        if entry.startswith("MIG-") and gpus:
            visible.append(("NVIDIA MIG slice", gpus[0][2]))
            continue
        number = next(
            (i for i, gpu in enumerate(gpus) if entry == str(i) or (entry and gpu[0].startswith(entry))), None
        )
        if number is None:
            break
        visible.append(gpus[number][1:])
    return visible


@cache
def _gpus() -> tuple[tuple[str, str, str], ...]:
    """UUID, name and driver version of every GPU of the machine, from nvidia-smi or the driver's files."""
    text = _output("nvidia-smi", "--query-gpu=uuid,name,driver_version", "--format=csv,noheader")
    rows = [tuple(part.strip() for part in line.split(",")) for line in text.splitlines()]
    listed = [(row[0], row[1], row[2]) for row in rows if len(row) == 3]
    return tuple(listed or _gpus_of_driver())


def _gpus_of_driver() -> Iterator[tuple[str, str, str]]:
    for path in sorted(_DRIVER.glob("gpus/*/information")):
        pairs = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
        facts = {key.strip(): value.strip() for key, _, value in pairs}
        release = re.search(r"Kernel Module\s.*?(\d+\.[\d.]+)", (_DRIVER / "version").read_text(encoding="utf-8"))
        yield facts.get("GPU UUID", ""), facts.get("Model", "NVIDIA GPU"), release[1] if release else ""


def _cuda() -> str:
    """The CUDA version torch was built for, read without importing torch; empty for a CPU build."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return ""
    return runpy.run_path(str(Path(spec.origin).with_name("version.py"))).get("cuda") or ""


def _output(*command: str) -> str:
    """The output of a command; empty if it fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
