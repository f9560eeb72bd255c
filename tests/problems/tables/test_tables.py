from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError
from scipy.io import savemat

from mtlbench.core.errors import DataError
from mtlbench.problems.tables.several import Tables
from mtlbench.problems.tables.tabular import Tabular
from tests.toy_data import in_memory

SUITES = Path(__file__).parents[3] / "bench/suites"
WINE = [*(f"measure {i}" for i in range(11)), "quality"]


def wine(**spec: Any) -> Tables:
    files = {"red": "winequality-red.csv", "white": "winequality-white.csv.gz"}
    return Tables.model_validate(
        {
            "tables": {
                name: {"path": f"wine_quality/{file}", "columns": WINE, "targets": ["quality"], **spec}
                for name, file in files.items()
            }
        }
    )


def test_red_and_white_wine(real_data: Path) -> None:
    data = wine().load(0, real_data)
    assert data.outline.names == ("red", "white")
    assert [len(in_memory(data.train).targets[name]) for name in data.outline.names] == [959, 2939]
    red, white = data.outline.tasks
    assert red.offset == pytest.approx(5.636, abs=0.05)
    assert white.offset == pytest.approx(5.878, abs=0.03)
    assert data.outline.notes[0].startswith("red: ")
    again = [note for note in data.outline.notes if "are copies of training rows" in note]
    assert [note.split(" repeat")[0] for note in again] == ["red: 240 of 1,599 rows", "white: 937 of 4,898 rows"]


def test_each_table_is_what_tabular_alone_makes_of_it(real_data: Path) -> None:
    problem = wine()
    both, alone = problem.load(4, real_data), problem.tables["white"].load(4, real_data)
    for part in ("train", "validation", "test"):
        assert (getattr(both, part).inputs["white"] == getattr(alone, part).inputs).all()
        assert (getattr(both, part).targets["white"] == getattr(alone, part).targets["quality"]).all()


@pytest.mark.parametrize("spec", [{"targets": ["quality", "measure 0"]}, {"group_by": "measure 1"}])
def test_a_table_is_one_task(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="table 'red': expected exactly one target"):
        wine(**spec)


def test_wine_needs_names_for_its_columns(real_data: Path) -> None:
    names = [f"measure {i}" for i in range(11)] + ["quality"]
    spec = {"path": "wine_quality/winequality-white.csv.gz", "targets": {"quality": {"kind": "classification"}}}
    data = Tabular.model_validate({**spec, "columns": names}).load(3, real_data)
    assert set(in_memory(data.train).targets["quality"]) == set(range(7))  # the class 9 has five rows


def test_energy_efficiency(real_data: Path) -> None:
    problem = Tabular.model_validate({"path": "mulan_multi_target/enb.arff", "targets": ["Y1", "Y2"]})
    outline = problem.outline(real_data)
    assert (outline.rows, outline.input_shape, outline.names) == (768, (8,), ("Y1", "Y2"))


def test_sarcos(real_data: Path) -> None:
    torques = [f"c{i}" for i in range(22, 29)]
    outline = Tabular.model_validate({"path": "sarcos/sarcos_inv_test.mat", "targets": torques}).outline(real_data)
    assert (outline.rows, outline.input_shape, len(outline.tasks)) == (4449, (21,), 7)


def test_census_income_pair(real_data: Path) -> None:
    """As the suite reads it: 6.2 % earn above 50,000 dollars, 43 % never married."""
    suite = yaml.safe_load((SUITES / "tabular.yaml").read_text())
    [spec] = [dict(problem) for problem in suite["problem"] if problem["label"] == "census"]
    spec["path"] = "census_income_kdd/" + Path(spec["path"]).name
    del spec["name"], spec["label"]
    data = Tabular.model_validate(spec).load(0, real_data)
    assert (data.outline.rows, data.outline.names) == (99_762, ("income", "marital"))
    targets = in_memory(data.train).targets
    assert targets["income"].mean() == pytest.approx(0.062, abs=0.001)
    assert targets["marital"].mean() == pytest.approx(43_143 / 99_762, abs=0.005)


def test_matlab_faults(tmp_path: Path) -> None:
    problem = Tabular.model_validate({"path": "arm.mat", "targets": ["c2"]})
    savemat(tmp_path / "arm.mat", {"a": np.ones((3, 2)), "b": np.ones((3, 2)), "c": "text"})
    with pytest.raises(DataError, match=r"expected one matrix of numbers.*got a, b"):
        problem.outline(tmp_path)
    savemat(tmp_path / "arm.mat", {"a": np.ones((3, 2))})
    with pytest.raises(DataError, match=r"expected 3 columns, one for each of columns, got 2"):
        problem.model_copy(update={"columns": ("c1", "c2", "c3")}).outline(tmp_path)
    (tmp_path / "arm.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\0" * 99)
    with pytest.raises(DataError, match=r"version 7\.3; save it again with -v7"):
        problem.outline(tmp_path)
