"""Every way to write a suite wrongly, and the exact place and sentence that comes back."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtlbench.core.errors import SuiteError
from mtlbench.suite.header import keys
from mtlbench.suite.reader import read_suite

from .toy_entries import TABLES

GOOD = """\
problem: digits
architecture: {name: shared, hidden: [8]}
methods:
  a: {weighting: equal}
optimizer: {name: adam, lr: 1e-3}
"""
RUNS_BY_ITSELF = "which runs by itself: rename it, or change the baseline under single_task"
SEEDS = "expected a number of seeds from 1 to 1000, or a list of distinct integers >= 0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.yaml"


def _faults(path: Path, text: str, profile: str | None = None, seeds: int | None = None) -> list[str]:
    path.write_text(text)
    try:
        read_suite(path, tables=TABLES, profile=profile, seeds=seeds)
    except SuiteError as error:
        return [str(issue).removeprefix(f"{path}:") for issue in error.issues]
    return []


def test_the_good_suite_has_no_faults(path: Path) -> None:
    assert _faults(path, GOOD) == []


# What is replaced in GOOD, by what, and the faults.
REPLACED = [
    ("weighting: equal", "weighting: uncertanty", "4:18: unknown weighting 'uncertanty', did you mean 'uncertainty'?"),
    ("weighting: equal", "weighting: x", "4:18: unknown weighting 'x', expected one of equal, fixed, uncertainty"),
    ("weighting: equal", "weigting: equal", "4:7: unknown key 'weigting' of method 'a', did you mean 'weighting'?"),
    ("weighting: equal", "weighting: {name: 5}", "4:25: weighting.name: expected a name, got 5"),
    ("weighting: equal", "weighting: {x: 5}", "4:19: unknown key 'x' of weighting 'equal', it has no keys"),
    ("weighting: equal", "weighting: [3]", "4:18: weighting: expected a name, or a mapping with a name, got [3]"),
    ("weighting: equal", "weighting: ", "4:17: weighting: expected a name, or a mapping with a name, got nothing"),
    (
        "weighting: equal",
        "weighting: {name: fixed, weights: {a: 1, b: 1}}",
        "4:41: weighting 'fixed': weights sum to 2, expected 1; or set normalize: true",
    ),
    (
        "weighting: equal",
        "weighting: {name: fixed, weights: {a: x}}",
        "4:45: weighting.weights.a: expected a number, got 'x'",
    ),
    ("weighting: equal", "weighting: fixed", "4:18: missing key 'weights' of weighting 'fixed'"),
    ("weighting: equal", "seeds: 3", "4:7: key 'seeds' belongs to the whole suite: method 'a' cannot change it"),
    (
        "weighting: equal",
        "smallest_effect: 1",
        "4:7: key 'smallest_effect' belongs to the whole suite: method 'a' cannot change it",
    ),
    ("{weighting: equal}", "null", "4:6: method 'a': expected a mapping, got nothing"),
    ("{weighting: equal}", "equal", "4:6: method 'a': expected a mapping, got 'equal'"),
    ("  a: {weighting: equal}", "  {}", "4:3: methods: expected at least one method, got an empty mapping"),
    ("methods:\n  a: {weighting: equal}", "methods: [a]", "3:10: methods: expected a mapping, got ['a']"),
    ("  a:", "  a/b:", "4:3: methods: expected 1 to 80 printable characters without '/', got 'a/b'"),
    ("  a:", "  single-task:", f"4:3: method 'single-task' has the name of the single-task baseline, {RUNS_BY_ITSELF}"),
    (
        "{weighting: equal}",
        "{architecture: {name: single, hidden: [8]}}",
        "4:3: method 'a' repeats the single-task baseline, which runs by itself: remove it, or change the baseline "
        "under single_task",
    ),
    (
        "{weighting: equal}",
        "{weighting: equal}\n  b: {schedule: constant, optimizer: {lr: 0.001}}",
        "5:3: method 'b' repeats method 'a' (line 4): the same trials under a second name",
    ),
    ("lr: 1e-3", "lr: fast", "5:29: optimizer.lr: expected a number, got 'fast'"),
    ("lr: 1e-3", "lr: -1", "5:29: optimizer.lr: expected a number > 0, got -1"),
    ("lr: 1e-3", "lrr: 1", "5:25: unknown key 'lrr' of optimizer 'adam', did you mean 'lr'?"),
    ("lr: 1e-3", "betas: [1]", "5:32: missing item 2 of optimizer.betas"),
    ("lr: 1e-3", "betas: [1, 2, 3]", "5:32: optimizer.betas: expected at most 2 items, got [1, 2, 3]"),
    ("lr: 1e-3", "foreach: 'yes'", "5:34: optimizer.foreach: expected true or false, got 'yes'"),
    ("{name: adam, lr: 1e-3}", "sgd", "5:12: missing key 'lr' of optimizer 'sgd': learning rate"),
    ("{name: adam, lr: 1e-3}", "{lr: 1}", "5:12: optimizer: missing key 'name', expected one of adam, sgd"),
    ("[8]", "[8, x]", "2:42: architecture.hidden[1]: expected an integer, got 'x'"),
    ("[8]", "x", "2:38: architecture.hidden: expected a list or an integer, got 'x'"),
    ("hidden: [8]", "dropout: 1", "2:39: architecture.dropout: expected a number < 1, got 1"),
    ("[8]", "[8], trunk: 3", "2:50: architecture.trunk: expected a mapping, got 3"),
    ("[8]", "[8], trunk: {widht: 3}", "2:51: unknown key 'widht' of architecture.trunk, did you mean 'width'?"),
    (
        "[8]",
        "[8], trunk: {kind: ml}",
        "2:57: architecture.trunk.kind: expected 'mlp' or 'cnn', got 'ml', did you mean 'mlp'?",
    ),
    ("problem: digits", "problem: []", "1:10: problem: expected at least one problem, got an empty list"),
    ("problem: digits", "problem: [digits, digits]", "1:19: problem 'digits' is listed twice"),
    (
        "problem: digits",
        "problem: [digits, {name: digits, noise: 1}]",
        "1:19: two different problems are called 'digits': give each a label of its own",
    ),
    (
        "problem: digits",
        "problem: [digits, {name: digits, label: x}]",
        "1:19: problem 'x' repeats problem 'digits' (line 1)",
    ),
    (
        "problem: digits",
        "problem: {name: digits, label: 3}",
        "1:32: problem.label: expected 1 to 80 printable characters without '/', got 3",
    ),
    (
        "problem: digits",
        "problem: os:getcwd",
        "1:10: problem 'os:getcwd': expected a subclass of mtlbench's Config, got <built-in function getcwd>",
    ),
    (
        "problem: digits",
        "problem: no.such:Problem",
        "1:10: problem 'no.such:Problem': cannot import 'no.such:Problem' (No module named 'no'); expected "
        "package.module:attribute, in a package that is installed or a file beside the suite",
    ),
    ("problem: digits\n", "", f"1:1: missing key 'problem' of the suite; expected {keys()['problem']}"),
    (
        "architecture: {name: shared, hidden: [8]}\nmethods:\n  a: {weighting: equal}",
        "methods:\n  a: {architecture: shared}",
        "1:1: the single-task baseline has no architecture: give one for the whole suite, or under single_task",
    ),
]
# What stands below GOOD, and the faults.
ADDED = [
    ("seeds: -1", f"6:8: seeds: {SEEDS}, got -1"),
    ("seeds: 0", f"6:8: seeds: {SEEDS}, got 0"),
    ("seeds: [1, -1]", f"6:8: seeds: {SEEDS}, got [1, -1]"),
    ("seeds: [1, 1]", f"6:8: seeds: {SEEDS}, got [1, 1]"),
    ("seeds: []", f"6:8: seeds: {SEEDS}, got []"),
    ("seeds: true", f"6:8: seeds: {SEEDS}, got true"),
    ("smallest_effect: -1", "6:18: smallest_effect: expected a number >= 0, got -1"),
    ("smallest_effect: small", "6:18: smallest_effect: expected a number, got 'small'"),
    ("interval: correct", "6:11: interval: expected 'plain' or 'corrected', got 'correct', did you mean 'corrected'?"),
    ("seeds: 100000000000", f"6:8: seeds: {SEEDS}, got 100000000000"),
    ("problem: digits", "6:1: duplicate key 'problem', given first in line 1"),
    ("enginse: [eager]", "6:1: unknown key 'enginse' of the suite, did you mean 'engines'?"),
    ("engines: [eager, warp]", "6:18: unknown engine 'warp', expected one of eager, fused"),
    ("engines: [eagr]", "6:11: unknown engine 'eagr', did you mean 'eager'?"),
    ("engines: [eager, eager]", "6:18: engines: 'eager' is listed twice"),
    ("engines: []", "6:10: engines: expected a list of one or more engines, got []"),
    ("engines: 3", "6:10: engines: expected a list of one or more engines, got 3"),
    ("suite: a/b", "6:8: suite: expected up to 64 letters, digits, '.', '_' and '-', got 'a/b'"),
    ("suite: ../../etc", "6:8: suite: expected up to 64 letters, digits, '.', '_' and '-', got '../../etc'"),
    ("description: [x]", "6:14: description: expected text, got ['x']"),
    ("train: {epochs: 1.5}", "6:17: train.epochs: expected an integer, got 1.5"),
    ("train: {epochs: 0}", "6:17: train.epochs: expected a number >= 1, got 0"),
    ("train: {epoch: 1}", "6:9: unknown key 'epoch' of train, did you mean 'epochs'?"),
    ("train: [1]", "6:8: train: expected a mapping, got [1]"),
    (
        "train: {early_stopping: {patince: 2}}",
        "6:26: unknown key 'patince' of train.early_stopping, did you mean 'patience'?",
    ),
    ("train: {early_stopping: 3}", "6:25: train.early_stopping: expected a mapping, got 3"),
    (
        "resources: {timeout: soon}",
        "6:22: resources.timeout: expected a duration such as 90s, 10min or 1h, got 'soon'",
    ),
    ("resources: {timeout: -1h}", "6:22: resources.timeout: expected a number > 0, got '-1h'"),
    ("resources: {gpus: 1.5}", "6:19: resources.gpus: expected an integer or a number < 1, got 1.5"),
    (
        "resources: {gpus: 0.5}",
        "6:19: resources: gpus: expected a whole GPU for trials that are timed, got 0.5 of one; add exclusive: none, "
        "which times nothing",
    ),
    ("resources: {workers: 0}", "6:22: resources.workers: expected a number >= 1, got 0"),
    (
        "resources: {gpus: 2, workers: 4}",
        "6:31: resources: workers: expected one for every GPU, got 4 for gpus: 2; remove workers, or set gpus to as "
        "many",
    ),
    (
        "resources: {exclusive: firstseed}",
        "6:24: resources.exclusive: expected 'first_seed', 'all' or 'none', got 'firstseed', "
        "did you mean 'first_seed'?",
    ),
    ("schedule: {name: step}", "6:11: missing key 'every' of schedule 'step'"),
    ("single_task: {weigthing: equal}", "6:15: unknown key 'weigthing' of single_task, did you mean 'weighting'?"),
    ("single_task: {engines: [eager, fused]}", "6:24: single_task.engines: expected one engine, got several"),
    ("single_task: {label: ''}", "6:22: single_task.label: expected 1 to 80 printable characters without '/', got ''"),
    ("single_task: equal", "6:14: single_task: expected a mapping, got 'equal'"),
    (
        "single_task: {architecture: {hiden: 3}}",
        "6:30: unknown key 'hiden' of architecture 'single', did you mean 'hidden'?",
    ),
    ("profiles: {quick: {train: {epoch: 1}}}", "6:28: unknown key 'epoch' of train, did you mean 'epochs'?"),
    ("profiles: {quick: {methods: {a: {weighting: eqal}}}}", "6:45: unknown weighting 'eqal', did you mean 'equal'?"),
    ("profiles: {quick: 3}", "6:19: profile 'quick': expected a mapping, got 3"),
    ("profiles: [quick]", "6:11: profiles: expected a mapping, got ['quick']"),
    ("profiles: {q: {profiles: {}}}", "6:16: profile 'q': expected no profiles inside a profile"),
    ("profiles: {a b: {}}", "6:12: profiles: expected a name of letters, digits, '.', '_' and '-', got 'a b'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "fault"), REPLACED, ids=[new[:40] for _, new, _ in REPLACED])
def test_a_fault_in_the_good_suite(path: Path, old: str, new: str, fault: str) -> None:
    assert old in GOOD
    assert _faults(path, GOOD.replace(old, new)) == [fault]


@pytest.mark.parametrize(("line", "fault"), ADDED, ids=[line[:40] for line, _ in ADDED])
def test_a_fault_below_the_good_suite(path: Path, line: str, fault: str) -> None:
    assert _faults(path, f"{GOOD}{line}\n") == [fault]


def test_all_faults_come_at_once_in_the_order_of_the_file(path: Path) -> None:
    text = """\
