"""A suite into its trials: problems x seeds x (the baseline's tasks + methods x engines)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .entries import Entry
from .settings import Resources
from .suite import Suite, Variant
from .task import Outline
from .trial import Trial


def expand(
    suite: Suite, outlines: Mapping[str, Outline], digests: Mapping[str, str], code: Mapping[str, str] | None = None
) -> tuple[Trial, ...]:
    """Every trial of a suite, problem by problem and seed by seed, the baseline before the methods.

    outlines  what is known of each problem, by its name in the suite; problems without one are left out
    digests   SHA-256 of each problem's files, by the same name; "" where it has none
    code      SHA-256 of the source behind each ``module:attribute`` of the suite

    Trials that differ in method alone share problem, seed and data: they are paired.
    """
    return tuple(
        trial
        for problem in suite.problems
        if problem.name in outlines
        for seed in suite.seeds
        for trial in _of_seed(suite, problem, outlines[problem.name].names, digests[problem.name], seed, code or {})
    )


def _of_seed(
    suite: Suite, problem: Entry, tasks: tuple[str, ...], data: str, seed: int, code: Mapping[str, str]
) -> Iterator[Trial]:
    for task in tasks:
        for engine in suite.baseline.engines:
            yield _trial(suite, suite.baseline, problem, (task,), engine.name, data, seed, code)
    for method in suite.methods:
        if any(choice.name == problem.name for choice in method.problems):
            for engine in method.engines:
                yield _trial(suite, method, problem, tasks, engine.name, data, seed, code)


def _trial(
    suite: Suite,
    variant: Variant,
    problem: Entry,
    tasks: tuple[str, ...],
    engine: str,
    data: str,
    seed: int,
    code: Mapping[str, str],
) -> Trial:
    resources: Resources = variant.resources.config
    alone = resources.exclusive == "all" or (resources.exclusive == "first_seed" and seed == suite.seeds[0])
    return Trial(
        problem=problem.spec,
        tasks=tasks,
        learner=variant.learner.spec,
        architecture=variant.architecture.spec,
        weighting=variant.weighting.spec,
        engine=engine,
        optimizer=variant.optimizer.spec,
        schedule=variant.schedule.spec,
        penalty=variant.penalty.spec,
        train=variant.train.spec,
        seed=seed,
        device=variant.device,
        threads=resources.cpus,
        data=data,
        code="".join(code.get(name, "") for name in dict.fromkeys([*_own(variant), engine])),
        suite=suite.name,
        problem_label=problem.label,
        method=variant.label,
        baseline=variant is suite.baseline,
        resources={"cpus": resources.cpus, "gpus": resources.gpus, "timeout": resources.timeout},
        exclusive=alone,
    )


def _own(variant: Variant) -> Iterator[str]:
    """Names of the entries whose code decides what a variant computes, the problem's apart."""
    yield from (str(part.spec["name"]) for part in variant.parts if part.used)
