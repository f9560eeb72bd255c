"""The examples of CONTRIBUTING.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import mtlbench

GUIDE = Path(__file__).parent.parent / "CONTRIBUTING.md"
SUITE = """\
suite: examples
problem: {name: 'breast_cancer:BreastCancer', label: biopsies, metrics: {benign: ['worst_recall:WorstRecall', auc]}}
architecture: {name: 'residual:Residual', width: 8}
methods:
  inverse: {weighting: 'inverse:Inverse'}
optimizer: {name: adam, lr: 0.01}
train: {epochs: 2}
seeds: 1
"""


def test_one_file_each_is_enough(tmp_path: Path) -> None:
    files = re.findall(r"```python\n# mtlbench/([\w/]+)/(\w+)\.py\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    examples = [(room, name, code) for room, name, code in files if name != "__init__"]
    assert [room for room, _, _ in examples] == ["weightings", "problems", "core/metrics", "architectures"]
    for room, name, code in examples:
        # The same file outside the package, as a third party would write it.
        (tmp_path / f"{name}.py").write_text(
            code.replace("from ..", "from mtlbench.").replace("from .", f"from mtlbench.{room.replace('/', '.')}.")
        )
    (tmp_path / "suite.yaml").write_text(SUITE)
    run = mtlbench.run(tmp_path / "suite.yaml", executor="serial", out=tmp_path / "out")
    assert run.ok, {title: failure.traceback for title, failure in run.failed.items()}
    assert set(run.tables["methods"]["method"]) == {"single-task", "inverse"}
    assert {"worst_recall:WorstRecall", "auc"} <= set(run.tables["tasks"]["metric"])
