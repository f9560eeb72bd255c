"""Mean ranks of the methods of a problem, and how certain they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .frames import ReportData
from .statistics import Array, seed_ranks


def ranks_of(data: ReportData, problem: str, method: str, engine: str) -> Array:
    """The mean rank over tasks of one method with one engine, of every seed that all methods have.

    Every other method enters once, with its first engine, so that rows of different engines are among the same methods.
    Empty for a method that has no finite score on every task.
    """
    higher = np.array([task.higher for task in data.tasks(problem)], dtype=bool)
    first = {name: first_scores(data, problem, name) for name in data.methods(problem)}
    own = {method: data.scores(problem, method, engine).dropna()}
    ranked = {name: scores for name, scores in {**first, **own}.items() if len(scores)}
    if method not in ranked or not len(higher):
        return np.empty(0)
    return seed_ranks(_stacked(ranked), higher)[:, list(ranked).index(method)]


def first_scores(data: ReportData, problem: str, method: str) -> pd.DataFrame:
    """The seeds of a method with a finite score on every task, with the first engine on which it has any."""
    by_engine = [data.scores(problem, method, engine).dropna() for engine in data.engines_of(problem, method)]
    return next((scores for scores in by_engine if len(scores)), by_engine[0])


def _stacked(methods: Mapping[str, pd.DataFrame]) -> Array:
    """Scores [seeds, methods, tasks] over the seeds that all methods have."""
    common = sorted(set.intersection(*(set(scores.index) for scores in methods.values())))
    return np.stack([scores.loc[common].to_numpy() for scores in methods.values()], axis=1)
