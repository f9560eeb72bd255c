"""What a number of seeds can prove, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass

ALPHA = 0.05


def smallest_p(seeds: int) -> float:
    """The smallest two-sided p of an exact sign-flip test on ``seeds`` paired differences: 2 / 2^n, at most 1."""
    return min(1.0, 2.0 ** (1 - seeds))


def can_be_significant(seeds: int, comparisons: int, alpha: float = ALPHA) -> bool:
    """Whether the strongest of m > 0 comparisons can pass Holm's first step: 2 / 2^n <= alpha / m."""
    return comparisons > 0 and comparisons * smallest_p(seeds) <= alpha


def seeds_needed(comparisons: int, alpha: float = ALPHA) -> int:
    """The fewest seeds with which ``can_be_significant`` holds; 9 for ten comparisons at 0.05."""
    return next(n for n in range(1, 1000) if can_be_significant(n, max(comparisons, 1), alpha))


@dataclass(frozen=True)
class Power:
    """The power of a plan: ``comparisons`` methods, each tested against the same baseline over paired ``seeds``."""

    seeds: int
    comparisons: int

    @property
    def smallest_p(self) -> float:
        """The smallest p that a single test can give."""
        return smallest_p(self.seeds)

    @property
    def enough(self) -> bool:
        """Whether any method can differ significantly from the baseline."""
        return can_be_significant(self.seeds, self.comparisons)

    @property
    def seeds_needed(self) -> int:
        """The fewest seeds that would be enough."""
        return seeds_needed(self.comparisons)

    def __str__(self) -> str:
        tested = (
            f"{self.seeds} seed{'s' * (self.seeds != 1)}: the smallest two-sided sign-flip p is {self.smallest_p:.3g}"
        )
        against = f"{self.comparisons} method{'s' * (self.comparisons != 1)} tested against the baseline"
        if self.enough:
            return f"{tested}; with {against}, a difference can be significant at {ALPHA} after Holm's correction"
        return (
            f"{tested}; with {against}, no difference can be significant at {ALPHA} after Holm's correction: "
            f"that needs {self.seeds_needed} seeds, so the report will show intervals alone"
        )
