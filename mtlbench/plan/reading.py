"""Suite files read against the package's own tables."""

from __future__ import annotations

from pathlib import Path

from ..core.registry import look_beside
from ..suite import reader
from ..suite.entries import Tables
from ..suite.suite import Suite


def tables() -> Tables:
    """Every table, by the key of the suite file that its names stand under."""
    from ..architectures import TABLE as ARCHITECTURES
    from ..engine import TABLE as ENGINES
    from ..kernels import TABLE as KERNELS
    from ..learners import TABLE as LEARNERS
    from ..optim import OPTIMIZERS, SCHEDULES
    from ..penalties import TABLE as PENALTIES
    from ..problems import TABLE as PROBLEMS
    from ..weightings import TABLE as WEIGHTINGS

    return {
        "problem": PROBLEMS,
        "architecture": ARCHITECTURES,
        "weighting": WEIGHTINGS,
        "learner": LEARNERS,
        "engine": ENGINES,
        "optimizer": OPTIMIZERS,
        "schedule": SCHEDULES,
        "penalty": PENALTIES,
        "kernel": KERNELS,
    }


def read_suite(path: Path | str, *, profile: str | None = None, seeds: int | None = None) -> Suite:
    """The suite in a file, checked against every table; its data are not looked at.

    path     the suite file; ``module:attribute`` names find modules beside it
    profile  one of the suite's profiles
    seeds    number of seeds, instead of the suite's

    Raises SuiteError with every fault of the file.
    """
    file = Path(path)
    look_beside(file.resolve().parent)
    return reader.read_suite(file, tables=tables(), profile=profile, seeds=seeds)
