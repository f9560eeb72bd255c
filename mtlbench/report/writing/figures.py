"""The look of figures, and matplotlib to SVG: the same bytes for the same data."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ...core.wording import clean
from .format import MINUS
from .parts import Figure

WIDTH = 10.0  # inches; as wide as the page
INK, QUIET, RULE, PAPER = "#1f2a37", "#6b7684", "#d5dbe1", "#ffffff"  # html.py turns these into the page's own colours
GOOD, BAD, UNCLEAR = "#2f855a", "#c0532b", "#7d8894"
TONES = {"better": GOOD, "worse": BAD}
SERIES = ("#3566b8", "#d08a1d", "#2f9e7a", "#b5508c", "#5aa3d8", "#8a5cc2", "#c0532b", "#7a8b2a")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.2, 1.2, 1.2)))
_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # names may hold dollar signs
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
}


def draw(name: str, title: str, alt: str, size: tuple[float, float], paint: Callable[[Canvas], None]) -> Figure:
    """The picture that ``paint`` makes on an empty canvas of ``size`` inches."""
    with _quiet(), mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        canvas = Canvas(figsize=size, layout="constrained")
        paint(canvas)
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Title": clean(title)})
    return Figure(name, title, alt, buffer.getvalue())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings about letters that matplotlib's font lacks: the browser's font draws them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support", category=UserWarning)
        warnings.filterwarnings("ignore", message=r"constrained_layout not applied", category=UserWarning)
        yield


def colour(index: int) -> str:
    """The colour of the index-th series; colours repeat with another dash."""
    return SERIES[index % len(SERIES)]


def dash(index: int) -> Any:
    """The dash of the index-th series."""
    return DASHES[index // len(SERIES) % len(DASHES)]


def shortened(name: str, most: int = 28) -> str:
    """A name of at most ``most`` characters, so that it fits into a figure; the rest becomes an ellipsis."""
    text = clean(name)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def plain_numbers(axis: Any) -> None:
    """Tick labels in plain numbers, on a logarithmic axis at 1, 2 and 5 of each decade."""
    if axis.get_scale() == "log":
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace("-", MINUS)))


def place_labels(canvas: Canvas, axes: Axes, points: list[tuple[float, float, str]], must: set[str]) -> None:
    """Labels beside their points, as far as they hide no other label; those in ``must`` come first."""
    canvas.draw_without_rendering()  # so that the axes are where they will be
    taken: list[Any] = []
    for x, y, text in sorted(points, key=lambda point: (point[2] not in must, point[0])):
        for dx, dy, side in ((6, 6, "left"), (6, -6, "left"), (-6, 6, "right"), (-6, -6, "right")):
            label = axes.annotate(
                text, (x, y), (dx, dy), textcoords="offset points", ha=side, va="center", fontsize=8, color=INK
            )
            box = label.get_window_extent()
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= canvas.bbox.x1
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            label.remove()


def spread_ratio(values: list[float]) -> float:
    """Largest over smallest positive value; 1 where there is none."""
    positive = [v for v in values if math.isfinite(v) and v > 0]
    return max(positive) / min(positive) if positive else 1.0
