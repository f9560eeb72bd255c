from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
SAID = """
ptxas info    : Compiling entry function '_Z4goodPf' for 'sm_90'
ptxas info    : Function properties for _Z4goodPf
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers
ptxas info    : Compiling entry function '_Z3badPf' for 'sm_80'
ptxas info    : Function properties for _Z3badPf
    16 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 70 registers, used 1 barriers
"""


@pytest.fixture(scope="module")
def checker() -> Any:
    spec = importlib.util.spec_from_file_location("check_ptxas", ROOT / "csrc" / "check_ptxas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_reads_what_ptxas_says(checker: Any) -> None:
    good, bad = checker.kernels_in(SAID)
    assert (good.name, good.architecture, good.registers, good.stack, good.spills) == ("good", "sm_90", 40, 0, 0)
    assert (bad.name, bad.architecture, bad.registers, bad.stack, bad.spills) == ("bad", "sm_80", 70, 16, 12)


def test_complains_of_registers_spills_and_stack(checker: Any) -> None:
    good, bad = checker.kernels_in(SAID)
    assert list(checker.complaints(good, {"go": 40})) == []
    assert list(checker.complaints(good, {"g": 64, "good": 32})) == ["takes 40 registers, expected at most 32"]
    assert [complaint.split()[0] for complaint in checker.complaints(bad, {"b": 64})] == ["takes", "spills", "keeps"]
    assert list(checker.complaints(good, {})) == ["has no line in csrc/cuda/budgets.toml"]


def test_the_kernels_built_here_keep_their_budgets(checker: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folders = sorted(ROOT.glob("build/kernels-*"))
    if not any(path for folder in folders for path in folder.rglob("*.ptxas")):
        pytest.skip("no CUDA objects here")
    assert checker.main(folders) == 0, capsys.readouterr().out
