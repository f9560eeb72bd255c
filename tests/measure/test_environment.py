"""Facts about the machine, on this one and on pretended ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtlbench.measure import environment as module

TWO = (("GPU-aa", "NVIDIA A", "590.1"), ("GPU-bb", "NVIDIA B", "590.1"))


def test_facts_are_plain_json_and_the_same_each_time() -> None:
    facts = module.environment()
    assert json.loads(json.dumps(facts)) == facts == module.environment()
    assert facts["versions"]["python"].startswith("3.")
    assert facts["versions"]["torch"]
    assert facts["logical_cores"] >= 1
    assert facts["cpu"]


def test_the_revision_is_that_of_the_checkout() -> None:
    root = Path(module.__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    head = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert module.environment()["revision"].removesuffix("-dirty") == head.stdout.strip()


@pytest.mark.parametrize(
    ("visible", "names"),
    [
        (None, ["NVIDIA A", "NVIDIA B"]),
        ("", []),
        ("-1", []),
        ("1", ["NVIDIA B"]),
        ("1,0", ["NVIDIA B", "NVIDIA A"]),
        ("0,7,1", ["NVIDIA A"]),
        ("GPU-bb", ["NVIDIA B"]),
        ("MIG-11", ["NVIDIA MIG slice"]),
    ],
)
def test_gpus_are_those_that_cuda_would_see(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, names: list[str]
) -> None:
    monkeypatch.setattr(module, "_gpus", lambda: TWO)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert module.gpu_names() == names
    assert module.environment()["driver"] == ("590.1" if names else "")


@pytest.fixture
def no_memory() -> Iterator[None]:
    module._gpus.cache_clear()
    yield
    module._gpus.cache_clear()


@pytest.mark.usefixtures("no_memory")
def test_gpus_from_nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU-aa, NVIDIA A, 590.1'\necho 'GPU-bb, NVIDIA B, 590.1'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert module._gpus() == TWO


@pytest.mark.usefixtures("no_memory")
def test_gpus_from_the_drivers_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number, (uuid, name, _) in enumerate(TWO):
        (tmp_path / "gpus" / str(number)).mkdir(parents=True)
        (tmp_path / "gpus" / str(number) / "information").write_text(f"Model: \t\t {name}\nGPU UUID: \t {uuid}\n")
    line = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  590.1  Release Build  (root)\n"
    (tmp_path / "version").write_text(line)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "_DRIVER", tmp_path)
    assert module._gpus() == TWO


@pytest.mark.usefixtures("no_memory")
def test_no_gpu_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "_DRIVER", tmp_path / "absent")
    assert module._gpus() == ()


def test_looking_at_the_machine_does_not_import_torch() -> None:
    code = "import sys; from mtlbench.measure.environment import environment, gpu_names; environment(); gpu_names(); "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
