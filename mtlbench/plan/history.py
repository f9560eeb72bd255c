"""What earlier runs say about a trial: is it finished, did it fail, what has changed, how long will it take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, Protocol, TypeVar

from ..core import statuses
from ..core.record import Result
from ..core.settings import Train
from ..core.sources import Manifest, told
from ..core.trial import KernelTrial, TrainTrial, Trial
from ..core.wording import listing, shown

NEW = "new"
FINISHED = "finished"
FAILED = "failed before"
CHANGED = "changed"
STALE = "stale"
REFUSED = "not believed"
SHARED = "timed beside others"
NO_TRUNK = "without its trunk"
_MOST_DIFFERENCES = 3
_MOST_FILES = 3
_AROUND_TIMING = 8.0  # seconds to start a process, compile the contenders and check them, about


class PastTrial(Protocol):
    """What a plan asks about a trial that ran before; ``store.Stored`` answers it."""

    @property
    def trial(self) -> Trial:
        """Its coordinates."""

    @property
    def result(self) -> Result:
        """Its last result."""

    @property
    def trunk(self) -> bool:
        """Whether the trunk that it trained was kept."""

    @property
    def undertrained(self) -> bool | None:
        """Whether a cap ended its training too early; None where nothing can say."""


class RefusedFile(Protocol):
    """A file among the trials that is not believed; ``store.Refused`` answers it."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def told(self) -> str:
        """Why, in words."""


AnyTrial = TypeVar("AnyTrial", bound=Trial)


@dataclass(frozen=True)
class Planned:
    """A trial of a plan. ``attempts`` counts those made before."""

    trial: Trial
    id: str
    state: str = NEW
    reason: str = ""
    attempts: int = 0

    @property
    def to_run(self) -> bool:
        """Whether it would run."""
        return self.state != FINISHED and not self.trial.labels.unchosen


