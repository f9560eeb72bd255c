"""School: the relation learner that knows shared and specific weights beats both ridge baselines, pupil by pupil."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtlbench.core.task import Data
from mtlbench.learners import TABLE
from mtlbench.problems.small.school import School
from tests.learners.relation_data import run, scores
from tests.problems.conftest import PLACES
from tests.toy_data import inputs_by_task

SEEDS = (0, 1)


def school(share: float, seed: int) -> Data:
    for place in PLACES:
        path = Path(place or "-") / "school/school.mat"
        if path.is_file():
            return School(path=str(path.resolve()), train=share, validation=0.0).load(seed, Path())
    pytest.skip("needs school/school.mat: set MTLBENCH_DATA to the folder of real data")


def pupils_rmse(spec: dict[str, Any], share: float) -> float:
    """Mean over seeds of the error over the test pupils of all schools together, in points."""
    found = []
    for seed in SEEDS:
        data = school(share, seed)
        errors = scores(run(TABLE.build(spec), data, seed))
        pupils = {name: len(rows) for name, rows in inputs_by_task(data.test).items()}
        found.append((sum(pupils[name] * errors[name] ** 2 for name in errors) / sum(pupils.values())) ** 0.5)
    return float(np.mean(found))


@pytest.mark.parametrize(("share", "enough"), [(0.2, 10.30), (0.4, 10.20), (0.75, 10.05)])
def test_shared_and_specific_weights_beat_both_baselines(share: float, enough: float) -> None:
    related = pupils_rmse({"name": "shared_specific"}, share)
    assert related <= enough
    assert related < pupils_rmse({"name": "ridge", "scope": "pooled"}, share) - 0.1
    assert related < pupils_rmse({"name": "ridge"}, share) - 0.1
