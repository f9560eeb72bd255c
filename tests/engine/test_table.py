"""The table of engines, as plans read it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mtlbench.core.registry import UnknownName
from mtlbench.engine import TABLE
from mtlbench.engine.losses import LOSSES
from tests import entries


def test_every_row_is_an_engine_with_a_summary() -> None:
    for name in TABLE:
        engine = TABLE.build({"name": name})
        assert type(engine) is entries.engine(name)
        assert engine.recipe == entries.engine(name).recipe
        assert engine.recipe.losses in LOSSES
        assert TABLE.load(name).summary()


def test_eager_runs_anywhere_and_compiled_needs_its_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    eager, compiled = (TABLE.build({"name": name}) for name in ("eager", "compiled"))
    assert eager.check("cpu") == eager.check("cuda") == []
    assert "install g++" in compiled.check("cpu")[0]
    assert "pip install triton" in compiled.check("cuda")[0]


def test_a_slip_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="unknown engine 'foreech', did you mean 'foreach'"):
        TABLE.build({"name": "foreech"})


def test_a_plan_does_not_wait_for_torch() -> None:
    code = "from mtlbench.engine import TABLE; [TABLE.build({'name': n}).check('cpu') for n in TABLE]; "
    code += "import mtlbench.optim, mtlbench.weightings, mtlbench.architectures.shared, mtlbench.learners, sys; "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
