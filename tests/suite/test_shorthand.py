"""A trunk is an entry inside an architecture; suite and method may each write it nested or flat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtlbench.plan.reading import tables
from mtlbench.suite.reader import read_with_issues

USUAL = {"encoders": {}, "encoder_width": 64}
MLP = {"trunk": "mlp", "hidden": [128, 64], "activation": "relu", "dropout": 0.0, **USUAL}
CNN = {**MLP, "trunk": "cnn", "channels": [16, 32], "kernel_size": 3, "pooling": 2}


def architectures(folder: Path, suite: str, rest: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The parameters of the architectures of a suite's baseline and of its one method (or its candidates); faults."""
    path = folder / "s.yaml"
    path.write_text(f"problem: digits\noptimizer: adam\narchitecture: {suite}\n{rest}\n")
    read, issues = read_with_issues(path, tables=tables(), profile="quick" if "profiles" in rest else None)
    variants = [variant for method in (read.baseline, *read.methods) for variant in method.alternatives]
    specs = [{key: value for key, value in v["architecture"].spec.items() if key != "name"} for v in variants]
    return specs, sorted({str(issue).removeprefix(f"{path}:") for issue in issues})


MLP_9 = {**MLP, "hidden": [9], "dropout": 0.5}
CNN_4 = "{name: shared, trunk: {name: cnn, channels: [4]}}"
MERGED = [  # the suite's architecture, what the method changes of it, what the method has
    ("{name: shared, trunk: mlp, hidden: [9]}", "{trunk: {name: cnn}}", CNN),
    ("{name: shared, trunk: mlp, hidden: [9]}", "{trunk: {name: mlp, dropout: 0.5}}", MLP_9),
    ("{name: shared, hidden: [9]}", "{trunk: {dropout: 0.5}}", MLP_9),
    ("{name: shared, hidden: [9]}", "{trunk: {name: cnn}}", CNN),
    ("{name: shared, trunk: {name: mlp, hidden: [9]}}", "{trunk: {name: cnn}}", CNN),
    ("{name: shared, trunk: mlp, hidden: [9]}", "{trunk: cnn}", {**CNN, "hidden": [9]}),  # flat keys merge one by one
    (CNN_4, "{channels: [8]}", {**CNN, "channels": [8]}),
    (CNN_4, "{trunk: cnn, pooling: 1}", {**CNN, "channels": [4], "pooling": 1}),
    (CNN_4, "{trunk: {pooling: 1}}", {**CNN, "channels": [4], "pooling": 1}),
    (CNN_4, "{trunk: mlp}", MLP),
    (CNN_4, "{trunk: mlp, hidden: [9]}", {**MLP, "hidden": [9]}),
    (CNN_4, "{encoder_width: 8}", {**CNN, "channels": [4], "encoder_width": 8}),
]  # fmt: skip


@pytest.mark.parametrize(("suite", "method", "expected"), MERGED)
def test_a_method_changes_the_suites_trunk(tmp_path: Path, suite: str, method: str, expected: dict[str, Any]) -> None:
    specs, faults = architectures(tmp_path, suite, f"methods: {{m: {{weighting: sum, architecture: {method}}}}}")
    assert faults == []
    assert specs[1] == expected


def test_the_baseline_takes_the_suites_trunk_in_either_form(tmp_path: Path) -> None:
    for trunk in ("trunk: {name: cnn, channels: [4]}", "trunk: cnn, channels: [4]"):
        specs, faults = architectures(tmp_path, f"{{name: mmoe, experts: 2, {trunk}}}", "methods: {m: {}}")
        assert faults == []
        assert specs[0] == {**CNN, "channels": [4]}
        assert specs[1] == {**specs[0], "experts": 2}


def test_profiles_and_tune_lie_over_both_forms(tmp_path: Path) -> None:
    method = "m: {weighting: sum, architecture: {channels: [5]}}"
    profile = "profiles: {quick: {architecture: {pooling: 1}, methods: {m: {architecture: {trunk: {channels: [6]}}}}}}"
    specs, faults = architectures(tmp_path, CNN_4, f"methods: {{{method}}}\n{profile}")
    assert faults == []
    assert specs == [{**CNN, "channels": [4], "pooling": 1}, {**CNN, "channels": [6], "pooling": 1}]
    tune = "architecture.trunk: [{name: cnn, channels: [3]}, mlp], optimizer.lr: [0.1]"
    specs, faults = architectures(tmp_path, "{name: shared, hidden: [9]}", f"methods: {{m: {{tune: {{{tune}}}}}}}")
    assert faults == []
    assert specs[1:] == [{**CNN, "channels": [3]}, {**MLP, "hidden": [9]}]


def test_encoders_are_written_and_merged_alike(tmp_path: Path) -> None:
    suite = "{name: shared, encoders: {digit: {trunk: {name: cnn, channels: [4]}}, ink: {trunk: mlp, hidden: [9]}}}"
    method = "{encoders: {digit: {pooling: 1}, ink: {trunk: {name: linear}}}}"
    specs, faults = architectures(tmp_path, suite, f"methods: {{m: {{architecture: {method}}}}}")
    assert faults == []
    cnn = {key: value for key, value in CNN.items() if key not in USUAL}
    assert specs[1]["encoders"] == {
        "digit": {**cnn, "channels": [4], "pooling": 1},
        "ink": {"trunk": "linear", "hidden": [50], "dropout": 0.0},
    }


FAULTS = [
    ("trunk: cnn, chanels: [4]", "3:42: unknown key 'chanels' of architecture 'shared', did you mean 'channels'?"),
    ("trunk: {name: cnn, chanels: [4]}", "3:49: unknown key 'chanels' of architecture.trunk, did you mean 'channels'?"),
    ("trunk: cnn, channels: [4, x]", "3:56: architecture.channels[1]: expected an integer, got 'x'"),
    ("trunk: {name: cnn, channels: [4, x]}", "3:63: architecture.trunk.channels[1]: expected an integer, got 'x'"),
    ("depth: 3", "3:37: architecture.depth: only trunk resnet has it, got trunk mlp; remove it"),
    ("trunk: {depth: 3}", "3:45: architecture.trunk.depth: only trunk resnet has it, got trunk mlp; remove it"),
    ("trunk: mpl", "3:37: architecture.trunk: unknown trunk 'mpl', did you mean 'mlp'?"),
    ("trunk: {name: mpl}", "3:44: architecture.trunk.name: unknown trunk 'mpl', did you mean 'mlp'?"),
    ("trunk: {name: cnn, kernel_size: 4}", "3:62: architecture.trunk: kernel_size: expected an odd number, got 4"),
    ("trunk: {name: cnn}, pooling: 4", "3:59: architecture.pooling: expected inside trunk, since that is written as a "
     "mapping here"),
    ("trunk: [mlp]", "3:37: architecture.trunk: expected a name, or a mapping with a name, got ['mlp']"),
    ("encoders: {ink: {name: cnn}}", "3:47: unknown key 'name' of architecture.encoders.ink, expected one of "
     "activation, dropout, hidden, trunk"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "fault"), FAULTS)
def test_faults_lie_where_they_are_written(tmp_path: Path, written: str, fault: str) -> None:
    _, faults = architectures(tmp_path, f"{{name: shared, {written}}}", "methods: {m: {}}")
    assert faults == [fault]
