"""The columns of the methods table that say what a method cost: its weights' sum, speed, sizes, training and tuning."""

from __future__ import annotations

import math

from ..evidence.convergence import Convergence
from ..evidence.deltas import Delta
from ..evidence.evidence import Evidence
from ..evidence.timings import Timing
from ..evidence.tunings import Tuning
from ..writing.format import NOTHING, bracket, count, memory, number, short
from ..writing.parts import Cell, Column

_SUMS = " Σλ: what the task weights sum to, mean over steps and seeds."
_TUNED = " Tuning is the time of all candidates of all seeds together, of which the training shown is one seed's."
_SHARED = " Times marked “shared” come from trials that had no machine to themselves: do not compare them."
_SHOWN = 0.005  # difference of a sum to 1 that two decimals show


def caption(evidence: Evidence) -> str:
    """What the columns mean, of those that are shown."""
    shared = any(timing.shared for timing in evidence.timings)
    return (
        (_SUMS if _unlike_one(evidence) else "")
        + (_SHARED if shared else "")
        + (_TUNED if evidence.tunings else "")
    )  # fmt: skip


def columns(evidence: Evidence) -> list[Column]:
    """The columns of ``cells``; times of a report without a single undisturbed trial are marked in their heads."""
    mark = ", shared" if _everywhere_shared(evidence) and evidence.timings else ""
    rates = [Column("Σλ"), Column(f"samples/s{mark}", higher=True), Column("× eager"), Column("peak memory")]
    return [*rates, Column("parameters"), Column("steps"), Column(f"training [s]{mark}"), Column("tuning [s]")]


def hidden(evidence: Evidence) -> set[str]:
    """The titles of columns that have nothing to say here."""
    empty = set() if len(evidence.data.engines) > 1 else {"× eager"}
    empty |= set() if evidence.tunings else {"tuning [s]"}
    return empty | (set() if _unlike_one(evidence) else {"Σλ"})


def cells(evidence: Evidence, delta: Delta) -> list[Cell]:
    """One method's costs."""
    timing, trained, tuning = _of(evidence, delta)
    total = evidence.weight_sum(delta.problem, delta.method, delta.engine).mean
    tuned = Cell(short(tuning.seconds), tuning.seconds) if tuning else Cell(NOTHING)
    if timing is None:
        return [Cell(number(total, 2), total), *[Cell(NOTHING)] * 6, tuned]
    rate, seconds = timing.mean("samples_per_second"), timing.mean("train_seconds")
    mark = " shared" if timing.shared and not _everywhere_shared(evidence) else ""
    steps = trained.steps if trained else math.nan
    return [
        Cell(number(total, 2), total),
        Cell(count(rate) + mark, rate),
        Cell(bracket(timing.ratio, timing.ratio_interval, 2, sign=False), timing.ratio),
        Cell(memory(timing.peak_memory), timing.peak_memory),
        Cell(count(timing.parameters), timing.parameters),
        Cell(count(steps), steps),
        Cell(short(seconds) + mark, seconds),
        tuned,
    ]


def raw(evidence: Evidence, delta: Delta) -> dict[str, object]:
    """The same as numbers. A method that chose from nothing had one candidate."""
    timing, trained, tuning = _of(evidence, delta)
    ratio = timing.ratio_interval if timing else None
    nan = math.nan
    return {
        "mean_weight_sum": evidence.weight_sum(delta.problem, delta.method, delta.engine).mean,
        "samples_per_second": timing.mean("samples_per_second") if timing else nan,
        "ratio_to_eager": timing.ratio if timing else nan,
        "ratio_to_eager_low": ratio.low if ratio else nan,
        "ratio_to_eager_high": ratio.high if ratio else nan,
        "shared": timing.shared if timing else None,
        "timed_seeds": len(timing.values("samples_per_second")) if timing else 0,
        "peak_memory": timing.peak_memory if timing else nan,
        "parameters": timing.parameters if timing else nan,
        "train_seconds": timing.mean("train_seconds") if timing else nan,
        **{name: getattr(trained, name) if trained else nan for name in ("epochs", "steps", "best_epoch")},
        "candidates": tuning.budget if tuning else 1,
        "tuning_seconds": tuning.seconds if tuning else 0.0,
    }


def _of(evidence: Evidence, delta: Delta) -> tuple[Timing | None, Convergence | None, Tuning | None]:
    key = (delta.problem, delta.method, delta.engine)
    return evidence.timing(*key), evidence.convergence(*key), evidence.tuning(*key)


def _everywhere_shared(evidence: Evidence) -> bool:
    return all(timing.shared for timing in evidence.timings)


def _unlike_one(evidence: Evidence) -> bool:
    """Whether the sums of weights are worth a column."""
    return any(abs(total.mean - 1) > _SHOWN for total in evidence.weight_sums.values())
