"""What of a suite cannot go together, and what this machine lacks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, islice
from typing import Any

from ..architectures.base import Architecture
from ..core.config import Config
from ..core.errors import either
from ..core.task import Outline
from ..engine.table import TABLE as ENGINES
from ..engine.table import Engine
from ..learners.base import Learner
from ..optim import Optimizer, Schedule
from ..penalties.base import Penalty
from ..problems.base import Problem
from ..suite.entries import Entry
from ..suite.explain import sentence_place
from ..suite.suite import Suite, Variant
from ..suite.tree import Place
from ..suite.uses import uses
from ..weightings.base import GRADIENTS, Weighting

Fault = tuple[Place, str]
Misfit = tuple[Entry[Any], str]  # the entry that does not fit, and why, in a sentence
Outlines = Mapping[str, Outline]  # by the problem's name in the suite

_KINDS: dict[str, type[Config]] = {
    "problem": Problem,
    "architecture": Architecture,
    "weighting": Weighting,
    "learner": Learner,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "penalty": Penalty,
    "engine": Engine,
}
_STAGED = "this learner trains other tasks before, which have weights of their own"


def wrong_kinds(variant: Variant) -> Iterator[Fault]:
    """Every ``module:attribute`` that is not of the kind that its key asks for."""
    for entry in (*variant.problems, *variant.named, *variant.engines):
        kind = _KINDS.get(entry.key, Config)
        if entry.config and not isinstance(entry.config, kind):
            yield (
                entry.node["name"].place,
                f"{entry.key} '{entry.spec['name']}': expected a subclass of {kind.__module__}.{kind.__name__}, "
                f"got {type(entry.config).__name__}",
            )


def faults_with_problems(suite: Suite, variant: Variant, outlines: Outlines) -> Iterator[Fault]:
    """Why a method does not fit all tasks of its problems, or the baseline each of them alone."""
    fits = True
    for problem, outline in _looked_at(variant, outlines):
        alone = variant.label == suite.baseline.label
        for part in map(outline.only, combinations(outline.names, 1)) if alone else [outline]:
            for entry, sentence in _misfits(variant, part):
                fits = False
                message = f"{_called(entry)} on problem '{problem}': {sentence}"
                yield sentence_place(entry.node, sentence), message
    architecture = variant["architecture"]
    if fits and architecture.config and len(outlines) == len(suite.problems):
        tasks = [name for outline in outlines.values() for name in outline.names]
        for sentence in architecture.config.strangers(tasks):
            yield sentence_place(architecture.node, sentence), sentence


def _called(entry: Entry[Any]) -> str:
    """An entry of a table by its key and name, settings by their key alone."""
    return f"{entry.key} '{entry.name}'" if entry.name else entry.key


def faults_with_pairs(variant: Variant, outlines: Outlines) -> Iterator[Fault]:
    """Why a method, though it fits all tasks of a problem, cannot train every two of them, as ``affinity`` asks."""
    for problem, outline in _looked_at(variant, outlines):
        if any(_misfits(variant, outline)):
            continue
        pairs = combinations(outline.names, 2)
        misfits = ((pair, *misfit) for pair in pairs for misfit in _misfits(variant, outline.only(pair)))
        for (one, other), entry, sentence in islice(misfits, 1):  # the other pairs would say the same
            message = f"affinity trains tasks in pairs, and {_called(entry)} on problem '{problem}'"
            message += f" does not fit {one} with {other}: {sentence}; name another method under affinity"
            yield sentence_place(entry.node, sentence), message
    learner = variant.learner
    if learner.config and any(len(learner.config.stages(outline.names)) > 1 for outline in outlines.values()):
        message = f"affinity: expected a method that trains all tasks together, got learner {learner.name}"
        yield learner.node.place, f"{message}: name another method"


def faults_with_frontier(variant: Variant, outlines: Outlines) -> Iterator[Fault]:
    """Why the points of the scalarization frontier, though they fit their problems, would not be weightings of tasks
    that are trained together.
    """
    looked_at = dict(_looked_at(variant, outlines))
    if looked_at and all(len(outline.names) < 2 for outline in looked_at.values()):
        which = ", ".join(f"'{name}'" for name in looked_at)
        yield (
            variant.place,
            f"frontier: expected a problem of two tasks or more, got one task on {which}: remove the key",
        )
    learner = variant.learner
    if learner.config and any(len(learner.config.stages(outline.names)) > 1 for outline in looked_at.values()):
        message = f"frontier: expected a learner that trains all tasks together, got {learner.name}: name another "
        yield variant.place, f"{message}method under frontier.method"


def faults_with_machine(variant: Variant, local: bool) -> Iterator[Fault]:
    """What a method asks of its engines and of the machine and cannot have."""
    for engine in (engine for engine in variant.engines if engine.used):
        for sentence in engine.checked.check(variant.device):
            yield engine.node.place, f"engine '{engine.name}': {sentence}"
        for entry, sentence in _unrecordable(variant) if engine.checked.recipe.wrapper == "graph" else ():
            yield entry.node.place, f"engine '{engine.name}': {sentence}: choose engine fused"
        for sentence in _unable(variant, engine):
            yield variant["optimizer"].node.place, sentence
    wanted, found = variant.resources.config.gpus if variant.resources.config else 0, len(gpus())
    if local and found < wanted:
        node, one = variant.resources.node, wanted <= 1
        what, where = ("a GPU", "one") if one else (f"{wanted} GPUs", "as many on one node")
        yield (
            node["gpus"].place if "gpus" in node else node.place,
            f"resources.gpus: expected {what} on this machine, got {found or 'none'}; set gpus: {found}, or join a "
            f"cluster with {where}",
        )


def gpus() -> list[str]:
    """The names of this machine's GPUs."""
    from ..measure.environment import gpu_names

    return gpu_names()


