"""mtlbench: compare multi-task training methods, and fused training steps, with numbers that survive a referee."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fused_adam import FusedAdam
    from .ops import task_losses
    from .plan.reading import read_suite
    from .runner.session import Run, run
    from .suite.suite import Suite

# Public names and where they live; imported when first used, so that `import mtlbench` waits for nothing.
_HOMES = {
    "FusedAdam": "fused_adam",
    "Run": "runner.session",
    "Suite": "suite.suite",
    "read_suite": "plan.reading",
    "run": "runner.session",
    "task_losses": "ops",
}
__all__ = ["FusedAdam", "Run", "Suite", "read_suite", "run", "task_losses"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mtlbench' has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
