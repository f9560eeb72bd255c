"""``kernels`` in a suite file: what it means, and every way to write it wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtlbench.core.errors import SuiteError
from mtlbench.core.trial import KernelTrial, trial_from_json
from mtlbench.suite.expand import expand, expand_kernels
from mtlbench.suite.reader import read_suite
from mtlbench.suite.suite import Suite

from .toy_entries import TABLES

ALONE = """\
suite: k
kernels:
  cases:
    - copy
    - {name: copy, size: 16, label: big}
  processes: 2
profiles:
  quick: {kernels: {processes: 1, contenders: [fused]}}
"""
TRAINING = """\
problem: digits
architecture: shared
methods: {a: {}}
optimizer: adam
"""


def _suite(tmp_path: Path, text: str = ALONE, profile: str | None = None) -> Suite:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return read_suite(path, tables=TABLES, profile=profile)


def _trials(suite: Suite) -> list[KernelTrial]:
    assert suite.kernels is not None
    return list(expand_kernels(suite, suite.kernels))


def test_kernels_alone_are_a_suite_without_training(tmp_path: Path) -> None:
    suite = _suite(tmp_path)
    assert suite.methods == ()
    assert expand(suite, {}, {}) == ()
    found = _trials(suite)
    assert [trial.title for trial in found] == [
        "copy of 8/cpu/process0",
        "copy of 8/cpu/process1",
        "big/cpu/process0",
        "big/cpu/process1",
    ]
    assert {trial.kind for trial in found} == {"kernel"}
    assert all(trial.labels.exclusive for trial in found)
    assert found[2].kernel["case"] == {"name": "copy", "size": 16}
    assert found[2].kernel["contenders"] == ("eager", "fused")


def test_a_profile_changes_how_they_are_timed(tmp_path: Path) -> None:
    suite = _suite(tmp_path, profile="quick")
    found = _trials(suite)
    assert suite.name == "k-quick"
    assert [trial.seed for trial in found] == [0, 0]
    assert {trial.kernel["contenders"] for trial in found} == {("fused",)}


def test_ids_know_shape_device_threads_process_and_timing_but_no_labels(tmp_path: Path) -> None:
    first = _trials(_suite(tmp_path))
    changed = [
        _trials(_suite(tmp_path, ALONE.replace("processes: 2", f"processes: 2\n  {line}")))
        for line in ("threads: 2", "seconds: 1", "rounds: 3", "contenders: [fused]", "devices: [cuda]")
    ]
    everything = [trial.id for trials in (first, *changed) for trial in trials]
    assert len(set(everything)) == len(everything)
    renamed = _trials(_suite(tmp_path, ALONE.replace("label: big", "label: huge")))
    assert [trial.id for trial in renamed] == [trial.id for trial in first]


def test_trials_survive_json(tmp_path: Path) -> None:
    for trial in _trials(_suite(tmp_path)):
        again = trial_from_json(trial.to_json())
        assert (again.id, again.title) == (trial.id, trial.title)


def test_what_is_resolved_is_read_as_the_same(tmp_path: Path) -> None:
    from mtlbench.core.yaml_writer import to_yaml

    for text in (ALONE, TRAINING + ALONE):
        suite = _suite(tmp_path, text)
        again = _suite(tmp_path, to_yaml(suite.resolved()))
        assert [trial.id for trial in _trials(again)] == [trial.id for trial in _trials(suite)]
        assert again.resolved() == suite.resolved()


def test_kernels_stand_beside_methods(tmp_path: Path) -> None:
    suite = _suite(tmp_path, TRAINING + ALONE)
    assert [method.label for method in suite.methods] == ["a"]
    assert len(_trials(suite)) == 4


# What is replaced in ALONE, by what, and the faults.
FAULTS = [
    ("- copy\n", "- coppy\n", "4:7: unknown kernel 'coppy', did you mean 'copy'?"),
    ("size: 16", "sise: 16", "5:20: unknown key 'sise' of kernel 'copy', did you mean 'size'?"),
    ("size: 16", "size: 0", "5:26: kernel.size: expected a number >= 1, got 0"),
    ("size: 16", "size: 8", "5:7: kernels.cases: kernel 'big' repeats line 4: the same shape"),
    ("label: big", "label: a/b", "5:37: kernel.label: expected 1 to 80 printable characters without '/', got 'a/b'"),
    ("  processes: 2", "  proceses: 2", "6:3: unknown key 'proceses' of kernels, did you mean 'processes'?"),
    ("  processes: 2", "  processes: 0", "6:14: kernels.processes: expected a number >= 1, got 0"),
    ("  processes: 2", "  devices: [gpu]", "6:13: kernels.devices[0]: expected 'cpu' or 'cuda', got 'gpu'"),
    ("  processes: 2", "  contenders: []", "6:15: kernels.contenders: expected at least 1 items, got []"),
    ("  processes: 2", "  seconds: -1", "6:12: kernels.seconds: expected a number > 0, got -1"),
    ("processes: 1,", "processes: many,", "8:32: kernels.processes: expected an integer, got 'many'"),
]


@pytest.mark.parametrize(("old", "new", "fault"), FAULTS, ids=[fault for _, _, fault in FAULTS])
def test_faults_have_their_place(tmp_path: Path, old: str, new: str, fault: str) -> None:
    assert old in ALONE
    assert fault in _faults(tmp_path, ALONE.replace(old, new))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("kernels: 3\n", "1:10: kernels: expected a mapping, got 3"),
        ("kernels: {processes: 2}\n", "1:10: missing key 'cases' of kernels"),
        ("kernels: {cases: copy}\n", "1:18: kernels.cases: expected a list of one or more kernels, got 'copy'"),
        ("kernels: {cases: []}\n", "1:18: kernels.cases: expected a list of one or more kernels, got []"),
        ("kernels: {cases: [copy]}\noptimizer: adam\n", "1:1: missing key 'methods' of the suite"),
        (f"{TRAINING.replace('a: {}', 'a: {kernels: {}}')}", "key 'kernels' belongs to the whole suite"),
    ],
)
def test_other_shapes_of_file(tmp_path: Path, text: str, fault: str) -> None:
    assert fault in _faults(tmp_path, text)


def _faults(tmp_path: Path, text: str) -> str:
    with pytest.raises(SuiteError) as raised:
        _suite(tmp_path, text)
    return str(raised.value)
