"""The parts of the report, one row and one file each, in the order of the report."""

from __future__ import annotations

# One row per section, in the order of the report: name -> "module:function" from Evidence to Part, or to None where
# there is nothing to show.
SECTIONS: dict[str, str] = {
    "verdict": "mtlbench.report.sections.verdict:section",
    "failures": "mtlbench.report.sections.failures:section",
    "methods": "mtlbench.report.sections.methods:section",
    "convergence": "mtlbench.report.sections.convergence:section",
    "across": "mtlbench.report.sections.across:section",
    "references": "mtlbench.report.sections.references:section",
    "literature": "mtlbench.report.sections.literature:section",
    "footing": "mtlbench.report.sections.footing:section",
    "pooled": "mtlbench.report.sections.pooled:section",
    "tuning": "mtlbench.report.sections.tuning:section",
    "gains": "mtlbench.report.sections.gains:section",
    "companions": "mtlbench.report.sections.companions:section",
    "frontier": "mtlbench.report.sections.frontier:section",
    "front": "mtlbench.report.sections.front:section",
    "tasks": "mtlbench.report.sections.tasks:section",
    "pairwise": "mtlbench.report.sections.pairwise:section",
    "affinity": "mtlbench.report.sections.affinity:section",
    "throughput": "mtlbench.report.sections.throughput:section",
    "tradeoff": "mtlbench.report.sections.scatter:section",
    "curves": "mtlbench.report.sections.curves:section",
    "weights": "mtlbench.report.sections.weights:section",
    "relations": "mtlbench.report.sections.relations:section",
    "kernels": "mtlbench.report.sections.kernels:section",
    "environment": "mtlbench.report.sections.environment:section",
    "notes": "mtlbench.report.sections.notes:section",
}
