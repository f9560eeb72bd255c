"""The suite that `mtlbench init` writes: it runs as it is, and its comments say how to make it one's own."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import MtlbenchError

STARTER = """\
# yaml-language-server: $schema=mtlbench.schema.json
# `mtlbench schema > mtlbench.schema.json` writes the schema with which an editor completes and checks this file.
#
#   mtlbench plan {name}    what would run, for how long, and what it could prove
#   mtlbench run {name}     run it; again: only what is missing or changed
#   mtlbench list           every problem, architecture, weighting, optimizer, engine ... and its parameters

description: Does training these tasks together beat training them apart?

# Real handwritten digits with three tasks: which digit, odd or even, and how many closed loops.
problem: digits
# Your own table (CSV, Parquet or ARFF) instead; the path starts at this file's folder:
# problem: {{name: tabular, path: my.csv, targets: [a, b]}}

# One trunk for all tasks, one head per task.
architecture: {{name: shared, trunk: mlp, hidden: [128, 64]}}

# Each method says what it changes of this suite: weighting, architecture, optimizer, train ... The single-task
# baseline, one network per task, runs by itself; it can be changed under the key `single_task`.
methods:
  equal:       {{weighting: equal}}
  uncertainty: {{weighting: uncertainty}}
  dwa:         {{weighting: dwa}}
  # slower:    {{optimizer: {{lr: 3.0e-4}}}}   # the rest stays as below

engines: [eager]                             # how a step runs; every method runs on each
optimizer: {{name: adam, lr: 1.0e-3}}
train: {{until: plateau, batch_size: 128}}     # until the validation score no longer improves; the best epoch counts

# A method and its baseline share split, order and initial weights of a seed. More seeds prove more: with three methods
# it takes 7 before a difference can be significant; `mtlbench plan` says so for your suite.
seeds: 5

resources: {{cpus: 1, gpus: 0, timeout: 10min}} # of one trial; gpus: 1 trains on CUDA

# As it stands, every method trains with the settings above: a first look. Before you believe a comparison, tune: each
# method and the baseline try equally many points of these ranges, and every seed takes what its validation split
# prefers. A larger budget later runs only what is new.
profiles:
  quick: {{seeds: 2, train: {{epochs: 2}}}}      # mtlbench run {name} --profile quick
  tuned:                                       # mtlbench run {name} --profile tuned
    tune: {{budget: 8, search: {{optimizer.lr: {{log: [1.0e-4, 1.0e-1]}}}}}}
"""


def write_starter(path: Path) -> Path:
    """Write the starter to ``path``, or into the folder ``path`` as suite.yaml, and say where.

    Raises MtlbenchError instead of overwriting a file.
    """
    target = path / "suite.yaml" if path.is_dir() else path
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(STARTER.format(name=target.name))
    except FileExistsError:
        raise MtlbenchError(f"{target}: expected a new file, got one that exists; choose another name") from None
    except OSError as error:
        raise MtlbenchError(f"{target}: cannot write the suite: {error.strerror}") from error
    return target
