"""The figure of Delta m: one bar per method with its interval."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas

from ..evidence.deltas import Delta
from ..evidence.evidence import Evidence
from ..writing.figures import INK, QUIET, TONES, UNCLEAR, WIDTH, draw, shortened
from ..writing.parts import Figure, Part, file_names
from .verdict import gains


def section(evidence: Evidence) -> Part | None:
    """One figure per problem."""
    problems = [p for p in evidence.data.problems if any(d.relative for d in evidence.of(p))]
    names = file_names(problems, "delta_m")
    figures = tuple(_figure(names[problem], problem, evidence.of(problem)) for problem in problems)
    return Part("gains", "Gain over single-task training", figures=figures) if figures else None


def _figure(name: str, problem: str, deltas: tuple[Delta, ...]) -> Figure:
    shown = sorted((delta for delta in deltas if delta.relative), key=lambda delta: delta.mean)
    title = f"Δm on {problem}: bar is the mean, whisker the 95 % interval; colour where the difference is clear"
    alt = "Gain over single-task training: " + gains(shown[::-1], len(shown), shown)
    return draw(name, title, alt, (WIDTH, 0.9 + 0.27 * len(shown)), lambda canvas: _paint(canvas, problem, shown))


def _paint(canvas: Canvas, problem: str, shown: list[Delta]) -> None:
    axes = canvas.subplots()
    rows = range(len(shown))
    colours = [TONES.get(delta.outcome, UNCLEAR) for delta in shown]
    axes.barh(rows, [delta.mean for delta in shown], height=0.55, color=colours, alpha=0.45, linewidth=0)
    for row, delta, tint in zip(rows, shown, colours, strict=True):
        if delta.interval:
            axes.plot([delta.interval.low, delta.interval.high], [row, row], color=tint, linewidth=1.8)
        axes.plot([delta.mean], [row], "o", color=tint, markersize=4.5)
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.set_yticks(rows, [shortened(delta.title) for delta in shown], color=INK)
    axes.set_ylim(-0.7, len(shown) - 0.3)
    axes.tick_params(length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Δm [%], positive is better than single-task", color=QUIET)
    axes.set_title(shortened(problem, 60))
