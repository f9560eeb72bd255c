"""What a plan says of caps on training: where one ended trials too early, or probably will."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..core.convergence import SPARED
from ..core.settings import Train
from ..core.trial import TrainTrial
from ..core.wording import listing, plural
from .history import History, Planned

FEW = 20  # epochs; so small a number, chosen beforehand, is seldom one by which a network has learned all it can
_INSTEAD = "`train: {until: plateau}` trains until the validation score no longer improves"
_Kind = tuple[str, str, tuple[str, ...], str]  # problem, method, a baseline's task, engine


def cap_notes(planned: Iterable[Planned], history: History, profile: str | None) -> Iterator[str]:
    """By problem, the methods whose earlier trials a cap ended too early that is as high as today's or higher; and,
    unless a profile was chosen, which is a shorter look by intention, those that never ran and are to train for few
    epochs, whatever the validation split says.
    """
    kinds: dict[_Kind, TrainTrial] = {}
    for trial in (each.trial for each in planned if isinstance(each.trial, TrainTrial) and each.trial.parts["train"]):
        tasks = trial.tasks if trial.labels.baseline else ()
        kinds.setdefault((trial.problem_name, trial.labels.method, tasks, trial.way), trial)
    counts = {kind: history.undertrained(trial) for kind, trial in kinds.items()}
    yield from _ended_before(counts, kinds)
    if profile is None:
        yield from _few(trial for kind, trial in kinds.items() if not counts[kind][1])


def _ended_before(counts: Mapping[_Kind, tuple[int, int]], kinds: Mapping[_Kind, TrainTrial]) -> Iterator[str]:
    by_method: dict[str, dict[str, tuple[int, int]]] = {}
    advice: dict[tuple[str, str], str] = {}
    for (problem, method, _, _), (cut, judged), trial in zip(counts, counts.values(), kinds.values(), strict=True):
        methods = by_method.setdefault(problem, {})
        before = methods.get(method, (0, 0))
        methods[method] = (before[0] + cut, before[1] + judged)
        advice[problem, method] = Train.from_plain(trial.parts["train"]).longer
    for problem, methods in by_method.items():
        told = {name: f"{name} ({cut} of {judged})" for name, (cut, judged) in methods.items() if cut > SPARED * judged}
        if told:
            longer = "; or ".join(dict.fromkeys(advice[problem, name] for name in told))
            yield f"{problem}: earlier trials were undertrained, ended by their cap: {listing(told.values())}; {longer}"


def _few(trials: Iterable[TrainTrial]) -> Iterator[str]:
    by_epochs: dict[int, dict[str, None]] = {}
    for trial in trials:
        train = Train.from_plain(trial.parts["train"])
        if train.length_known and train.stopping is None and train.epochs and train.epochs < FEW:
            by_epochs.setdefault(train.epochs, {})[trial.labels.method] = None
    for epochs, methods in by_epochs.items():
        yield f"{plural(epochs, 'epoch')} may be too few, whatever the method: {listing(methods)}; {_INSTEAD}"
