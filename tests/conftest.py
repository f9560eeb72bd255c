"""One thread per process: tests are small, and several run at a time. CI sees the same examples at every run."""

import os

from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("here", deadline=None)  # no test asserts a time
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
