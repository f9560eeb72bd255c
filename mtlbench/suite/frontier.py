"""``frontier``: fixed weights of the tasks, spread over the simplex, that every method is judged against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from ..core.config import Config
from ..core.parts import required
from ..core.simplex import simplex
from ..core.trial import Spec
from ..core.wording import plural
from .entries import Checker
from .suite import Variant, beyond
from .tree import Node
from .tuning import varied, without
from .uses import refuse_unused, uses

LABEL = "frontier"  # what its points are called in place of a method
UNVARIED = ("problem", "weighting")  # the parts that it sets itself
MOST_NAMED = 6  # tasks up to which a point is called by its weights


class FrontierSettings(Config):
    """What ``frontier`` asks for, apart from the parts of a method that it changes.

    Every problem of two tasks or more is trained with weights of its tasks spread over the simplex (``core.simplex``):
    linear scalarization, for each weighting and seed, on one engine. Each point is tuned as the suite, or the method,
    tunes, by the validation split of each seed: a method that chose its learning rate is compared with scalarizations
    that chose theirs, as Xin et al. 2022 and Kurin et al. 2022 ask.
    """

    points: int = Field(11, ge=2, le=200, description="about how many weightings; a grid for two and three tasks")
    method: str | None = Field(None, description="label of the method to vary the weighting of, not the suite's own")


@dataclass(frozen=True)
class Frontier:
    """The points of the scalarization frontier: ``uniform`` is trained with other weights.

    fixed  a fixed weighting, to be completed by ``weights``
    """

    settings: FrontierSettings
    uniform: Variant
    fixed: Spec

    def weightings(self, tasks: tuple[str, ...]) -> Iterator[tuple[str, Spec]]:
        """(name, weighting) of every point; the uniform one is the weighting ``equal``, so that it trains only once."""
        for number, weights in enumerate(simplex(len(tasks), self.settings.points)):
            by_task = dict(zip(tasks, weights, strict=True))
            spec = {**self.fixed, "weights": by_task} if number else self.uniform.weighting.spec
            yield _name(by_task, number), spec

    def note(self, problem: str, tasks: tuple[str, ...], seeds: int) -> str:
        """What it trains on one problem."""
        points, tried = len(simplex(len(tasks), self.settings.points)), len(self.uniform.alternatives)
        each = f" with {plural(tried, 'candidate')} each" if tried > 1 else ""
        what = f"{points} weightings of {len(tasks)} tasks{each} on each of {plural(seeds, 'seed')}"
        return f"{problem}: the scalarization frontier trains {what}, {points * tried * seeds:,} trials"

    def resolved(self, methods: Mapping[str, Mapping[str, Any]], common: Mapping[str, Any]) -> dict[str, Any]:
        """The key as it would be written in full, given what is written of the methods, or is common to all of them."""
        base = common if self.settings.method is None else methods[self.settings.method]
        varied = {key: value for key, value in self.uniform.resolved().items() if key not in UNVARIED}
        return {**self.settings.model_dump(exclude_none=True), **beyond(varied, base)}


def refuse_unvaried(written: Node, checker: Checker) -> None:
    """Note the parts that the key's value may not have."""
    for key in UNVARIED:
        if key in written:
            message = f"frontier: its points have the {key}s of the suite, or of the method that it names: "
            own = "frontier: its points have weightings of their own: "
            checker.add(written[key].key, f"{own if key == 'weighting' else message}remove the key '{key}'")
    tune = varied(written["tune"]) if "tune" in written and written["tune"].is_mapping else Node({})
    for key, node in tune.items():
        if _unvaried(key):
            checker.add(node.key, f"frontier: its points have weightings of their own: remove the key '{key}'")


def tune_of_points(tune: Node) -> Node:
    """What a suite, or a method, tunes, without what a point sets itself."""
    own = [key for key, _ in varied(tune).items() if _unvaried(key)] if tune.is_mapping else []
    return without(tune, *own)


def _unvaried(key: str) -> bool:
    return key.split(".")[0] in UNVARIED


def check_frontier(
    variant: Variant, written: Node, override: Node, methods: Mapping[str, Variant], checker: Checker
) -> None:
    """Note why the points could not be trained, or not be told from a method.

    written   the key's value
    override  the parts that it changes
    """
    learner = variant.learner.name
    if LABEL in methods:
        checker.add(
            methods[LABEL].place, f"method '{LABEL}': the points of the frontier have this name: choose another"
        )
    if not uses(variant.learner, "weighting"):
        message = f"frontier: expected a learner that weighs losses, got '{learner}': name a method that trains by "
        checker.add(written.key, f"{message}gradients under frontier.method")
        return
    for key in required():
        if key != "problem" and not variant[key].spec and uses(variant.learner, key):
            checker.add(
                written.key, f"frontier: no {key} is given for the whole suite: give one here, or name a method"
            )
    refuse_unused(LABEL, override, variant, checker)


def _name(weights: Mapping[str, float], number: int) -> str:
    """``digit=0.333, parity=0.667``, or a number where that would be too long; titles separate parts by a slash."""
    if len(weights) > MOST_NAMED:
        return f"point {number}" if number else "uniform"
    return ", ".join(f"{task}={weight:.3g}" for task, weight in weights.items()).replace("/", "|")
