"""The task covariance that methods learned, as correlations of every two tasks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.image import AxesImage

from ...core.record import CORRELATION
from ...core.wording import listing
from ..evidence.evidence import Evidence
from ..evidence.statistics import Array
from ..writing.figures import QUIET, WIDTH, draw, shortened
from ..writing.format import number
from ..writing.parts import Figure, Part, Statement, file_names

_COLUMNS = 3
_MOST = 6  # small pictures in a figure
_NAMED = 30  # most tasks whose names can be read beside a small picture


def section(evidence: Evidence) -> Part | None:
    """One figure a problem, one small picture for each method that learned how tasks relate."""
    facts = evidence.data.records
    facts = facts[(facts["metric"] == CORRELATION) & (facts["split"] == "train") & facts["value"].notna()]
    found = {}
    for problem in evidence.data.problems:
        names = evidence.data.planned_tasks(problem)
        chosen = facts[facts["problem"] == problem]
        of_method = {m: _matrix(chosen[chosen["method"] == m], names) for m in evidence.order(problem)}
        learned = {method: matrix for method, matrix in of_method.items() if matrix is not None}
        if learned:
            found[problem] = (names, dict(list(learned.items())[:_MOST]))
    if not found:
        return None
    stems = file_names(found, "relations")
    figures = tuple(_figure(stems[problem], problem, *each) for problem, each in found.items())
    statements = tuple(_statement(p, method, names, m) for p, (names, ms) in found.items() for method, m in ms.items())
    return Part("relations", "Learned relations of tasks", statements, figures=figures)


def _matrix(facts: pd.DataFrame, names: Sequence[str]) -> Array | None:
    """Correlations [T, T], mean over seeds, NaN for pairs that have none; None where no pair has one."""
    place = {name: i for i, name in enumerate(names)}
    facts = facts[facts["task"].isin(place) & facts["other"].isin(place)]
    if facts.empty:
        return None
    means = facts.groupby(["task", "other"], as_index=False)["value"].mean()
    one, other = (means[column].map(place).to_numpy(dtype=int) for column in ("task", "other"))
    matrix = np.full((len(names), len(names)), np.nan)
    np.fill_diagonal(matrix, 1)
    matrix[one, other] = matrix[other, one] = np.clip(means["value"], -1, 1)
    return matrix


def order(matrix: Array) -> list[int]:
    """Tasks so that those alike stand together: the leaves of average linkage on 1 - correlation, or on 1."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(matrix) < 3:
        return list(range(len(matrix)))
    apart = squareform(np.maximum(1 - np.nan_to_num(matrix), 0.0), checks=False)
    order: list[int] = leaves_list(linkage(apart, "average", optimal_ordering=True)).tolist()
    return order


def _statement(problem: str, method: str, names: Sequence[str], matrix: Array) -> Statement:
    above = np.triu_indices(len(names), 1)
    values = matrix[above]
    most, least = int(np.nanargmax(values)), int(np.nanargmin(values))
    pairs = [
        f"{names[above[0][i]]} and {names[above[1][i]]} ({number(values[i], 2, sign=True)})" for i in (most, least)
    ]
    return Statement(
        f"{method} on {problem}: mean correlation of two tasks {number(float(np.nanmean(values)), 2, sign=True)}; "
        f"most alike {pairs[0]}, least {pairs[1]}."
    )


def _figure(name: str, problem: str, names: Sequence[str], matrices: dict[str, Array]) -> Figure:
    title = (
        f"Learned correlation of tasks on {problem}, mean over seeds, tasks in the order of a hierarchical clustering"
    )
    alt = f"Matrices of task correlations learned by {listing(matrices, _MOST)}"
    lines = math.ceil(len(matrices) / _COLUMNS)
    return draw(name, title, alt, (WIDTH, 0.5 + 3.2 * lines), lambda canvas: _paint(canvas, names, matrices, lines))


def _paint(canvas: Canvas, names: Sequence[str], matrices: dict[str, Array], lines: int) -> None:
    columns = min(_COLUMNS, len(matrices))
    grid = canvas.subplots(lines, columns, squeeze=False)
    for axes in list(grid.flat)[len(matrices) :]:
        axes.set_visible(False)
    for axes, (method, matrix) in zip(grid.flat, matrices.items(), strict=False):
        picture = _heat(axes, names, matrix)
        axes.set_title(shortened(method, 24), fontsize=9)
    bar = canvas.colorbar(picture, ax=list(grid.flat), shrink=0.7, label="correlation")
    bar.outline.set_visible(False)


def _heat(axes: Axes, names: Sequence[str], matrix: Array) -> AxesImage:
    places = order(matrix)
    picture = axes.imshow(matrix[np.ix_(places, places)], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.grid(visible=False)
    if len(names) <= _NAMED:
        labels = [shortened(names[i], 14) for i in places]
        axes.set_xticks(range(len(names)), labels, rotation=90, fontsize=6)
        axes.set_yticks(range(len(names)), labels, fontsize=6)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xlabel(f"{len(names)} tasks", color=QUIET)
    axes.tick_params(length=0)
    return picture
