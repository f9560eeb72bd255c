"""Why there is no Delta m, or why it is not to be trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...core.wording import listing
from .frames import ReportData, Task
from .ranks import first_scores
from .statistics import shaky

LARGEST_SHARE = 0.7  # of Delta m, that one task may have before it is said


def why_no_pair(data: ReportData, problem: str, scores: pd.DataFrame, engine: str) -> str:
    """Why no seed of a method has a partner in the baseline."""
    if not len(scores):
        return "no finished trial"
    if scores.dropna().empty:
        return f"no finite score on {' or '.join(str(c) for c in scores.columns[scores.isna().any()])}"
    if not data.baseline(problem):
        return "no single-task baseline in the suite"
    if data.baseline_scores(problem, engine).dropna().empty:
        return "no single-task baseline with a finite score on every task"
    return "no seed in common with the single-task baseline"


def why_no_percentage(data: ReportData, problem: str, tasks: Sequence[Task], single: pd.DataFrame) -> str:
    """Why percentages of these single-task scores mean nothing; empty where they mean something."""
    zero = [task.name for task in tasks if single[task.name].mean() == 0]
    if zero:
        return f"the single-task {zero[0]} is exactly zero, so that no percentage of it exists"
    near = _near_zero(data, problem)
    doubted = [t for t in tasks if t.name in near or shaky(single[t.name].to_numpy())]
    if not doubted:
        return ""
    which = listing((f"{task.name} ({task.metric})" for task in doubted), 4)
    return f"the single-task value of {which} is near zero or uncertain, so that percentages of it mean nothing"


def _near_zero(data: ReportData, problem: str) -> set[str]:
    """Tasks whose single-task value is so small that the median method differs from it by more than ten times that
    value. (A single method that differs by so much has itself gone astray.)
    """
    methods = [method for method in data.methods(problem) if method != data.baseline(problem)]
    means = np.stack([first_scores(data, problem, method).mean().to_numpy() for method in methods])
    single = first_scores(data, problem, data.baseline(problem)).mean().to_numpy()
    off = np.abs(means[np.isfinite(means).all(1)] - single)
    if not len(off):
        return set()
    near = np.median(off, axis=0) > 10 * np.abs(single)
    return {task.name for task, zero in zip(data.tasks(problem), near, strict=True) if zero}
