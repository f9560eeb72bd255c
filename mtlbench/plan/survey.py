"""What only the data and the code behind a suite can tell: tasks, digests, unusable files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..core.digests import joint_digest
from ..core.errors import Issue, MtlbenchError
from ..core.protocols import ProblemEntry
from ..core.task import Outline
from ..problems.base import Problem
from ..suite.entries import Entry
from ..suite.explain import sentence_place
from ..suite.suite import Suite, Variant
from .fits import (
    Fault,
    faults_with_frontier,
    faults_with_machine,
    faults_with_pairs,
    faults_with_problems,
    gpus,
    wrong_kinds,
)
from .kernel_fits import kernel_faults
from .literature_fits import literature_faults
from .rank_fits import indivisible


@dataclass
class Survey:
    """What is known of a suite's problems, by their names in the suite, and the faults found on the way.

    digests  SHA-256 of each problem's files
    trunks   SHA-256 of each trunk's file
    """

    suite: Suite
    outlines: dict[str, Outline] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    trunks: dict[str, str] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)

    def add(self, faults: Iterable[Fault]) -> bool:
        """Note faults; whether there were any."""
        issues = [Issue(str(self.suite.path), *place, message) for place, message in faults]
        self.issues += issues
        return bool(issues)

    def problem(self, entry: Entry[ProblemEntry]) -> None:
        """Look at one problem's data."""
        try:
            self.outlines[entry.name] = entry.checked.outline(self.suite.root)
            self.digests[entry.name] = joint_digest(entry.checked.files(self.suite.root))
        except (MtlbenchError, OSError) as error:
            self.outlines.pop(entry.name, None)
            self.add([(sentence_place(entry.node, str(error)), f"problem '{entry.name}': {error}")])

    def trunk(self, variant: Variant) -> None:
        """Look at the file whose trunk a variant starts from."""
        if variant.start.file is not None:
            try:
                self.trunks[variant.start.file] = joint_digest([self.suite.root / variant.start.file])
            except OSError as error:
                message = f"init_from: expected a file of checkpoints/ in a results folder, got {error.filename}: "
                self.add([(variant["init_from"].node.place, message + (error.strerror or "unreadable"))])


def survey(suite: Suite, local: bool) -> Survey:
    """Look at a suite's problems, at every pair that it asks for and, where trials run here, at this machine."""
    seen = Survey(suite)
    points = (suite.frontier.uniform,) if suite.frontier else ()
    named = [alternative for variant in suite.trained for alternative in variant.alternatives]
    variants = [variant for variant in named if not seen.add(wrong_kinds(variant))]
    for problem in suite.problems:
        if isinstance(problem.config, Problem):
            seen.problem(problem)
    for variant in variants:
        seen.add(faults_with_problems(suite, variant, seen.outlines))
        seen.add(faults_with_machine(variant, local))
        seen.add(indivisible(variant))
        seen.trunk(variant)
    for variant in points:
        seen.add(faults_with_frontier(variant, seen.outlines))
    for reference in suite.references.variants:
        seen.add(wrong_kinds(reference))
    seen.add(literature_faults(suite.literature, seen.outlines))
    if suite.affinity and not any(seen.add(wrong_kinds(variant)) for variant in suite.affinity):
        seen.add(faults_with_pairs(suite.affinity[0], seen.outlines))
    if suite.kernels:
        seen.add(kernel_faults(suite.kernels, bool(gpus()) if local else True))
    return seen
