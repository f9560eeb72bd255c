"""The verdict in plain words: never more than the intervals allow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...core.power import FEWEST, smallest_p, what_is_needed
from ...core.wording import listing, plural
from ..evidence.agreement import TOLERANCE, Agreement
from ..evidence.deltas import Delta, Outcome, reasons
from ..evidence.evidence import Evidence
from ..evidence.frames import EAGER
from ..evidence.measures import MEASURES
from ..writing.format import decimals_for, limits, number
from ..writing.parts import Part, Statement, Tone
from .across import statements as across_statements
from .front import statements as front_statements
from .frontier import statements as frontier_statements
from .kernels import statements as kernel_statements
from .references import statements as reference_statements

_WORDS: dict[Outcome, tuple[str, str]] = {  # in the order in which they are told; the second is left out of counts
    "better": ("better", " than single-task"),
    "worse": ("worse", " than single-task"),
    "equal": ("practically equal", " to single-task"),
    "undecided": ("undecided", ""),
    "held": ("no verdict yet", ", train longer"),
    "few": ("without an interval", ""),
}


def section(evidence: Evidence) -> Part:
    """One statement per problem, one per engine, and what the number of seeds allows."""
    data = evidence.data
    statements = [
        _problem(problem, evidence.of(problem)) if data.joint(problem) else _alone(problem) for problem in data.problems
    ]
    statements += across_statements(evidence)
    compared = [delta for problem in data.problems if data.joint(problem) for delta in evidence.of(problem)]
    statements += _scope(compared)
    statements += _power(compared)
    statements += [s for engine in data.engines if engine != EAGER for s in _engine(evidence, engine)]
    statements += reference_statements(evidence) + frontier_statements(evidence)
    statements += front_statements(evidence) + kernel_statements(evidence)
    return Part("verdict", "Verdict", tuple(statements or [Statement("There is no trial to judge.", "warning")]))


def gained(delta: Delta) -> float:
    """The gain that a verdict rests on, in percent."""
    return delta.judged.mean if delta.judged else math.nan


def gain(delta: Delta, decimals: int) -> str:
    """``uncertainty +1.3 % [+0.4, +2.1]``."""
    text = f"{delta.title} {number(gained(delta), decimals, sign=True)} %"
    return f"{text} {limits(delta.interval, decimals)}" if delta.interval else text


def gains(deltas: Sequence[Delta], most: int, like: Sequence[Delta]) -> str:
    """Several of them, with the decimals that suit all of ``like``."""
    decimals = decimals_for((d.interval.half for d in like if d.interval), (gained(d) for d in like), most=2)
    return listing((gain(delta, decimals) for delta in deltas), most)


def _problem(problem: str, deltas: Sequence[Delta]) -> Statement:
    compared = sorted((delta for delta in deltas if delta.judged), key=gained, reverse=True)
    if not compared:
        why = sorted({delta.reason for delta in deltas}) or ["no multi-task method was planned"]
        return Statement(f"Nothing can be said about joint training on {problem}: {listing(why, 3)}.", "warning")
    groups = {name: [d for d in compared if d.outcome == name] for name in _WORDS}
    if len(groups["few"]) == len(compared):
        return Statement(_without_interval(problem, compared), "unclear", tuple(_doubts(deltas)))
    head, tone = _head(groups)
    counts = [f"{len(found)} {_WORDS[outcome][0]}" for outcome, found in groups.items() if found]
    said = f"{head.format(f'{problem}{_over(compared)}')} ({', '.join(counts)})."
    return Statement(said, tone, (*_points(groups, compared), *_doubts(deltas)))


def _points(groups: Mapping[Outcome, Sequence[Delta]], compared: Sequence[Delta]) -> list[str]:
    """The methods of each outcome, those apart whose difference may be smaller than what matters."""
    smallest = f"{compared[0].smallest:g} %"
    points = []
    for outcome, found in groups.items():
        small = [delta for delta in found if outcome in ("better", "worse") and not delta.matters]
        plain = [delta for delta in found if delta not in small]
        words = "".join(_WORDS[outcome]) + (f" (within ±{smallest})" if outcome == "equal" else "")
        if plain:
            points.append(f"{words}: {gains(plain, 4, compared)}")
        if small:
            points.append(f"{words}, perhaps by less than {smallest}: {gains(small, 4, compared)}")
    return points


def _alone(problem: str) -> Statement:
    return Statement(f"No verdict on {problem}, one task: nothing is trained jointly.")


def _without_interval(problem: str, compared: Sequence[Delta]) -> str:
    seeds, gained = max(len(delta.seeds) for delta in compared), gains(compared, 4, compared)
    if seeds >= FEWEST:
        return f"Joint training on {problem} cannot be judged: {gained}, the same for each of {plural(seeds, 'seed')}."
    return (
        f"Too few seeds to judge joint training on {problem}: {gained}, without an interval over "
        f"{plural(seeds, 'seed')}. Run at least {FEWEST}, better 5."
    )


def _head(groups: Mapping[Outcome, Sequence[Delta]]) -> tuple[str, Tone]:
    """What is said of a problem, from the outcomes of its methods."""
    found = {outcome for outcome, deltas in groups.items() if deltas}
    if {"better", "worse"} <= found:
        return "On {}, the method decides whether joint training helped or hurt", "mixed"
    if "better" in found:
        return f"Joint training helped on {{}}{_some(groups, 'better')}", "good"
    if "worse" in found:
        return f"Joint training hurt on {{}}{_some(groups, 'worse')}", "bad"
    if "held" in found:
        return "No verdict yet on joint training on {}", "unclear"
    if {"undecided", "few"} & found:
        unclear = "No method is clearly better or worse than single-task training on {}"
        return unclear if "equal" in found else "Whether joint training helps on {} is undecided", "unclear"
    return "Joint training is practically equal to single-task training on {}", "plain"


def _some(groups: Mapping[Outcome, Sequence[Delta]], outcome: Outcome) -> str:
    """With how many of the methods, unless with all of them."""
    count, every = len(groups[outcome]), sum(map(len, groups.values()))
    return "" if count == every else f" with {count} of {plural(every, 'method')}"


def _over(compared: Sequence[Delta]) -> str:
    seeds = sorted({len(delta.seeds) for delta in compared})
    return f" over {plural(seeds[0], 'seed')}" if len(seeds) == 1 else f" over {seeds[0]} to {seeds[-1]} seeds"


def _doubts(deltas: Sequence[Delta]) -> list[str]:
    """What the verdict leaves out, and what to mind about the rest."""
    doubts = [f"without Δm, {text}" for text in reasons(deltas, lambda d: [d.reason] if d.reason else [])]
    instead = reasons(deltas, lambda d: [MEASURES[d.measure]] if d.measure else ())
    doubts += [f"judged without Δm, {text}, in percent" for text in instead]
    held = [delta for delta in deltas if delta.outcome == "held"]
    doubts += [f"no verdict yet, {text}" for text in reasons(held, lambda d: d.held)]
    doubts += [f"mind: {text}" for text in reasons(deltas, lambda d: d.flags if d.judged else ())]
    unlike = [f"{delta.method} ({listing(delta.unlike, 4)})" for delta in deltas if delta.unlike and delta.judged]
    if unlike:
        doubts.append(f"not of joint training alone, for settings other than single-task's: {', '.join(unlike)}")
    return doubts


def _scope(deltas: Sequence[Delta]) -> list[Statement]:
    """What intervals speak of, and the smallest effect of interest."""
    if not any(delta.wide for delta in deltas):
        return []
    splits = (
        "They allow for the overlap of the seeds' training sets (Nadeau and Bengio, 2003): they speak of such data."
        if any(delta.overlap for delta in deltas)
        else "They speak of this data set and of what seeds draw (splits, order, initial weights); on another data set "
        "results may differ by more."
    )
    return [
        Statement(
            f"The smallest effect of interest is ±{deltas[0].smallest:g} % (key smallest_effect): a gain that is "
            "certainly inside is called practically equal. Verdicts rest on intervals corrected for all methods "
            f"compared, wider than those shown. {splits}"
        )
    ]


def _power(deltas: Sequence[Delta]) -> list[Statement]:
    """What this number of seeds can prove."""
    weak = [delta for delta in deltas if delta.interval and not delta.testable]
    if not weak:
        return []
    seeds, comparisons = min(len(delta.seeds) for delta in weak), max(delta.comparisons for delta in weak)
    against = "the method" if comparisons == 1 else f"{comparisons} methods compared at once"
    return [
        Statement(
            f"With {plural(seeds, 'seed')} no exact paired test can give p below {smallest_p(seeds):.2g}; "
            f"significance for {against} needs {what_is_needed(comparisons, 'seeds')}. "
            "So intervals speak, without stars."
        )
    ]


def _engine(evidence: Evidence, engine: str) -> list[Statement]:
    timed = [t for t in evidence.timings if t.engine == engine and math.isfinite(t.ratio)]
    compared = [a for a in evidence.agreements if a.engine == engine and math.isfinite(a.relative)]
    said = []
    if timed:
        ratios = [timing.ratio for timing in timed]
        middle = math.exp(sum(map(math.log, ratios)) / len(ratios))
        text = f"The {engine} engine trained on {middle:.2f} times as many samples per second as eager"
        if len(timed) > 1:
            text += f" (geometric mean of {len(ratios)} pairs, from {min(ratios):.2f} to {max(ratios):.2f})"
        elif timed[0].ratio_interval:
            text += f" {limits(timed[0].ratio_interval, 2, sign=False)}"
        if any(timing.ratio_shared for timing in timed):
            text += "; other work shared the machine, so take this as a hint"
        if any(timing.mixed for timing in timed):
            text += "; some pairs ran in different environments"
        said.append(Statement(f"{text}. {_accuracy(compared)}".strip(), "plain"))
    if any(agreement.differs for agreement in compared):
        said.append(Statement(f"The {engine} engine changed accuracy: {_changes(compared)}.", "bad"))
    return said


def _accuracy(compared: Sequence[Agreement]) -> str:
    if not compared or any(agreement.differs for agreement in compared):
        return ""
    largest = max(abs(agreement.relative) for agreement in compared)
    if largest <= TOLERANCE:
        return f"Its accuracy is eager's within {100 * TOLERANCE:g} %."
    return f"Its accuracy is not distinguishable from eager's (furthest apart: {100 * largest:.1f} %)."


def _changes(compared: Sequence[Agreement]) -> str:
    changed = (agreement for agreement in compared if agreement.differs)
    return listing((f"{a.method} on {a.problem}, {a.task}: {100 * a.relative:+.1f} %" for a in changed), 4)