problem: {name: table, targets: a}
methods:
  a: {weighting: uncertanty, train: {epochs: ten}}
  b: {optimizer: {name: sgd}}
  b: {}
optimizer: {name: adam, lr: -1, beta: 2}
engines: [eager, warp]
seeds: -3
sedes: 3
profiles: {quick: {schedule: stp}}
"""
    assert _faults(path, text) == [
        "1:1: missing key 'architecture' of the suite; expected an architecture: a name, or a mapping with a name and "
        "its parameters",
        "1:10: missing key 'path' of problem 'table': the file",
        "1:33: problem.targets: expected a list, got 'a'; write [a]",
        "3:18: unknown weighting 'uncertanty', did you mean 'uncertainty'?",
        "3:46: train.epochs: expected an integer, got 'ten'",
        "4:18: missing key 'lr' of optimizer 'sgd': learning rate",
        "5:3: duplicate key 'b', given first in line 4",
        "6:29: optimizer.lr: expected a number > 0, got -1",
        "6:33: unknown key 'beta' of optimizer 'adam', did you mean 'betas'?",
        "7:18: unknown engine 'warp', expected one of eager, fused",
        f"8:8: seeds: {SEEDS}, got -3",
        "9:1: unknown key 'sedes' of the suite, did you mean 'seeds'?",
        "10:30: unknown schedule 'stp', did you mean 'step'?",
    ]


def test_a_parameter_may_come_from_the_method_alone(path: Path) -> None:
    whole = GOOD.replace("{name: adam, lr: 1e-3}", "{name: sgd}").replace("equal}", "equal, optimizer: {lr: 1}}")
    missing = "5:12: missing key 'lr' of optimizer 'sgd': learning rate"
    assert _faults(path, whole) == [missing]  # which the baseline still lacks
    assert _faults(path, whole + "single_task: {optimizer: {lr: 1}}\n") == []


def test_required_keys_may_come_from_every_method(path: Path) -> None:
    text = "problem: digits\narchitecture: shared\nmethods:\n  a: {optimizer: adam}\n  b: {weighting: uncertainty}\n"
    assert _faults(path, text) == [
        "1:1: the single-task baseline has no optimizer: give one for the whole suite, or under single_task",
        "5:3: method 'b': missing key 'optimizer', given neither here nor for the whole suite",
    ]
    mended = text.replace("uncertainty}", "uncertainty, optimizer: adam}") + "single_task: {optimizer: adam}\n"
    assert _faults(path, mended) == []


def test_profiles_that_are_not_there(path: Path) -> None:
    text = GOOD + "profiles: {quick: {seeds: 2}}\n"
    assert _faults(path, text, profile="quick") == []
    assert _faults(path, text, profile="quik") == ["6:1: unknown profile 'quik', did you mean 'quick'?"]
    assert _faults(path, GOOD, profile="quick") == ["1:1: unknown profile 'quick', none is known"]


def test_seeds_of_the_caller_are_checked_too(path: Path) -> None:
    assert _faults(path, GOOD, seeds=3) == []
    assert _faults(path, GOOD, seeds=0) == [f" seeds: {SEEDS}, got 0"]


@pytest.mark.parametrize("text", ["- a\n- b", "just words", "3"])
def test_not_a_mapping(path: Path, text: str) -> None:
    [fault] = _faults(path, text)
    assert fault.startswith("1:1: expected keys such as problem, methods and seeds, got ")


WORDS = st.sampled_from(
    [
        *keys(),
        *GOOD.split(),
        "a",
        "quick",
        "name",
        "label",
        "[",
        "]",
        "{",
        "}",
        ":",
        "\n",
        "\n  ",
        "- ",
        "&x",
        "*x",
        "<<",
        "3",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.lists(WORDS, max_size=25).map(" ".join) | st.text(max_size=30))
def test_any_text_is_a_suite_or_a_suite_error(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_suite(path, tables=TABLES, profile="quick")
    except SuiteError as error:
        raw = [issue for issue in error.issues if "Input should" in issue.message]
        if raw:
            pytest.fail(f"pydantic's own words: {raw}")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_wound_of_the_good_suite_is_a_suite_error_or_heals(path: Path, data: st.DataObject) -> None:
    """Lines dropped, doubled and swapped, and pieces of text replaced."""
    lines = data.draw(st.permutations([*GOOD.splitlines(), *(line for line, _ in data.draw(st.just(ADDED))[:12])]))
    text = "\n".join(lines[: data.draw(st.integers(1, len(lines)))])
    start = data.draw(st.integers(0, len(text)))
    text = text[:start] + data.draw(st.sampled_from(["", "{", "]", ": ", "[", "null", "0", "x: "])) + text[start + 1 :]
    path.write_text(text)
    with contextlib.suppress(SuiteError):
        read_suite(path, tables=TABLES)
