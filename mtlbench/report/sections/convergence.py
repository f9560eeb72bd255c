"""Whether training had come to its end: how long each method trained, and how many of its trials were cut short."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ...core.convergence import SPARED, STILL, TAIL
from ...core.wording import listing, plural
from ..evidence.convergence import Convergence, Undertrained
from ..evidence.evidence import Evidence
from ..writing.format import count, number
from ..writing.parts import Cell, Column, Panel, Part, Statement, Table, panel_of
from . import half_patience

_CAPTION = (
    "Undertrained: ended by a cap on epochs or steps, and by then, with patience, the best epoch was fewer than "
    f"patience epochs ago, or, without, the best validation score of the last {100 * TAIL:g} % of the epochs was more "
    f"than {100 * STILL:g} % below that of all before. Where more than {100 * SPARED:g} % of the trials are, the table "
    "of methods claims no outcome that this alone may explain. Epochs and the best epoch, whose weights were kept, "
    "are means over trials; steps of the optimizer are means over seeds, of the baseline sums over tasks."
)


def section(evidence: Evidence) -> Part | None:
    """One panel per problem, one row per method and engine; nothing where no learner has epochs."""
    found = evidence.convergences
    if not found:
        return None
    problems = list(dict.fromkeys(each.problem for each in found))
    said = tuple(_statement(problem, [each for each in found if each.problem == problem]) for problem in problems)
    raw = pd.DataFrame([_raw(each) for each in found])
    panels = tuple(_panel(evidence, problem) for problem in problems)
    table = Table("convergence", "Convergence", _CAPTION, raw, panels)
    said += half_patience.statements(evidence)
    return Part("convergence", "Convergence", said, (table, *half_patience.tables(evidence)))


def _statement(problem: str, found: list[Convergence]) -> Statement:
    kinds = ((False, "joint"), (True, "single-task"))
    counts = [(kind, _total(each for each in found if each.apart is apart)) for apart, kind in kinds]
    shares = [
        f"{cut} {kind} trials ({100 * cut.trials / cut.judged:.0f} %)" for kind, cut in counts if cut.judged
    ]  # fmt: skip
    unknown = sum(len(each.trained) for each in found) - sum(cut.judged for _, cut in counts)
    more = f" {plural(unknown, 'trial')} without a validation loss cannot be judged." if unknown else ""
    if not any(cut.trials for _, cut in counts):
        judged = plural(sum(cut.judged for _, cut in counts), "trial")
        return Statement(f"On {problem}, none of {judged} was undertrained.{more}")
    advice = dict.fromkeys(each.longer for each in found if each.undertrained().trials)
    return Statement(
        f"On {problem}, {listing(shares)} were undertrained: a cap ended them while the validation score still "
        f"improved. Train longer: {'; or '.join(advice)}.{more}",
        "warning",
    )


def _total(found: Iterable[Convergence]) -> Undertrained:
    counts = [each.undertrained() for each in found]
    return Undertrained(sum(cut.trials for cut in counts), sum(cut.judged for cut in counts))


def _raw(each: Convergence) -> dict[str, object]:
    cut = each.undertrained()
    return {
        "problem": each.problem,
        "method": each.method,
        "engine": each.engine,
        "baseline": each.baseline,
        "apart": each.apart,
        "trials": len(each.trained),
        "judged": cut.judged,
        "undertrained": cut.trials,
        "epochs": each.epochs,
        "best_epoch": each.best_epoch,
        "steps": each.steps,
    }


def _panel(evidence: Evidence, problem: str) -> Panel:
    order = [*evidence.order(problem), *evidence.data.references(problem)]
    found = [each for each in evidence.convergences if each.problem == problem]
    found = sorted(found, key=lambda each: order.index(each.method))
    columns = [Column("method", number=False), Column("engine", number=False), Column("trials"), Column("undertrained")]
    columns += [Column("epochs"), Column("best epoch"), Column("steps")]
    hidden = set() if len(evidence.data.engines) > 1 else {"engine"}
    return panel_of(problem, columns, [_cells(each) for each in found], hidden)


def _cells(each: Convergence) -> list[Cell]:
    cut = each.undertrained()
    return [
        Cell(each.method),
        Cell(each.engine),
        Cell(str(len(each.trained)), len(each.trained)),
        Cell(str(cut.trials), cut.trials),
        Cell(number(each.epochs, 1), each.epochs),
        Cell(number(each.best_epoch, 1), each.best_epoch),
        Cell(count(each.steps), each.steps),
    ]
