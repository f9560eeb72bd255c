"""Whether the methods of a suite choose from equally many candidates."""

from __future__ import annotations

from ..core.wording import listing
from ..suite.suite import Suite


def unequal_budgets(suite: Suite) -> tuple[str, ...]:
    """What a person should know where they do not; a learner without an optimizer has nothing that others tune."""
    variants = suite.trained if suite.methods else ()
    counts = {v.label: len(v.alternatives) for v in variants if v.candidates or v["optimizer"].used}
    if len(set(counts.values())) < 2:
        return ()
    each = listing((f"{label} from {count}" for label, count in counts.items()), 12)
    return (f"methods choose from unequally many candidates, which favours those with more: {each}",)
