"""A suite into its trials: problems x seeds x ((the baseline's tasks + methods x engines) x candidates x folds +
references); and kernels x processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations, islice
from typing import Any

from ..core.errors import Issue, SuiteError
from ..core.parts import PARTS
from ..core.protocols import ProblemEntry
from ..core.task import Outline
from ..core.trial import AFFINITY, CANDIDATE, FRONTIER, KernelTrial, Labels, TrainTrial
from ..core.wording import shown
from .entries import Entry
from .references import standing
from .starts import with_starts
from .suite import MAX_TRIALS, Kernels, Suite, Variant


def expand(
    suite: Suite, outlines: Mapping[str, Outline], digests: Mapping[str, str], trunks: Mapping[str, str] | None = None
) -> tuple[TrainTrial, ...]:
    """Every trial of a suite, problem by problem and seed by seed: the baseline, the methods, the references.

    outlines  what is known of each problem, by its name in the suite; problems without one are left out
    digests   SHA-256 of each problem's files, by the same name; "" where it has none
    trunks    SHA-256 of each file whose trunk a method starts from

    Trials that differ in method alone share problem, seed and data: they are paired. Raises SuiteError, without making
    them all, where there are more than MAX_TRIALS, and MtlbenchError where ``init_from`` asks for the trunk of a seed
    that does not exist.
    """
    every = (
        trial
        for problem in suite.problems
        if problem.name in outlines
        for seed in seeds_on(suite, outlines[problem.name])
        for trial in _of_seed(suite, problem, outlines[problem.name], digests[problem.name], seed)
    )
    trials = tuple(islice(every, MAX_TRIALS + 1))
    if len(trials) > MAX_TRIALS:
        message = (
            f"expected at most {MAX_TRIALS:,} trials, got more, of methods, engines, candidates, folds, points of "
        )
        message += (
            f"the frontier, pairs of tasks and the baseline's tasks, for {len(suite.seeds)} seeds: split the suite"
        )
        raise SuiteError([Issue(str(suite.path), 0, 0, message)])
    return with_starts(suite, trials, trunks or {})


def seeds_on(suite: Suite, outline: Outline) -> Iterator[int]:
    """The suite's seeds that differ on a problem."""
    yield from (seed for seed in suite.seeds if outline.seeds is None or seed < outline.seeds)


def _of_seed(
    suite: Suite, problem: Entry[ProblemEntry], outline: Outline, data: str, seed: int
) -> Iterator[TrainTrial]:
    tasks = outline.names
    for task in tasks:
        for engine in suite.baseline.engines:
            yield from _tried(suite, suite.baseline, problem, (task,), engine.name, data, seed)
    for method in suite.methods:
        if any(choice.name == problem.name for choice in method.problems):
            for engine in method.engines:
                judged = method.learner.checked.stages(tasks)[-1]
                yield from _tried(suite, method, problem, judged, engine.name, data, seed)
    for reference in standing(suite, problem.name, outline):
        trial = _trial(suite, reference, problem, tasks, reference.engines[0].name, data, seed)
        yield trial.labelled(reference=True)
    yield from _scalarized(suite, problem, tasks, data, seed)
    yield from _together(suite, problem, tasks, data, seed)


def _scalarized(
    suite: Suite, problem: Entry[ProblemEntry], tasks: tuple[str, ...], *where: Any
) -> Iterator[TrainTrial]:
    """The points of the scalarization frontier on one seed, each with the candidates that a method would have."""
    if suite.frontier is None or len(tasks) < 2:
        return
    variant = suite.frontier.uniform
    if any(choice.name == problem.name for choice in variant.problems):
        tried = list(_tried(suite, variant, problem, tasks, variant.engines[0].name, *where))
        for name, weighting in suite.frontier.weightings(tasks):
            for trial in tried:
                role = trial.labels.role or FRONTIER
                yield trial.with_parts(weighting=weighting).labelled(role=role, point=name, exclusive=False)