def _looked_at(variant: Variant, outlines: Outlines) -> Iterator[tuple[str, Outline]]:
    """The problems of a variant whose data could be looked at."""
    names = (problem.name for problem in variant.problems)
    return ((name, outlines[name]) for name in names if name in outlines)


def _unrecordable(variant: Variant) -> Iterator[Misfit]:
    """What of a variant a CUDA graph cannot record, or what would change where a recorded step could not see it."""
    for key in ("architecture", "weighting", "penalty"):
        entry = variant[key]
        if entry.config and not entry.config.recordable:
            kind = "an" if key == "architecture" else "a"
            yield entry, f"expected {kind} {key} that a CUDA graph can record, got {entry.name}"
    schedule = variant["schedule"]
    if schedule.config and schedule.config.beta_decay != 1:
        yield schedule, "expected a beta that stays, which a CUDA graph records once, got beta_decay"


def _unable(variant: Variant, engine: Entry[Any]) -> Iterator[str]:
    """Why a variant's optimizer cannot update as an engine does, and which engines here would do."""
    optimizer = variant["optimizer"].config
    if optimizer is None:
        return
    for reason in optimizer.check(engine.checked.recipe.update):
        others = ((name, ENGINES.build({"name": name})) for name in ENGINES)
        able = [name for name, e in others if not (e.check(variant.device) or optimizer.check(e.recipe.update))]
        message = f"optimizer '{variant['optimizer'].name}' {reason}, as engine '{engine.name}' updates"
        yield f"{message}: use engine {either(able)}, or another optimizer"


