"""The report of relation learning: all rows together, learned correlations, and many tasks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mtlbench.core.record import CORRELATION
from mtlbench.report.evidence.evidence import gather
from mtlbench.report.evidence.unlike import unlike_baseline
from mtlbench.report.sections import pooled, relations, tasks
from tests.report.samples import Sample, Spec, _add, number, sample

ROWS = {"a": 10, "b": 30, "c": 160}
METHODS = {"one": 2.0, "two": -1.0}


def tasks_of(metric: str = "rmse", unit: str = "points", higher: bool = False) -> dict[str, Spec]:
    return {name: (metric, unit, higher, 10.0 + i, 0.4) for i, name in enumerate(ROWS)}


def with_rows(made: Sample) -> Sample:
    """The labels that every trial's tasks were tested on."""
    for row in list(made.trials):
        for task in row["tasks"]:
            _add(made, row, "", task, "test_rows", float(ROWS[task] + row["seed"]))
    return made


def with_correlations(made: Sample) -> Sample:
    """Of method one: a and c are alike, b is not."""
    for row in [trial for trial in made.trials if trial["method"] == "one"]:
        for task, other, value in (("a", "b", -0.3), ("a", "c", 0.8), ("b", "c", -0.5)):
            _add(made, row, "train", task, CORRELATION, value + row["seed"] / 100, other=other)
    return made


def scores(made: Sample, method: str, seed: int) -> list[float]:
    chosen = [
        r for r in made.records if (r["method"], r["seed"], r["split"], r["main"]) == (method, seed, "test", True)
    ]
    return [next(r["value"] for r in chosen if r["task"] == name) for name in ROWS]


@pytest.mark.parametrize(("metric", "power"), [("rmse", 2), ("mae", 1)])
def test_pooled_scores_are_those_of_all_rows(metric: str, power: int) -> None:
    made = with_rows(sample(METHODS, tasks=tasks_of(metric), seeds=3, epochs=1))
    part = pooled.section(gather(*made.frames()))
    assert part is not None
    raw = part.tables[0].raw.set_index("method")
    for method in ("single-task", *METHODS):
        expected = [
            np.average(np.power(scores(made, method, seed), power), weights=[n + seed for n in ROWS.values()])
            ** (1 / power)
            for seed in range(3)
        ]
        assert number(raw, method, "mean") == pytest.approx(np.mean(expected))
        assert number(raw, method, "seeds") == 3
    gap = number(raw, "one", "mean") - number(raw, "single-task", "mean")
    assert number(raw, "one", "difference") == pytest.approx(gap)
    assert [row[0].text for row in part.tables[0].panels[0].rows] == ["single-task", "one", "two"]


def test_explained_variance_is_that_of_all_rows_about_their_common_mean() -> None:
    made = with_rows(sample(METHODS, tasks=tasks_of(), seeds=3, epochs=1))
    labels = {
        (name, seed): np.random.default_rng([seed, i]).normal(20 + 5 * i, 12, size=rows + seed)
        for i, (name, rows) in enumerate(ROWS.items())
        for seed in range(3)
    }
    for row in list(made.trials):
        for task in row["tasks"]:
            _add(made, row, "", task, "test_mean", labels[task, row["seed"]].mean())
            _add(made, row, "", task, "test_variance", labels[task, row["seed"]].var())
    part = pooled.section(gather(*made.frames()))
    assert part is not None
    (table,) = part.tables
    assert "Explained variance" in table.caption
    raw = table.raw[table.raw["metric"] == "explained variance"].set_index("method")
    for method in ("single-task", *METHODS):
        expected = []
        for seed in range(3):
            everything = np.concatenate([labels[name, seed] for name in ROWS])
            squares = np.square(scores(made, method, seed)) @ [len(labels[name, seed]) for name in ROWS]
            expected.append(100 * (1 - squares / ((everything - everything.mean()) ** 2).sum()))
        assert number(raw, method, "mean") == pytest.approx(np.mean(expected))
    assert [len(row) for row in table.panels[0].rows] == [4, 4, 4]


@pytest.mark.parametrize(
    "kinds",
    [
        tasks_of("r2", "1", True),  # parts do not make up a whole
        tasks_of(unit=""),  # values of unknown kinds
        tasks_of() | {"a": ("rmse", "kg", False, 10.0, 0.4)},
        tasks_of() | {"a": ("mae", "points", False, 10.0, 0.4)},
    ],
)
def test_what_cannot_be_pooled_is_not(kinds: dict[str, Spec]) -> None:
    assert pooled.section(gather(*with_rows(sample(METHODS, tasks=kinds, seeds=2, epochs=1)).frames())) is None


