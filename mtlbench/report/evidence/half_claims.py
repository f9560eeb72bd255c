"""What else than gains over single-task training half the patience would have given another answer to.

Methods against networks of equal size, against the scalarization frontier and against references, and ranks over
problems: each is judged on the run that half the patience would have left (``earlier``) as on the whole one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ...core.trial import FRONTIER
from ...core.wording import listing
from .across import Across, over_problems
from .convergence import Convergence
from .deltas import Delta
from .earlier import METHOD, Earlier, Key
from .footing import footings
from .frames import ReportData, groups
from .frontier import frontiers
from .frontier_held import with_held as with_held_positions
from .references import references
from .timings import timings
from .tunings import Tuning

EQUAL_SIZE, THE_FRONTIER = "networks of equal size", "the scalarization frontier"
_NONE = "not distinguishable"
_CLAIMS = {  # of a kind of reference: what is claimed of a contest, in words, and its contrary
    "floor": ("unbeaten", "no method clearly better", "a method clearly better"),
    "strong baseline": ("ahead", "clearly better than every method", "not clearly better than every method"),
}


class Question(NamedTuple):
    """What is compared with what, on which problem; "" over all."""

    name: str
    against: str
    problem: str = ""

    def __str__(self) -> str:
        """``famo against networks of equal size on digits``."""
        words = f"{self.name} against {self.against}" if self.against else self.name
        return f"{words} on {self.problem}" if self.problem else words


@dataclass(frozen=True)
class Answer:
    """One answer on one run, and the trainings that it rests on."""

    words: str
    needed: frozenset[Key] = frozenset()


@dataclass(frozen=True)
class Claim:
    """One answer with half and with all of the patience, in words."""

    question: Question
    half: str
    full: str

    @property
    def differs(self) -> bool:
        """Whether half the patience gives another answer."""
        return self.half != self.full


@dataclass(frozen=True, eq=False)
class Judged:
    """A run with what its answers are read from; ``trained`` and ``tuned`` are those of all of the patience, since what
    holds an answer back is the same for both.
    """

    data: ReportData
    deltas: tuple[Delta, ...]
    trained: tuple[Convergence, ...]
    tuned: tuple[Tuning, ...]


def half_claims(whole: Judged, earlier: Earlier | None, half: tuple[Delta, ...]) -> tuple[Claim, ...]:
    """Every question whose trainings all say what half the patience would have given; ``half`` are the deltas then."""
    if earlier is None:
        return ()
    before = _answers(Judged(earlier.data, half, whole.trained, whole.tuned))
    return tuple(
        Claim(question, before[question].words, answer.words)
        for question, answer in _answers(whole).items()
        if question in before and not earlier.unknown & answer.needed
    )


def _answers(run: Judged) -> Mapping[Question, Answer]:
    return dict((*_against_equal_size(run), *_against_frontiers(run), *_against_references(run), *_over_problems(run)))


def _against_equal_size(run: Judged) -> Iterator[tuple[Question, Answer]]:
    for footing in footings(run.data, timings(run.data), run.trained):
        matched = run.data.matched(footing.problem)
        if footing.interval:
            words = "no verdict yet" if footing.held else footing.sign or _NONE
            needed = _trainings(run.data, footing.problem, footing.method, matched)
            yield Question(footing.method, EQUAL_SIZE, footing.problem), Answer(words, needed)


def _against_frontiers(run: Judged) -> Iterator[tuple[Question, Answer]]:
    for frontier in with_held_positions(run.data, frontiers(run.data), run.trained, run.tuned):
        points = _points(run.data, frontier.problem)
        for position in frontier.positions:
            if position.standing not in ("none", "few"):
                method, problem = position.place.name, frontier.problem
                needed = _trainings(run.data, problem, method, run.data.baseline(problem)) | points
                words = "no verdict yet" if position.standing == "held" else position.standing
                yield Question(method, THE_FRONTIER, problem), Answer(words, needed)


def _against_references(run: Judged) -> Iterator[tuple[Question, Answer]]:
    for reference in references(run.data, run.trained):
        problem = reference.problem
        needed = _trainings(run.data, problem, reference.name, *run.data.methods(problem))
        for contest in reference.contests if reference.kind in _CLAIMS else ():
            claimed, *words = _CLAIMS[reference.kind]
            said = words[0] if getattr(contest, claimed) else words[1]
            if contest.interval:
                answer = Answer("no verdict yet" if contest.held and said == words[0] else said, needed)
                yield Question(reference.name, f"methods on {contest.task.name}", problem), answer


def _over_problems(run: Judged) -> Iterator[tuple[Question, Answer]]:
    found = over_problems(run.data, run.deltas)
    if found is None:
        return
    needed = frozenset(key for p in found.problems for key in _trainings(run.data, p, *found.methods))
    yield Question("the best mean rank over problems", ""), Answer(listing(found.leaders), needed)
    for method, word in _told_apart(found):
        yield Question(method, f"{found.baseline} over problems"), Answer(word, needed)


def _told_apart(found: Across) -> Iterator[tuple[str, str]]:
    """Every method against the baseline by the test over problems, where there is one."""
    for method in found.methods[1:] if found.testable else ():
        yield method, found.clear().get(method, _NONE)


def _trainings(data: ReportData, problem: str, *methods: str) -> frozenset[Key]:
    """What a comparison of methods and references of one problem rests on."""
    named = filter(None, methods)
    return frozenset((problem, method, engine) for method in named for engine in data.engines_of(problem, method))


def _points(data: ReportData, problem: str) -> frozenset[Key]:
    """What the points of a problem's frontier are called."""
    asked = data.tried[(data.tried["role"] == FRONTIER) & (data.tried["problem"] == problem)]
    return frozenset(key for key, _ in groups(asked, METHOD))
