"""Methods over several problems: mean ranks, tests over problems, and performance profiles."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ...core.power import ALPHA, can_be_significant, what_is_needed
from ...core.wording import listing, plural
from ..evidence.across import DELTA_M, FEWEST_PROBLEMS, Across, over_problems, profiles
from ..evidence.deltas import Outcome
from ..evidence.evidence import Evidence
from ..evidence.measures import MEASURES
from ..evidence.statistics import Array
from ..writing.figures import QUIET, WIDTH, colour, dash, draw, plain_numbers, shortened
from ..writing.format import NOTHING, bracket, number, p_value
from ..writing.parts import Cell, Column, Figure, Panel, Part, Statement, Table, panel_of

_CAPTION = (
    "Mean rank over problems among the methods that all problems have, 1 is best, with its 95 % interval (Student's t "
    "over problems: it speaks of problems like these). Outcomes: on how many problems a method is better than, worse "
    "than, and practically equal to single-task training, or undecided. p: Wilcoxon's signed-rank test over problems, "
    "against single-task Holm-corrected over methods, against the best of the table, which the data chose, over all "
    "pairs; – where so few problems cannot reach 0.05."
)
_COUNTED: dict[str, tuple[Outcome, ...]] = {  # columns of numbers of problems
    "better": ("better",),
    "worse": ("worse",),
    "equal": ("equal",),
    "undecided": ("undecided",),
    "no verdict": ("held", "few"),
}
_DRAWN = 8  # methods of the figure in colour, the best by mean rank


def section(evidence: Evidence) -> Part | None:
    """One table and one figure, if several problems have methods in common."""
    found = comparison(evidence)
    if found is None:
        return None
    rows = _rows(evidence, found)
    table = Table("across", "Methods over problems", _CAPTION, rows, (_panel(found, rows),))
    figure = _figure(found)
    return Part("across", "Over all problems", tables=(table,), figures=(figure,) if figure else ())


def comparison(evidence: Evidence) -> Across | None:
    """The methods over all problems of several tasks."""
    return over_problems(evidence.data, evidence.deltas)


def statements(evidence: Evidence) -> list[Statement]:
    """What the problems say together, for the verdict."""
    found = comparison(evidence)
    return _said(found) if found else []


def _said(found: Across) -> list[Statement]:
    by = "Δm" if found.measure == DELTA_M else f"the {MEASURES[found.measure]}, which unlike Δm exists on all of them"
    count = plural(len(found.problems), "problem")
    verb = "ranks" if len(found.leaders) == 1 else "rank"
    said = [
        Statement(f"Over {count}, by {by}, {listing(found.leaders)} {verb} best among {len(found.methods)} methods.")
    ]
    if found.left_out:
        missing = f"Not ranked, since not all problems have them: {listing(found.left_out)}."
        said.append(Statement(missing, "warning"))
    if found.testable:
        return said + _tested(found)
    why = (
        f"{count} are too few to test methods over problems: {FEWEST_PROBLEMS} are the fewest with which a paired test "
        f"of two methods can reach p = {ALPHA}. So ranks stand without tests."
    )
    return [*said, Statement(why, "unclear")]


def _tested(found: Across) -> list[Statement]:
    said = []
    p = found.friedman()
    if math.isfinite(p):
        word = "do not all rank alike" if p <= ALPHA else "cannot be told apart as a whole"
        said.append(Statement(f"Over these problems the methods {word} (Friedman's test, p = {p_value(p)})."))
    comparisons, problems = len(found.methods) - 1, len(found.problems)
    if not can_be_significant(problems, comparisons):
        needed = what_is_needed(comparisons, "problems")
        text = f"To tell any of {plural(comparisons, 'method')} from {found.baseline} takes {needed}."
        return [*said, Statement(text, "unclear")]
    clear = found.clear()
    better, worse = ([method for method, which in clear.items() if which == way] for way in ("better", "worse"))
    by = "(Wilcoxon's signed-rank test, Holm-corrected)"
    if better:
        said.append(Statement(f"Better than {found.baseline} over problems: {listing(better)} {by}.", "good"))
    if worse:
        said.append(Statement(f"Worse than {found.baseline} over problems: {listing(worse)} {by}.", "bad"))
    if not clear:
        said.append(Statement(f"No method differs clearly from {found.baseline} over these problems.", "unclear"))
    return said


def _rows(evidence: Evidence, found: Across) -> pd.DataFrame:
    ranks, problems = found.ranks, len(found.problems)
    best, single = found.best(), found.against(found.baseline)
    beside = found.against(best)
    lines: list[dict[str, object]] = []
    for m, method in enumerate(found.methods):
        interval = found.rank_interval(m)
        outcomes = [d.outcome for p in found.problems for d in evidence.of(p) if d.method == method]
        lines.append({
            "method": method,
            "problems": problems,
            "mean_rank": float(ranks[:, m].mean()),
            "mean_rank_low": interval.low if interval else math.nan,
            "mean_rank_high": interval.high if interval else math.nan,
            "measure": found.measure,
            "median_gain": float(np.median(found.gains[:, m])),
            **{title: sum(map(outcomes.count, counted)) for title, counted in _COUNTED.items()},
            "p_single_task": single.get(method, math.nan),
            "p_best": beside.get(method, math.nan),
        })  # fmt: skip
    return pd.DataFrame(lines).sort_values("mean_rank", kind="stable", ignore_index=True)


def _panel(found: Across, frame: pd.DataFrame) -> Panel:
    count, problems = len(found.methods), len(found.problems)
    columns = [Column("method", number=False), Column("mean rank", higher=False)]
    columns += [Column("median gain [%]", higher=True), *map(Column, _COUNTED)]
    columns += [Column(f"p against {found.baseline}"), Column(f"p against the best, {found.best()}")]
    shown = [found.testable and can_be_significant(problems, n) for n in (count - 1, count * (count - 1) // 2)]
    rows = []
    for _, row in frame.iterrows():
        place = found.methods.index(row["method"])
        rank = bracket(row["mean_rank"], found.rank_interval(place), 1, sign=False)
        tests = [
            Cell(p_value(row[name]), row[name]) if can else Cell(NOTHING)
            for name, can in zip(("p_single_task", "p_best"), shown, strict=True)
        ]
        outcomes = [Cell(str(row[o]), row[o]) if place else Cell(NOTHING) for o in _COUNTED]
        gain = Cell(number(row["median_gain"], 2, sign=True), row["median_gain"])
        rows.append([Cell(row["method"]), Cell(rank, row["mean_rank"]), gain, *outcomes, *tests])
    hidden = set() if frame["no verdict"].any() else {"no verdict"}
    hidden |= {columns[-1].title} if found.best() == found.baseline else set()
    return panel_of(plural(problems, "problem"), columns, rows, hidden)


def _figure(found: Across) -> Figure | None:
    known = np.asarray(np.isfinite(found.errors).all(1))
    if known.sum() < 2:
        return None
    factors, shares = profiles(found.errors[known])
    order = [int(m) for m in np.argsort(found.ranks.mean(0), kind="stable")]
    of = f"{int(known.sum())} of {plural(len(known), 'problem')}" if not known.all() else plural(len(known), "problem")
    title = f"Performance profiles over {of}: on which share of them the error is within a factor of the best"
    alt = f"{title}. On most problems best: {found.methods[int(shares[0].argmax())]} ({100 * shares[0].max():.0f} %)"
    return draw(
        "profiles", title, alt, (WIDTH, 3.6), lambda canvas: _paint(canvas, found.methods, factors, shares, order)
    )


def _paint(canvas: Canvas, methods: tuple[str, ...], factors: Array, shares: Array, order: list[int]) -> None:
    axes: Axes = canvas.subplots()
    end = float(np.append(factors, factors[-1] * 1.05)[-1])
    for i, m in reversed(list(enumerate(order))):
        named = i < _DRAWN
        tint = colour(i) if named else QUIET
        label = shortened(methods[m], 24) if named else None
        steps = np.append(shares[:, m], shares[-1, m])
        axes.step(
            np.append(factors, end), steps, where="post", color=tint, linestyle=dash(i) if named else "-",
            alpha=1.0 if named else 0.25, label=label,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set(xlim=(1, end), ylim=(0, 1.03))
    plain_numbers(axes.xaxis)
    axes.set_xlabel("error, × that of the best method (geometric mean over tasks)", color=QUIET)
    axes.set_ylabel("share of problems", color=QUIET)
    handles, labels = axes.get_legend_handles_labels()
    canvas.legend(handles[::-1], labels[::-1], loc="outside right upper", fontsize=8)
