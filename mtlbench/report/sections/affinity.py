"""What tasks do to each other: gains of pairs, gradient cosines, lookahead affinities, and a grouping."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ...core.record import COSINE, LOOKAHEAD_AFFINITY
from ...core.trial import AFFINITY
from ...core.wording import listing, plural
from ..evidence.evidence import Evidence
from ..evidence.frames import ReportData, rows
from ..evidence.grouping import FEWEST_SEEDS, MOST_TASKS, RESAMPLINGS, Array, Grouping, best_grouping
from ..evidence.statistics import Interval, mean_interval
from ..writing.figures import INK, WIDTH, draw, shortened
from ..writing.format import bracket, decimals_of_largest, number
from ..writing.parts import Cell, Column, Figure, Panel, Part, Statement, Table, Tone, file_names

_CAPTION = (
    "Gain: main test metric of the task trained with the other alone, against single-task training, in percent, mean "
    "over seeds with its 95 % interval (not corrected for the number of pairs). Cosine: of the two tasks' gradients by "
    "the shared parameters. Affinity: how much a gradient step for the other task lowers this task's loss, in percent "
    "of it (Fifty et al., 2021). Cosine and affinity are means over epochs and seeds of the training on all tasks."
)
_COLUMNS = (
    Column("task", number=False),
    Column("with", number=False),
    Column("gain [%]", higher=True),
    Column("cosine"),
    Column("affinity [%]"),
)

_BESIDE = 6  # most tasks whose three matrices stand beside each other


@dataclass(frozen=True)
class _Matrices:
    """Of one problem: gains [T, T, S] in percent, row trained with column; cosines and affinities of row onto column
    [T, T].
    """

    problem: str
    tasks: tuple[str, ...]
    gains: Array
    cosines: Array
    affinities: Array

    def complete(self) -> Array:
        """The gains from seeds for which every pair was trained."""
        apart = ~np.eye(len(self.tasks), dtype=bool)
        return self.gains[:, :, np.isfinite(self.gains[apart]).all(0)]

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Ordered pairs of tasks."""
        count = len(self.tasks)
        yield from ((i, j) for i in range(count) for j in range(count) if i != j)


def section(evidence: Evidence) -> Part | None:
    """One panel, one figure and one recommendation per problem."""
    data = evidence.data
    asked = data.tried[data.tried["role"] == AFFINITY]
    problems = [_matrices(data, str(problem), asked) for problem in asked["problem"].unique()]
    problems = [matrices for matrices in problems if len(matrices.tasks) > 1]
    if not problems:
        return None
    table = Table("affinity", "Pairs of tasks", _CAPTION, pd.DataFrame(_raw(problems)), tuple(map(_panel, problems)))
    names = file_names([matrices.problem for matrices in problems], "affinity")
    figures = tuple(_figure(names[matrices.problem], matrices) for matrices in problems)
    said = tuple(_recommendation(matrices, best_grouping(matrices.complete())) for matrices in problems)
    return Part("affinity", "Which tasks belong together", said, (table,), figures)


def _matrices(data: ReportData, problem: str, asked: pd.DataFrame) -> _Matrices:
    tasks = data.tasks(problem)
    place = {task.name: i for i, task in enumerate(tasks)}
    engine = str(asked.loc[asked["problem"] == problem, "engine"].iloc[0])
    single = data.baseline_scores(problem, engine)
    facts = data.tried_records[(data.tried_records["role"] == AFFINITY) & (data.tried_records["problem"] == problem)]
    pairs: dict[str, tuple[str, str]] = {trial.trial: trial.tasks for trial in rows(asked) if len(trial.tasks) == 2}
    scores = np.full((len(tasks), len(tasks), len(single)), np.nan)
    seeds = {seed: s for s, seed in enumerate(single.index)}
    for fact in rows(facts[facts["main"] & (facts["split"] == "test") & facts["trial"].isin(pairs)]):
        one, two = pairs[fact.trial]
        i, j = place.get(fact.task, -1), place.get(two if fact.task == one else one, -1)
        if min(i, j) >= 0 and fact.seed in seeds and fact.metric == tasks[i].metric:
            scores[i, j, seeds[fact.seed]] = fact.value
    signs = np.array([1.0 if task.higher else -1.0 for task in tasks])
    alone = single.to_numpy().T  # [T, S]
    level = np.array([abs(_mean(values)) for values in alone])
    with np.errstate(divide="ignore", invalid="ignore"):
        gains = 100 * signs[:, None, None] * (scores - alone[:, None, :]) / level[:, None, None]
    measured = (_measured(facts, metric, place) for metric in (COSINE, LOOKAHEAD_AFFINITY))
    return _Matrices(problem, tuple(place), gains, *measured)


