"""What travels to other machines: everything that a suite reads, where its relative paths lead, and nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from mtlbench.core.errors import UnavailableError
from mtlbench.plan.plan import Plan, make_plan
from mtlbench.runner import shipping
from mtlbench.runner.events import Event
from mtlbench.runner.session import run
from mtlbench.runner.shipping import shipment, travels, within_job

SUITE = """
suite: sent
problem: {{name: tabular, path: {path}, targets: {{u: {{}}, v: {{}}}}}}
architecture: {{name: shared, trunk: mlp, hidden: [4]}}
methods: {{mine: {{weighting: "halves:Halves"}}}}
references: []
optimizer: {{name: adam}}
train: {{epochs: 1, batch_size: 32}}
seeds: 1
resources: {{exclusive: none}}
"""
CODE = """
from parts_of_it import Weighting

class Halves(Weighting):
    pass
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A suite two folders down, its data beside the first of them, and files that it does not need."""
    root = tmp_path / "work" / "suites"
    root.mkdir(parents=True)
    lines = [f"{i % 7},{i % 5},{i % 3},{(i * i) % 11}" for i in range(60)]
    (tmp_path / "work" / "data.csv").write_text("a,b,u,v\n" + "\n".join(lines), encoding="utf-8")
    (tmp_path / "work" / "private.txt").write_text("not asked for", encoding="utf-8")
    (root / "suite.yaml").write_text(SUITE.format(path="../data.csv"), encoding="utf-8")
    (root / "unused.py").write_text("", encoding="utf-8")
    return root


def planned(root: Path) -> Plan:
    return make_plan(root / "suite.yaml", out=root / "results")


def plain(root: Path) -> None:
    """Without code of its own."""
    text = (root / "suite.yaml").read_text(encoding="utf-8")
    (root / "suite.yaml").write_text(text.replace('"halves:Halves"', "equal"), encoding="utf-8")


def test_a_suite_runs_from_what_was_sent_alone(place: Path, tmp_path: Path) -> None:
    plain(place)
    with shipment(planned(place)) as sent:
        assert sorted(str(path.relative_to(sent.folder)) for path in sent.folder.rglob("*") if path.is_file()) == [
            "data.csv", "suites/suite.yaml",
        ]  # fmt: skip
        moved = shutil.copytree(sent.folder, tmp_path / "elsewhere")
        root, suite = sent.root, sent.suite
    assert suite.parent == root
    here = run(place / "suite.yaml", out=tmp_path / "here", executor="serial")
    there = run(moved / suite, out=tmp_path / "there", executor="serial")
    assert here.ok
    assert there.ok
    assert set(here.records["trial"]) == set(there.records["trial"])


def test_modules_beside_the_suite_travel_with_what_they_import(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "halves.py").write_text(CODE, encoding="utf-8")
    (place / "parts_of_it.py").write_text(
        "from mtlbench.weightings.losses import Equal as Weighting\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(place))
    with shipment(planned(place)) as sent:
        assert {path.name for path in (sent.folder / sent.root).iterdir()} == {
            "suite.yaml", "halves.py", "parts_of_it.py",
        }  # fmt: skip


def test_a_fixed_path_cannot_be_sent(place: Path) -> None:
    plain(place)
    fixed = place.parent / "data.csv"
    text = (place / "suite.yaml").read_text(encoding="utf-8")
    (place / "suite.yaml").write_text(text.replace("../data.csv", str(fixed)), encoding="utf-8")
    with (
        pytest.raises(UnavailableError, match=r"relative to the suite.*data\.csv.*--no-ship"),
        shipment(planned(place)),
    ):
        pass


def test_what_is_too_large_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(place)
    monkeypatch.setattr(shipping, "MOST_BYTES", 100)
    with pytest.raises(UnavailableError, match=r"data\.csv.*--no-ship"), shipment(planned(place)):
        pass


@pytest.mark.parametrize(
    ("address", "ship", "expected"),
    [
        (None, None, False), ("auto", None, False), ("127.0.0.1:6379", None, False), ("localhost:6379", None, False),
        ("192.0.2.1:6379", None, True), ("ray://192.0.2.1:10001", None, True), ("no.such.host.invalid:1", None, True),
        ("192.0.2.1:6379", False, False), ("auto", True, True),
    ],
)  # fmt: skip
def test_files_are_sent_to_other_machines_unless_one_says_otherwise(
    address: str | None, ship: bool | None, expected: bool
) -> None:
    assert travels(address, ship) is expected


def test_nodes_of_a_cluster_need_no_copy(place: Path) -> None:
    """Once trials start, the data are gone from where the suite lies."""
    from ray.cluster_utils import Cluster

    plain(place)
    data = place.parent / "data.csv"

    @contextlib.contextmanager
    def display(plan: Plan) -> Iterator[Callable[[Event], None]]:
        away = data.with_suffix(".away")
        yield lambda event: None if away.exists() else os.rename(data, away)
        os.rename(away, data)

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    try:
        cluster.add_node(num_cpus=1)
        done = run(place / "suite.yaml", out=place / "results", address=cluster.address, ship=True, display=display)
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]
    assert done.ok, done.failed


def test_a_job_that_was_sent_with_its_files_finds_them_where_each_worker_runs(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.parent)
    assert within_job(place) == place
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", '{"runtime_env": {"working_dir": "gcs://_ray_pkg_0.zip"}}')
    assert within_job(place) == Path(place.name)
    assert within_job(place.parent.parent) == place.parent.parent, "what lies elsewhere stays where it is"


def test_the_trunk_of_the_frontier_s_points_travels_too(place: Path) -> None:
    plain(place)
    torch.save({}, place / "trunk.pt")
    with (place / "suite.yaml").open("a", encoding="utf-8") as suite:
        suite.write("frontier: {points: 3, init_from: {file: trunk.pt}}\n")
    with shipment(planned(place)) as sent:
        assert (sent.folder / sent.root / "trunk.pt").is_file()