def _misfits(variant: Variant, outline: Outline) -> Iterator[Misfit]:
    """What of a variant does not fit the tasks that are trained together, at any stage; each fault once."""
    stages: tuple[tuple[str, ...], ...] = (outline.names,)
    learner, architecture = variant["learner"], variant["architecture"]
    if learner.config:
        faults = list(learner.config.check(outline))
        yield from ((learner, fault) for fault in faults)
        stages = stages if faults else learner.config.stages(outline.names)
    if len(stages) > 1 and architecture.config and not architecture.config.transferable:
        expected = "expected shared parameters that do not depend on the tasks, as shared has without encoders"
        yield architecture, f"{expected}: this learner trains other tasks before"
        return
    if len(stages) > 1 and variant.weighting.config and variant.weighting.config.chosen_by_folds:
        yield variant.weighting, f"expected weights that are given, got a choice by cross-validation: {_STAGED}"
        return
    misfits = {
        (entry.key, sentence): (entry, sentence)
        for stage in stages
        for entry, sentences in _misfits_together(variant, outline.only(stage))
        for sentence in sentences
    }
    yield from misfits.values() or _oversized(variant, outline.only(stages[0]))


def _oversized(variant: Variant, outline: Outline) -> Iterator[Misfit]:
    """What makes an optimizer impossible for as many parameters as there are."""
    optimizer = variant["optimizer"]
    if optimizer.config and variant["architecture"].config:
        for sentence in optimizer.config.check_size(lambda: _parameters(variant, outline)):
            yield optimizer, sentence


def _parameters(variant: Variant, outline: Outline) -> int:
    """How many parameters a variant trains; 0 where only the trial can tell: the tokens in use, and a trunk that is
    frozen, make them fewer.
    """
    from ..engine.model import parameter_count

    if outline.vocabulary or variant.start.freeze:
        return 0
    return parameter_count(variant["architecture"].checked, outline)


def _misfits_together(variant: Variant, outline: Outline) -> Iterator[tuple[Entry[Any], Iterable[str]]]:
    architecture, weighting, penalty = variant["architecture"], variant["weighting"], variant["penalty"]
    optimizer, schedule, train = variant["optimizer"], variant["schedule"], variant["train"]
    if outline.objectives and not uses(variant.learner, "architecture"):
        yield variant.learner, ["the tasks are formulas of a point, not of data: use learner gradient"]
    if architecture.config:
        yield architecture, architecture.config.check(outline)
        if outline.objectives and not architecture.config.analytic:
            yield architecture, ["the tasks are formulas of a point, not of data: use architecture point"]
    if weighting.config:
        yield weighting, weighting.config.check(outline.names)
    if penalty.config and architecture.config:
        yield penalty, penalty.config.check(outline, architecture.config.common)
    if weighting.config and variant["heads"].config:
        yield variant["heads"], _heads_misfits(variant)
    if optimizer.config and weighting.config:
        moves = weighting.config.learned or bool(weighting.config.needs & GRADIENTS)
        yield optimizer, optimizer.config.check_weighting(moves)
    if optimizer.config and schedule.config:
        yield schedule, schedule.config.check(optimizer.config)
    if schedule.config and schedule.config.spans and train.config and not train.config.length_known:
        yield schedule, ["it is laid over all epochs, whose number until: plateau and steps leave open: use schedule "
                         "plateau, or train for a number of epochs"]  # fmt: skip


def _heads_misfits(variant: Variant) -> Iterator[str]:
    """Why the rule for the heads is impossible with a variant's weighting and optimizer."""
    rule, weighting, optimizer = variant["heads"].checked.rule, variant["weighting"], variant["optimizer"]
    kind = weighting.checked
    if rule == "weighted" and kind.reversing:
        yield (
            f"rule: expected own or published with weighting '{weighting.name}', got weighted: its lambda can be "
            "negative or is nominal, so that heads would climb their loss or follow a number that is none of theirs"
        )
    searches = optimizer.config is not None and not optimizer.config.trains_weightings
    if searches and not kind.needs & GRADIENTS and kind.heads(rule) != "weighted":
        yield (
            f"rule: expected weighted with weighting '{weighting.name}', got {rule}: optimizer '{optimizer.name}' "
            "searches along a line, for which all parameters must descend one function, sum_t lambda_t L_t"
        )
