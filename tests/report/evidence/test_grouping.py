"""The best grouping against all partitions, one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mtlbench.report.evidence.grouping import best_grouping


def partitions(items: list[int]) -> Iterator[list[list[int]]]:
    if not items:
        yield []
        return
    first, *rest = items
    for smaller in partitions(rest):
        for n, group in enumerate(smaller):
            yield [*smaller[:n], [first, *group], *smaller[n + 1 :]]
        yield [[first], *smaller]


def predicted(gains: np.ndarray, groups: list[list[int]]) -> float:
    shared = [group for group in groups if len(group) > 1]
    return float(sum(np.mean([gains[i, j] for j in group if j != i]) for group in shared for i in group))


@pytest.mark.parametrize("tasks", [2, 3, 5, 6])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_best_of_all_partitions(tasks: int, seed: int) -> None:
    gains = np.random.default_rng([tasks, seed]).normal(size=(tasks, tasks, 5))
    gains[range(tasks), range(tasks)] = np.nan
    found = best_grouping(gains)
    assert found is not None
    best = max(partitions(list(range(tasks))), key=lambda groups: predicted(gains.mean(2), groups))
    assert {frozenset(group) for group in found.groups} == {frozenset(group) for group in best}
    assert found.gain == pytest.approx(predicted(gains.mean(2), best) / tasks)
    assert found.share is not None
    assert 0 < found.share <= 1


def test_it_is_as_sure_as_the_seeds_agree() -> None:
    agreed = np.full((3, 3, 5), -1.0)
    agreed[0, 1] = agreed[1, 0] = 2.0
    sure = best_grouping(agreed + np.random.default_rng(0).normal(0, 0.01, agreed.shape))
    assert sure is not None
    assert (sure.groups, sure.share) == (((0, 1), (2,)), 1.0)
    assert sure.gain == pytest.approx(4 / 3, abs=0.1)
    unsure = best_grouping(agreed + np.random.default_rng(0).normal(0, 9, agreed.shape))
    assert unsure is not None
    assert unsure.share is not None
    assert unsure.share < 1


def test_alone_is_best_where_nothing_helps() -> None:
    found = best_grouping(np.zeros((4, 4, 3)))
    assert found is not None
    assert found.groups == ((0,), (1,), (2,), (3,))
    assert (found.gain, found.interval) == (0.0, None)


def test_ten_tasks_and_what_cannot_be_said() -> None:
    gains = np.full((10, 10, 3), 1.0)
    found = best_grouping(gains)
    assert found is not None
    assert sorted(task for group in found.groups for task in group) == list(range(10))
    assert found.gain == pytest.approx(1)
    assert best_grouping(np.ones((11, 11, 3))) is None
    assert best_grouping(np.ones((1, 1, 3))) is None
    assert best_grouping(np.ones((3, 3, 0))) is None
    gains[2, 3] = np.nan
    assert best_grouping(gains) is None
    for seeds in (2, 4, 5):
        few = best_grouping(np.ones((3, 3, seeds)))
        assert few is not None
        assert (few.share is None) == (seeds < 5)
