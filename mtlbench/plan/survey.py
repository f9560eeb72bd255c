"""What only the data and the machine can tell of a suite: impossible pairs, unusable files, missing GPUs."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, islice
from pathlib import Path

from ..architectures.base import Architecture
from ..core.config import Config
from ..core.errors import Issue, MtlbenchError, either
from ..core.metrics import own_code
from ..core.task import Outline
from ..core.trial import names
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
from .kernel_checks import kernel_faults

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


@dataclass
class Survey:
    """What is known of a suite's problems, by their names in the suite, and the faults found on the way."""

    suite: Suite
    outlines: dict[str, Outline] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    code: dict[str, str] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)

    def add(self, place: Place, message: str) -> None:
        """Note a fault."""
        self.issues.append(Issue(str(self.suite.path), *place, message))

    def problem(self, entry: Entry) -> None:
        """Look at one problem's data."""
        try:
            self.outlines[entry.name] = outline = entry.config.outline(self.suite.root)
            self.digests[entry.name] = digest(entry, self.suite.root, outline)
        except (MtlbenchError, OSError) as error:
            self.outlines.pop(entry.name, None)
            self.add(sentence_place(entry.node, str(error)), f"problem '{entry.name}': {error}")

    def kinds(self, variant: Variant) -> bool:
        """Whether every ``module:attribute`` is of the kind that its key asks for."""
        entries = [*variant.problems, *variant.parts, *variant.engines]
        wrong = [entry for entry in entries if entry.config and not isinstance(entry.config, _KINDS[entry.key])]
        for entry in wrong:
            kind = _KINDS[entry.key]
            self.add(
                entry.node["name"].place,
                f"{entry.key} '{entry.spec['name']}': expected a subclass of {kind.__module__}.{kind.__name__}, "
                f"got {type(entry.config).__name__}",
            )
        return not wrong

    def pairs(self, variant: Variant, size: int = 0) -> None:
        """Look at a variant on each of its problems: does it fit all tasks, or every ``size`` of them alone?"""
        before = len(self.issues)
        for problem in variant.problems:
            outline = self.outlines.get(problem.name)
            if outline is None:
                continue
            for part in map(outline.only, combinations(outline.names, size)) if size else [outline]:
                for entry, sentence in _misfits(variant, part):
                    message = f"{entry.key} '{entry.name}' on problem '{problem.name}': {sentence}"
                    self.add(sentence_place(entry.node, sentence), message)
        if len(self.issues) == before:
            self._strangers(variant.architecture)

    def _strangers(self, architecture: Entry) -> None:
        """See to it that an architecture speaks of tasks that some problem has."""
        if architecture.config and len(self.outlines) == len(self.suite.problems):
            tasks = [name for outline in self.outlines.values() for name in outline.names]
            for sentence in architecture.config.strangers(tasks):
                self.add(sentence_place(architecture.node, sentence), sentence)

    def by_twos(self, variant: Variant) -> None:
        """See to it that the method of ``affinity``, where it fits all tasks of a problem, fits every two of them."""
        for problem in variant.problems:
            outline = self.outlines.get(problem.name)
            if outline is None or any(_misfits(variant, outline)):
                continue
            twos = combinations(outline.names, 2)
            found = ((two, *misfit) for two in twos for misfit in _misfits(variant, outline.only(two)))
            for (one, other), entry, sentence in islice(found, 1):  # the other pairs would say the same
                message = f"affinity trains tasks in pairs, and {entry.key} '{entry.name}' on problem '{problem.name}'"
                message += f" does not fit {one} with {other}: {sentence}; name another method under affinity"
                self.add(sentence_place(entry.node, sentence), message)

    def together(self, variant: Variant) -> None:
        """See to it that a variant trains all tasks of a problem together."""
        learner = variant.learner
        if learner.config and any(len(learner.config.stages(found.names)) > 1 for found in self.outlines.values()):
            message = f"affinity: expected a method that trains all tasks together, got learner {learner.name}"
            self.add(learner.node.place, f"{message}: name another method")

    def trunk(self, variant: Variant) -> None:
        """Look at the file whose trunk a variant starts from."""
        if variant.start.file is not None:
            try:
                self.code[variant.start.file] = _sha256([self.suite.root / variant.start.file])
            except OSError as error:
                message = f"init_from: expected a file of checkpoints/ in a results folder, got {error.filename}: "
                self.add(variant.init_from.node.place, message + (error.strerror or "unreadable"))

    def machine(self, variant: Variant, local: bool) -> None:
        """Look at what a variant needs of the machine."""
        for engine in (engine for engine in variant.engines if engine.used):
            for sentence in engine.config.check(variant.device):
                self.add(engine.node.place, f"engine '{engine.name}': {sentence}")
            for entry, sentence in _unrecordable(variant) if engine.config.choices.wrapper == "graph" else ():
                self.add(entry.node.place, f"engine '{engine.name}': {sentence}: choose engine fused")
            for sentence in _unable(variant, engine):
                self.add(variant.optimizer.node.place, sentence)
        if local and variant.device == "cuda" and not _gpus():
            node = variant.resources.node
            message = (
                "resources.gpus: expected a GPU on this machine, got none; set gpus: 0, or join a cluster with one"
            )
            self.add(node["gpus"].place if "gpus" in node else node.place, message)


