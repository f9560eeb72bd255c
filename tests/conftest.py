"""One thread per process: tests are small, and several run at a time. CI sees the same examples at every run."""

import os

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("here", deadline=None)  # no test asserts a time
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs first: they take longest, and would otherwise keep one worker busy when the others have ended."""
    items.sort(key=lambda item: item.path.parent.name != "system")