def _together(suite: Suite, problem: Entry[ProblemEntry], tasks: tuple[str, ...], *where: Any) -> Iterator[TrainTrial]:
    """What ``affinity`` asks of one seed: every pair of tasks, and all tasks with a look at their gradients."""
    if suite.affinity is None or len(tasks) < 2:
        return
    method, probe = suite.affinity
    if any(choice.name == problem.name for choice in method.problems):
        engine = method.engines[0].name
        asked = [(method, pair, " + ".join(pair)) for pair in combinations(tasks, 2)]
        for variant, some, what in [*asked, (probe, tasks, "gradients")]:
            trial = _trial(suite, variant, problem, some, engine, *where)
            yield trial.labelled(role=AFFINITY, choice=what, exclusive=False)


def _tried(suite: Suite, variant: Variant, *where: Any) -> Iterator[TrainTrial]:
    """The trial of a method; or its candidates, of which the records will choose one, fold by fold. Where one of them
    is judged by folds, all are, so that their scores are of the same rows.
    """
    plain = [_trial(suite, alternative, *where) for alternative in variant.alternatives]
    options = [option for trial, alternative in zip(plain, variant.alternatives, strict=True)
               for option in _options(trial, alternative)]  # fmt: skip
    if len(options) == 1:
        yield replace(options[0], fold=(0, 0))
        return
    folds = max(option.fold[1] for option in options)
    for option in options:
        for part in range(folds) if folds else (0,):
            yield replace(option, fold=(part, folds)).labelled(role=CANDIDATE)


def _options(trial: TrainTrial, variant: Variant) -> Iterator[TrainTrial]:
    """The trial with each weighting that its own one offers; ``fold`` says by how many folds to choose."""
    folds, specs = variant.weighting.checked.candidates(trial.tasks) if variant.weighting.used else (0, ())
    if not specs:
        yield trial
    for spec in specs:
        differing = (f"{key}={shown(value)}" for key, value in spec.items() if value != variant.weighting.spec.get(key))
        label = ", ".join(filter(None, [trial.labels.choice, *differing]))
        yield replace(trial.with_parts(weighting=spec), fold=(0, folds)).labelled(choice=label)


def _trial(
    suite: Suite,
    variant: Variant,
    problem: Entry[ProblemEntry],
    tasks: tuple[str, ...],
    engine: str,
    data: str,
    seed: int,
) -> TrainTrial:
    specs = {part.coordinate: variant[key].spec for key, part in PARTS.items() if part.coordinate}
    return TrainTrial(
        problem=problem.spec,
        tasks=tasks,
        parts={**specs, "start": {}},  # whose trunk it starts from is known when all trials are there
        engine=engine,
        seed=seed,
        device=variant.device,
        threads=variant.resources.checked.cpus,
        workers=variant.resources.checked.processes,
        data=data,
        labels=_labels(suite, variant, problem, seed),
    )


def _labels(suite: Suite, variant: Variant, problem: Entry[ProblemEntry], seed: int) -> Labels:
    resources = variant.resources.checked
    alone = resources.exclusive == "all" or (resources.exclusive == "first_seed" and seed == suite.seeds[0])
    return Labels(
        suite=suite.name,
        problem=problem.label,
        method=variant.label,
        baseline=variant.label == suite.baseline.label,
        resources={
            "cpus": resources.cpus * resources.processes,
            "gpus": resources.gpus,
            "timeout": resources.timeout,
        },
        choice=variant.choice,
        exclusive=alone,
    )


def expand_kernels(suite: Suite, kernels: Kernels) -> Iterator[KernelTrial]:
    """Every kernel trial of a suite: cases x devices x processes, each alone on its machine."""
    timing = kernels.timing.checked
    for case in kernels.cases:
        kernel = {"case": case.spec, "contenders": kernels.contenders(case)}
        for device in timing.devices:
            for process in range(timing.processes):
                yield KernelTrial(
                    kernel={**kernel, "rounds": timing.rounds, "seconds": timing.seconds},
                    seed=process,
                    device=device,
                    threads=timing.threads,
                    labels=Labels(
                        suite=suite.name,
                        problem=kernels.title(case),
                        method="kernel",
                        resources={"cpus": timing.threads, "gpus": int(device == "cuda"), "timeout": timing.timeout},
                        exclusive=True,
                    ),
                )