def survey(suite: Suite, local: bool) -> Survey:
    """Look at a suite's problems, at every pair that it asks for and, where trials run here, at this machine."""
    found = Survey(suite)
    named = [alternative for variant in (suite.baseline, *suite.methods) for alternative in variant.alternatives]
    variants = [variant for variant in named if found.kinds(variant)]
    for problem in suite.problems:
        if isinstance(problem.config, Problem):
            found.problem(problem)
    for variant in variants:
        found.pairs(variant, size=int(variant.label == suite.baseline.label))
        found.machine(variant, local)
        found.trunk(variant)
        found.code |= {name: _sha256(_source(name)) for name in _own(variant)}
    if suite.affinity and all(map(found.kinds, suite.affinity)):
        found.by_twos(suite.affinity[0])
        found.together(suite.affinity[0])
    if suite.kernels:
        for place, message in kernel_faults(suite.kernels, bool(_gpus()) if local else True):
            found.add(place, message)
        cases = (str(case.spec["name"]) for case in suite.kernels.cases if case.config)
        found.code |= {name: _sha256(_source(name)) for name in cases if ":" in name}
    return found


def _unrecordable(variant: Variant) -> Iterator[tuple[Entry, str]]:
    """What of a variant a CUDA graph cannot record, or what would change where a recorded step could not see it."""
    for part in (variant.architecture, variant.weighting, variant.penalty):
        if part.config and not part.config.recordable:
            kind = "an" if part.key == "architecture" else "a"
            yield part, f"expected {kind} {part.key} that a CUDA graph can record, got {part.name}"
    if variant.schedule.config and variant.schedule.config.beta_decay != 1:
        yield variant.schedule, "expected a beta that stays, which a CUDA graph records once, got beta_decay"


def _unable(variant: Variant, engine: Entry) -> Iterator[str]:
    """Why a variant's optimizer cannot update as an engine does, and which engines here would do."""
    optimizer = variant.optimizer.config
    for reason in optimizer.check(engine.config.choices.update) if optimizer else ():
        others = ((name, ENGINES.build({"name": name})) for name in ENGINES)
        able = [name for name, e in others if not (e.check(variant.device) or optimizer.check(e.choices.update))]
        message = f"optimizer '{variant.optimizer.name}' {reason}, as engine '{engine.name}' updates"
        yield f"{message}: use engine {either(able)}, or another optimizer"


def digest(entry: Entry, root: Path, outline: Outline) -> str:
    """SHA-256 of all that decides a problem's data beside its parameters, and what its metrics say of them: its files,
    and the source file of it and of each metric that is a ``module:attribute``; "" where there is nothing. Contents
    count, paths do not.
    """
    metrics = sorted({name for task in outline.tasks for name in task.metrics if own_code(name)})
    sources = [path for name in (entry.spec["name"], *metrics) for path in _source(name)]
    return _sha256([*entry.config.files(root), *sources])


