"""The suites that the README shows are suites: those on files of a reader's own aside, each can be planned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mtlbench.plan.plan import make_plan

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = [block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "methods:" in block]
REST = {
    "problem": "{name: digits, tasks: [digit, parity]}",
    "architecture": "{name: shared, trunk: mlp, hidden: [8]}",
    "optimizer": "adam",
}


def test_there_are_some() -> None:
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.sub(r"\W+", " ", block)[:30])
def test_a_suite_of_the_readme_can_be_planned(block: str, tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("size,price,sold\n" + "".join(f"{i},{1.5 * i},{i % 2}\n" for i in range(40)))
    missing = (f"{key}: {value}\n" for key, value in REST.items() if not re.search(rf"^{key}:", block, re.MULTILINE))
    path = tmp_path / "suite.yaml"
    path.write_text("".join(missing) + block)
    assert make_plan(path, out=tmp_path / "out").trials