def _measured(facts: pd.DataFrame, metric: str, place: dict[str, int]) -> Array:
    """Means over epochs and seeds [T, T], ``task`` by ``other``."""
    matrix = np.full((len(place), len(place)), np.nan)
    chosen = facts[(facts["metric"] == metric) & (facts["split"] == "train")]
    means: dict[Any, float] = chosen.groupby(["task", "other"])["value"].mean().to_dict()
    for (task, other), value in means.items():
        if task in place and other in place:
            matrix[place[task], place[other]] = value
    return matrix


def _raw(problems: list[_Matrices]) -> Iterator[dict[str, object]]:
    for m in problems:
        for i, j in m.pairs():
            interval = _interval(m.gains[i, j])
            yield {
                "problem": m.problem,
                "task": m.tasks[i],
                "with": m.tasks[j],
                "gain": _mean(m.gains[i, j]),
                "low": interval.low if interval else math.nan,
                "high": interval.high if interval else math.nan,
                "cosine": m.cosines[i, j],
                "affinity": 100 * m.affinities[j, i],
            }


def _mean(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def _interval(values: Array) -> Interval | None:
    return mean_interval(values[np.isfinite(values)])


def _panel(m: _Matrices) -> Panel:
    cells = []
    decimals = decimals_of_largest(100 * m.affinities[j, i] for i, j in m.pairs())
    for i, j in m.pairs():
        gain, interval = _mean(m.gains[i, j]), _interval(m.gains[i, j])
        cosine, affinity = m.cosines[i, j], 100 * m.affinities[j, i]
        cells.append((
            Cell(m.tasks[i]),
            Cell(m.tasks[j]),
            Cell(bracket(gain, interval, 2), gain, interval),
            Cell(number(cosine, 3, sign=True), cosine),
            Cell(number(affinity, decimals), affinity),
        ))  # fmt: skip
    return Panel(m.problem, _COLUMNS, tuple(cells))


def _recommendation(m: _Matrices, grouping: Grouping | None) -> Statement:
    if len(m.tasks) > MOST_TASKS:
        why = f"the exact search stops at {MOST_TASKS} tasks, and there are {len(m.tasks)}"
        return Statement(f"On {m.problem} no grouping is recommended: {why}. The gains of pairs are below.", "warning")
    if grouping is None:
        return Statement(f"On {m.problem} pairs are missing, so that no grouping can be recommended.", "warning")
    groups = ", ".join("{" + " + ".join(m.tasks[i] for i in group) + "}" for group in grouping.groups)
    doubtful = _doubtful(m)
    sure = _certainty(m, grouping, doubtful)
    tone: Tone = "unclear" if doubtful or (grouping.share or 0) < 0.8 else "plain"
    if len(grouping.groups) == len(m.tasks):
        return Statement(f"On {m.problem} no group of tasks is predicted to gain: train them apart; {sure}.", tone)
    gain = bracket(grouping.gain, grouping.interval, 2)
    text = (
        f"On {m.problem} the pairs recommend the groups {groups}, predicted to gain {gain} % over single-task training"
    )
    caution = (
        "The gain is predicted from pairs, not measured, and too good by the choice of the best: train the groups "
        "before relying on them"
    )
    return Statement(f"{text}; {sure}. {caution}.", tone)


def _certainty(m: _Matrices, grouping: Grouping, doubtful: list[str]) -> str:
    """How certain a grouping is: what resampling the seeds says, and which gains may be zero."""
    seeds, planned = m.complete().shape[2], m.gains.shape[2]
    if grouping.share is None:
        sure = f"{plural(seeds, 'seed')} cannot say how sure that is, {FEWEST_SEEDS} could"
    else:
        sure = (
            f"resampling the seeds {RESAMPLINGS:,} times recommends the same {100 * grouping.share:.0f} % of the time"
        )
    if seeds < planned:
        sure += f"; {seeds} of {plural(planned, 'seed')} have every pair, and speak here alone"
    if not doubtful:
        return sure
    of = f"{len(doubtful)} of the {len(list(m.pairs()))} gains it rests on"
    return f"{sure}; {of} may be of either sign, with intervals that hold zero: {listing(doubtful, 4)}"


def _doubtful(m: _Matrices) -> list[str]:
    intervals = {pair: _interval(m.gains[pair]) for pair in m.pairs()}
    return [f"{m.tasks[i]} with {m.tasks[j]}" for (i, j), each in intervals.items() if each and each.contains(0)]


def _figure(name: str, m: _Matrices) -> Figure:
    title = f"Pairs of tasks on {m.problem}: gain, gradient cosine, lookahead affinity"
    gains = {(i, j): _mean(m.gains[i, j]) for i, j in m.pairs()}
    ranked = [(gain, pair) for pair, gain in gains.items() if math.isfinite(gain)]
    alt = f"{title}."
    if ranked:
        (most, (i, j)), (least, (k, n)) = max(ranked), min(ranked)
        alt += f" {m.tasks[i]} gains most, with {m.tasks[j]} ({number(most, 1, sign=True)} %);"
        alt += f" {m.tasks[k]} least, with {m.tasks[n]} ({number(least, 1, sign=True)} %)."
    count = len(m.tasks)
    size = (WIDTH, 1.6 + 0.33 * count) if count <= _BESIDE else (2.2 + 0.5 * count, 3 * (1.4 + 0.5 * count))
    return draw(name, title, alt, size, lambda canvas: _paint(canvas, m))


def _paint(canvas: Canvas, m: _Matrices) -> None:
    gains = np.array([[_mean(values) for values in row] for row in m.gains])
    factor, unit = _unit(m.affinities)
    panels = (
        (gains, "gain [%] of row, trained with column"),
        (m.cosines, "cosine of gradients"),
        (factor * m.affinities, f"affinity [{unit}] of row onto column"),
    )
    grid = canvas.subplots(*((1, 3) if len(m.tasks) <= _BESIDE else (3, 1)))
    for axes, (matrix, title) in zip(grid, panels, strict=True):
        _heat(axes, np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix), m.tasks)
        axes.set_title(title)


