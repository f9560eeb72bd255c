from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # a dependency of ray
import pytest

from mtlbench.plan.plan import make_plan
from mtlbench.plan.reading import tables
from mtlbench.screen.schema import json_schema
from mtlbench.screen.starter import write_starter
from mtlbench.suite.yaml_reader import read_yaml

SUITES = sorted((Path(__file__).parents[2] / "bench" / "suites").glob("*.yaml"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema()


def _accepts(schema: dict[str, Any], path: Path, text: str) -> bool:
    path.write_text(text)
    return bool(jsonschema.Draft202012Validator(schema).is_valid(read_yaml(path)[0].plain()))


def test_it_is_a_schema_and_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    references = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert references <= set(schema["$defs"])
    for key, registry in tables().items():
        if key != "engine":
            assert {f"{key}.{name}" for name in registry} <= set(schema["$defs"])


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_our_suites_are_valid_and_name_a_schema(schema: dict[str, Any], path: Path, tmp_path: Path) -> None:
    assert path.read_text().startswith("# yaml-language-server: $schema=")
    assert _accepts(schema, tmp_path / "copy.yaml", path.read_text())


def test_the_starter_is_valid_and_plans(schema: dict[str, Any], tmp_path: Path) -> None:
    path = write_starter(tmp_path / "mine.yaml")
    assert _accepts(schema, tmp_path / "copy.yaml", path.read_text())
    plan = make_plan(path)
    assert plan.suite.name == "mine"
    assert len(plan.trials) == 5 * (3 + 3 + 2)
    assert len(make_plan(path, profile="tuned").trials) == 5 * ((3 + 3) * 8 + 2)


BASE = "problem: digits\narchitecture: shared\noptimizer: adam\n"
ACCEPTED = [
    "methods: {a: {optimizer: {lr: 0.1}, engines: eager}}",
    "methods: {a: {architecture: {name: shared, hidden: [3]}}}\nresources: {timeout: 10min}",
    "methods: {a: {weighting: {name: 'mine:Own', anything: 3}}}\nseeds: [1, 2]\nengines: [eager, 'mine:Engine']",
    "methods: {a: {}}\nprofiles: {quick: {train: {epochs: 1, early_stopping: null}, seeds: 2}}",
    "methods: {a: {}}\nsingle_task: {label: alone, train: {epochs: 3}}",
    "methods: {a: {architecture: {name: shared, trunk: {name: cnn, channels: [3]}}}}",
    "methods: {a: {architecture: {trunk: {channels: [3]}}}}",
    "methods: {a: {tune: {}}, b: {tune: {train.epochs: [1, 2]}}}",
    "methods: {a: {}}\ntune: {budget: 4, search: {optimizer.lr: {log: [1, 2]}, optimizer.eps: {linear: [0, 2]}}}",
    "methods: {a: {tune: {search: {train.epochs: {values: [1, 2]}, optimizer.lr: null}}}}\ntune: {budget: 4}",
    "methods: {a: {architecture: {name: shared, trunk: cnn, channels: [3], kernel_size: 1}}}",
    "methods: {a: {architecture: {name: shared, trunk: {name: 'mine:Own', anything: 3}}}}",
    "methods: {a: {}}\nliterature: [{problem: p, method: a, metric: m, value: 1, spread: 2, source: s, setup: t}]",
    "methods: {a: {architecture: {name: shared, encoders: {t: {trunk: {name: cnn, pooling: 3}}, u: {hidden: [3]}}}}}",
]
KERNELS = [
    "kernels: {cases: [training_step, {name: adam, tensors: 2 x 3, label: tiny}], devices: [cpu], seconds: 0.1}",
    "kernels: {cases: [{name: 'mine:Own', anything: 3}]}\nprofiles: {quick: {kernels: {processes: 1}}}",
]
NO_KERNELS = [
    "kernels: {}",
    "kernels: {cases: []}",
    "kernels: {cases: [adam]}",
    "kernels: {cases: [{name: adam, tensors: 2x3}]}",
    "kernels: {cases: [training_step], devices: [tpu]}",
    "kernels: {cases: [training_step], process: 3}",
]
REFUSED = [
    "methods: {a: {}}\nunknown: 1",
    "methods: {a: {optimzer: adam}}",
    "methods: {a: {}}\nliterature: [{problem: p, method: a, metric: m, value: 1, spread: 2, source: s}]",
    "methods: {a: {}}\nliterature: [{problem: p, method: a, metric: m, value: 1, spread: -2, source: s, setup: t}]",
    "methods: {a: {optimizer: adma}}",
    "methods: {a: {}}\ntune: {budget: 101, search: {optimizer.lr: {log: [1, 2]}}}",
    "methods: {a: {}}\ntune: {budget: 4, search: {seeds: {log: [1, 2]}}}",
    "methods: {a: {}}\ntune: {budget: 4, search: {optimizer.lr: {log: [0, 2]}}}",
    "methods: {a: {}}\ntune: {budget: 4, search: {optimizer.lr: {linear: [1, 2, 3]}}}",
    "methods: {a: {}}\ntune: {budget: 4, search: {optimizer.lr: {lin: [1, 2]}}}",
    "methods: {a: {}}\ntune: {budget: 4, search: {optimizer.lr: {log: [1, 2], linear: [1, 2]}}}",
    "methods: {a: {}}\ntune: {budget: 4, search: {optimizer.lr: [1, 2]}}",
    "methods: {a: {}}\ntune: {budget: 4, optimizer.lr: [1, 2]}",
    "methods: {a: {optimizer: {name: adam, lrr: 1}}}",
    "methods: {a: {weighting: fixed, seeds: 2}}",
    "methods: {a: {}}\nseeds: 0",
    "methods: {a: {}}\nresources: {timeout: soon}",
    "methods: {a: {}}\nengines: [eagr]",
    "methods: {a: {}}\nprofiles: {quick: {profiles: {}}}",
    "methods: {a: {}}\nsingle_task: {problem: digits}",
    "methods: {a: {}}\ntrain: {epochs: 0}",
    "methods: {a: {architecture: {name: shared, trunk: mpl}}}",
    "methods: {a: {architecture: {name: shared, chanels: [3]}}}",
    "methods: {a: {architecture: {name: shared, trunk: {name: cnn, depth: 3}}}}",
    "methods: {a: {architecture: {name: shared, encoders: {t: {trunk: {name: cnn, chanels: [3]}}}}}}",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted(schema: dict[str, Any], tmp_path: Path, text: str) -> None:
    assert _accepts(schema, tmp_path / "s.yaml", f"{BASE}{text}\n")


@pytest.mark.parametrize("text", REFUSED)
def test_refused(schema: dict[str, Any], tmp_path: Path, text: str) -> None:
    assert not _accepts(schema, tmp_path / "s.yaml", f"{BASE}{text}\n")


@pytest.mark.parametrize("text", KERNELS)
def test_kernels_accepted(schema: dict[str, Any], tmp_path: Path, text: str) -> None:
    assert _accepts(schema, tmp_path / "s.yaml", f"{text}\n")


@pytest.mark.parametrize("text", NO_KERNELS)
def test_kernels_refused(schema: dict[str, Any], tmp_path: Path, text: str) -> None:
    assert not _accepts(schema, tmp_path / "s.yaml", f"{text}\n")
