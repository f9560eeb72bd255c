"""What a run of many trials costs: time and peak memory of plan and report, and no-op trials a second.

    python bench/scale.py FOLDER [--trials 100000] [--noop 2000] [make] [plan] [report] [run]

make    fills FOLDER with a suite of so many trials (12 a seed) and a finished result of
        each, written as a run writes them; what the results say is made up
plan    `mtlbench plan` of that suite, nothing of which is left to run
report  `mtlbench report` of that folder
run     `mtlbench run` of a suite whose trials do nothing

All of them without a name. Each command runs in a process of its own, whose wall time, CPU time and peak memory are
printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mtlbench.core.record import Record, Result
from mtlbench.core.trial import Trial
from mtlbench.measure.environment import environment
from mtlbench.plan.plan import make_plan

EPOCHS, A_SEED = 5, 12  # trials of one seed
METHODS = ("equal", "uncertainty", "dwa", "famo", "random", "geometric", "mgda")
SUITE = """\
suite: scale
problem: {{name: digits}}
architecture: {{name: shared, trunk: mlp, hidden: [8]}}
methods: {{{methods}}}
optimizer: {{name: adam, lr: 1.0e-3}}
train: {{epochs: {epochs}}}
seeds: {seeds}
"""
NOTHING = '''\
from mtlbench.core.record import Record
from mtlbench.learners.base import Learner


class Nothing(Learner):
    """Trains nothing."""

    which: int = 0

    @classmethod
    def uses(cls, part):
        return False

    def run(self, job):
        return [Record("loss", 1.0, "test", task, main=True, higher_is_better=False) for task in job.tasks]
'''
NOOP = """\
suite: noop
problem: {{name: digits}}
learner: {{name: "nothing:Nothing"}}
references: []
methods: {{a: {{learner: {{name: "nothing:Nothing", which: 1}}}}}}
seeds: {seeds}
"""


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", nargs="*", help="make, plan, report, run; all of them by default")
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--noop", type=int, default=2_000)
    given = parser.parse_intermixed_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    suite, results = given.folder / "scale.yaml", given.folder / "results"
    for what in given.what or ("make", "plan", "report", "run"):
        if what == "make":
            make(suite, results, given.trials)
        elif what == "plan":
            measured("plan", str(suite), "--out", str(results))
        elif what == "report":
            measured("report", str(results))
        else:
            noop(given.folder, given.noop)


def make(suite: Path, results: Path, trials: int) -> None:
    """A suite and its finished trials."""
    methods = ", ".join(f"{name}: {{weighting: {name}}}" for name in METHODS)
    suite.write_text(SUITE.format(methods=methods, epochs=EPOCHS, seeds=trials // A_SEED), encoding="utf-8")
    plan = make_plan(suite, out=results)
    store, facts = plan.store, {**environment(), "threads": 1, "device": "cpu"}
    start, chance = time.perf_counter(), np.random.default_rng(0)
    os.fsync = lambda handle: None  # type: ignore[assignment]  # nothing of this has to outlive the machine
    for trial in plan.todo:
        records = tuple(made_up(trial, chance))
        store.write(trial, Result("ok", records=records, seconds=1.0, alone=True, environment=facts))
    store.keep_columns()
    store.keep_sources(plan.manifests.values())
    store.write_index(plan.every, plan.resolved(), "", plan.root)
    seconds = time.perf_counter() - start
    print(f"made {len(plan.todo):,} trials: {len(plan.todo) / seconds:,.0f} a second, without waiting for the disk")


def made_up(trial: Trial, chance: np.random.Generator) -> Iterator[Record]:
    """What a training of ``EPOCHS`` epochs would leave behind."""
    tasks: tuple[str, ...] = getattr(trial, "tasks", ())
    for epoch in range(EPOCHS + 1):
        for task in tasks:
            yield Record("loss", chance.uniform(0.1, 1), "validation", task, "", False, epoch)
            yield Record("accuracy", chance.uniform(90, 99), "validation", task, "%", True, epoch, True)
            if epoch:
                yield Record("loss", chance.uniform(0.1, 1), "train", task, "", False, epoch)
                yield Record("weight", chance.uniform(0.1, 1), "train", task, step=epoch)
        if epoch:
            yield Record(
                "epoch_seconds", chance.uniform(0.1, 0.2), "train", unit="s", higher_is_better=False, step=epoch
            )
    for task in tasks:
        yield Record("loss", chance.uniform(0.1, 1), "test", task, "", False, EPOCHS)
        yield Record("accuracy", chance.uniform(90, 99), "test", task, "%", True, EPOCHS, True)
    for name in ("epochs", "steps", "train_seconds", "total_seconds", "peak_memory", "parameters"):
        yield Record(name, EPOCHS * (1.0 + (name == "steps")))


def noop(folder: Path, trials: int) -> None:
    """Trials that do nothing, through scheduler and store."""
    (folder / "nothing.py").write_text(NOTHING, encoding="utf-8")
    suite = folder / "noop.yaml"
    suite.write_text(NOOP.format(seeds=trials // 4), encoding="utf-8")
    measured("run", str(suite), "--out", str(folder / f"noop-{time.time_ns()}"))


def measured(*command: str) -> None:
    """Run a command of mtlbench in a process of its own, and print what it took."""
    start = time.perf_counter()
    script = [sys.executable, "-m", "mtlbench", *command]
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        process = os.posix_spawn(
            sys.executable, script, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        )
    _, status, usage = os.wait4(process, 0)
    seconds, cpu = time.perf_counter() - start, usage.ru_utime + usage.ru_stime
    end = os.waitstatus_to_exitcode(status)
    print(
        f"mtlbench {command[0]}: {seconds:.1f} s, {cpu:.1f} s of CPU, "
        f"peak {usage.ru_maxrss / 1024:,.0f} MiB, exit code {end}"
    )


if __name__ == "__main__":
    main()