def test_without_counts_nothing_is_pooled() -> None:
    assert pooled.section(gather(*sample(METHODS, tasks=tasks_of(), seeds=2, epochs=1).frames())) is None


def test_a_seed_that_lacks_a_task_is_not_pooled() -> None:
    made = with_rows(sample(METHODS, tasks=tasks_of(), seeds=3, epochs=1))
    gone = [r for r in made.records if (r["method"], r["seed"], r["task"]) != ("one", 1, "b")]
    part = pooled.section(gather(*Sample(gone, made.trials, made.environments, made.suite).frames()))
    assert part is not None
    assert number(part.tables[0].raw.set_index("method"), "one", "seeds") == 2


def test_learned_relations_are_drawn_of_methods_that_learned_any() -> None:
    made = with_correlations(sample(METHODS, tasks=tasks_of(), seeds=3, epochs=1))
    part = relations.section(gather(*made.frames()))
    assert part is not None
    (statement,) = part.statements
    assert statement.text == (
        "one on digits: mean correlation of two tasks +0.01; most alike a and c (+0.81), least b and c (−0.49)."
    )
    assert part.figures[0].svg.count("<image") == 2  # the matrix and the colour bar
    assert relations.section(gather(*sample(METHODS, tasks=tasks_of(), seeds=2, epochs=1).frames())) is None


def test_pairs_without_a_correlation_are_left_blank() -> None:
    """Tasks that differ in their outputs have none."""
    made = with_correlations(sample(METHODS, tasks=tasks_of(), seeds=3, epochs=1))
    made.records = [r for r in made.records if r["metric"] != CORRELATION or r["task"] == "b"]
    part = relations.section(gather(*made.frames()))
    assert part is not None
    (statement,) = part.statements
    assert statement.text.endswith("two tasks −0.49; most alike b and c (−0.49), least b and c (−0.49).")


def test_tasks_that_are_alike_stand_together() -> None:
    members = np.array([0, 1, 0, 1, 2, 0])
    matrix = np.where(members[:, None] == members, 0.9, -0.2)
    np.fill_diagonal(matrix, 1)
    kinds = members[relations.order(matrix)]
    assert (np.diff(kinds) != 0).sum() == 2


@pytest.mark.parametrize("count", [1, 2])
def test_few_tasks_need_no_order(count: int) -> None:
    assert relations.order(np.eye(count)) == list(range(count))


def test_problems_of_many_tasks_are_folded_away() -> None:
    kinds = {f"t{i}": ("rmse", "points", False, 10.0, 0.4) for i in range(41)}
    part = tasks.section(gather(*sample(METHODS, tasks=kinds, seeds=2, epochs=1).frames()))
    assert part is not None
    (table,) = part.tables
    assert not table.panels
    assert len(table.folded[0].rows) == 41
    assert "more than 40 tasks" in table.more


def test_learners_without_an_optimizer_are_methods_not_settings() -> None:
    made = sample(METHODS, tasks=tasks_of(), seeds=3, epochs=1)
    made.suite = {
        "methods": {"one": {"learner": {"name": "mtrl"}}, "two": {"learner": {"name": "gradient"}, "optimizer": {}}},
        "single_task": {"learner": {"name": "ridge"}},
    }
    data = gather(*made.frames()).data
    assert unlike_baseline(data.suite, "one") == ()
    assert unlike_baseline(data.suite, "two") == ("learner", "optimizer")


def test_a_trunk_that_every_method_starts_from_is_not_the_baselines() -> None:
    made = sample(METHODS, tasks=tasks_of(), seeds=3, epochs=1)
    made.suite = {"optimizer": {"name": "adam"}, "init_from": {"file": "x.pt"}, "methods": {"one": {}}}
    assert unlike_baseline(made.suite, "one") == ("init_from",)


def test_relations_are_pure() -> None:
    frames = with_correlations(sample(METHODS, tasks=tasks_of(), seeds=2, epochs=1)).frames()
    first, second = (relations.section(gather(*frames)) for _ in range(2))
    assert first == second
    pd.testing.assert_frame_equal(frames[0], frames[0].copy())