def _sha256(files: Iterable[Path]) -> str:
    """Of all files together; "" for no file."""
    total = hashlib.sha256()
    empty = total.hexdigest()
    for path in files:
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return "" if total.hexdigest() == empty else total.hexdigest()


def _own(variant: Variant) -> Iterator[str]:
    """The entries that are the user's own code, the problem's apart, which its data already cover."""
    parts = (part for part in (*variant.parts, *variant.engines) if part.config)
    yield from (name for part in parts for name in names(part.spec) if ":" in name)


def _source(name: str) -> Iterator[Path]:
    """The file behind a ``module:attribute`` that has been imported."""
    module, _, attribute = name.partition(":")
    if attribute and (source := inspect.getsourcefile(getattr(importlib.import_module(module), attribute))):
        yield Path(source)


def _misfits(variant: Variant, outline: Outline) -> Iterator[tuple[Entry, str]]:
    """What of a variant does not fit the tasks that are trained together, at any stage; each fault once."""
    stages: tuple[tuple[str, ...], ...] = (outline.names,)
    if variant.learner.config:
        faults = list(variant.learner.config.check(outline))
        yield from ((variant.learner, fault) for fault in faults)
        stages = stages if faults else variant.learner.config.stages(outline.names)
    if len(stages) > 1 and variant.architecture.config and not variant.architecture.config.transferable:
        expected = "expected shared parameters that do not depend on the tasks, as shared has without encoders"
        yield variant.architecture, f"{expected}: this learner trains other tasks before"
        return
    if len(stages) > 1 and variant.weighting.config and variant.weighting.config.candidates(outline.names)[1]:
        yield variant.weighting, f"expected weights that are given, got a choice by cross-validation: {_STAGED}"
        return
    found = {
        (entry.key, sentence): (entry, sentence)
        for stage in stages
        for entry, sentences in _misfits_together(variant, outline.only(stage))
        for sentence in sentences
    }
    yield from found.values() or _oversized(variant, outline.only(stages[0]))


def _oversized(variant: Variant, outline: Outline) -> Iterator[tuple[Entry, str]]:
    """What makes an optimizer impossible for as many parameters as there are."""
    if variant.optimizer.config and variant.architecture.config:
        for sentence in variant.optimizer.config.check_size(lambda: _parameters(variant, outline)):
            yield variant.optimizer, sentence


def _parameters(variant: Variant, outline: Outline) -> int:
    """How many parameters a variant trains, without memory for them; 0 where only the trial can tell: the tokens in
    use, and a trunk that is frozen, make them fewer, and not every user's module can be built of shapes alone.
    """
    import torch

    from ..engine.model import Model

    if outline.vocabulary or variant.start.freeze:
        return 0
    try:
        with torch.device("meta"):
            model = Model(variant.architecture.config, outline, seed=0)
    except Exception:  # the module may be the user's own: building it may raise anything
        return 0
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _misfits_together(variant: Variant, outline: Outline) -> Iterator[tuple[Entry, Iterable[str]]]:
    if outline.objectives and "architecture" not in uses(variant.learner):
        yield variant.learner, ["the tasks are formulas of a point, not of data: use learner gradient"]
    if variant.architecture.config:
        yield variant.architecture, variant.architecture.config.check(outline)
        if outline.objectives and not variant.architecture.config.analytic:
            yield variant.architecture, ["the tasks are formulas of a point, not of data: use architecture point"]
    if variant.weighting.config:
        yield variant.weighting, variant.weighting.config.check(outline.names)
    if variant.penalty.config and variant.architecture.config:
        yield variant.penalty, variant.penalty.config.check(outline, variant.architecture.config.common)
    if variant.optimizer.config and variant.weighting.config:
        weighting = variant.weighting.config
        moves = weighting.learned or bool(weighting.needs & GRADIENTS)
        yield variant.optimizer, variant.optimizer.config.check_weighting(moves)
    if variant.optimizer.config and variant.schedule.config:
        yield variant.schedule, variant.schedule.config.check(variant.optimizer.config)


def _gpus() -> list[str]:
    from ..measure.environment import gpu_names

    return gpu_names()
