"""The best validation score so far by the number of candidates tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from ...core.wording import listing
from ..evidence.evidence import Evidence
from ..evidence.tunings import STILL, Tuning
from ..writing.figures import INK, QUIET, WIDTH, colour, draw, plain_numbers, shortened
from ..writing.parts import Figure

_HEIGHT = 3.4
_NAMED = 6  # methods drawn in colour, the best by Delta m; the others stay grey


def figure(evidence: Evidence, name: str, problem: str, made: Sequence[Tuning]) -> Figure | None:
    """One line per method whose points were spread over ranges, with the engine whose accuracy is shown; a dot where a
    line still falls at its end.
    """
    shown = [
        tuning
        for tuning in made
        if tuning.search
        and len(tuning.curve) > 1
        and (tuning.points or tuning.engine == evidence.engine(problem, tuning.method))
    ]
    if not shown:
        return None
    title = (
        f"Best validation score so far on {problem}, relative to the first candidate's, mean over seeds; dot: still "
    )
    title += f"falling, by more than {100 * STILL:g} % in the last quarter of the budget"
    alt = f"Best score by number of candidates for {listing((tuning.method for tuning in shown), 8)}"
    single = evidence.data.baseline(problem)
    order = [method for method in evidence.order(problem) if any(tuning.method == method for tuning in shown)]
    title += f"; in colour the best {_NAMED} by Δm" if len(order) > _NAMED + 1 else ""
    return draw(name, title, alt, (WIDTH, _HEIGHT), lambda canvas: _paint(canvas, shown, single, order))


def _paint(canvas: Canvas, shown: Sequence[Tuning], single: str, order: Sequence[str]) -> None:
    axes = canvas.subplots()
    named = [method for method in order if method != single][:_NAMED]
    for tuning in shown:
        if tuning.method == single:
            _line(axes, tuning, INK, (0, (3, 1.5)))
        elif tuning.method in named:
            _line(axes, tuning, colour(named.index(tuning.method)), "-")
        else:
            _line(axes, tuning, QUIET, (0, (1.5, 1.2)), "_")
    axes.set_xlabel("candidates tried", color=QUIET)
    axes.set_ylabel("best score / first", color=QUIET)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_numbers(axes.yaxis)
    lines, labels = axes.get_legend_handles_labels()
    if lines:
        canvas.legend(lines, labels, loc="outside lower center", ncols=min(4, len(lines)), fontsize=8)


def _line(axes: Axes, tuning: Tuning, tint: str, style: Any, label: str = "") -> None:
    tried = np.arange(1, len(tuning.curve) + 1)
    label = label or shortened(tuning.method)
    axes.plot(tried, tuning.curve, color=tint, linestyle=style, drawstyle="steps-post", label=label)
    if tuning.falling:
        axes.plot(tried[-1:], tuning.curve[-1:], "o", color=tint, markersize=6)
