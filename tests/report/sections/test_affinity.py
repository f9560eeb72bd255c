"""Pairs of tasks in the report: gains with their signs, what was measured, and the grouping."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest

from mtlbench.core.record import LOOKAHEAD_AFFINITY
from mtlbench.core.trial import AFFINITY
from mtlbench.report import build
from mtlbench.report.evidence.evidence import gather
from mtlbench.report.sections.affinity import section
from mtlbench.report.writing.parts import Statement
from tests.contracts.test_sections import SMALL, paired

from ..samples import Frames, Spec, number, sample


def all_pairs(tasks: int, seeds: int = 2, gain: float = 1.0, spread: float = 0.1) -> Frames:
    """Every pair of so many tasks, which gains so many percent over single-task training."""
    names: dict[str, Spec] = {f"t{i}": ("accuracy", "%", True, 50.0, 0.5) for i in range(tasks)}
    made = sample(methods={"equal": 0.4}, tasks=names, seeds=seeds, epochs=1)
    single = {(f["seed"], f["task"]): f for f in made.records if f["baseline"] and f["main"] and f["split"] == "test"}
    rng = np.random.default_rng(0)
    for trial in [trial for trial in made.trials if trial["method"] == "equal"]:
        for pair in combinations(names, 2):
            what = {"role": AFFINITY, "trial": f"{trial['trial']}/{pair}"}
            made.trials.append(trial | what | {"tasks": pair})
            for task in pair:
                fact = single[trial["seed"], task] | what | {"baseline": False, "method": "equal"}
                made.records.append(fact | {"value": fact["value"] * (1 + rng.normal(gain, spread) / 100)})
    for row in (*made.trials, *made.records):
        row.setdefault("role", "")
    return made.frames()


def statements(frames: Frames) -> tuple[Statement, ...]:
    part = section(gather(*frames))
    assert part is not None
    return part.statements


def test_gains_are_percent_of_single_task_and_better_is_positive() -> None:
    raw = build(*paired(digit=1.02, ink=0.95)).tables["affinity"].raw.set_index(["task", "with"])
    assert abs(number(raw, ("digit", "ink"), "gain") - 2) < 1e-9  # accuracy rose by 2 %
    assert abs(number(raw, ("ink", "digit"), "gain") - 5) < 1e-9  # an error fell by 5 %
    assert number(raw, ("ink", "digit"), "affinity") == 1.0  # percent: what a step for digit does for ink
    assert number(raw, ("digit", "ink"), "affinity") == 3.0
    assert set(raw["cosine"]) == {0.25}


def test_the_grouping_and_its_uncertainty_are_said() -> None:
    part = section(gather(*paired(digit=1.02, ink=0.95)))
    assert part is not None
    assert "the groups {digit + ink}, predicted to gain +3.50" in str(part.statements[0])
    assert "3 seeds cannot say how sure that is, 5 could" in str(part.statements[0])
    assert "not measured" in str(part.statements[0])
    part = section(gather(*paired(digit=0.9, ink=1.1)))
    assert part is not None
    assert "no group of tasks is predicted to gain: train them apart" in str(part.statements[0])


def test_a_lost_trial_takes_its_seed_from_the_grouping_alone() -> None:
    records, trials, *rest = all_pairs(3, seeds=6)
    lost = (trials["role"] == AFFINITY) & (trials["seed"] == 2) & (trials["tasks"] == ("t0", "t1"))
    alone = trials["baseline"] & (trials["seed"] == 4) & (trials["tasks"] == ("t2",))
    trials = trials.assign(status=trials["status"].mask(lost | alone, "failed"))
    part = section(gather(records, trials, *rest))
    assert part is not None
    (sure,) = part.statements
    assert "the pairs recommend the groups" in str(sure)
    assert "4 of 6 seeds have every pair" in str(sure)
    raw = part.tables[0].raw.set_index(["task", "with"])
    assert np.isfinite(raw[["gain", "low", "high"]]).all(axis=None)


def test_gains_that_may_be_none_are_named_beside_the_grouping() -> None:
    (sure,) = statements(all_pairs(3, seeds=5))
    assert sure.tone == "plain"
    assert "recommends the same 100 % of the time" in sure.text
    assert "either sign" not in sure.text
    (unsure,) = statements(all_pairs(3, seeds=5, gain=0.5, spread=1.5))
    assert unsure.tone == "unclear"
    assert re.search(
        r"\d of the 6 gains it rests on may be of either sign, with intervals that hold zero: t\d with t\d", unsure.text
    )


def test_missing_pairs_are_said() -> None:
    records, trials, *rest = paired(digit=1.02, ink=0.95)
    trials.loc[trials["role"] == "affinity", "status"] = "failed"
    part = section(gather(records, trials, *rest))
    assert part is not None
    assert "pairs are missing" in str(part.statements[0])


@pytest.mark.parametrize("tasks", [10, 11])
def test_too_many_tasks_for_an_exact_search_are_said(tasks: int) -> None:
    said = str(statements(all_pairs(tasks))[0])
    assert "pairs are missing" not in said
    assert ("the exact search stops at 10 tasks, and there are 11" in said) == (tasks == 11)


def test_other_tables_do_not_see_pairs() -> None:
    plain, both = build(*sample(**SMALL).frames()), build(*paired(digit=1.02, ink=0.95))
    for name in ("methods", "tasks", "throughput"):
        assert both.tables[name].raw.equals(plain.tables[name].raw)


def test_a_matrix_has_one_unit_and_one_number_of_decimals() -> None:
    records, trials, *rest = paired(digit=1.02, ink=0.95)
    affinity = records["metric"] == LOOKAHEAD_AFFINITY
    records.loc[affinity & (records["other"] == "ink"), "value"] = 1.35e-4  # 0.0135 %
    records.loc[affinity & (records["other"] == "digit"), "value"] = -3.16e-7
    part = section(gather(records, trials, *rest))
    assert part is not None
    shown = re.findall(r">(−?[\d.]+)</text>", part.figures[0].svg)
    assert {"13.5", "0.0"} < set(shown)  # in thousandths of a percent
    assert "affinity [10⁻³ %] of row onto column" in part.figures[0].svg
    assert {"2.00", "5.00"} < set(shown)
    assert set(part.tables[0].text["affinity [%]"]) == {"0.0135", "0.0000"}