def _unit(shares: Array) -> tuple[float, str]:
    """The unit in which the largest share has its first digit just before or after the point, and the factor to it."""
    most = _largest(shares)
    thousands = max(0, math.ceil(-1 / 3 - math.log10(100 * most) / 3)) if most > 0 else 0
    power = str(-3 * thousands).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return 100 * 1000.0**thousands, f"10{power} %" if thousands else "%"


def _largest(matrix: Array) -> float:
    sizes = np.abs(matrix[np.isfinite(matrix) & ~np.eye(len(matrix), dtype=bool)])
    return float(sizes.max()) if sizes.size else 0.0


def _heat(axes: Axes, matrix: Array, tasks: tuple[str, ...]) -> None:
    most = _largest(matrix) or 1.0
    axes.imshow(matrix, cmap="PuOr_r", vmin=-most, vmax=most)
    decimals = decimals_of_largest([most])
    for i, j in np.argwhere(~np.eye(len(tasks), dtype=bool)).tolist():
        dark = abs(matrix[i, j]) > 0.7 * most
        text = number(float(matrix[i, j]), decimals)
        axes.text(j, i, text, ha="center", va="center", fontsize=9, color="white" if dark else INK)
    ticks = range(len(tasks))
    axes.set_xticks(ticks, [shortened(task, 12) for task in tasks], rotation=45, ha="right")
    axes.set_yticks(ticks, [shortened(task, 12) for task in tasks])
    axes.grid(visible=False)
