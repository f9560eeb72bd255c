"""What a number of seeds can prove, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

ALPHA = 0.05
FEWEST = 3  # values below which no interval is given, and no t test


def smallest_p(seeds: int) -> float:
    """The smallest two-sided p of an exact sign-flip test on ``seeds`` paired differences: 2 / 2^n, at most 1."""
    return min(1.0, 2.0 ** (1 - seeds))


def can_be_significant(seeds: int, comparisons: int, alpha: float = ALPHA, corrected: bool = False) -> bool:
    """Whether the strongest of m > 0 comparisons can pass Holm's first step: 2 / 2^n <= alpha / m.

    The ``corrected`` t test (``interval: corrected``) can give any p, once there are seeds enough for an interval.
    """
    return comparisons > 0 and (seeds >= FEWEST if corrected else comparisons * smallest_p(seeds) <= alpha)


def seeds_needed(comparisons: int, alpha: float = ALPHA, corrected: bool = False) -> int:
    """The fewest seeds with which ``can_be_significant`` holds; 9 for ten comparisons at 0.05."""
    return next(n for n in range(1, 1000) if can_be_significant(n, max(comparisons, 1), alpha, corrected))


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
    def seeds_needed(self) -> int:
        """The fewest seeds that would be enough."""
        return seeds_needed(self.comparisons, corrected=self.corrected)

    def __str__(self) -> str:
        smallest = f"the smallest two-sided sign-flip p is {self.smallest_p:.3g}"
        if self.corrected:
            smallest = "the corrected t test " + ("has no smallest p" if self.enough else "cannot be made")
        tested = f"{self.seeds} seed{'s' * (self.seeds != 1)}: {smallest}"
        against = f"{self.comparisons} method{'s' * (self.comparisons != 1)} tested against the baseline"
        if self.enough:
            return f"{tested}; with {against}, a difference can be significant at {ALPHA} after Holm's correction"
        return (
            f"{tested}; with {against}, no difference can be significant at {ALPHA} after Holm's correction: "
            f"that needs {self.seeds_needed} seeds, so the report will show intervals alone"
        )
