"""``init_from``: whose trained trunk a trial starts from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ..core.errors import MtlbenchError, did_you_mean
from ..core.settings import InitFrom
from ..core.trial import TrainTrial
from .entries import Checker
from .suite import Suite, Variant
from .uses import uses


def check_starts(variants: Collection[Variant], methods: Mapping[str, Variant], checker: Checker) -> None:
    """Note trunks that no trial of the suite could give."""
    for variant in variants:
        if variant.start.method is not None:
            for message in _faults(variant, variant.start.method, methods):
                checker.add(variant["init_from"].node.place, f"init_from: {message}")


def _faults(variant: Variant, label: str, methods: Mapping[str, Variant]) -> Iterator[str]:
    source = methods.get(label)
    if source is None:
        yield f"unknown method '{label}', {did_you_mean(label, methods)}"
        return
    if source.chosen:
        yield f"expected a method without tune or cross-validation, got '{label}', whose trunk is not known beforehand"
    if not uses(source.learner, "optimizer"):
        yield f"expected a method that trains a network, got '{label}' with learner {source.learner.name}"
    if circle := _circle(variant, methods):
        yield f"expected a trunk that is trained before, got a circle: {' starts from '.join(circle)}"
    has = [problem.name for problem in source.problems]
    wanted = variant.start.problem
    if wanted is not None and wanted not in has:
        yield f"method '{label}' has no problem '{wanted}', {did_you_mean(wanted, has)}"
    lacking = [problem.name for problem in variant.problems if problem.name not in has]
    if wanted is None and lacking:
        yield f"method '{label}' has no problem '{lacking[0]}': say with 'problem' which of its own: {', '.join(has)}"


def _circle(variant: Variant, methods: Mapping[str, Variant]) -> list[str]:
    """The labels from a method back to itself; empty where it leads elsewhere."""
    walked = [variant.label]
    while (start := variant.start.method) in methods and start is not None:
        walked.append(start)
        if start == walked[0]:
            return walked
        if start in walked[1:-1]:  # the others' circle
            return []
        variant = methods[start]
    return []


def with_starts(suite: Suite, trials: Sequence[TrainTrial], digests: Mapping[str, str]) -> tuple[TrainTrial, ...]:
    """The trials, each with what it starts from, and marked where another starts from its trunk.

    digests  SHA-256 of each trunk's file

    Raises MtlbenchError where a seed has no trial to start from.
    """
    variants = {variant.label: variant for variant in suite.trained}
    if not any(variant.start.given for variant in variants.values()):
        return tuple(trials)
    trained = {_key(trial): trial for trial in trials if not trial.labels.role and not trial.labels.baseline}

    def started(trial: TrainTrial) -> TrainTrial:
        variant = variants.get(trial.labels.method)  # none of a reference
        if variant is None or not variant.start.given:
            return trial
        start = variant.start
        if start.file is not None:
            return trial.with_parts(start={"file": start.file, "sha256": digests[start.file], "freeze": start.freeze})
        source = trained.get(_source(trial, start, variants))
        if source is None:
            raise MtlbenchError(
                f"{trial.title}: expected a trial of method '{start.method}' with seed {trial.seed} to start from, got "
                "none: its problem has fewer seeds; lower seeds"
            )
        return trial.with_parts(start={"trial": started(source).id, "freeze": start.freeze})

    ready = tuple(map(started, trials))
    sources = {trial.source for trial in ready}
    return tuple(trial.labelled(keeps_trunk=True) if trial.id in sources else trial for trial in ready)


def _key(trial: TrainTrial) -> tuple[object, ...]:
    return (trial.labels.method, trial.problem_name, trial.engine, trial.seed)


def _source(trial: TrainTrial, start: InitFrom, variants: Mapping[str, Variant]) -> tuple[object, ...]:
    """The key of the trial that one starts from: on the same engine, where its method runs on that."""
    engines = [engine.name for engine in variants[str(start.method)].engines]
    engine = trial.engine if trial.engine in engines else engines[0]
    return (start.method, start.problem or trial.problem_name, engine, trial.seed)