class History:
    """Everything that a results folder holds, by what it is asked for.

    stored       trials whose files are believed
    refused      the files that are not
    manifest_of  what the ``sources`` of trials stand for; {} for those that were not kept
    """

    def __init__(
        self,
        stored: Iterable[PastTrial],
        refused: Iterable[RefusedFile] = (),
        manifest_of: Callable[[str], Manifest] = lambda sources: {},
    ) -> None:
        self._refused = {file.path.stem: file.told for file in refused}
        self._made_by = cache(lambda old, new: _made_by(old, manifest_of(old), manifest_of(new)))
        self._by_id: dict[str, PastTrial] = {}
        self._by_labels: dict[tuple[object, ...], list[Trial]] = defaultdict(list)
        self._seconds: dict[tuple[object, ...], list[float]] = defaultdict(list)
        self._ended: dict[tuple[object, ...], list[tuple[Train, bool]]] = defaultdict(list)
        trains: dict[int, Train] = {}  # by the settings that they were read from, which many trials share
        for entry in stored:
            self._by_id[entry.trial.id] = entry
            self._by_labels[_called(entry.trial)].append(entry.trial)
            if entry.result.ok:
                self._seconds[_kind(entry.trial)].append(entry.result.seconds)
            if isinstance(entry.trial, TrainTrial) and entry.undertrained is not None:
                settings = entry.trial.parts["train"]
                train = trains.get(id(settings)) or trains.setdefault(id(settings), Train.of_trial(settings))
                self._ended[_kind(entry.trial)].append((train, entry.undertrained))

    def plan(self, trial: Trial) -> Planned:
        """What has to be done about a trial, and why."""
        identity = trial.id
        stored = self._by_id.get(identity)
        if trial.labels.unchosen:
            return Planned(trial, identity, FAILED, trial.labels.unchosen, stored.result.attempt if stored else 0)
        if identity in self._refused:
            return Planned(trial, identity, REFUSED, self._refused[identity])
        if stored is None:
            reason = self._what_changed(trial)
            return Planned(trial, identity, CHANGED if reason else NEW, reason)
        result = stored.result
        if not result.ok:
            how = "" if result.status == statuses.FAILED else f"{result.status}: "
            return Planned(trial, identity, FAILED, how + result.error, result.attempt)
        if stored.trial.sources != trial.sources:
            reason = self._made_by(stored.trial.sources, trial.sources)
            return Planned(trial, identity, STALE, reason, result.attempt)
        if trial.labels.exclusive and not result.alone:
            reason = "its throughput counts, but other trials ran beside it"
            return Planned(trial, identity, SHARED, reason, result.attempt)
        if trial.labels.keeps_trunk and not stored.trunk:
            return Planned(trial, identity, NO_TRUNK, "another trial starts from its trunk", result.attempt)
        return Planned(trial, identity, FINISHED, "", result.attempt)

    def counted(self, trial: Trial, accept_stale: bool = False) -> PastTrial | None:
        """What there is of a trial, if the code made it that would make it now, or if that is of no importance."""
        stored = self._by_id.get(trial.id)
        return stored if stored and (accept_stale or stored.trial.sources == trial.sources) else None

    def accepting(self, trial: AnyTrial) -> AnyTrial:
        """The trial as of the code that made its result, whatever has changed since; as it is, where it would run."""
        stored = self._by_id.get(trial.id)
        made = replace(trial, sources=stored.trial.sources) if stored else trial
        return made if self.plan(made).state == FINISHED else trial

    def seconds(self, trial: Trial) -> float | None:
        """Median time of earlier trials of the same problem, method and engine; without an earlier record, what the
        suite gives a kernel, or None.
        """
        times = self._seconds.get(_kind(trial))
        if times:
            return median(times)
        if isinstance(trial, KernelTrial):
            return 2 * float(trial.kernel["seconds"]) + _AROUND_TIMING  # caches warm and cold
        return None

    def undertrained(self, trial: TrainTrial) -> tuple[int, int]:
        """How many earlier trials of the same problem, method and engine were undertrained, and of how many, though
        they were allowed as many epochs and steps or more.
        """
        train = Train.from_plain(trial.parts["train"])
        ended = [cut for earlier, cut in self._ended.get(_kind(trial), ()) if earlier.allows(train)]
        return sum(ended), len(ended)

    def _what_changed(self, trial: Trial) -> str:
        """The differences from the most similar trial that went by the same labels; "" where there is none."""
        relatives = self._by_labels.get(_called(trial))
        if not relatives:
            return ""
        new = trial.coordinates()
        fewest = min((differences(old.coordinates(), new) for old in relatives), key=len)
        more = f" and {len(fewest) - _MOST_DIFFERENCES} more" if len(fewest) > _MOST_DIFFERENCES else ""
        return ", ".join(fewest[:_MOST_DIFFERENCES]) + more


def _made_by(old: str, was: Manifest, now: Manifest) -> str:
    """Why a result is stale: which code made it that would not make it now."""
    if not old:
        return "made by an earlier mtlbench, which kept no account of its code"
    return f"made by other code: {listing(told(was, now), _MOST_FILES)}" if was and now else "made by other code"


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two trials' coordinates: ``optimizer.lr 0.001 → 0.01``."""
    before, after = _flat(old), _flat(new)
    lines = []
    for key in dict.fromkeys([*after, *before]):
        if key in ("data", "code") and before.get(key, "") != after.get(key, ""):
            lines.append(f"{key} changed")
        elif before.get(key) != after.get(key):
            lines.append(f"{key} {shown(before.get(key))} → {shown(after.get(key))}")
    return lines


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, child in value.items():
        if isinstance(child, Mapping) and child:
            flat |= _flat(child, f"{prefix}{key}.")
        else:
            flat[prefix + key] = child
    return flat


def _called(trial: Trial) -> tuple[object, ...]:
    """What a person calls the trial."""
    labels = trial.labels
    tried = (labels.role, *labels.apart_by, trial.fold) if isinstance(trial, TrainTrial) and labels.role else ()
    return (*_kind(trial), trial.seed, *tried)


def _kind(trial: Trial) -> tuple[object, ...]:
    """What a person calls the trial, but for its seed."""
    labels = trial.labels
    tasks = trial.tasks if isinstance(trial, TrainTrial) and (labels.baseline or labels.apart) else ""
    return (labels.suite, trial.problem_name, labels.method, tasks, trial.way)
