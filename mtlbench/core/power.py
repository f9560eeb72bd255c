"""What a number of seeds can prove, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

ALPHA = 0.05
FEWEST = 3  # values below which no interval is given, and no t test
FLIPS = 9_999  # random sign flips of a test, where there are more flips than these


def smallest_p(seeds: int) -> float:
    """The smallest two-sided p of a sign-flip test on n paired differences, at most 1: 2 / 2^n where all 2^n
    flips are tried; 2 / (FLIPS + 1) where there are more, of which FLIPS random ones are.
    """
    every = 2.0 ** min(seeds, 64)
    return min(1.0, 2 / (every if every <= FLIPS else FLIPS + 1))


def can_be_significant(seeds: int, comparisons: int, alpha: float = ALPHA, corrected: bool = False) -> bool:
    """Whether the strongest of m > 0 comparisons can pass Holm's first step: the smallest p <= alpha / m.

    The ``corrected`` t test (``interval: corrected``) can give any p, once there are seeds enough for an interval.
    """
    return comparisons > 0 and (seeds >= FEWEST if corrected else comparisons * smallest_p(seeds) <= alpha)


def seeds_needed(comparisons: int, alpha: float = ALPHA, corrected: bool = False) -> int | None:
    """The fewest seeds with which ``can_be_significant`` holds; 9 for ten comparisons at 0.05. None if no number does:
    random flips have a smallest p of their own.
    """
    fewest = range(1, FLIPS.bit_length() + 1)
    return next((n for n in fewest if can_be_significant(n, max(comparisons, 1), alpha, corrected)), None)


def what_is_needed(comparisons: int, unit: str, corrected: bool = False) -> str:
    """What it takes for significance, in ``unit`` such as "seeds"; fewer comparisons where no number is enough."""
    needed = seeds_needed(comparisons, corrected=corrected)
    if needed is None:
        return f"fewer comparisons at once, {int(ALPHA / smallest_p(FLIPS)):,} at most"
    return f"{needed} {unit}"


@dataclass(frozen=True)
class Power:
    """The power of a plan: ``comparisons`` methods, each tested against the same baseline over paired ``seeds``.

    The test is the exact sign-flip test or, for ``corrected`` intervals, the corrected t test.
    """

    seeds: int
    comparisons: int
    corrected: bool = False

    @property
    def smallest_p(self) -> float:
        """What no p of a single test falls below."""
        return (0.0 if self.enough else 1.0) if self.corrected else smallest_p(self.seeds)

    @property
    def enough(self) -> bool:
        """Whether any method can differ significantly from the baseline."""
        return can_be_significant(self.seeds, self.comparisons, corrected=self.corrected)

    @property
    def seeds_needed(self) -> int | None:
        """The fewest seeds that would be enough; None if no number would."""
        return seeds_needed(self.comparisons, corrected=self.corrected)

    def __str__(self) -> str:
        smallest = f"the smallest two-sided sign-flip p is {self.smallest_p:.3g}"
        if self.corrected:
            smallest = "the corrected t test " + ("has no smallest p" if self.enough else "cannot be made")
        tested = f"{self.seeds} seed{'s' * (self.seeds != 1)}: {smallest}"
        against = f"{self.comparisons} method{'s' * (self.comparisons != 1)} tested against the baseline"
        if self.enough:
            return f"{tested}; with {against}, a difference can be significant at {ALPHA} after Holm's correction"
        needed = what_is_needed(self.comparisons, "seeds", self.corrected)
        return (
            f"{tested}; with {against}, no difference can be significant at {ALPHA} after Holm's correction: "
            f"that needs {needed}, so the report will show intervals alone"
        )
