"""``capacity``: the comparison of equal size. Networks that are trained apart have more parameters than one that is
shared, so that a difference may come from size alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import log
from typing import Any

from ..architectures import TABLE
from ..architectures.base import Architecture
from ..core.settings import MATCHED, WIDENED
from ..core.task import Outline
from ..core.trial import AFFINITY, FRONTIER, Spec, TrainTrial, Trial
from ..suite.suite import Suite, Variant

TOLERANCE = 0.05  # a network is matched if its parameters are within this share of those asked for
_NEEDED = {
    MATCHED: "several tasks, and a method and a baseline that train networks from scratch",
    WIDENED: "several tasks, and a method whose network is smaller than the baseline's together, both from scratch",
}
_WIDEST = 1024.0  # the largest factor that widths are multiplied with; the smallest is its inverse


@dataclass(frozen=True)
class Scaling:
    """How the networks of one problem are brought to a number of parameters.

    factor   what every width is multiplied with
    reached  the number of parameters that this gives
    wanted   the number that was asked for
    """

    factor: float
    reached: int
    wanted: int

    @property
    def matched(self) -> bool:
        """Whether they have as many as was asked for, within ``TOLERANCE``."""
        return abs(self.reached - self.wanted) <= TOLERANCE * self.wanted


def with_capacity(
    suite: Suite, trials: Iterable[Trial], outlines: Mapping[str, Outline]
) -> tuple[tuple[Trial, ...], tuple[str, ...]]:
    """The trials with those that ``capacity`` adds, and what is to be said where sizes could not be matched.

    ``matched`` adds the single-task baseline once more, its networks narrowed until all of a seed have together as many
    parameters as the joint network of the first method of that problem. ``widened`` adds every method that trains one
    network smaller than the baseline's together once more, widened until it has as many. All widths of a network
    change by one factor; every other part, candidates included, stays. Where inputs are words, the whole vocabulary
    counts, of which a trial may use fewer.
    """
    every, notes = tuple(trials), []
    added: list[Trial] = []
    for kind, (problem, outline) in product(suite.capacity, outlines.items()):
        scalings = tuple(_scalings(suite, kind, problem, outline))
        if not scalings:
            notes.append(f"{problem}: capacity {kind} adds nothing: it takes {_NEEDED[kind]}")
        for variant, scaling in scalings:
            label = f"{variant.label} ({kind})"
            if not scaling.matched:
                notes.append(
                    f"{problem}: {label} has {scaling.reached:,} parameters, the nearest to {scaling.wanted:,} that "
                    "its widths allow"
                )
            added += _copies(every, problem, variant, scaling.factor, label)
    return (*every, *added), tuple(notes)


def _scalings(suite: Suite, kind: str, problem: str, outline: Outline) -> Iterator[tuple[Variant, Scaling]]:
    """Every variant that is copied at another size; those whose size only their building can tell are left out."""
    apart, tasks = suite.baseline, [outline.only((name,)) for name in outline.names]
    together = [method for method in suite.methods if _trains(method, problem)]
    if len(tasks) < 2 or not together or not _trains(apart, problem):
        return
    alone = apart["architecture"].checked
    if kind == MATCHED and (wanted := _size(together[0]["architecture"].checked, [outline])) and _size(alone, tasks):
        yield apart, scaling(alone, tasks, wanted)
    for method in together if kind == WIDENED else ():
        joint, wanted = method["architecture"].checked, _size(alone, tasks)
        if 0 < _size(joint, [outline]) < wanted:
            yield method, scaling(joint, [outline], wanted)


def _trains(variant: Variant, problem: str) -> bool:
    """Whether a variant trains a network on a problem, from scratch: another size could not take over a trunk."""
    here = any(entry.name == problem for entry in variant.problems)
    return here and variant["architecture"].config is not None and not variant.start.given


def scaling(architecture: Architecture, parts: Iterable[Outline], wanted: int) -> Scaling:
    """The factor of the widths with which the networks of ``parts`` have together nearest to ``wanted`` parameters, by
    bisection: wider networks have more.
    """
    outlines = tuple(parts)

    def reached(factor: float) -> int:
        return _size(architecture.scaled(factor), outlines)

    low, high = 1 / _WIDEST, 1.0
    while high < _WIDEST and reached(high) < wanted:
        high *= 2
    while high / low > 1.0005:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if reached(middle) <= wanted else (low, middle)
    sizes = {factor: reached(factor) for factor in (round(low, 6), 1.0, round(high, 6))}
    best = min(sizes, key=lambda factor: abs(log(max(sizes[factor], 1) / wanted)))
    return Scaling(best, sizes[best], wanted)


def _size(architecture: Architecture, outlines: Iterable[Outline]) -> int:
    """The parameters of one network per outline."""
    from ..engine.model import parameter_count

    return sum(parameter_count(architecture, outline) for outline in outlines)


def _copies(trials: Iterable[Trial], problem: str, variant: Variant, factor: float, label: str) -> Iterator[TrainTrial]:
    """The trials of a variant on a problem, candidates included, with another factor of widths and another label."""
    for trial in trials:
        same = (trial.problem_name, trial.labels.method) == (problem, variant.label)
        if same and isinstance(trial, TrainTrial) and trial.labels.role not in (AFFINITY, FRONTIER):
            changed = trial.with_parts(architecture=_scaled(trial.parts["architecture"], factor))
            alone = trial.labels.baseline
            yield changed.labelled(method=label, baseline=False, apart=alone, reference=alone)


def _scaled(spec: Spec, factor: float) -> dict[str, Any]:
    """An architecture with other widths, as suites write it."""
    built = TABLE.build(spec).scaled(factor)
    return {"name": spec["name"], **built.model_dump(mode="json", by_alias=True)}
